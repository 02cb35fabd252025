"""Arrays side by side and apart again: concatenate, stack, split, flip, pad."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from graphlearn.errors import ShapeError, UnsupportedOp
from graphlearn.graph.blame import blaming
from graphlearn.graph.leaves import typed_constant
from graphlearn.graph.node import Node, as_node
from graphlearn.graph.op import Notation
from graphlearn.graph.options import as_array, check_sequence
from graphlearn.ops.gathering import gather_indices
from graphlearn.ops.intrinsics import where
from graphlearn.ops.reach import MOVES
from graphlearn.ops.shape import broadcast_to, cast, expand_dims, reshape
from graphlearn.ops.slicing import index, inlay
from graphlearn.ops.structural import build, numpy_builder, structural
from graphlearn.types import (
    ArrayType,
    Dim,
    Pick,
    concatenate_shape,
    format_shape,
    normalize_axes,
    normalize_axis,
    promote,
    whole_axes,
)


def _infer_concatenate(types: tuple[ArrayType, ...], axis: int) -> ArrayType:
    return ArrayType(concatenate_shape([t.shape for t in types], axis), promote(types)[0])


def _adjoint_concatenate(node: Node, g: Node) -> list[Node]:
    return _cut(g, [int(n.shape[node.attr("axis")]) for n in node.inputs], node.attr("axis"))


def _cut(x: Node, lengths: Sequence[int], axis: int) -> list[Node]:
    """Pieces of these lengths, one after the other."""
    pieces, at = [], 0
    for length in lengths:
        pieces.append(index(x, (*[slice(None)] * axis, slice(at, at + length))))
        at += length
    return pieces


def _listed(node: Node) -> str:
    return ", ".join(f"{{{k}}}" for k in range(len(node.inputs)))


CONCATENATE = structural(
    "concatenate",
    infer=_infer_concatenate,
    reference=lambda *parts, axis: np.concatenate(parts, axis),
    adjoint=_adjoint_concatenate,
    reach=MOVES,
    notation=Notation(
        lambda n: (
            rf"\operatorname{{{{concatenate}}}}_{{{{\text{{{{axis={n.attr('axis')}}}}}}}}}"
            rf"\left({_listed(n)}\right)"
        ),
        lambda n: f"concatenate({_listed(n)}, axis={n.attr('axis')})",
    ),
    doc="Arrays one after the other along an axis.",
)


def _nodes(arrays: Sequence[Any], what: str) -> list[Node]:
    given = check_sequence(arrays, what, "Write them as [a, b].")
    nodes = [as_node(x) for x in given]
    if not nodes:
        raise ShapeError(f"{what} needs one array or more; got none. Give a list of them.")
    return nodes


def concatenate(arrays: Sequence[Any], axis: int | None = 0) -> Node:
    """Arrays one after the other along an axis, as `numpy.concatenate`.

    Args:
        arrays: nodes or arrays of equal shapes apart from that axis; their dtypes are promoted.
        axis: it must have fixed lengths; None flattens every array first.

    Raises:
        ShapeError: shapes that differ elsewhere, scalars, no array at all, or a free axis.
    """
    nodes = _nodes(arrays, "concatenate")
    if axis is None:
        nodes, axis = [reshape(x, -1) for x in nodes], 0
    with blaming("concatenate", *nodes):
        rank = min(x.ndim for x in nodes)
        if rank == 0:
            raise ShapeError("concatenate needs arrays of rank 1 or more; got a scalar. Write gl.stack([a, b]).")
        place = normalize_axis(axis, rank, "concatenate")
    return nodes[0] if len(nodes) == 1 else build(CONCATENATE, nodes, axis=place)


def stack(arrays: Sequence[Any], axis: int = 0) -> Node:
    """Arrays of one shape side by side along a new axis, as `numpy.stack`.

    Args:
        arrays: nodes or arrays of equal shapes.
        axis: place of the new axis in the result.

    Raises:
        ShapeError: shapes that differ, or no array at all.
    """
    nodes = _nodes(arrays, "stack")
    with blaming("stack", *nodes):
        if any(x.shape != nodes[0].shape for x in nodes):
            got = " and ".join(dict.fromkeys(format_shape(x.shape) for x in nodes))
            raise ShapeError(f"stack needs equal shapes; got {got}. Reshape or broadcast one of them.")
        place = normalize_axis(axis, nodes[0].ndim + 1, "stack")
    return concatenate([expand_dims(x, place) for x in nodes], place)


def hstack(arrays: Sequence[Any]) -> Node:
    """Arrays side by side: along the second axis, vectors along their only one, as `numpy.hstack`."""
    nodes = [reshape(x, 1) if x.ndim == 0 else x for x in _nodes(arrays, "hstack")]
    return concatenate(nodes, 0 if nodes[0].ndim == 1 else 1)


def vstack(arrays: Sequence[Any]) -> Node:
    """Arrays below each other: along the first axis, vectors as rows, as `numpy.vstack`."""
    return concatenate([reshape(x, (1, *(x.shape or (1,)))) if x.ndim < 2 else x for x in _nodes(arrays, "vstack")], 0)


def split(x: Any, sections: int | Sequence[int], axis: int = 0) -> list[Node]:
    """Pieces of an array along an axis, as `numpy.split`.

    Args:
        x: node or array.
        sections: number of equal pieces, or the places before which it is cut.
        axis: of fixed length.

    Raises:
        ShapeError: the axis is free, or its length is no multiple of ``sections``.
    """
    x = as_node(x)
    with blaming("split", x):
        place = normalize_axis(axis, x.ndim, "split")
        length = x.shape[place]
        if isinstance(length, str):
            raise ShapeError(
                f"split needs an axis of fixed length; got axis {place}, {length!r}. Split along another axis, or give "
                "it a fixed length with gl.specialize."
            )
        numbers = whole_axes(sections, "split")
        if isinstance(sections, (tuple, list, np.ndarray)):
            ends = [None, *numbers, None]
        else:
            ends = _equal_cuts(length, numbers[0])
    before = [slice(None)] * place
    return [index(x, (*before, slice(a, b))) for a, b in pairwise(ends)]


def _equal_cuts(length: int, sections: int) -> list[int | None]:
    if sections < 1 or length % sections:
        raise ShapeError(
            f"split needs a number of pieces that divides the length {length}; got {sections}. Give the places of the "
            "cuts instead, as in [2, 5]."
        )
    width = length // sections
    return [k * width for k in range(sections + 1)]


def flip(x: Any, axis: int | Sequence[int] | None = None) -> Node:
    """The entries in reverse order along axes, as `numpy.flip`.

    Args:
        x: node or array.
        axis: an axis of fixed length, several, or None for all.

    Raises:
        ShapeError: an axis out of range, or a free one.
    """
    x = as_node(x)
    with blaming("flip", x):
        axes = normalize_axes(axis, x.ndim, "flip")
    return index(x, tuple(slice(None, None, -1) if k in axes else slice(None) for k in range(x.ndim)))


_BORDERS = ("edge", "reflect", "symmetric", "wrap")


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = 0) -> Node:
    """The array with a border, as `numpy.pad`.

    Args:
        x: node or array.
        pad_width: entries before and after: a number, a pair, or a pair for each axis; 0 along free axes.
        mode: ``"constant"``: one value; ``"edge"``: the outermost entry again; ``"reflect"``: mirrored, that entry
            once; ``"symmetric"``: mirrored, that entry twice; ``"wrap"``: from the other end.
        constant_values: the value of a constant border, a number or a scalar node.

    Raises:
        ShapeError: widths that do not fit the axes, negative ones, a border along a free axis, or one made of the
            entries of an axis that has none.
        UnsupportedOp: another mode, or several values.
    """
    x, value = as_node(x), as_node(constant_values)
    if not isinstance(mode, str) or mode not in ("constant", *_BORDERS) or value.shape != ():
        got = f"mode {mode!r}" if value.shape == () else f"values of shape {format_shape(value.shape)}"
        raise UnsupportedOp(
            f"pad has the modes constant, {', '.join(_BORDERS)}, and one value for all borders; got {got}. Use "
            "gl.concatenate."
        )
    with blaming("pad", x):
        widths = _widths(pad_width, x.ndim)
        picks = [_padded(dim, *width, axis) for axis, (dim, width) in enumerate(zip(x.shape, widths, strict=True))]
        if mode != "constant":
            return _from_entries(x, widths, mode)
    shape = tuple(dim if isinstance(dim, str) else sum(w, dim) for dim, w in zip(x.shape, widths, strict=True))
    laid = inlay(x, tuple(picks), shape)
    if laid is x or (not isinstance(constant_values, Node) and constant_values == 0):
        return laid
    inside = inlay(broadcast_to(typed_constant(True, "bool"), x.shape), tuple(picks), shape)
    return where(inside, laid, cast(value, x.dtype))


def _from_entries(x: Node, widths: Sequence[tuple[int, int]], mode: str) -> Node:
    """A border of the array's own entries, axis by axis: by their numbers, which NumPy's own padding gives."""
    for axis, width in enumerate(widths):
        if any(width):
            length = x.shape[axis]
            if length == 0:
                raise ShapeError(
                    f"pad with mode {mode!r} needs entries to make the border of; got an axis {axis} of length 0. Use "
                    "mode 'constant'."
                )
            numbers: Any = np.pad(np.arange(length), width, mode)  # type: ignore[call-overload]  # a mode as a variable
            x = gather_indices(x, numbers, axis)
    return x


def _padded(dim: Dim, before: int, after: int, axis: int) -> Pick:
    if isinstance(dim, str) and (before or after):
        raise ShapeError(
            f"pad needs axes of fixed length; got a border of {before} and {after} along axis {axis}, {dim!r}. Give 0 "
            "there, or give the axis a fixed length with gl.specialize."
        )
    if isinstance(dim, str) or not (before or after):
        return None
    return (before if dim else 0, dim, 1)


def _widths(pad_width: Any, rank: int) -> list[tuple[int, int]]:
    given = as_array(pad_width, "pad with pad_width")
    fits = given.dtype.kind in "iu" and bool((given >= 0).all())
    try:
        pairs = np.broadcast_to(given, (rank, 2))
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(
            f"pad needs whole numbers from 0 on: one, a pair, or a pair for each of the {rank} axes; got "
            f"{pad_width!r}. Write ((1, 1), (0, 2)), for instance."
        )
    return [(int(before), int(after)) for before, after in pairs]


numpy_builder(np.concatenate, lambda arrays, axis=0: concatenate(arrays, axis))
numpy_builder(np.stack, lambda arrays, axis=0: stack(arrays, axis))
numpy_builder(np.hstack, lambda tup: hstack(tup))
numpy_builder(np.vstack, lambda tup: vstack(tup))
numpy_builder(np.split, lambda ary, indices_or_sections, axis=0: split(ary, indices_or_sections, axis))
numpy_builder(np.flip, lambda m, axis=None: flip(m, axis))
numpy_builder(
    np.pad, lambda array, pad_width, mode="constant", constant_values=0: pad(array, pad_width, mode, constant_values)
)
