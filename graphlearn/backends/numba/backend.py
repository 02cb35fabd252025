"""Numba as a backend: graphs and training loops as machine code."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from graphlearn.backends.native import NativeFunction, aligned_zeros, compile_native
from graphlearn.backends.numba.emit import Batches, Emitted, emit_function, emit_training, is_laned
from graphlearn.backends.numba.tape import TapeFunction, record_tape
from graphlearn.backends.numba.tiles import objection
from graphlearn.backends.registry import lowered
from graphlearn.backends.steps import check_steps, lengths_of
from graphlearn.errors import ShapeError
from graphlearn.graph.node import Node
from graphlearn.program.build import Batching, build_function, build_training
from graphlearn.program.narration import Notes
from graphlearn.program.notes import Annotations
from graphlearn.program.program import Program
from graphlearn.program.steps import Buffer, arena_of
from graphlearn.program.training import TrainingStep

_SCALAR = """# The training one number at a time, as plain loops; below it what runs: the same on several rows at once.

"""
_LANED = """# What runs: a lane is a row of the batch, and every operation works on all lanes of a vector.

"""


class NumbaFunction:
    """Outputs of a graph as one compiled function; may be called from several threads."""

    def __init__(self, outputs: Sequence[Node], leaves: Sequence[Node], precision: str) -> None:
        self._leaves = tuple(leaves)
        self.program = build_function(outputs, leaves, precision)
        self._emitted = emit_function(self.program)
        self.source = self._emitted.source
        self._run = compile_native(self.source, self._emitted.entry, self._emitted.signature)
        self._constants = [_stored(b) for b in self.program.constants]

    def __call__(self, arrays: Mapping[Node, np.ndarray], sizes: Mapping[str, int]) -> tuple[np.ndarray, ...]:
        """Compute the outputs from one checked array per leaf."""
        program = self.program
        lengths = lengths_of(program.axes, sizes)
        _require_nonempty(program, sizes)
        given = [_as_stored(arrays[leaf], program.given[leaf]) for leaf in self._leaves]
        outputs = [np.empty(_shape(b, sizes), arena_of(b.dtype)) for b in program.outputs]
        totals = program.arena_sizes(sizes)
        arenas = [aligned_zeros(totals[dtype], dtype) for dtype in self._emitted.arenas]
        self._run(*given, *self._constants, *outputs, *arenas, *lengths)
        return tuple(_declared(array, b) for array, b in zip(outputs, program.outputs, strict=True))


def _stored(buffer: Buffer) -> np.ndarray:
    return _as_stored(buffer.node.attr("value").array, buffer)


def _as_stored(array: np.ndarray, buffer: Buffer) -> np.ndarray:
    return np.ascontiguousarray(array, buffer.dtype).view(arena_of(buffer.dtype))


def _declared(array: np.ndarray, buffer: Buffer) -> np.ndarray:
    return array.view(buffer.dtype)


def _shape(buffer: Buffer, sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(sizes[d] if isinstance(d, str) else d for d in buffer.shape)


def _require_nonempty(program: Program, sizes: Mapping[str, int]) -> None:
    for axis in program.nonempty:
        if sizes[axis] == 0:
            raise ShapeError(f"a maximum along the axis {axis!r} needs at least one entry; got none. Give more data.")


class _Compiled:
    """A training program and its machine code."""

    def __init__(self, program: Program, batches: Batches, precision: str) -> None:
        self.program = program
        self.batches = batches
        self.emitted: Emitted = emit_training(program, batches, precision)
        self.run: NativeFunction = compile_native(
            self.emitted.source, self.emitted.entry, self.emitted.signature, straight=self.emitted.straight
        )
        totals = program.arena_sizes()
        self.arenas = {dtype: aligned_zeros(totals[dtype], dtype) for dtype in self.emitted.arenas}
        for buffer in program.constants:
            self.view(buffer)[...] = _stored(buffer)

    def view(self, buffer: Buffer) -> np.ndarray:
        """The elements of a kept buffer, in its shape."""
        start = buffer.start
        flat = self.arenas[arena_of(buffer.dtype)][start : start + buffer.count.factor]
        return flat.reshape(_shape(buffer, {}))


class NumbaRun:
    """A training loop with its data, parameters and states in place. One call at a time."""

    def __init__(self, step: TrainingStep, data: Mapping[Node, np.ndarray], precision: str, capacity: int) -> None:
        self._step = step
        self._precision = precision
        self._capacity = capacity
        self._data = {n: np.ascontiguousarray(data[n], lowered(n.dtype, precision)) for n in step.data}
        self._rows = len(next(iter(self._data.values()))) if self._data else capacity
        self._programs: dict[tuple[bool, bool], _Compiled] = {}
        self._columns: dict[Node, np.ndarray] = {}
        self._lock = threading.Lock()
        gather = bool(self._data) and capacity < self._rows
        self._current = self._compiled(gather, fixed=not gather or self._rows % capacity == 0)

    @property
    def source(self) -> str:
        """The generated text."""
        return self._current.emitted.source

    @property
    def program(self) -> Program:
        """What the text does."""
        return self._current.program

    def explain(self, notes: Notes) -> str:
        """The text with notes in its comments; before a text on lanes the same steps as plain loops."""
        batches, program = self._current.batches, self._current.program
        text = emit_training(program, batches, self._precision, Annotations(program, notes)).source
        if not is_laned(program):
            return text
        return f"{_SCALAR}{self._scalar(notes)[1].source}\n\n{_LANED}{text}"

    def _scalar(self, notes: Notes) -> tuple[Program, Emitted]:
        """The current program one number at a time, as plain loops."""
        batches = self._current.batches
        batching = replace(self._batching(batches.gather, batches.full), tiles=None)
        program = build_training(self._step, self._precision, batching)
        annotations = Annotations(program, notes)
        return program, emit_training(program, batches, self._precision, annotations, entry="train_scalar", scalar=True)

    def _compiled(self, gather: bool, fixed: bool) -> _Compiled:
        """The loop of this kind, compiled when it is first needed."""
        key = (gather, fixed)
        if key not in self._programs:
            batching = self._batching(gather, fixed)
            program = build_training(self._step, self._precision, batching)
            self._programs[key] = _Compiled(program, Batches(batching.rows, fixed, gather), self._precision)
        return self._programs[key]

    def _batching(self, gather: bool, fixed: bool) -> Batching:
        rows = self._capacity if gather else self._rows  # without row numbers every step takes all rows
        sizes = {
            d: n
            for leaf, array in self._data.items()
            for d, n in zip(leaf.shape, array.shape, strict=True)
            if isinstance(d, str) and d != self._step.axis
        }
        return Batching(rows, fixed, gather, sizes, together=True, tiles=objection)

    def load(self, values: Mapping[Node, np.ndarray]) -> None:
        """Write parameters, states and scalars."""
        with self._lock:
            self._write(self._current, values)

    def _write(self, target: _Compiled, values: Mapping[Node, np.ndarray]) -> None:
        for leaf, array in values.items():
            buffer = target.program.given.get(leaf)
            if buffer is not None and buffer.role == "kept":
                target.view(buffer)[...] = array

    def read(self) -> dict[Node, np.ndarray]:
        """Copies of the current parameters and states."""
        with self._lock:
            return {leaf: a for leaf, a in self._kept().items() if leaf.op.name in ("parameter", "state")}

    def _kept(self) -> dict[Node, np.ndarray]:
        """Copies of everything that lives in the arena from call to call."""
        current = self._current
        return {
            leaf: current.view(buffer).view(buffer.dtype).copy()
            for leaf, buffer in current.program.given.items()
            if buffer.role == "kept"
        }

    def run(self, counts: np.ndarray, order: np.ndarray | None, losses: np.ndarray) -> int:
        """Take one step per entry of ``counts``; see `TrainingRun.run`."""
        with self._lock:
            rows = self._rows if self._data else None
            check_steps(counts, order, losses, rows=rows, capacity=self._capacity)
            counts = np.ascontiguousarray(counts, np.int64)
            order = None if order is None else np.ascontiguousarray(order, np.int64)
            self._suit(counts, order)
            compiled = self._current
            arenas = [compiled.arenas[dtype] for dtype in compiled.emitted.arenas]
            given = [leaf for leaf, b in compiled.program.given.items() if b.role == "given"]
            data = [self._laid_out(leaf, compiled) for leaf in given]
            taken = counts if order is None else order  # not read where all rows are taken
            return int(compiled.run(*arenas, *data, taken, counts, len(counts), losses))

    def _laid_out(self, leaf: Node, compiled: _Compiled) -> np.ndarray:
        """The data of an input: by rows, or by columns that end on whole vectors, where rows are taken in tiles."""
        padded = compiled.emitted.padded
        if not padded or leaf not in self._step.data:
            return self._data[leaf].view(arena_of(compiled.program.given[leaf].dtype))
        if leaf not in self._columns:
            self._columns[leaf] = _columns(self._data[leaf], padded)
        return self._columns[leaf]

    def _suit(self, counts: np.ndarray, order: np.ndarray | None) -> None:
        """Go over to a program that fits these batches, with all values, where the current one does not."""
        gather = bool(self._data) and order is not None
        batches = self._current.batches
        fixed = not gather or bool((counts == self._capacity).all())
        if gather == batches.gather and (fixed or not batches.full or not self._step.axis):
            return
        values = self._kept()
        self._current = self._compiled(gather, fixed)
        self._write(self._current, values)


def _columns(array: np.ndarray, padded: int) -> np.ndarray:
    """Every column of entries, one after the other; the last row again where a column is made longer."""
    table = array.reshape(len(array), -1)
    result = np.empty((table.shape[1], padded), array.dtype)
    result[:, : len(array)] = table.T
    result[:, len(array) :] = table[-1:].T
    return result


def compile_function(outputs: Sequence[Node], leaves: Sequence[Node], precision: str) -> NumbaFunction | TapeFunction:
    """Outputs as a function of the leaves; a tape where they are a huge scalar graph."""
    tape = record_tape(outputs, leaves, precision)
    return NumbaFunction(outputs, leaves, precision) if tape is None else TapeFunction(tape, leaves)


def open_training(step: TrainingStep, data: Mapping[Node, np.ndarray], precision: str, capacity: int) -> NumbaRun:
    """A training loop over ``data`` with batches of at most ``capacity`` rows."""
    return NumbaRun(step, data, precision, capacity)
