"""Graphs as plain data: equal data means equal graphs, in whichever process they were built.

Whoever keeps what became of a graph finds it again by such data. What cannot be told refuses (`Untold`), so that
nothing is kept of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphlearn.graph.frozen import FrozenArray
from graphlearn.graph.node import Node
from graphlearn.graph.op import BUILT_IN, Op
from graphlearn.graph.streams import Stream, number_streams
from graphlearn.graph.traverse import topological

# Leaves that start from a rule or a value, which is loaded into whatever the graph became and decides nothing of it.
_CARRIED = ("parameter", "state")
_LARGEST = 2**20  # bytes of an array that is looked at, which takes a millisecond


class Untold(Exception):
    """Something of a graph cannot be told as plain data."""


def foreign_ops(roots: Sequence[Node]) -> frozenset[Op]:
    """The operations of a graph that do not come with graphlearn, so that a name does not say what they are."""
    return frozenset(node.op for node in topological(roots) if BUILT_IN.get(node.op.name) is not node.op)


class Telling:
    """A graph as plain data, whose nodes are told by their numbers.

    Args:
        roots: outputs, in an order that counts.
        leaves: further leaves, which the outputs need not use.
        known: operations that go by their name, beside those that come with graphlearn.

    Raises:
        Untold: an operation whose name does not say what it is; an attribute that is no number, text, array or stream.
    """

    def __init__(self, roots: Sequence[Node], leaves: Sequence[Node] = (), known: frozenset[Op] = frozenset()) -> None:
        order = topological(roots)
        self._streams = number_streams(order)
        self._known = known
        self.nodes = tuple(dict.fromkeys([*order, *leaves]))
        self.numbers: Mapping[Node, int] = {node: number for number, node in enumerate(self.nodes)}
        self.graph = [[self._node(node) for node in self.nodes], [self.numbers[root] for root in roots]]

    def _node(self, node: Node) -> list[Any]:
        if BUILT_IN.get(node.op.name) is not node.op and node.op not in self._known:
            raise Untold(f"the operation {node.op.name}")
        attributes = [] if node.op.name in _CARRIED else [[name, self.tell(value)] for name, value in node.attrs]
        inputs = [self.numbers[n] for n in node.inputs]
        return [node.op.name, inputs, attributes, *node.type, node.name, node.scope]

    def tell(self, value: Any) -> Any:
        """A value as plain data: a real and an array by their bits, a node by its number.

        Raises:
            Untold: anything else.
        """
        kind = type(value)
        if kind in (str, int, bool, type(None)):
            return value
        if kind is float:
            return {"float": value.hex()}
        if isinstance(value, (tuple, list)):
            return [self.tell(item) for item in value]
        if isinstance(value, Mapping):
            # By a node that the graph does not have nothing of the graph is looked up.
            known = [(key, item) for key, item in value.items() if type(key) is not Node or key in self.numbers]
            return {"mapping": [[self.tell(key), self.tell(item)] for key, item in known]}
        if kind is Node and value in self.numbers:
            return {"node": self.numbers[value]}
        if kind is Stream and value in self._streams:
            return {"stream": self._streams[value]}
        if kind is FrozenArray:
            return {"array": _tell_array(value.array), "weak": value.weak}
        if isinstance(value, np.generic):
            return {"number": _tell_array(np.asarray(value))}
        raise Untold(f"{kind.__name__} {value!r}")


def _tell_array(array: np.ndarray) -> list[Any]:
    if array.nbytes > _LARGEST or array.dtype.hasobject:
        raise Untold(f"an array of {array.nbytes} bytes of {array.dtype}")
    return [array.dtype.str, list(array.shape), hashlib.sha256(array.tobytes()).hexdigest()]
