"""Reductions over axes: sum, mean, max, min, any, all, and the places of the largest and the smallest entry."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphlearn.errors import ShapeError
from graphlearn.graph.blame import blaming
from graphlearn.graph.node import Node, as_node
from graphlearn.graph.op import Op
from graphlearn.graph.options import check_flag
from graphlearn.ops.intrinsics import equal, greater, logical_not, not_equal, where
from graphlearn.ops.reach import LINES, MOVES
from graphlearn.ops.shape import broadcast_to, cast, element_count, reshape
from graphlearn.ops.structural import build, compound, numpy_builder, reduction_notation, structural
from graphlearn.types import (
    ArrayType,
    Shape,
    format_shape,
    normalize_axes,
    normalize_axis,
    reduce_shape,
    reduced_axes,
    to_float,
)

Axis = int | Sequence[int] | None


def _reduced(types: tuple[ArrayType, ...], axis: tuple[int, ...], keepdims: bool) -> Shape:
    return reduce_shape(types[0].shape, axis, keepdims)


def _infer_sum(types: tuple[ArrayType, ...], axis: tuple[int, ...], keepdims: bool) -> ArrayType:
    # As NumPy, sums of bools and of narrow integers are wide; int64 for uint8 too, since graphs have no uint64.
    dtype = types[0].dtype if types[0].is_float else "int64"
    return ArrayType(_reduced(types, axis, keepdims), dtype)


def _infer_mean(types: tuple[ArrayType, ...], axis: tuple[int, ...], keepdims: bool) -> ArrayType:
    return ArrayType(_reduced(types, axis, keepdims), to_float(types[0].dtype))


def _infer_largest(
    types: tuple[ArrayType, ...], axis: tuple[int, ...], keepdims: bool, empty: bool = False
) -> ArrayType:
    _require_entries(types[0].shape, axis)
    return ArrayType(_reduced(types, axis, keepdims), types[0].dtype)


def _infer_smallest(types: tuple[ArrayType, ...], axis: tuple[int, ...], keepdims: bool) -> ArrayType:
    _require_entries(types[0].shape, axis, "a minimum")
    return ArrayType(_reduced(types, axis, keepdims), types[0].dtype)


def _infer_truth(types: tuple[ArrayType, ...], axis: tuple[int, ...], keepdims: bool) -> ArrayType:
    return ArrayType(_reduced(types, axis, keepdims), "bool")


def _infer_place(types: tuple[ArrayType, ...], axis: int) -> ArrayType:
    _require_entries(types[0].shape, (axis,), "the place of an extreme")
    return ArrayType(_reduced(types, (axis,), False), "int64")


def _require_entries(shape: Shape, axis: Sequence[int], what: str = "a maximum") -> None:
    if any(shape[k] == 0 for k in axis):
        raise ShapeError(
            f"{what} needs at least one entry along its axes; got the shape {format_shape(shape)}. Give more data."
        )


def largest(x: Any, axis: int | tuple[int, ...], keepdims: bool = False, empty: bool = False) -> Any:
    """NumPy's maximum, for the references.

    Args:
        x: array.
        axis: the axes that go.
        keepdims: keep them with length 1.
        empty: give the lowest number of the dtype where there is nothing to choose from.

    Raises:
        ShapeError: there is nothing to choose from.
    """
    if empty:
        dtype = np.asarray(x).dtype
        lowest = -np.inf if dtype.kind == "f" else False if dtype.kind == "b" else np.iinfo(dtype).min
        return np.max(x, axis=axis, keepdims=keepdims, initial=lowest)
    _require_entries(np.shape(x), (axis,) if isinstance(axis, int) else axis)
    return np.max(x, axis=axis, keepdims=keepdims)


def _smallest(entries: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    _require_entries(np.shape(entries), axis, "a minimum")
    return np.min(entries, axis=axis, keepdims=keepdims)


def _place_of_largest(x: Any, axis: int) -> Any:
    _require_entries(np.shape(x), (axis,), "the place of an extreme")
    return np.argmax(x, axis=axis)


def _place_of_smallest(x: Any, axis: int) -> Any:
    _require_entries(np.shape(x), (axis,), "the place of an extreme")
    return np.argmin(x, axis=axis)


def _average(x: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    """Sum and divide: `numpy.mean` warns where there is nothing to add, for which 0 / 0 is NaN on every backend."""
    real = np.asarray(x) if np.asarray(x).dtype.kind == "f" else np.asarray(x, np.float64)
    count = math.prod(real.shape[k] for k in axis)
    with np.errstate(invalid="ignore"):
        return np.sum(real, axis=axis, keepdims=keepdims) / real.dtype.type(count)


def restore(g: Node, node: Node) -> Node:
    """Spread a reduction's array back over the shape of its operand."""
    shape = node.inputs[0].shape
    return broadcast_to(g if g.shape == () else reshape(g, _kept(node)), shape)


def _kept(node: Node) -> Shape:
    return reduce_shape(node.inputs[0].shape, node.attr("axis"), keepdims=True)


def _adjoint_extreme(node: Node, g: Node) -> tuple[Node]:
    x = node.inputs[0]
    mask = equal(x, reshape(node, _kept(node)))
    ties = sum_(cast(mask, x.dtype), node.attr("axis"), keepdims=True)
    return (where(mask, reshape(g, _kept(node)) / ties, 0),)


def _textbook_extreme(node: Node, g: Node) -> tuple[Node]:
    value, upstream = (n if n.shape == () else reshape(n, _kept(node)) for n in (node, g))
    return (where(equal(node.inputs[0], value), upstream, 0),)


def _expand_min(node: Node) -> Node:
    """The largest of the entries in reverse order: opposites; -1 - x for whole numbers, which stays in their range."""
    x, axis, keepdims = node.inputs[0], node.attr("axis"), node.attr("keepdims")
    if x.dtype == "bool":
        return logical_not(max_(logical_not(x), axis, keepdims))
    if x.type.is_float:
        return -max_(-x, axis, keepdims)
    wide = cast(x, "int64" if x.dtype == "int64" else "int32")
    return cast(-1 - max_(-1 - wide, axis, keepdims), x.dtype)


def _true_entries(node: Node, condition: Node) -> Node:
    return sum_(cast(condition, "int64"), node.attr("axis"), keepdims=node.attr("keepdims"))


def _count(node: Node) -> Node | int:
    return element_count([node.inputs[0].shape[k] for k in node.attr("axis")])


def _expand_mean(node: Node) -> Node:
    x = node.inputs[0]
    total = sum_(cast(x, node.dtype), node.attr("axis"), keepdims=node.attr("keepdims"))
    return total / _count(node)


SUM = structural(
    "sum",
    infer=_infer_sum,
    reference=lambda x, axis, keepdims: np.sum(x, axis=axis, keepdims=keepdims),
    adjoint=lambda node, g: (restore(g, node),),
    reach=MOVES,
    notation=reduction_notation("sum", r"\sum"),
    doc="Sum over axes.",
)
MAX = structural(
    "max",
    infer=_infer_largest,
    reference=largest,
    adjoint=_adjoint_extreme,
    textbook_adjoint=_textbook_extreme,
    reach=LINES,
    notation=reduction_notation("max", r"\max"),
    doc="Largest entry over axes, NaN if there is one.",
    kink="entries that tie for the maximum share its derivative equally",
)
MIN = compound(
    "min",
    infer=_infer_smallest,
    reference=_smallest,
    adjoint=_adjoint_extreme,
    textbook_adjoint=_textbook_extreme,
    expand=_expand_min,
    reach=LINES,
    notation=reduction_notation("min", r"\min"),
    doc="Smallest entry over axes, NaN if there is one.",
    kink="entries that tie for the minimum share its derivative equally",
)


def _place_record(name: str, reference: Callable[..., Any], what: str) -> Op:
    """A place has no derivative."""
    return structural(
        name,
        infer=_infer_place,
        reference=reference,
        adjoint=None,
        notation=reduction_notation(name, rf"\operatorname{{{{{name}}}}}"),
        doc=f"Place of the {what} entry along an axis: the first of several, or of the first NaN.",
    )


def _truth_record(name: str, reference: Callable[..., Any], expand: Callable[[Node], Node], doc: str) -> Op:
    """A truth has no derivative."""
    return compound(
        name,
        infer=_infer_truth,
        reference=reference,
        adjoint=None,
        expand=expand,
        notation=reduction_notation(name, rf"\operatorname{{{{{name}}}}}"),
        doc=doc,
    )


ARGMAX = _place_record("argmax", _place_of_largest, "largest")
ARGMIN = _place_record("argmin", _place_of_smallest, "smallest")
ANY = _truth_record(
    "any",
    lambda entries, axis, keepdims: np.any(entries, axis=axis, keepdims=keepdims),
    lambda node: greater(_true_entries(node, not_equal(node.inputs[0], 0)), 0),
    "Whether some entry over axes is true; NaN counts as true.",
)
ALL = _truth_record(
    "all",
    lambda entries, axis, keepdims: np.all(entries, axis=axis, keepdims=keepdims),
    lambda node: equal(_true_entries(node, equal(node.inputs[0], 0)), 0),
    "Whether all entries over axes are true; NaN counts as true.",
)
MEAN = compound(
    "mean",
    infer=_infer_mean,
    reference=_average,
    adjoint=lambda node, g: (restore(g / _count(node), node),),
    expand=_expand_mean,
    reach=MOVES,
    notation=reduction_notation("mean", r"\operatorname{{mean}}"),
    doc="Arithmetic mean over axes.",
)


def _reduce(op: Op, x: Any, axis: Axis, keepdims: bool) -> Node:
    x = as_node(x)
    with blaming(op.name, x):
        axes = normalize_axes(axis, x.ndim, op.name) if op is MEAN else reduced_axes(axis, x.ndim, op.name)
    return build(op, [x], axis=axes, keepdims=check_flag(keepdims, f"{op.name} with keepdims"))


def sum_(x: Any, axis: Axis = None, keepdims: bool = False) -> Node:
    """Sum over axes.

    Args:
        x: node or array of any dtype; bools and integers sum to int64.
        axis: an axis, several, or None for all.
        keepdims: keep the reduced axes with length 1.

    Raises:
        ShapeError: an axis out of range.
    """
    return _reduce(SUM, x, axis, keepdims)


def mean(x: Any, axis: Axis = None, keepdims: bool = False) -> Node:
    """Arithmetic mean over axes; the count of a free axis is known at run time.

    Args:
        x: node or array; integers give float64.
        axis: an axis, several, or None for all.
        keepdims: keep the reduced axes with length 1.
    """
    return _reduce(MEAN, x, axis, keepdims)


def max_(x: Any, axis: Axis = None, keepdims: bool = False) -> Node:
    """Largest entry over axes; tied entries share the derivative equally.

    Args:
        x: node or array with at least one entry along the axes.
        axis: an axis, several, or None for all.
        keepdims: keep the reduced axes with length 1.

    Raises:
        ShapeError: an axis of length 0.
    """
    return _reduce(MAX, x, axis, keepdims)


def min_(x: Any, axis: Axis = None, keepdims: bool = False) -> Node:
    """Smallest entry over axes; tied entries share the derivative equally.

    Args:
        x: node or array with at least one entry along the axes.
        axis: an axis, several, or None for all.
        keepdims: keep the reduced axes with length 1.

    Raises:
        ShapeError: an axis of length 0, or out of range.
    """
    return _reduce(MIN, x, axis, keepdims)


def any_(x: Any, axis: Axis = None, keepdims: bool = False) -> Node:
    """Whether some entry over axes is true, as `numpy.any`; False where there is none.

    Args:
        x: node or array of any dtype; all but 0 counts as true.
        axis: an axis, several, or None for all.
        keepdims: keep the reduced axes with length 1.

    Raises:
        ShapeError: an axis out of range.
    """
    return _reduce(ANY, x, axis, keepdims)


def all_(x: Any, axis: Axis = None, keepdims: bool = False) -> Node:
    """Whether all entries over axes are true, as `numpy.all`; True where there is none.

    Args:
        x: node or array of any dtype; all but 0 counts as true.
        axis: an axis, several, or None for all.
        keepdims: keep the reduced axes with length 1.

    Raises:
        ShapeError: an axis out of range.
    """
    return _reduce(ALL, x, axis, keepdims)


def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Node:
    """Place of the largest entry, as `numpy.argmax`.

    Args:
        x: node or array with at least one entry along the axis.
        axis: along which places are counted; None counts through all entries, row by row.
        keepdims: keep the reduced axes with length 1.

    Returns:
        int64 places, the first where several tie; the place of the first NaN where there is one. They have no
        derivative.

    Raises:
        ShapeError: an axis of length 0, or out of range.
    """
    return _place(ARGMAX, x, axis, keepdims)


def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Node:
    """Place of the smallest entry, as `numpy.argmin`.

    Args:
        x: node or array with at least one entry along the axis.
        axis: along which places are counted; None counts through all entries, row by row.
        keepdims: keep the reduced axes with length 1.

    Returns:
        int64 places, the first where several tie; the place of the first NaN where there is one. They have no
        derivative.

    Raises:
        ShapeError: an axis of length 0, or out of range.
    """
    return _place(ARGMIN, x, axis, keepdims)


def _place(op: Op, x: Any, axis: int | None, keepdims: bool) -> Node:
    x = as_node(x)
    with blaming(op.name, x):
        whole = axis is None
        line = reshape(x, -1) if whole else x
        if x.ndim == 0 and reduced_axes(axis, 0, op.name) == ():  # as NumPy, the only entry of its only axis
            line = reshape(x, 1)
        place = normalize_axis(0 if axis is None else axis, line.ndim, op.name)
        _require_entries(line.shape, (place,), op.name)
        kept = check_flag(keepdims, f"{op.name} with keepdims")
    found = build(op, [line], axis=place)
    return reshape(found, reduce_shape(x.shape, range(x.ndim) if whole else (place,), True)) if kept else found


for _function in (sum_, max_, min_, any_, all_):  # public without the underscore that spares Python's own
    _function.__name__ = _function.__qualname__ = _function.__name__.rstrip("_")

numpy_builder(np.argmax, lambda a, axis=None, keepdims=False: argmax(a, axis, keepdims))
numpy_builder(np.argmin, lambda a, axis=None, keepdims=False: argmin(a, axis, keepdims))
