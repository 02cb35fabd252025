"""Rules of arithmetic: numbers, signs, identities of sums, products, quotients and powers."""

from __future__ import annotations

import math

import numpy as np

from graphlearn.calculus.rules.patterns import Rule, both_ways, is_op, number, square_root_of
from graphlearn.graph.frozen import FrozenArray
from graphlearn.graph.leaves import constant_array, typed_constant
from graphlearn.graph.node import Node, apply, as_node, make
from graphlearn.graph.op import find_op
from graphlearn.ops.shape import broadcast_to

_LARGEST = 64  # entries of a constant that is computed: a longer one is not shorter to read


def _fold(node: Node) -> Node | None:
    """Compute what consists of small constants; a repeated number stays a number that is repeated."""
    if not node.inputs or node.op.reference is None or is_op(node, "broadcast_to") or not _is_small(node):
        return None
    arrays = [constant_array(n) for n in node.inputs]
    if any(a is None or a.size > _LARGEST for a in arrays):
        return None
    operands = [a.item() if n.type.weak and a is not None else a for a, n in zip(arrays, node.inputs, strict=True)]
    with np.errstate(all="ignore"):
        value = node.op.reference(*operands, **dict(node.attrs))
    if not np.all(np.isfinite(value)):
        return None
    weak = node.type.weak
    literal = np.asarray(value, node.dtype)
    frozen = FrozenArray(literal.item() if weak else literal, weak=weak)
    folded = make(find_op("constant"), (), (("value", frozen),), scope="")
    repeated = literal.ndim and number(folded) is not None
    return broadcast_to(typed_constant(literal.flat[0], node.dtype), node.shape) if repeated else folded


def _is_small(node: Node) -> bool:
    fixed = [d for d in node.shape if isinstance(d, int)]
    return len(fixed) == node.ndim and math.prod(fixed) <= _LARGEST


def _times_one(node: Node) -> Node | None:
    for one, other in both_ways(node):
        value = number(one)
        if value == 1:
            return broadcast_to(other, node.shape)
        if value == -1:
            return -broadcast_to(other, node.shape)
    return None


def _times_zero(node: Node) -> Node | None:
    if 0 in (number(node.inputs[0]), number(node.inputs[1])):
        return broadcast_to(as_node(np.zeros((), node.dtype)), node.shape)
    return None


def _plus_zero(node: Node) -> Node | None:
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
        return _turned(first)
    second = node.inputs[1]
    if name in ("mul", "div"):
        if first.op.name == "neg":
            return -apply(name, first.inputs[0], second)
        return -apply(name, first, second.inputs[0]) if second.op.name == "neg" else None
    if name == "sub" and first.op.name == "neg":
        return -(first.inputs[0] + second)
    if second.op.name == "neg":
        return apply("sub" if name == "add" else "add", first, second.inputs[0])
    return second - first.inputs[0] if name == "add" and first.op.name == "neg" else None


def _turned(node: Node) -> Node | None:
    """Minus a node in which a difference takes the sign up: ``-(x - y) / n`` is ``(y - x) / n``."""
    if is_op(node, "sub"):
        return node.inputs[1] - node.inputs[0]
    if is_op(node, "mul", "div"):
        for k, factor in enumerate(node.inputs):
            if is_op(factor, "sub"):
                factors = [*node.inputs[:k], factor.inputs[1] - factor.inputs[0], *node.inputs[k + 1 :]]
                return apply(node.op.name, *factors)
            if is_op(factor, "mul", "div") and k == 0:
                turned = _turned(factor)
                return None if turned is None else apply(node.op.name, turned, node.inputs[1])
    return None


def _over_one(node: Node) -> Node | None:
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
    """``(x / y) * y``, ``(x * y) / y`` and ``y / y``, where y is not 0."""
    if is_op(node, "div"):
        product, divisor = node.inputs
        if number(divisor) == 0:
            return None
        if product is divisor:
            return broadcast_to(as_node(np.ones((), node.dtype)), node.shape)
        if is_op(product, "mul"):
            return next((other for factor, other in both_ways(product) if factor is divisor), None)
        return None
    for quotient, factor in both_ways(node):
        if is_op(quotient, "div") and quotient.inputs[1] is factor:
            return quotient.inputs[0]
    return None


def _times_reciprocal(node: Node) -> Node | None:
    """``x * (1 / y)`` is ``x / y``."""
    for inverse, other in both_ways(node):
        if is_op(inverse, "div") and number(inverse.inputs[0]) == 1 and inverse.inputs[1].shape == inverse.shape:
            return other / inverse.inputs[1]
        if is_op(inverse, "reciprocal"):
            return other / inverse.inputs[0]
    return None


def _cancel_inside(node: Node) -> Node | None:
    """``y * (x / y - z)`` is ``x - y * z``."""
    for factor, difference in both_ways(node):
        if is_op(difference, "sub", "add"):
            first, second = difference.inputs
            name = difference.op.name
            if _is_over(first, factor):
                return apply(name, first.inputs[0], factor * second)
            if _is_over(second, factor):
                return apply(name, factor * first, second.inputs[0])
    return None


def _is_over(node: Node, divisor: Node) -> bool:
    return is_op(node, "div") and node.inputs[1] is divisor


def _cancel_terms(node: Node) -> Node | None:
    """``(x + y) - y``, ``(x - y) + y`` and ``x - (x - y)``."""
    if is_op(node, "add"):
        for difference, term in both_ways(node):
            if is_op(difference, "sub") and difference.inputs[1] is term:
                return difference.inputs[0]
        return None
    first, second = node.inputs
    if is_op(first, "add"):
        for term, other in both_ways(first):
            if term is second:
                return other
    if is_op(first, "sub") and first.inputs[0] is second:
        return -first.inputs[1]
    if is_op(second, "sub") and second.inputs[0] is first:
        return second.inputs[1]
    if is_op(second, "add"):
        for term, other in both_ways(second):
            if term is first:
                return -other
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


def _power_one(node: Node) -> Node | None:
    return broadcast_to(node.inputs[0], node.shape) if number(node.inputs[1]) == 1 else None


def _power_zero(node: Node) -> Node | None:
    """``x**0`` is 1 for every x, as in NumPy."""
    return broadcast_to(as_node(np.ones((), node.dtype)), node.shape) if number(node.inputs[1]) == 0 else None


def _root_squared(node: Node) -> Node | None:
    """``sqrt(x)**2`` is x, where x is not negative."""
    root = square_root_of(node)
    return root.inputs[0] if root is not None and is_op(root, "sqrt") else None


def _exponents(node: Node) -> Node | None:
    """``exp(x) * exp(y)`` is ``exp(x + y)``, and a quotient that of the difference."""
    x, y = node.inputs
    if not (is_op(x, "exp") and is_op(y, "exp")):
        return None
    name = "add" if is_op(node, "mul") else "sub"
    return apply("exp", apply(name, x.inputs[0], y.inputs[0]))


def _pythagoras(node: Node) -> Node | None:
    """``sin(x)**2 + cos(x)**2`` is 1."""
    for one, other in both_ways(node):
        sine, cosine = square_root_of(one), square_root_of(other)
        if sine is not None and cosine is not None and is_op(sine, "sin") and is_op(cosine, "cos"):
            same = sine.inputs[0] is cosine.inputs[0]
            return broadcast_to(as_node(np.ones((), node.dtype)), node.shape) if same else None
    return None


def _same_branches(node: Node) -> Node | None:
    return broadcast_to(node.inputs[1], node.shape) if node.inputs[1] is node.inputs[2] else None


def _same_operands(node: Node) -> Node | None:
    return node.inputs[0] if node.inputs[0] is node.inputs[1] else None


def _twice_the_same(node: Node) -> Node | None:
    """What does nothing the second time: ``|(|x|)|`` is ``|x|``."""
    inner = node.inputs[0]
    return inner if inner.op is node.op else None


_NEVER_NEGATIVE = ("square", "exp", "exp2", "sqrt", "relu", "sigmoid", "softplus", "softmax", "cosh")


def _size_of_positive(node: Node) -> Node | None:
    return node.inputs[0] if is_op(node.inputs[0], *_NEVER_NEGATIVE) else None


def _even(node: Node) -> Node | None:
    """``cos(-x)`` is ``cos(x)``."""
    inner = node.inputs[0]
    return apply(node.op.name, inner.inputs[0]) if is_op(inner, "neg") else None


def _odd(node: Node) -> Node | None:
    """``sin(-x)`` is ``-sin(x)``."""
    inner = node.inputs[0]
    return -apply(node.op.name, inner.inputs[0]) if is_op(inner, "neg") else None


ARITHMETIC: tuple[Rule, ...] = (
    Rule("fold", "exact", ("*",), _fold, whole=True),
    Rule("times_one", "stabilising", ("mul",), _times_one, whole=True),
    Rule("times_zero", "exact", ("mul",), _times_zero, whole=True),
    Rule("plus_zero", "exact", ("add", "sub"), _plus_zero, whole=True),
    Rule("signs", "stabilising", ("neg", "add", "sub", "mul", "div"), _signs),
    Rule("even", "stabilising", ("abs", "square", "cos"), _even),
    Rule("odd", "exact", ("sin", "tan", "tanh", "sinh", "asinh", "atan", "erf", "cbrt"), _odd),
    Rule("over_one", "stabilising", ("div",), _over_one, whole=True),
    Rule("pythagoras", "exact", ("add",), _pythagoras),
    Rule("numbers", "exact", ("mul",), _numbers),
    Rule("like_terms", "exact", ("add", "sub"), _like_terms),
    Rule("cancel_terms", "exact", ("add", "sub"), _cancel_terms),
    Rule("cancel", "exact", ("mul", "div"), _cancel),
    Rule("cancel_inside", "exact", ("mul",), _cancel_inside),
    Rule("exponents", "exact", ("mul", "div"), _exponents),
    Rule("common_divisor", "exact", ("mul",), _scalar_last),
    Rule("times_reciprocal", "exact", ("mul",), _times_reciprocal),
    Rule("nested_quotient", "exact", ("div",), _quotient_of_quotient),
    Rule("power_zero", "exact", ("pow",), _power_zero),
    Rule("power_one", "stabilising", ("pow",), _power_one),
    Rule("root_squared", "exact", ("square", "mul", "pow"), _root_squared),
    Rule("idempotent", "stabilising", ("abs", "relu", "floor", "ceil", "round"), _twice_the_same, whole=True),
    Rule("size_of_positive", "stabilising", ("abs",), _size_of_positive),
    Rule("same_branches", "exact", ("where",), _same_branches, whole=True),
    Rule("same_operands", "stabilising", ("maximum", "minimum"), _same_operands, whole=True),
)
