"""Routines along lines of an array, and over axes: running totals, products, places of extremes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from graphlearn.backends import rows
from graphlearn.backends.items import Writer, line_start, product, read, write
from graphlearn.backends.source import Source
from graphlearn.program.counts import count, row_major
from graphlearn.program.steps import Routine
from graphlearn.types import Shape


def entry_of(source: Source, item: str, shape: Shape, axes: Sequence[int], inner: Sequence[str]) -> str:
    """The text of the number of an entry, by the number of its result and its places along the axes that go.

    Args:
        source: where it is written.
        item: number of the result, among all of them row by row.
        shape: of the array.
        axes: the axes that go.
        inner: places along them.
    """
    strides = [source.size(stride) for stride in row_major(shape)]
    kept = [k for k in range(len(shape)) if k not in axes]
    results = [source.size(stride) for stride in row_major(tuple(shape[k] for k in kept))]
    terms = [product(place, strides[k]) for k, place in zip(axes, inner, strict=True)]
    for number, (k, stride) in enumerate(zip(kept, results, strict=True)):
        whole = item if stride == "1" else f"{item} // {product(stride)}"
        length = source.length(shape[k])
        terms.append(product(whole if number == 0 else f"({whole}) % {product(length)}", strides[k]))
    return " + ".join(terms) or "0"


@contextmanager
def _along_line(source: Source, step: Routine, line: str) -> Iterator[str]:
    """A loop along one line, from its first entry or from its last; gives the text of the entry's number."""
    axis, shape = step.node.attr("axis"), step.node.shape
    length, inner = source.size(count(shape[axis : axis + 1])), source.size(count(shape[axis + 1 :]))
    start, place, k = (source.local() for _ in range(3))
    source.line(f"{start} = {line_start(source, line, shape, axis)}")
    with source.block(f"for {k} in range({length}):"):
        number = f"{length} - 1 - {k}" if step.node.attr("reverse") else k
        source.line(f"{place} = {start} + {product(number, inner)}")
        yield place


def _cumsum(source: Source, step: Routine, line: str) -> None:
    """The sums along one line."""
    dtype, total = step.out.dtype, source.local()
    source.line(f"{total} = {source.literal(0, dtype)}")
    with _along_line(source, step, line) as place:
        term = read(source, step.operands[0], place, dtype)
        source.line(f"{total} = {rows.wrapped(f'({total} + {term})', dtype)}")  # in this order on every backend
        write(source, step.out, place, total)


def _products_before(source: Source, step: Routine, line: str) -> None:
    """The products of the entries of one line that were passed."""
    dtype, total = step.out.dtype, source.local()
    source.line(f"{total} = {source.literal(1, dtype)}")
    with _along_line(source, step, line) as place:
        write(source, step.out, place, total)
        source.line(f"{total} = {total}*{read(source, step.operands[0], place, dtype)}")


def _recurrence(source: Source, step: Routine, line: str) -> None:
    """The totals of one line, each written before its own term is added."""
    dtype, total = step.out.dtype, source.local()
    source.line(f"{total} = {source.literal(0, dtype)}")
    with _along_line(source, step, line) as place:
        write(source, step.out, place, total)
        factor, term = (read(source, operand, place, dtype) for operand in step.operands)
        source.line(f"{total} = {term} + {factor}*{total}")


def _prod(source: Source, step: Routine, item: str) -> None:
    """One product over the axes."""
    shape, axes, dtype = step.node.inputs[0].shape, step.node.attr("axis"), step.out.dtype
    total, indices = source.local(), [source.local() for _ in axes]
    source.line(f"{total} = {source.literal(1, dtype)}")
    with source.loops([(k, count(shape[a : a + 1])) for k, a in zip(indices, axes, strict=True)]):
        factor = read(source, step.operands[0], entry_of(source, item, shape, axes, indices), dtype)
        source.line(f"{total} = {total}*{factor}")
    write(source, step.out, item, total)


def _place_of(relation: str) -> Writer:
    """The writer of argmax and argmin."""

    def write_place(source: Source, step: Routine, item: str) -> None:
        (operand,), axis = step.operands, step.node.attr("axis")
        shape = step.node.inputs[0].shape
        dtype = operand.dtype if operand.dtype in rows.SUFFIX else "int64"
        best, found, value, k = (source.local() for _ in range(4))
        source.line(f"{best} = {source.literal(0, dtype)}")
        source.line(f"{found} = 0")
        with source.block(f"for {k} in range({source.size(count(shape[axis : axis + 1]))}):"):
            source.line(f"{value} = {read(source, operand, entry_of(source, item, shape, [axis], [k]), dtype)}")
            # The first NaN counts as the extreme, as in NumPy.
            nan = f" or ({value} != {value} and {best} == {best})" if dtype in rows.SUFFIX else ""
            with source.block(f"if {k} == 0 or {value} {relation} {best}{nan}:"):
                source.line(f"{best} = {value}")
                source.line(f"{found} = {k}")
        write(source, step.out, item, found)

    return write_place


LINES: dict[str, Writer] = {
    "argmax": _place_of(">"),
    "argmin": _place_of("<"),
    "cumsum": _cumsum,
    "prod": _prod,
    "products_before": _products_before,
    "recurrence": _recurrence,
}
