"""NumPy's reductions that pass NaN over: they are those of the entries that are numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphlearn.graph.node import Node, as_node
from graphlearn.ops.intrinsics import less, logical_and, logical_not, where
from graphlearn.ops.numpy_elementwise import isnan
from graphlearn.ops.numpy_reductions import (
    Among,
    cumprod_of,
    cumsum_of,
    max_of,
    mean_of,
    min_of,
    prod_of,
    std_of,
    sum_of,
    var_of,
)
from graphlearn.ops.reductions import Axis, all_, sum_
from graphlearn.ops.shape import cast
from graphlearn.ops.structural import numpy_builder


def _passing_nan(function: Callable[..., Node]) -> Callable[..., Node]:
    """A reduction of the entries that are numbers."""

    def build(a: Any, axis: Axis = None, dtype: Any = None, keepdims: bool = False, where: Among = True) -> Node:
        node = as_node(a)
        numbers = logical_and(logical_not(isnan(node)), where) if node.type.is_float else where
        return function(node, axis, dtype, keepdims=keepdims, where=numbers)

    return build


def _spread_passing_nan(function: Callable[..., Node]) -> Callable[..., Node]:
    def build(a: Any, axis: Axis = None, dtype: Any = None, ddof: float = 0, keepdims: bool = False) -> Node:
        node = as_node(a)
        if not node.type.is_float:
            return function(node, axis, dtype, ddof, keepdims)
        numbers = logical_not(isnan(node))
        found = function(node, axis, dtype, ddof, keepdims, numbers)
        enough = less(ddof, sum_(numbers, axis, keepdims))
        return where(enough, found, cast(math.nan, found.dtype))

    return build


def _extreme_passing_nan(function: Callable[..., Node], last: float) -> Callable[..., Node]:
    def build(a: Any, axis: Axis = None, keepdims: bool = False) -> Node:
        node = as_node(a)
        if not node.type.is_float or 0 in node.shape:
            return function(node, axis, keepdims)
        nothing = all_(isnan(node), axis, keepdims)
        found = function(node, axis, keepdims, last, logical_not(isnan(node)))
        return where(nothing, cast(math.nan, node.dtype), found)

    return build


def _running_passing_nan(function: Callable[..., Node], other: int) -> Callable[..., Node]:
    def build(a: Any, axis: int | None = None, dtype: Any = None) -> Node:
        node = as_node(a)
        return function(where(isnan(node), cast(other, node.dtype), node), axis, dtype)

    return build


for _function, _builder in (
    (np.nansum, _passing_nan(sum_of)),
    (np.nanprod, _passing_nan(prod_of)),
    (np.nanmean, _passing_nan(mean_of)),
    (np.nanvar, _spread_passing_nan(var_of)),
    (np.nanstd, _spread_passing_nan(std_of)),
    (np.nanmax, _extreme_passing_nan(max_of, -math.inf)),
    (np.nanmin, _extreme_passing_nan(min_of, math.inf)),
    (np.nancumsum, _running_passing_nan(cumsum_of, 0)),
    (np.nancumprod, _running_passing_nan(cumprod_of, 1)),
):
    numpy_builder(_function, _builder)
