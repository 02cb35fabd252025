"""Routines on matrices: elimination with row exchanges, cofactors, Cholesky's factor. An item is one matrix."""

from __future__ import annotations

from graphlearn.backends.items import Writer, product, read, write
from graphlearn.backends.source import Source
from graphlearn.program.counts import count
from graphlearn.program.steps import Buffer, Routine


class _Matrix:
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

    def swap(self, here: tuple[str, str], there: tuple[str, str]) -> None:
        """Exchange two entries."""
        kept = self._source.local()
        self._source.line(f"{kept} = {self.get(*here)}")
        self.put(*here, self.get(*there))
        self.put(*there, kept)


def _side(source: Source, step: Routine) -> str:
    """Rows of the matrices."""
    return source.size(count(step.node.inputs[0].shape[-1:]))


def _room(source: Source, step: Routine, item: str, extra: int = 0) -> _Matrix:
    """The item's part of the scratch, with columns beside its matrix."""
    if step.scratch is None:
        raise TypeError(f"the plan of {step.node.op.name} has no scratch")
    n = _side(source, step)
    width = f"{n} + {extra}" if extra else n
    start = source.local()
    source.line(f"{start} = {product(item, n, width)}")
    return _Matrix(source, step.scratch, start, width)


def _copied(source: Source, step: Routine, item: str, extra: int = 0) -> _Matrix:
    """The matrix in the scratch."""
    n, room = _side(source, step), _room(source, step, item, extra)
    r, c = source.local(), source.local()
    with source.block(f"for {r} in range({n}):"), source.block(f"for {c} in range({n}):"):
        given = read(source, step.operands[0], f"{product(item, n, n)} + {product(r, n)} + {c}", step.out.dtype)
        room.put(r, c, given)
    return room


def _pivot_row(source: Source, room: _Matrix, n: str, c: str) -> str:
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
    n, shape = _side(source, step), step.node.shape
    width = "1" if len(shape) == 1 else source.size(count(shape[-1:]))
    start, j = source.local(), source.local()
    source.line(f"{start} = {product(item, n, width)}")
    given, found = (_Matrix(source, b, start, width) for b in (step.operands[1], step.out))
    room = _copied(source, step, item)
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


def _substitute_upwards(source: Source, upper: _Matrix, found: _Matrix, n: str, width: str) -> None:
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
        n, dtype, room = _side(source, step), step.out.dtype, _copied(source, step, item)
        total, sign, pivot, f, r, c, j = (source.local() for _ in range(7))
        one, zero = source.literal(1, dtype), source.literal(0, dtype)
        source.line(f"{total} = {source.literal(start, dtype)}")
        with source.block(f"for {c} in range({n}):"):
            p = _pivot_row(source, room, n, c)
            source.line(f"{sign} = {one}")
            with source.block(f"if {p} != {c}:"):
                source.line(f"{sign} = -{one}")
                with source.block(f"for {j} in range({c}, {n}):"):
                    room.swap((c, j), (p, j))
            source.line(f"{pivot} = {room.get(c, c)}")
            source.line(combine.format(total=total, pivot=pivot, sign=sign, one=one, zero=zero))
            # Below a pivot of 0 all is 0.
            with source.block(f"if {pivot} != {zero}:"), source.block(f"for {r} in range({c} + 1, {n}):"):
                source.line(f"{f} = {room.get(r, c)} / {pivot}")
                with source.block(f"for {j} in range({c} + 1, {n}):"):
                    room.take_from(r, j, f"{f}*{room.get(c, j)}")
        write(source, step.out, item, total)

    return write_number


def _cholesky(source: Source, step: Routine, item: str) -> None:
    """Row by row; above the diagonal zeros."""
    n, dtype = _side(source, step), step.out.dtype
    start = source.local()
    source.line(f"{start} = {product(item, n, n)}")
    given, lower = (_Matrix(source, b, start, n) for b in (step.operands[0], step.out))
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


def _cofactor(source: Source, step: Routine, item: str) -> None:
    """Elimination with rows and columns exchanged, so that of a singular matrix the last pivot is the one that is 0.

    With ``P A Q = L U`` the cofactors are those of the factors, multiplied. Those of U are written with its last pivot
    as a factor and never as a divisor; where the last but one is 0, all cofactors are.
    """
    n, dtype = _side(source, step), step.out.dtype
    room = _copied(source, step, item, extra=2)
    start, scale = source.local(), source.local()
    source.line(f"{start} = {product(item, n, n)}")
    found = _Matrix(source, step.out, start, n)
    source.line(f"{scale} = {source.literal(1, dtype)}")  # the product of all pivots but the last, with the sign
    _eliminate_fully(source, room, n, scale, dtype)
    with source.block(f"if {scale} == {source.literal(0, dtype)}:"):
        r, c = source.local(), source.local()
        with source.block(f"for {r} in range({n}):"), source.block(f"for {c} in range({n}):"):
            found.put(r, c, source.literal(0, dtype))
    with source.block("else:"):
        _cofactors_of_upper(source, room, found, n, scale, dtype)
        _back_through_lower(source, room, found, n)
        _exchange_back(source, room, found, n)


def _eliminate_fully(source: Source, room: _Matrix, n: str, scale: str, dtype: str) -> None:
    """L below the diagonal and U above it; the numbers of the exchanged rows and columns in two further columns."""
    c, p, q, r, j, best, f = (source.local() for _ in range(7))
    with source.block(f"for {c} in range({n}):"):
        source.line(f"{p} = {c}")
        source.line(f"{q} = {c}")
        source.line(f"{best} = abs({room.get(c, c)})")
        with source.block(f"for {r} in range({c}, {n}):"), source.block(f"for {j} in range({c}, {n}):"):
            source.line(f"{f} = abs({room.get(r, j)})")
            # NaN is taken for the largest, so that it is not lost beside zeros.
            with source.block(f"if {f} > {best} or ({f} != {f} and {best} == {best}):"):
                source.line(f"{best} = {f}")
                source.line(f"{p} = {r}")
                source.line(f"{q} = {j}")
        room.put(c, n, f"{dtype}({p})")
        room.put(c, f"{n} + 1", f"{dtype}({q})")
        with source.block(f"if {p} != {c}:"):
            source.line(f"{scale} = -{scale}")
            with source.block(f"for {j} in range({n}):"):
                room.swap((c, j), (p, j))
        with source.block(f"if {q} != {c}:"):
            source.line(f"{scale} = -{scale}")
            with source.block(f"for {r} in range({n}):"):
                room.swap((r, c), (r, q))
        with source.block(f"if {c} < {n} - 1:"):
            source.line(f"{scale} = {scale}*{room.get(c, c)}")
            zero = source.literal(0, dtype)
            with source.block(f"if {best} != {zero}:"), source.block(f"for {r} in range({c} + 1, {n}):"):
                room.put(r, c, f"{room.get(r, c)} / {room.get(c, c)}")
                with source.block(f"for {j} in range({c} + 1, {n}):"):
                    room.take_from(r, j, f"{room.get(r, c)}*{room.get(c, j)}")


def _cofactors_of_upper(source: Source, room: _Matrix, found: _Matrix, n: str, scale: str, dtype: str) -> None:
    """The transposed inverse of U without its last row and column, row by row; then what its last column adds."""
    zero, one = source.literal(0, dtype), source.literal(1, dtype)
    r, c, k, total, last = (source.local() for _ in range(5))
    with source.block(f"for {r} in range({n} - 1):"), source.block(f"for {c} in range({n}):"):
        source.line(f"{total} = {one} if {r} == {c} else {zero}")
        with source.block(f"for {k} in range({r}):"):
            source.line(f"{total} = {total} - {room.get(k, r)}*{found.get(k, c)}")
        found.put(r, c, f"{total} / {room.get(r, r)}")
    source.line(f"{last} = {scale}*{room.get(f'{n} - 1', f'{n} - 1')}")
    with source.block(f"for {c} in range({n}):"):
        source.line(f"{total} = {one} if {c} == {n} - 1 else {zero}")
        with source.block(f"for {k} in range({n} - 1):"):
            source.line(f"{total} = {total} - {room.get(k, f'{n} - 1')}*{found.get(k, c)}")
            found.put(k, c, f"{found.get(k, c)}*{last}")
        found.put(f"{n} - 1", c, f"{total}*{scale}")


def _back_through_lower(source: Source, room: _Matrix, found: _Matrix, n: str) -> None:
    """Solve with the transposed L, whose diagonal is 1."""
    k, c, r, j = (source.local() for _ in range(4))
    with source.block(f"for {k} in range({n}):"):
        source.line(f"{c} = {n} - 1 - {k}")
        with source.block(f"for {r} in range({c}):"), source.block(f"for {j} in range({n}):"):
            found.take_from(r, j, f"{room.get(c, r)}*{found.get(c, j)}")


def _exchange_back(source: Source, room: _Matrix, found: _Matrix, n: str) -> None:
    """Undo the exchanges of rows and columns, the last one first."""
    k, c, p, q, j = (source.local() for _ in range(5))
    with source.block(f"for {k} in range({n}):"):
        source.line(f"{c} = {n} - 1 - {k}")
        source.line(f"{p} = int64({room.get(c, n)})")
        source.line(f"{q} = int64({room.get(c, f'{n} + 1')})")
        with source.block(f"for {j} in range({n}):"):
            found.swap((c, j), (p, j))
        with source.block(f"for {j} in range({n}):"):
            found.swap((j, c), (j, q))


_SIGNED = "{total} = {total}*{sign}*({one} if {pivot} > {zero} else (-{one} if {pivot} < {zero} else {pivot}))"
MATRICES: dict[str, Writer] = {
    "cholesky": _cholesky,
    "cofactor": _cofactor,
    "det": _by_pivots(1, "{total} = {total}*{sign}*{pivot}"),
    "detsign": _by_pivots(1, _SIGNED),
    "logabsdet": _by_pivots(0, "{total} = {total} + math.log(abs({pivot}))"),
    "solve": _solve,
}
