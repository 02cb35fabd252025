"""The nests of a pass over rows: on as many rows as there are lanes, and for the rows that are left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from graphlearn.backends.numba.lanes import LaneWriter, Text, laned_values, lanes_of
from graphlearn.backends.numba.nests import Nest
from graphlearn.backends.numba.row_layout import Layout
from graphlearn.backends.source import Source
from graphlearn.program.counts import ZERO, Count
from graphlearn.program.steps import Buffer, Compute, FusedLoop, Load, Reduce, Store, Value


class Home(Protocol):
    """The pass in which a nest stands."""

    lanes: int
    names: dict[Buffer, str]
    sums: dict[Reduce, str]

    def name_of(self, buffer: Buffer) -> str:
        """What holds the only entry of each row."""

    def keep(self, buffer: Buffer) -> None:
        """Write the only entry of each row to its place, where others need it."""


class Left(Nest):
    """A nest that goes on where others have stopped: what it sums over rows has a value already."""

    def __init__(self, source: Source, step: FusedLoop, single: Sequence[Buffer]) -> None:
        super().__init__(source, step, outer=1, single=single)
        self._blocked = [] if self._cut == 0 else self._blocked

    def _clear(self, depth: int) -> None:
        """Totals of a row begin in the row, since other rows have theirs; those over rows go on."""
        for r in self._step.reductions:
            kept = self._kept(r)
            if depth == 1 and 0 in kept and self._local_depth(r) is None:
                with self._source.loops([(self._indices[k], self._lengths[k]) for k in kept if k]):
                    self._source.store(r.buffer, self._strides(r.strides), self._indices, self._start(r))

    def _begin_locals(self, depth: int) -> None:
        if depth:
            super()._begin_locals(depth)
            return
        for r in self._step.reductions:
            if self._local_depth(r) == 0:
                name = self._totals[r] = self._source.name_of(r.buffer) if r.buffer.is_number else self._source.local()
                if not r.buffer.is_number:
                    self._source.line(f"{name} = {self._source.load(r.buffer, (ZERO,) * self._rank, self._indices)}")


class Laned(Nest):
    """A nest inside the loop over rows, on as many rows as there are lanes."""

    def __init__(self, source: Source, step: FusedLoop, home: Home, layout: Layout) -> None:
        super().__init__(source, step, outer=1, single=layout.rowwise)
        self._blocked = []
        self._home = home
        self._layout = layout
        self._writer = LaneWriter(source, home.lanes)
        self._laned = laned_values(step, layout.moves)

    def _room(self, place: Load | Store | Reduce) -> str:
        """The room of what is touched, and where the entry is."""
        name = self._home.sums[place] if place in self._layout.sums else self._home.names[place.buffer]
        strides = self._strides(place.strides)
        terms = [f"{self._indices[k]}*{s.factor * self._home.lanes}" for k, s in enumerate(strides) if k and s != ZERO]
        return f"{name}, {' + '.join(terms) or '0'}"

    def _kind(self, buffer: Buffer) -> str:
        return lanes_of(buffer.dtype, self._home.lanes)

    # --- values ------------------------------------------------------------------------------------------------------

    def _expression(self, value: Value) -> str:
        if value not in self._laned:
            return super()._expression(value)
        if isinstance(value, Load):
            if value.buffer in self._layout.rooms:
                return f"load_{self._kind(value.buffer)}({self._room(value)})"
            return self._home.name_of(value.buffer)
        if not isinstance(value, Compute):
            raise TypeError(f"{value} is one number")
        return self._writer.compute(value, [Text(self._text[v], v in self._laned) for v in value.operands]).text

    def _may_stay(self, value: Value, text: str) -> bool:
        if value in self._laned and isinstance(value, Load) and text.isidentifier():
            return value not in self._rewritten
        return super()._may_stay(value, text)

    def _products(self, depth: int) -> list[Count]:
        return []

    def _text_on_lanes(self, value: Value) -> str:
        return self._writer.laned(Text(self._atom(value), value in self._laned), value.dtype)

    # --- results -----------------------------------------------------------------------------------------------------

    def _start(self, reduction: Reduce) -> str:
        return f"splat_{self._kind(reduction.buffer)}({super()._start(reduction)})"

    def _clear(self, depth: int) -> None:
        for r in self._step.reductions:
            if depth == 1 and r not in self._layout.sums and self._local_depth(r) is None:
                with self._source.loops([(self._indices[k], self._lengths[k]) for k in self._kept(r) if k]):
                    self._source.line(f"store_{self._kind(r.buffer)}({self._room(r)}, {self._start(r)})")

    def _begin_locals(self, depth: int) -> None:
        for r in self._step.reductions:
            if self._local_depth(r) != depth or (r in self._layout.sums and not r.buffer.is_number):
                continue
            if r in self._layout.sums:
                self._totals[r] = self._home.sums[r]
                continue
            one = r.buffer not in self._layout.rooms
            self._totals[r] = self._home.name_of(r.buffer) if one else self._source.local()
            self._source.line(f"{self._totals[r]} = {self._start(r)}")

    def leave(self, depth: int) -> None:
        """What follows the loop of a depth: totals of rows go to their places."""
        for r in self._step.reductions:
            if self._local_depth(r) != depth or r in self._layout.sums:
                continue
            if r.buffer in self._layout.rooms:
                self._source.line(f"store_{self._kind(r.buffer)}({self._room(r)}, {self._totals[r]})")
            else:
                self._home.keep(r.buffer)

    def _accumulate(self, reduction: Reduce) -> None:
        value, kind = self._text_on_lanes(reduction.value), self._kind(reduction.buffer)
        total = self._totals.get(reduction)
        before = Text(total or f"load_{kind}({self._room(reduction)})", True)
        after = self._writer.combine(reduction.op, reduction.buffer.dtype, [before, Text(value, True)]).text
        self._source.line(f"{total} = {after}" if total else f"store_{kind}({self._room(reduction)}, {after})")

    def _innermost(self) -> None:
        stores = [(s, self._text_on_lanes(s.value)) for s in self._step.stores]
        for reduction in self._step.reductions:
            self._accumulate(reduction)
        for store, text in stores:
            if store.buffer in self._layout.rooms:
                self._source.line(f"store_{self._kind(store.buffer)}({self._room(store)}, {text})")
            else:
                self._source.line(f"{self._home.name_of(store.buffer)} = {text}")
                self._home.keep(store.buffer)
