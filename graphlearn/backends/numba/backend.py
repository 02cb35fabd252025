"""Numba as a backend: graphs and training loops as machine code."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphlearn.backends.mapped import is_mapped
from graphlearn.backends.native import NativeFunction, aligned_zeros, recall, remember
from graphlearn.backends.numba.identity import Request, identify_training, may_be_tape
from graphlearn.backends.numba.layout import Layout, pack, unpack
from graphlearn.backends.registry import PLAIN, CompiledFunction, Speed, available, load_planner, lowered
from graphlearn.backends.steps import check_steps
from graphlearn.graph.node import Node
from graphlearn.program.canonical import Telling
from graphlearn.program.narration import Notes
from graphlearn.program.training import TrainingStep

if TYPE_CHECKING:
    from graphlearn.backends.forms import Form
    from graphlearn.backends.numba.tape_run import TapeRun


class _Compiled:
    """The machine code of a training step, and its memory.

    Where an earlier process left both, nothing is planned until somebody asks for the program.
    """

    def __init__(self, step: TrainingStep, request: Request) -> None:
        self.request = request
        self._step = step
        identity = identify_training(step, request, _tell_expanded)
        known = None if identity is None else _recalled(*identity)
        self._program: Any = None
        self.run: NativeFunction
        self.layout: Layout
        if known is None:
            self._program, self.run, self.layout = load_planner().compile_training(step, request)
            if identity is not None:
                key, telling = identity
                remember(key, self.run, pack(self.layout, telling.numbers))
        else:
            self.run, self.layout = known
        self.arenas = {dtype: aligned_zeros(count, dtype) for dtype, count in self.layout.arenas.items()}
        for arena, start, array in self.layout.constants:
            self.arenas[arena][start : start + len(array)] = array
        # leaf -> its place in an arena, of everything that lives there from call to call
        self.kept = {p.leaf: self._view(p.dtype, p.start, p.shape) for p in self.layout.places if p.start >= 0}
        self.given = {p.leaf: p.dtype for p in self.layout.places if p.start < 0}

    def _view(self, dtype: str, start: int, shape: tuple[int, ...]) -> np.ndarray:
        arena = self.arenas[_stored_as(dtype)]
        return arena[start : start + math.prod(shape)].reshape(shape).view(dtype)

    @property
    def program(self) -> Any:
        """What the code does."""
        if self._program is None:
            self._program = load_planner().plan_training(self._step, self.request)
        return self._program


def _tell_expanded(step: TrainingStep, request: Request) -> Sequence[Any]:
    told: Sequence[Any] = load_planner().tell_expanded(step, request)
    return told


def _recalled(key: str, telling: Telling) -> tuple[NativeFunction, Layout] | None:
    found = recall(key)
    if found is None:
        return None
    layout = unpack(found[1], telling.nodes)
    return None if layout is None else (found[0], layout)


def _stored_as(dtype: str) -> str:
    """The dtype of the arena that holds a dtype: truths are bytes."""
    return "uint8" if dtype == "bool" else dtype


class NumbaRun:
    """A training loop with its data, parameters and states in place. One call at a time."""

    def __init__(
        self,
        step: TrainingStep,
        data: Mapping[Node, np.ndarray],
        precision: str,
        capacity: int,
        speed: Speed = PLAIN,
    ) -> None:
        self._step = step
        self._speed = speed
        self._cores = available() if speed.threads > 1 else 1
        self._precision = precision
        self._capacity = capacity
        self._data = {n: np.ascontiguousarray(data[n], lowered(n.dtype, precision)) for n in step.data}
        self._rows = len(next(iter(self._data.values()))) if self._data else capacity
        self._in_file = any(map(is_mapped, self._data.values()))
        self._programs: dict[tuple[bool, bool], _Compiled] = {}
        self._columns: dict[Node, np.ndarray] = {}
        self._lock = threading.Lock()
        gather = bool(self._data) and capacity < self._rows
        self._current = self._compiled(gather, fixed=not gather or self._rows % capacity == 0)

    @property
    def source(self) -> str:
        """The generated text."""
        return self._current.run.source

    @property
    def program(self) -> Any:
        """What the text does."""
        return self._current.program

    def explain(self, notes: Notes) -> str:
        """The text with notes in its comments; before a text on lanes the same steps as plain loops."""
        current = self._current
        return str(load_planner().explain_training(self._step, current.request, current.program, notes))

    def forms(self, notes: Notes) -> tuple[Form, ...]:
        """The same with all that is needed to run it alone."""
        current = self._current
        return tuple(load_planner().form_training(self._step, current.request, current.program, notes))

    def _compiled(self, gather: bool, fixed: bool) -> _Compiled:
        """The loop of this kind, compiled when it is first needed."""
        key = (gather, fixed)
        if key not in self._programs:
            rows = self._capacity if gather else self._rows  # without row numbers every step takes all rows
            sizes = {
                d: n
                for leaf, array in self._data.items()
                for d, n in zip(leaf.shape, array.shape, strict=True)
                if isinstance(d, str) and d != self._step.axis
            }
            request = Request(self._precision, rows, fixed, gather, sizes, self._speed, self._cores, self._in_file)
            self._programs[key] = _Compiled(self._step, request)
        return self._programs[key]

    def load(self, values: Mapping[Node, np.ndarray]) -> None:
        """Write parameters, states and scalars."""
        with self._lock:
            self._write(self._current, values)

    def _write(self, target: _Compiled, values: Mapping[Node, np.ndarray]) -> None:
        for leaf, array in values.items():
            place = target.kept.get(leaf)
            if place is not None:
                place[...] = array

    def read(self) -> dict[Node, np.ndarray]:
        """Copies of the current parameters and states."""
        with self._lock:
            kept = self._current.kept
            return {leaf: place.copy() for leaf, place in kept.items() if leaf.op.name in ("parameter", "state")}

    def run(self, counts: np.ndarray, order: np.ndarray | None, losses: np.ndarray) -> int:
        """Take one step per entry of ``counts``; see `TrainingRun.run`."""
        with self._lock:
            rows = self._rows if self._data else None
            check_steps(counts, order, losses, rows=rows, capacity=self._capacity)
            counts = np.ascontiguousarray(counts, np.int64)
            order = None if order is None else np.ascontiguousarray(order, np.int64)
            self._suit(counts, order)
            compiled = self._current
            data = [self._laid_out(leaf, compiled) for leaf in compiled.given]
            taken = counts if order is None else order  # not read where all rows are taken
            arrays = *compiled.arenas.values(), *data, taken, counts
            return int(compiled.run(*arrays, len(counts), losses, threads=compiled.layout.threads))

    def _laid_out(self, leaf: Node, compiled: _Compiled) -> np.ndarray:
        """The data of an input: by rows, or by columns that end on whole vectors, where rows are taken in tiles."""
        padded = compiled.layout.padded
        if not padded or leaf not in self._step.data:
            return self._data[leaf].view(_stored_as(compiled.given[leaf]))
        if leaf not in self._columns:
            self._columns[leaf] = _columns(self._data[leaf], padded)
        return self._columns[leaf]

    def _suit(self, counts: np.ndarray, order: np.ndarray | None) -> None:
        """Go over to a program that fits these batches, with all values, where the current one does not."""
        gather = bool(self._data) and order is not None
        asked = self._current.request
        fixed = not gather or bool((counts == self._capacity).all())
        if gather == asked.gather and (fixed or not asked.full or not self._step.axis):
            return
        values = self._current.kept
        self._current = self._compiled(gather, fixed)
        self._write(self._current, values)


def _columns(array: np.ndarray, padded: int) -> np.ndarray:
    """Every column of entries, one after the other; the last row again where a column is made longer."""
    table = array.reshape(len(array), -1)
    result = np.empty((table.shape[1], padded), array.dtype)
    result[:, : len(array)] = table.T
    result[:, len(array) :] = table[-1:].T
    return result


def compile_function(
    outputs: Sequence[Node], leaves: Sequence[Node], precision: str, speed: Speed = PLAIN
) -> CompiledFunction:
    """Outputs as a function of the leaves; a tape where they are a huge scalar graph."""
    function: CompiledFunction = load_planner().compile_function(outputs, leaves, precision, speed)
    return function


def open_training(
    step: TrainingStep, data: Mapping[Node, np.ndarray], precision: str, capacity: int, speed: Speed = PLAIN
) -> NumbaRun | TapeRun:
    """A training loop over ``data`` with batches of at most ``capacity`` rows; a tape where it is huge, of numbers."""
    if may_be_tape(step):
        run: TapeRun | None = load_planner().open_tape(step, data, precision, capacity, speed)
        if run is not None:
            return run
    return NumbaRun(step, data, precision, capacity, speed)
