"""Walks over a graph. Every one is iterative, so depth is bounded by memory and not by Python's stack."""

from __future__ import annotations

import reprlib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

from graphlearn.errors import GraphUseError, NameClashError, UnknownNameError
from graphlearn.graph.kin import kin
from graphlearn.graph.node import Node

_BOUND = ("input", "parameter", "state")  # leaves whose values are given by name


def topological(roots: Iterable[Node]) -> list[Node]:
    """Every ancestor of the roots and the roots themselves, inputs before what uses them.

    The order depends on the graph alone: depth first, operands from left to right.
    """
    return topological_above(roots, frozenset())


def topological_above(roots: Iterable[Node], stop: Collection[Node]) -> list[Node]:
    """As `topological`, but what lies below the nodes of ``stop`` is not visited; they themselves are.

    Args:
        roots: outputs.
        stop: where to stop; a set, since every node is looked up in it.
    """
    order: list[Node] = []
    begun: set[Node] = set()
    stack: list[Node | None] = []
    stack += [*roots][::-1]
    while stack:
        node = stack.pop()
        if node is None:  # all that lies below the next one is there by now
            order.append(stack.pop())  # type: ignore[arg-type]  # pushed below
        elif node not in begun:
            begun.add(node)
            operands = () if node in stop else node.inputs
            if operands:
                stack += (node, None)
                for source in operands[::-1]:
                    if source not in begun:
                        stack.append(source)
            else:
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
    return leaves_in(topological(roots), *kinds)


def leaves_in(order: Iterable[Node], *kinds: str) -> tuple[Node, ...]:
    """`leaves` of a graph whose topological order is known."""
    wanted = kinds or _BOUND
    return tuple([n for n in order if not n.inputs and n.op.name in wanted])


def symbols(*roots: Node) -> dict[str, Node]:
    """Inputs, parameters and states by full name.

    Args:
        roots: one node or several.

    Returns:
        name -> leaf, in topological order.

    Raises:
        NameClashError: two leaves, or two named nodes, bear the same name.
        GraphUseError: something else than nodes.
    """
    return symbols_in(topological(require_nodes(roots, "symbols")))


def symbols_in(order: Iterable[Node]) -> dict[str, Node]:
    """`symbols` of a graph whose topological order is known."""
    found: dict[str, Node] = {}
    for node in order:
        if node.name:
            clash = found.setdefault(node.full_name, node)
            if clash is not node:
                raise _name_clash(clash, node)
    return {name: node for name, node in found.items() if node.is_leaf and node.op.name in _BOUND}


def _name_clash(one: Node, other: Node) -> NameClashError:
    if one.is_leaf and other.is_leaf:
        what, rename = "leaf", "Rename one"
    else:
        what, rename = "node", "Rename one with .named(...)"
    return NameClashError(
        f"a graph needs one {what} per name; got two called {one.full_name!r}: {one!r} and {other!r}. {rename}, or put "
        "it under another gl.scope.",
        nodes=(one, other),
    )


def require_nodes(form: object, what: str) -> tuple[Node, ...]:
    """The nodes of a node or of a sequence of nodes, in which arrays of nodes may stand.

    Args:
        form: what the caller wrote.
        what: for the message.

    Raises:
        GraphUseError: something in it is no node.
    """
    if isinstance(form, Node) or not isinstance(form, Iterable) or isinstance(form, (str, Mapping)):
        nodes: tuple[Any, ...] = (form,)
    else:
        nodes = tuple(form.ravel().tolist()) if isinstance(form, np.ndarray) else tuple(form)
    if any(isinstance(node, np.ndarray) and node.dtype == object for node in nodes):  # what scalarize returns
        nodes = tuple(n for node in nodes for n in (node.ravel().tolist() if isinstance(node, np.ndarray) else [node]))
    for node in nodes:
        if not isinstance(node, Node):
            cure = "Wrap it in gl.constant"
            if isinstance(node, str):
                cure = "gl.symbols(output) has the leaves by name"
            elif hasattr(node, "leaf_values"):
                cure = "A model goes to at=; give one of its nodes, such as model.output or model.loss"
            raise GraphUseError(f"{what} needs a node, or a sequence of nodes; got {reprlib.repr(node)}. {cure}.")
    return nodes


def require_node(form: object, what: str) -> Node:
    """The one node of a node or of a sequence of one.

    Raises:
        GraphUseError: something in it is no node, or there are none or several.
    """
    nodes = require_nodes(form, what)
    if len(nodes) != 1:
        raise GraphUseError(f"{what} needs one node; got {len(nodes)}. Call it for each of them.", nodes=nodes)
    return nodes[0]


def formed_as(form: Any, values: Iterable[Any]) -> Any:
    """Values of nodes in the form in which `require_nodes` was given the nodes.

    Args:
        form: a node, an array of nodes, or a sequence of these.
        values: one for each node, in order.

    Returns:
        The value of a node; an array for an array of nodes; a tuple for a sequence.
    """
    rest = iter(values)

    def formed(part: Any) -> Any:
        if not isinstance(part, np.ndarray):
            return next(rest)
        found = [np.asarray(next(rest)) for _ in range(part.size)]
        return np.array(found).reshape(part.shape + (found[0].shape if found else ()))

    return formed(form) if isinstance(form, (Node, np.ndarray)) else tuple([formed(part) for part in form])


def find_leaf(table: dict[str, Node], key: Node | str, what: str) -> Node | None:
    """The leaf that a key of ``at`` or ``data`` means; None for a node that this graph does not use.

    A leaf whose lengths were fixed is also meant by the one that it was made from.

    Raises:
        UnknownNameError: a string that no leaf bears.
    """
    if isinstance(key, Node):
        leaf = table.get(key.full_name)
        if leaf is key or leaf is None:
            return leaf
        known = kin(leaf)
        return leaf if known is not None and known.place is None and key in known.ancestors else None
    try:
        return table[key]
    except KeyError:
        raise UnknownNameError(
            f"{what} names {key!r}, which the graph does not have. Its names are: {', '.join(table) or '(none)'}."
        ) from None


def depends_on_axis(nodes: Iterable[Node]) -> tuple[str, ...]:
    """Names of the free axes that occur in these nodes' types, in order of appearance."""
    return tuple(dict.fromkeys(name for node in nodes for name in node.type.axis_names))
