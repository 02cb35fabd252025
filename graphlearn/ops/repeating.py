"""The same entries again, or further on: tile, repeat and roll, from reshapes, broadcasts and slices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphlearn.errors import ShapeError
from graphlearn.graph.blame import blaming
from graphlearn.graph.node import Node, as_node
from graphlearn.ops.gathering import gather_indices
from graphlearn.ops.joining import concatenate
from graphlearn.ops.shape import broadcast_to, expand_dims, reshape
from graphlearn.ops.slicing import index
from graphlearn.ops.structural import numpy_builder
from graphlearn.types import Dim, normalize_axes, normalize_axis, whole_axes

_FIXED = "Give the axis a fixed length with gl.specialize."


def _counts(given: Any, what: str) -> list[int]:
    """Whole numbers from 0 on, one or several."""
    counts = whole_axes(given, what, "counts", "Round them first.")
    if any(n < 0 for n in counts):
        raise ShapeError(f"{what} needs counts from 0 on; got {given!r}. Write 1 to leave an axis as it is.")
    return counts


def tile(x: Any, reps: int | Sequence[int]) -> Node:
    """Copies of an array side by side, as `numpy.tile`.

    Args:
        x: node or array.
        reps: copies along the last axes, one count or one for each; counts beyond the rank make new leading axes. A
            free axis takes 1.

    Raises:
        ShapeError: a negative count, or several copies along a free axis.

    Example:
        >>> import graphlearn as gl
        >>> gl.evaluate(gl.tile([1.0, 2.0], 2))
        array([1., 2., 1., 2.])
    """
    x = as_node(x)
    with blaming("tile", x):
        counts = _counts(reps, "tile")
        counts = [1] * (x.ndim - len(counts)) + counts
        shape = [1] * (len(counts) - x.ndim) + list(x.shape)
        split, wide, joined = list[Dim](), list[Dim](), list[Dim]()
        for axis, (times, dim) in enumerate(zip(counts, shape, strict=True)):
            split += [dim] if times == 1 else [1, dim]
            wide += [dim] if times == 1 else [times, dim]
            joined.append(dim if times == 1 else times * _fixed(dim, axis, "tile", times))
    return reshape(broadcast_to(reshape(x, split), wide), joined)


def _fixed(dim: Dim, axis: int, what: str, got: int) -> int:
    if isinstance(dim, str):
        raise ShapeError(f"{what} needs an axis of fixed length; got {got} along axis {axis}, {dim!r}. {_FIXED}")
    return dim


def repeat(x: Any, repeats: int | Sequence[int], axis: int | None = None) -> Node:
    """Every entry several times in a row, as `numpy.repeat`.

    Args:
        x: node or array.
        repeats: how often, one count or one for each entry along the axis; known numbers.
        axis: an axis of fixed length; None: the flattened array.

    Raises:
        ShapeError: a negative count, another number of counts than entries, or a free axis.

    Example:
        >>> import graphlearn as gl
        >>> gl.evaluate(gl.repeat([1.0, 2.0], [1, 3]))
        array([1., 2., 2., 2.])
    """
    x = as_node(x)
    if axis is None:
        x, axis = reshape(x, -1), 0
    with blaming("repeat", x):
        place = normalize_axis(axis, x.ndim, "repeat")
        counts = _counts(repeats, "repeat")
        length = _fixed(x.shape[place], place, "repeat", counts[0] if counts else 0)
        if len(counts) not in (1, length):
            raise ShapeError(
                f"repeat needs one count, or one for each of {length} entries; got {len(counts)}. Give one."
            )
    if len(counts) != 1:
        return gather_indices(x, np.repeat(np.arange(length), counts), place)
    wide = (*x.shape[: place + 1], *counts, *x.shape[place + 1 :])
    joined = (*x.shape[:place], length * counts[0], *x.shape[place + 1 :])
    return reshape(broadcast_to(expand_dims(x, place + 1), wide), joined)


def roll(x: Any, shift: int | Sequence[int], axis: int | Sequence[int] | None = None) -> Node:
    """Entries moved on along axes, the last ones to the front, as `numpy.roll`.

    Args:
        x: node or array.
        shift: by how many places, one number or one for each axis; negative ones move back.
        axis: of fixed length, one or several (a repeated one is moved by the sum); None: the flattened array.

    Raises:
        ShapeError: another number of shifts than axes, or a free axis.

    Example:
        >>> import graphlearn as gl
        >>> gl.evaluate(gl.roll([1.0, 2.0, 3.0], 1))
        array([3., 1., 2.])
    """
    node = as_node(x)
    if axis is None:
        return reshape(roll(reshape(node, -1), shift, 0), node.shape)
    with blaming("roll", node):
        shifts, axes = whole_axes(shift, "roll", "shifts", "Round them first."), whole_axes(axis, "roll")
        if len(shifts) != len(axes) and 1 not in (len(shifts), len(axes)):
            raise ShapeError(f"roll needs one shift for each axis; got {shift!r} for {axis!r}. Give one for all.")
        moves = [0] * node.ndim
        for by, along in np.broadcast(shifts, axes):
            moves[normalize_axes(int(along), node.ndim, "roll")[0]] += int(by)
        fixed = [by and _fixed(dim, k, "roll", by) for k, (by, dim) in enumerate(zip(moves, node.shape, strict=True))]
    for place, (by, length) in enumerate(zip(moves, fixed, strict=True)):
        cut = by % length if length else 0
        if cut:
            before = [slice(None)] * place
            ends = (slice(length - cut, None), slice(None, length - cut))
            node = concatenate([index(node, (*before, end)) for end in ends], place)
    return node


numpy_builder(np.tile, lambda A, reps: tile(A, reps))
numpy_builder(np.repeat, lambda a, repeats, axis=None: repeat(a, repeats, axis))
numpy_builder(np.roll, lambda a, shift, axis=None: roll(a, shift, axis))
