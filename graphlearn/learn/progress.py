"""The progress of a `fit` in the terminal, and the pace at which Python looks at it."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, Protocol, Self

_TARGET = 0.025  # seconds per chunk: short for a person, 1000 times longer than the cost of a call
_GROWTH = 1024  # the first chunk is one step, since a step may take a second; a million are reached after three chunks


class Pace:
    """How many steps the next chunk takes, so that it lasts about 25 ms; kept from fit to fit of one compiled run."""

    def __init__(self) -> None:
        self._steps = 1

    def note(self, steps: int, seconds: float) -> None:
        """Learn from a chunk."""
        wanted = int(steps * _TARGET / seconds) if seconds > 0 else self._steps * _GROWTH
        self._steps = max(1, min(wanted, self._steps * _GROWTH))

    def next(self, done: int, limit: int, steps_per_epoch: int) -> int:
        """Steps of the next chunk.

        Args:
            done: steps that were made before.
            limit: the most.
            steps_per_epoch: a chunk that is longer than an epoch holds whole epochs.

        Returns:
            A number from 1 to ``limit``.
        """
        steps = self._steps
        beyond = (done + steps) % steps_per_epoch
        if beyond < steps:  # an epoch ends inside: end the chunk there
            steps -= beyond
        return min(steps, limit)


class Progress(Protocol):
    """Where the progress is shown."""

    def __enter__(self) -> Progress: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, steps: int, epoch: int, loss: float) -> None:
        """Say how far the training is."""
        ...


class Silence:
    """No progress is shown."""

    def __enter__(self) -> Silence:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def show(self, steps: int, epoch: int, loss: float) -> None:
        """Show nothing."""


class LiveBar:
    """Starts and stops a bar of rich's; what it shows is said by who inherits.

    Args:
        bar: a `rich.progress.Progress`.
    """

    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()


class Bar(LiveBar):
    """A bar in the terminal: epoch, loss, time left.

    Args:
        steps: all steps of this fit.
        epochs: all epochs of this fit.
    """

    def __init__(self, steps: int, epochs: int) -> None:
        # rich takes 50 ms to import: only those who see the bar pay for it.
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        bar = RichProgress(
            TextColumn("epoch {task.fields[epoch]:>{task.fields[width]}}/{task.fields[epochs]}"),
            BarColumn(),
            TextColumn("loss {task.fields[loss]:.4g}"),
            TimeRemainingColumn(),
        )
        super().__init__(bar)
        self._task = bar.add_task("", total=steps, epoch=0, epochs=epochs, width=len(str(epochs)), loss=float("nan"))

    def show(self, steps: int, epoch: int, loss: float) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=steps, epoch=epoch, loss=loss)


def make_progress(wanted: bool | Progress | None, steps: int, epochs: int) -> Progress:
    """The bar, or silence.

    Args:
        wanted: None shows the bar when standard output is a terminal; an object of the caller's own shows in its way.
        steps: all steps.
        epochs: all epochs.
    """
    if wanted is not None and not isinstance(wanted, bool):
        return wanted
    shown = sys.stdout.isatty() if wanted is None else wanted
    return Bar(steps, epochs) if shown else Silence()
