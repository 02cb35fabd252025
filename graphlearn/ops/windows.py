"""Sliding windows of an array, and their adjoint, which adds overlapping windows up: what convolution is made of.

The window axes stand right behind the axes along which the windows slide: (N, 6, C) with windows of 3 is (N, 4, 3, C),
so that each row of a window's entries is one stretch of memory once it is copied.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphlearn.errors import ShapeError
from graphlearn.graph.blame import blaming
from graphlearn.graph.node import Node, as_node
from graphlearn.graph.op import CALL, Notation
from graphlearn.ops.reach import MOVES
from graphlearn.ops.shape import shape_text, transpose
from graphlearn.ops.structural import build, numpy_builder, structural
from graphlearn.types import ArrayType, Dim, Shape, check_shape, format_shape, normalize_axes, whole_axes


def window_count(length: int, size: int, stride: int, dilation: int) -> int:
    """How many windows of a size fit into a length; 0 where none does."""
    return max((length - (size - 1) * dilation - 1) // stride + 1, 0)


def windows_shape(
    shape: Shape, axis: int, size: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...], what: str
) -> Shape:
    """Shape of the windows of an array of a shape.

    Raises:
        ShapeError: a free axis, or one that is shorter than a window.
    """
    if not len(size) == len(stride) == len(dilation) > 0:
        raise ShapeError(
            f"{what} needs a size, a stride and a dilation for each axis; got {size}, {stride} and {dilation}. Give "
            "equally many."
        )
    counts = []
    for k, (each, step, apart) in enumerate(zip(size, stride, dilation, strict=True)):
        dim = shape[axis + k] if axis + k < len(shape) else None
        if not isinstance(dim, int):
            raise ShapeError(
                f"{what} needs axes of fixed length to slide along; got axis {axis + k} of {format_shape(shape)}. Give "
                "the axis a fixed length with gl.specialize."
            )
        counts.append(window_count(dim, each, step, apart))
        if not counts[-1]:
            span = (each - 1) * apart + 1
            raise ShapeError(
                f"{what} needs axes that hold a window; got the length {dim} of axis {axis + k} for a window that "
                f"spans {span}. Take smaller windows, or pad the array."
            )
    return (*shape[:axis], *counts, *size, *shape[axis + len(size) :])


def _infer_windows(
    types: tuple[ArrayType, ...],
    axis: int,
    size: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
) -> ArrayType:
    return types[0].with_shape(windows_shape(types[0].shape, axis, size, stride, dilation, "windows"))


def windows_reference(
    x: Any, axis: int, size: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> Any:
    """The windows of an array, in NumPy."""
    axes = tuple(range(axis, axis + len(size)))
    spans = tuple((each - 1) * apart + 1 for each, apart in zip(size, dilation, strict=True))
    every = np.lib.stride_tricks.sliding_window_view(np.asarray(x), spans, axes)  # window axes last
    steps: tuple[Any, ...] = tuple(slice(None, None, step) for step in stride)
    inside = tuple(slice(None, None, apart) for apart in dilation)
    taken = every[(*[slice(None)] * axis, *steps, ..., *inside)]
    return np.moveaxis(taken, range(-len(size), 0), range(axis + len(size), axis + 2 * len(size)))


def _infer_overlap(
    types: tuple[ArrayType, ...],
    axis: int,
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    shape: tuple[Dim, ...],
) -> ArrayType:
    given, many = types[0].shape, len(stride)
    size = tuple(d for d in given[axis + many : axis + 2 * many] if isinstance(d, int))
    if len(size) != many or given != windows_shape(shape, axis, size, stride, dilation, "overlap_add"):
        raise ShapeError(
            f"overlap_add needs the windows of an array of the shape {format_shape(shape)} with the strides {stride}; "
            f"got {format_shape(given)}. Give the shape that gl.windows was applied to."
        )
    return types[0].with_shape(shape)


def overlap_reference(
    x: Any, axis: int, stride: tuple[int, ...], dilation: tuple[int, ...], shape: tuple[int, ...]
) -> Any:
    """Windows added up, in NumPy: one place of the windows after the other."""
    x, many = np.asarray(x), len(stride)
    result = np.zeros(shape, x.dtype)
    before = (slice(None),) * axis
    for offset in itertools.product(*[range(n) for n in x.shape[axis + many : axis + 2 * many]]):
        firsts = [k * apart for k, apart in zip(offset, dilation, strict=True)]
        counts = x.shape[axis : axis + many]
        places = tuple(
            slice(first, first + (n - 1) * step + 1, step)
            for first, n, step in zip(firsts, counts, stride, strict=True)
        )
        result[before + places] += x[before + (slice(None),) * many + offset]
    return result


def numbers_text(numbers: Sequence[int]) -> str:
    """``3`` where all are the same, else ``3×2``."""
    return str(numbers[0]) if len(set(numbers)) == 1 else "×".join(map(str, numbers))


def steps_text(node: Node) -> str:
    """``, stride=2, dilation=3`` as far as they are not 1."""
    attrs = dict(node.attrs)
    found = [f", {name}={numbers_text(attrs[name])}" for name in ("stride", "dilation") if set(attrs[name]) != {1}]
    return "".join(found)


def _size_text(node: Node) -> str:
    return "×".join(map(str, node.attr("size"))) + steps_text(node)


def _latex_text(text: str) -> str:
    """A text as LaTeX under an operator's name."""
    return rf"\text{{{{{text}}}}}"


WINDOWS = structural(
    "windows",
    infer=_infer_windows,
    reference=windows_reference,
    adjoint=lambda node, g: (
        overlap(g, node.inputs[0].shape, node.attr("axis"), node.attr("stride"), node.attr("dilation")),
    ),
    reach=MOVES,
    notation=Notation(
        lambda n: rf"\operatorname{{{{windows}}}}_{{{{{_latex_text(_size_text(n))}}}}}\left({{0}}\right)",
        lambda n: f"windows({{0}}, {_size_text(n)})",
        CALL,
    ),
    doc="Every window of a size that slides along axes, as arrays side by side.",
)
OVERLAP_ADD = structural(
    "overlap_add",
    infer=_infer_overlap,
    reference=overlap_reference,
    adjoint=lambda node, g: (
        slid(g, node.attr("axis"), _window_sizes(node), node.attr("stride"), node.attr("dilation")),
    ),
    reach=MOVES,
    notation=Notation(
        lambda n: (
            rf"\operatorname{{{{overlap}}}}_{{{{{shape_text(n)}{_latex_text(steps_text(n))}}}}}\left({{0}}\right)"
        ),
        lambda n: f"overlap_add({{0}}, {shape_text(n)}{steps_text(n)})",
        CALL,
    ),
    doc="Windows added up where they overlap: the adjoint of windows.",
)


def _window_sizes(node: Node) -> tuple[int, ...]:
    axis, many = node.attr("axis"), len(node.attr("stride"))
    return tuple(int(d) for d in node.inputs[0].shape[axis + many : axis + 2 * many])


def slid(x: Node, axis: int, size: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]) -> Node:
    """`windows` with attributes in canonical form."""
    return build(WINDOWS, [x], axis=axis, size=size, stride=stride, dilation=dilation)


def overlap(x: Node, shape: Shape, axis: int, stride: tuple[int, ...], dilation: tuple[int, ...]) -> Node:
    """`overlap_add` with attributes in canonical form."""
    return build(OVERLAP_ADD, [x], axis=axis, shape=shape, stride=stride, dilation=dilation)


def each_axis(given: Any, many: int, what: str) -> tuple[int, ...]:
    """A number for each of several axes, from one for all or from one for each.

    Raises:
        ShapeError: something that is no whole number from 1 on, or another number of them.
    """
    numbers = whole_axes(given, what)
    if len(numbers) == 1:
        numbers *= many
    if len(numbers) != many or any(n < 1 for n in numbers):
        kind = "a whole number from 1 on" + ("" if many == 1 else f", one for all or one for each of {many} axes")
        raise ShapeError(f"{what} needs {kind}; got {given!r}. Write 2, for instance.")
    return tuple(numbers)


def windows(
    x: Any,
    size: int | Sequence[int],
    axis: int | Sequence[int] | None = None,
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
) -> Node:
    """Every window of a size that slides along axes.

    Args:
        x: node or array.
        size: entries of a window along each of the axes.
        axis: along which the windows slide, neighbours in ascending order and of fixed length; default: as many as
            there are sizes, the last ones but one: rows are samples, and the last axis holds channels.
        stride: places from one window to the next, one number or one for each axis.
        dilation: places from one entry of a window to the next, likewise.

    Returns:
        The shape of ``x`` with the axes replaced by the numbers of windows, and behind these the sizes: (N, 6, C) with
        windows of 3 is (N, 4, 3, C). What does not fill a window at the end is left out.

    Raises:
        ShapeError: axes that are not neighbours, free or shorter than a window; numbers below 1.

    Example:
        >>> import graphlearn as gl
        >>> gl.evaluate(gl.windows([1.0, 2.0, 3.0, 4.0], 2, axis=0))
        array([[1., 2.],
               [2., 3.],
               [3., 4.]])
    """
    x = as_node(x)
    with blaming("windows", x):
        many = len(whole_axes(size, "windows"))
        sizes = each_axis(size, many, "the size of windows")
        first = _first_axis(axis, x.ndim, many)
        steps, apart = each_axis(stride, many, "the stride"), each_axis(dilation, many, "the dilation")
        windows_shape(x.shape, first, sizes, steps, apart, "windows")
    return slid(x, first, sizes, steps, apart)


def _first_axis(axis: int | Sequence[int] | None, rank: int, many: int) -> int:
    """The first of the neighbouring axes along which windows slide."""
    axes = normalize_axes(tuple(range(rank - many - 1, rank - 1)) if axis is None else axis, rank, "windows")
    if not axes or axes != tuple(range(axes[0], axes[0] + many)):
        raise ShapeError(
            f"windows needs neighbouring axes, one for each size; got axes {axes} for {many} sizes. Transpose the "
            "array first."
        )
    return axes[0]


def overlap_add(
    x: Any,
    shape: Dim | Sequence[Dim],
    axis: int | Sequence[int] | None = None,
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
) -> Node:
    """Windows added up at the places that they were taken from, the adjoint of `windows`.

    Args:
        x: node or array of the shape of ``windows(y, ...)`` for a ``y`` of the shape.
        shape: of the result.
        axis: of the result, along which the windows slide; by default the last but one, or the two before the last.
        stride: as for `windows`.
        dilation: as for `windows`.

    Raises:
        ShapeError: ``x`` is not of the shape of such windows.

    Example:
        >>> import graphlearn as gl
        >>> gl.evaluate(gl.overlap_add([[1.0, 2.0], [10.0, 20.0]], 3, axis=0))
        array([ 1., 12., 20.])
    """
    x = as_node(x)
    with blaming("overlap_add", x):
        dims = check_shape(shape, "overlap_add")
        many = x.ndim - len(dims)
        first = _first_axis(axis, len(dims), many)
        steps, apart = each_axis(stride, many, "the stride"), each_axis(dilation, many, "the dilation")
    return overlap(x, dims, first, steps, apart)


def _sliding_window_view(x: Any, window_shape: Any, axis: Any = None) -> Node:
    """NumPy's own: windows along any axes, and their axes last."""
    node = as_node(x)
    sizes = whole_axes(window_shape, "windows")
    with blaming("windows", node):
        axes = list(range(node.ndim)) if axis is None else [a % max(node.ndim, 1) for a in whole_axes(axis, "windows")]
        if len(axes) != len(sizes):
            raise ShapeError(
                f"windows needs one size for each axis; got {len(sizes)} for {len(axes)}. Give axis= as many axes."
            )
    for place, each in zip(axes, sizes, strict=True):
        slid = windows(node, each, place)
        node = transpose(slid, (*range(place + 1), *range(place + 2, slid.ndim), place + 1))
    return node


numpy_builder(np.lib.stride_tricks.sliding_window_view, _sliding_window_view)
