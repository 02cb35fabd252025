"""NumPy functions that are short compositions of operations, and what to write for those that are not."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphlearn.errors import GraphUseError
from graphlearn.graph.node import Node, as_node
from graphlearn.graph.op import NUMPY_BUILDERS, NUMPY_CURES
from graphlearn.ops import elementary
from graphlearn.ops.activations import square
from graphlearn.ops.intrinsics import absolute, logical_not, maximum, minimum
from graphlearn.ops.shape import cast
from graphlearn.ops.structural import numpy_builder


def clip(a: Any, low: Any = None, high: Any = None) -> Node:
    """`numpy.clip`: the nearest number from ``low`` to ``high``; None leaves a side open.

    Raises:
        GraphUseError: both sides are open.
    """
    if low is None and high is None:
        raise GraphUseError("np.clip needs a bound; got neither. Give a_min or a_max.")
    if low is None or high is None:
        return minimum(a, high) if low is None else maximum(a, low)
    return elementary.clip(a, low, high)


def reciprocal(x: Any) -> Node:
    """`numpy.reciprocal` of real numbers.

    Raises:
        GraphUseError: whole numbers, whose reciprocal NumPy cuts off.
    """
    node = as_node(x)
    if not node.type.is_float:
        raise GraphUseError(
            f"np.reciprocal on a node needs real numbers, since NumPy cuts 1/2 of whole numbers to 0; got {node!r}. "
            "Write 1 / node.",
            nodes=(node,),
        )
    return elementary.reciprocal(node)


def round_(a: Any, decimals: int = 0) -> Node:
    """`numpy.round` to whole numbers.

    Raises:
        GraphUseError: other decimals.
    """
    if decimals != 0:
        raise GraphUseError(
            f"np.round on a node rounds to whole numbers; got decimals={decimals!r}. "
            "Write np.round(x * 10**decimals) / 10**decimals."
        )
    return elementary.round_(a)


def rint(x: Any) -> Node:
    """`numpy.rint`, whose results are real."""
    node = as_node(x)
    return elementary.round_(node if node.type.is_float else cast(node, "float64"))


def invert(x: Any) -> Node:
    """`numpy.invert`, ``~x``, of truths.

    Raises:
        GraphUseError: numbers, whose bits NumPy inverts.
    """
    node = as_node(x)
    if node.dtype != "bool":
        raise GraphUseError(
            f"np.invert and ~ on a node need truths, since NumPy inverts the bits of numbers; got {node!r}. Write "
            "np.logical_not(x) for where x is 0, or -x - 1 for the bits.",
            nodes=(node,),
        )
    return logical_not(node)


def _clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Node:  # NumPy's names
    return clip(a, a_min if min is None else min, a_max if max is None else max)


def fabs(x: Any) -> Node:
    """`numpy.fabs`, whose results are real."""
    node = as_node(x)
    return absolute(node if node.type.is_float else cast(node, "float64"))


NUMPY_BUILDERS.update(
    {
        np.square: square,
        np.positive: as_node,
        np.reciprocal: reciprocal,
        np.rint: rint,
        np.invert: invert,
        np.fabs: fabs,
    }
)
numpy_builder(np.clip, _clip)
numpy_builder(np.round, round_)
numpy_builder(np.astype, lambda x, dtype: cast(x, dtype))

_SHAPE = "It is known without a value: write node.{}."
_DATA = "Compute it on the arrays before they come in."
_TRUTH = "For truths write {}."
NUMPY_CURES.update(
    {
        "logaddexp": "Write a + gl.softplus(b - a).",
        "hypot": "Write np.sqrt(np.square(a) + np.square(b)).",
        "float_power": "Write np.power(a, b) of real numbers.",
        "fmax": "Write np.maximum(a, b), which hands a NaN on.",
        "fmin": "Write np.minimum(a, b), which hands a NaN on.",
        "bitwise_and": _TRUTH.format("np.logical_and(a, b)"),
        "bitwise_or": _TRUTH.format("np.logical_or(a, b)"),
        "bitwise_xor": _TRUTH.format("np.not_equal(a, b)"),
        **dict.fromkeys(["fmod", "floor_divide", "divmod", "sort", "argsort"], _DATA),
        **{name: _SHAPE.format(name) for name in ("shape", "ndim")},
        "size": "Write the product of node.shape; a free axis has the length gl.axis_size(name).",
    }
)
