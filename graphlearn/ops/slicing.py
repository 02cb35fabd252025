"""Indexing: ``x[...]`` as a slice of the array, and its adjoint, which lays an array into zeros.

Arrays among the indices take entries by number, beside the slice: see `array_indices`.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from graphlearn.errors import ShapeError, UnsupportedOp
from graphlearn.graph.blame import blaming
from graphlearn.graph.node import Node, as_node
from graphlearn.graph.op import CALL, NUMPY_BUILDERS, Notation
from graphlearn.ops.array_indices import by_numbers, is_array, is_mask, numbered, width
from graphlearn.ops.reach import MOVES
from graphlearn.ops.shape import reshape, shape_text
from graphlearn.ops.structural import build, structural
from graphlearn.types import ArrayType, Dim, Pick, Region, Shape, format_shape, region_shape

_SELECT = (
    "Indices are integers, slices, ..., None, arrays of whole numbers, and arrays of truths that are known. To keep "
    "entries where a condition holds write gl.where(condition, x, 0); an index that is real becomes whole with "
    "gl.cast(numbers, 'int64')."
)


def numpy_index(region: Region) -> tuple[int | slice, ...]:
    """A region as NumPy writes it."""
    return tuple(_numpy_pick(pick) for pick in region)


def _numpy_pick(pick: Pick) -> int | slice:
    if pick is None or isinstance(pick, int):
        return slice(None) if pick is None else pick
    first, count, step = pick
    stop = first + count * step
    return slice(first, None if stop < 0 else stop, step)  # -1 would count from the end


def _infer_inlay(types: tuple[ArrayType, ...], region: Region, shape: Shape) -> ArrayType:
    wanted = region_shape(shape, region)
    if types[0].shape != wanted:
        raise ShapeError(
            f"inlay needs an array of the shape of its place, {format_shape(wanted)}; got "
            f"{format_shape(types[0].shape)}. Reshape it."
        )
    return types[0].with_shape(shape)


def _placed(x: Any, region: Region, shape: tuple[int, ...]) -> Any:
    result = np.zeros(shape, np.asarray(x).dtype)
    result[numpy_index(region)] = x
    return result


def _region_text(region: Region, shape: Shape) -> str:
    """``[0, 1:3, ::-1]``."""
    return f"[{', '.join(_pick_text(pick, dim) for pick, dim in zip(region, shape, strict=True))}]"


def _pick_text(pick: Pick, dim: Dim) -> str:
    if pick is None or isinstance(pick, int) or isinstance(dim, str):
        return ":" if pick is None else str(pick)
    first, count, step = pick
    stop, last = first + count * step, first + (count - 1) * step
    start = "" if first == (0 if step > 0 else dim - 1) and count else str(first)
    end = "" if stop < 0 or (stop >= dim and count) else str(last + 1 if step > 0 and count else stop)
    return f"{start}:{end}" + (f":{step}" if step != 1 else "")


SLICE = structural(
    "slice",
    infer=lambda types, region: types[0].with_shape(region_shape(types[0].shape, region)),
    reference=lambda x, region: np.asarray(x)[numpy_index(region)],
    adjoint=lambda node, g: (inlay(g, node.attr("region"), node.inputs[0].shape),),
    reach=MOVES,
    notation=Notation(
        lambda n: rf"{{0}}\left{_region_text(n.attr('region'), n.inputs[0].shape)[:-1]}\right]",
        lambda n: f"{{0}}{_region_text(n.attr('region'), n.inputs[0].shape)}",
        CALL,
        (CALL,),
    ),
    doc="A part of the array: places and strides along its axes.",
)
INLAY = structural(
    "inlay",
    infer=_infer_inlay,
    reference=_placed,
    adjoint=lambda node, g: (take_region(g, node.attr("region")),),
    reach=MOVES,
    notation=Notation(
        lambda n: rf"\operatorname{{{{inlay}}}}_{{{{{_inlay_text(n)}}}}}\left({{0}}\right)",
        lambda n: f"inlay({{0}}, {_inlay_text(n)})",
    ),
    doc="An array of zeros with the given array at a part of it: the adjoint of a slice.",
)


def _inlay_text(node: Node) -> str:
    return f"{_region_text(node.attr('region'), node.shape)}, {shape_text(node)}"


def take_region(x: Node, region: Region) -> Node:
    """The part of a node that a region in canonical form takes."""
    return x if all(pick is None for pick in region) else build(SLICE, [x], region=region)


def inlay(x: Any, region: Region, shape: Shape) -> Node:
    """Zeros of a shape with ``x`` at a part.

    Args:
        x: node or array of the shape of that part.
        region: for each axis None (all of it), a place, or (first, count, step).
        shape: of the result.

    Raises:
        ShapeError: ``x`` has another shape than the part.
    """
    x = as_node(x)
    return x if all(pick is None for pick in region) else build(INLAY, [x], region=region, shape=shape)


def index(x: Any, key: Any) -> Node:
    """``x[key]`` as NumPy's indexing.

    Args:
        x: node or array.
        key: integers, slices, ``...``, None (a new axis), arrays, lists or nodes of whole numbers, which broadcast, and
            arrays or lists of truths, which take the entries where they hold; or a tuple of these. Of a free axis only
            all, ``:``, or entries by one array of numbers.

    Raises:
        ShapeError: more indices than axes, a place outside of an axis, a part of a free axis, or arrays that fit
            neither each other nor their axes.
        DataError: an array with a place outside of its axis; see `take`.
        UnsupportedOp: a condition that is a node: the shape of the result would depend on its values.
    """
    x = as_node(x)
    given = key if isinstance(key, tuple) else (key,)
    with blaming("indexing", x):
        keys = _full(given, x.shape)
        axes = iter(enumerate(x.shape))
        picks = [None if k is None else _pick(k, *next(axes)) for k in keys]
        region = tuple(pick for k, pick in zip(keys, picks, strict=True) if k is not None)
    part = take_region(x, region)
    if any(k is None for k in keys):
        rest = iter(part.shape)
        new = [1 if k is None else next(rest) for k, p in zip(keys, picks, strict=True) if not isinstance(p, int)]
        part = reshape(part, tuple(new))
    left = [k for k in keys if not _is_whole(k)]  # a key for each axis of the part
    numbered_axes = [axis for axis, k in enumerate(left) if is_array(k)]
    if not numbered_axes:
        return part
    with blaming("indexing", x):
        return by_numbers(part, numbered_axes, [left[axis] for axis in numbered_axes], _stand_together(given))


def _stand_together(keys: tuple[Any, ...]) -> bool:
    """Whether nothing stands between the integers and the arrays among the keys, not even an empty ``...``."""
    chosen = [k for k, key in enumerate(keys) if is_array(key) or is_mask(key) or _is_whole(key)]
    return chosen[-1] - chosen[0] + 1 == len(chosen)


def _full(keys: tuple[Any, ...], shape: Shape) -> list[Any]:
    """One key for each axis, in the place of ``...`` and of truths too; None for each new axis."""
    for key in keys:
        known = key is None or key is Ellipsis or isinstance(key, slice) or _is_whole(key)
        if not (known or is_array(key) or is_mask(key)):
            raise UnsupportedOp(f"indexing has no operation for {_words(key)}. {_SELECT}")
    dots = [k for k, key in enumerate(keys) if key is Ellipsis]
    if len(dots) > 1:
        raise ShapeError("indexing needs at most one '...'; got several. Write ':' for the other axes.")
    used = sum(map(width, keys))
    if used > len(shape):
        raise ShapeError(
            f"indexing needs at most one index for each axis of {format_shape(shape)}; got {used}. Drop "
            f"{used - len(shape)} of them."
        )
    at = dots[0] if dots else len(keys)
    full: list[Any] = []
    axis = 0
    for key in [*keys[:at], *[slice(None)] * (len(shape) - used), *keys[at + 1 :]]:
        full += numbered(key, shape, axis) if is_mask(key) else (key,)
        axis += width(key)
    return full


def _is_whole(key: Any) -> bool:
    if key is None or isinstance(key, (bool, np.bool_, Node, slice)) or is_mask(key):
        return False
    try:
        operator.index(key)
    except TypeError:
        return False
    return True


def _words(key: Any) -> str:
    if isinstance(key, (bool, np.bool_)):
        return f"the truth value {key}"
    return repr(key) if isinstance(key, (Node, float, str)) else f"an index of type {type(key).__name__}"


def _pick(key: Any, axis: int, dim: Dim) -> Pick:
    """A key in canonical form."""
    if is_array(key):
        return None  # taken by number afterwards
    if isinstance(key, slice):
        return _sliced(key, axis, dim)
    place = operator.index(key)
    if isinstance(dim, str):
        raise ShapeError(
            f"indexing needs the whole of a free axis; got place {place} of axis {axis}, {dim!r}. Write ':' there, or "
            "give the axis a fixed length with gl.specialize."
        )
    if not -dim <= place < dim:
        cure = f"Give {-dim} to {dim - 1}." if dim else "It has no entries."
        raise ShapeError(f"indexing needs a place within axis {axis} of length {dim}; got {place}. {cure}")
    return place % dim


def _sliced(key: slice, axis: int, dim: Dim) -> Pick:
    if isinstance(dim, str):
        if key.start in (None, 0) and key.stop is None and key.step in (None, 1):
            return None
        raise ShapeError(
            f"indexing needs the whole of a free axis; got a part of axis {axis}, {dim!r}. Write ':' there, or give "
            "the axis a fixed length with gl.specialize."
        )
    try:
        first, stop, step = key.indices(dim)
    except (TypeError, ValueError) as error:
        raise ShapeError(
            f"indexing needs whole numbers in a slice, and a step that is not 0; got {key} for axis {axis}. "
            "Count the places from 0."
        ) from error
    count = len(range(first, stop, step))
    if count == 0:
        return None if dim == 0 else (0, 0, 1)
    if count == 1:
        return None if dim == 1 else (first, 1, 1)
    return None if (first, count, step) == (0, dim, 1) else (first, count, step)


NUMPY_BUILDERS[np.ndarray.__getitem__] = index
