"""NumPy's products of arrays beside ``@``: dot, inner, vdot, outer and tensordot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphlearn.errors import ShapeError
from graphlearn.graph.blame import blaming
from graphlearn.graph.node import Node, as_node
from graphlearn.ops.einsum import LETTERS, einsum
from graphlearn.ops.intrinsics import mul
from graphlearn.ops.linear import matmul
from graphlearn.ops.shape import expand_dims, reshape
from graphlearn.ops.structural import numpy_builder
from graphlearn.types import format_shape, whole_axes


def dot(a: Any, b: Any) -> Node:
    """The last axis of ``a`` with the second to last of ``b``, as `numpy.dot`.

    Args:
        a: node or array; a scalar multiplies.
        b: node or array.

    Returns:
        For operands of rank 2 at most the matrix product; else the other axes of ``a``, then those of ``b``.

    Raises:
        ShapeError: the lengths of the two axes differ.
    """
    left, right = as_node(a), as_node(b)
    if not left.ndim or not right.ndim:
        return mul(left, right)
    if max(left.ndim, right.ndim) <= 2 and left.shape[-1] == right.shape[0]:
        return matmul(left, right)
    return _joined(left, right, [-1], [-1 if right.ndim == 1 else -2], "dot")


def inner(a: Any, b: Any) -> Node:
    """The last axis of ``a`` with the last of ``b``, as `numpy.inner`; scalars multiply.

    Args:
        a: node or array.
        b: node or array with a last axis of the same length.

    Returns:
        The other axes of ``a``, then those of ``b``.

    Raises:
        ShapeError: the lengths of the two axes differ.
    """
    left, right = as_node(a), as_node(b)
    return _joined(left, right, [-1], [-1], "inner") if left.ndim and right.ndim else mul(left, right)


def vdot(a: Any, b: Any) -> Node:
    """The sum of the products of all entries, as `numpy.vdot` of real arrays.

    Args:
        a: node or array of any shape; it counts as one row of entries.
        b: node or array of as many entries.

    Returns:
        shape ``()``.

    Raises:
        ShapeError: the operands have not as many entries.
    """
    left, right = as_node(a), as_node(b)
    if left.shape != right.shape:
        left, right = reshape(left, -1), reshape(right, -1)
    axes = list(range(left.ndim))
    return _joined(left, right, axes, axes, "vdot")


def outer(a: Any, b: Any) -> Node:
    """Every entry of ``a`` times every entry of ``b``, as `numpy.outer`: arrays count as one row of entries.

    Args:
        a: node or array of any shape.
        b: node or array of any shape.

    Returns:
        shape ``(entries of a, entries of b)``.
    """
    return expand_dims(reshape(a, -1), 1) * reshape(b, -1)


def tensordot(a: Any, b: Any, axes: Any = 2) -> Node:
    """The product summed over pairs of axes, as `numpy.tensordot`.

    Args:
        a: node or array.
        b: node or array.
        axes: how many of the last axes of ``a`` meet as many of the first of ``b``; or the axes of each, in pairs.

    Returns:
        The other axes of ``a``, then those of ``b``.

    Raises:
        ShapeError: axes that are not there, or pairs of unequal lengths.
    """
    left, right = as_node(a), as_node(b)
    with blaming("tensordot", left, right):
        if isinstance(axes, (tuple, list, np.ndarray)) and len(axes) == 2:
            first, second = (whole_axes(one, "tensordot") for one in axes)
        else:
            count = axes if isinstance(axes, int) else -1
            if not 0 <= count <= min(left.ndim, right.ndim):
                raise ShapeError(
                    f"tensordot needs a number of axes from 0 to {min(left.ndim, right.ndim)}, or a pair; got "
                    f"{axes!r}. Write axes=([1], [0]) to sum over the second axis of a and the first of b."
                )
            first, second = list(range(left.ndim - count, left.ndim)), list(range(count))
    return _joined(left, right, first, second, "tensordot")


def _joined(a: Node, b: Node, first: Sequence[int], second: Sequence[int], what: str) -> Node:
    """The product summed over axes of ``a`` that meet axes of ``b``."""
    with blaming(what, a, b):
        fits = all(-a.ndim <= k < a.ndim for k in first) and all(-b.ndim <= k < b.ndim for k in second)
        met = [(a.shape[j], b.shape[k]) for j, k in zip(first, second, strict=False)] if fits else []
        if not fits or len(first) != len(second) or any(j != k for j, k in met):
            raise ShapeError(
                f"{what} needs as many axes of each operand, of equal lengths; got the axes {tuple(first)} of "
                f"{format_shape(a.shape)} and {tuple(second)} of {format_shape(b.shape)}. Transpose an operand first."
            )
    letters = iter(LETTERS)
    one = [next(letters) for _ in range(a.ndim)]
    two = [next(letters) for _ in range(b.ndim)]
    for j, k in zip(first, second, strict=True):
        two[k] = one[j]
    left = {j % a.ndim for j in first}
    right = {k % b.ndim for k in second}
    rest = [x for j, x in enumerate(one) if j not in left] + [x for k, x in enumerate(two) if k not in right]
    return einsum(f"{''.join(one)},{''.join(two)}->{''.join(rest)}", a, b)


numpy_builder(np.dot, dot)
numpy_builder(np.inner, inner)
numpy_builder(np.vdot, vdot)
numpy_builder(np.outer, outer)
numpy_builder(np.tensordot, tensordot)
numpy_builder(np.linalg.tensordot, lambda x1, x2, axes=2: tensordot(x1, x2, axes))
numpy_builder(np.linalg.outer, lambda x1, x2: outer(x1, x2))
