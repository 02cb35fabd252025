"""Sliding windows and their adjoint: NumPy's own windows, an inner product that agrees, and clear refusals."""

import itertools

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.errors import ShapeError

x, n = gl.input("x", (2, 7, 6, 3)), gl.input("n", ("batch", 5, 2))
X = np.random.default_rng(0).normal(size=(2, 7, 6, 3))
SETTINGS = [
    (3, 1, 1, 1), (2, 2, 3, 1), (2, (0,), 1, 1), ((2, 3), None, 1, 1), ((3, 2), (1, 2), (2, 1), (1, 2)),
    ((2, 2), (1, 2), 2, (3, 2)), ((1, 1), None, (3, 2), 1), ((2, 3, 2), (0, 1, 2), 1, 1), (7, 1, 1, 1),
]  # fmt: skip


def by_hand(array, size, axis, stride, dilation):
    """Each window taken out by itself."""
    sizes = np.atleast_1d(size)
    first = array.ndim - len(sizes) - 1 if axis is None else np.atleast_1d(axis)[0]
    strides, dilations = np.broadcast_to(stride, len(sizes)), np.broadcast_to(dilation, len(sizes))
    lengths = array.shape[first : first + len(sizes)]
    counts = [(n - (k - 1) * d - 1) // s + 1 for n, k, s, d in zip(lengths, sizes, strides, dilations, strict=True)]
    result = np.empty((*array.shape[:first], *counts, *sizes, *array.shape[first + len(sizes) :]))
    for places in itertools.product(*map(range, counts)):
        starts = [p * s for p, s in zip(places, strides, strict=True)]
        cut = [slice(b, b + (k - 1) * d + 1, d) for b, k, d in zip(starts, sizes, dilations, strict=True)]
        result[(slice(None),) * first + places] = array[(slice(None),) * first + tuple(cut)]
    return result


@pytest.mark.parametrize(("size", "axis", "stride", "dilation"), SETTINGS)
def test_windows_are_what_is_cut_out_by_hand(size, axis, stride, dilation):
    node, wanted = gl.windows(x, size, axis, stride, dilation), by_hand(X, size, axis, stride, dilation)
    got = gl.evaluate(node, {x: X})
    assert got.shape == node.shape == wanted.shape
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize(("size", "axis", "stride", "dilation"), SETTINGS[3:7])
def test_overlap_add_is_the_adjoint_and_compiles(size, axis, stride, dilation):
    node = gl.windows(x, size, axis, stride, dilation)
    upstream = gl.input("upstream", node.shape)
    back = gl.overlap_add(upstream, x.shape, axis, stride, dilation)
    assert gl.vjp(node, [x], upstream)[0] is back
    at = {"x": X, "upstream": np.random.default_rng(1).normal(size=node.shape)}
    outputs = [node, back, gl.sum(node, axis=0), gl.max(node * 2, axis=(1, 2))]
    windows, added, *_ = got = gl.compile(outputs)(at)
    assert np.sum(windows * at["upstream"]) == pytest.approx(np.sum(X * added), rel=1e-12)
    for one, other in zip(got, gl.compile(outputs, backend="numpy")(at), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-14)


def test_views_of_windows_of_views_cost_no_copy():
    wide = gl.transpose(gl.windows(gl.transpose(x, (0, 2, 1, 3))[:, ::-1, 1:], 2, 1)[:, ::2], (0, 2, 1, 3, 4))
    function = gl.compile(gl.sum(wide * 3, axis=(1, 3)))
    np.testing.assert_allclose(
        function(x=X), gl.evaluate(gl.sum(wide * 3, axis=(1, 3)), {x: X}), rtol=1e-13, atol=1e-14
    )
    assert len(function.program.steps) == 2, "one loop, and one that writes the output"


def test_numpys_own_function_puts_the_window_axes_last():
    view = np.lib.stride_tricks.sliding_window_view
    for shape, axis in [((3, 2), (1, 2)), ((2, 3), (2, 1)), (2, 1), ((2, 2), (1, 1)), ((1, 2, 3, 3), None)]:
        got = gl.evaluate(view(x, shape, axis), {x: X})
        np.testing.assert_array_equal(got, view(X, shape, axis))


def test_free_axes_stay_whole():
    assert gl.windows(n, 3).shape == ("batch", 3, 3, 2)
    assert gl.overlap_add(gl.windows(n, 3), n.shape).shape == n.shape


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: gl.windows(n, 6), r"hold a window; got the length 5 of axis 1 for a window that spans 6.*n: float64"),
        (lambda: gl.windows(n, 3, dilation=3), "for a window that spans 7"),
        (lambda: gl.windows(n, 2, 0), r"fixed length to slide along; got axis 0 of \(batch, 5, 2\)"),
        (lambda: gl.windows(n, 0), "a whole number from 1 on; got 0"),
        (lambda: gl.windows(n, 2, stride=0), "the stride needs a whole number from 1 on; got 0"),
        (lambda: gl.windows(x, (2, 2), stride=(1, 1, 1)), "one for all or one for each of 2 axes"),
        (lambda: gl.windows(x, (2, 2), (0, 2)), r"neighbouring axes, one for each size; got axes \(0, 2\)"),
        (lambda: gl.windows(x, (2, 2), 1), r"one for each size; got axes \(1,\) for 2 sizes"),
        (lambda: gl.windows(x, 2, 4), "axes from -4 to 3"),
        (lambda: gl.overlap_add(n, (9, 2)), r"windows of an array of the shape \(9, 2\)"),
        (lambda: np.lib.stride_tricks.sliding_window_view(x, (2, 2), 1), "one size for each axis; got 2 for 1"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_cure(make, message):
    with pytest.raises(ShapeError, match=f"(?s){message}"):
        make()
