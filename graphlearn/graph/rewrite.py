"""Rewriting: build a new graph from an old one and say what became of each node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from graphlearn.graph.node import Node, rebuild
from graphlearn.graph.streams import carry_streams
from graphlearn.graph.traverse import topological


def rewrite(roots: Iterable[Node], rule: Callable[[Node], Node | None]) -> dict[Node, Node]:
    """Apply a rule once to every node, inputs first.

    Args:
        roots: outputs of the graph.
        rule: gets a node whose inputs are rewritten already; gives its replacement, or None to keep it.

    Returns:
        old node -> new node, for every node of the graph.
    """
    top = tuple(roots)
    new: dict[Node, Node] = {}
    for node in topological(top):
        fresh = rebuild(node, tuple([new[n] for n in node.inputs]))
        replacement = rule(fresh)
        new[node] = fresh if replacement is None else replacement
    carry_streams(new, top)
    return new


def substitute(roots: Iterable[Node], replacements: Mapping[Node, Node]) -> dict[Node, Node]:
    """Put other nodes in place of some.

    Args:
        roots: outputs of the graph.
        replacements: old node -> node that takes its place; what lies above it is not visited.

    Returns:
        old node -> new node.
    """
    top = tuple(roots)
    new: dict[Node, Node] = {}
    for node in topological(top):
        target = replacements.get(node)
        new[node] = rebuild(node, tuple([new[n] for n in node.inputs])) if target is None else target
    carry_streams(new, top)
    return new
