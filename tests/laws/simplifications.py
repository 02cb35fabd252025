"""For every rule of simplification, formulas that it must change: what is written, and what must become of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from graphlearn.graph.leaves import constant, parameter
from graphlearn.graph.node import Node, apply
from graphlearn.ops.algebra import GRAPH as m
from graphlearn.ops.intrinsics import log, where
from graphlearn.ops.linear import matmul
from graphlearn.ops.normalised import log_softmax, logsumexp, softmax, softmax_cross_entropy
from graphlearn.ops.reductions import max_, mean, sum_
from graphlearn.ops.shape import broadcast_to, expand_dims, reshape, transpose
from graphlearn.ops.statistics import norm, std, var
from graphlearn.types import Shape

ANY: tuple[Shape, ...] = ((), (3,), (2, 3), ("N", 3))
ROWS: tuple[Shape, ...] = ((2, 3), ("N", 3))
WIDE: tuple[Shape, ...] = ((2, 3),)
SINGLE: tuple[Shape, ...] = ((),)


@dataclass(frozen=True)
class Pattern:
    """A formula that a rule must change.

    Args:
        rule: the rule's name.
        before: what is written, from two positive nodes of one shape.
        after: what must become of it; None where that is not to be fixed.
        shapes: of the two nodes.
    """

    rule: str
    before: Callable[[Node, Node], Node]
    after: Callable[[Node, Node], Node] | None
    shapes: tuple[Shape, ...] = ANY


def _neg(x: Node) -> Node:
    return apply("neg", x)


def _total(x: Node) -> Node:
    return sum_(x, -1, keepdims=True)


A, B = parameter("A", (3, 4)), parameter("B", (4, 2))
A_SHIFT, B_SHIFT = parameter("a", 4), parameter("b", 2)
CONSTANTS = {A: np.linspace(-1, 1, 12).reshape(3, 4), B: np.linspace(0.5, -1, 8).reshape(4, 2)}
CONSTANTS |= {A_SHIFT: np.array([0.1, -0.2, 0.3, 0.4]), B_SHIFT: np.array([1.0, -0.5])}

P = Pattern
PATTERNS: tuple[Pattern, ...] = (
    # --- numbers
    P("fold", lambda x, y: x * (constant(2.0) * 3.0), lambda x, y: x * 6.0),
    P("fold", lambda x, y: x * sum_(constant([1.0, 2.0])), None),
    P("implicit_broadcast", lambda x, y: x * broadcast_to(mean(y), x.shape), lambda x, y: x * mean(y), ROWS),
    P("times_one", lambda x, y: x * 1.0, lambda x, y: x),
    P("times_one", lambda x, y: -1.0 * x, lambda x, y: -x),
    P("times_zero", lambda x, y: x + y * 0.0, lambda x, y: x),
    P("plus_zero", lambda x, y: x + 0.0, lambda x, y: x),
    P("plus_zero", lambda x, y: 0.0 - x, lambda x, y: -x),
    P("over_one", lambda x, y: x / 1.0, lambda x, y: x),
    P("numbers", lambda x, y: (x * 0.5) * (4.0 * y), lambda x, y: 2.0 * (x * y)),
    P("like_terms", lambda x, y: x * y + 2.0 * (x * y), lambda x, y: 3.0 * (x * y)),
    # --- signs and terms
    P("signs", lambda x, y: _neg(-x), lambda x, y: x),
    P("signs", lambda x, y: x + -y, lambda x, y: x - y),
    P("signs", lambda x, y: -x - y, lambda x, y: -(x + y)),
    P("signs", lambda x, y: -x * y, lambda x, y: -(x * y)),
    P("signs", lambda x, y: -((x - m.sin(y)) / y), lambda x, y: (m.sin(y) - x) / y),
    P("signs", lambda x, y: -(y * (x - m.sin(y)) / 2.0), lambda x, y: y * (m.sin(y) - x) / 2.0),
    P("even", lambda x, y: m.cos(-x), lambda x, y: m.cos(x)),
    P("even", lambda x, y: m.abs(-x), lambda x, y: m.abs(x)),
    P("odd", lambda x, y: m.sin(-x), lambda x, y: -m.sin(x)),
    P("odd", lambda x, y: m.tanh(-x) * y, lambda x, y: -(m.tanh(x) * y)),
    P("cancel_terms", lambda x, y: (x + y) - y, lambda x, y: x),
    P("cancel_terms", lambda x, y: (x - y) + y, lambda x, y: x),
    P("cancel_terms", lambda x, y: x - (x - y), lambda x, y: y),
    P("cancel_terms", lambda x, y: (x - y) - x, lambda x, y: -y),
    P("cancel_terms", lambda x, y: x - (y + x), lambda x, y: -y),
    # --- factors and powers
    P("cancel", lambda x, y: x * (y / x), lambda x, y: y),
    P("cancel", lambda x, y: (x * y) / x, lambda x, y: y),
    P("cancel", lambda x, y: m.sin(x) + y / y, None),
    P("times_reciprocal", lambda x, y: x * (1 / y), lambda x, y: x / y, ROWS),
    P("times_reciprocal", lambda x, y: m.reciprocal(x) * y, lambda x, y: y / x),
    P("cancel_inside", lambda x, y: x * (y / x - m.sin(y)), lambda x, y: y - x * m.sin(y)),
    P("cancel_inside", lambda x, y: (m.sin(y) + y / x) * x, lambda x, y: x * m.sin(y) + y),
    P("common_divisor", lambda x, y: (x / 4.0) * y, lambda x, y: x * y / 4.0),
    P("nested_quotient", lambda x, y: x / 2.0 / mean(y), lambda x, y: x / (2.0 * mean(y))),
    P("exponents", lambda x, y: m.exp(x) * m.exp(y), lambda x, y: m.exp(x + y)),
    P("exponents", lambda x, y: m.exp(x) / m.exp(y), lambda x, y: m.exp(x - y)),
    P("power_one", lambda x, y: x**1, lambda x, y: x),
    P("power_zero", lambda x, y: y + x**0, lambda x, y: y + np.ones(())),
    P("root_squared", lambda x, y: m.sqrt(x) * m.sqrt(x), lambda x, y: x),
    P("root_squared", lambda x, y: m.square(m.sqrt(x)), lambda x, y: x),
    P("pythagoras", lambda x, y: y * (m.sin(x) ** 2 + m.square(m.cos(x))), lambda x, y: y),
    P("idempotent", lambda x, y: m.relu(m.relu(x - 1.0)), lambda x, y: m.relu(x - 1.0)),
    P("size_of_positive", lambda x, y: m.abs(m.exp(x)), lambda x, y: m.exp(x)),
    P("same_branches", lambda x, y: where(x > y, m.sin(y), m.sin(y)), lambda x, y: m.sin(y)),
    P("same_operands", lambda x, y: m.maximum(x, x), lambda x, y: x),
    # --- views and sums
    P("double_transpose", lambda x, y: transpose(transpose(x)), lambda x, y: x, ROWS),
    P("transposed_product", lambda x, y: transpose(matmul(transpose(x), transpose(A))), None, ((4, 3),)),
    P("double_reshape", lambda x, y: reshape(reshape(x, 6), (3, 2)), lambda x, y: reshape(x, (3, 2)), WIDE),
    P("reshaped_number", lambda x, y: reshape(broadcast_to(x, (2, 3)), 6), lambda x, y: broadcast_to(x, 6), SINGLE),
    P("double_broadcast", lambda x, y: broadcast_to(expand_dims(broadcast_to(x, (3,)), 0), (2, 3)), None, SINGLE),
    P(
        "double_broadcast", lambda x, y: broadcast_to(broadcast_to(x, (2, 3)), (4, 2, 3)),
        lambda x, y: broadcast_to(x, (4, 2, 3)), SINGLE,
    ),
    P("sum_over_nothing", lambda x, y: sum_(x, ()), lambda x, y: x),
    P("sum_of_sum", lambda x, y: sum_(sum_(x, 1)), lambda x, y: sum_(x), ROWS),
    P("sum_of_sum", lambda x, y: sum_(sum_(x, 0, keepdims=True), 1), None, WIDE),
    P("sum_of_sum", lambda x, y: mean(mean(x, 0)), lambda x, y: mean(x), ROWS),
    P("sums_to_one", lambda x, y: y * sum_(softmax(x), -1, keepdims=True), lambda x, y: y, ((3,), *ROWS)),
    P("sum_of_repeated", lambda x, y: sum_(broadcast_to(x, (4, 2, 3)), 0), lambda x, y: x * 4, WIDE),
    P("sum_of_repeated", lambda x, y: sum_(broadcast_to(_total(x), (2, 3)), 1), None, WIDE),
    P("sum_of_repeated", lambda x, y: mean(broadcast_to(x, (4, 2, 3)), 0), lambda x, y: x, WIDE),
    # --- linear operations
    P("common_factor", lambda x, y: m.sin(x) * x + m.sin(x) * y, lambda x, y: m.sin(x) * (x + y)),
    P("common_factor", lambda x, y: x * m.sin(y) - y * m.sin(y), lambda x, y: m.sin(y) * (x - y)),
    P("common_factor", lambda x, y: 0.5 * x + 0.5 * y, lambda x, y: 0.5 * (x + y)),
    P("common_factor", lambda x, y: x / m.exp(x) + y / m.exp(x), lambda x, y: (x + y) / m.exp(x)),
    P("common_factor", lambda x, y: sum_(mean(x) * x + mean(x) * y), lambda x, y: mean(x) * sum_(x + y), ROWS),
    P("common_factor", lambda x, y: matmul(x, A) - matmul(y, A), lambda x, y: matmul(x - y, A), ROWS),
    P("common_factor", lambda x, y: matmul(A, x) + matmul(A, y), lambda x, y: matmul(A, x + y), ((4, 2),)),
    P("outwards", lambda x, y: sum_(2.0 * x), lambda x, y: 2.0 * sum_(x), ((3,), *ROWS)),
    P("outwards", lambda x, y: mean(-x), lambda x, y: -mean(x), ((3,), *ROWS)),
    P("outwards", lambda x, y: sum_(x / mean(y), -1), lambda x, y: sum_(x, -1) / mean(y), ROWS),
    P("outwards", lambda x, y: transpose(3.0 * x), lambda x, y: 3.0 * transpose(x), ROWS),
    P("outwards", lambda x, y: matmul(-x, A), lambda x, y: -matmul(x, A), ROWS),
    P("linear_collapse", lambda x, y: matmul(matmul(x, A), B), lambda x, y: matmul(x, matmul(A, B)), (*ROWS, (3,))),
    P(
        "linear_collapse", lambda x, y: matmul(matmul(x, A) + A_SHIFT, B) + B_SHIFT,
        lambda x, y: matmul(x, matmul(A, B)) + (matmul(A_SHIFT, B) + B_SHIFT), (*ROWS, (3,)),
    ),
    P(
        "linear_collapse", lambda x, y: matmul(B.T, matmul(A.T, x) + A_SHIFT) + B_SHIFT,
        lambda x, y: matmul(matmul(B.T, A.T), x) + (matmul(B.T, A_SHIFT) + B_SHIFT), ((3,),),
    ),
    P(
        "linear_collapse", lambda x, y: matmul(B.T, matmul(A.T, x) + expand_dims(A_SHIFT, 1)), None, ((3, 5),),
    ),
    P("constants_together", lambda x, y: matmul(x, A) + A_SHIFT + A_SHIFT * A_SHIFT, None, ROWS),
    # --- stable forms
    P("log_softmax", lambda x, y: log(softmax(x)), lambda x, y: log_softmax(x), ROWS),
    P("minus_logsumexp", lambda x, y: x - expand_dims(logsumexp(x), -1), lambda x, y: log_softmax(x), ROWS),
    P("minus_logsumexp", lambda x, y: x - logsumexp(x, 0), lambda x, y: log_softmax(x, 0), ((3,), (2, 3))),
    P("minus_logsumexp", lambda x, y: x - log(_total(m.exp(x))), lambda x, y: log_softmax(x), ROWS),
    P("log_sigmoid", lambda x, y: log(m.sigmoid(x)), lambda x, y: m.log_sigmoid(x)),
    P("log_sigmoid", lambda x, y: log(1 / (1 + m.exp(-x))), lambda x, y: m.log_sigmoid(x)),
    P("log_sigmoid", lambda x, y: log(1 - m.sigmoid(x)), lambda x, y: m.log_sigmoid(-x)),
    P("log_one_minus_sigmoid", lambda x, y: m.log1p(-m.sigmoid(x)), lambda x, y: m.log_sigmoid(-x)),
    P("softplus", lambda x, y: log(1 + m.exp(x)), lambda x, y: m.softplus(x)),
    P("softplus", lambda x, y: m.log1p(m.exp(-x)), lambda x, y: m.softplus(-x)),
    P("logsumexp", lambda x, y: log(sum_(m.exp(x), -1)), lambda x, y: logsumexp(x), ((3,), *ROWS)),
    P("logsumexp", lambda x, y: log(sum_(m.exp(x))), lambda x, y: logsumexp(logsumexp(x), 0), WIDE),
    P("logsumexp", lambda x, y: log(_total(m.exp(x))), lambda x, y: expand_dims(logsumexp(x), -1), ROWS),
    P("log_of_exp", lambda x, y: log(m.exp(x)), lambda x, y: x),
    P("log_of_exp", lambda x, y: m.log1p(m.expm1(x)), lambda x, y: x),
    P("log1p", lambda x, y: log(1 + x * y), lambda x, y: m.log1p(x * y)),
    P("log1p", lambda x, y: log(1 - m.square(m.sin(x))), lambda x, y: m.log1p(-m.square(m.sin(x)))),
    P("sigmoid", lambda x, y: 1 / (1 + m.exp(-x)), lambda x, y: m.sigmoid(x)),
    P("sigmoid", lambda x, y: 1 / (m.exp(x) + 1), lambda x, y: m.sigmoid(-x)),
    P("sigmoid", lambda x, y: m.exp(x) / (1 + m.exp(x)), lambda x, y: m.sigmoid(x)),
    P("times_sigmoid", lambda x, y: x / (1 + m.exp(-x)), lambda x, y: x * m.sigmoid(x)),
    P("times_sigmoid", lambda x, y: 3 / (m.exp(x) + 1), lambda x, y: 3 * m.sigmoid(-x)),
    P("reciprocal_sigmoid", lambda x, y: m.reciprocal(1 + m.exp(-x)), lambda x, y: m.sigmoid(x)),
    P("tanh", lambda x, y: (m.exp(x) - m.exp(-x)) / (m.exp(x) + m.exp(-x)), lambda x, y: m.tanh(x)),
    P("tanh", lambda x, y: m.sinh(x) / m.cosh(x), lambda x, y: m.tanh(x)),
    P("tanh", lambda x, y: m.expm1(2 * x) / (m.exp(2 * x) + 1), lambda x, y: m.tanh(x)),
    P("tanh", lambda x, y: m.expm1(x) / (1 + m.exp(x)), lambda x, y: m.tanh(x / 2.0)),
    P("softmax", lambda x, y: m.exp(x) / _total(m.exp(x)), lambda x, y: softmax(x), ((3,), *ROWS)),
    P("softmax", lambda x, y: m.exp(x) / sum_(m.exp(x), 0), lambda x, y: softmax(x, 0), ((3,), (2, 3))),
    P("softmax", lambda x, y: m.exp(x) / expand_dims(sum_(m.exp(x), 1), 1), lambda x, y: softmax(x), ROWS),
    P("softmax_shift", lambda x, y: softmax(x - max_(x, -1, keepdims=True)), lambda x, y: softmax(x), ROWS),
    P("softmax_shift", lambda x, y: log_softmax(x - max_(x, 0), 0), lambda x, y: log_softmax(x, 0), WIDE),
    P("exp_of_log_softmax", lambda x, y: m.exp(log_softmax(x)), lambda x, y: softmax(x), ROWS),
    P("expm1", lambda x, y: m.exp(x) - 1, lambda x, y: m.expm1(x)),
    P("expm1", lambda x, y: -1 + m.exp(x), lambda x, y: m.expm1(x)),
    P("expm1", lambda x, y: 1 - m.exp(x), lambda x, y: -m.expm1(x)),
    P("one_minus", lambda x, y: 1 - m.sigmoid(x), lambda x, y: m.sigmoid(-x)),
    P("one_minus", lambda x, y: 1 - m.erf(x), lambda x, y: m.erfc(x)),
    P("one_minus", lambda x, y: 1 - m.tanh(x) ** 2, lambda x, y: m.sech2(x)),
    P("root_of_square", lambda x, y: m.sqrt(m.square(x)), lambda x, y: m.abs(x)),
    P("root_of_square", lambda x, y: m.sqrt((x - y) * (x - y)), lambda x, y: m.abs(x - y)),
    P("norm", lambda x, y: m.sqrt(sum_(m.square(x), -1)), lambda x, y: norm(x, axis=-1), ((3,), *ROWS)),
    P("norm", lambda x, y: m.sqrt(sum_(x * x)), lambda x, y: norm(x), ((3,), *ROWS)),
    P("variance", lambda x, y: mean(x**2, -1) - mean(x, -1) ** 2, lambda x, y: var(x, -1), ((3,), *ROWS)),
    P("deviation", lambda x, y: m.sqrt(var(x, -1, ddof=1)), lambda x, y: std(x, -1, ddof=1), ((3,), *ROWS)),
    P("x_log_x", lambda x, y: x * log(x), lambda x, y: m.xlogy(x, x)),
    P(
        "cross_entropy", lambda x, y: -sum_(y * log(softmax(x)), -1),
        lambda x, y: softmax_cross_entropy(x, y), (*ROWS, (3,)),
    ),
    P(
        "cross_entropy", lambda x, y: -mean(sum_(y * log_softmax(x), 1)),
        lambda x, y: mean(softmax_cross_entropy(x, y)), ROWS,
    ),
    P(
        "cross_entropy", lambda x, y: -sum_(y * log_softmax(x)), lambda x, y: sum_(softmax_cross_entropy(x, y)), ROWS,
    ),
    P(
        "binary_cross_entropy", lambda x, y: -(y * log(m.sigmoid(x)) + (1 - y) * log(1 - m.sigmoid(x))),
        lambda x, y: apply("binary_cross_entropy", x, y),
    ),
    P(
        "binary_cross_entropy", lambda x, y: -y * log(m.sigmoid(x)) - (1 - y) * log(1 - m.sigmoid(x)),
        lambda x, y: apply("binary_cross_entropy", x, y),
    ),
)  # fmt: skip
