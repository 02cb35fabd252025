"""The rules of simplification. A table: each row names a rule, says what kind it is and what it does to one node.

``exact`` rules are equal in exact arithmetic and serve reading; ``stabilising`` rules are also at least as accurate in
floating point, so training may use them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from graphlearn.graph.frozen import FrozenArray
from graphlearn.graph.leaves import constant_array
from graphlearn.graph.node import Node, apply, as_node, make
from graphlearn.graph.op import find_op
from graphlearn.ops.normalised import log_softmax
from graphlearn.ops.shape import broadcast_to, reshape, transpose


@dataclass(frozen=True)
class Rule:
    """One rule of simplification.

    Args:
        name: its id; `graphlearn.render` has a sentence for it in each language.
        kind: ``"exact"`` or ``"stabilising"``.
        ops: the operations at which it may apply.
        rewrite: gives the replacement of a node, or None.
    """

    name: str
    kind: str
    ops: tuple[str, ...]
    rewrite: Callable[[Node], Node | None]


def number(node: Node) -> float | None:
    """The value of a scalar constant, also one that is broadcast; None for anything else."""
    while node.op.name == "broadcast_to":
        node = node.inputs[0]
    value = constant_array(node)
    return float(value) if value is not None and value.shape == () else None


def _fold(node: Node) -> Node | None:
    if not node.inputs or not node.op.is_elementwise or node.op.reference is None:
        return None
    arrays = [constant_array(n) for n in node.inputs]
    if any(a is None or a.size > 64 for a in arrays):
        return None
    operands = [a.item() if n.type.weak and a is not None else a for a, n in zip(arrays, node.inputs, strict=True)]
    with np.errstate(all="ignore"):
        value = node.op.reference(*operands)
    if not np.all(np.isfinite(value)):
        return None
    weak = node.type.weak
    literal = np.asarray(value, node.dtype)
    frozen = FrozenArray(literal.item() if weak else literal, weak=weak)
    return make(find_op("constant"), (), (("value", frozen),), scope="")


def _mul(node: Node) -> Node | None:
    x, y = node.inputs
    for one, other in ((x, y), (y, x)):
        value = number(one)
        if value == 1:
            return broadcast_to(other, node.shape)
        if value == -1:
            return -broadcast_to(other, node.shape)
    return None


def _mul_zero(node: Node) -> Node | None:
    if 0 in (number(node.inputs[0]), number(node.inputs[1])):
        return broadcast_to(as_node(np.zeros((), node.dtype)), node.shape)
    return None


def _add_zero(node: Node) -> Node | None:
    x, y = node.inputs
    if number(y) == 0:
        return broadcast_to(x, node.shape)
    if number(x) == 0:
        return broadcast_to(y if node.op.name == "add" else -y, node.shape)
    return None


def _signs(node: Node) -> Node | None:
    """Move minus signs outwards and cancel them in pairs."""
    name, first = node.op.name, node.inputs[0]
    if name == "neg":
        if first.op.name == "neg":
            return first.inputs[0]
        return first.inputs[1] - first.inputs[0] if first.op.name == "sub" else None
    second = node.inputs[1]
    if name in ("mul", "div"):
        if first.op.name == "neg":
            return -apply(name, first.inputs[0], second)
        return -apply(name, first, second.inputs[0]) if second.op.name == "neg" else None
    if second.op.name == "neg":
        return apply("sub" if name == "add" else "add", first, second.inputs[0])
    return second - first.inputs[0] if name == "add" and first.op.name == "neg" else None


def _div_one(node: Node) -> Node | None:
    return broadcast_to(node.inputs[0], node.shape) if number(node.inputs[1]) == 1 else None


def _scalar_last(node: Node) -> Node | None:
    """``(x / n) * y`` is ``x * y / n``: a common divisor is written once, at the end."""
    for quotient, other in (node.inputs, node.inputs[::-1]):
        inner = quotient.inputs[0] if quotient.op.name == "broadcast_to" else quotient
        if inner.op.name == "div" and inner.inputs[1].shape == ():
            numerator, divisor = inner.inputs
            if quotient is inner or numerator.shape == ():
                return numerator * other / divisor if number(numerator) != 1 else other / divisor
    return None


def _cancel(node: Node) -> Node | None:
    """``(x / y) * y`` is ``x``, where y is not 0."""
    for quotient, factor in (node.inputs, node.inputs[::-1]):
        if quotient.op.name == "div" and quotient.inputs[1] is factor:
            return quotient.inputs[0]
    return None


def _split(node: Node) -> tuple[float, Node | None]:
    """A node as number times rest, of which the rest may be missing."""
    value = number(node)
    if value is not None:
        return value, None
    inner = node.inputs[0] if node.op.name == "broadcast_to" else node
    if inner.op.name == "mul":
        for one, other in (inner.inputs, inner.inputs[::-1]):
            value = number(one)
            if value is not None:
                return value, other
    return 1.0, node


def _numbers(node: Node) -> Node | None:
    """``(x * 0.5) * (2 * y)`` is ``1 * (x * y)``: the numbers of a product become one, in front."""
    (a, x), (b, y) = (_split(n) for n in node.inputs)
    nested = (a != 1.0 or x is None) and (b != 1.0 or y is None) and not (x is None and y is None)
    if not nested or not np.isfinite(a * b):
        return None
    rest = y if x is None else x if y is None else x * y
    return None if rest is None else broadcast_to(a * b * rest, node.shape)


def _like_terms(node: Node) -> Node | None:
    """``x + 2 * x`` is ``3 * x``."""
    (a, x), (b, y) = (_split(n) for n in node.inputs)
    if x is None or x is not y:
        return None
    return broadcast_to((a + b if node.op.name == "add" else a - b) * x, node.shape)


def _quotient_of_quotient(node: Node) -> Node | None:
    inner, divisor = node.inputs
    if inner.op.name == "div" and inner.inputs[1].shape == () == divisor.shape:
        return inner.inputs[0] / (inner.inputs[1] * divisor)
    return None


def _pow(node: Node) -> Node | None:
    exponent = number(node.inputs[1])
    return broadcast_to(node.inputs[0], node.shape) if exponent == 1 else None


def _transpose_twice(node: Node) -> Node | None:
    inner = node.inputs[0]
    if inner.op.name != "transpose":
        return None
    axes = tuple(inner.attr("axes")[k] for k in node.attr("axes"))
    return transpose(inner.inputs[0], axes)


def _reshape_twice(node: Node) -> Node | None:
    inner = node.inputs[0]
    return reshape(inner.inputs[0], node.shape) if inner.op.name == "reshape" else None


def _reshaped_number(node: Node) -> Node | None:
    """A number that is repeated needs no reshape: it is repeated to the other shape at once."""
    inner = node.inputs[0]
    spread = inner.op.name == "broadcast_to" and inner.inputs[0].shape == ()
    return broadcast_to(inner.inputs[0], node.shape) if spread else None


def _broadcast_twice(node: Node) -> Node | None:
    inner = node.inputs[0]
    return broadcast_to(inner.inputs[0], node.shape) if inner.op.name == "broadcast_to" else None


def _implicit_broadcast(node: Node) -> Node | None:
    """An operand need not be repeated first where the operation repeats it anyway."""
    if not node.op.is_elementwise:
        return None
    for k, operand in enumerate(node.inputs):
        if operand.op.name == "broadcast_to":
            operands = (*node.inputs[:k], operand.inputs[0], *node.inputs[k + 1 :])
            shorter = make(node.op, operands, node.attrs, name=node.name, scope=node.scope)
            if shorter.shape == node.shape and shorter.dtype == node.dtype:
                return shorter
    return None


def _where_same(node: Node) -> Node | None:
    return broadcast_to(node.inputs[1], node.shape) if node.inputs[1] is node.inputs[2] else None


def _log_softmax(node: Node) -> Node | None:
    inner = node.inputs[0]
    return log_softmax(inner.inputs[0], inner.attr("axis")) if inner.op.name == "softmax" else None


def _log_sigmoid(node: Node) -> Node | None:
    inner = node.inputs[0]
    return apply("log_sigmoid", inner.inputs[0]) if inner.op.name == "sigmoid" else None


def _softplus(node: Node) -> Node | None:
    inner = node.inputs[0]
    if inner.op.name == "add":
        for one, other in (inner.inputs, inner.inputs[::-1]):
            if number(one) == 1 and other.op.name == "exp" and other.shape == inner.shape:
                return apply("softplus", other.inputs[0])
    return None


ELEMENTWISE = ("*",)
RULES: tuple[Rule, ...] = (
    Rule("fold", "exact", ELEMENTWISE, _fold),
    Rule("implicit_broadcast", "exact", ELEMENTWISE, _implicit_broadcast),
    Rule("times_one", "stabilising", ("mul",), _mul),
    Rule("times_zero", "exact", ("mul",), _mul_zero),
    Rule("plus_zero", "exact", ("add", "sub"), _add_zero),
    Rule("signs", "stabilising", ("neg", "add", "sub", "mul", "div"), _signs),
    Rule("over_one", "stabilising", ("div",), _div_one),
    Rule("numbers", "exact", ("mul",), _numbers),
    Rule("like_terms", "exact", ("add", "sub"), _like_terms),
    Rule("cancel", "exact", ("mul",), _cancel),
    Rule("common_divisor", "exact", ("mul",), _scalar_last),
    Rule("nested_quotient", "exact", ("div",), _quotient_of_quotient),
    Rule("power_one", "stabilising", ("pow",), _pow),
    Rule("double_transpose", "stabilising", ("transpose",), _transpose_twice),
    Rule("double_reshape", "stabilising", ("reshape",), _reshape_twice),
    Rule("reshaped_number", "stabilising", ("reshape",), _reshaped_number),
    Rule("double_broadcast", "stabilising", ("broadcast_to",), _broadcast_twice),
    Rule("same_branches", "stabilising", ("where",), _where_same),
    Rule("log_softmax", "stabilising", ("log",), _log_softmax),
    Rule("log_sigmoid", "stabilising", ("log",), _log_sigmoid),
    Rule("softplus", "stabilising", ("log",), _softplus),
)
