"""NumPy functions of shapes and tests that are short compositions of operations, under their NumPy names."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphlearn.errors import ShapeError
from graphlearn.graph.blame import blaming
from graphlearn.graph.leaves import typed_constant
from graphlearn.graph.node import Node, as_node
from graphlearn.ops import elementary
from graphlearn.ops.intrinsics import absolute, equal, less, logical_not, not_equal, sign, where
from graphlearn.ops.joining import concatenate, flip, split
from graphlearn.ops.reductions import max_, mean, min_, sum_
from graphlearn.ops.shape import broadcast_to, expand_dims, reshape, transpose
from graphlearn.ops.structural import numpy_builder
from graphlearn.types import broadcast_shapes, normalize_axes

# --- tests and scales ------------------------------------------------------------------------------------------------


def isnan(x: Any) -> Node:
    """Where an entry is NaN, the only number that differs from itself."""
    node = as_node(x)
    return not_equal(node, node)


def isinf(x: Any) -> Node:
    """Where an entry is infinite."""
    return equal(absolute(x), math.inf)


def isfinite(x: Any) -> Node:
    """Where an entry is neither infinite nor NaN."""
    return less(absolute(x), math.inf)


def logical_xor(a: Any, b: Any) -> Node:
    """Where exactly one of two entries is not zero."""
    return not_equal(_truth(a), _truth(b))


def _truth(x: Any) -> Node:
    return logical_not(logical_not(x))


def trunc(x: Any) -> Node:
    """The whole number next to an entry, towards zero."""
    node = as_node(x)
    return sign(node) * elementary.floor(absolute(node)) if node.type.is_float else node


def heaviside(x: Any, at_zero: Any) -> Node:
    """0 left of zero, 1 right of it, ``at_zero`` there; NaN stays NaN."""
    node = as_node(x)
    return where(equal(node, 0), at_zero, where(less(node, 0), 0.0, where(isnan(node), node, 1.0)))


def degrees(x: Any) -> Node:
    """Angles in radians as degrees."""
    return as_node(x) * (180 / math.pi)


def radians(x: Any) -> Node:
    """Angles in degrees as radians."""
    return as_node(x) * (math.pi / 180)


def average(a: Any, axis: Any = None, weights: Any = None, keepdims: bool = False) -> Node:
    """The mean, or the mean in which each entry counts with its weight; weights broadcast to the array."""
    if weights is None:
        return mean(a, axis, keepdims)
    node = as_node(a)
    share = broadcast_to(as_node(weights), node.shape)
    return sum_(node * share, axis, keepdims) / sum_(share, axis, keepdims)


def ptp(a: Any, axis: Any = None, keepdims: bool = False) -> Node:
    """The largest entry minus the smallest."""
    return max_(a, axis, keepdims) - min_(a, axis, keepdims)


def count_nonzero(a: Any, axis: Any = None, keepdims: bool = False) -> Node:
    """Number of entries that are not zero, int64."""
    return sum_(_truth(a), axis, keepdims)


# --- constants of a shape --------------------------------------------------------------------------------------------


def full_like(a: Any, fill_value: Any, dtype: Any = None) -> Node:
    """A number in every place of an array of the same shape, free axes too."""
    node = as_node(a)
    kind = node.dtype if dtype is None else np.dtype(dtype).name
    return broadcast_to(typed_constant(np.asarray(fill_value, kind), kind), node.shape)


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
        (place,) = normalize_axes(axis, node.ndim, "array_split")
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


for _function, _builder in (
    (np.isnan, isnan),
    (np.isinf, isinf),
    (np.isfinite, isfinite),
    (np.logical_xor, logical_xor),
    (np.heaviside, heaviside),
    (np.trunc, trunc),
    (np.fix, trunc),
    (np.degrees, degrees),
    (np.rad2deg, degrees),
    (np.radians, radians),
    (np.deg2rad, radians),
    (np.average, average),
    (np.ptp, ptp),
    (np.count_nonzero, count_nonzero),
    (np.full_like, full_like),
    (np.zeros_like, lambda a, dtype=None: full_like(a, 0, dtype)),
    (np.ones_like, lambda a, dtype=None: full_like(a, 1, dtype)),
    (np.atleast_1d, lambda *arys: each_atleast(1, *arys)),
    (np.atleast_2d, lambda *arys: each_atleast(2, *arys)),
    (np.atleast_3d, lambda *arys: each_atleast(3, *arys)),
    (np.dstack, lambda tup: dstack(tup)),
    (np.column_stack, lambda tup: column_stack(tup)),
    (np.append, append),
    (np.array_split, lambda ary, indices_or_sections, axis=0: array_split(ary, indices_or_sections, axis)),
    (np.hsplit, lambda ary, indices_or_sections: hsplit(ary, indices_or_sections)),
    (np.vsplit, lambda ary, indices_or_sections: split(ary, indices_or_sections, 0)),
    (np.dsplit, lambda ary, indices_or_sections: split(ary, indices_or_sections, 2)),
    (np.fliplr, lambda m: flip(m, 1)),
    (np.flipud, lambda m: flip(m, 0)),
    (np.rot90, rot90),
    (np.broadcast_arrays, broadcast_arrays),
    (np.matrix_transpose, lambda x: transpose(x, (*range(as_node(x).ndim - 2), -1, -2))),
    (np.vecdot, lambda x1, x2, axis=-1: sum_(as_node(x1) * x2, axis)),
):
    numpy_builder(_function, _builder)
