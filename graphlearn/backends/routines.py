"""One row per routine: the text that computes one item, on the CPU and on a GPU alike."""

from __future__ import annotations

from collections.abc import Callable

from graphlearn.backends import rows
from graphlearn.backends.source import Source
from graphlearn.errors import UnsupportedOp
from graphlearn.program.counts import ONE, count
from graphlearn.program.steps import Buffer, Routine
from graphlearn.types import Shape

Writer = Callable[[Source, Routine, str], None]
_UNIT = (ONE,)


def write_routine(source: Source, step: Routine, item: str) -> None:
    """Write what is done for one item.

    Args:
        source: where it is written, in a loop over the items.
        step: the routine.
        item: text of the number of the item.

    Raises:
        UnsupportedOp: there is no row.
    """
    writer = WRITERS.get(step.node.op.name)
    if writer is None:
        raise UnsupportedOp(
            f'compiled code has no row for the operation {step.node.op.name!r}. Pass backend="numpy", which has.'
        )
    writer(source, step, item)


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


def _cumsum(source: Source, step: Routine, line: str) -> None:
    """The sums along one line, from its first entry or from its last."""
    axis, dtype = step.node.attr("axis"), step.out.dtype
    shape = step.node.shape
    length, inner = source.size(count(shape[axis : axis + 1])), source.size(count(shape[axis + 1 :]))
    start, total, place, k = (source.local() for _ in range(4))
    source.line(f"{start} = {line_start(source, line, shape, axis)}")
    source.line(f"{total} = {source.literal(0, dtype)}")
    with source.block(f"for {k} in range({length}):"):
        number = f"{length} - 1 - {k}" if step.node.attr("reverse") else k
        source.line(f"{place} = {start} + {product(number, inner)}")
        term = read(source, step.operands[0], place, dtype)
        source.line(f"{total} = {rows.wrapped(f'({total} + {term})', dtype)}")  # in this order on every backend
        write(source, step.out, place, total)


WRITERS: dict[str, Writer] = {
    "cumsum": _cumsum,
}
