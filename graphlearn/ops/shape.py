"""Operations that change the shape and keep the entries: broadcast_to, reshape, transpose, and the cast of dtypes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphlearn.errors import ShapeError
from graphlearn.graph.blame import blaming
from graphlearn.graph.node import Node, as_node
from graphlearn.graph.op import ATOM, CALL, POWER, Notation
from graphlearn.ops.reach import MOVES
from graphlearn.ops.structural import build, numpy_builder, structural
from graphlearn.types import (
    ArrayType,
    Dim,
    Shape,
    broadcast_shapes,
    check_dtype,
    check_shape,
    format_shape,
    normalize_axes,
    normalize_axis,
    reshape_shape,
    whole_axes,
)


def _infer_broadcast(types: tuple[ArrayType, ...], shape: tuple[Dim, ...]) -> ArrayType:
    source = types[0]
    if broadcast_shapes([source.shape, shape]) != shape:
        raise ShapeError(
            f"broadcast_to needs a shape with the axes of the array and perhaps more; got {format_shape(source.shape)} "
            f"-> {format_shape(shape)}. Reduce it with sum first."
        )
    return source.with_shape(shape)


def shape_text(node: Node) -> str:
    """The shape as derivations write it: ``(N, 3)``."""
    return format_shape(tuple("N" if d == "batch" else d for d in node.type.shape))


def _new_axes(node: Node) -> str:
    """``:, None`` of a reshape that only puts in axes of length 1, as an index writes it; else nothing.

    Where the array has axes of length 1 itself, nobody can tell which ones are new.
    """
    old, new = node.inputs[0].shape, node.shape
    if not old or 1 in old or len(old) == len(new) or old != tuple(d for d in new if d != 1):
        return ""
    if len(old) > 1 and new[: len(old)] == old:
        return ", ".join(["..."] + ["None"] * (len(new) - len(old)))
    index = ["None" if dim == 1 else ":" for dim in new]
    return ", ".join(index[: len(index) - index[::-1].index("None")])


BROADCAST = structural(
    "broadcast_to",
    infer=_infer_broadcast,
    reference=lambda x, shape: np.broadcast_to(x, shape),
    # The contribution has the large shape; un-broadcasting in reverse mode sums it.
    adjoint=lambda node, g: (g,),
    reach=MOVES,
    notation=Notation(
        lambda n: rf"\operatorname{{{{broadcast}}}}_{{{{{shape_text(n)}}}}}\left({{0}}\right)",
        lambda n: f"broadcast({{0}}, {shape_text(n)})",
    ),
    doc="The array repeated along axes of length 1 and along new leading axes.",
)
RESHAPE = structural(
    "reshape",
    infer=lambda types, shape: types[0].with_shape(reshape_shape(types[0].shape, shape)),
    reference=lambda x, shape: np.reshape(x, shape),
    adjoint=lambda node, g: (reshape(g, node.inputs[0].shape),),
    reach=MOVES,
    notation=Notation(
        lambda n: (
            rf"{{0}}\left[{_new_axes(n)}\right]".replace("None", r"\text{{None}}")
            if _new_axes(n)
            else rf"\operatorname{{{{reshape}}}}_{{{{{shape_text(n)}}}}}\left({{0}}\right)"
        ),
        lambda n: f"{{0}}[{_new_axes(n)}]" if _new_axes(n) else f"reshape({{0}}, {shape_text(n)})",
        CALL,
        lambda n: (CALL,) if _new_axes(n) else (),
    ),
    doc="The same entries, in row-major order, in another shape.",
)


def _inverse(axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(k) for k in np.argsort(axes))


def _is_matrix_transpose(node: Node) -> bool:
    """Whether the last two axes are exchanged, of one matrix or of many."""
    rank = node.ndim
    return rank > 1 and bool(node.attr("axes") == (*range(rank - 2), rank - 1, rank - 2))


TRANSPOSE = structural(
    "transpose",
    infer=lambda types, axes: types[0].with_shape(tuple(types[0].shape[a] for a in axes)),
    reference=lambda x, axes: np.transpose(x, axes),
    adjoint=lambda node, g: (transpose(g, _inverse(node.attr("axes"))),),
    reach=MOVES,
    notation=Notation(
        lambda n: (
            "{0}^{{T}}"
            if _is_matrix_transpose(n)
            else rf"\operatorname{{{{transpose}}}}_{{{{{n.attr('axes')}}}}}\left({{0}}\right)"
        ),
        lambda n: "{0}ᵀ" if _is_matrix_transpose(n) else f"transpose({{0}}, {n.attr('axes')})",
        POWER,
        lambda n: (CALL,) if _is_matrix_transpose(n) else (),
    ),
    doc="The array with its axes permuted.",
)


def _is_indicator(node: Node) -> bool:
    """Whether a cast turns truth into 1 and 0, which is written as Iverson's bracket [c]."""
    return node.inputs[0].dtype == "bool"


CAST = structural(
    "cast",
    infer=lambda types, dtype: types[0].with_dtype(dtype),
    reference=lambda x, dtype: np.asarray(x).astype(dtype),
    adjoint=lambda node, g: (cast(g, node.inputs[0].dtype) if node.inputs[0].type.is_float else None,),
    reach=MOVES,
    notation=Notation(
        lambda n: (
            r"\left[{0}\right]" if _is_indicator(n) else rf"\operatorname{{{{{n.attr('dtype')}}}}}\left({{0}}\right)"
        ),
        lambda n: "[{0}]" if _is_indicator(n) else f"{n.attr('dtype')}({{0}})",
        CALL,
    ),
    doc="The array in another dtype, as NumPy's astype.",
)
AXIS_SIZE = structural(
    "axis_size",
    infer=lambda types, axis_name: ArrayType((), "int64", weak=True),
    reference=lambda axis_name: axis_name,  # the interpreter has put the length in place of the name
    adjoint=lambda node, g: (),
    notation=Notation(lambda n: _axis_letter(n), lambda n: _axis_letter(n), ATOM),
    doc="Length of a free axis.",
)


def _axis_letter(node: Node) -> str:
    name: str = node.attr("axis_name")
    return "N" if name == "batch" else name


def broadcast_to(x: Any, shape: Dim | Sequence[Dim]) -> Node:
    """The array repeated to ``shape``.

    Args:
        x: node or array.
        shape: ints and axis names; by NumPy's rule the shape of ``x`` must broadcast to it.

    Raises:
        ShapeError: it does not.
    """
    x = as_node(x)
    with blaming("broadcast_to", x):
        dims = check_shape(shape, "broadcast_to")
    return x if x.shape == dims else build(BROADCAST, [x], shape=dims)


def reshape(x: Any, shape: Dim | Sequence[Dim]) -> Node:
    """The same entries in row-major order in another shape.

    Args:
        x: node or array.
        shape: ints and axis names; one may be -1.

    Raises:
        ShapeError: the element counts differ.
    """
    x = as_node(x)
    with blaming("reshape", x):
        wanted: Any = shape.tolist() if isinstance(shape, np.ndarray) else shape
        several = isinstance(wanted, Sequence) and not isinstance(wanted, str)
        dims = reshape_shape(x.shape, wanted if several else (wanted,))
    return x if x.shape == dims else build(RESHAPE, [x], shape=dims)


def ravel(x: Any) -> Node:
    """All entries in one axis, in row-major order, as `numpy.ravel`.

    Args:
        x: node or array of any shape and dtype.

    Raises:
        ShapeError: a free axis beside others, which cannot be merged.
    """
    return reshape(x, -1)


def expand_dims(x: Any, axis: int | Sequence[int]) -> Node:
    """Insert axes of length 1, as `numpy.expand_dims`.

    Args:
        x: node or array.
        axis: places in the result, one or several, negative ones counted from its end.

    Raises:
        ShapeError: a place out of range, or given twice.
    """
    x = as_node(x)
    with blaming("expand_dims", x):
        count = len(whole_axes(axis, "expand_dims"))
        axes = normalize_axes(axis, x.ndim + count, "expand_dims")
    rest = iter(x.shape)
    return reshape(x, tuple(1 if k in axes else next(rest) for k in range(x.ndim + count)))


def squeeze(x: Any, axis: int | Sequence[int] | None = None) -> Node:
    """Remove axes of length 1, as `numpy.squeeze`.

    Args:
        x: node or array.
        axis: which, one or several; None for all whose length is known to be 1.

    Raises:
        ShapeError: a named axis has another length.
    """
    x = as_node(x)
    if axis is None:
        axes = tuple(k for k, d in enumerate(x.shape) if d == 1)
    else:
        with blaming("squeeze", x):
            axes = _axes_of_length_1(x.shape, normalize_axes(axis, x.ndim, "squeeze"))
    return reshape(x, tuple(d for k, d in enumerate(x.shape) if k not in axes))


def _axes_of_length_1(shape: Shape, axes: tuple[int, ...]) -> tuple[int, ...]:
    wrong = [k for k in axes if shape[k] != 1]
    if wrong:
        raise ShapeError(
            f"squeeze needs axes of length 1; got axis {wrong[0]} of {format_shape(shape)}. Reduce it instead, with "
            "sum or mean."
        )
    return axes


def transpose(x: Any, axes: Sequence[int] | None = None) -> Node:
    """Permute the axes.

    Args:
        x: node or array.
        axes: permutation; default: reverse order.

    Raises:
        ShapeError: not a permutation.
    """
    x = as_node(x)
    if axes is None:
        order = tuple(range(x.ndim))[::-1]
    else:
        with blaming("transpose", x):
            order = _permutation(axes, x.ndim)
    return x if order == tuple(range(x.ndim)) else build(TRANSPOSE, [x], axes=order)


def swapaxes(x: Any, axis1: int, axis2: int) -> Node:
    """Two axes exchanged, as `numpy.swapaxes`.

    Args:
        x: node or array.
        axis1: one of its axes.
        axis2: the other.

    Raises:
        ShapeError: an axis out of range.
    """
    x = as_node(x)
    with blaming("swapaxes", x):
        first, second = (normalize_axis(axis, x.ndim, "swapaxes") for axis in (axis1, axis2))
    swapped = {first: second, second: first}
    return transpose(x, [swapped.get(k, k) for k in range(x.ndim)])


def moveaxis(x: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Node:
    """Axes moved to other places, the rest in their order, as `numpy.moveaxis`.

    Args:
        x: node or array.
        source: an axis or several.
        destination: as many places in the result.

    Raises:
        ShapeError: an axis out of range or given twice, or more of one than of the other.
    """
    x = as_node(x)
    with blaming("moveaxis", x):
        both = [whole_axes(axes, "moveaxis") for axes in (source, destination)]
        for axes in both:
            normalize_axes(axes, x.ndim, "moveaxis")
        if len(both[0]) != len(both[1]):
            raise ShapeError(
                f"moveaxis needs as many places as axes; got {len(both[0])} axes and {len(both[1])} places. Give one "
                "place for each axis."
            )
    moved, places = ([k % x.ndim for k in axes] for axes in both)
    rest = iter(k for k in range(x.ndim) if k not in moved)
    return transpose(x, [moved[places.index(k)] if k in places else next(rest) for k in range(x.ndim)])


def _permutation(axes: Sequence[int], rank: int) -> tuple[int, ...]:
    order = whole_axes(axes, "transpose")
    if sorted(a % max(rank, 1) for a in order) != list(range(rank)) or not all(-rank <= a < rank for a in order):
        each = f"the axes 0 to {rank - 1}, each once" if rank else "no axes, for a scalar"
        raise ShapeError(f"transpose needs {each}, in any order; got {tuple(order)}. Leave axes out to reverse them.")
    return tuple(a % rank for a in order)


def cast(x: Any, dtype: str) -> Node:
    """The array in another dtype, as `numpy.astype`; gradients pass through casts between real dtypes.

    Args:
        x: node or array.
        dtype: "bool", "uint8", "int32", "int64", "float32" or "float64", or NumPy's. It stays whatever the precision of
            a model or a compiled function.

    Raises:
        DTypeError: a dtype that graphs do not have.
    """
    x = as_node(x)
    name = check_dtype(dtype, "cast")
    return x if x.dtype == name and not x.type.weak else build(CAST, [x], dtype=name)


def axis_size(name: str) -> Node:
    """Length of a free axis as a scalar: an integer that takes the dtype of what it meets.

    Args:
        name: of the axis, as in the shape of an input.

    Raises:
        ShapeError: not a name.
    """
    if not isinstance(name, str):
        raise ShapeError(
            f"axis_size needs the name of a free axis, as in axis_size('batch'); got {name!r}. The length of a fixed "
            "axis is node.shape[k]."
        )
    return build(AXIS_SIZE, [], axis_name=str(check_shape(name, "axis_size")[0]))


def element_count(shape: Sequence[Dim]) -> Node | int:
    """Number of elements: an int, or a node where an axis is free."""
    fixed = 1
    free: list[Node] = []
    for dim in shape:
        if isinstance(dim, str):
            free.append(axis_size(dim))
        else:
            fixed *= dim
    if not free:
        return fixed
    count = free[0]
    for factor in free[1:]:
        count = count * factor
    return count if fixed == 1 else count * fixed


def _size(a: Any, axis: int | Sequence[int] | None = None) -> Node | int:
    node = as_node(a)
    with blaming("size", node):
        return element_count([node.shape[k] for k in normalize_axes(axis, node.ndim, "size")])


numpy_builder(np.size, _size)
numpy_builder(np.broadcast_to, lambda array, shape: broadcast_to(array, shape))
numpy_builder(np.reshape, lambda a, shape: reshape(a, shape))
numpy_builder(np.ravel, lambda a: ravel(a))
numpy_builder(np.expand_dims, lambda a, axis: expand_dims(a, axis))
numpy_builder(np.squeeze, lambda a, axis=None: squeeze(a, axis))
numpy_builder(np.transpose, lambda a, axes=None: transpose(a, axes))
numpy_builder(np.swapaxes, lambda a, axis1, axis2: swapaxes(a, axis1, axis2))
numpy_builder(np.moveaxis, lambda a, source, destination: moveaxis(a, source, destination))
