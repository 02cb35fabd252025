"""Jacobians and Hessians as graphs: one sweep per row or per column, stacked."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from graphlearn.calculus.blocked import IGNORE, warn_of_blocked
from graphlearn.calculus.forward import push_forward
from graphlearn.calculus.gradient import grad
from graphlearn.calculus.reverse import differentiate, zeros_of
from graphlearn.errors import DTypeError, ShapeError
from graphlearn.graph.leaves import constant
from graphlearn.graph.node import Node
from graphlearn.graph.origin import remember_origin
from graphlearn.graph.scope import no_scope
from graphlearn.graph.traverse import require_node, require_nodes, symbols_in, topological
from graphlearn.ops.joining import stack
from graphlearn.ops.shape import cast, reshape
from graphlearn.types import ArrayType, Shape


def jacobian(output: Node, wrt: Node | Sequence[Node]) -> Node | tuple[Node, ...]:
    """Every derivative of every entry of a node, as a graph.

    Reverse mode per entry of the output, or forward mode per entry of ``wrt``, whichever are fewer; forward where the
    output has a free axis, reverse where ``wrt`` has one.

    Args:
        output: real node of any shape, in any unit ``u``.
        wrt: real node or several, of any shapes.

    Returns:
        A node of the shape ``output.shape + wrt.shape`` and the unit ``u / unit(wrt)``; a tuple for a sequence. The
        graph grows with the number of sweeps; for a product with a vector, `jvp` and `vjp` need one.

    Raises:
        ShapeError: output and ``wrt`` both have a free axis.
        DTypeError: a node is not real.

    Warns:
        ZeroGradientWarning: all derivatives by a node are zero, as `grad` warns.

    Example:
        >>> import graphlearn as gl
        >>> x = gl.input("x", (2,))
        >>> gl.evaluate(gl.jacobian(gl.square(x), x), {x: [3.0, 5.0]})
        array([[ 6.,  0.],
               [ 0., 10.]])
    """
    node = require_node(output, "a jacobian")
    targets = require_nodes(wrt, "a jacobian by wrt")
    order = topological([node])
    symbols_in(order)
    for each in (node, *targets):
        if not each.type.is_float:
            raise DTypeError(
                f"a jacobian needs real nodes; got {each!r} of dtype {each.dtype}. Cast it to float64 first.",
                nodes=(each,),
            )
    with no_scope():
        parts = [_parts(node, target) for target in targets]
        blocks = tuple(_block(node, target, found) for target, found in zip(targets, parts, strict=True))
    remember_origin(blocks, order, targets)
    zero = [target for target, (_, found) in zip(targets, parts, strict=True) if found and all(map(_is_zero, found))]
    warn_of_blocked([node], zero, what="jacobian", cure=IGNORE)
    return blocks[0] if isinstance(wrt, Node) else blocks


def hessian(output: Node, wrt: Node | Sequence[Node]) -> Node | tuple[tuple[Node, ...], ...]:
    """The second derivatives of a scalar, as a graph.

    Args:
        output: real node of shape ``()``, in any unit ``u``.
        wrt: real node or several.

    Returns:
        A node of the shape ``wrt.shape + wrt.shape`` and the unit ``u / unit(wrt)**2``; for a sequence a tuple of
        tuples, the block of the i-th and the j-th node at ``[i][j]``. `jvp` of `grad` is its product with a vector.

    Raises:
        ShapeError: the output is not a scalar, or ``wrt`` has a free axis.
        DisconnectedError: a node does not influence the output.
        DTypeError: a node is not real.
    """
    targets = require_nodes(wrt, "a hessian by wrt")
    for target in targets:
        if _count(target.shape) is None:
            raise ShapeError(
                f"a hessian needs nodes of fixed lengths, since it has as many rows and columns; got {target!r}. Give "
                "its free axis a length with gl.specialize, or take products with gl.jvp of gl.grad.",
                nodes=(target,),
            )
    firsts = tuple(grad(output, target) for target in targets)
    blocks = tuple(tuple(jacobian(first, target) for target in targets) for first in firsts)  # type: ignore[arg-type]
    return blocks[0][0] if isinstance(wrt, Node) else blocks  # type: ignore[return-value]  # nodes, one for one


def _parts(output: Node, wrt: Node) -> tuple[int, list[Node]]:
    """The rows of a jacobian or its columns, whichever are fewer, and the axis that they are stacked along."""
    rows, columns = _count(output.shape), _count(wrt.shape)
    if rows is None and columns is None:
        raise ShapeError(
            f"a jacobian needs a fixed number of rows or of columns; got {output!r} by {wrt!r}, which both have a free "
            "axis. Give one of them a length with gl.specialize.",
            nodes=(output, wrt),
        )
    if 0 in (rows, columns):
        return 0, []
    if columns is None or (rows is not None and rows <= columns):
        return 0, [_row(output, wrt, seed) for seed in _units(output, rows or 1)]
    return -1, [push_forward([output], [wrt], [unit])[0] for unit in _units(wrt, columns)]


def _block(output: Node, wrt: Node, found: tuple[int, list[Node]]) -> Node:
    """The jacobian of its rows or columns."""
    shape, (axis, parts) = (*output.shape, *wrt.shape), found
    return reshape(stack(parts, axis), shape) if parts else zeros_of(ArrayType(shape, output.dtype))


def _is_zero(node: Node) -> bool:
    return node is zeros_of(node.type)


def _row(output: Node, wrt: Node, seed: Node) -> Node:
    trace = differentiate(output, (wrt,), seed=seed, disconnected="zero", record=False)
    return trace.gradients[wrt]


def _count(shape: Shape) -> int | None:
    """The number of entries; None where an axis is free."""
    fixed = [d for d in shape if isinstance(d, int)]
    return math.prod(fixed) if len(fixed) == len(shape) else None


def _units(node: Node, count: int) -> list[Node]:
    """The arrays of a node's shape that are 1 in one place and 0 elsewhere."""
    fixed = tuple(d for d in node.shape if isinstance(d, int))
    return [cast(constant(row.reshape(fixed)), node.dtype) for row in np.eye(count)]
