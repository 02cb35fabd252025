"""Running totals along an axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphlearn.graph.blame import blaming
from graphlearn.graph.node import Node, as_node
from graphlearn.graph.op import Notation
from graphlearn.graph.options import check_flag
from graphlearn.ops.reach import MOVES
from graphlearn.ops.shape import reshape
from graphlearn.ops.structural import build, structural
from graphlearn.types import ArrayType, normalize_axis, reduced_axes


def _infer(types: tuple[ArrayType, ...], axis: int, reverse: bool) -> ArrayType:
    # As NumPy, sums of bools and of narrow integers are wide; int64 for uint8 too, since graphs have no uint64.
    return ArrayType(types[0].shape, types[0].dtype if types[0].is_float else "int64")


def _reference(x: Any, axis: int, reverse: bool) -> Any:
    return np.flip(np.cumsum(np.flip(x, axis), axis), axis) if reverse else np.cumsum(x, axis)


def _adjoint(node: Node, g: Node) -> tuple[Node]:
    """An entry is a term of every later total, so its derivative adds those of the later ones up."""
    return (cumsum(g, node.attr("axis"), reverse=not node.attr("reverse")),)


def _text(node: Node) -> str:
    return f"axis={node.attr('axis')}" + (", reverse=True" if node.attr("reverse") else "")


CUMSUM = structural(
    "cumsum",
    infer=_infer,
    reference=_reference,
    adjoint=_adjoint,
    reach=MOVES,
    notation=Notation(
        lambda n: rf"\operatorname{{{{cumsum}}}}_{{{{\text{{{{{_text(n)}}}}}}}}}\left({{0}}\right)",
        lambda n: f"cumsum({{0}}, {_text(n)})",
    ),
    doc="Running sum along an axis.",
)


def cumsum(x: Any, axis: int | None = None, *, reverse: bool = False) -> Node:
    """Running sum: entry ``k`` is the sum of the entries up to ``k``, as `numpy.cumsum`.

    Args:
        x: node or array; bools and integers give int64.
        axis: the axis to go along, free ones too; None: over all entries, row by row.
        reverse: begin at the last entry.

    Returns:
        The shape of ``x``; rank 1 where ``axis`` is None, and of a scalar.

    Raises:
        ShapeError: an axis out of range.
    """
    x = as_node(x)
    with blaming("cumsum", x):
        if axis is None or (x.ndim == 0 and reduced_axes(axis, 0, "cumsum") == ()):
            x, axis = reshape(x, -1), 0
        place = normalize_axis(axis, x.ndim, "cumsum")
    return build(CUMSUM, [x], axis=place, reverse=check_flag(reverse, "cumsum with reverse"))
