"""`Bar`: the progress of a training in the page's language; nothing where nobody watches."""

from __future__ import annotations

from types import TracebackType

from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from graphlearn.cli.page import MARGIN, Page
from graphlearn.cli.words import Words


class Bar:
    """Shows step and loss while `Model.fit` runs; hand it over as ``progress=``.

    Enter it before `fit` does, and it also says that the code is being compiled.

    Args:
        page: where it is drawn.
        words: its language.
        steps: all steps of this fit.
    """

    def __init__(self, page: Page, words: Words, steps: int) -> None:
        self._bar = RichProgress(
            TextColumn(" " * MARGIN + words("bar.step") + " {task.completed:,.0f}/{task.total:,.0f}", markup=False),
            BarColumn(bar_width=max(10, min(40, page.width - 50))),
            TextColumn("{task.description}", markup=False),
            TimeRemainingColumn(),
            console=page.console,
            disable=not page.live,
        )
        self._loss = words("bar.loss")
        self._task = self._bar.add_task(words("train.compiling"), total=steps)

    def __enter__(self) -> Bar:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def show(self, steps: int, epoch: int, loss: float) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=steps, description=f"{self._loss} {loss:.4g}")
