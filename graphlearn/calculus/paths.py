"""A derivative as the sum over paths: each way from a number to the output, with its product of local derivatives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from graphlearn.calculus.partials import local_partial, scale
from graphlearn.errors import DisconnectedError, DTypeError, ShapeError
from graphlearn.graph.leaves import constant_array, typed_constant
from graphlearn.graph.node import Node, as_node
from graphlearn.graph.scope import no_scope
from graphlearn.graph.traverse import influenced, topological


class Edge(NamedTuple):
    """One use of a node: ``source`` is operand number ``argument`` of ``node``."""

    node: Node
    argument: int
    source: Node


@dataclass(frozen=True)
class Path:
    """One way from a node to the output.

    Args:
        nodes: from the node to the output.
        edges: the uses that it goes through, in the same order; one less than the nodes.
        factors: local derivative of each use, as a node.
        product: their product.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    factors: tuple[Node, ...]
    product: Node


class Ways:
    """All paths from a node to the output: counted without going along them, and enumerated one by one on demand.

    Args:
        output: node of shape ``()`` whose inner values are all scalars, of a real dtype.
        wrt: real node of shape ``()``.

    Raises:
        ShapeError: an array lies on the way. Scalarize the graph first.
        DTypeError: a node that is not real.
        DisconnectedError: ``wrt`` does not influence the output.
    """

    def __init__(self, output: Node, wrt: Node) -> None:
        for node in (output, wrt):
            if not node.type.is_float:
                raise DTypeError(
                    f"paths need real nodes; got {node!r} of dtype {node.dtype}. Cast it to float64 first.",
                    nodes=(node,),
                )
        order = topological([output])
        reached = influenced(order, [wrt])
        if wrt not in order or output not in reached:
            raise DisconnectedError(
                f"{wrt.full_name or wrt!r} does not influence {output.full_name or output!r}: there is no path. Drop "
                "it from wrt, or connect it.",
                nodes=(output, wrt),
            )
        self.output = output
        self.wrt = wrt
        self.edges = _edges(order, reached, wrt)
        self.counts = _counts(order, self.edges, wrt)

    @property
    def count(self) -> int:
        """The number of paths; it may be astronomical."""
        return self.counts.get(self.output, 0)

    def __iter__(self) -> Iterator[Path]:
        """Path after path, operands from left to right as seen from the output."""
        if not self.count:
            return
        if self.output is self.wrt:
            yield self._path(())
            return
        # Edges from the output down, and for each node on the way those that were not taken yet.
        taken: list[Edge] = []
        waiting = [iter(self.edges.get(self.output, ()))]
        while waiting:
            edge = next(waiting[-1], None)
            if edge is None:
                waiting.pop()
                if taken:
                    taken.pop()
                continue
            if not self.counts.get(edge.source):
                continue
            if edge.source is self.wrt:
                yield self._path((*taken, edge))
                continue
            taken.append(edge)
            waiting.append(iter(self.edges.get(edge.source, ())))

    def _path(self, down: tuple[Edge, ...]) -> Path:
        """The path of the edges that lead down from the output."""
        up = down[::-1]
        with no_scope():
            locals_ = [self._local(edge) for edge in down]
            product: Node = typed_constant(1, self.output.dtype) if not down else as_node(locals_[0])
            for local in locals_[1:]:
                # Masks stay outermost, as in reverse mode.
                share = scale(product, local)
                product = as_node(0.0) if share is None else share
        factors = tuple(as_node(local) for local in reversed(locals_))
        return Path((self.wrt, *(edge.node for edge in up)), up, factors, product)

    def _local(self, edge: Edge) -> Node | float:
        local = local_derivative(edge)
        return 0.0 if local is None else local


def local_derivative(edge: Edge, *, textbook: bool = False) -> Node | float | None:
    """The derivative of a node by one of its operands, all scalars; None where there is none.

    Args:
        edge: the use.
        textbook: the form that is read instead of the one that is computed, where the operation has both.
    """
    node, argument, _ = edge
    if node.op.is_elementwise:
        return local_partial(node, argument, textbook=textbook)
    adjoint = node.op.adjoint_rule(textbook)
    if adjoint is None:
        return None
    with no_scope():
        return adjoint(node, typed_constant(1, node.dtype))[argument]


def _edges(order: list[Node], reached: set[Node], wrt: Node) -> dict[Node, tuple[Edge, ...]]:
    """For each node that depends on ``wrt`` the uses through which a derivative flows."""
    found: dict[Node, tuple[Edge, ...]] = {}
    for node in order:
        if node not in reached or node is wrt or not node.type.is_float:
            continue
        _require_scalar(node)
        edges = [Edge(node, k, n) for k, n in enumerate(node.inputs) if n in reached and n.type.is_float]
        for edge in edges:
            _require_scalar(edge.source)
        found[node] = tuple(edge for edge in edges if not _is_zero(local_derivative(edge)))
    return found


def _is_zero(local: Node | float | None) -> bool:
    if isinstance(local, Node):
        value = constant_array(local)
        return value is not None and not value.any()
    return not local


def _require_scalar(node: Node) -> None:
    if node.shape != ():
        raise ShapeError(
            f"paths go from number to number; got the array {node!r} on the way. Write the graph out first: "
            "gl.scalarize(output, batch=4), whose entries have paths.",
            nodes=(node,),
        )


def _counts(order: list[Node], edges: Mapping[Node, tuple[Edge, ...]], wrt: Node) -> dict[Node, int]:
    counts = {wrt: 1}
    for node in order:
        if node in edges:
            counts[node] = sum(counts.get(edge.source, 0) for edge in edges[node])
    return counts
