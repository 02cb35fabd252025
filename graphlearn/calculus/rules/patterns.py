"""What the rules look for in a node: numbers, squares, sums along one axis. Nothing here makes a replacement."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from graphlearn.graph.leaves import constant_array
from graphlearn.graph.node import Node, make
from graphlearn.types import reduce_shape

Rewriter = Callable[[Node], Node | None]


class Rule(NamedTuple):
    """One rule of simplification.

    Args:
        name: its id; `graphlearn.render` has a sentence for it in each language.
        kind: ``"exact"`` or ``"stabilising"``.
        ops: the operations at which it may apply; ``"*"`` for all.
        rewrite: gives the replacement of a node, or None.
        whole: whether it holds for arrays of whole numbers too, which may leave their range on the way.
    """

    name: str
    kind: str
    ops: tuple[str, ...]
    rewrite: Rewriter
    whole: bool = False

    def apply(self, node: Node) -> Node | None:
        """The replacement, of the node's shape, dtype, name and scope; None where the rule does not apply."""
        if not self.whole and not _is_real(node):
            return None
        new = self.rewrite(node)
        if new is None or new is node or new.shape != node.shape or new.dtype != node.dtype:
            return None
        if not self.whole and (not _is_real(new) or _saturates(new)):
            return None
        if not node.name or new.is_leaf:
            return new
        return make(new.op, new.inputs, new.attrs, name=node.name, scope=node.scope)


def _is_real(node: Node) -> bool:
    """Whether no operand is an array of whole numbers."""
    return all(n.type.is_float or n.type.weak or n.dtype == "bool" for n in node.inputs)


def _saturates(node: Node) -> bool:
    """Whether truths are added or multiplied within: True + True is True, so nothing linear may be moved past that."""
    within = [*node.inputs, *(n for operand in node.inputs for n in operand.inputs)]
    return any(n.dtype == "bool" and n.op.name in ("add", "mul", "matmul") for n in within)


def number(node: Node) -> float | None:
    """The value of a constant of one number, once or repeated; None for anything else.

    What takes its place must be of the node's shape: an array of ones is as long as it is.
    """
    value = constant_array(unspread(node))
    if value is None or value.size == 0:
        return None
    first = value.flat[0]
    return float(first) if value.ndim == 0 or (value == first).all() else None


def unspread(node: Node) -> Node:
    """The array that is repeated."""
    while node.op.name == "broadcast_to":
        node = node.inputs[0]
    return node


def both_ways(node: Node) -> Iterator[tuple[Node, Node]]:
    """The two operands in either order."""
    x, y = node.inputs
    yield x, y
    yield y, x


def is_op(node: Node, *names: str) -> bool:
    """Whether a node is made by one of these operations."""
    return node.op.name in names


def one_plus(node: Node) -> Node | None:
    """The x of ``1 + x``, where it has the sum's shape."""
    if is_op(node, "add"):
        for one, other in both_ways(node):
            if number(one) == 1 and other.shape == node.shape:
                return other
    return None


def one_minus(node: Node) -> Node | None:
    """The x of ``1 - x``, where it has the difference's shape."""
    if is_op(node, "sub") and number(node.inputs[0]) == 1 and node.inputs[1].shape == node.shape:
        return node.inputs[1]
    return None


def square_root_of(node: Node) -> Node | None:
    """The x of ``x**2``, however it is written."""
    if is_op(node, "square"):
        return node.inputs[0]
    if is_op(node, "pow") and number(node.inputs[1]) == 2 and node.inputs[0].shape == node.shape:
        return node.inputs[0]
    return node.inputs[0] if is_op(node, "mul") and node.inputs[0] is node.inputs[1] else None


def opposite(x: Node, y: Node) -> bool:
    """Whether one of two nodes is minus the other."""
    return (is_op(x, "neg") and x.inputs[0] is y) or (is_op(y, "neg") and y.inputs[0] is x)


def along_one_axis(node: Node, op: str) -> tuple[Node, int] | None:
    """Operand and axis of a reduction along one axis that is kept, so that it broadcasts against its operand.

    Args:
        node: the reduction by ``keepdims=True``, by a reshape, or of an array of rank 1.
        op: ``"sum"``, ``"max"`` or ``"logsumexp"``.
    """
    node = unspread(node)
    inner = node.inputs[0] if is_op(node, "reshape") else node
    if not is_op(inner, op):
        return None
    axis = inner.attr("axis")
    axes = (axis,) if isinstance(axis, int) else axis
    operand = inner.inputs[0]
    if len(axes) != 1:
        return None
    kept = reduce_shape(operand.shape, axes, keepdims=True)
    while kept and kept != node.shape and kept[0] == 1:
        kept = kept[1:]  # leading axes of length 1 may be left out: they broadcast by themselves
    return (operand, axes[0]) if kept == node.shape else None


def has_entries(node: Node, *axes: int) -> bool:
    """Whether an array surely has entries along these axes: their largest is asked for, which nothing has not."""
    lengths = [node.shape[axis] for axis in axes]
    return all(isinstance(length, int) and length > 0 for length in lengths)


def needs_data(node: Node) -> bool:
    """Whether a node depends on an input, whose values change from call to call."""
    stack, seen = [node], {node}
    while stack:
        top = stack.pop()
        if is_op(top, "input"):
            return True
        fresh = [n for n in top.inputs if n not in seen]
        seen.update(fresh)
        stack.extend(fresh)
    return False
