"""Made-up data: exact without noise, the same on every call, balanced, and errors that say what was needed."""

import math

import numpy as np
import pytest

from graphlearn import datasets
from graphlearn.errors import DataError

LABELLED = (datasets.moons, datasets.circles, datasets.spiral)
ALL = (datasets.xor, *LABELLED, datasets.polynomial)
# What Philox with the keys (0, crc32 of the name) gave with NumPy 2.4; a change here changes every lesson's numbers.
PINNED_XOR = [0.29658940068698697, -0.20438131844866883]
PINNED_MOONS = [1.0469615336678015, -0.3369626459771234]


def test_xor_without_arguments_is_the_truth_table():
    X, y = datasets.xor()
    assert X.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert y.tolist() == [[0], [1], [1], [0]]
    assert X.dtype == y.dtype == np.float64


def test_xor_targets_belong_to_the_corner_and_not_to_the_noisy_point():
    X, y = datasets.xor(400, noise=2.0)
    assert y[:4].ravel().tolist() == [0, 1, 1, 0]
    assert np.array_equal(y, np.tile(y[:4], (100, 1)))
    assert abs((X - np.tile([[0, 0], [0, 1], [1, 0], [1, 1]], (100, 1))).std() - 2.0) < 0.15


@pytest.mark.parametrize("make", ALL)
def test_same_arguments_same_numbers_another_seed_others(make):
    first, again, other = make(50, noise=0.1, seed=5), make(50, noise=0.1, seed=5), make(50, noise=0.1, seed=6)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
    assert first[0] is not again[0]
    assert len(first[0]) == len(first[1]) == 50


def test_the_random_numbers_are_pinned():
    noise = datasets.xor(1, noise=1.0, seed=0)[0][0]
    np.testing.assert_allclose(noise, PINNED_XOR, rtol=1e-12)
    np.testing.assert_allclose(datasets.moons(2, noise=1.0)[0][0] - [1.0, 0.0], PINNED_MOONS, rtol=1e-12)


@pytest.mark.parametrize("make", LABELLED)
def test_classes_are_dealt_in_turn(make):
    _, y = make(101)
    classes = y.max() + 1
    assert y.dtype == np.int64
    assert np.array_equal(y, np.arange(101) % classes)


def test_moons_lie_on_their_half_circles():
    X, y = datasets.moons(101, noise=0.0)
    above, below = X[y == 0], X[y == 1] - [1.0, 0.5]
    np.testing.assert_allclose(np.hypot(*above.T), 1.0)
    np.testing.assert_allclose(np.hypot(*below.T), 1.0)
    assert above[:, 1].min() >= 0.0
    assert below[:, 1].max() <= 1e-15
    np.testing.assert_allclose(above[[0, -1]], [[1, 0], [-1, 0]], atol=1e-15)


def test_circles_lie_on_their_circles_without_a_point_twice():
    X, y = datasets.circles(100, noise=0.0, factor=0.3)
    np.testing.assert_allclose(np.hypot(*X.T), np.where(y == 0, 1.0, 0.3))
    assert len(np.unique(X.round(9), axis=0)) == 100


def test_spiral_arms_are_turned_copies_of_one_arm():
    X, y = datasets.spiral(200, noise=0.0, classes=4, turns=0.5)
    quarter = np.array([[0.0, 1.0], [-1.0, 0.0]])
    for arm in range(3):
        np.testing.assert_allclose(X[y == arm] @ quarter, X[y == arm + 1], atol=1e-12)
    radius, angle = np.hypot(*X[y == 0].T), np.unwrap(np.arctan2(*X[y == 0].T[::-1]))
    np.testing.assert_allclose([radius[0], radius[-1], angle[-1] - angle[0]], [0.1, 1.0, math.pi])


def test_polynomial_is_exact_without_noise_and_noisy_only_in_y():
    X, y = datasets.polynomial(11, noise=0.0, coefficients=[1.0, -2.0, 0.0, 4.0], interval=(0.0, 2.0))
    assert X.shape == y.shape == (11, 1)
    np.testing.assert_allclose(X.ravel(), np.arange(11) / 5, atol=1e-15)
    np.testing.assert_allclose(y, 1 - 2 * X + 4 * X**3, atol=1e-13)
    noisy = datasets.polynomial(2000, noise=0.3, coefficients=[0.0])
    assert abs(noisy[1].std() - 0.3) < 0.02
    assert np.array_equal(datasets.polynomial(7)[0], datasets.polynomial(7, seed=1)[0])


@pytest.mark.parametrize("make", LABELLED)
def test_one_point_per_class_is_enough_and_fewer_is_an_error(make):
    classes = int(make()[1].max()) + 1
    assert np.isfinite(make(classes)[0]).all()
    with pytest.raises(DataError, match=f"n needs a whole number of at least {classes}; got {classes - 1}"):
        make(classes - 1)


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "n needs a whole number of at least"),
        ({"n": 10.0}, "n needs a whole number"),
        ({"n": True}, "n needs a whole number"),
        ({"noise": -0.1}, "noise needs a finite number from 0"),
        ({"noise": math.nan}, "noise needs a finite number"),
        ({"noise": "loud"}, "noise needs a finite number.*'loud'"),
        ({"seed": -1}, "seed needs a whole number of at least 0; got -1"),
        ({"seed": 1.5}, "seed needs a whole number"),
        ({"seed": 2**64}, "seed needs to be below"),
    ],
)
def test_bad_arguments_are_named(make, arguments, message):
    with pytest.raises(DataError, match=message):
        make(**arguments)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: datasets.circles(factor=1.5), "factor needs a finite number from 0 to 1; got 1.5"),
        (lambda: datasets.spiral(classes=0), "classes needs a whole number of at least 1"),
        (lambda: datasets.spiral(turns=math.inf), "turns needs a finite number; got inf"),
        (lambda: datasets.polynomial(interval=(1.0, 1.0)), "interval needs two numbers, the lower one first"),
        (lambda: datasets.polynomial(interval=(0.0, math.inf)), "interval needs finite numbers"),
        (lambda: datasets.polynomial(coefficients=[]), "coefficients is empty"),
        (lambda: datasets.polynomial(coefficients=[[1.0]]), "coefficients needs a flat sequence"),
    ],
)
def test_bad_shapes_of_curves_are_named(call, message):
    with pytest.raises(DataError, match=message):
        call()
