"""Forward mode: what small changes of some nodes mean for the outputs, in one sweep along the graph.

An elementwise operation multiplies by its local derivatives. Any other one has an adjoint, which is linear in what
comes in from above; the transpose of this linear map is the derivative, so that no operation needs a second rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphlearn.calculus.partials import local_partial, scale
from graphlearn.calculus.reverse import differentiate, sum_to, zeros_of
from graphlearn.graph.leaves import INPUT
from graphlearn.graph.node import Node, new_node
from graphlearn.graph.scope import no_scope
from graphlearn.graph.streams import remember_streams
from graphlearn.graph.traverse import influenced, topological
from graphlearn.ops.shape import broadcast_to, cast
from graphlearn.types import ArrayType


def push_forward(outputs: Sequence[Node], wrt: Sequence[Node], tangents: Sequence[Node]) -> tuple[Node, ...]:
    """The derivative of outputs along a direction, as a graph.

    Args:
        outputs: real nodes of any shapes.
        wrt: real nodes; one that depends on another one moves with it, and by its own tangent besides.
        tangents: one node for each of ``wrt``, of its shape.

    Returns:
        One node for each output, of its shape and dtype; zeros where nothing of ``wrt`` influences it.

    Source: Radul, Paszke, Frostig, Johnson and Maclaurin (2023), You only linearize once: tangents transpose to
    gradients, POPL, arXiv:2204.10923, whose transposition is used the other way round.
    """
    with no_scope():
        order = topological(outputs)
        active = influenced(order, wrt)
        given: dict[Node, Node] = {}
        for node, tangent in zip(wrt, tangents, strict=True):
            fitted = _fitted(tangent, node.type)
            given[node] = fitted if node not in given else given[node] + fitted
        found: dict[Node, Node] = {}
        for node in order:
            if node in active and node.type.is_float:
                parts = [given[node]] if node in given else []
                total = _sum([*parts, *_through(node, found)])
                if total is not None:
                    found[node] = _fitted(total, node.type)
        moved = [found[node] if node in found else zeros_of(node.type) for node in outputs]
        return tuple(remember_streams(moved, order))


def _through(node: Node, tangents: Mapping[Node, Node]) -> list[Node]:
    """What the tangents of a node's operands contribute to its own."""
    moved = [k for k, operand in enumerate(node.inputs) if operand in tangents]
    if not moved:
        return []
    if node.op.is_elementwise:
        shares = (scale(tangents[node.inputs[k]], local_partial(node, k)) for k in moved)
        return [share for share in shares if share is not None]
    return _transposed(node, moved, tangents)


def _transposed(node: Node, moved: Sequence[int], tangents: Mapping[Node, Node]) -> list[Node]:
    if node.op.adjoint is None:
        return []
    upstream = new_node(INPUT, (), (), node.type, "cotangent", "")
    adjoints = node.op.adjoint(node, upstream)
    parts = []
    for k in moved:
        adjoint = adjoints[k]
        if adjoint is not None:
            operand = node.inputs[k]
            fitted = cast(sum_to(adjoint, operand.shape), operand.dtype)
            trace = differentiate(fitted, (upstream,), seed=tangents[operand], disconnected="zero", record=False)
            parts.append(trace.gradients[upstream])
    return parts


def _sum(parts: Sequence[Node]) -> Node | None:
    total: Node | None = None
    for part in parts:
        total = part if total is None else total + part
    return total


def _fitted(node: Node, kind: ArrayType) -> Node:
    wide = node if node.shape == kind.shape else broadcast_to(node, kind.shape)
    return wide if wide.dtype == kind.dtype else cast(wide, kind.dtype)
