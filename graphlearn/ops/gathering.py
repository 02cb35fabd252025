"""Entries by number: take, take_along_axis, and their adjoints, which add entries to zeros at numbered places.

An index counts from the end where it is negative. One that is out of range is an error of the reference and wherever
data alone decide it; compiled code, which cannot stop, takes NaN for it (0 for whole numbers) and adds nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphlearn.errors import OptionError, ShapeError
from graphlearn.graph.blame import blaming
from graphlearn.graph.node import Node, as_node
from graphlearn.graph.op import CALL, Notation
from graphlearn.ops.elementary import mod
from graphlearn.ops.intrinsics import maximum, minimum
from graphlearn.ops.places import as_indices, check_constant, check_places, require_whole
from graphlearn.ops.reach import MOVES
from graphlearn.ops.shape import broadcast_to, cast, reshape, shape_text
from graphlearn.ops.structural import build, numpy_builder, structural
from graphlearn.types import (
    ArrayType,
    Dim,
    Shape,
    broadcast_shapes,
    check_shape,
    format_shape,
    normalize_axis,
)

# --- take and its adjoint --------------------------------------------------------------------------------------------


def _taken(shape: Shape, indices: Shape, axis: int) -> Shape:
    return (*shape[:axis], *indices, *shape[axis + 1 :])


def _infer_take(types: tuple[ArrayType, ...], axis: int) -> ArrayType:
    x, indices = types
    require_whole(indices, "take")
    return x.with_shape(_taken(x.shape, indices.shape, axis))


def _take(x: Any, indices: Any, axis: int) -> Any:
    return np.take(x, check_places(indices, np.shape(x)[axis], "take"), axis)


def _infer_scatter(types: tuple[ArrayType, ...], axis: int, shape: tuple[Dim, ...]) -> ArrayType:
    updates, indices = types
    require_whole(indices, "scatter_add")
    if axis >= len(shape) or updates.shape != _taken(shape, indices.shape, axis):
        wanted = format_shape(_taken(shape, indices.shape, axis)) if axis < len(shape) else f"rank {axis + 1} or more"
        raise ShapeError(
            f"scatter_add needs updates of the shape {wanted}, that of what they are added to with axis {axis} "
            f"indexed; got {format_shape(updates.shape)}. Broadcast or transpose them."
        )
    return ArrayType(shape, _total(updates))


def _total(updates: ArrayType) -> str:
    return updates.dtype if updates.is_float else "int64"  # as sums


def _broadcasts(shape: Shape, wanted: Shape) -> bool:
    tail = wanted[len(wanted) - len(shape) :]
    return len(shape) <= len(wanted) and all(d in (1, w) for d, w in zip(shape, tail, strict=True))


def _zeros(shape: tuple[int, ...], updates: Any) -> Any:
    given = np.asarray(updates).dtype
    return np.zeros(shape, given if given.kind in "fc" else np.int64)


def _scatter(updates: Any, indices: Any, axis: int, shape: tuple[int, ...]) -> Any:
    result = _zeros(shape, updates)
    np.add.at(result, (slice(None),) * axis + (check_places(indices, shape[axis], "scatter_add"),), updates)
    return result


def _index_text(node: Node, rank: int) -> str:
    """``[{1}, :]``: the second operand at its axis."""
    return f"[{', '.join('{1}' if k == node.attr('axis') else ':' for k in range(rank))}]"


def _index_latex(node: Node, rank: int) -> str:
    return rf"\left{_index_text(node, rank)[:-1]}\right]"


TAKE = structural(
    "take",
    infer=_infer_take,
    reference=_take,
    adjoint=lambda node, g: (_added(g, node.inputs[1], node.attr("axis"), node.inputs[0].shape), None),
    reach=MOVES,
    notation=Notation(
        lambda n: f"{{0}}{_index_latex(n, n.inputs[0].ndim)}",
        lambda n: f"{{0}}{_index_text(n, n.inputs[0].ndim)}",
        CALL,
        (CALL,),
    ),
    doc="Entries along an axis, by their numbers.",
)
SCATTER_ADD = structural(
    "scatter_add",
    infer=_infer_scatter,
    reference=_scatter,
    adjoint=lambda node, g: (take(g, node.inputs[1], node.attr("axis")), None),
    reach=MOVES,
    notation=Notation(
        lambda n: rf"\operatorname{{{{scatter}}}}_{{{{{shape_text(n)}}}}}\left({{0}}, {_index_latex(n, n.ndim)}\right)",
        lambda n: f"scatter({{0}}, {_index_text(n, n.ndim)}, {shape_text(n)})",
    ),
    doc="Zeros to which entries are added at numbered places along an axis: the adjoint of take.",
)


def _added(updates: Node, indices: Node, axis: int, shape: Shape) -> Node:
    return build(SCATTER_ADD, [updates, indices], axis=axis, shape=shape)


# --- take_along_axis and its adjoint ---------------------------------------------------------------------------------


def _infer_along(types: tuple[ArrayType, ...], axis: int) -> ArrayType:
    x, indices = types
    require_whole(indices, "take_along_axis")
    if _without(x.shape, axis) != _without(indices.shape, axis):
        raise ShapeError(
            f"take_along_axis needs indices of the array's shape apart from axis {axis}; got "
            f"{format_shape(x.shape)} and {format_shape(indices.shape)}. Write gl.take(x, indices, axis) for the same "
            "numbers everywhere."
        )
    return x.with_shape(indices.shape)


def _without(shape: Shape, axis: int) -> tuple[int, Shape]:
    return len(shape), shape[:axis] + shape[axis + 1 :]


def _take_along(x: Any, indices: Any, axis: int) -> Any:
    places = check_places(indices, np.shape(x)[axis], "take_along_axis")
    return np.take_along_axis(np.asarray(x), places.astype(np.int64), axis)


def _infer_scatter_along(types: tuple[ArrayType, ...], axis: int, shape: tuple[Dim, ...]) -> ArrayType:
    updates, indices = types
    require_whole(indices, "scatter_along_axis")
    if updates.shape != indices.shape or axis >= len(shape) or _without(shape, axis) != _without(indices.shape, axis):
        raise ShapeError(
            f"scatter_along_axis needs updates and indices of the result's shape apart from axis {axis}; got "
            f"{format_shape(updates.shape)} and {format_shape(indices.shape)} for {format_shape(shape)}. Broadcast "
            "them."
        )
    return ArrayType(shape, _total(updates))


def _scatter_along(updates: Any, indices: Any, axis: int, shape: tuple[int, ...]) -> Any:
    result = _zeros(shape, updates)
    grid = list(np.indices(np.shape(indices), sparse=True))
    grid[axis] = check_places(indices, shape[axis], "scatter_along_axis")
    np.add.at(result, tuple(grid), updates)
    return result


TAKE_ALONG_AXIS = structural(
    "take_along_axis",
    infer=_infer_along,
    reference=_take_along,
    adjoint=lambda node, g: (_added_along(g, node.inputs[1], node.attr("axis"), node.inputs[0].shape), None),
    reach=MOVES,
    notation=Notation(
        lambda n: rf"\operatorname{{{{take}}}}_{{{{\text{{{{axis={n.attr('axis')}}}}}}}}}\left({{0}}, {{1}}\right)",
        lambda n: f"take_along_axis({{0}}, {{1}}, axis={n.attr('axis')})",
    ),
    doc="Entries along an axis, by a number for each line and place.",
)
SCATTER_ALONG_AXIS = structural(
    "scatter_along_axis",
    infer=_infer_scatter_along,
    reference=_scatter_along,
    adjoint=lambda node, g: (build(TAKE_ALONG_AXIS, [g, node.inputs[1]], axis=node.attr("axis")), None),
    reach=MOVES,
    notation=Notation(
        lambda n: (
            rf"\operatorname{{{{scatter}}}}_{{{{{shape_text(n)}, \text{{{{axis={n.attr('axis')}}}}}}}}}"
            r"\left({0}, {1}\right)"
        ),
        lambda n: f"scatter_along_axis({{0}}, {{1}}, axis={n.attr('axis')}, {shape_text(n)})",
    ),
    doc="Zeros to which entries are added at a numbered place of each line: the adjoint of take_along_axis.",
)


def _added_along(updates: Node, indices: Node, axis: int, shape: Shape) -> Node:
    return build(SCATTER_ALONG_AXIS, [updates, indices], axis=axis, shape=shape)


# --- public functions ------------------------------------------------------------------------------------------------


def take(x: Any, indices: Any, axis: int | None = None, mode: str = "raise") -> Node:
    """Entries along an axis by their numbers, as `numpy.take`; ``x[indices]`` for the first axis.

    Args:
        x: node or array.
        indices: whole numbers of any shape, a node, an array or a list; negative ones count from the end.
        axis: which axis they number, of any length, free ones included; None: the flattened array.
        mode: what becomes of an index out of range: ``"raise"``; ``"clip"`` takes the nearest; ``"wrap"`` goes round.

    Returns:
        The shape of ``x`` with that of the indices in the axis' place.

    Raises:
        DTypeError: indices that are no whole numbers.
        DataError: an index out of range, where it is known: constants now, data when they are given. Compiled code
            takes NaN (0 for whole numbers) for an index that it computes out of range.
        ShapeError: no such axis; or ``"clip"`` or ``"wrap"`` along a free one.
        OptionError: another mode.

    Example:
        >>> import graphlearn as gl
        >>> gl.evaluate(gl.take([10.0, 20.0, 30.0], [2, 0, -1]))
        array([30., 10., 30.])
    """
    x, indices = as_node(x), as_indices(indices)
    if axis is None:
        x, axis = reshape(x, -1), 0
    with blaming("take", x, indices):
        place = normalize_axis(axis, x.ndim, "take")
        require_whole(indices.type, "take")
        _check_mode(mode)
        length = x.shape[place]
        if mode != "raise":
            indices = _within(indices, length, mode)
        check_constant(indices, length, "take")
    return build(TAKE, [x, indices], axis=place)


def _check_mode(mode: str) -> None:
    if mode not in ("raise", "clip", "wrap"):
        raise OptionError(f"take needs the mode 'raise', 'clip' or 'wrap'; got {mode!r}. Leave it out to be told.")


def _within(indices: Node, length: Dim, mode: str) -> Node:
    """Indices brought into an axis."""
    if not isinstance(length, int) or not length:
        raise ShapeError(
            f"take with mode {mode!r} needs an axis of fixed length with entries; got {length!r}. Bring the indices "
            "into range yourself."
        )
    wide = cast(indices, "int64")
    return mod(wide, length) if mode == "wrap" else minimum(maximum(wide, 0), length - 1)


def take_along_axis(x: Any, indices: Any, axis: int | None = -1) -> Node:
    """For each line along an axis the entries of its own numbers, as `numpy.take_along_axis`.

    Args:
        x: node or array.
        indices: whole numbers of the same rank; other axes broadcast with those of ``x``.
        axis: which axis they number; None: the flattened array, with indices of rank 1.

    Returns:
        The broadcast shape, with the indices' length along the axis.

    Raises:
        DTypeError: indices that are no whole numbers.
        ShapeError: another rank, or shapes that do not broadcast.
        DataError: an index out of range, as for `take`.

    Example:
        >>> import graphlearn as gl
        >>> gl.evaluate(gl.take_along_axis([[1.0, 2.0], [3.0, 4.0]], [[1], [0]], axis=1))
        array([[2.],
               [3.]])
    """
    x, indices = as_node(x), as_indices(indices)
    if axis is None:
        x, axis = reshape(x, -1), 0
    with blaming("take_along_axis", x, indices):
        place = normalize_axis(axis, x.ndim, "take_along_axis")
        require_whole(indices.type, "take_along_axis")
        if indices.ndim != x.ndim:
            raise ShapeError(
                f"take_along_axis needs indices of the array's rank; got {format_shape(indices.shape)} for "
                f"{format_shape(x.shape)}. Add axes with gl.expand_dims."
            )
        one = [(*n.shape[:place], 1, *n.shape[place + 1 :]) for n in (x, indices)]
        common = broadcast_shapes(one)
        check_constant(indices, x.shape[place], "take_along_axis")
    wide = [broadcast_to(n, (*common[:place], n.shape[place], *common[place + 1 :])) for n in (x, indices)]
    return build(TAKE_ALONG_AXIS, wide, axis=place)


def scatter_add(x: Any, indices: Any, updates: Any, axis: int = 0) -> Node:
    """An array with updates added at numbered places along an axis; places that repeat add up.

    Args:
        x: node or array to add to; or a shape, a tuple of ints and axis names, for zeros.
        indices: whole numbers of any shape; negative ones count from the end.
        updates: node or array that broadcasts to the shape of ``take(x, indices, axis)``.
        axis: which axis the indices number.

    Returns:
        The shape of ``x``.

    Raises:
        DTypeError: indices that are no whole numbers.
        ShapeError: updates that do not fit.
        DataError: an index out of range, as for `take`; compiled code adds nothing for one that it computes.

    Example:
        >>> import graphlearn as gl
        >>> gl.evaluate(gl.scatter_add((4,), [1, 3, 1], [1.0, 2.0, 5.0]))
        array([0., 6., 0., 2.])
    """
    indices, updates = as_indices(indices), as_node(updates)
    base = None if isinstance(x, tuple) else as_node(x)
    with blaming("scatter_add", *[n for n in (base, indices, updates) if n is not None]):
        shape = check_shape(x, "scatter_add") if base is None else base.shape
        place = normalize_axis(axis, len(shape), "scatter_add")
        require_whole(indices.type, "scatter_add")
        wanted = _taken(shape, indices.shape, place)
        if not _broadcasts(updates.shape, wanted):
            raise ShapeError(
                f"scatter_add needs updates that broadcast to {format_shape(wanted)}; got "
                f"{format_shape(updates.shape)}. Reduce or reshape them."
            )
        check_constant(indices, shape[place], "scatter_add")
    total = _added(broadcast_to(updates, wanted), indices, place, shape)
    return total if base is None else base + total


def gather_indices(x: Node, indices: Any, axis: int) -> Node:
    """`take` by numbers that are known and in range."""
    return build(TAKE, [x, as_indices(np.asarray(indices, np.int64))], axis=axis)


numpy_builder(np.take, lambda a, indices, axis=None, mode="raise": take(a, indices, axis, mode))
numpy_builder(np.take_along_axis, lambda arr, indices, axis=-1: take_along_axis(arr, indices, axis))
