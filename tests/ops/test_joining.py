"""Concatenate, stack, split, flip and pad: NumPy's values, its shapes, and clear refusals."""

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.errors import GraphLearnError, ShapeError, UnsupportedOp

x, y, v, n = gl.input("x", (2, 3)), gl.input("y", (2, 3)), gl.input("v", 3), gl.input("n", ("batch", 3))
AT = {x: np.arange(6.0).reshape(2, 3), y: -np.arange(6.0).reshape(2, 3), v: np.array([7.0, 8.0, 9.0])}


def value(make):
    """The function on nodes, evaluated, and on the arrays themselves."""
    made = make(x, y, v)
    leaves = gl.symbols(made)
    return gl.evaluate(made, {node: AT[node] for node in leaves.values()}), make(AT[x], AT[y], AT[v])


@pytest.mark.parametrize(
    "make",
    [
        lambda x, y, v: np.concatenate([x, y]),
        lambda x, y, v: np.concatenate([x, y, x[:, :1]], axis=-1),
        lambda x, y, v: np.concatenate((x, np.ones((1, 3)))),
        lambda x, y, v: np.concatenate([x, v], axis=None),
        lambda x, y, v: np.concatenate([x[:0], y]),
        lambda x, y, v: np.stack([x, y]),
        lambda x, y, v: np.stack([x, y], axis=-1),
        lambda x, y, v: np.stack([v[0], v[2]]),
        lambda x, y, v: np.hstack([x, y]),
        lambda x, y, v: np.hstack([v, v[:1]]),
        lambda x, y, v: np.hstack([v[0], v[1]]),
        lambda x, y, v: np.vstack([x, v]),
        lambda x, y, v: np.vstack([v[0], v[1]]),
        lambda x, y, v: np.flip(x),
        lambda x, y, v: np.flip(x, 0),
        lambda x, y, v: np.flip(x, (0, -1)),
        lambda x, y, v: np.pad(x, 1),
        lambda x, y, v: np.pad(x, (0, 2)),
        lambda x, y, v: np.pad(x, ((1, 0), (2, 3))),
        lambda x, y, v: np.pad(x, ((1, 0), (2, 3)), constant_values=2.5),
        lambda x, y, v: np.pad(x, 1, mode="constant", constant_values=np.nan),
        lambda x, y, v: np.pad(x[:0], ((1, 1), (0, 0))),
        lambda x, y, v: np.pad(x, 0),
    ],
)
def test_the_same_values_as_numpy(make):
    got, wanted = value(make)
    assert got.shape == wanted.shape
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize(("sections", "axis"), [(2, 0), (3, 1), (1, 0), ([1], 1), ([1, 2], -1), ([2, 1], 1), ([5], 0)])
def test_split_gives_the_pieces_that_numpy_gives(sections, axis):
    pieces = np.split(x, sections, axis)
    for got, wanted in zip(gl.evaluate(pieces, AT), np.split(AT[x], sections, axis), strict=True):
        assert got.shape == wanted.shape
        np.testing.assert_array_equal(got, wanted)


def test_dtypes_are_promoted_as_by_numpy():
    whole, single = gl.input("k", 2, "int64"), gl.input("s", 2, "float32")
    assert gl.concatenate([whole, single]).dtype == "float64"
    assert gl.concatenate([single, single]).dtype == "float32"
    assert gl.pad(single, 1, constant_values=0.1).dtype == "float32"
    assert gl.pad(whole, 1).dtype == "int64"


def test_free_axes_stay_whole():
    assert gl.concatenate([n, n], 1).shape == ("batch", 6)
    assert gl.stack([n, n]).shape == (2, "batch", 3)
    assert gl.flip(n, 1).shape == ("batch", 3)
    assert gl.pad(n, ((0, 0), (1, 2))).shape == ("batch", 6)
    assert [p.shape for p in gl.split(n, 3, 1)] == [("batch", 1)] * 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: gl.concatenate([x, v]), r"equal shapes apart from axis 0; got \(2, 3\) and \(3,\)"),
        (lambda: gl.concatenate([x, x[:, 1:]]), r"apart from axis 0; got \(2, 3\) and \(2, 2\)"),
        (lambda: gl.concatenate([x, y], 2), "axes from -2 to 1"),
        (lambda: gl.concatenate([1.0, v[0]]), r"rank 1 or more; got a scalar\. Write gl\.stack"),
        (lambda: gl.concatenate([]), "one array or more; got none"),
        (lambda: gl.concatenate([n, n]), r"fixed lengths along axis 0; got \(batch, 3\), where 'batch' is free"),
        (lambda: gl.stack([x, v]), r"equal shapes; got \(2, 3\) and \(3,\)"),
        (lambda: gl.split(v, 2), "divides the length 3; got 2"),
        (lambda: gl.split(v, 0), "divides the length 3; got 0"),
        (lambda: gl.split(n, [1]), "axis of fixed length; got axis 0, 'batch'"),
        (lambda: gl.flip(n), "the whole of a free axis"),
        (lambda: gl.pad(n, 1), "fixed length; got a border of 1 and 1 along axis 0, 'batch'"),
        (lambda: gl.pad(v, -1), "whole numbers from 0 on"),
        (lambda: gl.pad(v, 0.5), "whole numbers from 0 on"),
        (lambda: gl.pad(v, ((1, 1), (1, 1))), "a pair for each of the 1 axes"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ShapeError, match=message):
        make()


def test_other_borders_and_options_are_refused():
    with pytest.raises(UnsupportedOp, match=r"the modes constant, edge, .*; got mode 'linear_ramp'"):
        np.pad(x, 1, mode="linear_ramp")
    with pytest.raises(UnsupportedOp, match=r"got values of shape \(2,\)"):
        np.pad(x, 1, constant_values=(1, 2))
    with pytest.raises(GraphLearnError, match="does not take dtype"):
        np.concatenate([x, y], dtype="float32")


def test_the_border_may_be_a_node_with_a_gradient():
    border = gl.input("border")
    gradient = gl.grad(gl.sum(gl.pad(v, (1, 2), constant_values=border)), border)
    assert gl.evaluate(gradient, {border: 1.0, v: AT[v]}) == 3.0
