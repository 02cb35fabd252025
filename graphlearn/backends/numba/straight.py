"""A loop that walks straight through its arrays, such as an optimizer's update, on lanes: no entry is left over.

Arrays of an arena begin on cache lines, so the last lanes may lie in the gap behind an array, where they do no harm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphlearn.backends.native import has_near
from graphlearn.backends.numba.lanes import LaneWriter, Text, laned_values, lanes_of, named, obstacle, values_used
from graphlearn.backends.source import Source
from graphlearn.program.counts import ZERO, count
from graphlearn.program.steps import Buffer, Compute, FusedLoop, Length, Literal, Load, Value
from graphlearn.program.uses import same_entries

_SHORT = 16  # vectors of entries up to which a loop is written out


def is_straight(step: FusedLoop, dtype: str) -> bool:
    """Whether the loop visits every array entry by entry, each in the arena of a dtype."""
    if step.reductions or not step.axes or not count(step.axes).is_literal or obstacle(step, _moves):
        return False
    loads = [v for v in values_used(step) if isinstance(v, Load)]
    walked = [v for v in loads if _moves(v) or v.offset]
    places = [(v.buffer, v.strides, v.offset) for v in walked]
    places += [(s.buffer, s.strides, s.offset) for s in step.stores]
    return all(
        b.dtype == dtype and b.slot is not None and not offset and same_entries(strides, b, step.axes)
        for b, strides, offset in places
    )


def write_straight(
    source: Source, step: FusedLoop, lanes: int, vectors: Mapping[tuple[str, int], str], *, reciprocals: bool
) -> None:
    """Write the loop.

    Args:
        source: where it is written.
        step: a loop that `is_straight`.
        lanes: how many entries are worked on at a time.
        vectors: dtype and place in the arena -> the local that holds what is there.
        reciprocals: whether a division by a number becomes a product with its reciprocal, and roots and divisions by
            sums with a root are computed from estimates (`graphlearn.backends.native.near`): 1 ULP more.
    """
    _Straight(source, step, lanes, vectors, reciprocals).write()


class _Straight:
    def __init__(
        self, source: Source, step: FusedLoop, lanes: int, vectors: Mapping[tuple[str, int], str], reciprocals: bool
    ) -> None:
        self._source = source
        self._step = step
        self._lanes = LaneWriter(source, lanes)
        self._vectors = vectors
        self._reciprocals = reciprocals
        self._text: dict[Value, Text] = {}
        self._body = values_used(step)
        self._walks = laned_values(step, _moves)
        self._inverse: dict[Value, str] = {}

    def write(self) -> None:
        """Write what is the same for all entries, then the loop; written out where it is short."""
        self._source.head(self._step)
        for value in self._body:
            if value not in self._walks:
                self._define(value, 0)
        if self._reciprocals:
            self._invert()
        number, lanes = count(self._step.axes).factor, self._lanes.count
        starts = range(0, number, lanes)
        if len(starts) <= _SHORT:
            for at in starts:
                self._write_at(at)
        else:
            index = self._source.index(0)
            with self._source.block(f"for {index} in range(0, {number}, {lanes}):"):
                self._write_at(index)

    def _invert(self) -> None:
        for value in self._body:
            if isinstance(value, Compute) and value.op == "div" and value in self._walks:
                divisor = value.operands[1]
                if divisor not in self._walks and divisor not in self._inverse:
                    self._inverse[divisor] = self._source.local()
                    one = self._source.literal(1, value.dtype)
                    self._source.line(f"{self._inverse[divisor]} = {one} / {self._text[divisor].text}")

    def _write_at(self, at: int | str) -> None:
        for value in self._body:
            if value in self._walks:
                self._define(value, at)
        for store in self._step.stores:
            kind = lanes_of(store.buffer.dtype, self._lanes.count)
            text = self._lanes.laned(self._text[store.value], store.buffer.dtype)
            pointer = self._source.place(store.buffer)[0]
            self._source.line(f"store_{kind}({pointer}, {_place(store.buffer, at)}, {text})")

    def _define(self, value: Value, at: int | str) -> None:
        text = self._expression(value, at)
        if isinstance(value, Literal) or not isinstance(value, Load | Compute):
            self._text[value] = text
            return
        node = value.node if isinstance(value, Compute) else None
        self._text[value] = named(self._source, text, self._source.local(), node)

    def _shorter(self, value: Compute, operands: Sequence[Text]) -> Text | None:
        """What takes less time and has 1 ULP more, where there is such a thing."""
        texts, kind = [text.text for text in operands], lanes_of(value.dtype, self._lanes.count)
        if not self._reciprocals or value not in self._walks:
            return None
        if value.op == "sqrt" and has_near(kind):
            return Text(f"root_{kind}({texts[0]})", True)
        if value.op != "div":
            return None
        divisor = value.operands[1]
        if divisor in self._inverse:
            return Text(f"({texts[0]} * {self._inverse[divisor]})", True)
        if _near_root(divisor) and has_near(kind) and operands[0].laned:
            return Text(f"quotient_{kind}({', '.join(texts)})", True)
        return None

    def _expression(self, value: Value, at: int | str) -> Text:
        source = self._source
        if isinstance(value, Literal | Length):
            return Text(source.constant(value), False)
        if isinstance(value, Compute):
            operands = [self._text[v] for v in value.operands]
            return self._shorter(value, operands) or self._lanes.compute(value, operands)
        if value not in self._walks:
            return Text(source.load(value.buffer, value.strides, ["0"] * len(value.strides), value.offset), False)
        known = self._vectors.get((value.dtype, value.buffer.start + at)) if isinstance(at, int) else None
        pointer, kind = source.place(value.buffer)[0], lanes_of(value.dtype, self._lanes.count)
        return Text(known or f"load_{kind}({pointer}, {_place(value.buffer, at)})", True)


def _near_root(value: Value) -> bool:
    """Whether a value is a root or a sum with one, which is never subnormal unless its other term is."""
    return isinstance(value, Compute) and (
        value.op == "sqrt"
        or (value.op == "add" and any(isinstance(v, Compute) and v.op == "sqrt" for v in value.operands))
    )


def _place(buffer: Buffer, at: int | str) -> str:
    """The place in the arena of an entry."""
    return str(buffer.start + at) if isinstance(at, int) else f"{buffer.start} + {at}" if buffer.start else at


def _moves(value: Load) -> bool:
    return any(s != ZERO for s in value.strides)
