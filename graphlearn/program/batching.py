"""Whether the rows of a function can be computed some at a time, and how many of them have room."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from graphlearn.graph.node import Node
from graphlearn.graph.traverse import leaves
from graphlearn.program.build import build_function
from graphlearn.program.program import Program
from graphlearn.program.steps import ITEM_SIZE
from graphlearn.program.tiling import row_obstacle

_ROOM = 2**25  # bytes of intermediate results up to which all rows are computed at once
_FEWEST = 64  # rows of a batch that nobody asked for: fewer would make products of single rows


def has_rows(program: object) -> bool:
    """Whether what a backend runs is a program; a tape has no rows, and the reference has none."""
    return isinstance(program, Program)


def plan(outputs: tuple[Node, ...], precision: str) -> Program:
    """The program of a function, where a backend has none."""
    return build_function(outputs, (*leaves(outputs), *leaves(outputs, "run")), precision)


def obstacle(program: Program, outputs: Sequence[Node], known: Collection[Node]) -> str:
    """Why outputs cannot be computed for some rows at a time; empty where they can.

    Args:
        program: of the outputs.
        outputs: nodes.
        known: leaves for which there are arrays.
    """
    if leaves(outputs, "run"):
        return "random numbers are drawn for all rows together"
    if len(program.axes) != 1:
        return "there is no free axis" if not program.axes else "there are several free axes"
    (axis,) = program.axes
    if any(leaf not in known for leaf in leaves(outputs)):
        return "a leaf does not belong to the model"
    batched = [leaf for leaf in leaves(outputs) if axis in leaf.shape]
    if not batched or any(leaf.shape[:1] != (axis,) or axis in leaf.shape[1:] for leaf in (*batched, *outputs)):
        return f"the axis {axis!r} does not come first in every input and output"
    return row_obstacle(program.steps, axis)


def fitting(program: Program, axis: str, rows: int, copied: int) -> int:
    """How many rows have room for their intermediate results.

    Args:
        program: of the function.
        axis: of the rows.
        rows: of them all.
        copied: bytes that each row needs beside.
    """
    few, many = (_bytes(program, axis, n) for n in (_FEWEST, 2 * _FEWEST))
    each = max((many - few) / _FEWEST + copied, 1)
    return rows if _bytes(program, axis, rows) + rows * copied <= _ROOM else max(_FEWEST, int(_ROOM / each))


def _bytes(program: Program, axis: str, rows: int) -> int:
    return sum(n * ITEM_SIZE[dtype] for dtype, n in program.arena_sizes({axis: rows}).items())
