"""The update of a training step, as a derivation tells it: checked, in reading order, and by name."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from graphlearn.calculus.reverse import differentiate
from graphlearn.errors import OptionError, ShapeError
from graphlearn.graph.node import Node
from graphlearn.graph.options import check_mapping
from graphlearn.graph.traverse import leaves, topological
from graphlearn.render.adjoints import partial_symbol
from graphlearn.render.document import Math
from graphlearn.render.names import name_math
from graphlearn.render.story import UpdateRow
from graphlearn.teach.narrate import Outline

_UPDATED = ("parameter", "state")


_CURE = "Use what optimizer.updates(loss, parameters) gives,"


def require_update(updates: Mapping[Node, Node] | None) -> dict[Node, Node]:
    """The updates, each of which must give a parameter or state a value of its own type.

    Raises:
        OptionError: something else than a parameter or state is updated, or by something else than a node.
        ShapeError: the next value has another shape.
        GraphUseError: no mapping.
    """
    changes = check_mapping(updates, "updates=", f"{_CURE} or write {{leaf: next value}}.")
    for leaf, node in changes.items():
        if not isinstance(leaf, Node) or leaf.op.name not in _UPDATED or not isinstance(node, Node):
            raise OptionError(
                f"updates need parameter or state -> next value, all nodes; got {leaf!r} -> {node!r}. {_CURE} or "
                "gl.state for what is carried from step to step."
            )
        if leaf.shape != node.shape:
            raise ShapeError(
                f"an update needs a value of the shape of its leaf; got {leaf!r} and {node!r}. Reshape the value.",
                nodes=(leaf, node),
            )
    return changes


def tell_update(lines: Outline, updates: Mapping[Node, Node]) -> tuple[tuple[UpdateRow, ...], dict[Node, Math]]:
    """The rows of an update, and how they call what they use.

    Named nodes that only the update uses, such as a corrected learning rate, have a row of their own. Rows call by name
    what the derivation shows, every leaf, the gradient by every updated parameter, and each other.

    Args:
        lines: the outline of the derivation.
        updates: leaf -> next value.

    Returns:
        The rows, each after those that it uses; and node -> name.
    """
    output = lines.computed.output
    names = dict(lines.names)
    for leaf in leaves([*updates, *updates.values()]):
        names.setdefault(leaf, name_math(leaf.full_name))
    forward = set(topological([output]))
    trained = [leaf for leaf in updates if leaf.op.name == "parameter" and leaf in forward]
    gradients = differentiate(output, trained, record=False).gradients if trained else {}
    for leaf, gradient in gradients.items():
        if gradient.op.name != "constant":  # the same number may stand in the update for another reason
            names.setdefault(gradient, partial_symbol(names[output], names[leaf]))
    rows = _rows(updates, forward, names)
    for row in rows:
        names.setdefault(row.node, row.name)
    return rows, names


def _rows(
    updates: Mapping[Node, Node], forward: AbstractSet[Node], names: Mapping[Node, Math]
) -> tuple[UpdateRow, ...]:
    leaves_of: dict[Node, list[Node]] = {}
    for leaf, node in updates.items():
        leaves_of.setdefault(node, []).append(leaf)
    rows = []
    for node in topological(updates.values()):
        if node.full_name and node.inputs and node not in forward and node not in leaves_of:
            rows.append(UpdateRow(name_math(node.full_name), node))
        rows += [UpdateRow(_primed(names[leaf]), node) for leaf in leaves_of.get(node, ())]
    return tuple(rows)


def _primed(name: Math) -> Math:
    """How the next value of a leaf is called: ``W′``."""
    return Math(name.text + "′", name.latex + "'")
