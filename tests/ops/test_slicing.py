"""Indexing: NumPy's meaning for every basic index, one node for one slice, and clear refusals."""

import itertools

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.errors import ShapeError, UnsupportedOp
from graphlearn.ops.slicing import index, inlay
from graphlearn.render.names import name_math
from graphlearn.render.notation import Writer

x, v, n = gl.input("x", (3, 4)), gl.input("v", 5), gl.input("n", ("batch", 3))
VALUES = np.arange(12.0).reshape(3, 4)
ENDS = (None, -7, -2, 0, 1, 3, 9)


@pytest.mark.parametrize(
    "key",
    [
        0, -1, np.int64(2), (), ..., (..., 1), (1, ...), (1, -2), (0, ..., 0), None, (None, 1), (1, None), (..., None),
        (None, ..., None), (slice(None), 1), (slice(None, None, -1), slice(1, 3)), (slice(2, 0, -1), None, -1),
        (slice(None), None, slice(None, None, 2)), (slice(3, 3), 0), (slice(5, 9), slice(1, 2)),
    ],
)  # fmt: skip
def test_an_index_means_what_it_means_in_numpy(key):
    got = gl.evaluate(x[key], {x: VALUES})
    assert got.shape == x[key].shape == VALUES[key].shape
    np.testing.assert_array_equal(got, VALUES[key])


@pytest.mark.parametrize("length", [0, 1, 5])
def test_every_slice_of_a_vector(length):
    w, array = gl.input("w", length), np.arange(float(length))
    keys = [slice(a, b, c) for a, b, c in itertools.product(ENDS, ENDS, (None, 1, 2, -1, -3))]
    for key, got in zip(keys, gl.evaluate([w[k] for k in keys], {w: array}), strict=True):
        np.testing.assert_array_equal(got, array[key], err_msg=str(key))


def test_the_same_part_is_the_same_node():
    assert x[0] is x[-3] is x[0, :] is x[0, ...] is index(x, 0)
    assert x[...] is x[:] is x[:, 0:4] is x[()] is x
    assert v[1:] is v[1:5] is v[1:99] is v[-4:]
    assert x[2:0] is x[1:1]
    assert n[:] is n[..., :] is n[0:] is n
    assert n[:, 0].shape == ("batch",)
    assert n[:, None].shape == ("batch", 1, 3)
    assert np.expand_dims(x, 1) is x[:, np.newaxis]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: v[5], r"a place within axis 0 of length 5; got 5\. Give -5 to 4\.\n  .*v: float64\[5\]"),
        (lambda: x[0, -5], "within axis 1 of length 4; got -5"),
        (lambda: gl.input("e", 0)[0], "of length 0; got 0. It has no entries"),
        (lambda: x[0, 0, 0], r"at most one index for each axis of \(3, 4\); got 3\. Drop 1"),
        (lambda: x[..., ...], "at most one '...'"),
        (lambda: v[::0], "a step that is not 0"),
        (lambda: v[:2.5], r"whole numbers in a slice.*got slice\(None, 2\.5, None\)"),
        (lambda: n[0], "the whole of a free axis; got place 0 of axis 0, 'batch'"),
        (lambda: n[1:], "the whole of a free axis; got a part of axis 0, 'batch'.*fixed length"),
        (lambda: n[::-1], "the whole of a free axis"),
    ],
)
def test_an_index_that_does_not_fit_names_axis_and_length(make, message):
    with pytest.raises(ShapeError, match=f"(?s){message}"):
        make()


@pytest.mark.parametrize("key", [True, np.True_, np.array(True), v > 0, v, 1.0, "a", (0, [1.5])])
def test_an_index_that_chooses_by_values_says_what_to_write(key):
    with pytest.raises(UnsupportedOp, match=r"gl\.where\(condition, x, 0\).*gl\.cast\(numbers, 'int64'\)"):
        x[key]


def test_what_a_slice_is_written_as():
    def text(node):
        return Writer({x: name_math("x"), v: name_math("v")}).write(node).text

    assert text(x[0]) == "x[0, :]"
    assert text(x[1, 1:3]) == "x[1, 1:3]"
    assert text(x[::-1, ::2]) == "x[::-1, ::2]"
    assert text(v[3:0:-2]) == "v[3::-2]"
    assert text(v[2:2]) == "v[0:0]"
    assert text((v + 1)[1:]) == "(v + 1)[1:]"
    assert text(v[1:][0]) == "v[1:][0]"
    assert Writer({v: name_math("v")}).write(v[1:3]).latex == r"v\left[1:3\right]"


def test_the_derivative_of_a_part_is_laid_into_zeros():
    gradient = gl.grad(gl.sum(v[1:4] ** 2), v)
    np.testing.assert_array_equal(gl.evaluate(gradient, {v: np.arange(5.0)}), [0, 2, 4, 6, 0])
    second = gl.grad(gl.sum(gradient**2), v)
    np.testing.assert_array_equal(gl.evaluate(second, {v: np.arange(5.0)}), [0, 8, 16, 24, 0])
    assert inlay(v, (None,), (5,)) is v


def test_a_place_of_another_shape_is_refused():
    with pytest.raises(ShapeError, match=r"the shape of its place, \(2,\); got \(5,\)"):
        inlay(v, ((1, 2, 1),), (9,))
    with pytest.raises(ShapeError, match="a pick for each axis; got 1 for"):
        inlay(v, ((1, 5, 1),), (9, 2))
    with pytest.raises(ShapeError, match="places within axis 0 of length 6"):
        inlay(v, ((2, 5, 1),), (6,))
