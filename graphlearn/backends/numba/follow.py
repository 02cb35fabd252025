"""What becomes of the entries of a product while they are at hand: a loop of the program, block by block, on lanes."""

from __future__ import annotations

from collections.abc import Sequence

from graphlearn.backends.numba.lanes import LaneWriter, Text, laned_values, lanes_of, named, obstacle, values_used
from graphlearn.backends.source import Source
from graphlearn.program.counts import ONE, ZERO, Count
from graphlearn.program.steps import Buffer, Compute, FusedLoop, Length, Literal, Load, MatMul, Reduce, Value


def can_follow(step: MatMul, loop: FusedLoop, dtype: str) -> bool:
    """Whether a loop over the entries of a product can be written on lanes along its columns.

    Args:
        step: the product.
        loop: over rows and columns.
        dtype: of what has lanes.
    """
    if obstacle(loop, _moves):
        return False
    used = values_used(loop)
    laned = [v for v in used if isinstance(v, Load) and _moves(v)]
    places = [(v.strides, v.dtype, v.offset) for v in laned] + [
        (s.strides, s.buffer.dtype, s.offset) for s in loop.stores
    ]
    straight = all(strides[1] == ONE and kind == dtype and not offset for strides, kind, offset in places)
    numbers = all(not v.offset for v in used if isinstance(v, Load))
    sums = all(r.op == "sum" and r.kept == (1,) and r.buffer.dtype == dtype for r in loop.reductions)
    return straight and numbers and sums


class Follower:
    """Writes such a loop.

    Args:
        source: where it is written.
        step: the product, with the loop.
        lanes: how many columns at a time.
        width: columns of a block.
        block: pointer and place of the block of the product.
    """

    def __init__(self, source: Source, step: MatMul, lanes: int, width: int, block: tuple[str, str]) -> None:
        if step.then is None:
            raise TypeError("nothing follows this product")
        self._source = source
        self._product = step.out.buffer
        self._loop = step.then
        self._lanes = LaneWriter(source, lanes)
        self._width, self._block = width, block
        self._body = values_used(self._loop)
        self._laned = laned_values(self._loop, _moves)
        self._text: dict[Value, Text] = {}
        self._by_vector: dict[tuple[Value, int], Text] = {}
        self._sums: dict[tuple[Reduce, int], str] = {}
        self._column, self._vectors, self._last = "0", 0, 0

    def begin(self) -> None:
        """Before the product: numbers that are the same for all entries."""
        for value in self._body:
            if value not in self._laned and not self._by_row(value):
                self._text[value] = self._named(value, self._number(value, "0"))

    def begin_stripe(self, column: str, vectors: int, last: int) -> None:
        """Before the rows of a few columns: what is the same for all rows, and sums over them.

        Args:
            column: the first.
            vectors: of columns.
            last: how many lanes of the last vector count.
        """
        self._column, self._vectors, self._last = column, vectors, last
        self._by_vector.clear()
        for v in range(vectors):
            for value in self._body:
                if value in self._laned and not self._by_row(value):
                    self._by_vector[value, v] = self._named(value, self._vector(value, v, "0"))
            for reduction in self._loop.reductions:
                self._sums[reduction, v] = self._source.local()
                zero = self._source.literal(0, reduction.buffer.dtype)
                kind = lanes_of(reduction.buffer.dtype, self._lanes.count)
                self._source.line(f"{self._sums[reduction, v]} = splat_{kind}({zero})")

    def follow(self, line: str, number: str) -> None:
        """After a block: what becomes of its rows.

        Args:
            line: its first row.
            number: of its rows.
        """
        inner, row = self._source.stable("inner"), self._source.stable("outer")
        with self._source.block(f"for {inner} in range({number}):"):
            self._source.line(f"{row} = {line} + {inner}")
            self.follow_row(row, inner)

    def follow_row(self, row: str, inner: str) -> None:
        """What becomes of a row of the block.

        Args:
            row: of the product.
            inner: of the block.
        """
        inside = [value for value in self._body if self._by_row(value)]
        for value in inside:
            if value not in self._laned:
                self._text[value] = self._named(value, self._number(value, row))
        for v in range(self._vectors):
            for value in inside:
                if value in self._laned:
                    self._by_vector[value, v] = self._named(value, self._vector(value, v, row, inner))
            for reduction in self._loop.reductions:
                total = self._sums[reduction, v]
                self._source.line(f"{total} = {total} + {self._of(reduction.value, v).text}")
            for store in self._loop.stores:
                text = self._lanes.laned(self._of(store.value, v), store.buffer.dtype)
                self._store(store.buffer.dtype, self._place(store.buffer, store.strides, row, v), text, v)

    def end_stripe(self) -> None:
        """After the rows of a few columns."""
        for (reduction, v), total in self._sums.items():
            if v < self._vectors:
                self._store(reduction.buffer.dtype, self._place(reduction.buffer, reduction.strides, "0", v), total, v)

    # --- values ------------------------------------------------------------------------------------------------------

    def _by_row(self, value: Value) -> bool:
        """Whether a value is another one in each row."""
        if isinstance(value, Load):
            return value.buffer is self._product or value.strides[0] != ZERO
        return isinstance(value, Compute) and any(self._by_row(v) for v in value.operands)

    def _of(self, value: Value, v: int) -> Text:
        return self._by_vector[value, v] if value in self._laned else self._text[value]

    def _named(self, value: Value, text: Text) -> Text:
        if isinstance(value, Literal | Length):
            return text
        node = value.node if isinstance(value, Compute) else None
        return named(self._source, text, self._source.local(), node)

    def _number(self, value: Value, row: str) -> Text:
        source = self._source
        if isinstance(value, Literal | Length):
            return Text(source.constant(value), False)
        if isinstance(value, Load):
            return Text(source.load(value.buffer, value.strides, [row, "0"], value.offset), False)
        return self._lanes.compute(value, [self._text[v] for v in value.operands])

    def _vector(self, value: Value, v: int, row: str, inner: str = "0") -> Text:
        if isinstance(value, Compute):
            return self._lanes.compute(value, [self._of(operand, v) for operand in value.operands])
        if not isinstance(value, Load):
            raise TypeError(f"a {type(value).__name__} has no lanes")
        kind = lanes_of(value.dtype, self._lanes.count)
        if value.buffer is self._product:
            pointer, at = self._block
            return Text(f"load_{kind}({pointer}, {at}{inner}*{self._width} + {v * self._lanes.count})", True)
        partial = self._partial(v)
        verb = f"part_{kind}_{self._last}" if partial else f"load_{kind}"
        return Text(f"{verb}({self._place(value.buffer, value.strides, row, v)})", True)

    def _partial(self, v: int) -> bool:
        return v + 1 == self._vectors and self._last < self._lanes.count

    def _place(self, buffer: Buffer, strides: Sequence[Count], row: str, v: int) -> str:
        """Pointer and place of a vector of a row."""
        entry = self._source.entry(buffer, strides, [row, self._column])
        pointer, _, place = entry[:-1].partition("[")
        return f"{pointer}, {place} + {v * self._lanes.count}"

    def _store(self, dtype: str, place: str, text: str, v: int) -> None:
        kind = lanes_of(dtype, self._lanes.count)
        verb = f"put_{kind}_0_{self._last}" if self._partial(v) else f"store_{kind}"
        self._source.line(f"{verb}({place}, {text})")


def _moves(value: Load) -> bool:
    return value.strides[-1] != ZERO
