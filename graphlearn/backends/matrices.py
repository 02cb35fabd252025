"""Routines on matrices: elimination with row exchanges, Cholesky's factor. An item is one matrix."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from graphlearn.backends.exponents import bring_back, bring_near_one, multiply
from graphlearn.backends.items import Writer, product, read, write
from graphlearn.backends.source import Source
from graphlearn.program.counts import count
from graphlearn.program.steps import Buffer, Routine


class MatrixText:
    """A matrix of one item while its code is written.

    Args:
        source: where it is written.
        buffer: matrices row by row, one after the other.
        start: text of the number of the first entry.
        width: text of the entries from row to row.
    """

    def __init__(self, source: Source, buffer: Buffer, start: str, width: str) -> None:
        self._source = source
        self._buffer = buffer
        self._start = start
        self._width = width

    def place(self, row: str, column: str) -> str:
        """The text of an entry's number."""
        return f"{self._start} + {product(row, self._width)} + {column}"

    def get(self, row: str, column: str) -> str:
        """The text of an entry."""
        return read(self._source, self._buffer, self.place(row, column), self._buffer.dtype)

    def put(self, row: str, column: str, value: str) -> None:
        """Write an entry."""
        write(self._source, self._buffer, self.place(row, column), value)

    def take_from(self, row: str, column: str, value: str) -> None:
        """Subtract from an entry."""
        self.put(row, column, f"{self.get(row, column)} - {value}")

    def beside(self, columns: int) -> MatrixText:
        """The matrix that begins so many columns to the right, in the same rows."""
        return MatrixText(self._source, self._buffer, f"{self._start} + {columns}", self._width)

    def swap(self, here: tuple[str, str], there: tuple[str, str]) -> None:
        """Exchange two entries."""
        kept = self._source.local()
        self._source.line(f"{kept} = {self.get(*here)}")
        self.put(*here, self.get(*there))
        self.put(*there, kept)


def side(source: Source, step: Routine) -> str:
    """Rows of the matrices."""
    return source.size(count(step.node.inputs[0].shape[-1:]))


def room_of(source: Source, step: Routine, item: str, extra: int = 0) -> MatrixText:
    """The item's part of the scratch, with columns beside its matrix."""
    if step.scratch is None:
        raise TypeError(f"the plan of {step.node.op.name} has no scratch")
    n = side(source, step)
    width = f"{n} + {extra}" if extra else n
    start = source.local()
    source.line(f"{start} = {product(item, n, width)}")
    return MatrixText(source, step.scratch, start, width)


def copied(source: Source, step: Routine, item: str, extra: int = 0) -> MatrixText:
    """The matrix in the scratch."""
    n, room = side(source, step), room_of(source, step, item, extra)
    r, c = source.local(), source.local()
    with source.block(f"for {r} in range({n}):"), source.block(f"for {c} in range({n}):"):
        given = read(source, step.operands[0], f"{product(item, n, n)} + {product(r, n)} + {c}", step.out.dtype)
        room.put(r, c, given)
    return room


def balance(source: Source, room: MatrixText, n: str, dtype: str, kept: tuple[str, str] | None = None) -> str:
    """Multiply rows, and then columns, by powers of the unit that bring their largest entries near 1.

    Args:
        source: where it is written.
        room: the matrix.
        n: its side.
        dtype: of its entries.
        kept: columns of the room that keep the exponents of the rows and of the columns.

    Returns:
        The name of the exponent by which the determinant became smaller.
    """
    total, top, power, f = (source.local() for _ in range(4))
    source.line(f"{total} = 0")
    for number in range(2):
        line, place = source.local(), source.local()
        entry = (line, place) if number == 0 else (place, line)
        with source.block(f"for {line} in range({n}):"):
            source.line(f"{top} = {source.literal(0, dtype)}")
            source.line(f"{power} = 0")
            with source.block(f"for {place} in range({n}):"):
                source.line(f"{f} = abs({room.get(*entry)})")
                with source.block(f"if {f} > {top}:"):
                    source.line(f"{top} = {f}")
            bring_near_one(source, top, power, dtype)
            source.line(f"{total} = {total} + {power}")
            if kept is not None:
                room.put(line, kept[number], f"{dtype}({power})")
            with source.block(f"if {power} != 0:"), source.block(f"for {place} in range({n}):"):
                source.line(f"{f} = {room.get(*entry)}")
                bring_back(source, f, f"-{power}", dtype)
                room.put(*entry, f)
    return total


def _pivot_row(source: Source, room: MatrixText, n: str, c: str) -> str:
    """The row below ``c`` with the largest entry in its column; gives the name of its number."""
    p, r, best = source.local(), source.local(), source.local()
    source.line(f"{p} = {c}")
    source.line(f"{best} = abs({room.get(c, c)})")
    with source.block(f"for {r} in range({c} + 1, {n}):"), source.block(f"if abs({room.get(r, c)}) > {best}:"):
        source.line(f"{best} = abs({room.get(r, c)})")
        source.line(f"{p} = {r}")
    return p


def _solve(source: Source, step: Routine, item: str) -> None:
    """Elimination of the copy, each step done to the right-hand side too; then substitution from the last row."""
    n, shape = side(source, step), step.node.shape
    width = "1" if len(shape) == 1 else source.size(count(shape[-1:]))
    start, j = source.local(), source.local()
    source.line(f"{start} = {product(item, n, width)}")
    given, found = (MatrixText(source, b, start, width) for b in (step.operands[1], step.out))
    room = copied(source, step, item)
    r, c, f = (source.local() for _ in range(3))
    with source.block(f"for {r} in range({n}):"), source.block(f"for {j} in range({width}):"):
        found.put(r, j, read(source, step.operands[1], given.place(r, j), step.out.dtype))
    with source.block(f"for {c} in range({n}):"):
        p = _pivot_row(source, room, n, c)
        with source.block(f"if {p} != {c}:"):
            with source.block(f"for {j} in range({c}, {n}):"):
                room.swap((c, j), (p, j))
            with source.block(f"for {j} in range({width}):"):
                found.swap((c, j), (p, j))
        with source.block(f"for {r} in range({c} + 1, {n}):"):
            source.line(f"{f} = {room.get(r, c)} / {room.get(c, c)}")
            with source.block(f"for {j} in range({c} + 1, {n}):"):
                room.take_from(r, j, f"{f}*{room.get(c, j)}")
            with source.block(f"for {j} in range({width}):"):
                found.take_from(r, j, f"{f}*{found.get(c, j)}")
    _substitute_upwards(source, room, found, n, width)


def _substitute_upwards(source: Source, upper: MatrixText, found: MatrixText, n: str, width: str) -> None:
    """Solve with an upper triangle, in the place of the right-hand side."""
    k, c, r, j = (source.local() for _ in range(4))
    with source.block(f"for {k} in range({n}):"):
        source.line(f"{c} = {n} - 1 - {k}")
        with source.block(f"for {j} in range({width}):"):
            found.put(c, j, f"{found.get(c, j)} / {upper.get(c, c)}")
        with source.block(f"for {r} in range({c}):"), source.block(f"for {j} in range({width}):"):
            found.take_from(r, j, f"{upper.get(r, c)}*{found.get(c, j)}")


def _by_pivots(start: float, combine: str) -> Writer:
    """The writer of a number made of all pivots and of the sign of the row exchanges.

    Args:
        start: what it is without any pivot.
        combine: text over ``{total}``, ``{pivot}``, ``{sign}``, ``{one}`` and ``{zero}``.
    """

    def write_number(source: Source, step: Routine, item: str) -> None:
        n, dtype, room = side(source, step), step.out.dtype, copied(source, step, item)
        total, one, zero = source.local(), source.literal(1, dtype), source.literal(0, dtype)
        source.line(f"{total} = {source.literal(start, dtype)}")
        with _pivots(source, room, n, dtype) as (pivot, sign):
            source.line(combine.format(total=total, pivot=pivot, sign=sign, one=one, zero=zero))
        write(source, step.out, item, total)

    return write_number


def _det(source: Source, step: Routine, item: str) -> None:
    """The product of the pivots of the balanced matrix, with an exponent of its own: in any order it is in range."""
    n, dtype, room = side(source, step), step.out.dtype, copied(source, step, item)
    total, power = source.local(), balance(source, room, n, dtype)
    source.line(f"{total} = {source.literal(1, dtype)}")
    with _pivots(source, room, n, dtype) as (pivot, sign):
        multiply(source, total, power, f"{sign}*{pivot}", dtype)
    bring_back(source, total, power, dtype)
    write(source, step.out, item, total)


@contextmanager
def _pivots(source: Source, room: MatrixText, n: str, dtype: str) -> Iterator[tuple[str, str]]:
    """Elimination with row exchanges; gives the names of each pivot and of the sign of its exchange."""
    sign, pivot, f, r, c, j = (source.local() for _ in range(6))
    one, zero = source.literal(1, dtype), source.literal(0, dtype)
    with source.block(f"for {c} in range({n}):"):
        p = _pivot_row(source, room, n, c)
        source.line(f"{sign} = {one}")
        with source.block(f"if {p} != {c}:"):
            source.line(f"{sign} = -{one}")
            with source.block(f"for {j} in range({c}, {n}):"):
                room.swap((c, j), (p, j))
        source.line(f"{pivot} = {room.get(c, c)}")
        yield pivot, sign
        # Below a pivot of 0 all is 0.
        with source.block(f"if {pivot} != {zero}:"), source.block(f"for {r} in range({c} + 1, {n}):"):
            source.line(f"{f} = {room.get(r, c)} / {pivot}")
            with source.block(f"for {j} in range({c} + 1, {n}):"):
                room.take_from(r, j, f"{f}*{room.get(c, j)}")


def _cholesky(source: Source, step: Routine, item: str) -> None:
    """Row by row; above the diagonal zeros."""
    n, dtype = side(source, step), step.out.dtype
    start = source.local()
    source.line(f"{start} = {product(item, n, n)}")
    given, lower = (MatrixText(source, b, start, n) for b in (step.operands[0], step.out))
    r, c, k, rest = (source.local() for _ in range(4))
    with source.block(f"for {r} in range({n}):"):
        with source.block(f"for {c} in range({r} + 1):"):
            source.line(f"{rest} = {read(source, step.operands[0], given.place(r, c), dtype)}")
            with source.block(f"for {k} in range({c}):"):
                source.line(f"{rest} = {rest} - {lower.get(r, k)}*{lower.get(c, k)}")
            with source.block(f"if {r} == {c}:"):
                lower.put(r, c, f"math.sqrt({rest})")
            with source.block("else:"):
                lower.put(r, c, f"{rest} / {lower.get(c, c)}")
        with source.block(f"for {c} in range({r} + 1, {n}):"):
            lower.put(r, c, source.literal(0, dtype))


_SIGNED = "{total} = {total}*{sign}*({one} if {pivot} > {zero} else (-{one} if {pivot} < {zero} else {pivot}))"
MATRICES: dict[str, Writer] = {
    "cholesky": _cholesky,
    "det": _det,
    "detsign": _by_pivots(1, _SIGNED),
    "logabsdet": _by_pivots(0, "{total} = {total} + math.log(abs({pivot}))"),
    "solve": _solve,
}
