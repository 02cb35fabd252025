"""Determinants and cofactors, of singular matrices too."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphlearn.graph.leaves import constant
from graphlearn.graph.node import Node, as_node
from graphlearn.ops.factorizations import (
    GILES,
    SOLVE,
    call_notation,
    fixed_side,
    infer_square,
    inverse,
    real_array,
    require_square,
)
from graphlearn.ops.gathering import scatter_add, take
from graphlearn.ops.joining import concatenate
from graphlearn.ops.linear import matmul, matrix_transpose
from graphlearn.ops.reductions import sum_
from graphlearn.ops.shape import cast, expand_dims, swapaxes
from graphlearn.ops.structural import build, numpy_builder, structural
from graphlearn.types import ArrayType, to_float

_SMALL = 8  # rows up to which derivatives go through all minors: n**4 numbers


def _infer_number(types: tuple[ArrayType, ...], what: str) -> ArrayType:
    require_square(types[0].shape, what)
    return ArrayType(types[0].shape[:-2], to_float(types[0].dtype))


def _infer_cofactor(types: tuple[ArrayType, ...]) -> ArrayType:
    found = infer_square(types, "cofactor")
    fixed_side(found.shape, "cofactor")
    return found


# --- references ------------------------------------------------------------------------------------------------------


def _pivots(square: Any) -> tuple[Any, Any]:
    """Diagonal of the triangle that elimination with row exchanges leaves, and 1 or -1 by the number of exchanges."""
    left = np.array(real_array(square))
    n, batch = left.shape[-1], left.shape[:-2]
    flat = left.reshape(math.prod(batch), n, n)
    rows, sign = np.arange(len(flat)), np.ones(len(flat), flat.dtype)
    with np.errstate(all="ignore"):
        for c in range(n):
            below = np.abs(flat[:, c:, c])
            p = c + np.argmax(below, axis=1) if len(flat) else np.zeros(0, int)
            flat[rows, p], flat[rows, c] = flat[rows, c].copy(), flat[rows, p].copy()
            sign = np.where(p != c, -sign, sign)
            pivot = np.where(flat[:, c, c] == 0, 1, flat[:, c, c])  # below a pivot of 0 all is 0
            flat[:, c + 1 :] -= (flat[:, c + 1 :, c] / pivot[:, None])[:, :, None] * flat[:, c, None]
    diagonal = np.diagonal(flat, 0, 1, 2).reshape(*batch, n)
    return diagonal, sign.reshape(batch)


def _det(square: Any) -> Any:
    diagonal, sign = _pivots(square)
    return np.prod(diagonal, axis=-1) * sign


def _logabsdet(square: Any) -> Any:
    with np.errstate(divide="ignore"):
        diagonal, _ = _pivots(square)
        return np.sum(np.log(np.abs(diagonal)) if diagonal.dtype.kind == "f" else np.log(diagonal), axis=-1)


def _detsign(square: Any) -> Any:
    diagonal, sign = _pivots(square)
    return np.prod(np.sign(diagonal), axis=-1) * sign


def _cofactor(square: Any) -> Any:
    """By the singular values: the cofactors of a diagonal matrix are products of the others, also where some are 0."""
    left = real_array(square)
    finite = np.all(np.isfinite(left), axis=(-2, -1), keepdims=True)
    u, s, v = np.linalg.svd(np.where(finite, left, 0))
    n = left.shape[-1]
    rest = np.where(np.eye(n, dtype=bool), 1, s[..., None, :]).prod(axis=-1)
    turned = (_det(u) * _det(v))[..., None, None]
    return np.where(finite, turned * np.matmul(np.conj(u) * rest[..., None, :], np.conj(v)), np.nan).astype(left.dtype)


# --- adjoints --------------------------------------------------------------------------------------------------------


def _over_matrices(x: Node) -> Node:
    return expand_dims(x, (-2, -1))


def _adjoint_cofactor(node: Node, g: Node) -> tuple[Node]:
    """Polynomials of the entries up to eight rows, so that singular matrices have second derivatives too."""
    x, n = node.inputs[0], node.shape[-1]
    if n == 0 or n == 1:
        return (0 * g,)
    if n == 2:
        return (cofactor(g),)
    if n == 3:
        return (_cross(_turned(x, 1), _turned(g, 2)) + _cross(_turned(g, 1), _turned(x, 2)),)
    if isinstance(n, int) and n <= _SMALL:
        return (_by_minors(x, g, n),)
    along = _over_matrices(sum_(g * node, (-2, -1)))
    turned = matrix_transpose(x)
    return (along * matrix_transpose(inverse(x)) - build(SOLVE, [turned, matmul(matrix_transpose(g), node)]),)


def _by_minors(x: Node, g: Node, n: int) -> Node:
    """Each cofactor is the determinant of the matrix without a row and a column, and has cofactors as derivatives.

    All minors at once are n**2 times as large as the matrix; in turn they would take ten times as long to compile.
    """
    others = np.array([[k for k in range(n) if k != i] for i in range(n)])
    signs = (-1.0) ** np.add.outer(np.arange(n), np.arange(n))
    minors = swapaxes(take(take(x, others, -2), others, -1), -3, -2)  # (..., row left out, column left out, n-1, n-1)
    shares = swapaxes(cofactor(minors) * _over_matrices(g * cast(constant(signs), g.dtype)), -3, -2)
    batch = x.shape[:-2]
    return scatter_add((*batch, n, n), others, scatter_add((*batch, n, n - 1, n), others, shares, -1), -2)


def _turned(x: Node, by: int) -> Node:
    """The three rows of matrices in turn, beginning with another one."""
    return concatenate([x[..., by:, :], x[..., :by, :]], -2)


def _cross(a: Node, b: Node) -> Node:
    """Cross products of rows: cofactors of a matrix of three rows are those of the two other rows."""
    return _shifted(a, 1) * _shifted(b, 2) - _shifted(a, 2) * _shifted(b, 1)


def _shifted(x: Node, by: int) -> Node:
    """The three columns of matrices in turn, beginning with another one."""
    return concatenate([x[..., by:], x[..., :by]], -1)


# --- records ---------------------------------------------------------------------------------------------------------

DET = structural(
    "det",
    infer=lambda types: _infer_number(types, "det"),
    reference=_det,
    adjoint=lambda node, g: (_over_matrices(g) * cofactor(node.inputs[0]),),
    notation=call_notation(r"\det", "det"),
    doc="Determinant of matrices.",
    source=GILES,
)
COFACTOR = structural(
    "cofactor",
    infer=_infer_cofactor,
    reference=_cofactor,
    adjoint=_adjoint_cofactor,
    notation=call_notation(r"\operatorname{{cof}}", "cof"),
    doc="Cofactors of matrices, which are the derivative of the determinant; also of singular ones.",
)
LOGABSDET = structural(
    "logabsdet",
    infer=lambda types: _infer_number(types, "logabsdet"),
    reference=_logabsdet,
    adjoint=lambda node, g: (_over_matrices(g) * matrix_transpose(inverse(node.inputs[0])),),
    notation=call_notation(r"\log\left|\det\right|", "log|det|"),
    doc="Logarithm of the absolute value of the determinant, where the determinant itself would overflow.",
    source=GILES,
)
DETSIGN = structural(
    "detsign",
    infer=lambda types: _infer_number(types, "detsign"),
    reference=_detsign,
    adjoint=None,
    notation=call_notation(r"\operatorname{{sign}}\det", "sign det"),
    doc="Sign of the determinant: 1, -1, or 0.",
)


# --- public functions ------------------------------------------------------------------------------------------------


def det(x: Any) -> Node:
    """Determinant of matrices, as `numpy.linalg.det`: the product of the pivots of elimination with row exchanges.

    Args:
        x: node or array ``(..., n, n)``.

    Returns:
        shape ``(...)``. The derivative, the matrix of cofactors, is right for singular matrices too. The second one is
        so up to eight rows; of more rows it is `evaluate`'s error, and NaN in compiled code.

    Raises:
        ShapeError: not square.
    """
    return build(DET, [as_node(x)])


def cofactor(x: Any) -> Node:
    """Cofactors of matrices: each entry's factor in the determinant; those of singular matrices too.

    Args:
        x: node or array ``(..., n, n)``.

    Raises:
        ShapeError: not square.
    """
    return build(COFACTOR, [as_node(x)])


def slogdet(x: Any) -> tuple[Node, Node]:
    """Sign and logarithm of the absolute value of determinants, as `numpy.linalg.slogdet`.

    Args:
        x: node or array ``(..., n, n)``.

    Returns:
        The sign, 1, -1 or 0, which has a derivative of zero; and the logarithm, -inf for a singular matrix.

    Raises:
        ShapeError: not square.
    """
    x = as_node(x)
    return build(DETSIGN, [x]), build(LOGABSDET, [x])


numpy_builder(np.linalg.det, lambda a: det(a))
numpy_builder(np.linalg.slogdet, lambda a: slogdet(a))
