"""Determinants, cofactors and their derivatives of every order, of singular matrices too."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from graphlearn.errors import ShapeError
from graphlearn.graph.node import Node, as_node
from graphlearn.graph.op import CALL, Notation
from graphlearn.ops.factorizations import (
    GILES,
    call_notation,
    fixed_side,
    infer_square,
    inverse,
    real_array,
    require_square,
)
from graphlearn.ops.linear import matrix_transpose
from graphlearn.ops.reach import MATRICES
from graphlearn.ops.shape import expand_dims
from graphlearn.ops.structural import build, numpy_builder, structural
from graphlearn.types import ArrayType, format_shape, promote, to_float


def _infer_number(types: tuple[ArrayType, ...], what: str) -> ArrayType:
    require_square(types[0].shape, what)
    return ArrayType(types[0].shape[:-2], to_float(types[0].dtype))


def _infer_cofactor(types: tuple[ArrayType, ...]) -> ArrayType:
    found = infer_square(types, "cofactor")
    fixed_side(found.shape, "cofactor")
    return found


def _infer_along(types: tuple[ArrayType, ...]) -> ArrayType:
    found = infer_square(types, "cofactor_along")
    fixed_side(found.shape, "cofactor_along")
    for other in types[1:]:
        if other.shape != found.shape:
            raise ShapeError(
                f"cofactor_along needs directions of the shape of the matrices, {format_shape(found.shape)}; got "
                f"{format_shape(other.shape)}. Broadcast them first."
            )
    return ArrayType(found.shape, to_float(promote(types)[0]))


# --- references ------------------------------------------------------------------------------------------------------

_UNITS = {4: 64, 8: 512}  # of exponents, by the bytes of a real number: matrices of ordinary size stay as they are
_LOWEST = -(2**30)  # an exponent below all


def _exponents(x: Any) -> Any:
    """Powers of 2 that bring numbers below 1 and to at least 1/2; 0 for 0, infinities and NaN."""
    size = np.abs(x)
    return np.where(np.isfinite(size), np.frexp(size)[1], 0).astype(np.int64)


def _scaled(x: Any, powers: Any) -> Any:
    """Numbers times powers of 2, complex ones too."""
    if np.asarray(x).dtype.kind != "c":
        return np.ldexp(x, powers)
    found = np.empty(np.broadcast_shapes(np.shape(x), np.shape(powers)), np.asarray(x).dtype)
    found.real, found.imag = np.ldexp(np.real(x), powers), np.ldexp(np.imag(x), powers)
    return found


def _long_product(x: Any) -> tuple[Any, Any]:
    """The product over the last axis as a number near 1 and a power of 2, so that it is in range in any order."""
    total, power = np.ones(x.shape[:-1], x.dtype), np.zeros(x.shape[:-1], np.int64)
    for k in range(x.shape[-1]):
        taken = _exponents(x[..., k])
        total = total * _scaled(x[..., k], -taken)
        more = _exponents(total)
        total, power = _scaled(total, -more), power + taken + more
    return total, power


def _balanced(square: Any) -> tuple[Any, Any, Any]:
    """The matrix with its largest entries of rows, and then of columns, near 1; and the powers of 2 taken from each.

    Rounds nothing. Products of its pivots, and quotients of these, are in range.
    """
    unit, powers = _UNITS[np.abs(square).dtype.itemsize], []
    for axis in (-1, -2):
        sizes = np.max(np.nan_to_num(np.abs(square), posinf=0), axis=axis, keepdims=True, initial=0)
        powers.append((np.rint(_exponents(sizes) / unit) * unit).astype(np.int64))
        square = _scaled(square, -powers[-1])
    return square, powers[0][..., 0], powers[1][..., 0, :]


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
    balanced, rows, columns = _balanced(real_array(square))
    diagonal, sign = _pivots(balanced)
    product, power = _long_product(diagonal)
    return _scaled(product * sign, power + np.sum(rows + columns, axis=-1))


def _logabsdet(square: Any) -> Any:
    with np.errstate(divide="ignore"):
        diagonal, _ = _pivots(square)
        return np.sum(np.log(np.abs(diagonal)) if diagonal.dtype.kind == "f" else np.log(diagonal), axis=-1)


def _detsign(square: Any) -> Any:
    diagonal, sign = _pivots(square)
    return np.prod(np.sign(diagonal), axis=-1) * sign


def _singular_values(square: Any) -> tuple[Any, Any, Any, Any]:
    """U, the singular values and V^H, with the determinant of U V^H; NaN as values of what is not finite."""
    left = real_array(square)
    finite = np.all(np.isfinite(left), axis=(-2, -1))
    u, s, v = np.linalg.svd(np.where(finite[..., None, None], left, 0))
    return u, np.where(finite[..., None], s, np.nan), v, (_det(u) * _det(v))[..., None, None]


def _others(s: Any) -> tuple[Any, Any]:
    """The product of all others for each number of the last axis, as a number and a power of 2 beside it."""
    return _long_product(np.where(np.eye(s.shape[-1], dtype=bool), 1, s[..., None, :]))


def _cofactor(square: Any) -> Any:
    """By the singular values: the cofactors of a diagonal matrix are products of the others, also where some are 0."""
    balanced, rows, columns = _balanced(real_array(square))
    u, s, v, turned = _singular_values(balanced)
    products, powers = _others(s)
    powers = np.where(products == 0, _LOWEST, powers)
    top = np.max(powers, axis=-1, keepdims=True, initial=_LOWEST)
    found = turned * np.matmul(np.conj(u) * _scaled(products, powers - top)[..., None, :], np.conj(v))
    power = (top + np.sum(rows + columns, axis=-1, keepdims=True))[..., None] - rows[..., None] - columns[..., None, :]
    return _scaled(found, power).astype(balanced.dtype, copy=False)


def _cofactor_along(*squares: Any) -> Any:
    """By the singular values, between whose axes the directions are turned.

    Of a diagonal matrix D, the derivative of det by its entry (i, j) and along k directions is a sum over k rows, other
    than i and than each other: the product of all other diagonal entries, times the cofactor of (i, j) in the minor of
    these rows and row i, in which each row is that of its direction.
    """
    u, s, v, turned = _singular_values(squares[0])
    back = (np.conj(np.swapaxes(x, -1, -2)) for x in (u, v))
    left, right = next(back), next(back)
    along = [left @ real_array(x) @ right for x in squares[1:]]
    n, total, rows = s.shape[-1], np.zeros_like(sum(along)), np.arange(s.shape[-1])
    for places in itertools.permutations(range(n), len(along)):
        chosen = np.isin(rows, places)
        rest, power = _others(np.where(chosen, 1, s))
        rest = np.where(chosen, 0, rest)
        for column, minor in enumerate(_last_cofactors(along, places)):
            if column < len(places):
                total[..., rows, places[column]] += _scaled(rest * minor, power)
            else:
                total[..., rows, rows] += _scaled(rest * minor, power)
    dtype = np.result_type(*(real_array(x) for x in squares))
    return (turned * (np.conj(u) @ total @ np.conj(v))).astype(dtype, copy=False)


def _last_cofactors(along: list[Any], places: tuple[int, ...]) -> Iterator[Any]:
    """Cofactors of the last row where row k is that of direction k, and the columns are ``places`` and then any one."""
    columns = [[x[..., row, c, None] for c in places] + [x[..., row, :]] for x, row in zip(along, places, strict=True)]
    width = len(places) + 1
    for left_out in range(width):
        kept = [[row[c] for c in range(width) if c != left_out] for row in columns]
        shaped = np.broadcast_arrays(*(entry for row in kept for entry in row))
        minors = np.stack(shaped, axis=-1).reshape(*shaped[0].shape, len(places), len(places))
        yield (-1) ** (left_out + len(places)) * _det(minors)


# --- adjoints --------------------------------------------------------------------------------------------------------


def _over_matrices(x: Node) -> Node:
    return expand_dims(x, (-2, -1)) if x.ndim else x


def _adjoint_cofactor(node: Node, g: Node) -> tuple[Node]:
    return (build(COFACTOR_ALONG, [node.inputs[0], g]),)


def _adjoint_along(node: Node, g: Node) -> list[Node]:
    """The derivatives of the determinant are symmetric: the upstream takes a direction's place, or is one more."""
    x, *along = node.inputs
    others = [build(COFACTOR_ALONG, [x, *along[:k], g, *along[k + 1 :]]) for k in range(len(along))]
    return [build(COFACTOR_ALONG, [x, *along, g]), *others]


def _along_latex(node: Node) -> str:
    order = len(node.inputs) - 1
    directions = ",".join(f"{{{k}}}" for k in range(1, order + 1))
    return rf"\operatorname{{{{cof}}}}^{{{{({order})}}}}\left({{0}}\right)\left[" + directions + r"\right]"


def _along_text(node: Node) -> str:
    order = len(node.inputs) - 1
    return f"cof{chr(8242) * order}({{0}})[{', '.join(f'{{{k}}}' for k in range(1, order + 1))}]"


# --- records ---------------------------------------------------------------------------------------------------------

DET = structural(
    "det",
    infer=lambda types: _infer_number(types, "det"),
    reference=_det,
    adjoint=lambda node, g: (_over_matrices(g) * cofactor(node.inputs[0]),),
    reach=MATRICES,
    notation=call_notation(r"\det", "det"),
    doc="Determinant of matrices.",
    source=GILES,
)
COFACTOR = structural(
    "cofactor",
    infer=_infer_cofactor,
    reference=_cofactor,
    adjoint=_adjoint_cofactor,
    reach=MATRICES,
    notation=call_notation(r"\operatorname{{cof}}", "cof"),
    doc="Cofactors of matrices, which are the derivative of the determinant; also of singular ones.",
)
COFACTOR_ALONG = structural(
    "cofactor_along",
    infer=_infer_along,
    reference=_cofactor_along,
    adjoint=_adjoint_along,
    reach=MATRICES,
    notation=Notation(_along_latex, _along_text, CALL),
    doc="Derivative of the cofactors of matrices along directions, one for each order; also of singular matrices.",
)
LOGABSDET = structural(
    "logabsdet",
    infer=lambda types: _infer_number(types, "logabsdet"),
    reference=_logabsdet,
    adjoint=lambda node, g: (_over_matrices(g) * matrix_transpose(inverse(node.inputs[0])),),
    reach=MATRICES,
    edges=True,
    notation=Notation(r"\log\left|\det\left({0}\right)\right|", "log|det({0})|", CALL),
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
        shape ``(...)``. The derivatives of every order, the first of which is the matrix of cofactors, are right for
        singular matrices too.

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
