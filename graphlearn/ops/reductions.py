"""Reductions over axes: sum, mean, max."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphlearn.errors import ShapeError
from graphlearn.graph.blame import blaming
from graphlearn.graph.node import Node, as_node
from graphlearn.graph.op import CALL, Notation
from graphlearn.ops.intrinsics import equal, where
from graphlearn.ops.shape import broadcast_to, cast, element_count, reshape
from graphlearn.ops.structural import axis_text, build, compound, numpy_builder, structural
from graphlearn.types import ArrayType, Shape, format_shape, normalize_axes, reduce_shape, to_float

Axis = int | Sequence[int] | None


def _reduced(types: tuple[ArrayType, ...], axis: tuple[int, ...], keepdims: bool) -> Shape:
    return reduce_shape(types[0].shape, axis, keepdims)


def _infer_sum(types: tuple[ArrayType, ...], axis: tuple[int, ...], keepdims: bool) -> ArrayType:
    # As NumPy, sums of bools and of narrow integers are wide; int64 for uint8 too, since graphs have no uint64.
    dtype = types[0].dtype if types[0].is_float else "int64"
    return ArrayType(_reduced(types, axis, keepdims), dtype)


def _infer_mean(types: tuple[ArrayType, ...], axis: tuple[int, ...], keepdims: bool) -> ArrayType:
    return ArrayType(_reduced(types, axis, keepdims), to_float(types[0].dtype))


def _infer_max(types: tuple[ArrayType, ...], axis: tuple[int, ...], keepdims: bool) -> ArrayType:
    _require_entries(types[0].shape, axis)
    return ArrayType(_reduced(types, axis, keepdims), types[0].dtype)


def _require_entries(shape: Shape, axis: Sequence[int]) -> None:
    if any(shape[k] == 0 for k in axis):
        raise ShapeError(
            f"a maximum needs at least one entry along its axes; got the shape {format_shape(shape)}. Give more data."
        )


def largest(x: Any, axis: int | tuple[int, ...], keepdims: bool = False) -> Any:
    """NumPy's maximum, for the references.

    Raises:
        ShapeError: there is nothing to choose from.
    """
    _require_entries(np.shape(x), (axis,) if isinstance(axis, int) else axis)
    return np.max(x, axis=axis, keepdims=keepdims)


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


def _adjoint_max(node: Node, g: Node) -> tuple[Node]:
    x = node.inputs[0]
    mask = equal(x, reshape(node, _kept(node)))
    ties = sum_(cast(mask, x.dtype), node.attr("axis"), keepdims=True)
    return (where(mask, reshape(g, _kept(node)) / ties, 0),)


def _count(node: Node) -> Node | int:
    return element_count([node.inputs[0].shape[k] for k in node.attr("axis")])


def _expand_mean(node: Node) -> Node:
    x = node.inputs[0]
    total = sum_(cast(x, node.dtype), node.attr("axis"), keepdims=node.attr("keepdims"))
    return total / _count(node)


def _reduction_notation(name: str, latex: str) -> Notation:
    return Notation(
        lambda n: latex + _latex_axes(n) + r"\left({0}\right)", lambda n: f"{name}({{0}}{axis_text(n)})", CALL
    )


def _latex_axes(node: Node) -> str:
    text = axis_text(node)
    return f"_{{{{\\text{{{{{text[2:]}}}}}}}}}" if text else ""


SUM = structural(
    "sum",
    infer=_infer_sum,
    reference=lambda x, axis, keepdims: np.sum(x, axis=axis, keepdims=keepdims),
    adjoint=lambda node, g: (restore(g, node),),
    notation=_reduction_notation("sum", r"\sum"),
    doc="Sum over axes.",
)
MAX = structural(
    "max",
    infer=_infer_max,
    reference=largest,
    adjoint=_adjoint_max,
    notation=_reduction_notation("max", r"\max"),
    doc="Largest entry over axes, NaN if there is one.",
    kink="entries that tie for the maximum share its derivative equally",
)
MEAN = compound(
    "mean",
    infer=_infer_mean,
    reference=_average,
    adjoint=lambda node, g: (restore(g / _count(node), node),),
    expand=_expand_mean,
    notation=_reduction_notation("mean", r"\operatorname{{mean}}"),
    doc="Arithmetic mean over axes.",
)


def _reduce(op: Any, x: Any, axis: Axis, keepdims: bool) -> Node:
    x = as_node(x)
    with blaming(op.name, x):
        axes = normalize_axes(axis, x.ndim, op.name)
    return build(op, [x], axis=axes, keepdims=bool(keepdims))


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


numpy_builder(np.sum, lambda a, axis=None, keepdims=False: sum_(a, axis, keepdims))
numpy_builder(np.mean, lambda a, axis=None, keepdims=False: mean(a, axis, keepdims))
numpy_builder(np.max, lambda a, axis=None, keepdims=False: max_(a, axis, keepdims))
