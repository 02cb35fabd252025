"""Loops over the same rows in one pass on lanes: a lane is a row, and a vector holds one entry of as many rows.

Rows are read in squares that are turned in registers, so that softmax needs neither a sum nor a maximum across lanes,
and its exponentials no lanes left over. Rows that fill no vector are done one by one behind.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphlearn.backends.native import lanes_for
from graphlearn.backends.numba.lanes import LaneWriter, Text, laned_values, lanes_of, obstacle
from graphlearn.backends.numba.nests import BLOCK, Nest, join_sums
from graphlearn.backends.source import Source
from graphlearn.program.counts import ZERO, Count, count
from graphlearn.program.row_passes import is_in_row, places_of, row_of
from graphlearn.program.steps import ITEM_SIZE, Buffer, Compute, FusedLoop, Load, Reduce, RowPass, Store, Value
from graphlearn.program.uses import writes_of

_ROOM = 2**16  # bytes of entries of as many rows as there are lanes: what a pass may put on the stack
_WORTH = 64  # entries of a row from which loops row by row are as fast as loops one after the other


def pass_lanes(step: RowPass, precision: str, longest: int | None) -> int | None:
    """How many rows of a pass are worked on at a time: 0: one; None: it is faster as several loops.

    Args:
        step: the pass.
        precision: the dtype by which lanes are counted.
        longest: the largest length of a free axis; None: it is not known.
    """
    if not _objection(step, precision, longest):
        return lanes_for(precision)
    row = max((count(loop.axes[len(step.axes) :]) for loop in step.loops), key=lambda c: (not c.is_literal, c.factor))
    return None if row.is_literal and row.factor < _WORTH else 0


def _objection(step: RowPass, precision: str, longest: int | None) -> str:
    """What keeps rows from lanes; empty where nothing does."""
    if len(step.axes) != 1:
        return "rows are counted by several axes"
    number = longest if isinstance(step.axes[0], str) else step.axes[0]
    if number is not None and number < lanes_for(precision):
        return "there are fewer rows than lanes"
    layout = _Layout(step)
    for loop in step.loops:
        if found := obstacle(loop, layout.moves):
            return found
        for place in places_of(loop):
            if layout.is_array(place.buffer) and not is_in_row(place, step.axes):
                return "rows are not taken in their order"
        for r in loop.reductions:
            if r.buffer.dtype != precision or (0 not in r.kept and (r.op != "sum" or not r.buffer.count.is_literal)):
                return "there is no sum or maximum of its kind on lanes"
    for b in layout.arrays:
        size = count(row_of(b, step.axes) or ())
        if not size.is_literal or (b.dtype != precision and (size.factor != 1 or b.dtype == "bool")):
            return "entries of rows have no lanes in memory"
    sizes = [count(b.shape) if b in step.single else count(row_of(b, step.axes) or ()) for b in layout.rooms]
    if not all(s.is_literal for s in sizes) or any(b.dtype != precision for b in layout.rooms):
        return "entries of rows have no room on lanes"
    taken = sum(s.factor for s in sizes) * lanes_for(precision) * ITEM_SIZE[precision]
    return "rows are too long" if taken > _ROOM else ""


class _Layout:
    """What the loops of a pass touch, by where it is.

    Args:
        step: the pass.
    """

    def __init__(self, step: RowPass) -> None:
        touched = [place for loop in step.loops for place in places_of(loop)]
        made = dict.fromkeys(b for loop in step.loops for b in writes_of(loop))
        self.sums = [p for p in touched if isinstance(p, Reduce) and 0 not in p.kept]
        across = {p.buffer for p in self.sums}
        moving = dict.fromkeys(p.buffer for p in touched if p.strides and p.strides[0] != ZERO)
        self.arrays = [b for b in moving if b not in across]  # with all rows, in memory
        self.given = [b for b in self.arrays if b not in made]
        self.made = [b for b in self.arrays if b in made]
        # What has several entries in each row: in memory for as many rows as there are lanes.
        axes = step.axes
        self.rooms = [b for b in self.arrays if count(row_of(b, axes) or ()).factor != 1]
        self.rooms += [b for b in step.single if b.count.factor != 1]
        self.rowwise = (*self.arrays, *step.single)

    def is_array(self, buffer: Buffer) -> bool:
        """Whether a buffer has all rows."""
        return buffer in self.arrays

    def moves(self, value: Load) -> bool:
        """Whether what is read differs from row to row."""
        return value.buffer in self.rowwise


def write_rows_on_lanes(source: Source, step: RowPass) -> None:
    """Write a pass.

    Args:
        source: where it is written.
        step: one that has lanes.
    """
    _Pass(source, step).write()


class _Pass:
    """A pass while it is written."""

    def __init__(self, source: Source, step: RowPass) -> None:
        self._source = source
        self._step = step
        self._layout = _Layout(step)
        self.lanes = step.lanes
        self._rows = source.size(count(step.axes))
        self.names: dict[Buffer, str] = {}  # what holds the entries of as many rows as there are lanes
        self.sums: dict[Reduce, str] = {}
        self._lost: dict[Reduce, str] = {}
        self._first = source.unique("first")

    def write(self) -> None:
        """Write the loop over rows, as many at a time as there are lanes, and what is left."""
        source, lanes = self._source, self.lanes
        whole, left = self._whole()
        block = self._block()
        for buffer in self._layout.rooms:
            size = buffer.count if buffer in self._step.single else count(row_of(buffer, self._step.axes) or ())
            self.names[buffer] = source.unique(f"rows_of_{buffer.name}")
            source.line(f"{self.names[buffer]} = room_{lanes_of(buffer.dtype, lanes)}_{size.factor * lanes}()")
        self._begin_sums(bool(block))
        nests = [_Laned(source, loop, self, self._layout) for loop in self._step.loops]
        for nest in nests:
            nest.begin()
            nest.enter(0)
        if block:
            begin = source.local()
            with source.block(f"for {begin} in range(0, {whole}, {block}):  # sums in blocks"):
                self._zeros()
                self._loop(nests, begin, f"min({begin} + {block}, {whole})")
                self._fold(added=True)
        else:
            self._zeros()
            self._loop(nests, "0", whole)
            self._fold(added=False)
        for r, lost in self._lost.items():
            name = source.name_of(r.buffer)
            source.line(f"{name} = {name} + {lost} if {lost} == {lost} else {name}")
        if left:
            self._write_left(whole)

    def _whole(self) -> tuple[str, bool]:
        """How many rows fill vectors, and whether there may be others."""
        lanes, dim = self.lanes, self._step.axes[0]
        number = int(self._rows) if self._rows.isdigit() else None
        if number is not None:
            return str(number - number % lanes), bool(number % lanes)
        name = self._source.unique(f"whole_{dim}")
        self._source.line(f"{name} = {self._rows} - {self._rows} % {lanes}  # rows that fill vectors")
        return name, True

    def _block(self) -> int:
        """Rows in a block of sums; 0: no lane may have more terms than one block has."""
        dim, sizes = self._step.axes[0], self._source.program.capacity
        longest = sizes.get(dim) if isinstance(dim, str) else dim
        combined = [
            count([d for k, d in enumerate(loop.axes) if k and k not in r.kept])
            for loop in self._step.loops
            for r in loop.reductions
            if r in self._layout.sums
        ]
        rows_of_block = self.lanes * max(BLOCK // max([1, *(c.factor for c in combined)]), 1)
        return rows_of_block if combined and (longest is None or longest > rows_of_block) else 0

    def _loop(self, nests: Sequence[_Laned], begin: str, end: str) -> None:
        with self._source.block(f"for {self._first} in range({begin}, {end}, {self.lanes}):"):
            for buffer in self._layout.given:
                self._read(buffer)
            for nest in nests:
                nest.level(1)
            for buffer in self._layout.made:
                if buffer in self._layout.rooms:
                    self._turn(buffer, back=True)

    # --- rows --------------------------------------------------------------------------------------------------------

    def _read(self, buffer: Buffer) -> None:
        if buffer in self._layout.rooms:
            self._turn(buffer, back=False)
            return
        pointer, start = self._source.place(buffer)
        name = self.name_of(buffer)
        kind, at = lanes_of(buffer.dtype, self.lanes), _sum(start, self._first)
        self._source.line(f"{name} = load_{kind}({pointer}, {at})")

    def name_of(self, buffer: Buffer) -> str:
        """What holds the only entry of each row."""
        if buffer not in self.names:
            self.names[buffer] = self._source.unique(f"rows_of_{buffer.name}")
        return self.names[buffer]

    def keep(self, buffer: Buffer) -> None:
        """Write the only entry of each row to its place, where others need it."""
        if buffer in self._layout.made:
            pointer, start = self._source.place(buffer)
            kind, at = lanes_of(buffer.dtype, self.lanes), _sum(start, self._first)
            self._source.line(f"store_{kind}({pointer}, {at}, {self.name_of(buffer)})")

    def _turn(self, buffer: Buffer, *, back: bool) -> None:
        """Rows to vectors of entries, or back; a square at a time."""
        source, lanes = self._source, self.lanes
        width = count(row_of(buffer, self._step.axes) or ()).factor
        kind, (pointer, start) = lanes_of(buffer.dtype, lanes), source.place(buffer)

        def turn(column: str, number: int) -> None:
            sizes = "" if number == lanes else f"_{number}_{lanes}" if back else f"_{lanes}_{number}"
            memory = f"{pointer}, {_sum(start, f'{self._first}*{width}', column)}, {width}"
            room = f"{self.names[buffer]}, {_sum(f'{column}*{lanes}' if column else '') or 0}, {lanes}"
            source.line(f"turn_{kind}{sizes}({f'{room}, {memory}' if back else f'{memory}, {room}'})")

        squares, rest = divmod(width, lanes)
        if squares == 1:
            turn("", lanes)
        elif squares:
            column = source.unique("column")
            with source.block(f"for {column} in range(0, {squares * lanes}, {lanes}):"):
                turn(column, lanes)
        if rest:
            turn(str(squares * lanes) if squares else "", rest)

    # --- sums over rows ----------------------------------------------------------------------------------------------

    def _begin_sums(self, cut: bool) -> None:
        source = self._source
        for r in self._layout.sums:
            kind, size = lanes_of(r.buffer.dtype, self.lanes), r.buffer.count.factor
            if r.buffer.is_number:
                self.sums[r] = source.unique(f"lanes_of_{r.buffer.name}")
                if cut:
                    self._lost[r] = source.local()
                    source.line(f"{source.name_of(r.buffer)} = {self._zero(r)}")
                    source.line(f"{self._lost[r]} = {self._zero(r)}")
                continue
            self.sums[r] = source.unique(f"lanes_of_{r.buffer.name}")
            source.line(f"{self.sums[r]} = room_{kind}_{size * self.lanes}()")
            if cut:
                index = source.index(0)
                with source.block(f"for {index} in range({size}):"):
                    source.store(r.buffer, (Count(1),), [index], self._zero(r))

    def _zero(self, r: Reduce) -> str:
        return self._source.literal(0, r.buffer.dtype)

    def _zeros(self) -> None:
        source, index = self._source, self._source.index(0)
        for r, name in self.sums.items():
            kind = lanes_of(r.buffer.dtype, self.lanes)
            if r.buffer.is_number:
                source.line(f"{name} = splat_{kind}({self._zero(r)})")
            else:
                with source.block(f"for {index} in range(0, {r.buffer.count.factor * self.lanes}, {self.lanes}):"):
                    source.line(f"store_{kind}({name}, {index}, splat_{kind}({self._zero(r)}))")

    def _fold(self, *, added: bool) -> None:
        """The lanes of sums are added up; to what there is of earlier blocks."""
        source, index = self._source, self._source.index(0)
        for r, name in self.sums.items():
            kind = lanes_of(r.buffer.dtype, self.lanes)
            if r.buffer.is_number:
                total = f"lane_{kind}_0(total_{kind}_1({name}))"
                if added:
                    part = source.local()
                    source.line(f"{part} = {total}")
                    join_sums(source, source.name_of(r.buffer), part, self._lost[r])
                else:
                    source.line(f"{source.name_of(r.buffer)} = {total}")
                continue
            with source.block(f"for {index} in range({r.buffer.count.factor}):"):
                total = f"lane_{kind}_0(total_{kind}_1(load_{kind}({name}, {index}*{self.lanes})))"
                before = f"{source.load(r.buffer, (Count(1),), [index])} + " if added else ""
                source.store(r.buffer, (Count(1),), [index], before + total)

    def _write_left(self, whole: str) -> None:
        """The rows that fill no vector, one by one."""
        source = self._source
        nests = [_Left(source, loop, self._step.single) for loop in self._step.loops]
        for nest in nests:
            nest.begin()
            nest.enter(0)
        index = source.index(0)
        with source.block(f"for {index} in range({whole}, {self._rows}):  # rows that fill no vector"):
            for nest in nests:
                nest.level(1)
        for nest in nests:
            nest.leave(0)


def _sum(*terms: str) -> str:
    return " + ".join(filter(None, terms))


class _Left(Nest):
    """A nest that goes on where others have stopped: what it sums over rows has a value already."""

    def __init__(self, source: Source, step: FusedLoop, single: Sequence[Buffer]) -> None:
        super().__init__(source, step, outer=1, single=single)
        self._blocked = [] if self._cut == 0 else self._blocked

    def _clear(self, depth: int) -> None:
        if depth:
            super()._clear(depth)

    def _begin_locals(self, depth: int) -> None:
        if depth:
            super()._begin_locals(depth)
            return
        for r in self._step.reductions:
            if self._local_depth(r) == 0:
                name = self._totals[r] = self._source.name_of(r.buffer) if r.buffer.is_number else self._source.local()
                if not r.buffer.is_number:
                    self._source.line(f"{name} = {self._source.load(r.buffer, (ZERO,) * self._rank, self._indices)}")


class _Laned(Nest):
    """A nest inside the loop over rows, on as many rows as there are lanes."""

    def __init__(self, source: Source, step: FusedLoop, home: _Pass, layout: _Layout) -> None:
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
