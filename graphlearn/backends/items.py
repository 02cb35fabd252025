"""What the code of routines is made of: entries by their numbers, and where lines along an axis begin."""

from __future__ import annotations

from collections.abc import Callable

from graphlearn.backends import rows
from graphlearn.backends.source import Source
from graphlearn.program.counts import ONE, count
from graphlearn.program.steps import Buffer, Routine
from graphlearn.types import Shape

# What writes the code of one item: into the source, for the routine, by the text of the item's number.
Writer = Callable[[Source, Routine, str], None]
_UNIT = (ONE,)


def read(source: Source, buffer: Buffer, place: str, dtype: str) -> str:
    """The text of an entry as a value of a dtype.

    Args:
        source: where it is written.
        buffer: the array.
        place: text of the entry's number.
        dtype: what it is wanted as.
    """
    return rows.convert(source.load(buffer, _UNIT, [place]), buffer.dtype, dtype, source.literal)


def write(source: Source, buffer: Buffer, place: str, value: str) -> None:
    """Write a value of the buffer's dtype to the entry of a number."""
    source.store(buffer, _UNIT, [place], value)


def product(*factors: str) -> str:
    """The text of a product; factors that are 1 are left out."""
    terms = [f"({text})" if set("*+-/%") & set(text) else text for text in factors if text != "1"]
    return "*".join(terms) or "1"


def line_start(source: Source, item: str, shape: Shape, axis: int) -> str:
    """The text of the number of the first entry of a line along an axis, by the number of the line."""
    length, inner = source.size(count(shape[axis : axis + 1])), source.size(count(shape[axis + 1 :]))
    if inner == "1":
        return product(item, length)
    return f"{item} // {product(inner)}*{product(length, inner)} + {item} % {product(inner)}"
