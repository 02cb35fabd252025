"""NumPy functions of entries that differ from operations in what they take: bounds, decimals, bits, whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphlearn.errors import GraphUseError, UnsupportedOp
from graphlearn.graph.node import Node, as_node
from graphlearn.graph.op import NUMPY_BUILDERS
from graphlearn.ops import elementary
from graphlearn.ops.activations import square
from graphlearn.ops.intrinsics import absolute, logical_and, logical_not, logical_or, maximum, minimum, where
from graphlearn.ops.numpy_elementwise import logical_xor
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
    """`numpy.round`, to so many decimals; as in NumPy by scaling, which rounds as well.

    Raises:
        GraphUseError: whole numbers to tens or hundreds, or decimals that are no whole number.
    """
    node = as_node(a)
    if isinstance(decimals, bool) or not isinstance(decimals, (int, np.integer)):
        raise GraphUseError(f"np.round needs a whole number of decimals; got {decimals!r}. Give 2, for instance.")
    if decimals == 0 or (decimals > 0 and not node.type.is_float):
        return elementary.round_(node)
    if not node.type.is_float:
        raise GraphUseError(
            f"np.round on a node rounds whole numbers to no tens or hundreds; got decimals={decimals} for {node!r}. "
            "Cast it to float64 first.",
            nodes=(node,),
        )
    scale = 10.0 ** abs(int(decimals))
    return elementary.round_(node * scale) / scale if decimals > 0 else elementary.round_(node / scale) * scale


def rint(x: Any) -> Node:
    """`numpy.rint`, whose results are real."""
    node = as_node(x)
    return elementary.round_(node if node.type.is_float else cast(node, "float64"))


def invert(x: Any) -> Node:
    """`numpy.invert`, ``~x``, of truths.

    Raises:
        GraphUseError: numbers, whose bits NumPy inverts.
    """
    return logical_not(*_truths("np.invert and ~", "np.logical_not(x) for where x is 0, or -x - 1 for the bits", x))


def bitwise_and(a: Any, b: Any) -> Node:
    """`numpy.bitwise_and`, ``a & b``, of truths: both hold.

    Raises:
        GraphUseError: numbers, whose bits NumPy compares.
    """
    return logical_and(*_truths("np.bitwise_and and &", "np.logical_and(a, b) for where neither is 0", a, b))


def bitwise_or(a: Any, b: Any) -> Node:
    """`numpy.bitwise_or`, ``a | b``, of truths: one of them holds, or both.

    Raises:
        GraphUseError: numbers, whose bits NumPy compares.
    """
    return logical_or(*_truths("np.bitwise_or and |", "np.logical_or(a, b) for where one is not 0", a, b))


def bitwise_xor(a: Any, b: Any) -> Node:
    """`numpy.bitwise_xor`, ``a ^ b``, of truths: one of them holds, not both.

    Raises:
        GraphUseError: numbers, whose bits NumPy compares.
    """
    cure = "a ** b for a power, np.logical_xor(a, b) for where just one is not 0"
    return logical_xor(*_truths("np.bitwise_xor and ^", cure, a, b))


def _truths(what: str, cure: str, *operands: Any) -> list[Node]:
    """Operands that are all truths."""
    found = [as_node(x) for x in operands]
    for node in found:
        if node.dtype != "bool":
            raise GraphUseError(
                f"{what} on a node need truths, since NumPy combines the bits of numbers; got {node!r}. Write {cure}.",
                nodes=tuple(found),
            )
    return found


def choose(condition: Any, *choices: Any) -> Node:
    """`numpy.where` of a condition and two choices.

    Raises:
        UnsupportedOp: no choices: the numbers of the places where a condition holds are as many as it happens to.
    """
    if not choices:
        node = as_node(condition)
        raise UnsupportedOp(
            f"np.where on a node needs a condition and two choices; got the condition alone, {node!r}. The shape "
            "of the result would depend on values: write np.where(condition, x, 0) to keep entries.",
            nodes=(node,),
        )
    return where(condition, *choices)


def _clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Node:  # NumPy's names
    return clip(a, a_min if min is None else min, a_max if max is None else max)


def fabs(x: Any) -> Node:
    """`numpy.fabs`, whose results are real."""
    node = as_node(x)
    return absolute(node if node.type.is_float else cast(node, "float64"))


NUMPY_BUILDERS.update(
    {
        np.square: square,
        np.where: choose,
        np.positive: as_node,
        np.reciprocal: reciprocal,
        np.rint: rint,
        np.invert: invert,
        np.bitwise_and: bitwise_and,
        np.bitwise_or: bitwise_or,
        np.bitwise_xor: bitwise_xor,
        np.fabs: fabs,
    }
)
numpy_builder(np.clip, _clip)
numpy_builder(np.round, round_)
numpy_builder(np.around, round_)
numpy_builder(np.astype, lambda x, dtype: cast(x, dtype))
