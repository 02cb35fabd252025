"""NumPy's products of vectors and matrices that are short compositions: kron, cross, powers, norms, covariances."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphlearn.errors import ShapeError
from graphlearn.graph.blame import blaming
from graphlearn.graph.leaves import typed_constant
from graphlearn.graph.node import Node, as_node
from graphlearn.ops.elementary import clip
from graphlearn.ops.factorizations import inverse
from graphlearn.ops.intrinsics import maximum, power
from graphlearn.ops.joining import concatenate
from graphlearn.ops.linear import matmul, matrix_transpose
from graphlearn.ops.reductions import Axis, mean, sum_
from graphlearn.ops.shape import broadcast_to, cast, element_count, expand_dims, moveaxis, reshape, squeeze
from graphlearn.ops.slicing import index
from graphlearn.ops.statistics import length, norm
from graphlearn.ops.structural import numpy_builder
from graphlearn.types import format_shape, normalize_axes, whole_axes

# --- products of vectors and matrices --------------------------------------------------------------------------------


def vecdot(x1: Any, x2: Any, axis: int = -1) -> Node:
    """`numpy.vecdot` of real arrays: sums of products along an axis; other axes broadcast.

    Raises:
        ShapeError: vectors of unequal lengths, or an axis that is not there.
    """
    one, two = as_node(x1), as_node(x2)
    with blaming("vecdot", one, two):
        places = [normalize_axes(axis, node.ndim, "vecdot")[0] for node in (one, two)]
        if one.shape[places[0]] != two.shape[places[1]]:
            raise ShapeError(
                f"vecdot needs vectors of one length; got {format_shape(one.shape)} and {format_shape(two.shape)}. "
                "Slice one, or give another axis."
            )
    if axis < 0:  # counted from the end, the axes meet where the operands broadcast
        return sum_(one * two, axis)
    return sum_(moveaxis(one, axis, -1) * moveaxis(two, axis, -1), -1)


def _matrices(x: Any) -> Node:
    node = as_node(x)
    with blaming("matrix_transpose", node):
        if node.ndim < 2:
            raise ShapeError(
                f"matrix_transpose needs matrices; got {format_shape(node.shape)}. Write gl.expand_dims(x, 1) for a "
                "column."
            )
    return node


def matvec(x1: Any, x2: Any) -> Node:
    """`numpy.matvec`: matrices times vectors, ``(..., m, n)`` and ``(..., n)``."""
    return squeeze(matmul(x1, expand_dims(x2, -1)), -1)


def vecmat(x1: Any, x2: Any) -> Node:
    """`numpy.vecmat`: vectors times matrices, ``(..., m)`` and ``(..., m, n)``."""
    return squeeze(matmul(expand_dims(x1, -2), x2), -2)


def kron(a: Any, b: Any) -> Node:
    """`numpy.kron`: every entry of ``a`` times the whole of ``b``, in its place.

    Raises:
        ShapeError: a free axis, which is not merged with another.
    """
    left, right = as_node(a), as_node(b)
    rank = max(left.ndim, right.ndim)
    one, two = ((1,) * (rank - x.ndim) + x.shape for x in (left, right))
    with blaming("kron", left, right):
        blocks = reshape(left, tuple(d for dim in one for d in (dim, 1)))
        inner = reshape(right, tuple(d for dim in two for d in (1, dim)))
        joined = blocks * inner
        return reshape(joined, tuple(_times(d, e) for d, e in zip(one, two, strict=True)))


def _times(one: int | str, two: int | str) -> int | str:
    if isinstance(one, int) and isinstance(two, int):
        return one * two
    if 1 in (one, two):
        return two if one == 1 else one
    raise ShapeError(
        f"kron needs axes of fixed length; got {one!r} and {two!r}, which would be merged. Give the free axis a length "
        "with gl.specialize."
    )


def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Node:
    """`numpy.cross` of vectors in space: at right angles to both.

    Args:
        a: node or array with three entries along its axis.
        b: likewise; the other axes broadcast.
        axisa: along which the vectors of ``a`` lie.
        axisb: along which those of ``b`` lie.
        axisc: along which those of the result will.
        axis: all three.

    Raises:
        ShapeError: vectors of another length.
    """
    if axis is not None:
        axisa = axisb = axisc = axis
    left, right = as_node(a), as_node(b)
    with blaming("cross", left, right):
        for node, place in ((left, axisa), (right, axisb)):
            if node.shape[normalize_axes(place, node.ndim, "cross")[0]] != 3:
                raise ShapeError(
                    f"cross needs vectors of three entries; got {format_shape(node.shape)} along axis {place}. Append "
                    "a 0 to vectors in the plane."
                )
    one, two = moveaxis(left, axisa, -1), moveaxis(right, axisb, -1)
    forward, back = (..., [1, 2, 0]), (..., [2, 0, 1])
    found = index(one, forward) * index(two, back) - index(one, back) * index(two, forward)
    return moveaxis(found, -1, axisc)


def multi_dot(arrays: Sequence[Any]) -> Node:
    """`numpy.linalg.multi_dot`: a product of matrices, from left to right; the first and the last may be vectors.

    Raises:
        ShapeError: fewer than two.
    """
    nodes = [as_node(x) for x in arrays]
    with blaming("multi_dot", *nodes):
        if len(nodes) < 2:
            raise ShapeError(f"multi_dot needs two arrays or more; got {len(nodes)}. Write the array itself.")
    return functools.reduce(matmul, nodes)


def matrix_power(a: Any, n: int) -> Node:
    """`numpy.linalg.matrix_power`: a square matrix times itself; by its inverse where ``n`` is negative.

    Raises:
        ShapeError: matrices that are not square, of free size, or a power that is no whole number.
    """
    base = as_node(a)
    with blaming("matrix_power", base):
        (times,) = whole_axes(n, "matrix_power", "the power", "Round it first.")
        side = base.shape[-1] if base.ndim else None
        if base.ndim < 2 or base.shape[-2] != side or not isinstance(side, int):
            raise ShapeError(
                f"matrix_power needs square matrices of fixed size; got {format_shape(base.shape)}. Give (n, n)."
            )
    if times == 0:
        return broadcast_to(typed_constant(np.eye(side), base.dtype), base.shape)
    base, found = (inverse(base) if times < 0 else base), None
    for bit in bin(abs(times))[:1:-1]:
        if bit == "1":
            found = base if found is None else matmul(found, base)
        base = matmul(base, base)
    return as_node(found)


# --- norms -----------------------------------------------------------------------------------------------------------


def vector_norm(x: Any, axis: Axis = None, keepdims: bool = False, ord: Any = 2) -> Node:
    """`numpy.linalg.vector_norm`: the norm of all entries, or of those along axes, as of one vector; see `norm`.

    Raises:
        UnsupportedOp: another order than 0, 1, 2, inf and -inf.
    """
    node = as_node(x)
    with blaming("vector_norm", node):
        axes = normalize_axes(axis, node.ndim, "vector_norm")
    if ord == 2:
        return length(node, axes, keepdims)
    rest = [k for k in range(node.ndim) if k not in axes]
    flat = moveaxis(node, rest, list(range(len(rest))))
    found = norm(reshape(flat, (*(node.shape[k] for k in rest), -1)), ord, -1)
    return reshape(found, tuple(1 if k in axes else d for k, d in enumerate(node.shape))) if keepdims else found


def matrix_norm(x: Any, keepdims: bool = False, ord: Any = "fro") -> Node:
    """`numpy.linalg.matrix_norm` of the matrices in the last two axes; see `norm`.

    Raises:
        ShapeError: fewer than two axes.
        UnsupportedOp: an order that needs singular values: 2, -2 and "nuc".
    """
    return norm(x, ord, (-2, -1), keepdims)


# --- covariances and polynomials -------------------------------------------------------------------------------------


def _observations(m: Any, y: Any, rowvar: bool, what: str) -> Node:
    """Variables in rows, what was observed of them in columns."""
    parts = [as_node(x) for x in (m, y) if x is not None]
    with blaming(what, *parts):
        for node in parts:
            if node.ndim not in (1, 2):
                raise ShapeError(
                    f"{what} needs a vector or a matrix; got {format_shape(node.shape)}. Reshape it to variables by "
                    "observations."
                )
    rows = [expand_dims(x, 0) if x.ndim == 1 else (x if rowvar else matrix_transpose(x)) for x in parts]
    real = [cast(x, "float64") for x in rows]  # as NumPy, of float32 too
    return real[0] if len(real) == 1 else concatenate(real, 0)


def cov(m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None) -> Node:
    """`numpy.cov`: how variables vary together, the mean product of their distances from their means.

    Args:
        m: node or array, variables by observations; a vector is one variable.
        y: further variables.
        rowvar: False: observations by variables.
        bias: divide by the number of observations, not by one less.
        ddof: divide by the number of observations less this.

    Raises:
        ShapeError: other ranks, or numbers of observations that differ.
    """
    rows = _observations(m, y, rowvar, "cov")
    apart = rows - mean(rows, 1, keepdims=True)
    given = (0 if bias else 1) if ddof is None else ddof
    (fewer,) = whole_axes(given, "cov", "ddof", "Give 0 or 1.")
    count = element_count([rows.shape[1]])
    divisor = maximum(count - fewer, 0) if isinstance(count, Node) else max(count - fewer, 0)
    return squeeze(matmul(apart, matrix_transpose(apart)) / divisor)


def corrcoef(x: Any, y: Any = None, rowvar: bool = True) -> Node:
    """`numpy.corrcoef`: correlations of variables, from -1 to 1; see `cov`. NaN for variables that do not vary."""
    rows = _observations(x, y, rowvar, "corrcoef")
    apart = rows - mean(rows, 1, keepdims=True)
    unit = apart / length(apart, (1,), keepdims=True)
    return squeeze(clip(matmul(unit, matrix_transpose(unit)), -1, 1))


def polyval(p: Any, x: Any) -> Node:
    """`numpy.polyval` by Horner's rule: coefficients from the highest power down, a list or a vector of fixed length.

    Raises:
        ShapeError: coefficients that are no vector of fixed length.
    """
    if isinstance(p, Node) or not any(isinstance(coefficient, Node) for coefficient in p):
        node = as_node(p if isinstance(p, Node) else np.asarray(p))
        with blaming("polyval", node):
            if node.ndim != 1 or not isinstance(node.shape[0], int):
                raise ShapeError(
                    f"polyval needs a vector of coefficients of fixed length; got {format_shape(node.shape)}. Give a "
                    "list of numbers or nodes."
                )
        p = [index(node, k) for k in range(math.prod(d for d in node.shape if isinstance(d, int)))]
    point = as_node(x)
    total = broadcast_to(typed_constant(0, point.dtype), point.shape)
    for coefficient in p:
        total = total * point + coefficient
    return total


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Node:  # NumPy's name
    """`numpy.vander`: the powers of each entry of a vector, as columns.

    Raises:
        ShapeError: no vector, or a free one without ``N``.
    """
    node = as_node(x)
    with blaming("vander", node):
        if node.ndim != 1 or (N is None and isinstance(node.shape[0], str)):
            raise ShapeError(
                f"vander needs a vector, of fixed length or with N; got {format_shape(node.shape)} and N={N}. Give the "
                "number of columns."
            )
        (columns,) = whole_axes(node.shape[0] if N is None else N, "vander", "N", "Give the number of columns.")
    powers = np.arange(columns) if increasing else np.arange(columns)[::-1]
    wide = cast(node, "float64" if node.type.is_float else "int64")  # as NumPy, of float32 too
    return power(expand_dims(wide, 1), powers.astype(wide.dtype))


for _function, _builder in (
    (np.vecdot, vecdot),
    (np.matvec, matvec),
    (np.vecmat, vecmat),
    (np.kron, kron),
    (np.cross, cross),
    (np.matrix_transpose, lambda x: matrix_transpose(_matrices(x))),
    (np.linalg.vecdot, vecdot),
    (np.linalg.cross, lambda x1, x2, axis=-1: cross(x1, x2, axis=axis)),
    (np.linalg.matrix_transpose, lambda x: matrix_transpose(_matrices(x))),
    (np.linalg.multi_dot, multi_dot),
    (np.linalg.matrix_power, matrix_power),
    (np.linalg.vector_norm, vector_norm),
    (np.linalg.matrix_norm, matrix_norm),
    (np.cov, cov),
    (np.corrcoef, corrcoef),
    (np.polyval, polyval),
    (np.vander, vander),
):
    numpy_builder(_function, _builder)
