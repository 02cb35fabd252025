"""NumPy's reductions with all of their options: a dtype, a start, and which entries take part.

Entries that take no part stand as a number that changes nothing: 0 in a sum, 1 in a product, -inf in a maximum. So
their derivative is 0, also where they are NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphlearn.errors import DTypeError, GraphUseError, ShapeError
from graphlearn.graph.blame import blaming
from graphlearn.graph.leaves import constant_array, typed_constant
from graphlearn.graph.node import Node, as_node
from graphlearn.ops import products, running, statistics
from graphlearn.ops import reductions as plain
from graphlearn.ops.intrinsics import (
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    not_equal,
    sqrt,
    where,
)
from graphlearn.ops.joining import pad
from graphlearn.ops.numpy_elementwise import truth
from graphlearn.ops.places import WHOLE
from graphlearn.ops.reductions import Axis, all_, any_, max_, min_, sum_
from graphlearn.ops.shape import broadcast_to, cast, reshape, transpose
from graphlearn.ops.structural import numpy_builder
from graphlearn.types import (
    Shape,
    broadcast_shapes,
    format_shape,
    normalize_axes,
    normalize_axis,
    reduced_axes,
    to_float,
    whole_axes,
)

Among = Any  # which entries take part: True for all, or truths that broadcast to the array


def _typed(a: Any, dtype: Any) -> Node:
    node = as_node(a)
    return node if dtype is None else cast(node, dtype)


def _chosen(node: Node, among: Among, what: str) -> Node | None:
    """The entries that take part as truths of the array's shape; None for all.

    Raises:
        DTypeError: they are no truths.
        ShapeError: they do not broadcast to the array.
    """
    if among is True:
        return None
    mask = as_node(among)
    with blaming(what, node, mask):
        if mask.dtype != "bool":
            raise DTypeError(f"{what} needs truths in where=; got {mask.type}. Write a comparison, such as x > 0.")
        if broadcast_shapes([node.shape, mask.shape]) != node.shape:
            raise ShapeError(
                f"{what} needs truths in where= that broadcast to {format_shape(node.shape)}; got "
                f"{format_shape(mask.shape)}. Broadcast the array first."
            )
    return broadcast_to(mask, node.shape)


def _kept(node: Node, among: Among, other: Any, what: str) -> Node:
    """The entries that take part, and a number in the places of the others."""
    mask = _chosen(node, among, what)
    return node if mask is None else where(mask, node, cast(other, node.dtype))


def _started(total: Node, initial: Any, join: Callable[[Any, Any], Node], what: str) -> Node:
    """The result joined with a start, which takes its dtype, as in NumPy."""
    return total if initial is None else join(total, _start(total, initial, what))


def _start(total: Node, initial: Any, what: str) -> Node:
    start = as_node(initial)
    with blaming(what, total, start):
        if start.shape != ():
            raise ShapeError(
                f"{what} needs a single number as initial=; got {format_shape(start.shape)}. Add the array to the "
                "result."
            )
        known = constant_array(start)
        if known is not None and known.dtype.kind in "if" and total.dtype in WHOLE:
            bounds = np.iinfo(total.dtype)
            if not bounds.min <= np.trunc(known) <= bounds.max:
                raise DTypeError(
                    f"{what} needs a start from {bounds.min} to {bounds.max}, which {total.dtype} holds; got {known}. "
                    "Cast the array to int64 first."
                )
    return cast(start, total.dtype)


# --- sums and products -----------------------------------------------------------------------------------------------


def sum_of(
    a: Any, axis: Axis = None, dtype: Any = None, keepdims: bool = False, initial: Any = None, where: Among = True
) -> Node:
    """`numpy.sum`: entries in a dtype, those where ``where`` holds, added to ``initial``.

    Raises:
        DTypeError, ShapeError: truths or a start that do not fit.
    """
    total = sum_(_kept(_typed(a, dtype), where, 0, "np.sum"), axis, keepdims)
    return _started(total if dtype is None else cast(total, dtype), initial, lambda x, y: x + y, "np.sum")


def prod_of(
    a: Any, axis: Axis = None, dtype: Any = None, keepdims: bool = False, initial: Any = None, where: Among = True
) -> Node:
    """`numpy.prod`: entries in a dtype, those where ``where`` holds, multiplied with ``initial``.

    Raises:
        DTypeError, ShapeError: truths or a start that do not fit.
    """
    total = products.prod(_kept(_typed(a, dtype), where, 1, "np.prod"), axis, keepdims)
    return _started(total if dtype is None else cast(total, dtype), initial, lambda x, y: x * y, "np.prod")


def cumsum_of(a: Any, axis: int | None = None, dtype: Any = None) -> Node:
    """`numpy.cumsum`, of entries in a dtype."""
    found = running.cumsum(_typed(a, dtype), axis)
    return found if dtype is None else cast(found, dtype)


def cumprod_of(a: Any, axis: int | None = None, dtype: Any = None) -> Node:
    """`numpy.cumprod`, of entries in a dtype."""
    found = products.cumprod(_typed(a, dtype), axis)
    return found if dtype is None else cast(found, dtype)


def _cumulative(running_total: Callable[..., Node], first: int) -> Callable[..., Node]:
    def build(x: Any, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Node:
        node = as_node(x)
        node = node if node.ndim else reshape(node, 1)
        with blaming("cumulative totals", node):
            if axis is None and node.ndim != 1:
                raise ShapeError(
                    f"cumulative totals need an axis for an array of rank {node.ndim}; got {format_shape(node.shape)} "
                    "and none. Give axis=0, for instance."
                )
            place = normalize_axis(0 if axis is None else axis, node.ndim, "cumulative totals")
        found = running_total(node, place, dtype)
        if not include_initial:
            return found
        return pad(found, [(int(k == place), 0) for k in range(node.ndim)], constant_values=first)

    return build


# --- averages --------------------------------------------------------------------------------------------------------


def _real(a: Any, dtype: Any, what: str) -> Node:
    node = as_node(a)
    wanted = to_float(node.dtype) if dtype is None else np.dtype(dtype).name
    if not wanted.startswith("float"):
        with blaming(what, node):
            raise DTypeError(f"{what} needs a real dtype; got {wanted}. Cast the result with gl.cast.")
    return cast(node, wanted)


def mean_of(a: Any, axis: Axis = None, dtype: Any = None, keepdims: bool = False, where: Among = True) -> Node:
    """`numpy.mean` in a real dtype, of the entries where ``where`` holds; NaN where there are none.

    Raises:
        DTypeError, ShapeError: a dtype that is not real, or truths that do not fit.
    """
    if where is True and dtype is None:
        return plain.mean(a, axis, keepdims)
    node = _real(a, dtype, "np.mean")
    mask = _chosen(node, where, "np.mean")
    if mask is None:
        return plain.mean(node, axis, keepdims)
    return sum_(_kept(node, mask, 0, "np.mean"), axis, keepdims) / _count(mask, node, axis, keepdims)


def _count(mask: Node, node: Node, axis: Axis, keepdims: bool) -> Node:
    return cast(sum_(mask, axis, keepdims), node.dtype)


def _spread(op: str) -> Callable[..., Node]:
    """`numpy.var` or `numpy.std`; with a dtype, of the entries in it, where NumPy subtracts their mean as they are."""

    def build(
        a: Any, axis: Axis = None, dtype: Any = None, ddof: float = 0, keepdims: bool = False, where: Among = True,
        mean: Any = None, correction: Any = None,
    ) -> Node:  # fmt: skip
        less_by = ddof if correction is None else correction
        if where is True and mean is None:
            node = a if dtype is None else _real(a, dtype, f"np.{op}")
            return (statistics.var if op == "var" else statistics.std)(node, axis, less_by, keepdims)
        node = _real(a, dtype, f"np.{op}")
        mask = (
            broadcast_to(typed_constant(True, "bool"), node.shape)
            if where is True
            else _chosen(node, where, f"np.{op}")
        )
        middle = mean_of(node, axis, keepdims=True, where=mask) if mean is None else mean
        distance = _kept(node - middle, mask, 0, f"np.{op}")
        divisor = maximum(_count(as_node(mask), node, axis, keepdims) - less_by, 0)
        if op == "std":
            return statistics.length(distance, axis, keepdims) / sqrt(divisor)
        return sum_(distance * distance, axis, keepdims) / divisor

    return build


var_of, std_of = _spread("var"), _spread("std")


def average(a: Any, axis: Axis = None, weights: Any = None, keepdims: bool = False) -> Node:
    """`numpy.average`: the mean, or the mean in which each entry counts with its weight.

    Args:
        a: node or array.
        axis: an axis, several, or None for all.
        weights: of the array's shape; or, where axes are given, of the shape of these axes.
        keepdims: keep the reduced axes with length 1.

    Returns:
        NaN where the weights add up to 0, for which NumPy raises.

    Raises:
        ShapeError: weights of another shape.
    """
    if weights is None:
        return plain.mean(a, axis, keepdims)
    node, share = as_node(a), as_node(weights)
    with blaming("average", node, share):
        share = _beside(node.shape, share, axis)
    share = share if share.type.is_float or node.type.is_float else cast(share, "float64")
    total = sum_(broadcast_to(share, node.shape), axis, keepdims)
    return sum_(node * share, axis, keepdims) / total


def _beside(shape: Shape, weights: Node, axis: Axis) -> Node:
    """Weights with the array's axes."""
    if weights.shape == shape:
        return weights
    axes = [] if axis is None else [k % max(len(shape), 1) for k in whole_axes(axis, "average")]
    normalize_axes(axes, len(shape), "average")
    if not axes or weights.shape != tuple(shape[k] for k in axes):
        raise ShapeError(
            f"average needs weights of the shape {format_shape(shape)}, or of its axes that are averaged; got "
            f"{format_shape(weights.shape)} for axis={axis}. Broadcast them with gl.broadcast_to."
        )
    ordered = transpose(weights, [int(k) for k in np.argsort(axes)])
    return reshape(ordered, tuple(dim if k in axes else 1 for k, dim in enumerate(shape)))


# --- extremes --------------------------------------------------------------------------------------------------------


def _of_nothing(node: Node, start: Node, axis: Axis, keepdims: bool) -> Node:
    """The start in every place of a reduction of no entries, and still a node of the operand."""
    total = sum_(node, axis, keepdims)  # 0
    return where(not_equal(total, 0), cast(total, node.dtype), start)


def _extreme(name: str) -> Callable[..., Node]:
    """`numpy.max` or `numpy.min`."""
    reduction, pairwise, last = (max_, maximum, -math.inf) if name == "max" else (min_, minimum, math.inf)

    def build(a: Any, axis: Axis = None, keepdims: bool = False, initial: Any = None, where: Among = True) -> Node:
        node = as_node(a)
        if initial is None:
            if where is not True:
                raise GraphUseError(
                    f"np.{name} needs a start where some entries take no part, since nothing may be left; got where= "
                    f"alone. Give initial={last} as well.",
                    nodes=(node,),
                )
            return reduction(node, axis, keepdims)
        start = _start(node, initial, f"np.{name}")
        kept = _kept(node, where, last if node.type.is_float else start, f"np.{name}")
        with blaming(f"np.{name}", node):
            axes = reduced_axes(axis, node.ndim, f"np.{name}")
        if any(node.shape[k] == 0 for k in axes):
            return _of_nothing(node, start, axis, keepdims)
        return pairwise(reduction(kept, axis, keepdims), start)

    return build


max_of, min_of = _extreme("max"), _extreme("min")


def ptp(a: Any, axis: Axis = None, keepdims: bool = False) -> Node:
    """`numpy.ptp`: the largest entry minus the smallest."""
    return max_(a, axis, keepdims) - min_(a, axis, keepdims)


# --- truths and numbers of entries -----------------------------------------------------------------------------------


def any_of(a: Any, axis: Axis = None, keepdims: bool = False, where: Among = True) -> Node:
    """`numpy.any`, of the entries where ``where`` holds."""
    node = as_node(a)
    mask = _chosen(node, where, "np.any")
    return any_(node if mask is None else logical_and(node, mask), axis, keepdims)


def all_of(a: Any, axis: Axis = None, keepdims: bool = False, where: Among = True) -> Node:
    """`numpy.all`, of the entries where ``where`` holds."""
    node = as_node(a)
    mask = _chosen(node, where, "np.all")
    return all_(node if mask is None else logical_or(node, logical_not(mask)), axis, keepdims)


def count_nonzero(a: Any, axis: Axis = None, keepdims: bool = False) -> Node:
    """`numpy.count_nonzero`: number of entries that are not zero, int64."""
    return sum_(truth(as_node(a)), axis, keepdims)


for _function, _builder in (
    (np.sum, sum_of),
    (np.prod, prod_of),
    (np.mean, mean_of),
    (np.var, var_of),
    (np.std, std_of),
    (np.max, max_of),
    (np.amax, max_of),
    (np.min, min_of),
    (np.amin, min_of),
    (np.any, any_of),
    (np.all, all_of),
    (np.cumsum, cumsum_of),
    (np.cumprod, cumprod_of),
    (np.cumulative_sum, _cumulative(cumsum_of, 0)),
    (np.cumulative_prod, _cumulative(cumprod_of, 1)),
    (np.average, average),
    (np.ptp, ptp),
    (np.count_nonzero, count_nonzero),
):
    numpy_builder(_function, _builder)
