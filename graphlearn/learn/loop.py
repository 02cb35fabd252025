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
        epochs: passes over the data; the first may have been begun.
        values: parameters, states and scalars at the beginning.
    """

    def __init__(self, run: TrainingRun, batches: Batches, epochs: int, values: Mapping[Node, np.ndarray]) -> None:
        self.batches = batches
        self.total = epochs * batches.steps_per_epoch - batches.begin
        self.done = 0
        self.compute_seconds = 0.0
        self._run = run
        self._losses = np.empty(self.total)
        self._latest: tuple[int, dict[Node, np.ndarray]] | None = None  # the step, and the values at its beginning
        run.load(values)
        started = time.perf_counter()
        carried = run.read()
        self._scalars = {leaf: array for leaf, array in values.items() if leaf not in carried}
        # (step, values and scalars at its beginning), the latest two: the step before a failure may lie before the
        # latest.
        self._snapshots = [(0, {**carried, **self._scalars})]
        self._due = time.perf_counter() + _PATIENCE * (time.perf_counter() - started)
        # step and values from which on nobody but the steps themselves has changed anything
        self.origin = self._snapshots[0]

    @property
    def losses(self) -> np.ndarray:
        """The losses of the steps that were made."""
        return self._losses[: self.done]

    @property
    def failed_loss(self) -> float:
        """The loss of the step that was not made; NaN when there is none left."""
        return float(self._losses[self.done]) if self.done < self.total else float("nan")

    @property
    def scalars(self) -> dict[Node, np.ndarray]:
        """What the steps are given besides data, parameters and states."""
        return dict(self._scalars)

    @property
    def place(self) -> int:
        """The next step, counted from the beginning of the first epoch."""
        return self.batches.begin + self.done

    @property
    def epochs_done(self) -> int:
        """Epochs whose end was reached."""
        return self.place // self.batches.steps_per_epoch

    def take(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray | None]:
        """The rows of some steps of this fit."""
        begin = self.batches.begin
        return self.batches.take(begin + start, begin + stop)

    def advance(self, steps: int) -> bool:
        """Make some steps; False when a loss was not finite, at step ``done``."""
        self._snapshot()
        counts, order = self.take(self.done, self.done + steps)
        started = time.perf_counter()
        made = self._run.run(counts, order, self._losses[self.done : self.done + steps])
        self.compute_seconds += time.perf_counter() - started
        self.done += made
        return made == steps

    def values(self) -> dict[Node, np.ndarray]:
        """Parameters and states now; not to be changed."""
        if self._latest is None or self._latest[0] != self.done:
            self._latest = (self.done, self._run.read())
        return self._latest[1]

    def change(self, values: Mapping[Node, np.ndarray]) -> None:
        """Go on with other parameters, states or scalars; what was before can still be reached."""
        self._run.load(values)
        self._latest = None
        carried = self._run.read()
        self._scalars |= {leaf: array for leaf, array in values.items() if leaf not in carried}
        before = [s for s in self._snapshots if s[0] < self.done]
        self._snapshots = [*before[-1:], (self.done, {**carried, **self._scalars})]
        self.origin = self._snapshots[-1]

    def rewind(self, step: int) -> dict[Node, np.ndarray]:
        """Go to the beginning of a step before which all were made, by repeating from the latest snapshot before it."""
        start, values = next(s for s in reversed(self._snapshots) if s[0] <= step)
        self._run.load(values)
        self._scalars = {leaf: values[leaf] for leaf in self._scalars}
        if step > start:
            self._run.run(*self.take(start, step), np.empty(step - start))
        self.done = step
        self._latest = None
        return self.values()

    def _snapshot(self) -> None:
        started = time.perf_counter()
        if started >= self._due and self.done > self._snapshots[-1][0]:
            self._snapshots = [self._snapshots[-1], (self.done, {**self._run.read(), **self._scalars})]
            now = time.perf_counter()
            self._due = now + _PATIENCE * (now - started)

    @property
    def latest_mean(self) -> float:
        """The last of `mean_losses`, where an epoch has just ended."""
        steps = min(self.done, self.batches.steps_per_epoch)
        return float(np.average(self.losses[-steps:], weights=self.batches.counts[-steps:]))

    def mean_losses(self) -> np.ndarray:
        """Mean loss of each epoch whose end was reached, over its steps in this fit, weighted by the rows."""
        per_epoch, begin = self.batches.steps_per_epoch, self.batches.begin
        if not self.epochs_done:
            return np.empty(0)
        losses, counts = self._losses[: self.epochs_done * per_epoch - begin], self.batches.counts
        if per_epoch == 1:
            return losses.copy()
        left = -begin % per_epoch  # steps of an epoch that an earlier fit has begun
        whole = np.asarray(losses[left:].reshape(-1, per_epoch) @ (counts / counts.sum()))
        if not left:
            return whole
        return np.concatenate([[np.average(losses[:left], weights=counts[begin:])], whole])
