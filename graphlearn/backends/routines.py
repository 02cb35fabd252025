"""One row per routine: the text that computes one item, on the CPU and on a GPU alike."""

from __future__ import annotations

from graphlearn.backends import rows
from graphlearn.backends.gathers import GATHERS
from graphlearn.backends.items import Writer, line_start, product, read, write
from graphlearn.backends.source import Source
from graphlearn.errors import UnsupportedOp
from graphlearn.program.counts import count
from graphlearn.program.steps import Routine


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
    **GATHERS,
}
