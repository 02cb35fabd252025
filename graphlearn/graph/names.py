"""`Names`: one name for one thing. The same table serves derivations, diagrams, generated code and errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from graphlearn.errors import UnknownNameError
from graphlearn.graph.node import Node
from graphlearn.graph.origin import derivatives_among
from graphlearn.graph.traverse import symbols, topological


class Names:
    """The name of every node of a graph.

    Leaves and named nodes keep their full name; unnamed inner nodes are numbered ``t1``, ``t2``, ... in topological
    order; constants have none.

    Args:
        roots: outputs of the graph.
        known: names that unnamed nodes have from the graph that this one was made of; no other node gets one of them.

    Raises:
        NameClashError: two different nodes bear the same name.
    """

    def __init__(self, roots: Iterable[Node], known: Mapping[Node, str] | None = None) -> None:
        outputs = tuple(roots)
        symbols(*outputs)  # refuses two nodes of one name
        known = known or {}
        taken = set(known.values())
        self._names: dict[Node, str] = {}
        self._nodes: dict[str, Node] = {}
        unnamed = []
        for node in topological(outputs):
            if node.full_name or node in known:
                self._enter(node, node.full_name or known[node])
            elif node.op.name != "constant":
                unnamed.append(node)
        number = 0
        for node in unnamed:
            number += 1
            while f"t{number}" in self._nodes or f"t{number}" in taken:
                number += 1
            self._enter(node, f"t{number}")

    def _enter(self, node: Node, name: str) -> None:
        self._nodes[name] = node
        self._names[node] = name

    def __getitem__(self, node: Node) -> str:
        return self._names[node]

    def __contains__(self, node: object) -> bool:
        return node in self._names

    def __iter__(self) -> Iterator[Node]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def get(self, node: Node, default: str = "") -> str:
        """The name, or ``default`` for a node without one."""
        return self._names.get(node, default)

    def node(self, name: str) -> Node:
        """The node of this name.

        Raises:
            UnknownNameError: the graph has no such name.
        """
        try:
            return self._nodes[name]
        except KeyError:
            raise UnknownNameError(f"the graph has no {name!r}. Its names are: {', '.join(self._nodes)}.") from None


def names_of_function(outputs: Iterable[Node]) -> Names:
    """The names of a graph that holds derivatives: what was differentiated is called as it is called alone.

    Raises:
        NameClashError: two different nodes bear the same name.
    """
    roots = tuple(outputs)
    known: dict[Node, str] = {}
    taken: set[str] = set()
    for output in derivatives_among(topological(roots)):
        names = Names([output])
        for node in names:
            if not node.full_name and node not in known and names[node] not in taken:
                known[node] = names[node]
                taken.add(names[node])
    return Names(roots, known)
