"""Masks of derivatives: where a `where` takes the other branch, no number of the branch not taken is multiplied in.

A mask is a condition outside of which the adjoint of a node is 0 by construction. It is born at a `where`, handed down
with the adjoints, and kept around the products with numbers that may be infinite or NaN: 0 times these is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from graphlearn.calculus.edges import unsafe_nodes
from graphlearn.calculus.partials import Local
from graphlearn.graph.leaves import constant_array
from graphlearn.graph.node import Node, apply, make
from graphlearn.ops.reach import any_over
from graphlearn.types import Shape

Adjoint = Callable[[Node, Node], Sequence[Node | None]]


class Mask(NamedTuple):
    """What is known of a share of an adjoint.

    Args:
        condition: outside of it the share is 0; None: it may be anything everywhere.
        written: whether the share is written ``where(condition, ..., 0)``, so that products go inside.
        added: whether numbers of the branch not taken were kept out in making it, which a reader will ask about.
    """

    condition: Node | None = None
    written: bool = False
    added: bool = False


NONE = Mask()


class Masks:
    """The masks of the nodes of a graph, as far as its adjoints are found.

    Only nodes that may be infinite or NaN, or have such a derivative, are masked; all others stay as they are.

    Args:
        order: topological order of the graph.
    """

    def __init__(self, order: Sequence[Node]) -> None:
        self._unsafe = unsafe_nodes(order) if any(node.op.name == "where" for node in order) else set()
        self._safe = set(order) - self._unsafe if self._unsafe else set()
        self._known: dict[Node, Mask] = {}
        self.any = bool(self._unsafe)  # whether anything is masked

    def watches(self, node: Node) -> bool:
        """Whether the shares of a node's operands are to be masked."""
        return node in self._unsafe and (node.op.name == "where" or self._known[node].condition is not None)

    def arrive(self, node: Node, share: Node, mask: Mask) -> None:
        """Note that a share reached a node; the share has its shape, or one that it was repeated to."""
        if node not in self._unsafe:
            return
        condition = None if mask.condition is None else _narrowed(mask.condition, node.shape)
        if node in self._known:
            known = self._known[node].condition
            self._known[node] = Mask(None if known is None or condition is None else _either(known, condition))
        else:
            self._known[node] = Mask(condition, mask.written and share.type == node.type)

    def product(self, node: Node, upstream: Node, local: Local, share: Node) -> tuple[Node, Mask]:
        """The share of an operand of a watched elementwise node.

        Args:
            node: the operation.
            upstream: its adjoint.
            local: its derivative by the operand.
            share: their product, as it is without masks.
        """
        condition, written, _ = mask = self._known[node]
        if node.op.name == "where" and isinstance(local, Node):
            own = local.inputs[0]
            if condition is None:
                return share, Mask(own, True)
            # Conditions one inside the other are one, or chains of them would grow with each further operation.
            both = apply("logical_and", condition, own)
            inside = written and upstream.op.name == "where" and upstream.inputs[0] is condition
            return _where(both, upstream.inputs[1] if inside else upstream), Mask(both, True)
        if condition is None or written or not isinstance(local, Node) or self._is_safe(local):
            return share, mask
        return _where(condition, share), Mask(condition, True, True)

    def shares(self, node: Node, upstream: Node, adjoint: Adjoint) -> list[tuple[Node, Mask] | None]:
        """The shares of the operands of a watched node that is not elementwise, by an adjoint of its operation."""
        condition = self._known[node].condition
        if condition is None:
            return []
        conditions = _needed(node, condition)
        factors = "values" if node.op.reach is None else node.op.reach.factors
        shares = adjoint(self._masked(node, conditions) if factors == "operands" else node, upstream)
        found: list[tuple[Node, Mask] | None] = []
        for k, (share, own) in enumerate(zip(shares, conditions, strict=True)):
            if share is None or own is None:
                found.append(None)
            elif factors == "values":
                found.append((_where(_narrowed(own, share.shape), share), Mask(own, True, True)))
            else:
                others = node.inputs[:k] + node.inputs[k + 1 :]
                added = factors == "operands" and any(n in self._unsafe for n in others)
                found.append((share, Mask(own, added=added)))
        return found

    def _masked(self, node: Node, conditions: Sequence[Node | None]) -> Node:
        """A product whose operands are 0 where the result does not need them."""
        operands = [
            _where(_narrowed(own, x.shape), x) if own is not None and x in self._unsafe else x
            for x, own in zip(node.inputs, conditions, strict=True)
        ]
        return make(node.op, tuple(operands), node.attrs)

    def _is_safe(self, local: Node) -> bool:
        value = constant_array(local)
        return local in self._safe if value is None else True


def _where(condition: Node, node: Node) -> Node:
    return apply("where", condition, node, 0)


def _needed(node: Node, condition: Node) -> list[Node | None]:
    """For each operand the entries that the result needs where a condition holds; None: it has no derivative."""
    whole = any_over(condition, range(condition.ndim))
    everywhere = apply("reshape", whole, shape=()) if whole.ndim else whole
    if condition.ndim == 0 or node.op.reach is None:
        return [everywhere if x.type.is_float else None for x in node.inputs]
    return list(node.op.reach.needed(node, condition))


def _narrowed(condition: Node, shape: Shape) -> Node:
    """A condition on an array that was repeated: whether it holds for some copy. It broadcasts to the array's shape."""
    extra = max(0, condition.ndim - len(shape))
    lead = len(shape) - condition.ndim + extra
    repeated = [k for k in range(condition.ndim) if k < extra or shape[k - extra + lead] == 1]
    found = any_over(condition, repeated)
    return apply("reshape", found, shape=found.shape[extra:]) if extra else found


def _either(a: Node, b: Node) -> Node | None:
    """Where one of two conditions holds; None where that is everywhere."""
    if a is b or _is_part(b, a):
        return a
    if _is_part(a, b):
        return b
    if _are_opposite(a, b):
        return None
    if (
        a.op.name == b.op.name == "logical_and"
        and a.inputs[0] is b.inputs[0]
        and _are_opposite(a.inputs[1], b.inputs[1])
    ):
        return a.inputs[0]
    return apply("logical_or", a, b)


def _is_part(a: Node, b: Node) -> bool:
    """Whether one condition is made of another one and more."""
    return a.op.name == "logical_and" and b in a.inputs


def _are_opposite(a: Node, b: Node) -> bool:
    return (a.op.name == "logical_not" and a.inputs[0] is b) or (b.op.name == "logical_not" and b.inputs[0] is a)
