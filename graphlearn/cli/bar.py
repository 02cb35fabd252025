"""`Bar`: the progress of a training in the page's language; nothing where nobody watches."""

from __future__ import annotations

from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from graphlearn.cli.page import MARGIN, Page
from graphlearn.cli.words import Words
from graphlearn.learn.progress import LiveBar


class Bar(LiveBar):
    """Shows step and loss while `Model.fit` runs; hand it over as ``progress=``.

    Enter it before `fit` does, and it also says that the code is being compiled.

    Args:
        page: where it is drawn.
        words: its language.
        steps: all steps of this fit.
    """

    def __init__(self, page: Page, words: Words, steps: int) -> None:
        bar = RichProgress(
            TextColumn(" " * MARGIN + words("bar.step") + " {task.completed:,.0f}/{task.total:,.0f}", markup=False),
            BarColumn(bar_width=max(10, min(40, page.width - 50))),
            TextColumn("{task.description}", markup=False),
            TimeRemainingColumn(),
            console=page.console,
            disable=not page.live,
        )
        self._loss = words("bar.loss")
        super().__init__(bar)
        self._task = bar.add_task(words("train.compiling"), total=steps)

    def show(self, steps: int, epoch: int, loss: float) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=steps, description=f"{self._loss} {loss:.4g}")
