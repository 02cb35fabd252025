"""The update of a training step, as a derivation tells it: checked, in reading order, and by name."""

from __future__ import annotations

from collections.abc import Mapping

from graphlearn.calculus.reverse import differentiate
from graphlearn.errors import OptionError, ShapeError
from graphlearn.graph.node import Node
from graphlearn.graph.traverse import leaves, topological
from graphlearn.render.adjoints import partial_symbol
from graphlearn.render.document import Math
from graphlearn.render.names import name_math
from graphlearn.teach.narrate import Outline

_UPDATED = ("parameter", "state")


def require_update(updates: Mapping[Node, Node]) -> dict[Node, Node]:
    """The updates, each of which must give a parameter or state a value of its own type.

    Raises:
        OptionError: something else than a parameter or state is updated, or by something else than a node.
        ShapeError: the next value has another shape.
    """
    for leaf, node in updates.items():
        if not isinstance(leaf, Node) or leaf.op.name not in _UPDATED or not isinstance(node, Node):
            raise OptionError(
                f"updates need parameter or state -> next value, all nodes; got {leaf!r} -> {node!r}. Use what "
                "optimizer.updates(loss, parameters) gives, or gl.state for what is carried from step to step."
            )
        if leaf.shape != node.shape:
            raise ShapeError(
                f"an update needs a value of the shape of its leaf; got {leaf!r} and {node!r}. Reshape the value.",
                nodes=(leaf, node),
            )
    return dict(updates)


def order_update(updates: Mapping[Node, Node]) -> dict[Node, Node]:
    """The same, each next value after those that it uses."""
    place = {node: k for k, node in enumerate(topological(updates.values()))}
    return dict(sorted(updates.items(), key=lambda pair: place[pair[1]]))


def name_update(lines: Outline, updates: Mapping[Node, Node]) -> dict[Node, Math]:
    """How updates call what they use: shown nodes, every leaf, and the gradient by every updated parameter.

    Args:
        lines: the outline of the derivation.
        updates: leaf -> next value.
    """
    output = lines.computed.output
    names = dict(lines.names)
    for leaf in leaves([*updates, *updates.values()]):
        names.setdefault(leaf, name_math(leaf.full_name))
    present = set(topological([output]))
    trained = [leaf for leaf in updates if leaf.op.name == "parameter" and leaf in present]
    gradients = differentiate(output, trained, record=False).gradients if trained else {}
    for leaf, gradient in gradients.items():
        if gradient.op.name != "constant":  # the same number may stand in the update for another reason
            names.setdefault(gradient, partial_symbol(names[output], names[leaf]))
    return names
