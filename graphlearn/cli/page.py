"""`Page`: what a command prints, with one look for headings, tables and figures at every terminal's width.

Rule: colour, bars and spinners only where a person watches; into a pipe or a file goes plain text.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from graphlearn.cli.chart import Series, chart
from graphlearn.render.escape import printable
from graphlearn.render.layout import pad, wrap
from graphlearn.render.text import NARROWEST, page_width

MARGIN = 2
_CHART_HEIGHT = 12
_CHART_WIDTH = 76
_ACCENT, _GOOD, _BAD = "bold cyan", "green", "red"


class _Console(Console):
    """rich's console, which leaves it to the command line how a closed pipe ends the program."""

    def on_broken_pipe(self) -> None:
        """Hand the error on, where rich would leave with exit code 1."""
        raise BrokenPipeError


class Page:
    """A terminal, or what stands in its place.

    Args:
        width: display cells of a line; default: that of the terminal or of COLUMNS, at most 120; where there is
            neither, 120.
        stderr: print on standard error, because something else goes to standard output.
    """

    def __init__(self, width: int | None = None, *, stderr: bool = False) -> None:
        self.width = max(NARROWEST, width or page_width())
        self.console = _Console(stderr=stderr, width=self.width, markup=False, emoji=False, highlight=False)

    @property
    def live(self) -> bool:
        """Whether a person watches, so that lines may be drawn over."""
        return self.console.is_terminal and not self.console.is_dumb_terminal

    def title(self, text: str, aside: str = "") -> None:
        """Print the head of a part between two heavy lines, as derivations have it."""
        *lines, last = [" " + line for line in wrap(printable(text), self.width - 2)]
        beside = pad(last, self.width - 1 - cell_len(aside)) + aside
        lines += (
            [beside]
            if cell_len(last) + 2 + cell_len(aside) < self.width
            else [last, pad(aside, self.width - 1, "right")]
        )
        self._print("\n".join(["━" * self.width, *(line.rstrip() for line in lines), "━" * self.width, ""]), _ACCENT)

    def heading(self, text: str) -> None:
        """Print the heading of a section."""
        head = f"── {text} "
        self._print(head + "─" * max(2, self.width - cell_len(head)) + "\n", _ACCENT)

    def say(self, text: str, style: str = "") -> None:
        """Print a paragraph, wrapped, and an empty line."""
        lines = wrap(printable(text), self.width - MARGIN)
        self._print("\n".join(" " * MARGIN + line for line in lines) + "\n", style)

    def verbatim(self, text: str) -> None:
        """Print lines that are laid out already, such as a derivation, and an empty line."""
        styled = Text(text + "\n")
        styled.highlight_regex(r"(?m)^(━+| .*\n(?=━))|^── .*$", _ACCENT)
        styled.highlight_regex(r"✓ .*", _GOOD)
        styled.highlight_regex(r"✗ .*", _BAD)
        self.console.print(styled, no_wrap=True, overflow="ignore", crop=False)

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]], alignments: str) -> None:
        """Print a table and an empty line.

        Args:
            header: one title per column.
            rows: cells; they may hold what a user wrote.
            alignments: a letter per column, ``l`` for left or ``r`` for right.
        """
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold", padding=(0, 3, 0, 0))
        for title, alignment in zip(header, alignments, strict=True):
            table.add_column(Text(title), justify="right" if alignment == "r" else "left", overflow="fold")
        for row in rows:
            table.add_row(*(_cell(text) for text in row))
        with self.console.capture() as captured:
            self.console.print(table, width=self.width - MARGIN)
        lines = [" " * MARGIN + line.rstrip() for line in captured.get().splitlines()]
        self.console.print(Text.from_ansi("\n".join(lines)), no_wrap=True, overflow="ignore", crop=False)
        self._print("")

    def pairs(self, rows: Sequence[tuple[str, str]]) -> None:
        """Print names that must stay whole, such as paths, each with what it is, and an empty line."""
        widest = max(cell_len(name) for name, _ in rows)
        beside = MARGIN + widest + 3 + max(cell_len(text) for _, text in rows) <= self.width
        between = "" if beside else "\n" + " " * (MARGIN + 2)
        lines = [f"{' ' * MARGIN}{pad(name, widest + 3) if beside else name}{between}{text}" for name, text in rows]
        self.verbatim("\n".join(lines))

    def chart(self, series: Sequence[Series], x_label: str, y_label: str, log_note: str) -> None:
        """Draw curves.

        Args:
            series: what to draw.
            x_label: what stands below.
            y_label: what stands above.
            log_note: said after the label of an axis that is logarithmic.
        """
        width = min(_CHART_WIDTH, self.width - MARGIN)
        self.verbatim(
            "\n".join(" " * MARGIN + line for line in chart(series, width, _CHART_HEIGHT, x_label, y_label, log_note))
        )

    def busy(self, text: str) -> AbstractContextManager[object]:
        """A spinner with a sentence, while something without steps of its own takes its time."""
        return self.console.status(Text(text)) if self.live else nullcontext()

    def gap(self) -> None:
        """Print an empty line below a bar, if there was one to be seen."""
        if self.live:
            self.console.print()

    def _print(self, text: str, style: str = "") -> None:
        self.console.print(Text(text, style), no_wrap=True, overflow="ignore", crop=False)


def _cell(text: str) -> Text:
    style = _GOOD if text.startswith("✓") else _BAD if text.startswith("✗") else ""
    return Text(printable(text), style)


def prepare_streams() -> None:
    """Let standard output and error take any letter: a pipe on Windows has a code page of the last century."""
    for stream in (sys.stdout, sys.stderr):
        encoding = (getattr(stream, "encoding", None) or "").lower().replace("-", "")
        if encoding != "utf8" and hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8")
