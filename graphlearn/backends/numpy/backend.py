"""NumPy as a backend: the reference interpreter, one step at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from graphlearn.backends.numpy.interpreter import interpret
from graphlearn.backends.registry import PLAIN, Speed, lowered
from graphlearn.backends.steps import check_steps, write_out
from graphlearn.graph.binding import Binding
from graphlearn.graph.node import Node
from graphlearn.graph.traverse import leaves
from graphlearn.program.training import TrainingStep

_NOTE = "# The NumPy backend interprets the graph node by node; it generates no source."


class InterpretedFunction:
    """Outputs computed by the reference interpreter."""

    source = _NOTE
    program = None

    def __init__(self, outputs: Sequence[Node], precision: str) -> None:
        self._outputs = tuple(outputs)
        self._precision = precision

    def __call__(
        self, arrays: Mapping[Node, np.ndarray], sizes: Mapping[str, int], out: Sequence[np.ndarray] | None = None
    ) -> tuple[np.ndarray, ...]:
        """Compute the outputs; see `CompiledFunction`."""
        values = interpret(self._outputs, Binding(dict(arrays), dict(sizes)), precision=self._precision)
        # Copies: a transpose or a slice would be a view of the caller's own array, or of another output.
        found = tuple(np.array(values[n], lowered(n.dtype, self._precision)) for n in self._outputs)
        return found if out is None else write_out(found, out)


class InterpretedRun:
    """A training loop in Python over the reference interpreter."""

    source = _NOTE
    program = None

    def __init__(self, step: TrainingStep, data: Mapping[Node, np.ndarray], precision: str, capacity: int) -> None:
        self._step = step
        self._precision = precision
        self._capacity = capacity
        self._data = {n: np.asarray(data[n], lowered(n.dtype, precision)) for n in step.data}
        self._values: dict[Node, np.ndarray] = {}
        # An updated leaf may be one that no root reads.
        self._carried = tuple(dict.fromkeys([*leaves(step.roots, "parameter", "state"), *step.updates]))

    def load(self, values: Mapping[Node, np.ndarray]) -> None:
        """Write parameters, states and scalars."""
        for leaf, array in values.items():
            self._values[leaf] = np.array(array, lowered(leaf.dtype, self._precision))

    def read(self) -> dict[Node, np.ndarray]:
        """Copies of the current parameters and states."""
        return {leaf: self._values[leaf].copy() for leaf in self._carried}

    def run(self, counts: np.ndarray, order: np.ndarray | None, losses: np.ndarray) -> int:
        """Take one step per entry of ``counts``; see `TrainingRun.run`."""
        rows_of_data = len(next(iter(self._data.values()))) if self._data else None
        check_steps(counts, order, losses, rows=rows_of_data, capacity=self._capacity)
        start = 0
        for k, count in enumerate(counts):
            rows = slice(None) if order is None else order[start : start + count]
            start += int(count)
            batch = {n: a[rows] for n, a in self._data.items()}
            sizes = {self._step.axis: int(count)} if self._step.axis else {}
            values = interpret(self._step.roots, Binding({**self._values, **batch}, sizes), precision=self._precision)
            losses[k] = values[self._step.loss]
            if not np.isfinite(losses[k]):
                return k
            self._values.update({leaf: values[node] for leaf, node in self._step.updates.items()})
        return len(counts)


def compile_function(
    outputs: Sequence[Node], leaves: Sequence[Node], precision: str, speed: Speed = PLAIN
) -> InterpretedFunction:
    """Outputs as a function of the leaves."""
    return InterpretedFunction(outputs, precision)


def open_training(
    step: TrainingStep, data: Mapping[Node, np.ndarray], precision: str, capacity: int, speed: Speed = PLAIN
) -> InterpretedRun:
    """A training loop over ``data`` with batches of at most ``capacity`` rows."""
    return InterpretedRun(step, data, precision, capacity)
