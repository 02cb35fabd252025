"""Walks over a graph. Every one is iterative, so depth is bounded by memory and not by Python's stack."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from graphlearn.errors import NameClashError, UnknownNameError
from graphlearn.graph.node import Node


def topological(roots: Iterable[Node]) -> list[Node]:
    """Every ancestor of the roots and the roots themselves, inputs before what uses them.

    The order depends on the graph alone: depth first, operands from left to right.
    """
    order: list[Node] = []
    done: set[Node] = set()
    stack: list[Node] = list(roots)[::-1]
    while stack:
        node = stack.pop()
        if node in done:
            continue
        for source in node.inputs:
            if source not in done:
                stack.append(node)
                stack.extend(node.inputs[::-1])
                break
        else:
            done.add(node)
            order.append(node)
    return order


def topological_above(roots: Iterable[Node], stop: Collection[Node]) -> list[Node]:
    """As `topological`, but what lies below the nodes of ``stop`` is not visited; they themselves are.

    Args:
        roots: outputs.
        stop: where to stop; a set, since every node is looked up in it.
    """
    order: list[Node] = []
    done: set[Node] = set()
    stack: list[Node] = list(roots)[::-1]
    while stack:
        node = stack.pop()
        if node in done:
            continue
        waiting = () if node in stop else tuple([n for n in node.inputs if n not in done])
        if waiting:
            stack.append(node)
            stack.extend(waiting[::-1])
        else:
            done.add(node)
            order.append(node)
    return order


def influenced(order: Iterable[Node], sources: Iterable[Node]) -> set[Node]:
    """The nodes of a topological order that depend on a source; sources included."""
    reached = set(sources)
    for node in order:
        if node not in reached and not reached.isdisjoint(node.inputs):
            reached.add(node)
    return reached


def consumers(order: Iterable[Node]) -> dict[Node, list[tuple[Node, int]]]:
    """For each node the (consumer, argument number) pairs that use it, in topological order."""
    uses: dict[Node, list[tuple[Node, int]]] = {}
    for node in order:
        uses.setdefault(node, [])
        for k, source in enumerate(node.inputs):
            uses[source].append((node, k))
    return uses


def leaves(roots: Iterable[Node], *kinds: str) -> tuple[Node, ...]:
    """Inputs, parameters and states (or the given kinds), in topological order."""
    wanted = kinds or ("input", "parameter", "state")
    return tuple(n for n in topological(roots) if n.is_leaf and n.op.name in wanted)


def symbols(*roots: Node) -> dict[str, Node]:
    """Inputs, parameters and states by full name.

    Args:
        roots: one node or several.

    Returns:
        name -> leaf, in topological order.

    Raises:
        NameClashError: two leaves bear the same name.
    """
    found: dict[str, Node] = {}
    for leaf in leaves(roots):
        clash = found.setdefault(leaf.full_name, leaf)
        if clash is not leaf:
            raise NameClashError(
                f"a graph needs one leaf per name; got two called {leaf.full_name!r}: {clash!r} and {leaf!r}. Rename "
                "one, or put it under another gl.scope.",
                nodes=(clash, leaf),
            )
    return found


def find_leaf(table: dict[str, Node], key: Node | str, what: str) -> Node | None:
    """The leaf that a key of ``at`` or ``data`` means; None for a node that this graph does not use.

    Raises:
        UnknownNameError: a string that no leaf bears.
    """
    if isinstance(key, Node):
        return key if table.get(key.full_name) is key else None
    try:
        return table[key]
    except KeyError:
        raise UnknownNameError(
            f"{what} names {key!r}, which the graph does not have. Its names are: {', '.join(table) or '(none)'}."
        ) from None


def depends_on_axis(nodes: Iterable[Node]) -> tuple[str, ...]:
    """Names of the free axes that occur in these nodes' types, in order of appearance."""
    return tuple(dict.fromkeys(name for node in nodes for name in node.type.axis_names))
