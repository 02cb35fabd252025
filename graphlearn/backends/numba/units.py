"""Which sums over rows are made with units in lanes: row after row, a number of the row times a vector of its entries.

A sum that is kept lane by lane, row beside row, has to be folded in the end: about three instructions for every sum.
With the entries of a layer side by side there is nothing to fold, if the layer fills whole vectors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from graphlearn.program.counts import Count
from graphlearn.program.steps import (
    Buffer,
    Compute,
    FusedLoop,
    Literal,
    Load,
    MatMul,
    Matrix,
    Reduce,
    Step,
    Store,
    Tile,
    Value,
)
from graphlearn.program.uses import operands_first, reads_of, writes_of

_CHEAP = {
    "add", "sub", "mul", "neg", "abs", "maximum", "minimum", "where", "cast", "less", "less_equal", "greater",
    "greater_equal", "equal", "not_equal", "logical_not", "logical_and", "logical_or",
}  # fmt: skip
_FOLDED = 2.5  # instructions that a vector of sums costs more for each row where it is folded
_REGISTERS = {16: 24, 8: 12}  # float32 in a vector -> vectors of sums that are carried from row to row
_APART = 8  # farthest apart that entries may lie which are read as one vector


@dataclass(frozen=True, eq=False)
class UnitSum:
    """An array of sums over rows, made of ``length`` entries for each factor.

    Args:
        buffer: the sums.
        vector: what is summed, side by side: a buffer, or a value of ``loop``.
        length: entries of the vector.
        factors: buffers and numbers of entries of a row; none: the vector itself is summed.
        down: whether the factors belong to the columns of the result.
    """

    buffer: Buffer
    vector: Buffer | Value
    length: int
    factors: tuple[tuple[Buffer, int], ...]
    down: bool

    def vectors(self, lanes: int) -> int:
        """How many vectors of sums there are."""
        return max(1, len(self.factors)) * (self.length // lanes)


@dataclass(frozen=True)
class UnitPlan:
    """Sums with units in lanes, and the buffers that are then needed by no code with rows in lanes."""

    sums: tuple[UnitSum, ...] = ()
    private: frozenset[Buffer] = frozenset()

    def rest(self, step: Step) -> Step | None:
        """What is left of a step for code with rows in lanes."""
        done = self.private | {s.buffer for s in self.sums}
        if isinstance(step, MatMul):
            return None if step.out.buffer in done else step
        if not isinstance(step, FusedLoop) or done.isdisjoint(writes_of(step)):
            return step
        stores = tuple(s for s in step.stores if s.buffer not in done)
        reductions = tuple(r for r in step.reductions if r.buffer not in done)
        return replace(step, stores=stores, reductions=reductions) if stores or reductions else None


def plan_units(tile: Tile, dtype: str, lanes: int) -> UnitPlan:
    """The sums of a tile that are made with units in lanes: all of which that is possible, where it pays.

    Args:
        tile: the steps.
        dtype: of the sums.
        lanes: how many numbers there are in a vector.
    """
    return _Planner(tile, dtype, lanes).plan()


class _Planner:
    def __init__(self, tile: Tile, dtype: str, lanes: int) -> None:
        self._tile = tile
        self._dtype = dtype
        self._lanes = lanes
        self._makers = {b: step for step in tile.steps for b in writes_of(step) if self._in_rows(b)}

    def plan(self) -> UnitPlan:
        """Leave out what needs something dear twice, until nothing does."""
        sums = [s for step in self._tile.steps for s in self._candidates(step)]
        while sums:
            private = self._private(sums)
            kept = [s for s in sums if all(b in private or self._is_cheap(b) for b in self._needed(s))]
            if len(kept) == len(sums):
                return UnitPlan(tuple(sums), private) if self._pays(sums, private) else UnitPlan()
            sums = kept
        return UnitPlan()

    def _in_rows(self, buffer: Buffer) -> bool:
        return self._tile.axis in buffer.shape

    # --- what is possible --------------------------------------------------------------------------------------------

    def _candidates(self, step: Step) -> Iterator[UnitSum]:
        if isinstance(step, FusedLoop):
            for r in step.reductions:
                found = self._reduced(step, r)
                if found is not None:
                    yield found
        elif isinstance(step, MatMul) and step.sizes[2] == self._tile.axis and not step.batch:
            height, width = int(step.sizes[0]), int(step.sizes[1])
            for vector, source, down in ((step.b, step.a, False), (step.a, step.b, True)):
                length, number = (height, width) if down else (width, height)
                if self._suits(step, vector, source, length, number, down):
                    numbers = [_entry(source, (0, k) if down else (k, 0)) for k in range(number)]
                    factors = tuple((source.buffer, k) for k in numbers)
                    yield UnitSum(step.out.buffer, vector.buffer, length, factors, down)
                    return

    def _suits(self, step: MatMul, vector: Matrix, source: Matrix, length: int, number: int, down: bool) -> bool:
        at = [(k, 0) if down else (0, k) for k in range(length)]
        width = number if down else length
        ordered = all(_entry(step.out, (i, j)) == i * width + j for i, j in ((0, width - 1), (1, 0)))
        same = {step.out.buffer.dtype, vector.buffer.dtype, source.buffer.dtype} == {self._dtype}
        return (
            same and ordered and length % self._lanes == 0 and (not down or number <= _APART)
            and [_entry(vector, place) for place in at] == list(range(length))
            and self._is_number(source.buffer) and self._is_vector(vector.buffer)
        )  # fmt: skip

    def _reduced(self, step: FusedLoop, r: Reduce) -> UnitSum | None:
        if self._in_rows(r.buffer) or r.buffer.dtype != self._dtype or r.op != "sum" or len(step.axes) != 2:
            return None
        walks = step.axes[0] == self._tile.axis and r.strides == (Count(0), Count(1))
        length = r.buffer.count.factor
        if not walks or step.axes[1] != length or length % self._lanes or not self._computable(step, r.value):
            return None
        return UnitSum(r.buffer, r.value, length, (), False)

    def _is_number(self, buffer: Buffer) -> bool:
        """Whether entries of a row can be read one by one."""
        return self._in_rows(buffer) and buffer.dtype == self._dtype

    def _is_vector(self, buffer: Buffer) -> bool:
        """Whether the entries of a row can be had side by side."""
        step = self._makers.get(buffer)
        if buffer.dtype != self._dtype or len(buffer.shape) != 2 or buffer.shape[0] != self._tile.axis:
            return False
        if buffer.count.factor % self._lanes:
            return False
        if isinstance(step, MatMul):
            return self._multiplies(step)
        if not isinstance(step, FusedLoop) or step.axes != buffer.shape:
            return False
        (store,) = (s for s in step.stores if s.buffer is buffer) if _stores(step, buffer) == 1 else (None,)
        return (
            store is not None and not store.offset and store.strides[1] == Count(1)
            and self._computable(step, store.value)
        )  # fmt: skip

    def _multiplies(self, step: MatMul) -> bool:
        if step.batch or step.sizes[0] != self._tile.axis or step.into is not None:
            return False
        ordered = step.out.strides[1] == Count(1) and self._is_number(step.a.buffer)
        return ordered and not self._in_rows(step.b.buffer) and phase_of(step) is not None and _has_place(step.b.buffer)

    def _computable(self, step: FusedLoop, value: Value) -> bool:
        return all(self._readable(v) for v in values_of(value) if isinstance(v, Load)) and all(
            isinstance(v, Load | Compute | Literal) for v in values_of(value)
        )

    def _readable(self, load: Load) -> bool:
        if load.offset or load.strides[1] not in (Count(0), Count(1)):
            return False
        if not self._in_rows(load.buffer):
            return load.strides[1] == Count(0) or (_has_place(load.buffer) and load.dtype == self._dtype)
        return self._is_number(load.buffer) if load.strides[1] == Count(0) else self._is_vector(load.buffer)

    # --- what it takes -----------------------------------------------------------------------------------------------

    def _needed(self, target: UnitSum) -> list[Buffer]:
        """The buffers whose rows are needed side by side."""
        found = dict[Buffer, None]()
        todo = [target.vector] if isinstance(target.vector, Buffer) else vectors_of(target.vector, self._tile.axis)
        while todo:
            buffer = todo.pop()
            if buffer not in found:
                found[buffer] = None
                todo += vectors_of(value_of(self._makers[buffer], buffer), self._tile.axis)
        return list(found)

    def _private(self, sums: Sequence[UnitSum]) -> frozenset[Buffer]:
        """Those of them that nothing else needs."""
        private = {b for s in sums for b in self._needed(s)}
        targets = {s.buffer: s for s in sums}
        while True:
            left = {b for b in private if all(self._leaves(b, s, private, targets) for s in self._tile.steps)}
            if left == private:
                return frozenset(left)
            private = left

    def _leaves(self, buffer: Buffer, step: Step, private: set[Buffer], targets: dict[Buffer, UnitSum]) -> bool:
        """Whether a step does not need a buffer with rows in lanes."""
        if buffer not in reads_of(step):
            return True
        if isinstance(step, FusedLoop):
            return all(b in private or b in targets for b in writes_of(step))
        target = targets.get(step.out.buffer) if isinstance(step, MatMul) else None
        return target is not None and target.vector is buffer and all(b is not buffer for b, _ in target.factors)

    def _is_cheap(self, buffer: Buffer) -> bool:
        value = value_of(self._makers[buffer], buffer)
        return value is None or all(v.op in _CHEAP for v in values_of(value) if isinstance(v, Compute))

    def _pays(self, sums: Sequence[UnitSum], private: frozenset[Buffer]) -> bool:
        vectors = sum(s.length // self._lanes * max(1, len(s.factors)) for s in sums)
        again = {b for s in sums for b in self._needed(s)} - private
        cost = sum(b.count.factor // self._lanes * self._operations(b) for b in again)
        return vectors <= _REGISTERS.get(self._lanes * (2 if self._dtype == "float64" else 1), 12) and (
            cost < _FOLDED * vectors
        )

    def _operations(self, buffer: Buffer) -> int:
        step = self._makers[buffer]
        if isinstance(step, MatMul):
            return int(step.sizes[2])
        return sum(isinstance(v, Compute) for v in values_of(value_of(step, buffer)))


def _entry(matrix: Matrix, at: tuple[int, int]) -> int:
    return sum(s.factor * i for s, i in zip(matrix.strides, at, strict=True))


def _has_place(buffer: Buffer) -> bool:
    return buffer.slot is not None


def _stores(step: FusedLoop, buffer: Buffer) -> int:
    return sum(s.buffer is buffer for s in step.stores)


def phase_of(step: MatMul) -> int | None:
    """How far apart the columns of the second factor lie, where they can be read as vectors; else None."""
    rows, apart = (s.factor for s in step.b.strides)
    if apart == 1:
        return 1
    return apart if apart <= _APART and rows * (int(step.sizes[2]) - 1) < apart else None


def value_of(step: Step, buffer: Buffer) -> Value | None:
    """What a loop stores to a buffer; None for other steps."""
    stores: Sequence[Store] = step.stores if isinstance(step, FusedLoop) else ()
    return next((s.value for s in stores if s.buffer is buffer), None)


def values_of(value: Value | None) -> list[Value]:
    """A value and all that it is computed of, operands first; nothing of nothing."""
    return [] if value is None else operands_first([value])


def vectors_of(value: Value | None, axis: str) -> list[Buffer]:
    """The rows of buffers that a value takes side by side."""
    loads = [v for v in values_of(value) if isinstance(v, Load)]
    return [v.buffer for v in loads if axis in v.buffer.shape and v.strides[1] == Count(1)]
