"""The public derivatives: graph to graph, of any order by repetition. No steps are recorded."""

from __future__ import annotations

from collections.abc import Sequence

from graphlearn.calculus.blocked import IGNORE, warn_of_blocked, warn_of_zeros
from graphlearn.calculus.forward import push_forward
from graphlearn.calculus.reverse import differentiate, zeros_of
from graphlearn.errors import DTypeError, ShapeError
from graphlearn.graph.node import Node, as_node
from graphlearn.graph.options import check_sequence
from graphlearn.graph.origin import remember_derivatives, remember_origin
from graphlearn.graph.traverse import require_node, require_nodes, symbols_in, topological
from graphlearn.types import format_shape


def grad(output: Node, wrt: Node | Sequence[Node], disconnected: str = "raise") -> Node | tuple[Node, ...]:
    """The gradient of a scalar, as a graph.

    Args:
        output: node of shape ``()``, in any unit ``u``.
        wrt: a node or a sequence of nodes; leaves or inner nodes.
        disconnected: ``"raise"``, or ``"zero"`` for zeros where a node does not influence the output.

    Returns:
        A node of the shape and dtype of ``wrt`` and the unit ``u / unit(wrt)``; a tuple for a sequence.

    Raises:
        ShapeError: the output is not a scalar.
        DisconnectedError: a node does not influence the output.
        DTypeError: a node is not real.
        NameClashError: two nodes of the graph bear the same name.
        GraphUseError: something else than nodes.

    Warns:
        ZeroGradientWarning: a gradient is zero everywhere, since all influence goes through floor, comparisons, argmax
            and their like, whose derivative is 0 by convention. ``disconnected="zero"`` says that this is meant.

    Example:
        >>> import graphlearn as gl
        >>> x = gl.input("x")
        >>> first = gl.grad(x**3, x)
        >>> float(gl.evaluate(gl.grad(first, x), {x: 2.0}))
        12.0
    """
    targets = require_nodes(wrt, "a gradient by wrt")
    output = require_node(output, "a gradient")
    order = topological([output])
    symbols_in(order)
    trace = differentiate(output, targets, disconnected=disconnected, record=False, order=order)
    gradients = tuple(trace.gradients[w] for w in targets)
    remember_origin(gradients, order, targets)
    remember_derivatives(output, trace.gradients, order)
    if disconnected == "raise":
        warn_of_zeros(output, trace.gradients, cure="write disconnected='zero'")
    return gradients[0] if isinstance(wrt, Node) else gradients


def value_and_grad(output: Node, wrt: Node | Sequence[Node]) -> tuple[Node, Node | tuple[Node, ...]]:
    """The output and its gradient, to be evaluated or compiled together.

    Args:
        output: a scalar node of real numbers.
        wrt: a node, or several.

    Returns:
        ``(output, grad(output, wrt))``, and raises what `grad` raises.
    """
    return output, grad(output, wrt)


def vjp(
    outputs: Node | Sequence[Node], wrt: Node | Sequence[Node], cotangents: Node | Sequence[Node]
) -> Node | tuple[Node, ...]:
    """The vector-Jacobian product: what cotangents of the outputs mean for ``wrt``.

    Args:
        outputs: a node or several, of any shapes.
        wrt: a node or several.
        cotangents: one array or node per output, of its shape.

    Returns:
        A node of the shape of ``wrt``; a tuple for a sequence. A node that influences no output gets zeros.

    Raises:
        ShapeError: a cotangent has another shape than its output.

    Warns:
        ZeroGradientWarning: a product is zero whatever the cotangents, as `grad` warns.
    """
    nodes = require_nodes(outputs, "vjp")
    order = topological(nodes)
    symbols_in(order)
    several = "Write one for each output, in the order of these."
    given = (cotangents,) if isinstance(outputs, Node) else check_sequence(cotangents, "vjp with cotangents", several)
    seeds = tuple(as_node(c) for c in given)
    targets = require_nodes(wrt, "vjp by wrt")
    if len(seeds) != len(nodes) or not nodes:
        raise ShapeError(f"vjp needs one cotangent per output; got {len(seeds)} for {len(nodes)}. {several}")
    totals: list[Node] = []
    zero = list(targets)
    for node, seed in zip(nodes, seeds, strict=True):
        if seed.shape != node.shape:
            raise ShapeError(
                f"vjp needs a cotangent of the shape of its output; got {format_shape(seed.shape)} for {node!r}. "
                "Broadcast or reshape it, e.g. gl.broadcast_to(cotangent, output.shape).",
                nodes=(node,),
            )
        trace = differentiate(node, targets, seed=seed, disconnected="zero", record=False)
        parts = [trace.gradients[w] for w in targets]
        zero = [w for w in zero if trace.gradients[w] is zeros_of(w.type)]
        totals = parts if not totals else [a + b for a, b in zip(totals, parts, strict=True)]
    remember_origin(totals, order, targets)
    warn_of_blocked(nodes, zero, what="product with the Jacobian", cure=IGNORE)
    return totals[0] if isinstance(wrt, Node) else tuple(totals)


def jvp(
    outputs: Node | Sequence[Node], wrt: Node | Sequence[Node], tangents: Node | Sequence[Node]
) -> Node | tuple[Node, ...]:
    """The Jacobian-vector product: how the outputs change along a direction. Forward mode, one sweep.

    ``gl.jvp(gl.grad(loss, w), w, v)`` is the Hessian of a loss times v, without the Hessian.

    Args:
        outputs: a node or several, of any shapes and a real dtype; in any unit ``u``.
        wrt: a node or several of a real dtype.
        tangents: one array or node for each of ``wrt``, of its shape.

    Returns:
        A node of the shape and dtype of ``outputs`` and the unit ``u``; a tuple for a sequence. An output that nothing
        of ``wrt`` influences gets zeros.

    Raises:
        ShapeError: a tangent has another shape than its node, or there are more or fewer of them.
        DTypeError: a node is not real.
        GraphUseError: something else than nodes.

    Warns:
        ZeroGradientWarning: all that comes out is zero whatever the tangents, as `grad` warns.

    Example:
        >>> import graphlearn as gl
        >>> x = gl.input("x", (2,))
        >>> gl.evaluate(gl.jvp(gl.square(x), x, [1.0, 0.0]), {x: [3.0, 5.0]})
        array([6., 0.])
    """
    nodes = require_nodes(outputs, "jvp")
    order = topological(nodes)
    symbols_in(order)
    targets = require_nodes(wrt, "jvp by wrt")
    several = "Write one for each node of wrt, in the order of these."
    given = (tangents,) if isinstance(wrt, Node) else check_sequence(tangents, "jvp with tangents", several)
    moves = tuple(as_node(t) for t in given)
    if len(moves) != len(targets):
        raise ShapeError(f"jvp needs one tangent for each node of wrt; got {len(moves)} for {len(targets)}. {several}")
    for node in (*nodes, *targets):
        if not node.type.is_float:
            raise DTypeError(
                f"jvp needs real nodes; got {node!r} of dtype {node.dtype}. Cast it to float64 first.", nodes=(node,)
            )
    for node, tangent in zip(targets, moves, strict=True):
        if tangent.shape != node.shape:
            raise ShapeError(
                f"jvp needs a tangent of the shape of its node; got {format_shape(tangent.shape)} for {node!r}. "
                "Broadcast or reshape it.",
                nodes=(node,),
            )
    found = push_forward(nodes, targets, moves)
    remember_origin(found, order, targets)
    if all(moved is zeros_of(node.type) for node, moved in zip(nodes, found, strict=True)):
        warn_of_blocked(nodes, targets, what="derivative", cure=IGNORE)
    return found[0] if isinstance(outputs, Node) else found
