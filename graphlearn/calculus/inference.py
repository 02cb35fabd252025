"""`inference`: the graph of a trained model, in which what belongs to training alone is gone."""

from __future__ import annotations

from collections.abc import Sequence

from graphlearn.graph.node import Node
from graphlearn.graph.rewrite import rewrite
from graphlearn.graph.scope import no_scope
from graphlearn.graph.traverse import require_nodes


def inference(outputs: Node | Sequence[Node]) -> Node | tuple[Node, ...]:
    """The same graph as it is used once training is over: dropout becomes its operand.

    What an operation becomes stands in its record; all others stay. `Model.predict` and `Model.evaluate` use it,
    `Model.fit` does not.

    Args:
        outputs: a node, or a sequence of nodes.

    Returns:
        A node of the same type; a tuple for a sequence.

    Raises:
        GraphUseError: something else than nodes.

    Example:
        >>> import graphlearn as gl
        >>> x = gl.input("x", 3)
        >>> gl.inference(gl.dropout(x, 0.5) * 2)
        <mul float64[3]>
        >>> gl.inference(gl.dropout(x, 0.5)) is x
        True
    """
    nodes = require_nodes(outputs, "inference")
    with no_scope():
        new = rewrite(nodes, _settled)
    found = tuple(new[node] for node in nodes)
    return found[0] if isinstance(outputs, Node) else found


def _settled(node: Node) -> Node | None:
    return None if node.op.inference is None else node.op.inference(node)
