"""What derivatives and simplified graphs were made from: leaves that dropped out on the way are known still.

A side table, since a node holds mathematics alone: ``grad(w * x, w)`` is x, which came from w.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from weakref import WeakKeyDictionary, WeakSet

from graphlearn.graph.node import Node
from graphlearn.graph.traverse import topological

_MADE_FROM: WeakKeyDictionary[Node, WeakSet[Node]] = WeakKeyDictionary()


def remember_origin(made: Iterable[Node], order: Iterable[Node], wrt: Sequence[Node] = ()) -> None:
    """Note what nodes were made from: their own derivative by what they lost on the way is zero, no error.

    Args:
        made: derivatives of an output, or a simpler form of it.
        order: what the output consists of, in topological order.
        wrt: by what it was differentiated.
    """
    nodes = list(order)
    origin = WeakSet([*(n for n in nodes if not n.inputs and n.op.name in ("input", "parameter", "state")), *wrt])
    for node in _known(nodes):
        origin.update(_MADE_FROM[node])
    for node in made:
        known = _MADE_FROM.get(node)
        # Many derivatives share one set: copying it for each would cost their number times that of the leaves.
        _MADE_FROM[node] = origin if known is None else WeakSet([*known, *origin])


def _known(nodes: list[Node]) -> list[Node]:
    """Those that were made from something; a look for each of a million nodes costs more than all of these few."""
    if len(_MADE_FROM) > len(nodes):
        return [node for node in nodes if node.inputs and node in _MADE_FROM]
    return [node for node in set(_MADE_FROM).intersection(nodes) if node.inputs]


def was_made_from(order: Iterable[Node], output: Node, leaf: Node) -> bool:
    """Whether a leaf, or another node by which it was differentiated, dropped out of an output.

    Args:
        order: the output's nodes.
        output: the node that it may have dropped out of.
        leaf: what is sought.
    """
    # A leaf counts only where it is the derivative itself: inside another graph it may stand for its own sake.
    return leaf in _MADE_FROM.get(output, ()) or any(leaf in _MADE_FROM.get(node, ()) for node in order if node.inputs)


def lost_leaves(name: str, roots: Sequence[Node]) -> list[Node]:
    """Leaves of a name that dropped out of a graph.

    Args:
        name: full name.
        roots: outputs of the graph.
    """
    nodes = [node for node in topological(roots) if node.inputs or node in roots]
    return list({w: None for node in nodes for w in _MADE_FROM.get(node, ()) if w.is_leaf and w.full_name == name})
