"""A `Tile` as straight code on lanes: a lane is a row of the batch, every entry of a row is a local variable.

Sums over the batch are kept lane by lane until the last tile, then folded, a vector of sums at a time.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from graphlearn.backends import rows
from graphlearn.backends.numba.lanes import LaneWriter, Text, lanes_of, named, obstacle, values_used
from graphlearn.backends.numba.unit_loop import UnitLoop
from graphlearn.backends.numba.units import plan_units
from graphlearn.backends.source import Source
from graphlearn.program.counts import ONE, Count, count
from graphlearn.program.steps import (
    ITEM_SIZE,
    Buffer,
    Compute,
    FusedLoop,
    Gather,
    Length,
    Literal,
    Load,
    MatMul,
    Matrix,
    Reduce,
    Tile,
    Value,
)
from graphlearn.program.tiling import operations, row_size
from graphlearn.program.uses import reads_of, writes_of

_MOST = 1500  # operations of a tile up to which it is written out: a compile time of less than a second
_INLINE = 70  # longest text of a value that is written where it is used
_BLOCK = 256  # tiles whose sums are added up apart, so that the error of a long sum does not grow with its length
_BLOCK_OF_UNITS = 64  # the same where sums are made row after row
_READ = 4  # entries of a row that are read at once
_DATA = ("float32", "float64", "int64")


def objection(tile: Tile, precision: str) -> str:
    """Why a tile is not written on lanes; empty where it is.

    Args:
        tile: the steps.
        precision: the dtype by which lanes are counted; as many of a wider one are more than a cache line.
    """
    if operations(tile) > _MOST:
        return f"a row takes {operations(tile)} operations, and {_MOST} are the most that are written out"
    for step in tile.steps:
        found = obstacle(step, lambda v: tile.axis in v.buffer.shape) if isinstance(step, FusedLoop) else ""
        if found:
            return found
    for buffer in (b for step in tile.steps for b in (*reads_of(step), *writes_of(step))):
        if tile.axis in buffer.shape and buffer.role == "given" and buffer.dtype not in _DATA:
            return f"there are no lanes of {buffer.dtype} in memory"
        if tile.axis not in buffer.shape and buffer.dtype not in rows.SUFFIX and buffer in tile_sums(tile):
            return f"a sum of {buffer.dtype} over rows has no code for lanes"
    wide = [b.dtype for b in tile_sums(tile) if ITEM_SIZE[b.dtype] > ITEM_SIZE[precision]]
    return f"a sum of {wide[0]} over rows has no code for lanes of {precision}" if wide else ""


def tile_sums(tile: Tile) -> list[Buffer]:
    """What a tile leaves: arrays of sums over rows."""
    return list(dict.fromkeys(writes_of(tile)))


class TileWriter:
    """One tile while it is written.

    Args:
        source: where it is written.
        tile: the steps.
        lanes: how many rows are worked on at a time.
        batch: rows of the largest batch.
        full: whether every batch has that many.
        padded: rows of each column of the data, which then lies by columns; 0: rows are taken by number.
        dtype: of the sums that may be made with units in lanes.
    """

    def __init__(self, source: Source, tile: Tile, lanes: int, batch: int, full: bool, padded: int, dtype: str) -> None:
        self._source = source
        self._tile = tile
        self._lanes = LaneWriter(source, lanes)
        self._batch = batch
        self._padded = padded
        self._many = batch > lanes
        self._masked = not (full and batch % lanes == 0)
        self._entries: dict[tuple[Buffer, int], Text] = {}
        self._sums: dict[tuple[Buffer, int], str] = {}
        self._plan = plan_units(tile, dtype, lanes)
        self._units = UnitLoop(source, tile, self._plan, self._lanes, dtype, padded, self.entry)
        # dtype and place in the arena -> the local that holds the lanes there, once the tile is written
        self.vectors: dict[tuple[str, int], str] = {}

    def write(self) -> None:
        """Write the loop over tiles, then the sums."""
        source, lanes = self._source, self._lanes.count
        length = source.lengths[self._tile.axis]
        stride = lanes * (_BLOCK_OF_UNITS if self._plan.sums else _BLOCK)
        if self._batch > stride:
            whole = self._zeros("whole")
            with source.block(f"for block in range(0, {length}, {stride}):"):
                self._sums = self._zeros("sum")
                with source.block(f"for first in range(block, min(block + {stride}, {length}), {lanes}):"):
                    self._rows("first", length)
                for key, name in whole.items():
                    source.line(f"{name} = {name} + {self._sums[key]}")
            self._sums = whole
        elif self._many:
            self._sums = self._zeros("sum")
            with source.block(f"for first in range(0, {length}, {lanes}):"):
                self._rows("first", length)
        else:
            self._sums = self._zeros("sum", folded=False)
            self._rows("0", length)
        self._fold()

    def _zeros(self, stem: str, *, folded: bool = True) -> dict[tuple[Buffer, int], str]:
        """Names for all sums over rows, or those that need no folding, each 0 in every lane."""
        names = {}
        numbers = {s.buffer: s.vectors(self._lanes.count) for s in self._plan.sums}
        if folded or numbers:
            self._source.line("# sums over the rows, lane by lane")
        for buffer in tile_sums(self._tile) if folded else numbers:
            zero = f"splat_{lanes_of(buffer.dtype, self._lanes.count)}({self._source.literal(0, buffer.dtype)})"
            for k in range(numbers.get(buffer, buffer.count.factor)):
                name = names[buffer, k] = self._source.unique(f"{stem}_{buffer.name}_{k}")
                self._source.line(f"{name} = {zero}")
        return names

    def _rows(self, first: str, length: str) -> None:
        if self._masked:
            self._source.line(
                f"live = live_{lanes_of('bool', self._lanes.count)}({_minus(length, first)})  # lanes with a row"
            )
        for step in filter(None, map(self._plan.rest, self._tile.steps)):
            if isinstance(step, Gather):
                self._gather(step, first, length)
            elif isinstance(step, MatMul):
                self._product(step)
            elif isinstance(step, FusedLoop):
                _Rows(self, step).write()
        if self._plan.sums:
            self._units.write(self._sums, first, length)

    # --- entries -----------------------------------------------------------------------------------------------------

    @property
    def source(self) -> Source:
        """Where the tile is written."""
        return self._source

    @property
    def lanes(self) -> LaneWriter:
        """What writes expressions."""
        return self._lanes

    @property
    def axis(self) -> str:
        """The batch axis."""
        return self._tile.axis

    def entry(self, buffer: Buffer, number: int) -> Text:
        """An entry of a row, or of an array without rows."""
        known = self._entries.get((buffer, number))
        if known is not None:
            return known
        if self.axis in buffer.shape:
            return self._column(buffer, number)
        return Text(self._source.load(buffer, (ONE,), [str(number)]), False)

    def _column(self, buffer: Buffer, number: int) -> Text:
        """The lanes of an argument that lies by columns, read once per tile."""
        kind = lanes_of(buffer.dtype, self._lanes.count)
        at = f"{number * self._padded}"
        place = f"{at} + first" if self._many else at
        text = Text(f"load_{kind}({self._source.name_of(buffer)}, {place})", True)
        self._entries[buffer, number] = named(self._source, text, self._source.unique(f"{buffer.name}_{number}"))
        return self._entries[buffer, number]

    def assign(self, buffer: Buffer, number: int, text: Text) -> None:
        """An entry of a row has been computed."""
        self._entries[buffer, number] = named(self._source, text, self._source.unique(f"{buffer.name}_{number}"))

    def add(self, buffer: Buffer, number: int, text: Text) -> None:
        """A term of a sum over rows."""
        kind, value = lanes_of(buffer.dtype, self._lanes.count), self._lanes.laned(text, buffer.dtype)
        total = self._sums.get((buffer, number))
        if total is None:
            value = f"select_{kind}(live, {value}, {self._source.literal(0, buffer.dtype)})" if self._masked else value
            name = self._source.unique(f"sum_{buffer.name}_{number}")
            self._sums[buffer, number] = name
            self._source.line(f"{name} = {value}")
        elif self._masked:
            self._source.line(f"{total} = select_{kind}(live, {total} + {value}, {total})")
        else:
            self._source.line(f"{total} = {total} + {value}")

    def _fold(self) -> None:
        """Sums over lanes, as many at a time as there are lanes, each to its place.

        An array begins on a cache line, so what is written beyond its end falls into the gap behind it.
        """
        source, lanes = self._source, self._lanes.count
        source.line(f"# the lanes of {', '.join(b.name for b in tile_sums(self._tile))} are added up")
        places: dict[tuple[str, int], list[str]] = {}
        for target in self._plan.sums:
            for k, text in enumerate(self._units.results(target, self._sums)):
                self._keep(target.buffer.dtype, target.buffer.start + k * lanes, text)
        done = {s.buffer for s in self._plan.sums}
        for (buffer, number), name in self._sums.items():
            if buffer in done:
                continue
            if source.is_local(buffer):
                kind = lanes_of(buffer.dtype, lanes)
                source.line(f"{source.name_of(buffer)} = lane_{kind}_0(total_{kind}_1({name}))")
            else:
                at = buffer.start + number
                places.setdefault((buffer.dtype, at - at % lanes), []).append(name)
        for (dtype, at), names in sorted(places.items()):
            kind = lanes_of(dtype, lanes)
            self._keep(dtype, at, f"total_{kind}_{len(names)}({', '.join(names)})")

    def _keep(self, dtype: str, at: int, text: str) -> None:
        """Sums side by side, to their place in the arena and under a name."""
        total = named(self._source, Text(text, True), self._source.local()).text
        self._source.line(f"store_{lanes_of(dtype, self._lanes.count)}({rows.ARENAS[dtype]}, {at}, {total})")
        self.vectors[dtype, at] = total

    # --- steps -------------------------------------------------------------------------------------------------------

    def _gather(self, step: Gather, first: str, length: str) -> None:
        source, lanes = self._source, self._lanes.count
        width = row_size(step.out, self.axis)
        kind = lanes_of(step.out.dtype, lanes)
        where = source.unique(f"rows_of_{step.data.name}")
        begin = "row" if first == "0" else f"row + {first}"
        source.line(f"# {step.out.name}: the rows of this batch")
        source.line(f"{where} = rows_{lanes_of('int64', lanes)}(order, {begin}, row + {length} - 1, {width})")
        whole = width - width % _READ if lanes % _READ == 0 else 0
        for j in range(width):
            take, at = (f"take_{kind}_{j % _READ}", j - j % _READ) if j < whole else (f"take_{kind}", j)
            self.assign(step.out, j, Text(f"{take}({source.name_of(step.data)}, {where}, {at})", True))

    def _product(self, step: MatMul) -> None:
        self._source.head(step)
        height, width, inner = ([0] if d == self.axis else range(int(d)) for d in step.sizes)
        batch = [[0] if d == self.axis else range(int(d)) for d in step.batch]
        over_rows = step.sizes[2] == self.axis
        for at in itertools.product(*batch):
            for i, j in itertools.product(height, width):
                pairs = [(self._of(step.a, (*at, i, k)), self._of(step.b, (*at, k, j))) for k in inner]
                terms = [Text(f"{a.text} * {b.text}", a.laned or b.laned) for a, b in pairs]
                dtype = step.node.dtype
                text = (
                    self._lanes.combine("sum", dtype, terms) if terms else Text(self._source.literal(0, dtype), False)
                )
                entry = row_number((*step.out.batch, *step.out.strides), (*at, i, j))
                if over_rows:
                    self.add(step.out.buffer, entry, text)
                else:
                    self.assign(step.out.buffer, entry, text)

    def _of(self, matrix: Matrix, at: Sequence[int]) -> Text:
        return self.entry(matrix.buffer, row_number((*matrix.batch, *matrix.strides), at))


def row_number(strides: Sequence[Count], indices: Sequence[int], start: Sequence[Count] = ()) -> int:
    """Number of an entry within its row: a stride of some rows of the batch moves along an axis before the batch."""
    return sum(s.factor * i for s, i in zip(strides, indices, strict=True)) + sum(term.factor for term in start)


def _minus(length: str, first: str) -> str:
    return length if first == "0" else f"{length} - {first}"


class _Rows:
    """The iterations of a fused loop, one after the other, for the rows of a tile."""

    def __init__(self, tile: TileWriter, step: FusedLoop) -> None:
        self._tile = tile
        self._step = step
        self._body = values_used(step)
        self._uses = _use_counts(step, self._body)
        self._depends = self._dependence()
        self._known: dict[tuple[Value, tuple[int, ...]], Text] = {}

    def _dependence(self) -> dict[Value, tuple[int, ...]]:
        """The axes of the loop, besides the batch, along which a value changes."""
        row, axes = self._step.axes.index(self._tile.axis), dict[Value, set[int]]()
        for value in self._body:
            if isinstance(value, Load):
                axes[value] = {k for k, s in enumerate(value.strides) if s.factor != 0 and k != row}
            elif isinstance(value, Compute):
                axes[value] = set().union(*(axes[v] for v in value.operands))
            else:
                axes[value] = set()
        return {value: tuple(sorted(found)) for value, found in axes.items()}

    def write(self) -> None:
        """Write every iteration, then what was reduced."""
        tile, step = self._tile, self._step
        tile.source.head(step)
        written: list[tuple[Buffer, int, Text]] = []
        parts: dict[tuple[Reduce, int], list[Text]] = {}
        for at in itertools.product(*([0] if d == tile.axis else range(int(d)) for d in step.axes)):
            for value in self._body:
                self._define(value, at)
            for store in step.stores:
                entry = row_number(store.strides, at, store.offset)
                text = named(
                    tile.source, self._text(store.value, at), tile.source.unique(f"{store.buffer.name}_{entry}")
                )
                written.append((store.buffer, entry, text))
            for r in step.reductions:
                parts.setdefault((r, row_number(r.strides, at)), []).append(self._text(r.value, at))
        for buffer, entry, text in written:
            tile.assign(buffer, entry, text)
        self._reduce(parts)

    def _reduce(self, parts: dict[tuple[Reduce, int], list[Text]]) -> None:
        tile = self._tile
        for r in self._step.reductions:
            start = tile.source.literal(rows.start_of(r.op, r.buffer.dtype), r.buffer.dtype)
            for entry in range(count([d for d in r.buffer.shape if d != tile.axis]).factor):
                terms = parts.get((r, entry), [Text(start, False)])
                text = tile.lanes.combine(r.op, r.buffer.dtype, terms)
                if tile.axis in r.buffer.shape:
                    tile.assign(r.buffer, entry, text)
                else:
                    tile.add(r.buffer, entry, text)

    def _key(self, value: Value, at: Sequence[int]) -> tuple[Value, tuple[int, ...]]:
        return value, tuple(at[k] for k in self._depends[value])

    def _text(self, value: Value, at: Sequence[int]) -> Text:
        return self._known[self._key(value, at)]

    def _define(self, value: Value, at: Sequence[int]) -> None:
        key = self._key(value, at)
        if key in self._known:
            return
        text = self._expression(value, at)
        rank = len(self._step.axes) - 1
        once = self._uses[value] == 1 and len(self._depends[value]) == rank and len(text.text) <= _INLINE
        if isinstance(value, Compute) and not once:
            text = named(self._tile.source, text, self._tile.source.local(), value.node)
        self._known[key] = text

    def _expression(self, value: Value, at: Sequence[int]) -> Text:
        tile = self._tile
        if isinstance(value, Literal):
            return Text(tile.source.literal(value.value, value.dtype), False)
        if isinstance(value, Load):
            return tile.entry(value.buffer, row_number(value.strides, at, value.offset))
        if isinstance(value, Length):
            return Text(tile.source.length(value.axis), False)
        return tile.lanes.compute(value, [self._text(v, at) for v in value.operands])


def _use_counts(step: FusedLoop, body: Sequence[Value]) -> dict[Value, int]:
    uses = dict.fromkeys(body, 0)
    used = [v for value in body if isinstance(value, Compute) for v in value.operands]
    for value in [*used, *(s.value for s in step.stores), *(r.value for r in step.reductions)]:
        uses[value] += 1
    return uses
