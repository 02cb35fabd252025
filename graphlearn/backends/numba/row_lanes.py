"""Loops over the same rows in one pass on lanes: a lane is a row, and a vector holds one entry of as many rows.

Rows are read in squares that are turned in registers, so that softmax needs neither a sum nor a maximum across lanes,
and its exponentials no lanes left over. Rows that fill no vector are done one by one behind.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphlearn.backends.numba.lanes import lanes_of
from graphlearn.backends.numba.nests import BLOCK, join_sums
from graphlearn.backends.numba.row_layout import Layout
from graphlearn.backends.numba.row_nests import Laned, Left
from graphlearn.backends.source import Source
from graphlearn.program.counts import Count, count
from graphlearn.program.row_passes import row_of
from graphlearn.program.steps import Buffer, Reduce, RowPass


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
        self._layout = Layout(step)
        self.lanes = step.lanes
        self._rows = source.size(count(step.axes))
        self.names: dict[Buffer, str] = {}  # what holds the entries of as many rows as there are lanes
        self.sums: dict[Reduce, str] = {}
        self._lost: dict[Reduce, str] = {}
        self._first = source.unique("from_row")

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
        nests = [Laned(source, loop, self, self._layout) for loop in self._step.loops]
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

    def _loop(self, nests: Sequence[Laned], begin: str, end: str) -> None:
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
        nests = [Left(source, loop, self._step.single) for loop in self._step.loops]
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
