"""Splitting, standardizing, one-hot: what they keep, what they round, and what they refuse with which words."""

import math

import numpy as np
import pytest

from graphlearn import datasets
from graphlearn.datasets import Standardizer, one_hot, standardize, train_test_split
from graphlearn.errors import DataError, DTypeError

ROWS = np.arange(40.0).reshape(20, 2)
PINNED_SPLIT = [1, 3, 11]  # of 12 rows, seed 0, with NumPy 2.4


def test_a_split_keeps_every_row_once_and_rows_together():
    parts = train_test_split(ROWS, np.arange(20), [f"row {i}" for i in range(20)], test_size=0.3)
    X_train, X_test, i_train, i_test, names_train, names_test = parts
    assert (len(X_train), len(X_test)) == (14, 6)
    assert sorted([*i_train, *i_test]) == list(range(20))
    for X, rows, names in ((X_train, i_train, names_train), (X_test, i_test, names_test)):
        assert np.array_equal(X, ROWS[rows])
        assert names.tolist() == [f"row {i}" for i in rows]
    X_train[:] = -1.0  # a copy
    assert ROWS.min() == 0.0


def test_a_split_depends_on_the_seed_alone_and_is_pinned():
    def test_part(seed):
        return train_test_split(np.arange(12), seed=seed)[1].tolist()

    assert test_part(3) == test_part(3)
    assert len({tuple(test_part(seed)) for seed in range(20)}) > 15
    assert test_part(0) == PINNED_SPLIT


@pytest.mark.parametrize(
    ("size", "rows"), [(0.25, 5), (0.01, 1), (0.99, 19), (0.07, 1), (1, 1), (19, 19), (np.int64(3), 3)]
)
def test_the_size_of_the_test_part(size, rows):
    train, test = train_test_split(ROWS, test_size=size)
    assert (len(train), len(test)) == (20 - rows, rows)


def test_a_stratified_split_keeps_the_share_of_each_class():
    X, y = datasets.breast_cancer()
    _, _, y_train, y_test = train_test_split(X, y, test_size=0.2, seed=4, stratify=True)
    assert np.bincount(y_test).tolist() == [72, 42]  # 114 * 357/569 = 71.5, 114 * 212/569 = 42.5
    assert len(y_train) == 455
    _, _, _, flowers = train_test_split(*datasets.iris(), test_size=30, stratify=True)
    assert np.bincount(flowers).tolist() == [10, 10, 10]


@pytest.mark.parametrize("seed", range(30))
def test_shares_are_whole_and_within_one_row_unless_a_class_is_tiny(seed):
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(5), rng.integers(2, 40, 5))
    rows = int(rng.integers(5, len(y) - 4))
    _, test, _, kinds = train_test_split(np.arange(len(y)), y, test_size=rows, seed=seed, stratify=True)
    sizes, taken = np.bincount(y), np.bincount(kinds, minlength=5)
    assert taken.sum() == len(test) == rows
    assert np.array_equal(kinds, y[test])
    assert (taken >= 1).all()
    assert (taken <= sizes - 1).all()
    exact = rows * sizes / len(y)
    if (exact >= 1).all() and (sizes - exact >= 1).all():
        assert (abs(taken - exact) < 1).all()


@pytest.mark.parametrize(
    ("sizes", "rows", "taken"),
    [
        ([96, 2, 2], 5, [3, 1, 1]),  # 4.8, 0.1, 0.1 of 5
        ([96, 2, 2], 95, [93, 1, 1]),  # 91.2, 1.9, 1.9 of 95, but a row of each must stay behind
        ([60, 30, 2, 2, 2, 2], 8, [3, 1, 1, 1, 1, 1]),  # 4.9, 2.4 and 0.16 each: the fullest share gives first
    ],
)
def test_a_tiny_class_is_in_both_parts(sizes, rows, taken):
    y = np.repeat(np.arange(len(sizes)), sizes)
    _, _, y_train, y_test = train_test_split(y, y, test_size=rows, stratify=True)
    assert np.bincount(y_test).tolist() == taken
    assert np.bincount(y_train).tolist() == [size - t for size, t in zip(sizes, taken, strict=True)]


def test_stratify_takes_the_float_column_of_xor():
    X, y = datasets.xor(40)
    assert train_test_split(X, y, stratify=True)[3].sum() == 5.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: train_test_split(), "needs at least one array; got none"),
        (lambda: train_test_split([], []), "array 0 of train_test_split is empty"),
        (lambda: train_test_split(ROWS, ROWS[:3]), r"equally many rows; got \[20, 3\]"),
        (lambda: train_test_split(ROWS[:1]), "at least 2 rows.*got 1"),
        (lambda: train_test_split(3.0), "at least one axis.*scalar 3.0"),
        (lambda: train_test_split([[1.0], [1.0, 2.0]]), "rows of equal length"),
        (lambda: train_test_split(datasets.iris()), r"data set iris\. Unpack it: X, y = iris\(\)"),
        (lambda: train_test_split(ROWS, test_size=0.0), "fraction between 0 and 1.*got 0.0"),
        (lambda: train_test_split(ROWS, test_size=1.0), "fraction between 0 and 1.*got 1.0"),
        (lambda: train_test_split(ROWS, test_size=1.5), "test_size needs a finite number from 0 to 1; got 1.5"),
        (lambda: train_test_split(ROWS, test_size=math.nan), "test_size needs a finite number.*nan"),
        (lambda: train_test_split(ROWS, test_size=True), "test_size needs a finite number.*True"),
        (lambda: train_test_split(ROWS, test_size=0), "from 1 to 19, of 20 rows; got 0"),
        (lambda: train_test_split(ROWS, test_size=20), "from 1 to 19, of 20 rows; got 20"),
        (lambda: train_test_split(ROWS, seed=-1), "seed needs a whole number"),
        (lambda: train_test_split(ROWS, stratify=True), "second array; got one array"),
        (
            lambda: train_test_split(ROWS, ROWS, stratify=True),
            r"one class per row, shape \(n,\) or \(n, 1\); got \(20, 2\)",
        ),
        (lambda: train_test_split(ROWS, ROWS[:, 0] / 4, stratify=True), "whole numbers.*got 0.5 in row 1"),
        (
            lambda: train_test_split(ROWS, [math.nan] * 20, stratify=True),
            "finite numbers; got nan in row 0.*20 such rows",
        ),
        (lambda: train_test_split(ROWS, [0] * 19 + [7], stratify=True), "class 7 has 1"),
        (
            lambda: train_test_split(ROWS, [0, 1] * 10, test_size=1, stratify=True),
            "each of the 2 classes in both parts",
        ),
        (lambda: train_test_split(ROWS, [0, 1] * 10, test_size=19, stratify=True), "19 test rows and 1 train rows"),
    ],
)
def test_a_split_that_cannot_be_is_refused(call, message):
    with pytest.raises(DataError, match=message):
        call()


def test_standardize_fits_on_the_training_rows_alone():
    train, test, scaler = standardize(ROWS[:10], ROWS[10:])
    np.testing.assert_allclose(train.mean(axis=0), 0.0, atol=1e-15)
    np.testing.assert_allclose(train.std(axis=0), 1.0)
    np.testing.assert_allclose(test, (ROWS[10:] - ROWS[:10].mean(axis=0)) / ROWS[:10].std(axis=0))
    assert isinstance(scaler, Standardizer)
    np.testing.assert_allclose(scaler.inverse(test), ROWS[10:])
    np.testing.assert_allclose(scaler.transform(ROWS[3]), train[3])


def test_standardize_takes_integers_one_axis_and_images():
    flat, scaler = standardize([1, 2, 3, 6])
    assert scaler.mean == 3.0
    np.testing.assert_allclose(scaler.inverse(flat), [1, 2, 3, 6])
    images, scaler = standardize(datasets.digits().X.reshape(-1, 8, 8))
    assert scaler.mean.shape == (8, 8)
    assert np.isfinite(images).all()


@pytest.mark.parametrize("value", [0.0, 0.1, -3.0, 1e-300, 5e-324, 1e300, 1e16])
def test_a_constant_column_gets_scale_one_and_becomes_zero(value):
    train, scaler = standardize(np.column_stack([np.full(7, value), np.arange(7.0)]))
    assert scaler.scale[0] == 1.0
    assert scaler.mean[0] == value
    assert not train[:, 0].any()
    assert scaler.scale[1] == 2.0


def test_a_column_constant_up_to_rounding_is_constant():
    assert standardize([[0.1 + 0.2], [0.3]])[1].scale.tolist() == [1.0]


@pytest.mark.parametrize("size", [1e-200, 1e-9, 1e200])
def test_extreme_units_neither_underflow_nor_overflow(size):
    train, scaler = standardize(np.array([[1.0], [2.0], [6.0]]) * size)
    np.testing.assert_allclose(train, standardize([[1.0], [2.0], [6.0]])[0], rtol=1e-12)
    np.testing.assert_allclose(scaler.mean, 3.0 * size)


def test_the_smallest_numbers_do_not_divide_by_zero():
    assert np.isfinite(standardize([[0.0], [5e-324]])[0]).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: standardize(np.zeros((0, 3))), r"train is empty \(shape \(0, 3\)\)"),
        (lambda: standardize([[1.0, 2.0], [3.0, math.nan]]), "train needs finite numbers; got nan in row 1, column 1"),
        (lambda: standardize(ROWS, [[1.0, -math.inf]]), "array 1 after train needs finite.*-inf in row 0, column 1"),
        (lambda: standardize([1.0, math.nan, math.nan]), r"nan in row 1 \(counted from 0\), and 2 such rows"),
        (lambda: standardize(ROWS, np.zeros((4, 3))), r"rows of shape \(2,\); got an array of shape \(4, 3\)"),
        (lambda: standardize(ROWS)[1].transform([1.0]), r"rows of shape \(2,\); got an array of shape \(1,\)"),
        (lambda: standardize(ROWS)[1].inverse(np.zeros((2, 1))), r"rows of shape \(2,\)"),
        (lambda: standardize(datasets.penguins()), r"Unpack it: X, y = penguins\(\)"),
    ],
)
def test_standardize_refuses_what_it_cannot_use(call, message):
    with pytest.raises(DataError, match=message):
        call()


@pytest.mark.parametrize("values", [[["a"], ["b"]], [1j, 2.0], [None, 1.0], np.array(["2020-01-01"], "datetime64[D]")])
def test_a_dtype_without_real_numbers_is_refused(values):
    with pytest.raises(DTypeError, match=r"train needs real numbers; got dtype .*Convert it"):
        standardize(values)
    with pytest.raises(DTypeError, match="needs real numbers"):
        one_hot(np.ravel(values))


def test_one_hot_has_one_one_per_row():
    encoded = one_hot([2, 0, 1, 2], classes=4)
    assert encoded.dtype == np.float64
    assert encoded.tolist() == [[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]
    assert np.array_equal(one_hot(datasets.iris().y).argmax(axis=1), datasets.iris().y)


@pytest.mark.parametrize("labels", [[0, 1], [[0], [1]], [0.0, 1.0], [False, True], np.array([0, 1], np.uint8)])
def test_one_hot_takes_whole_numbers_of_any_dtype(labels):
    assert one_hot(labels).tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: one_hot([]), "labels is empty"),
        (lambda: one_hot([0, 1, 1.5]), "whole numbers.*got 1.5 in row 2"),
        (lambda: one_hot([0, math.nan]), "nan in row 1"),
        (lambda: one_hot([0, -1]), "classes from 0; got -1 in row 1"),
        (lambda: one_hot([-2, -1]), "classes from 0; got -2 in row 0"),
        (lambda: one_hot([0, 3], classes=3), "classes from 0 to 2; got 3 in row 1"),
        (lambda: one_hot([0, 1e300]), r"whole numbers.*got 1e\+300 in row 1"),
        (lambda: one_hot([0, 1], classes=0), "classes needs a whole number of at least 1"),
        (lambda: one_hot([[0, 1]]), r"shape \(n,\) or \(n, 1\); got \(1, 2\)"),
    ],
)
def test_one_hot_refuses_labels_that_are_no_classes(call, message):
    with pytest.raises(DataError, match=message):
        call()
