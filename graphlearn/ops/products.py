"""Products over axes: prod, cumprod, and what their derivatives of every order need.

The derivative of a product by one factor is the product of the others. It is computed from the products before and
after each place, never by division, so that it is exact where factors are zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphlearn.errors import ShapeError
from graphlearn.graph.blame import blaming
from graphlearn.graph.node import Node, as_node
from graphlearn.graph.op import Notation, Reach
from graphlearn.graph.options import check_flag
from graphlearn.ops.reach import LINES
from graphlearn.ops.reductions import Axis, restore
from graphlearn.ops.running import cumsum
from graphlearn.ops.shape import broadcast_to, cast, reshape
from graphlearn.ops.structural import build, reduction_notation, structural
from graphlearn.types import ArrayType, format_shape, normalize_axis, promote, reduce_shape, reduced_axes


def _wide(dtype: str) -> str:
    """As NumPy, products of bools and of narrow integers are wide; int64 for uint8 too, since graphs have no uint64."""
    return dtype if dtype.startswith("float") else "int64"


def _infer_prod(types: tuple[ArrayType, ...], axis: tuple[int, ...], keepdims: bool) -> ArrayType:
    return ArrayType(reduce_shape(types[0].shape, axis, keepdims), _wide(types[0].dtype))


def _infer_running(types: tuple[ArrayType, ...], axis: int, reverse: bool) -> ArrayType:
    return ArrayType(types[0].shape, _wide(types[0].dtype))


def _infer_recurrence(types: tuple[ArrayType, ...], axis: int, reverse: bool) -> ArrayType:
    if types[0].shape != types[1].shape:
        raise ShapeError(
            f"recurrence needs factors and terms of one shape; got {format_shape(types[0].shape)} and "
            f"{format_shape(types[1].shape)}. Broadcast one of them."
        )
    return ArrayType(types[0].shape, _wide(promote(types)[0]))


# --- references ------------------------------------------------------------------------------------------------------


def _lines(x: Any, axis: int, reverse: bool) -> Any:
    """The array with its axis in front, in the order of the steps."""
    front = np.moveaxis(np.asarray(x), axis, 0)
    front = front if front.dtype.kind in "fc" else front.astype(np.int64)
    return front[::-1] if reverse else front


def _back(lines: Any, axis: int, reverse: bool) -> Any:
    return np.moveaxis(lines[::-1] if reverse else lines, 0, axis)


def _products_before(x: Any, axis: int, reverse: bool) -> Any:
    lines = _lines(x, axis, reverse)
    result = np.ones_like(lines)
    np.cumprod(lines[:-1], axis=0, out=result[1:])
    return _back(result, axis, reverse)


def _recurrence(x: Any, g: Any, axis: int, reverse: bool) -> Any:
    factors, terms = _lines(x, axis, reverse), _lines(g, axis, reverse)
    result = np.zeros(factors.shape, np.result_type(factors, terms))
    for k in range(1, len(result)):
        result[k] = terms[k - 1] + factors[k - 1] * result[k - 1]
    return _back(result, axis, reverse)


def _needed_before(node: Node, condition: Node) -> list[Node]:
    """A place needs the entries before it."""
    axis, reverse = node.attr("axis"), node.attr("reverse")
    taken = broadcast_to(condition, node.shape)
    later = cumsum(taken, axis, reverse=not reverse) - cast(taken, "int64")
    return [later > 0 for _ in node.inputs]


# --- adjoints --------------------------------------------------------------------------------------------------------


def _adjoint_prod(node: Node, g: Node) -> tuple[Node]:
    return (restore(g, node) * others(node.inputs[0], node.attr("axis")),)


def others(x: Node, axes: tuple[int, ...]) -> Node:
    """For each entry the product of all others over the axes.

    Args:
        x: node of a real dtype.
        axes: sorted axes of ``x``.
    """
    if not axes:
        return as_node(1.0)
    first, rest = axes[0], axes[1:]
    along = products_before(x, first) * products_before(x, first, reverse=True)
    if not rest:
        return along
    # Further axes: the entries of the own line apart from itself, times all of the other lines.
    return along * others(prod(x, first, keepdims=True), rest)


def _adjoint_products_before(node: Node, g: Node) -> tuple[Node]:
    return (node * _mirrored(node, node.inputs[0], g),)


def _adjoint_recurrence(node: Node, g: Node) -> tuple[Node, Node]:
    by_term = _mirrored(node, node.inputs[0], g)
    return node * by_term, by_term


def _mirrored(node: Node, factors: Node, g: Node) -> Node:
    """What the upstream adjoints of all later places mean for a place: the recurrence backwards."""
    return build(RECURRENCE, [factors, g], axis=node.attr("axis"), reverse=not node.attr("reverse"))


# --- records ---------------------------------------------------------------------------------------------------------


def _text(node: Node) -> str:
    return f"axis={node.attr('axis')}" + (", reverse=True" if node.attr("reverse") else "")


def _beside(node: Node) -> tuple[str, str]:
    """Which products are meant, and the axis where there are several."""
    name = "after" if node.attr("reverse") else "before"
    return name, f"axis={node.attr('axis')}" if node.ndim > 1 else ""


def _beside_text(node: Node) -> str:
    name, axis = _beside(node)
    return f"{name}({{0}}{f', {axis}' if axis else ''})"


def _beside_latex(node: Node) -> str:
    name, axis = _beside(node)
    index = f"_{{{{\\text{{{{{axis}}}}}}}}}" if axis else ""
    return rf"\operatorname{{{{{name}}}}}{index}\left({{0}}\right)"


# Both adjoints pass every factor along a line, also those that the result does not need.
_BEFORE = Reach(_needed_before, "operands")
PROD = structural(
    "prod",
    infer=_infer_prod,
    reference=lambda entries, axis, keepdims: np.prod(entries, axis=axis, keepdims=keepdims),
    adjoint=_adjoint_prod,
    reach=LINES,
    notation=reduction_notation("prod", r"\prod"),
    doc="Product over axes.",
)
PRODUCTS_BEFORE = structural(
    "products_before",
    infer=_infer_running,
    reference=_products_before,
    adjoint=_adjoint_products_before,
    reach=_BEFORE,
    notation=Notation(_beside_latex, _beside_text),
    doc="Product of the entries before each place along an axis; 1 at the first.",
)
RECURRENCE = structural(
    "recurrence",
    infer=_infer_recurrence,
    reference=_recurrence,
    adjoint=_adjoint_recurrence,
    reach=_BEFORE,
    notation=Notation(
        lambda n: rf"\operatorname{{{{recurrence}}}}_{{{{\text{{{{{_text(n)}}}}}}}}}\left({{0}}, {{1}}\right)",
        lambda n: f"recurrence({{0}}, {{1}}, {_text(n)})",
    ),
    doc="Running total s of terms g with factors x: s[k+1] = g[k] + x[k] s[k], s[0] = 0; the derivative of products.",
)


# --- public functions ------------------------------------------------------------------------------------------------


def prod(x: Any, axis: Axis = None, keepdims: bool = False) -> Node:
    """Product over axes, as `numpy.prod`.

    Args:
        x: node or array of any dtype; bools and integers multiply to int64.
        axis: an axis, several, or None for all.
        keepdims: keep the reduced axes with length 1.

    Returns:
        1 where there is no factor. The derivative by a factor is the product of the others, exact also where factors
        are 0. As in NumPy, a part of the factors whose product leaves the range of the dtype is 0 or infinite, also
        where the whole is in range: for 1e-30, 1e-30, 1e30, 1e30 of float32 the value is 0, and no derivative is right.

    Raises:
        ShapeError: an axis out of range.
    """
    x = as_node(x)
    with blaming("prod", x):
        axes = reduced_axes(axis, x.ndim, "prod")
    return build(PROD, [x], axis=axes, keepdims=check_flag(keepdims, "prod with keepdims"))


def cumprod(x: Any, axis: int | None = None, *, reverse: bool = False) -> Node:
    """Product of the entries up to each place, as `numpy.cumprod`; its derivative is exact where entries are 0.

    Args:
        x: node or array of any dtype; bools and integers multiply to int64.
        axis: along which to multiply; None takes all entries, row by row, as one line.
        reverse: multiply from the end.

    Raises:
        ShapeError: an axis out of range.
    """
    line, place = _line(x, axis, "cumprod")
    return products_before(line, place, reverse=reverse) * line


def products_before(x: Any, axis: int, *, reverse: bool = False) -> Node:
    """Product of the entries before each place along an axis, or after it.

    Args:
        x: node or array.
        axis: along which to multiply.
        reverse: take the entries after each place.

    Raises:
        ShapeError: an axis out of range.
    """
    line, place = _line(x, axis, "products_before")
    return build(PRODUCTS_BEFORE, [line], axis=place, reverse=check_flag(reverse, "products_before with reverse"))


def _line(x: Any, axis: int | None, what: str) -> tuple[Node, int]:
    x = as_node(x)
    with blaming(what, x):
        line = reshape(x, -1) if axis is None or (x.ndim == 0 and reduced_axes(axis, 0, what) == ()) else x
        place = normalize_axis(0 if axis is None else axis, line.ndim, what)
    return line, place
