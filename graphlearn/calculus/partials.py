"""Local derivatives of elementwise operations, and their product with the upstream adjoint."""

from __future__ import annotations

import functools
from typing import Any

from graphlearn.graph.leaves import constant_array
from graphlearn.graph.node import Node, apply, as_node, make
from graphlearn.graph.op import OPS, Op
from graphlearn.graph.rewrite import substitute
from graphlearn.graph.traverse import influenced, topological
from graphlearn.ops.algebra import GRAPH
from graphlearn.ops.formulas import kinds_of_operands, placeholders, stable_graph

Local = Node | float | int | None


def local_partial(node: Node, argument: int, textbook: bool = False) -> Local:
    """Derivative of an elementwise node by one operand.

    Args:
        node: an intrinsic or defined operation.
        argument: which operand.
        textbook: the form that is read instead of the one that is computed, where the op has both.

    Returns:
        A node that broadcasts to the node's shape, a number, or None where there is no derivative.
    """
    op = node.op
    if not op.partials:
        return _derived_partial(node, argument, textbook)
    table = op.textbook if textbook and op.textbook else op.partials
    rule = table[argument]
    return None if rule is None else rule(GRAPH, *node.inputs, node)


def scale(upstream: Node, local: Local) -> Node | None:
    """``upstream * local`` with masks kept outermost, so that the branch not taken cannot make a NaN.

    ``where(c, g, 0) * f'`` becomes ``where(c, g * f', 0)``.
    """
    if isinstance(local, Node):
        if upstream.op.name not in _CHOICES and local.op.name not in _CHOICES:
            return make(OPS["mul"], (upstream, local))
    elif local is None or local in (0, 1):
        return upstream if local else None
    masks = []
    while kept := _kept_branch(upstream):
        masks.append((upstream, kept))
        upstream = upstream.inputs[kept]
    product = _product(upstream, local)
    for mask, kept in reversed(masks):
        product = _masked(mask, kept, product)
    return product


def _product(upstream: Node, local: Node | float) -> Node | None:
    """The same of an upstream without a mask."""
    if not isinstance(local, Node):
        return -upstream if local == -1 else upstream * local
    kept = _kept_branch(local)
    return _masked(local, kept, scale(upstream, _number(local.inputs[kept]))) if kept else upstream * local


_CHOICES = ("where", "guarded")


def _kept_branch(node: Node) -> int:
    """Which operand a choice keeps where it is zero otherwise: ``where(c, x, 0)``; 0 for everything else."""
    if node.op.name == "where":
        return 1 if _is_zero(node.inputs[2]) else 0
    if node.op.name == "guarded":
        return 1 if _is_zero(node.inputs[2]) else 2 if _is_zero(node.inputs[1]) else 0
    return 0


def _is_zero(node: Node) -> bool:
    value = constant_array(node)
    return value is not None and value.shape == () and bool(value == 0)


def _masked(mask: Node, kept: int, inner: Node | None) -> Node | None:
    """The same choice, of another number."""
    return None if inner is None else apply(mask.op, mask.inputs[0], *((inner, 0) if kept == 1 else (0, inner)))


def _number(node: Node) -> Node | float:
    """A weak scalar constant as the number that it is."""
    value = constant_array(node)
    return float(value) if value is not None and node.type.weak else node


@functools.lru_cache(maxsize=1024)
def _scalar_derivative(op: Op, arity: int, argument: int, textbook: bool) -> tuple[tuple[Node, ...], Node | float]:
    """The derivative of a formula over scalar placeholders, real or truths, which the operands then replace."""
    formula = op.formula
    if formula is None:
        raise TypeError(f"elementwise op {op.name} has neither partials nor formula")
    slots, order, _ = ((), [], False) if textbook else stable_graph(formula, arity)
    if not order:
        slots = placeholders(kinds_of_operands(formula, arity))
        order = topological([as_node(formula(GRAPH, *slots))])
    result = order[-1]
    active = influenced(order, [slots[argument]])
    adjoints: dict[Node, Any] = {result: 1.0} if result in active else {}
    for node in reversed(order):
        upstream = adjoints.get(node)
        if upstream is None or not node.op.is_elementwise:
            continue
        for k, operand in enumerate(node.inputs):
            if operand in active:
                share = scale(as_node(upstream), local_partial(node, k, textbook))
                if share is not None:
                    adjoints[operand] = share if operand not in adjoints else adjoints[operand] + share
    return slots, adjoints.get(slots[argument], 0.0)


def _derived_partial(node: Node, argument: int, textbook: bool) -> Local:
    slots, derivative = _scalar_derivative(node.op, len(node.inputs), argument, textbook)
    if not isinstance(derivative, Node):
        return derivative
    return substitute([derivative], dict(zip(slots, node.inputs, strict=True)))[derivative]
