"""The code of entries by number, and of additions at numbered places, for one item.

A place out of range is neither read nor written: NaN, or 0 for whole numbers, stands for what is not there, and nothing
is added to it.
"""

from __future__ import annotations

import math

from graphlearn.backends import rows
from graphlearn.backends.items import Writer, line_start, product, read, write
from graphlearn.backends.source import Source
from graphlearn.program.counts import count
from graphlearn.program.steps import Buffer, Routine
from graphlearn.types import Shape


def _sizes(source: Source, shape: Shape, axis: int) -> tuple[str, str]:
    """The texts of the length of an axis and of the number of entries behind each of its places."""
    return source.size(count(shape[axis : axis + 1])), source.size(count(shape[axis + 1 :]))


def _place(source: Source, indices: Buffer, number: str, length: str) -> str:
    """The name of a place: an index, counted from the end where it is negative."""
    place = source.local()
    source.line(f"{place} = {read(source, indices, number, 'int64')}")
    with source.block(f"if {place} < 0:"):
        source.line(f"{place} += {length}")
    return place


def _nothing(source: Source, dtype: str) -> str:
    return source.literal(math.nan if dtype in rows.SUFFIX else 0, dtype)


def _take(source: Source, step: Routine, item: str) -> None:
    """The entries behind one index: for each place before the axis, all those after it."""
    x, indices = step.operands
    axis, dtype = step.node.attr("axis"), step.out.dtype
    length, inner = _sizes(source, step.node.inputs[0].shape, axis)
    many = source.size(indices.count)
    outer, number = ("0", item) if not axis else (f"{item} // {product(many)}", f"{item} % {product(many)}")
    place = _place(source, indices, number, length)
    k, start = source.local(), source.local()
    with source.block(f"if {place} >= 0 and {place} < {length}:"):
        source.line(f"{start} = {product(f'{product(outer, length)} + {place}' if axis else place, inner)}")
        with source.block(f"for {k} in range({inner}):"):
            write(source, step.out, f"{product(item, inner)} + {k}", read(source, x, f"{start} + {k}", dtype))
    with source.block("else:"), source.block(f"for {k} in range({inner}):"):
        write(source, step.out, f"{product(item, inner)} + {k}", _nothing(source, dtype))


def _take_along_axis(source: Source, step: Routine, item: str) -> None:
    """One entry, by the index at its own place."""
    x, indices = step.operands
    axis, dtype = step.node.attr("axis"), step.out.dtype
    length, inner = _sizes(source, step.node.inputs[0].shape, axis)
    many, _ = _sizes(source, step.node.shape, axis)
    place = _place(source, indices, item, length)
    before = f"{item} // ({product(many, inner)})*{product(length, inner)}"
    behind = product(place, inner) if inner == "1" else f"{product(place, inner)} + {item} % {product(inner)}"
    with source.block(f"if {place} >= 0 and {place} < {length}:"):
        write(source, step.out, item, read(source, x, f"{before} + {behind}", dtype))
    with source.block("else:"):
        write(source, step.out, item, _nothing(source, dtype))


def _scatter_add(source: Source, step: Routine, item: str) -> None:
    """The additions to one line, in the order of the indices, which are the same for all lines."""
    _add_to_line(source, step, item, along=False)


def _scatter_along_axis(source: Source, step: Routine, item: str) -> None:
    """The additions to one line, in the order of its own indices."""
    _add_to_line(source, step, item, along=True)


def _add_to_line(source: Source, step: Routine, item: str, *, along: bool) -> None:
    updates, indices = step.operands
    axis, dtype, shape = step.node.attr("axis"), step.out.dtype, step.node.shape
    length, inner = _sizes(source, shape, axis)
    many = _sizes(source, step.node.inputs[1].shape, axis)[0] if along else source.size(indices.count)
    start, first, k = (source.local() for _ in range(3))
    source.line(f"{start} = {line_start(source, item, shape, axis)}")
    before = f"{item} // {product(inner)}*{product(many, inner)} + {item} % {product(inner)}"
    source.line(f"{first} = {product(item, many) if inner == '1' else before}")
    with source.block(f"for {k} in range({length}):"):
        write(source, step.out, f"{start} + {product(k, inner)}", source.literal(0, dtype))
    with source.block(f"for {k} in range({many}):"):
        number = f"{first} + {product(k, inner)}"
        place = _place(source, indices, number if along else k, length)
        with source.block(f"if {place} >= 0 and {place} < {length}:"):
            entry = f"{start} + {product(place, inner)}"
            total = rows.added(read(source, step.out, entry, dtype), read(source, updates, number, dtype), dtype)
            write(source, step.out, entry, total)


GATHERS: dict[str, Writer] = {
    "take": _take,
    "take_along_axis": _take_along_axis,
    "scatter_add": _scatter_add,
    "scatter_along_axis": _scatter_along_axis,
}
