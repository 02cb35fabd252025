"""`Loop`: the steps of one `fit` in chunks, and the way back to any of them."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np

from graphlearn.backends.registry import TrainingRun
from graphlearn.graph.node import Node
from graphlearn.learn.batches import Batches

_PATIENCE = 50  # a snapshot is taken when 50 times its cost has passed, so that it costs 2 %


class Loop:
    """Runs steps, records their losses and remembers where it could start again.

    Args:
        run: compiled steps with the data in place.
        batches: the rows of every step.
        epochs: passes over the data.
        values: parameters, states and scalars at the beginning.
    """

    def __init__(self, run: TrainingRun, batches: Batches, epochs: int, values: Mapping[Node, np.ndarray]) -> None:
        self.batches = batches
        self.total = epochs * batches.steps_per_epoch
        self.done = 0
        self.compute_seconds = 0.0
        self._run = run
        self._losses = np.empty(self.total)
        run.load(values)
        started = time.perf_counter()
        # (step, values at its beginning), the latest two: the step before a failure may lie before the latest.
        self._snapshots = [(0, run.read())]
        self._due = time.perf_counter() + _PATIENCE * (time.perf_counter() - started)

    @property
    def losses(self) -> np.ndarray:
        """The losses of the steps that were made."""
        return self._losses[: self.done]

    @property
    def failed_loss(self) -> float:
        """The loss of the step that was not made; NaN when there is none left."""
        return float(self._losses[self.done]) if self.done < self.total else float("nan")

    @property
    def epochs_done(self) -> int:
        """Whole epochs that were made."""
        return self.done // self.batches.steps_per_epoch

    def advance(self, steps: int) -> bool:
        """Make some steps; False when a loss was not finite, at step ``done``."""
        self._snapshot()
        counts, order = self.batches.take(self.done, self.done + steps)
        started = time.perf_counter()
        made = self._run.run(counts, order, self._losses[self.done : self.done + steps])
        self.compute_seconds += time.perf_counter() - started
        self.done += made
        return made == steps

    def values(self) -> dict[Node, np.ndarray]:
        """Parameters and states now."""
        return self._run.read()

    def rewind(self, step: int) -> dict[Node, np.ndarray]:
        """Go back to the beginning of a step that was made, by repeating from the latest snapshot before it."""
        start, values = next(s for s in reversed(self._snapshots) if s[0] <= step)
        self._run.load(values)
        if step > start:
            self._run.run(*self.batches.take(start, step), np.empty(step - start))
        self.done = step
        return self._run.read()

    def _snapshot(self) -> None:
        started = time.perf_counter()
        if started >= self._due and self.done > self._snapshots[-1][0]:
            self._snapshots = [self._snapshots[-1], (self.done, self._run.read())]
            now = time.perf_counter()
            self._due = now + _PATIENCE * (now - started)

    def mean_losses(self) -> np.ndarray:
        """Mean loss of each whole epoch, weighted by the rows of its batches."""
        weights = self.batches.counts / self.batches.counts.sum()
        whole = self._losses[: self.epochs_done * self.batches.steps_per_epoch]
        return np.asarray(whole.reshape(-1, self.batches.steps_per_epoch) @ weights)
