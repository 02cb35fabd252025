"""Tile, repeat, roll, borders of the array's own entries, ravel and more axes: NumPy's values and clear refusals."""

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.errors import ShapeError

x, v, n = gl.input("x", (2, 3)), gl.input("v", 5), gl.input("n", ("batch", 3))
X, V = np.arange(6.0).reshape(2, 3), np.arange(5.0)
MODES = ("edge", "reflect", "symmetric", "wrap")
CALLS = [
    *[lambda x, v, r=r: np.tile(x, r) for r in (2, 0, (), (2, 1), (1, 2), (2, 1, 3), (1, 1))],
    lambda x, v: np.tile(v[:0], 3),
    lambda x, v: np.tile(v[0], (2, 2)),
    *[lambda x, v, a=a: np.repeat(x, 2, a) for a in (None, 0, 1, -1)],
    lambda x, v: np.repeat(x, [1, 0, 2], 1),
    lambda x, v: np.repeat(x, [3], 0),
    lambda x, v: np.repeat(v, 0),
    lambda x, v: np.repeat(v[:0], []),
    *[lambda x, v, s=s: np.roll(v, s) for s in (1, -2, 0, 5, 12, -13)],
    lambda x, v: np.roll(x, 1),
    lambda x, v: np.roll(x, (1, 2), (0, 1)),
    lambda x, v: np.roll(x, 1, (0, -1)),
    lambda x, v: np.roll(x, (1, 1), (1, 1)),
    lambda x, v: np.roll(v[:0], 3),
    *[lambda x, v, m=m, w=w: np.pad(v, w, m) for m in MODES for w in (0, 1, (2, 0), (7, 9))],
    *[lambda x, v, m=m: np.pad(x, ((1, 0), (2, 3)), m) for m in MODES],
    lambda x, v: np.ravel(x),
    lambda x, v: np.ravel(v[0]),
    *[
        lambda x, v, f=f, k=k: f((v[0], v, x, x[None])[k])
        for k in range(4)
        for f in (np.atleast_1d, np.atleast_2d, np.atleast_3d)
    ],
]  # fmt: skip


@pytest.mark.parametrize("make", CALLS)
def test_the_same_values_as_numpy(make):
    node, wanted = make(x, v), make(X, V)
    got = gl.evaluate(node, {leaf: {x: X, v: V}[leaf] for leaf in gl.symbols(node).values()})
    assert got.shape == node.shape == wanted.shape
    np.testing.assert_array_equal(got, wanted)


def weighted(make):
    """A sum in which every entry of the result counts by its own number."""
    node = make(x, v)
    return gl.sum(node**2 * np.arange(1.0, 1 + int(np.prod(node.shape))).reshape(node.shape))


def test_derivatives_are_differences():
    assert gl.check_grad(sum(weighted(make) for make in CALLS), [x, v], at={x: X, v: V}).ok


def test_compiled_as_the_reference():
    loss = sum(weighted(make) for make in CALLS[3::8])
    outputs = [loss, *gl.grad(loss, [x, v])]
    for got, wanted in zip(gl.compile(outputs)(x=X, v=V), gl.evaluate(outputs, {x: X, v: V}), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-13)


def test_several_arrays_at_once_get_their_axes():
    first, second = np.atleast_2d(v, x)
    assert (first.shape, second.shape) == ((1, 5), (2, 3))


def test_free_axes_stay_whole():
    assert gl.tile(n, (1, 2)).shape == ("batch", 6)
    assert gl.tile(n, (2, 1, 1)).shape == (2, "batch", 3)
    assert gl.repeat(n, 2, 1).shape == ("batch", 6)
    assert gl.roll(n, 1, 1).shape == ("batch", 3)
    assert gl.pad(n, ((0, 0), (1, 1)), "wrap").shape == ("batch", 5)
    assert gl.roll(n, 0, 0) is n


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: gl.tile(v, -1), "tile needs counts from 0 on; got -1"),
        (lambda: gl.tile(n, (2, 1)), "tile needs an axis of fixed length; got 2 along axis 0, 'batch'"),
        (lambda: gl.repeat(v, [1, 2]), "one count, or one for each of 5 entries; got 2"),
        (lambda: gl.repeat(v, -1), "counts from 0 on"),
        (lambda: gl.repeat(n, 2, 0), "repeat needs an axis of fixed length"),
        (lambda: gl.repeat(n, 2), "repeat cannot infer"),
        (lambda: gl.roll(n, 1, 0), "roll needs an axis of fixed length"),
        (lambda: gl.roll(x, (1, 2, 3), (0, 1)), r"one shift for each axis; got \(1, 2, 3\) for \(0, 1\)"),
        (lambda: gl.roll(x, 0.5), "whole numbers"),
        (lambda: gl.pad(n, 1, "edge"), "fixed length; got a border"),
        (lambda: gl.pad(gl.input("e", 0), 1, "wrap"), "an axis 0 of length 0"),
        (lambda: gl.ravel(n), "cannot infer"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ShapeError, match=message):
        make()


def test_shifts_and_counts_that_are_not_whole_are_named_as_such():
    x = gl.input("x", (3,))
    with pytest.raises(gl.ShapeError, match=r"roll needs whole numbers as shifts; got 1.5"):
        gl.roll(x, 1.5)
    with pytest.raises(gl.ShapeError, match=r"tile needs whole numbers as counts; got 1.5"):
        gl.tile(x, 1.5)
