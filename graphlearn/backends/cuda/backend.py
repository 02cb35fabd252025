"""CUDA as a backend: graphs as launches over the whole GPU, training loops of small networks as one kernel."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphlearn.backends.cuda import device
from graphlearn.backends.cuda.functions import Launch, emit_function
from graphlearn.backends.cuda.training import emit_training
from graphlearn.backends.forms import Form
from graphlearn.backends.registry import PLAIN, Speed, lowered
from graphlearn.backends.steps import check_steps, lengths_of, write_out
from graphlearn.errors import DataError, ShapeError
from graphlearn.graph.leaves import constant_array
from graphlearn.graph.node import Node
from graphlearn.program.build import Batching, build_function, build_training
from graphlearn.program.narration import Notes
from graphlearn.program.notes import Annotations
from graphlearn.program.program import Program
from graphlearn.program.steps import Buffer, Slot, arena_of, padded
from graphlearn.program.training import TrainingStep

_Launch = Callable[[int, int, tuple[Any, ...]], None]


class CudaFunction:
    """Outputs of a graph as launches of kernels, which are generated at once and compiled at the first call."""

    def __init__(self, outputs: Sequence[Node], leaves: Sequence[Node], precision: str) -> None:
        self._leaves = tuple(leaves)
        self.program = build_function(outputs, leaves, precision)
        self.launches = emit_function(self.program)
        self.source = _text(self.launches)
        self._loaded: list[_Launch] = []
        self._lock = threading.Lock()

    def explain(self, notes: Notes) -> str:
        """The text with notes in its comments."""
        return _text(emit_function(self.program, Annotations(self.program, notes)))

    def __call__(
        self, arrays: Mapping[Node, np.ndarray], sizes: Mapping[str, int], out: Sequence[np.ndarray] | None = None
    ) -> tuple[np.ndarray, ...]:
        """Compute the outputs from one checked array per leaf.

        Raises:
            EngineError: there is no GPU.
            ShapeError: a maximum over nothing.
        """
        device.require_device()
        lengths = lengths_of(self.program.axes, sizes)
        for axis in self.program.nonempty:
            if sizes[axis] == 0:
                raise ShapeError(
                    f"a maximum along the axis {axis!r} needs at least one entry; got none. Give more data."
                )
        with self._lock:
            if not self._loaded:
                self._loaded = [device.load(launch.kernel) for launch in self.launches]
            memory = self._memory(arrays, sizes)
            for launch, run in zip(self.launches, self._loaded, strict=True):
                blocks = launch.blocks(sizes)
                if blocks:
                    threads = device.function_threads(launch.threads)
                    run(blocks, threads, (*(memory[b] for b in launch.buffers), *lengths))
            found = tuple(_output(memory[b], b, sizes) for b in self.program.outputs)
            return found if out is None else write_out(found, out)

    def _memory(self, arrays: Mapping[Node, np.ndarray], sizes: Mapping[str, int]) -> dict[Buffer, Any]:
        """Every buffer on the device."""
        program = self.program
        memory: dict[Buffer, Any] = {}
        for leaf in self._leaves:
            buffer = program.given[leaf]
            memory[buffer] = device.upload(_stored(arrays[leaf], buffer))
        for buffer in program.constants:
            memory[buffer] = device.upload(_constant(buffer))
        arenas = {dtype: device.allocate(n, dtype) for dtype, n in program.arena_sizes(sizes).items()}
        starts = _starts(program, sizes)
        for buffer in program.buffers:
            elements = max(buffer.count.value(sizes), 1)
            if buffer.slot is not None:
                start = starts[buffer.slot]
                memory[buffer] = arenas[buffer.slot.dtype][start : start + elements]
            elif buffer not in memory:
                memory[buffer] = device.allocate(elements, arena_of(buffer.dtype))
        return memory


def _text(launches: Sequence[Launch]) -> str:
    return "\n\n".join(launch.kernel.source for launch in launches)


def _starts(program: Program, sizes: Mapping[str, int]) -> dict[Slot, int]:
    """First element of every slot for given lengths of the free axes."""
    ends: dict[str, int] = {}
    starts = {}
    for slot in program.slots:
        starts[slot] = ends.get(slot.dtype, 0)
        ends[slot.dtype] = starts[slot] + padded(slot.count.value(sizes), slot.dtype)
    return starts


def _stored(array: np.ndarray, buffer: Buffer) -> np.ndarray:
    return np.ascontiguousarray(array, buffer.dtype).view(arena_of(buffer.dtype))


def _constant(buffer: Buffer) -> np.ndarray:
    array = constant_array(buffer.node)
    if array is None:
        raise DataError(f"{buffer.name} needs to be a constant; it is the result of {buffer.node.op.name!r}.")
    return _stored(array, buffer)


def _output(memory: Any, buffer: Buffer, sizes: Mapping[str, int]) -> np.ndarray:
    flat: np.ndarray = memory.copy_to_host()
    shape = tuple(sizes[d] if isinstance(d, str) else d for d in buffer.shape)
    return flat[: buffer.count.value(sizes)].view(buffer.dtype).reshape(shape)


class _Loop:
    """A training kernel, and its memory on the device."""

    def __init__(self, program: Program, data: Mapping[Node, np.ndarray]) -> None:
        self.program = program
        self.emitted = emit_training(program, device.most_training_threads())
        device.require_device()
        self._launch = device.load(self.emitted.kernel)
        leaf_of = {buffer: leaf for leaf, buffer in program.given.items()}
        self._data = [device.upload(_stored(data[leaf_of[b]], b)) for b in self.emitted.data]
        self._host = {dtype: np.zeros(n, dtype) for dtype, n in self.emitted.arenas.items()}
        self._arenas = {dtype: device.upload(array) for dtype, array in self._host.items()}
        for buffer in program.constants:
            self._view(buffer)[...] = _constant(buffer)

    def _view(self, buffer: Buffer) -> np.ndarray:
        start = self.emitted.places[buffer]
        flat = self._host[arena_of(buffer.dtype)][start : start + buffer.count.factor]
        return flat.view(buffer.dtype).reshape(buffer.shape)  # type: ignore[arg-type]  # kept buffers have fixed shapes

    def run(
        self, values: dict[Node, np.ndarray], counts: np.ndarray, order: np.ndarray | None, losses: np.ndarray
    ) -> int:
        """Take steps from ``values``, and leave there what parameters and states have become."""
        kept = {leaf: b for leaf, b in self.program.given.items() if b.role == "kept"}
        for leaf, buffer in kept.items():
            self._view(buffer)[...] = values[leaf]
        for dtype, array in self._host.items():
            self._arenas[dtype].copy_to_device(array)
        loss = self.program.loss
        recorded = device.upload(np.zeros(len(counts), "float64" if loss is None else loss.dtype))
        made = device.upload(np.zeros(1, np.int64))
        rows = device.upload(np.asarray(counts if order is None else order, np.int64))
        steps = device.upload(np.asarray(counts, np.int64))
        arguments = (*self._arenas.values(), *self._data, rows, steps, len(counts), recorded, made)
        self._launch(1, self.emitted.threads, arguments)
        finished = int(made.copy_to_host()[0])
        written = min(finished + 1, len(counts))
        losses[:written] = recorded.copy_to_host()[:written]
        for dtype, array in self._host.items():
            array[...] = self._arenas[dtype].copy_to_host()
        for leaf, buffer in kept.items():
            values[leaf] = self._view(buffer).copy()
        return finished


class CudaRun:
    """A training loop with the data on the device. One call at a time."""

    def __init__(self, step: TrainingStep, data: Mapping[Node, np.ndarray], precision: str, capacity: int) -> None:
        self._step = step
        self._precision = precision
        self._capacity = capacity
        self._data = {n: np.ascontiguousarray(data[n], lowered(n.dtype, precision)) for n in step.data}
        self._rows = len(next(iter(self._data.values()))) if self._data else None
        self._values: dict[Node, np.ndarray] = {}
        self._loops: dict[bool, _Loop] = {}
        self._lock = threading.Lock()
        self._current = self._loop(gather=self._rows is not None and capacity < self._rows)

    def explain(self, notes: Notes) -> str:
        """The text with notes in its comments."""
        program = self.program
        return emit_training(program, device.most_training_threads(), Annotations(program, notes)).kernel.source

    def forms(self, notes: Notes) -> tuple[Form, ...]:
        """None: a kernel needs this backend, and a GPU."""
        return ()

    @property
    def source(self) -> str:
        """The generated text."""
        return self._current.emitted.kernel.source

    @property
    def program(self) -> Program:
        """What the text does."""
        return self._current.program

    def _loop(self, gather: bool) -> _Loop:
        """The loop over batches, or over all rows as they are; compiled when it is first needed."""
        if gather not in self._loops:
            sizes = {
                d: n
                for leaf, array in self._data.items()
                for d, n in zip(leaf.shape, array.shape, strict=True)
                if isinstance(d, str) and d != self._step.axis
            }
            rows = self._capacity if gather or self._rows is None else self._rows
            batching = Batching(rows, not gather and self._rows is not None, gather, sizes)
            self._loops[gather] = _Loop(build_training(self._step, self._precision, batching), self._data)
        return self._loops[gather]

    def load(self, values: Mapping[Node, np.ndarray]) -> None:
        """Write parameters, states and scalars."""
        with self._lock:
            for leaf, array in values.items():
                self._values[leaf] = np.array(array, lowered(leaf.dtype, self._precision))

    def read(self) -> dict[Node, np.ndarray]:
        """Copies of the current parameters and states."""
        with self._lock:
            carried = [n for n in self._current.program.given if n.op.name in ("parameter", "state")]
            return {leaf: self._values[leaf].copy() for leaf in carried}

    def run(self, counts: np.ndarray, order: np.ndarray | None, losses: np.ndarray) -> int:
        """Take one step per entry of ``counts``; see `TrainingRun.run`."""
        check_steps(counts, order, losses, rows=self._rows, capacity=self._capacity)
        if not len(counts):
            return 0
        with self._lock:
            self._current = self._loop(gather=self._rows is not None and order is not None)
            return self._current.run(self._values, counts, order, losses)


def compile_function(
    outputs: Sequence[Node], leaves: Sequence[Node], precision: str, speed: Speed = PLAIN
) -> CudaFunction:
    """Outputs as a function of the leaves."""
    return CudaFunction(outputs, leaves, precision)


def open_training(
    step: TrainingStep, data: Mapping[Node, np.ndarray], precision: str, capacity: int, speed: Speed = PLAIN
) -> CudaRun:
    """A training loop over ``data`` with batches of at most ``capacity`` rows.

    Raises:
        OptionError: the network is too large for one block; backend="numba" has no limit.
        EngineError: there is no GPU.
    """
    return CudaRun(step, data, precision, capacity)
