"""Variance, standard deviation and norms over axes: in two passes, without overflow, with a derivative everywhere."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphlearn.errors import OptionError, ShapeError, UnsupportedOp
from graphlearn.graph.blame import blaming
from graphlearn.graph.node import Node, as_node
from graphlearn.graph.options import check_flag
from graphlearn.ops.guards import guarded
from graphlearn.ops.intrinsics import absolute, equal, greater, less, logical_or, maximum, not_equal, sqrt, where
from graphlearn.ops.reach import LINES
from graphlearn.ops.reductions import MAX, Axis, max_, mean, min_, restore, sum_
from graphlearn.ops.shape import cast, element_count
from graphlearn.ops.structural import build, compound, numpy_builder, reduction_notation
from graphlearn.types import ArrayType, format_shape, normalize_axes, reduce_shape, reduced_axes, to_float, whole_axes

# A sum of squares beyond 2**edge, or below its inverse, has terms out of the range of numbers; 2**shift brings their
# roots back, exactly.
_EDGES = {"float64": (900, 600), "float32": (100, 90)}


def _infer_spread(types: tuple[ArrayType, ...], axis: tuple[int, ...], ddof: float, keepdims: bool) -> ArrayType:
    return ArrayType(reduce_shape(types[0].shape, axis, keepdims), to_float(types[0].dtype))


def _infer_norm(types: tuple[ArrayType, ...], axis: tuple[int, ...], keepdims: bool) -> ArrayType:
    return ArrayType(reduce_shape(types[0].shape, axis, keepdims), to_float(types[0].dtype))


# --- references ------------------------------------------------------------------------------------------------------


def _real(x: Any) -> Any:
    return np.asarray(x) if np.asarray(x).dtype.kind == "f" else np.asarray(x, np.float64)


def _centred(x: Any, axis: tuple[int, ...], ddof: float) -> tuple[Any, Any]:
    """Distances from the mean, and what their squares are divided by."""
    real = _real(x)
    count = math.prod(real.shape[k] for k in axis)
    with np.errstate(invalid="ignore"):
        middle = np.sum(real, axis=axis, keepdims=True) / real.dtype.type(count)
    return real - middle, real.dtype.type(max(count - ddof, 0))


def _variance(entries: Any, axis: tuple[int, ...], ddof: float, keepdims: bool) -> Any:
    distance, divisor = _centred(entries, axis, ddof)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sum(distance * distance, axis=axis, keepdims=keepdims) / divisor


def _deviation(entries: Any, axis: tuple[int, ...], ddof: float, keepdims: bool) -> Any:
    distance, divisor = _centred(entries, axis, ddof)
    with np.errstate(invalid="ignore", divide="ignore"):
        return _length(distance, axis, keepdims) / np.sqrt(divisor)


def _length(entries: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """The root of the sum of squares; entries are brought near 1 by a power of two, which rounds nothing."""
    real = _real(entries)
    top = np.max(np.abs(real), axis=axis, keepdims=True, initial=0)
    power = np.where(np.isfinite(top), np.frexp(top)[1], 0)
    root = np.sqrt(np.sum(np.square(np.ldexp(real, -power)), axis=axis, keepdims=True))
    return np.ldexp(root, power) if keepdims else np.squeeze(np.ldexp(root, power), axis=axis)


# --- expansions ------------------------------------------------------------------------------------------------------


def _as_real(node: Node) -> Node:
    return cast(node.inputs[0], node.dtype)


def _distances(node: Node) -> Node:
    x = _as_real(node)
    return x - mean(x, node.attr("axis"), keepdims=True)


def _exact_distances(node: Node) -> Node:
    """The distances as they run: 0 from an equal mean.

    Compiled code rounds a product and its difference only once, so that ``a*x - mean(a*x)`` of one entry would be what
    the product was rounded by. Times 0, so infinities stay NaN.
    """
    x = _as_real(node)
    middle = mean(x, node.attr("axis"), keepdims=True)
    return guarded(equal(x, middle), x * 0, x - middle)


def _divisor(node: Node) -> Node | float:
    """Entries less ``ddof``; 0 where there are fewer, so that the quotient is no number, as in NumPy."""
    count = element_count([node.inputs[0].shape[k] for k in node.attr("axis")])
    rest = count - node.attr("ddof")
    return maximum(rest, 0) if isinstance(rest, Node) else max(rest, 0)


def _expand_var(node: Node) -> Node:
    distance = _exact_distances(node)
    return sum_(distance * distance, node.attr("axis"), node.attr("keepdims")) / _divisor(node)


def _expand_std(node: Node) -> Node:
    divisor = _divisor(node)
    root = sqrt(divisor) if isinstance(divisor, Node) else math.sqrt(divisor)
    return length(_exact_distances(node), node.attr("axis"), node.attr("keepdims")) / root


def _expand_norm(node: Node) -> Node:
    """From one pass: the squares added as they are, and of numbers brought near 1 from either side.

    No largest entry is needed, which would be a second pass, and which nothing at all has not.
    """
    x, axis, keepdims = _as_real(node), node.attr("axis"), node.attr("keepdims")
    edge, shift = _EDGES[node.dtype]
    plain, lowered, raised = (sum_(y * y, axis, keepdims) for y in (x, x * 2.0**-shift, x * 2.0**shift))
    large, small = sqrt(lowered) * 2.0**shift, sqrt(raised) * 2.0**-shift
    return where(greater(plain, 2.0**edge), large, where(less(plain, 2.0**-edge), small, sqrt(plain)))


# --- adjoints --------------------------------------------------------------------------------------------------------


def _adjoint_var(node: Node, g: Node) -> tuple[Node]:
    return (restore(g, node) * (2 * _distances(node) / _divisor(node)),)


def _adjoint_std(node: Node, g: Node) -> tuple[Node]:
    upstream = restore(g, node)
    share = upstream * (_distances(node) / restore(_nonzero(node), node)) / _divisor(node)
    return (guarded(equal(restore(node, node), 0), 0, share),)


def _adjoint_norm(node: Node, g: Node) -> tuple[Node]:
    """``g x / |x|``; where the length overflows or is subnormal, of numbers brought near 1 by a power of two."""
    x, (_, shift) = _as_real(node), _EDGES[node.dtype]
    small = less(node, 2.0**-shift)
    odd = logical_or(small, greater(node, 2.0**shift))
    scaled = x * restore(where(odd, where(small, 2.0**shift, 2.0**-shift), 1), node)
    other = length(scaled, node.attr("axis"), node.attr("keepdims"))
    usual = x / restore(guarded(odd, 1, node), node)
    share = guarded(restore(odd, node), scaled / restore(_nonzero(other), node), usual)
    return (guarded(equal(restore(node, node), 0), 0, restore(g, node) * share),)


def _textbook_std(node: Node, g: Node) -> tuple[Node]:
    return (restore(g, node) * (_distances(node) / (_divisor(node) * restore(node, node))),)


def _textbook_norm(node: Node, g: Node) -> tuple[Node]:
    return (restore(g, node) * (_as_real(node) / restore(node, node)),)


def _nonzero(node: Node) -> Node:
    """The value, and 1 where it is 0: what is not taken makes no NaN, in a second derivative either."""
    return guarded(equal(node, 0), 1, node)


# --- records ---------------------------------------------------------------------------------------------------------

VAR = compound(
    "var",
    infer=_infer_spread,
    reference=_variance,
    adjoint=_adjoint_var,
    expand=_expand_var,
    reach=LINES,
    edges=True,
    notation=reduction_notation("var", r"\operatorname{{var}}"),
    doc="Variance over axes: the mean square of the distances from the mean.",
)
STD = compound(
    "std",
    infer=_infer_spread,
    reference=_deviation,
    adjoint=_adjoint_std,
    textbook_adjoint=_textbook_std,
    expand=_expand_std,
    reach=LINES,
    edges=True,
    notation=reduction_notation("std", r"\operatorname{{std}}"),
    doc="Standard deviation over axes: the root of the variance.",
    kink="the derivative of a standard deviation that is 0 is 0",
)
NORM = compound(
    "norm",
    infer=_infer_norm,
    reference=_length,
    adjoint=_adjoint_norm,
    textbook_adjoint=_textbook_norm,
    expand=_expand_norm,
    reach=LINES,
    notation=reduction_notation("norm", r"\operatorname{{norm}}"),
    doc="Euclidean length over axes: the root of the sum of squares.",
    kink="the derivative of the norm of zeros is 0",
)


# --- public functions ------------------------------------------------------------------------------------------------


def var(x: Any, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> Node:
    """Variance over axes, as `numpy.var`.

    Args:
        x: node or array in any unit ``u``; integers give float64.
        axis: an axis, several, or None for all.
        ddof: the sum of squares is divided by the number of entries less ``ddof``; 1 for an unbiased estimate.
        keepdims: keep the reduced axes with length 1.

    Returns:
        In the unit ``u**2``; NaN where the divisor is 0 or less.

    Raises:
        ShapeError: an axis out of range.
        OptionError: ``ddof`` is no number.
    """
    return _spread(VAR, x, axis, ddof, keepdims)


def std(x: Any, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> Node:
    """Standard deviation over axes, as `numpy.std`; its derivative where all entries are equal is 0.

    Unlike NumPy's it is right where the squares of the distances overflow or vanish, at 1e200 or 1e-200.

    Args:
        x: node or array in any unit ``u``; integers give float64.
        axis: an axis, several, or None for all.
        ddof: the sum of squares is divided by the number of entries less ``ddof``.
        keepdims: keep the reduced axes with length 1.

    Returns:
        In the unit ``u``; NaN where the divisor is 0 or less.

    Raises:
        ShapeError: an axis out of range.
        OptionError: ``ddof`` is no number.
    """
    return _spread(STD, x, axis, ddof, keepdims)


def _spread(op: Any, x: Any, axis: Axis, ddof: float, keepdims: bool) -> Node:
    x = as_node(x)
    with blaming(op.name, x):
        if isinstance(ddof, bool) or not isinstance(ddof, (int, float, np.integer, np.floating)):
            raise OptionError(f"{op.name} needs a number as ddof; got {ddof!r}. Give 0 or 1.")
        axes = normalize_axes(axis, x.ndim, op.name)
    plain = int(ddof) if float(ddof).is_integer() else float(ddof)
    return build(op, [x], axis=axes, ddof=plain, keepdims=check_flag(keepdims, f"{op.name} with keepdims"))


def norm(x: Any, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Node:
    """Norm of vectors or matrices, as `numpy.linalg.norm`; the Euclidean one neither overflows nor vanishes.

    Args:
        x: node or array in any unit ``u``.
        ord: None or 2 for the Euclidean length (of a matrix: None or ``"fro"``); 1 for the sum of absolute values (of a
            matrix: the largest over its columns), inf for the largest absolute value (of a matrix: the largest sum of
            a row), -inf for the smallest; 0 for the number of entries of a vector that are not 0.
        axis: an axis for vectors, two for matrices, or None for the whole array.
        keepdims: keep the reduced axes with length 1.

    Returns:
        In the unit ``u``. The derivative at 0 is 0; entries that tie for a largest value share its derivative equally.

    Raises:
        ShapeError: an order is given for something else than vectors and matrices, or an axis is out of range.
        UnsupportedOp: another order, such as the largest singular value of a matrix.
    """
    x = as_node(x)
    with blaming("norm", x):
        kept = check_flag(keepdims, "norm with keepdims")
        if not isinstance(ord, (str, int, float, np.integer, np.floating, type(None))):
            raise OptionError(f"norm needs a number, 'fro' or None as ord; got {ord!r}. Leave it out for the length.")
        axes = tuple(range(x.ndim)) if axis is None else tuple(a % max(x.ndim, 1) for a in whole_axes(axis, "norm"))
        normalize_axes(axis, x.ndim, "norm")
        if axis is None and ord is None:
            return length(x, axes, kept)
        if len(axes) not in (1, 2):
            raise ShapeError(
                f"a norm of an order needs vectors or matrices; got the axes {axes} of {format_shape(x.shape)}. Give "
                "one axis or two, or leave the order out."
            )
        if len(axes) == 1:
            return _vector_norm(x, ord, axes[0], kept)
        return _matrix_norm(x, ord, axes[0], axes[1], kept)


def length(x: Node, axes: Axis, keepdims: bool = False) -> Node:
    """Euclidean length over any axes, None for all; its derivative at 0 is 0."""
    return build(NORM, [x], axis=reduced_axes(axes, x.ndim, "norm"), keepdims=bool(keepdims))


def _vector_norm(x: Node, order: Any, axis: int, keepdims: bool) -> Node:
    if order is None or order == 2:
        return length(x, (axis,), keepdims)
    if order == 1:
        return sum_(absolute(x), axis, keepdims)
    if order in (np.inf, -np.inf):
        return _largest_size(absolute(x), (axis,), keepdims) if order > 0 else min_(absolute(x), axis, keepdims)
    if order == 0:
        return sum_(cast(not_equal(x, 0), x.dtype if x.type.is_float else "float64"), axis, keepdims)
    raise UnsupportedOp(
        f"the norm of a vector has the orders None, 0, 1, 2, inf and -inf; got {order!r}. For another p write "
        "gl.sum(gl.abs(x)**p)**(1/p)."
    )


def _largest_size(x: Node, axis: tuple[int, ...], keepdims: bool = False) -> Node:
    """Largest of entries that are 0 or more, and 0 where there are none, also of an axis that turns out to be empty."""
    lengths = [x.shape[k] for k in axis]
    if 0 in lengths:
        return cast(sum_(x, axis, keepdims), x.dtype)
    if all(isinstance(d, int) for d in lengths):
        return max_(x, axis, keepdims)
    return maximum(build(MAX, [x], axis=tuple(sorted(axis)), empty=True, keepdims=keepdims), 0)


def _matrix_norm(x: Node, order: Any, row: int, column: int, keepdims: bool) -> Node:
    if order is None or order == "fro":
        return length(x, (row, column), keepdims)
    if order not in (1, -1, np.inf, -np.inf):
        raise UnsupportedOp(
            f"the norm of a matrix has the orders None, 'fro', 1, -1, inf and -inf; got {order!r}, which needs "
            "singular values. Leave the order out for the Euclidean length of all entries."
        )
    inner, outer = (row, column) if abs(order) == 1 else (column, row)
    totals = sum_(absolute(x), inner, keepdims=True)
    axes = (inner, outer)
    return _largest_size(totals, axes, keepdims) if order > 0 else min_(totals, axes, keepdims)


numpy_builder(np.linalg.norm, lambda x, ord=None, axis=None, keepdims=False: norm(x, ord, axis, keepdims))
