"""The matrix product."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphlearn.graph.blame import blaming
from graphlearn.graph.node import Node, as_node
from graphlearn.graph.op import PRODUCT, Notation, Reach
from graphlearn.ops.reach import any_over, padded
from graphlearn.ops.shape import expand_dims, reshape, transpose
from graphlearn.ops.structural import build, numpy_builder, structural
from graphlearn.types import ArrayType, matmul_shape, promote


def _infer(types: tuple[ArrayType, ...]) -> ArrayType:
    dtype, _ = promote(types)
    return ArrayType(matmul_shape(types[0].shape, types[1].shape), dtype)


def matrix_transpose(x: Node) -> Node:
    """The last two axes exchanged."""
    return transpose(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def _adjoint(node: Node, g: Node) -> tuple[Node, Node]:
    a, b = node.inputs
    if a.ndim == 1 and b.ndim == 1:
        return g * b, g * a
    if a.ndim == 1:
        return b @ g, expand_dims(a, 1) * g
    if b.ndim == 1:
        return expand_dims(g, 1) * b, transpose(a) @ g
    # Batch axes that were broadcast are summed by reverse mode's un-broadcasting.
    return g @ matrix_transpose(b), matrix_transpose(a) @ g


def _needed(node: Node, condition: Node) -> tuple[Node, Node]:
    """An entry of the product needs its row of the left operand and its column of the right one."""
    a, b = node.inputs
    if a.ndim == 1:
        return any_over(condition, range(condition.ndim)), condition
    if b.ndim == 1:
        return expand_dims(padded(condition, 1), 1), any_over(condition, range(condition.ndim))
    full = padded(condition, node.ndim)
    return any_over(full, (node.ndim - 1,)), any_over(full, (node.ndim - 2,))


MATMUL = structural(
    "matmul",
    infer=_infer,
    reference=np.matmul,
    adjoint=_adjoint,
    reach=Reach(_needed, "operands"),
    notation=Notation(r"{0} \, {1}", "{0} {1}", PRODUCT + 2, (PRODUCT + 2, PRODUCT + 3)),
    doc="Matrix product.",
)


def matmul(a: Any, b: Any) -> Node:
    """Matrix product by NumPy's rules.

    Args:
        a: node or array of rank 1 or more, ``(..., m, k)``.
        b: node or array of rank 1 or more, ``(..., k, n)``; leading axes broadcast.

    Returns:
        ``(..., m, n)``; an operand of rank 1 loses its axis in the result.

    Raises:
        ShapeError: the inner lengths differ, or an operand is a scalar.
    """
    left, right = as_node(a), as_node(b)
    if min(left.ndim, right.ndim) == 1 and max(left.ndim, right.ndim) > 2:
        with blaming("matmul", left, right):
            shape = matmul_shape(left.shape, right.shape)
        left = expand_dims(left, 0) if left.ndim == 1 else left
        right = expand_dims(right, 1) if right.ndim == 1 else right
        return reshape(build(MATMUL, [left, right]), shape)
    return build(MATMUL, [left, right])


numpy_builder(np.matmul, matmul)
numpy_builder(np.linalg.matmul, lambda x1, x2: matmul(x1, x2))
