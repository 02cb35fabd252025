"""What derivatives and simplified graphs were made from: leaves that dropped out on the way are known still.

A side table, since a node holds mathematics alone: ``grad(w * x, w)`` is x, which came from w.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any
from weakref import WeakKeyDictionary, ref

from graphlearn.graph.node import Node
from graphlearn.graph.traverse import topological
from graphlearn.types import ArrayType, Shape


class _Source(ref[Node]):
    """What something was made from, weakly: that may have been made from this in turn, and both would live for ever.

    Of a leaf it keeps the name and the type, which are asked for when Python has freed it.
    """

    __slots__ = ("name", "type")

    name: str
    type: ArrayType

    def __new__(cls, node: Node) -> _Source:
        self = super().__new__(cls, node)
        self.name = node.full_name if node.is_leaf else ""
        self.type = node.type
        return self


_EXPLAINED = 4096  # nodes of a graph whose code somebody may read
# Gradient -> what was differentiated, and by what.
_DERIVED: WeakKeyDictionary[Node, tuple[Callable[[], Node | None], ref[Node]]] = WeakKeyDictionary()
_MADE_FROM: WeakKeyDictionary[Node, frozenset[_Source]] = WeakKeyDictionary()


def remember_origin(made: Iterable[Node], order: Iterable[Node], wrt: Sequence[Node] = ()) -> None:
    """Note what nodes were made from: their own derivative by what they lost on the way is zero, no error.

    Args:
        made: derivatives of an output, or a simpler form of it.
        order: what the output consists of, in topological order.
        wrt: by what it was differentiated.
    """
    nodes = list(order)
    new = [*(n for n in nodes if not n.inputs and n.op.name in ("input", "parameter", "state")), *wrt]
    origin = _merged([_Source(n) for n in new], *(_MADE_FROM[node] for node in _known(nodes)))
    for node in made:
        known = _MADE_FROM.get(node)
        # Many derivatives share one set: copying it for each would cost their number times that of the leaves.
        _MADE_FROM[node] = origin if known is None else _merged(known, origin)


def _merged(*sources: Iterable[_Source]) -> frozenset[_Source]:
    """All sources; of freed leaves that are alike only one, so that what is made again and again stays small."""
    kept: dict[object, _Source] = {}
    for source in chain.from_iterable(sources):
        if source() is not None:
            kept[source] = source
        elif source.name:
            kept[source.name, source.type] = source
    return frozenset(kept.values())


def _known(nodes: list[Node]) -> list[Node]:
    return [node for node in _among(_MADE_FROM, nodes) if node.inputs]


def _among(table: WeakKeyDictionary[Node, Any], nodes: Sequence[Node]) -> list[Node]:
    """The nodes of a table; a look for each of a million nodes costs more than all of these few."""
    if len(table) > len(nodes):
        return [node for node in nodes if node in table]
    return list(set(table).intersection(nodes))


def was_made_from(order: Iterable[Node], output: Node, leaf: Node) -> bool:
    """Whether a leaf, or another node by which it was differentiated, dropped out of an output.

    Args:
        order: the output's nodes.
        output: the node that it may have dropped out of.
        leaf: what is sought.
    """
    # A leaf counts only where it is the derivative itself: inside another graph it may stand for its own sake.
    sought = ref(leaf)
    return sought in _MADE_FROM.get(output, ()) or any(
        sought in _MADE_FROM.get(node, ()) for node in order if node.inputs
    )


def lost_shapes(name: str, roots: Sequence[Node]) -> list[Shape]:
    """The shapes of leaves of a name that dropped out of a graph, whether or not Python has freed them since.

    Args:
        name: full name.
        roots: outputs of the graph.
    """
    nodes = [node for node in topological(roots) if node.inputs or node in roots]
    found = {s.type.shape: None for node in nodes for s in _MADE_FROM.get(node, ()) if s.name == name}
    return sorted(found, key=str)


def remember_derivatives(output: Node, gradients: Mapping[Node, Node], order: Sequence[Node]) -> None:
    """Note what gradients are derivatives of, for what explains code that computes them.

    What was differentiated lives as long as its gradients where these have all its leaves, so that no leaf is kept
    alive by a graph without it. One that holds gradients itself is only known while somebody else has it: two such
    could keep each other alive for ever.

    Args:
        output: what was differentiated.
        gradients: by what -> its gradient. Numbers, leaves and parts of the output are passed over: they stand in other
            graphs for their own sake.
        order: what the output consists of, in topological order; of a huge graph nothing is noted.
    """
    if len(order) > _EXPLAINED:
        return
    parts = set(order)
    made = {wrt: g for wrt, g in gradients.items() if g.inputs and g not in parts and wrt in parts}
    own = {node for node in order if node.is_leaf and node.op.name != "constant"}
    whole = not _among(_DERIVED, order) and own.issubset(topological(made.values()))
    kept = (lambda: output) if whole else ref(output)
    for wrt, gradient in made.items():
        _DERIVED[gradient] = kept, ref(wrt)


def derivatives_among(order: Iterable[Node]) -> dict[Node, tuple[Node, ...]]:
    """What was differentiated to make some nodes of a graph, as far as Python has not freed it.

    Args:
        order: the nodes of the graph.

    Returns:
        output -> by what.
    """
    nodes = list(order)
    found: dict[Node, dict[Node, None]] = {}
    among = set(_among(_DERIVED, nodes))
    for gradient in (node for node in nodes if node in among):
        output, wrt = (kept() for kept in _DERIVED[gradient])
        if output is not None and wrt is not None:
            found.setdefault(output, {})[wrt] = None
    return {output: tuple(by) for output, by in found.items()}
