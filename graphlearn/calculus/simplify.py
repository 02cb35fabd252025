"""Recorded simplification: a new graph, and which rule made which node of which."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from graphlearn.calculus.rules import RULES, Rule
from graphlearn.graph.node import Node, rebuild
from graphlearn.graph.scope import no_scope
from graphlearn.graph.traverse import topological_above

_PASSES = 32  # applications of rules at one node; each makes the expression smaller, so few are ever needed


@dataclass(frozen=True)
class Rewrite:
    """One application of a rule: ``rule`` made ``new`` of ``old``."""

    rule: str
    kind: str
    old: Node
    new: Node


@dataclass(frozen=True)
class Simplified:
    """A simplified graph.

    Args:
        mapping: old node -> new node.
        rewrites: every application of a rule, in order.
    """

    mapping: dict[Node, Node]
    rewrites: tuple[Rewrite, ...]


def rewrite_graph(
    roots: Iterable[Node], *, kinds: Sequence[str] = ("exact", "stabilising"), keep: Iterable[Node] = ()
) -> Simplified:
    """Simplify a graph, inputs first, until no rule applies.

    Args:
        roots: outputs.
        kinds: which rules may be used.
        keep: nodes that stay as they are, such as those that a derivation refers to by name; what lies below them is
            not visited.

    Returns:
        The new graph and how it came about. Every new node has the shape and dtype of the old one.
    """
    rules = [rule for rule in RULES if rule.kind in kinds]
    fixed = keep if isinstance(keep, (set, frozenset)) else set(keep)  # a large set is not copied for each small graph
    mapping: dict[Node, Node] = {}
    done: dict[Node, Node] = {}
    rewrites: list[Rewrite] = []
    with no_scope():
        for node in topological_above(roots, fixed):
            if node in fixed:
                mapping[node] = done[node] = node
                continue
            fresh = rebuild(node, tuple([mapping[n] for n in node.inputs]))
            mapping[node] = fresh if fresh.is_leaf else _settle(fresh, rules, done, rewrites)
    return Simplified(mapping, tuple(rewrites))


def _settle(node: Node, rules: Sequence[Rule], done: dict[Node, Node], rewrites: list[Rewrite]) -> Node:
    """Apply rules at one node, and at the nodes that they make, until none applies."""
    if node in done:
        return done[node]
    start = node
    for _ in range(_PASSES):
        found = _apply_one(node, rules)
        if found is None:
            break
        rule, new = found
        rewrites.append(Rewrite(rule.name, rule.kind, node, new))
        # A replacement may hold new nodes below its top, to which rules apply as well.
        settled = tuple([n if n.is_leaf or n in done else _settle(n, rules, done, rewrites) for n in new.inputs])
        node = rebuild(new, settled)
    done[start] = node
    done[node] = node
    return node


def _apply_one(node: Node, rules: Sequence[Rule]) -> tuple[Rule, Node] | None:
    for rule in rules:
        if node.op.name in rule.ops or "*" in rule.ops:
            new = rule.rewrite(node)
            if new is not None and new is not node and new.shape == node.shape and new.dtype == node.dtype:
                return rule, new.named(node.name) if node.name and not new.is_leaf else new
    return None


def simplify(node: Node) -> Node:
    """An equal graph (in exact arithmetic) that is shorter to read.

    Args:
        node: output of any shape.

    Returns:
        A node of the same shape and dtype. `rewrite_graph` also tells which rules were used.
    """
    return rewrite_graph([node]).mapping[node]
