"""Parts of matrices by place: diagonals, matrices with a given diagonal, triangles, and the trace."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from graphlearn.errors import ShapeError
from graphlearn.graph.blame import blaming
from graphlearn.graph.leaves import constant
from graphlearn.graph.node import Node, as_node
from graphlearn.graph.op import CALL, Notation, Op
from graphlearn.ops.intrinsics import where
from graphlearn.ops.reach import MOVES
from graphlearn.ops.reductions import sum_
from graphlearn.ops.shape import broadcast_to, reshape, transpose
from graphlearn.ops.slicing import inlay, take_region
from graphlearn.ops.structural import build, compound, numpy_builder
from graphlearn.types import ArrayType, Region, Shape, format_shape, normalize_axes


def _sides(shape: Shape, what: str) -> tuple[int, int]:
    """Rows and columns of the matrices in the last two axes.

    Raises:
        ShapeError: there are no two axes, or one of them is free.
    """
    if len(shape) < 2:
        raise ShapeError(f"{what} needs matrices; got the shape {format_shape(shape)}. Reshape the array to (m, n).")
    rows, columns = shape[-2:]
    if isinstance(rows, str) or isinstance(columns, str):
        raise ShapeError(
            f"{what} needs matrices with a fixed number of rows and columns; got {format_shape(shape)}. Give the axis "
            "a fixed length with gl.specialize."
        )
    return rows, columns


def _length(rows: int, columns: int, offset: int) -> int:
    """Entries of a diagonal."""
    return max(0, min(rows + min(offset, 0), columns - max(offset, 0)))


def _places(shape: Shape, offset: int) -> Region:
    """A diagonal among the entries of matrices, counted row by row."""
    rows, columns = _sides(shape, "a diagonal")
    first = offset if offset >= 0 else -offset * columns
    count = _length(rows, columns, offset)
    return (*[None] * (len(shape) - 2), (first if count else 0, count, columns + 1))


def _flat(shape: Shape) -> Shape:
    rows, columns = _sides(shape, "a diagonal")
    return (*shape[:-2], rows * columns)


def _infer_diagonal(types: tuple[ArrayType, ...], offset: int) -> ArrayType:
    shape = types[0].shape
    return types[0].with_shape((*shape[:-2], _length(*_sides(shape, "diagonal"), offset)))


def _infer_diag(types: tuple[ArrayType, ...], offset: int, sides: tuple[int, int]) -> ArrayType:
    shape = types[0].shape
    if not shape or shape[-1] != _length(*sides, offset):
        raise ShapeError(
            f"diag needs as many entries as the diagonal has, {_length(*sides, offset)}; got {format_shape(shape)}. "
            "Slice the vector, or leave the size of the matrix out."
        )
    return types[0].with_shape((*shape[:-1], *sides))


def _infer_triangle(types: tuple[ArrayType, ...], k: int) -> ArrayType:
    _sides(types[0].shape, "a triangle of a matrix")
    return ArrayType(types[0].shape, types[0].dtype)


def _laid_on_diagonal(x: Any, offset: int, sides: tuple[int, int]) -> Any:
    x = np.asarray(x)
    result = np.zeros((*x.shape[:-1], *sides), x.dtype)
    k = np.arange(x.shape[-1])
    result[..., k + max(-offset, 0), k + max(offset, 0)] = x
    return result


def _expand_diagonal(node: Node) -> Node:
    x = node.inputs[0]
    return take_region(reshape(x, _flat(x.shape)), _places(x.shape, node.attr("offset")))


def _expand_diag(node: Node) -> Node:
    return reshape(inlay(node.inputs[0], _places(node.shape, node.attr("offset")), _flat(node.shape)), node.shape)


def _adjoint_diagonal(node: Node, g: Node) -> tuple[Node]:
    return (build(DIAG, [g], offset=node.attr("offset"), sides=node.inputs[0].shape[-2:]),)


def _expand_triangle(node: Node) -> Node:
    kept = (np.tril if node.op.name == "tril" else np.triu)(
        np.ones(_sides(node.shape, node.op.name), bool), node.attr("k")
    )
    return where(constant(kept), node.inputs[0], 0)


def _call(name: str, latex: str, attr: str) -> Notation:
    """``diag(x)``, with the number of the diagonal where it is not the main one."""
    return Notation(
        lambda n: (
            (rf"\operatorname{{{{{latex}}}}}" + (f"_{{{{{n.attr(attr)}}}}}" if n.attr(attr) else ""))
            + r"\left({0}\right)"
        ),
        lambda n: f"{name}({{0}}{f', {n.attr(attr)}'.replace('-', '−') if n.attr(attr) else ''})",
        CALL,
    )


DIAGONAL = compound(
    "diagonal",
    infer=_infer_diagonal,
    reference=lambda matrix, offset: np.diagonal(matrix, offset, -2, -1),
    adjoint=_adjoint_diagonal,
    expand=_expand_diagonal,
    reach=MOVES,
    notation=_call("diagonal", "diagonal", "offset"),
    doc="Diagonal of the matrices in the last two axes.",
)
DIAG = compound(
    "diag",
    infer=_infer_diag,
    reference=_laid_on_diagonal,
    adjoint=lambda node, g: (build(DIAGONAL, [g], offset=node.attr("offset")),),
    expand=_expand_diag,
    reach=MOVES,
    notation=_call("diag", "diag", "offset"),
    doc="Matrices of zeros with the entries of the last axis on a diagonal.",
)


def _triangle_record(name: str, reference: Callable[..., Any], doc: str) -> Op:
    """A triangle is its own adjoint: what it sets to 0 gets no gradient."""
    return compound(
        name,
        infer=_infer_triangle,
        reference=reference,
        adjoint=lambda node, g: (build(node.op, [g], k=node.attr("k")),),
        expand=_expand_triangle,
        reach=MOVES,
        notation=_call(name, name, "k"),
        doc=doc,
    )


TRIL = _triangle_record(
    "tril", lambda matrix, k: np.tril(matrix, k), "Lower triangle of matrices, with zeros above a diagonal."
)
TRIU = _triangle_record(
    "triu", lambda matrix, k: np.triu(matrix, k), "Upper triangle of matrices, with zeros below a diagonal."
)


def _whole(value: Any, what: str) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise ShapeError(
            f"{what} needs a whole number for the diagonal; got {value!r}. Give 0 for the main diagonal, 1 for the one "
            "above, -1 for the one below."
        ) from None


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Node:
    """Diagonal of matrices, as `numpy.diagonal`.

    Args:
        x: node or array of rank 2 or more.
        offset: 0 for the main diagonal, above it 1, 2, ..., below it -1, -2, ...
        axis1: the rows of the matrices; of fixed length.
        axis2: their columns; of fixed length.

    Returns:
        The other axes of ``x``, then the entries of the diagonal; empty where there are none.

    Raises:
        ShapeError: fewer than two axes, one axis twice, or a free one.
    """
    x = as_node(x)
    with blaming("diagonal", x):
        if x.ndim < 2:
            _sides(x.shape, "diagonal")
        normalize_axes((axis1, axis2), x.ndim, "diagonal")
        place = _whole(offset, "diagonal")
        last = (axis1 % x.ndim, axis2 % x.ndim)
    matrices = transpose(x, (*(k for k in range(x.ndim) if k not in last), *last))
    return build(DIAGONAL, [matrices], offset=place)


def diag(x: Any, k: int = 0) -> Node:
    """The matrix with a vector on a diagonal, or the diagonal of a matrix, as `numpy.diag`.

    Args:
        x: node or array of rank 1 or 2, of fixed lengths.
        k: number of the diagonal; 0 for the main one.

    Raises:
        ShapeError: another rank, or a free axis.
    """
    x = as_node(x)
    with blaming("diag", x):
        place = _whole(k, "diag")
        if x.ndim == 2:
            return diagonal(x, place)
        if x.ndim != 1 or isinstance(x.shape[0], str):
            raise ShapeError(
                f"diag needs a vector or a matrix of fixed lengths; got {format_shape(x.shape)}. For matrices in the "
                "last two axes write gl.diagonal(x, axis1=-2, axis2=-1)."
            )
        side = x.shape[0] + abs(place)
    return build(DIAG, [x], offset=place, sides=(side, side))


def tril(x: Any, k: int = 0) -> Node:
    """Lower triangle of the matrices in the last two axes, as `numpy.tril`: zeros above the k-th diagonal.

    A vector counts as the square matrix whose rows it is.

    Args:
        x: node or array ``(..., rows, columns)`` of any dtype, or a vector.
        k: the diagonal at the edge: 0 for the main one, 1 for the one above it, -1 for the one below.

    Raises:
        ShapeError: a scalar, or a free axis among the last two.
    """
    return _triangle(TRIL, x, k)


def triu(x: Any, k: int = 0) -> Node:
    """Upper triangle of the matrices in the last two axes, as `numpy.triu`: zeros below the k-th diagonal.

    A vector counts as the square matrix whose rows it is.

    Args:
        x: node or array ``(..., rows, columns)`` of any dtype, or a vector.
        k: the diagonal at the edge: 0 for the main one, 1 for the one above it, -1 for the one below.

    Raises:
        ShapeError: a scalar, or a free axis among the last two.
    """
    return _triangle(TRIU, x, k)


def _triangle(op: Op, x: Any, k: int) -> Node:
    x = as_node(x)
    with blaming(op.name, x):
        place = _whole(k, op.name)
    if x.ndim == 1:
        x = broadcast_to(x, (*x.shape, *x.shape))
    return build(op, [x], k=place)


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Node:
    """Sum of the diagonal of matrices, as `numpy.trace`.

    Args:
        x: node or array of rank 2 or more, whose two axes have fixed lengths.
        offset: which diagonal: 0 for the main one, 1 for the one above it, -1 for the one below.
        axis1: of the rows.
        axis2: of the columns.

    Returns:
        The other axes; bools and integers sum to int64.

    Raises:
        ShapeError: fewer than two axes, one that is free, or one out of range.
    """
    node = as_node(x)
    with blaming("trace", node):
        return sum_(diagonal(node, offset, axis1, axis2), -1)


numpy_builder(np.diagonal, lambda a, offset=0, axis1=0, axis2=1: diagonal(a, offset, axis1, axis2))
numpy_builder(np.diag, lambda v, k=0: diag(v, k))
numpy_builder(np.tril, lambda m, k=0: tril(m, k))
numpy_builder(np.triu, lambda m, k=0: triu(m, k))
numpy_builder(np.trace, lambda a, offset=0, axis1=0, axis2=1: trace(a, offset, axis1, axis2))
numpy_builder(np.linalg.diagonal, lambda x, offset=0: diagonal(x, offset, -2, -1))
numpy_builder(np.linalg.trace, lambda x, offset=0: trace(x, offset, -2, -1))
