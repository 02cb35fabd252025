"""Systems of equations, inverses and Cholesky's factor, of one matrix or of many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphlearn.errors import DataError, ShapeError
from graphlearn.graph.blame import blaming
from graphlearn.graph.leaves import constant
from graphlearn.graph.node import Node, as_node
from graphlearn.graph.op import CALL, POWER, PRODUCT, Notation
from graphlearn.ops.linear import matmul, matrix_transpose
from graphlearn.ops.reach import MATRICES, MOVES
from graphlearn.ops.shape import broadcast_to, cast, expand_dims
from graphlearn.ops.structural import build, compound, numpy_builder, structural
from graphlearn.ops.triangles import tril
from graphlearn.types import ArrayType, Shape, broadcast_shapes, format_shape, promote, to_float

GILES = "Giles (2008), Collected matrix derivative results for forward and reverse mode algorithmic differentiation"
_MURRAY = "Murray (2016), Differentiation of the Cholesky decomposition, arXiv:1602.07527, section 3"


def require_square(shape: Shape, what: str) -> None:
    """Refuse what is no square matrix in the last two axes.

    Raises:
        ShapeError: names the shape.
    """
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise ShapeError(
            f"{what} needs square matrices in the last two axes; got {format_shape(shape)}. For more rows than columns "
            "solve the normal equations: gl.solve(X.T @ X, X.T @ y)."
        )


def infer_square(types: tuple[ArrayType, ...], what: str) -> ArrayType:
    """The type of a real function of matrices whose result is a matrix."""
    require_square(types[0].shape, what)
    return ArrayType(types[0].shape, to_float(types[0].dtype))


def _infer_lower_half(types: tuple[ArrayType, ...]) -> ArrayType:
    return infer_square(types, "the half of a matrix")


def _infer_solve(types: tuple[ArrayType, ...]) -> ArrayType:
    matrix, right = types[0].shape, types[1].shape
    require_square(matrix, "solve")
    vector = len(right) == 1 and len(matrix) == 2
    if right[: len(matrix) - 1] != matrix[:-1] or not (vector or len(right) == len(matrix)):
        raise ShapeError(
            f"solve needs (n, n) and (n,) or (n, k); got {format_shape(matrix)} and {format_shape(right)}. Transpose "
            "or reshape the right-hand side."
        )
    return ArrayType(right, to_float(promote(types)[0]))


# --- references ------------------------------------------------------------------------------------------------------


def real_array(x: Any) -> Any:
    """Whole numbers and truths as float64; other arrays as they are."""
    return np.asarray(x) if np.asarray(x).dtype.kind in "fc" else np.asarray(x, np.float64)


def _each(function: Callable[..., Any], cure: str, matrix: Any, *rest: Any) -> Any:
    """NumPy's function of matrices; NaN for those that hold NaN or infinity.

    Raises:
        DataError: it refuses a matrix of finite numbers; the message says which and what to do.
    """
    matrix = real_array(matrix)
    try:
        return function(matrix, *rest)
    except np.linalg.LinAlgError:
        pass
    result = np.full(np.shape(rest[0]) if rest else matrix.shape, np.nan, np.result_type(matrix, *rest))
    for place in np.ndindex(matrix.shape[:-2]):
        one = matrix[place]
        if np.all(np.isfinite(one)):
            try:
                result[place] = function(one, *(np.asarray(x)[place] for x in rest))
            except np.linalg.LinAlgError:
                where = f" at {place}" if place else ""
                raise DataError(f"{cure.format(where=where)}") from None
    return result


_SINGULAR = (
    "{name} needs a matrix that has an inverse; got a singular one{{where}}. Drop columns that depend on others, or "
    "add a small multiple of the identity, as in gl.solve(X.T @ X + 1e-6 * np.eye(n), X.T @ y)."
)
_NOT_POSITIVE = (
    "cholesky needs a symmetric matrix whose eigenvalues are above 0; got another one{where}. Add a small "
    "multiple of the identity."
)


def _solve(square: Any, right: Any) -> Any:
    return _each(np.linalg.solve, _SINGULAR.format(name="solve"), square, real_array(right))


def _inverse(square: Any) -> Any:
    return _each(np.linalg.inv, _SINGULAR.format(name="inverse"), square)


def _cholesky(positive: Any) -> Any:
    return _each(np.linalg.cholesky, _NOT_POSITIVE, positive)


# --- adjoints --------------------------------------------------------------------------------------------------------


def _adjoint_solve(node: Node, g: Node) -> tuple[Node, Node]:
    share = build(SOLVE, [matrix_transpose(node.inputs[0]), g])
    if node.ndim == 1:
        return -(expand_dims(share, 1) * node), share
    return -matmul(share, matrix_transpose(node)), share


def _adjoint_inverse(node: Node, g: Node) -> tuple[Node]:
    turned = matrix_transpose(node)
    return (-matmul(matmul(turned, g), turned),)


def _adjoint_cholesky(node: Node, g: Node) -> tuple[Node]:
    """In the lower triangle, which alone is read."""
    lower = matrix_transpose(node)
    left = build(SOLVE, [lower, _symmetric(lower, g)])
    return (_halved(matrix_transpose(build(SOLVE, [lower, matrix_transpose(left)]))),)


def _textbook_cholesky(node: Node, g: Node) -> tuple[Node]:
    right = inverse(node)
    full = _symmetric(matrix_transpose(node), g)
    return (_halved(matmul(matmul(matrix_transpose(right), full), right)),)


def _symmetric(transposed: Node, g: Node) -> Node:
    """``P + P^T`` with ``P = Phi(L^T g)``."""
    inner = _halved(matmul(transposed, g))
    return inner + matrix_transpose(inner)


def _halved(x: Node) -> Node:
    return build(LOWER_HALF, [x])


def _lower_half(square: Any) -> Any:
    real = real_array(square)
    return (np.tril(real) + np.tril(real, -1)) / real.dtype.type(2)


def _expand_lower_half(node: Node) -> Node:
    x = cast(node.inputs[0], node.dtype)
    return 0.5 * (tril(x) + tril(x, -1))


# --- records ---------------------------------------------------------------------------------------------------------


def call_notation(latex: str, text: str) -> Notation:
    """A function of one operand, in LaTeX and as text."""
    return Notation(latex + r"\left({0}\right)", text + "({0})", CALL)


SOLVE = structural(
    "solve",
    infer=_infer_solve,
    reference=_solve,
    adjoint=_adjoint_solve,
    reach=MATRICES,
    edges=True,
    notation=Notation(
        r"{0}^{{-1}} \, {1}", "{0}⁻¹ {1}", PRODUCT + 2, (POWER + 1, PRODUCT + 3), PRODUCT + 2, (POWER + 1, PRODUCT + 3)
    ),
    doc="Solution x of A x = b.",
    source=GILES,
)
INVERSE = compound(
    "inverse",
    infer=lambda types: infer_square(types, "inverse"),
    reference=_inverse,
    adjoint=_adjoint_inverse,
    expand=lambda node: _expand_inverse(node),
    reach=MATRICES,
    edges=True,
    notation=Notation(r"{0}^{{-1}}", "{0}⁻¹", POWER, (POWER + 1,)),
    doc="Inverse of matrices.",
    source=GILES,
)
LOWER_HALF = compound(
    "lower_half",
    infer=_infer_lower_half,
    reference=_lower_half,
    adjoint=lambda node, g: (_halved(g),),
    expand=_expand_lower_half,
    reach=MOVES,
    notation=call_notation(r"\Phi", "Φ"),
    doc="Lower triangle of matrices with half of the diagonal, as the derivative of Cholesky's factor needs it.",
    source=_MURRAY,
)
CHOLESKY = structural(
    "cholesky",
    infer=lambda types: infer_square(types, "cholesky"),
    reference=_cholesky,
    adjoint=_adjoint_cholesky,
    textbook_adjoint=_textbook_cholesky,
    reach=MATRICES,
    edges=True,
    notation=call_notation(r"\operatorname{{chol}}", "chol"),
    doc="Cholesky's factor of symmetric positive definite matrices: lower triangular L with L L^T = A.",
    source=_MURRAY,
)


def fixed_side(shape: Shape, what: str) -> int:
    """Rows of square matrices.

    Raises:
        ShapeError: the axis is free.
    """
    side = shape[-1]
    if isinstance(side, str):
        raise ShapeError(
            f"{what} needs matrices of fixed size; got {format_shape(shape)}. Give the axis a fixed length where the "
            "input is declared."
        )
    return side


def _expand_inverse(node: Node) -> Node:
    x = cast(node.inputs[0], node.dtype)
    identity = cast(constant(np.eye(fixed_side(node.shape, "inverse"))), node.dtype)
    return build(SOLVE, [x, broadcast_to(identity, node.shape)])


# --- public functions ------------------------------------------------------------------------------------------------


def solve(a: Any, b: Any) -> Node:
    """Solution of ``a @ x = b``, as `numpy.linalg.solve`.

    Args:
        a: node or array ``(..., n, n)`` in a unit ``u``.
        b: node or array ``(n,)``, a vector, or ``(..., n, k)``, in a unit ``v``; leading axes broadcast.

    Returns:
        The shape of ``b``, in ``v / u``. Where ``a`` is singular `gl.evaluate` raises `DataError`; compiled code gives
        infinities and NaN.

    Raises:
        ShapeError: ``a`` is not square, or ``b`` has another number of rows.

    Example:
        >>> import graphlearn as gl
        >>> X, y = gl.input("X", ("N", 2)), gl.input("y", ("N",))
        >>> w = gl.solve(X.T @ X, X.T @ y)
        >>> gl.evaluate(w, {X: [[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]], y: [1.0, 3.0, 5.0]}).round(6)
        array([1., 2.])
    """
    left, right = as_node(a), as_node(b)
    with blaming("solve", left, right):
        require_square(left.shape, "solve")
        if right.ndim == 1 and left.ndim > 2:
            _infer_solve((left.type.with_shape(left.shape[-2:]), right.type))
            batch = left.shape[:-2]
            return build(SOLVE, [left, broadcast_to(expand_dims(right, 1), (*batch, *right.shape, 1))])[..., 0]
        if right.ndim > 1:
            batch = broadcast_shapes([left.shape[:-2], right.shape[:-2]])
            left = broadcast_to(left, (*batch, *left.shape[-2:]))
            right = broadcast_to(right, (*batch, *right.shape[-2:]))
    return build(SOLVE, [left, right])


def inverse(x: Any) -> Node:
    """Inverse of matrices, as `numpy.linalg.inv`. For ``inverse(a) @ b`` write `solve`, which is faster and closer.

    Args:
        x: node or array ``(..., n, n)``.

    Returns:
        The shape of ``x``. Where it is singular `gl.evaluate` raises `DataError`; compiled code gives infinities and
        NaN.

    Raises:
        ShapeError: not square, or of a free size.
    """
    x = as_node(x)
    with blaming("inverse", x):
        require_square(x.shape, "inverse")
        fixed_side(x.shape, "inverse")
    return build(INVERSE, [x])


def cholesky(x: Any) -> Node:
    """Lower triangular factor L of symmetric positive definite matrices ``L @ L.T``, as `numpy.linalg.cholesky`.

    Args:
        x: node or array ``(..., n, n)``; only its lower triangle is read, so its derivative is in the lower triangle.

    Returns:
        The shape of ``x``. Where an eigenvalue is 0 or less `gl.evaluate` raises `DataError`; compiled code gives NaN.

    Raises:
        ShapeError: not square.
    """
    return build(CHOLESKY, [as_node(x)])


numpy_builder(np.linalg.solve, solve)
numpy_builder(np.linalg.inv, lambda a: inverse(a))
numpy_builder(np.linalg.cholesky, lambda a: cholesky(a))
