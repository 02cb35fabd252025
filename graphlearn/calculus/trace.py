"""`Trace`: what differentiation did, as data. Nodes and rule ids only: never text, never values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from graphlearn.graph.node import Node


class Step(NamedTuple):
    """One use of a rule.

    Args:
        rule: ``"seed"``, ``"chain.<op>"``, ``"unbroadcast"``, ``"accumulate"`` or ``"simplify.<rule>"``.
        node: the forward node whose adjoint this step works on.
        consumer: for a chain step, the node that uses ``node``; else None.
        argument: for a chain step, which operand of the consumer ``node`` is.
        contributions: nodes that enter: the upstream adjoint; the array to be summed; the shares to be added; the
            expression before simplification.
        local: for an elementwise chain step, the local derivative as it is read (a node), else None.
        result: the node that comes out.
        masked: for a chain step, whether numbers of a branch that is not taken were kept out of its product.
    """

    rule: str
    node: Node
    consumer: Node | None
    argument: int | None
    contributions: tuple[Node, ...]
    local: Node | None
    result: Node
    masked: bool = False


class Trace(NamedTuple):
    """A differentiated graph.

    Args:
        output: the scalar that was differentiated.
        wrt: what it was differentiated by.
        gradients: w -> node of the type of w.
        adjoints: forward node -> its adjoint, for every node on a path from ``wrt`` to ``output``.
        steps: each use of a rule, in the order of the backward pass; empty if they were not recorded.
    """

    output: Node
    wrt: tuple[Node, ...]
    gradients: Mapping[Node, Node]
    adjoints: Mapping[Node, Node]
    steps: tuple[Step, ...] = ()
