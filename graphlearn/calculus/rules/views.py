"""Rules of views and sums: transposes, reshapes, broadcasts and reductions of one another."""

from __future__ import annotations

import numpy as np

from graphlearn.calculus.rules.patterns import Rule, is_op
from graphlearn.graph.node import Node, as_node, make
from graphlearn.ops.linear import matmul
from graphlearn.ops.reductions import mean, sum_
from graphlearn.ops.shape import broadcast_to, element_count, reshape, transpose


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


def _transposed_product(node: Node) -> Node | None:
    """``(A.T @ B.T).T`` is ``B @ A``."""
    product = node.inputs[0]
    if not is_op(product, "matmul") or node.ndim != 2:
        return None
    left, right = product.inputs
    if not (is_op(left, "transpose") and is_op(right, "transpose")):
        return None
    return matmul(right.inputs[0], left.inputs[0])


def _sum_of_sum(node: Node) -> Node | None:
    """A sum of sums is one sum over the axes of both; a mean of means likewise."""
    inner = node.inputs[0]
    if inner.op is not node.op:
        return None
    operand = inner.inputs[0]
    gone = set(inner.attr("axis"))
    left = [k for k in range(operand.ndim) if inner.attr("keepdims") or k not in gone]
    axes = sorted(gone | {left[k] for k in node.attr("axis")})
    joined = sum_(operand, axes) if is_op(node, "sum") else mean(operand, axes)
    return reshape(joined, node.shape)


def _sum_over_nothing(node: Node) -> Node | None:
    return node.inputs[0] if node.attr("axis") == () else None


def _sum_of_repeated(node: Node) -> Node | None:
    """The sum over axes along which an array was repeated is the array times their length."""
    spread = node.inputs[0]
    if not is_op(spread, "broadcast_to"):
        return None
    operand = spread.inputs[0]
    new = spread.ndim - operand.ndim
    axes = node.attr("axis")
    if any(k >= new and operand.shape[k - new] != 1 for k in axes):
        return None
    if is_op(node, "mean"):
        return broadcast_to(_reduced(operand, new, node), node.shape)
    return broadcast_to(_reduced(operand, new, node) * element_count([spread.shape[k] for k in axes]), node.shape)


def _reduced(operand: Node, new: int, node: Node) -> Node:
    """The operand without the axes of length 1 that the reduction removes."""
    if node.attr("keepdims"):
        return operand
    gone = {k - new for k in node.attr("axis")}
    return reshape(operand, tuple(d for k, d in enumerate(operand.shape) if k not in gone))


def _sums_to_one(node: Node) -> Node | None:
    """The entries of a softmax add up to 1 along its axis."""
    inner = node.inputs[0]
    if not is_op(inner, "softmax") or node.attr("axis") != (inner.attr("axis"),):
        return None
    return broadcast_to(as_node(np.ones((), node.dtype)), node.shape)


BROADCASTS: tuple[Rule, ...] = (Rule("implicit_broadcast", "exact", ("*",), _implicit_broadcast, whole=True),)
VIEWS: tuple[Rule, ...] = (
    Rule("double_transpose", "stabilising", ("transpose",), _transpose_twice, whole=True),
    Rule("transposed_product", "exact", ("transpose",), _transposed_product),
    Rule("double_reshape", "stabilising", ("reshape",), _reshape_twice, whole=True),
    Rule("reshaped_number", "stabilising", ("reshape",), _reshaped_number, whole=True),
    Rule("double_broadcast", "stabilising", ("broadcast_to",), _broadcast_twice, whole=True),
    Rule("sum_over_nothing", "stabilising", ("sum", "mean"), _sum_over_nothing, whole=True),
    Rule("sum_of_sum", "exact", ("sum", "mean"), _sum_of_sum, whole=True),
    Rule("sums_to_one", "exact", ("sum",), _sums_to_one),
    Rule("sum_of_repeated", "exact", ("sum", "mean"), _sum_of_repeated),
)
