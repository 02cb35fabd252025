"""NumPy's numerical calculus on arrays: differences of neighbours, slopes, areas, and straight lines between points."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphlearn.errors import OptionError, ShapeError
from graphlearn.graph.blame import blaming
from graphlearn.graph.node import Node, as_node
from graphlearn.ops.gathering import take
from graphlearn.ops.intrinsics import greater, greater_equal, less, not_equal, where
from graphlearn.ops.joining import concatenate
from graphlearn.ops.reductions import sum_
from graphlearn.ops.shape import broadcast_to, cast, expand_dims, moveaxis, ravel, reshape
from graphlearn.ops.slicing import index
from graphlearn.ops.structural import numpy_builder
from graphlearn.types import Dim, format_shape, normalize_axis, whole_axes


def _fixed(node: Node, axis: Any, what: str) -> tuple[int, int]:
    """An axis and its length.

    Raises:
        ShapeError: no such axis, or a free one.
    """
    with blaming(what, node):
        place = normalize_axis(axis, node.ndim, what)
        length = node.shape[place]
        if isinstance(length, str):
            raise ShapeError(
                f"{what} needs an axis of fixed length; got axis {place}, {length!r}. Give it a length with "
                "gl.specialize."
            )
    return place, length


def _between(x: Node, first: int | None, last: int | None, axis: int = 0) -> Node:
    """The entries from ``first`` on up to ``last`` along an axis."""
    return index(x, (*[slice(None)] * axis, slice(first, last)))


# --- differences -----------------------------------------------------------------------------------------------------


def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Node:
    """`numpy.diff`: each entry less the one before it, ``n`` times over; of truths, where they differ.

    Args:
        a: node or array.
        n: how often.
        axis: of fixed length.
        prepend: a number or an array put before ``a``.
        append: likewise after it.

    Raises:
        ShapeError: a scalar, a free axis, or a number of times that is none.
    """
    node = as_node(a)
    place, _ = _fixed(node, axis, "diff")
    with blaming("diff", node):
        (times,) = whole_axes(n, "diff", "the number of times", "Give 1.")
        if times < 0:
            raise ShapeError(f"diff needs a number of times from 0 on; got {n!r}. Give 1.")
    if times == 0:
        return node
    joined = [_border(x, node, place) for x in (prepend, node, append) if x is not None]
    found = joined[0] if len(joined) == 1 else concatenate(joined, place)
    for _ in range(times):
        later, earlier = _between(found, 1, None, place), _between(found, None, -1, place)
        found = not_equal(later, earlier) if found.dtype == "bool" else later - earlier
    return found


def _border(value: Any, node: Node, axis: int) -> Node:
    """A number as one entry along the axis."""
    border = as_node(value)
    return border if border.ndim else broadcast_to(border, (*node.shape[:axis], 1, *node.shape[axis + 1 :]))


def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Node:
    """`numpy.ediff1d`: differences of neighbours among all entries, row by row, between two borders."""
    found = diff(ravel(as_node(ary)))
    parts = [ravel(cast(x, found.dtype)) for x in (to_begin, found, to_end) if x is not None]
    return found if len(parts) == 1 else concatenate(parts, 0)


# --- slopes and areas ------------------------------------------------------------------------------------------------


def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Node | tuple[Node, ...]:
    """`numpy.gradient`: slopes from the neighbours on either side, exact for parabolas within.

    This is a difference quotient of an array; the derivative of a formula is `gl.grad`.

    Args:
        f: node or array.
        varargs: distances: none for 1, one number for all axes, or for each axis a number or a vector of places.
        axis: an axis of fixed length, several, or None for all.
        edge_order: 1: at the ends a straight line; 2: a parabola.

    Returns:
        One array, or a tuple of one for each axis.

    Raises:
        ShapeError: too few entries, another number of distances than axes, or places that do not fit.
        OptionError: another order at the ends.
    """
    node = as_node(f)
    node = node if node.type.is_float else cast(node, "float64")
    if edge_order not in (1, 2):
        raise OptionError(f"gradient needs the edge_order 1 or 2; got {edge_order!r}. Leave it out.")
    axes = range(node.ndim) if axis is None else whole_axes(axis, "gradient")
    with blaming("gradient", node):
        if len(varargs) not in (0, 1, len(axes)) or (len(varargs) == 1 and len(axes) > 1 and as_node(varargs[0]).ndim):
            raise ShapeError(f"gradient needs a distance for each of {len(axes)} axes; got {len(varargs)}. Give one.")
    spacings = varargs if len(varargs) == len(axes) else (varargs or (1.0,)) * len(axes)
    found = tuple([_slopes(node, h, k, edge_order) for h, k in zip(spacings, axes, strict=True)])
    return found[0] if len(found) == 1 else found


def _slopes(f: Node, spacing: Any, axis: int, edge_order: int) -> Node:
    """Slopes along one axis."""
    place, length = _fixed(f, axis, "gradient")
    h = as_node(spacing)
    h = cast(h, f.dtype) if h.type.weak else h
    with blaming("gradient", f, h):
        if length < edge_order + 1:
            raise ShapeError(f"gradient needs {edge_order + 1} entries along axis {place}; got {length}. Give more.")
        if h.ndim > 1 or (h.ndim and h.shape[0] != length):
            raise ShapeError(
                f"gradient needs a number as the distance, or {length} places; got {format_shape(h.shape)}. Give one."
            )
    y = moveaxis(f, place, -1)
    last = y.ndim - 1
    steps = _between(h, 1, None) - _between(h, None, -1) if h.ndim else broadcast_to(h, (length - 1,))
    lines = (_between(y, 1, None, last) - _between(y, None, -1, last)) / steps
    inner = _inner(lines, steps) if h.ndim else (_between(y, 2, None, last) - _between(y, None, -2, last)) / (2 * h)
    ends = [_end(lines, steps, edge_order, at_start) for at_start in (True, False)]
    return cast(moveaxis(concatenate([ends[0], inner, ends[1]], last), -1, place), f.dtype)


def _inner(lines: Node, steps: Node) -> Node:
    """Slopes of parabolas through three points: those of their two chords, weighted by the other's length."""
    last = lines.ndim - 1
    before, after = _between(steps, None, -1), _between(steps, 1, None)
    return (_between(lines, None, -1, last) * after + _between(lines, 1, None, last) * before) / (before + after)


def _end(lines: Node, steps: Node, edge_order: int, at_start: bool) -> Node:
    """The slope at an end: of the chord there, or of the parabola through three points."""
    near, far = (slice(0, 1), slice(1, 2)) if at_start else (slice(-1, None), slice(-2, -1))
    chord = index(lines, (..., near))
    if edge_order == 1:
        return chord
    one, two = index(steps, near), index(steps, far)
    return chord + (chord - index(lines, (..., far))) * (one / (one + two))


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Node:
    """`numpy.trapezoid`: the area under straight lines between points.

    Args:
        y: node or array of heights.
        x: places, of the shape of ``y`` or a vector; None: ``dx`` apart.
        dx: distance of neighbours.
        axis: of fixed length.

    Raises:
        ShapeError: a free axis, or places that do not fit.
    """
    heights = as_node(y)
    place, _ = _fixed(heights, axis, "trapezoid")
    if x is None:
        width = as_node(dx)
    else:
        places = as_node(x)
        if places.ndim == 1:
            width = diff(places)
            width = reshape(width, (*width.shape, *[1] * (heights.ndim - place - 1)))
        else:
            width = diff(places, axis=axis)
    sums = _between(heights, 1, None, place) + _between(heights, None, -1, place)
    return sum_(width * sums / 2.0, place)


def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None) -> Node:
    """`numpy.interp`: heights on the straight lines between points; a derivative is the slope of the line on the right.

    Args:
        x: node or array of places.
        xp: places of the points, a vector that increases, of fixed length.
        fp: their heights.
        left: height left of all points; None: that of the first.
        right: height right of them; None: that of the last.

    Returns:
        float64 of the shape of ``x``.

    Raises:
        ShapeError: points that are no vectors of one fixed length.
    """
    at, places, heights = (cast(as_node(value), "float64") for value in (x, xp, fp))
    count: Dim = places.shape[0] if places.ndim == 1 else 0
    with blaming("interp", at, places, heights):
        if not isinstance(count, int) or not count or heights.shape != places.shape:
            raise ShapeError(
                f"interp needs points as two vectors of one fixed length; got {format_shape(places.shape)} and "
                f"{format_shape(heights.shape)}. Sort them by place."
            )
    low, high = index(heights, 0), index(heights, -1)
    if count == 1:
        found = at * 0 + low  # NaN stays NaN
    else:
        passed = greater_equal(expand_dims(at, -1), index(places, slice(1, -1)))
        start = sum_(cast(passed, "int64"), -1)
        slopes = diff(heights) / diff(places)
        found = take(slopes, start) * (at - take(places, start)) + take(heights, start)
    found = where(less(at, index(places, 0)), low if left is None else left, found)
    return where(greater(at, index(places, -1)), high if right is None else right, found)


for _function, _builder in (
    (np.diff, diff),
    (np.ediff1d, ediff1d),
    (np.gradient, gradient),
    (np.trapezoid, trapezoid),
    (np.interp, interp),
):
    numpy_builder(_function, _builder)
