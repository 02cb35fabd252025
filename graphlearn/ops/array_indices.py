"""Indices that are arrays: numbers of entries, known truths, and several arrays in step, as in NumPy's indexing.

Truths become the numbers of the places where they hold. Several arrays number the entries of axes laid together, row by
row; so an index is a `take` in the end, and its derivative adds entries up where a place is taken twice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphlearn.errors import ShapeError
from graphlearn.graph.leaves import constant, constant_array
from graphlearn.graph.node import Node
from graphlearn.ops.gathering import take
from graphlearn.ops.intrinsics import greater, logical_and, where
from graphlearn.ops.places import WHOLE, as_indices, check_places
from graphlearn.ops.shape import moveaxis, reshape, transpose
from graphlearn.types import Dim, Shape, broadcast_shapes, format_shape


def is_array(key: Any) -> bool:
    """Whether a key is an array of whole numbers, a list of them or a node."""
    if isinstance(key, Node):
        return key.dtype in WHOLE
    if not isinstance(key, (np.ndarray, list)):
        return False
    array = np.asarray(key)
    return (array.dtype.kind in "iu" and array.ndim > 0) or (array.size == 0 and isinstance(key, list))


def is_mask(key: Any) -> bool:
    """Whether a key is an array of truths, or a list of them; no node, whose values no shape may depend on."""
    if not isinstance(key, (np.ndarray, list)):
        return False
    array = np.asarray(key)
    return array.dtype == bool and array.ndim > 0


def width(key: Any) -> int:
    """How many axes a key takes."""
    return np.ndim(key) if is_mask(key) else int(key is not None and key is not Ellipsis)


def numbered(mask: Any, shape: Shape, axis: int) -> tuple[np.ndarray, ...]:
    """The numbers of the places where truths hold, an array for each of their axes.

    Args:
        mask: truths.
        shape: of the array that is indexed.
        axis: the first axis that they are about.

    Raises:
        ShapeError: they have not the lengths of these axes.
    """
    truths = np.asarray(mask)
    lengths = shape[axis : axis + truths.ndim]
    if truths.shape != lengths:
        cure = (
            "Give the free axis a fixed length with gl.specialize, or write gl.where(condition, x, 0)."
            if any(isinstance(d, str) for d in lengths)
            else "Compare an array of these lengths."
        )
        raise ShapeError(
            f"indexing needs truths of the lengths of the axes that they choose from, {format_shape(lengths)}; got "
            f"{format_shape(truths.shape)}. {cure}"
        )
    return np.nonzero(truths)


def by_numbers(part: Node, axes: Sequence[int], arrays: Sequence[Any], together: bool) -> Node:
    """Arrays among the keys applied to what the other keys left.

    As in NumPy, integers are indices in step with the arrays: where a slice or a new axis stands between them, the axes
    of the result that are numbered come first.

    Args:
        part: node.
        axes: which of its axes the arrays number, in order.
        arrays: whole numbers, which broadcast.
        together: whether nothing stands between the keys that are numbers.

    Raises:
        ShapeError: arrays that do not broadcast, or several of which one numbers a free axis.
        DataError: a number outside of its axis.
    """
    if len(arrays) == 1:
        return _by_one(part, axes[0], arrays[0], together)
    count = len(arrays)
    place = axes[0] if together else 0
    moved = moveaxis(part, list(axes), list(range(place, place + count)))
    lengths = _fixed(moved.shape[place : place + count], part.shape)
    merged = (*moved.shape[:place], math.prod(lengths), *moved.shape[place + count :])
    return take(reshape(moved, merged), _in_one(arrays, lengths), place)


def _by_one(part: Node, axis: int, numbers: Any, together: bool) -> Node:
    taken = take(part, numbers, axis)
    if together or not axis:
        return taken
    moved = range(axis, axis + taken.ndim - part.ndim + 1)
    return transpose(taken, (*moved, *(k for k in range(taken.ndim) if k not in moved)))


def _fixed(lengths: Sequence[Dim], shape: Shape) -> list[int]:
    fixed = [d for d in lengths if isinstance(d, int)]
    if len(fixed) != len(lengths):
        free = next(d for d in lengths if isinstance(d, str))
        raise ShapeError(
            f"indexing needs axes of fixed length for arrays in step; got the free axis {free!r} of "
            f"{format_shape(shape)}. For an entry of each row write gl.take_along_axis(x, numbers[:, None], 1)[:, 0]; "
            "or give the axis a fixed length with gl.specialize."
        )
    return fixed


def _in_one(arrays: Sequence[Any], lengths: Sequence[int]) -> Node:
    """The numbers of entries of several axes laid together, row by row."""
    nodes = [as_indices(array) for array in arrays]
    broadcast_shapes([node.shape for node in nodes])
    known = [constant_array(node) for node in nodes]
    places = [
        _computed(node, length) if array is None else constant(check_places(array, length, "indexing") % max(length, 1))
        for node, array, length in zip(nodes, known, lengths, strict=True)
    ]
    if all(array is not None for array in known):
        values = [constant_array(place) for place in places]
        return constant(sum(_scaled(values, lengths)))
    total: Node = sum(_scaled(places, lengths), start=constant(0))
    inside = [greater(place, -1) for place, array in zip(places, known, strict=True) if array is None]
    for other in inside[1:]:
        inside[0] = logical_and(inside[0], other)
    return where(inside[0], total, math.prod(lengths))


def _computed(numbers: Node, length: int) -> Node:
    """Places counted from the front, from numbers that only a run knows; -1 where compiled code finds none.

    A table of the places is what the numbers point into: so they are checked as all others, each by its own axis.
    """
    return take(constant(np.arange(1, length + 1)), numbers, 0) - 1


def _scaled(places: Sequence[Any], lengths: Sequence[int]) -> list[Any]:
    return [place * math.prod(lengths[k + 1 :]) for k, place in enumerate(places)]
