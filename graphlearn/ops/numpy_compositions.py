"""NumPy functions of shapes that are short compositions of operations, under their NumPy names."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphlearn.errors import DTypeError, OptionError, ShapeError, UnsupportedOp
from graphlearn.graph.blame import blaming
from graphlearn.graph.node import Node, as_node
from graphlearn.ops.gathering import take
from graphlearn.ops.joining import concatenate, flip, split
from graphlearn.ops.places import WHOLE, check_places
from graphlearn.ops.shape import broadcast_to, cast, expand_dims, moveaxis, ravel, reshape, transpose
from graphlearn.ops.slicing import index
from graphlearn.ops.structural import numpy_builder
from graphlearn.ops.triangles import diag
from graphlearn.types import broadcast_shapes, format_shape, normalize_axes, normalize_axis

# --- constants of a shape --------------------------------------------------------------------------------------------


def full_like(a: Any, fill_value: Any, dtype: Any = None) -> Node:
    """A number, or what broadcasts, in every place of an array of the same shape, free axes too.

    Raises:
        ShapeError: what fills does not broadcast to the shape.
        DTypeError: a whole number that the dtype does not hold.
    """
    node, fill = as_node(a), as_node(fill_value)
    kind = node.dtype if dtype is None else np.dtype(dtype).name
    if type(fill_value) is int and kind in WHOLE and not np.iinfo(kind).min <= fill_value <= np.iinfo(kind).max:
        with blaming("np.full_like", node):
            raise DTypeError(
                f"np.full_like needs a number from {np.iinfo(kind).min} to {np.iinfo(kind).max}, which {kind} holds; "
                f"got {fill_value}. Pass dtype='int64'."
            )
    return broadcast_to(cast(fill, kind if dtype is None else dtype), node.shape)


# --- shapes ----------------------------------------------------------------------------------------------------------


def atleast(rank: int, x: Any) -> Node:
    """The array with axes of length 1 as `numpy.atleast_1d` and its kin put them."""
    node = as_node(x)
    if rank == 3 and node.ndim == 2:
        return expand_dims(node, 2)
    if rank == 3 and node.ndim == 1:
        return expand_dims(node, (0, 2))
    return expand_dims(node, tuple(range(rank - node.ndim))) if node.ndim < rank else node


def each_atleast(rank: int, *arrays: Any) -> Node | tuple[Node, ...]:
    """`atleast` of one array, or of several."""
    found = tuple([atleast(rank, x) for x in arrays])
    return found[0] if len(found) == 1 else found


def dstack(arrays: Sequence[Any]) -> Node:
    """Arrays behind each other: along the third axis."""
    return concatenate([atleast(3, x) for x in arrays], 2)


def column_stack(arrays: Sequence[Any]) -> Node:
    """Vectors as columns, and matrices beside them."""
    nodes = [as_node(x) for x in arrays]
    return concatenate([x if x.ndim > 1 else reshape(x, (*(x.shape or (1,)), 1)) for x in nodes], 1)


def append(arr: Any, values: Any, axis: int | None = None) -> Node:
    """An array and another after it."""
    return concatenate([arr, values], axis)


def array_split(x: Any, sections: Any, axis: int = 0) -> list[Node]:
    """Pieces of nearly equal lengths, the longer ones first.

    Raises:
        ShapeError: the axis is free, or there are fewer than one piece.
    """
    node = as_node(x)
    with blaming("array_split", node):
        place = normalize_axis(axis, node.ndim, "array_split")
        length = node.shape[place]
        if isinstance(sections, int) and isinstance(length, int) and sections > 0:
            sizes = [length // sections + (k < length % sections) for k in range(sections)]
            return split(node, list(itertools.accumulate(sizes[:-1])), place)
    return split(node, sections, place)


def hsplit(x: Any, sections: Any) -> list[Node]:
    """Pieces side by side: of the second axis, of the only one of a vector."""
    node = as_node(x)
    return split(node, sections, 0 if node.ndim == 1 else 1)


def rot90(m: Any, k: int = 1, axes: Sequence[int] = (0, 1)) -> Node:
    """The array turned by ``k`` right angles, from the first of two axes towards the second.

    Raises:
        ShapeError: the axes are not two different ones.
    """
    node = as_node(m)
    with blaming("rot90", node):
        places = normalize_axes(tuple(axes), node.ndim, "rot90")
        if len(places) != 2:
            raise ShapeError(f"rot90 needs two different axes; got {tuple(axes)}. Give (0, 1), for instance.")
    first, second = (int(a) % node.ndim for a in axes)
    swapped = [{first: second, second: first}.get(a, a) for a in range(node.ndim)]
    turned = (
        lambda: node,
        lambda: transpose(flip(node, second), swapped),
        lambda: flip(node, (first, second)),
        lambda: flip(transpose(node, swapped), second),
    )
    return turned[k % 4]()


def broadcast_arrays(*arrays: Any) -> tuple[Node, ...]:
    """Arrays repeated to one shape."""
    nodes = [as_node(x) for x in arrays]
    with blaming("broadcast_arrays", *nodes):
        shape = broadcast_shapes([x.shape for x in nodes])
    return tuple(broadcast_to(x, shape) for x in nodes)


def unstack(x: Any, axis: int = 0) -> tuple[Node, ...]:
    """The parts of an array along an axis of fixed length, without the axis.

    Raises:
        ShapeError: a free axis.
    """
    node = as_node(x)
    with blaming("unstack", node):
        place = normalize_axis(axis, node.ndim, "unstack")
        length = node.shape[place]
        if isinstance(length, str):
            raise ShapeError(
                f"unstack needs an axis of fixed length; got axis {place}, {length!r}. Give it a length with "
                "gl.specialize."
            )
    return tuple(index(node, (*[slice(None)] * place, k)) for k in range(length))


def meshgrid(*xi: Any, sparse: bool = False, indexing: str = "xy") -> tuple[Node, ...]:
    """Coordinates of all points of a grid: each vector along an axis of its own.

    Args:
        xi: vectors or scalars.
        sparse: with axes of length 1 in the other directions, not repeated.
        indexing: ``"xy"``: the first vector along the second axis; ``"ij"``: in their order.

    Raises:
        ShapeError: an array of two axes or more.
        OptionError: another indexing.
    """
    nodes = [as_node(x) for x in xi]
    if indexing not in ("xy", "ij"):
        raise OptionError(f"meshgrid needs indexing='xy' or 'ij'; got {indexing!r}. Write one of these.")
    with blaming("meshgrid", *nodes):
        if any(x.ndim > 1 for x in nodes):
            got = ", ".join(format_shape(x.shape) for x in nodes)
            raise ShapeError(f"meshgrid needs vectors; got {got}. Flatten them with gl.ravel.")
    places = list(range(len(nodes)))
    if indexing == "xy":
        places[:2] = places[:2][::-1]
    laid = tuple(
        reshape(x, tuple((x.shape or (1,))[0] if k == place else 1 for k in range(len(nodes))))
        for x, place in zip(nodes, places, strict=True)
    )
    return laid if sparse or not laid else broadcast_arrays(*laid)


def rollaxis(a: Any, axis: int, start: int = 0) -> Node:
    """The array with an axis moved back to stand before another.

    Raises:
        ShapeError: no such axis.
    """
    node = as_node(a)
    with blaming("rollaxis", node):
        moved = normalize_axis(axis, node.ndim, "rollaxis")
        (before,) = normalize_axes(start, node.ndim + 1, "rollaxis") if start >= 0 else (start % max(node.ndim, 1),)
    return moveaxis(node, moved, before - (moved < before))


def block(arrays: Any) -> Node:
    """An array put together from nested lists of blocks: the innermost lists along the last axis.

    Raises:
        ShapeError: lists of unequal depths, an empty one, or blocks that do not fit.
    """
    depth = _depth(arrays)
    rank = max(depth, *(x.ndim for x in _blocks(arrays)))
    return _joined(arrays, rank, rank - depth)


def _depth(arrays: Any) -> int:
    if not isinstance(arrays, list):
        return 0
    depths = {_depth(part) for part in arrays}
    if len(depths) != 1:
        raise ShapeError(
            f"block needs lists of one depth, and none that is empty; got {sorted(depths)}. Nest all blocks alike."
        )
    return depths.pop() + 1


def _blocks(arrays: Any) -> list[Node]:
    return [x for part in arrays for x in _blocks(part)] if isinstance(arrays, list) else [as_node(arrays)]


def _joined(arrays: Any, rank: int, axis: int) -> Node:
    if not isinstance(arrays, list):
        node = as_node(arrays)
        return reshape(node, (*[1] * (rank - node.ndim), *node.shape))
    return concatenate([_joined(part, rank, axis + 1) for part in arrays], axis)


# --- entries by known conditions and numbers -------------------------------------------------------------------------


def compress(condition: Any, a: Any, axis: int | None = None) -> Node:
    """The entries along an axis where a known condition holds; beyond the end of the condition none.

    Args:
        condition: truths that are no node, since the result's shape follows from them.
        a: node or array.
        axis: of fixed length; None: the flattened array.

    Raises:
        ShapeError: a condition that is no vector, or holds outside of the axis.
        UnsupportedOp: a condition that is a node.
    """
    node = as_node(a)
    with blaming("compress", node):
        if isinstance(condition, Node):
            raise UnsupportedOp(
                f"compress needs a condition that is known; got {condition!r}, on whose values the shape of the result "
                "would depend. Write gl.where(condition, x, 0) to keep entries."
            )
        chosen = np.asarray(condition, bool)
        if chosen.ndim != 1:
            raise ShapeError(f"compress needs a vector of truths; got {format_shape(chosen.shape)}. Flatten it.")
        (place,) = (0,) if axis is None else normalize_axes(axis, node.ndim, "compress")
    return take(node, np.flatnonzero(chosen), None if axis is None else place)


def delete(arr: Any, obj: Any, axis: int | None = None) -> Node:
    """The array without the entries of some places along an axis.

    Args:
        arr: node or array.
        obj: a place, several, a slice, or truths.
        axis: of fixed length; None: the flattened array.

    Raises:
        ShapeError: a free axis.
        DataError: a place outside of the axis.
    """
    node = ravel(arr) if axis is None else as_node(arr)
    with blaming("delete", node):
        place = normalize_axis(0 if axis is None else axis, node.ndim, "delete")
        length = node.shape[place]
        if isinstance(length, str) or isinstance(obj, Node):
            raise ShapeError(
                f"delete needs known places on an axis of fixed length; got {format_shape(node.shape)}. "
                "Give the axis a length with gl.specialize."
            )
        if not isinstance(obj, slice) and np.asarray(obj).dtype != bool:
            check_places(obj, length, "delete")
    rest = np.delete(np.arange(length), obj)
    return take(node, rest, place)


for _function, _builder in (
    (np.copy, lambda a: as_node(a)),
    (np.unstack, unstack),
    (np.meshgrid, meshgrid),
    (np.rollaxis, rollaxis),
    (np.block, block),
    (np.diagflat, lambda v, k=0: diag(ravel(v), k)),
    (np.compress, compress),
    (np.extract, lambda condition, arr: compress(np.ravel(condition), arr)),
    (np.delete, delete),
    (np.full_like, full_like),
    (np.zeros_like, lambda a, dtype=None: full_like(a, 0, dtype)),
    (np.ones_like, lambda a, dtype=None: full_like(a, 1, dtype)),
    (np.atleast_1d, lambda *arys: each_atleast(1, *arys)),
    (np.atleast_2d, lambda *arys: each_atleast(2, *arys)),
    (np.atleast_3d, lambda *arys: each_atleast(3, *arys)),
    (np.dstack, lambda tup: dstack(tup)),
    (np.column_stack, lambda tup: column_stack(tup)),
    (np.append, lambda arr, values, axis=None: append(arr, values, axis)),
    (np.array_split, lambda ary, indices_or_sections, axis=0: array_split(ary, indices_or_sections, axis)),
    (np.hsplit, lambda ary, indices_or_sections: hsplit(ary, indices_or_sections)),
    (np.vsplit, lambda ary, indices_or_sections: split(ary, indices_or_sections, 0)),
    (np.dsplit, lambda ary, indices_or_sections: split(ary, indices_or_sections, 2)),
    (np.fliplr, lambda m: flip(m, 1)),
    (np.flipud, lambda m: flip(m, 0)),
    (np.rot90, lambda m, k=1, axes=(0, 1): rot90(m, k, axes)),
    (np.broadcast_arrays, broadcast_arrays),
):
    numpy_builder(_function, _builder)
