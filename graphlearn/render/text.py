"""The text writer: a `Document` as Unicode lines for a terminal, aligned by display cells.

Rule: no line is wider than the page unless one unbreakable word is, and no line ends in a space.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from rich.cells import cell_len

from graphlearn.errors import OptionError
from graphlearn.render.document import (
    Document,
    Formula,
    Heading,
    Inline,
    Picture,
    Row,
    Rule,
    Sentence,
    Step,
    Table,
    pieces,
    plain,
)
from graphlearn.render.escape import printable
from graphlearn.render.layout import break_formula, pad, wrap

WIDEST = 120
NARROWEST = 20
_MARGIN = 2
_GUTTER = 3  # between columns
_TITLE_COLUMN = 26  # longer titles of steps are wrapped
_BODY_COLUMN = 72  # with less room than this, a step's body goes below its title
_NOTE_COLUMN = 28  # with less room than this, a note goes below its row
_LAST_COLUMN = 40  # with less room than this, the last cells of a table go below their rows
_HOOK = "  ↳ "


def write_text(document: Document, width: int | None = None) -> str:
    """Write a document as Unicode text.

    Args:
        document: what to write.
        width: display cells of a line, at least 20; by default 120, or the terminal's width where that is less and
            standard output is a terminal.

    Returns:
        Lines joined by newlines, without one at the end; the same document and width give the same text.

    Raises:
        OptionError: ``width`` is too small.
    """
    width = page_width() if width is None else width
    if width < NARROWEST:
        raise OptionError(f"text needs a width of at least {NARROWEST} cells; got {width}.")
    steps = [block for block in document.blocks if isinstance(block, Step)]
    margin = _step_margin(steps, width)
    parts = [_title(document, width)]
    for block in document.blocks:
        if isinstance(block, Step):
            parts.append(_step(block, margin, width))
        elif isinstance(block, (Heading, Rule)):
            parts.append(_WRITERS[type(block)](block, width))
        else:
            parts.append(_shift(_WRITERS[type(block)](block, width - _MARGIN), _MARGIN))
    lines = [line.rstrip() for part in parts if part for line in (*part, "")]
    return "\n".join(lines).rstrip("\n")


def page_width() -> int:
    """Return the width of the page in display cells: 120, or that of the terminal or of COLUMNS where it is less."""
    if not sys.stdout.isatty() and not os.environ.get("COLUMNS", "").isdecimal():
        return WIDEST
    return max(NARROWEST, min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns))


def _shift(lines: Iterable[str], by: int) -> list[str]:
    return [" " * by + line for line in lines]


def _title(document: Document, width: int) -> list[str]:
    title, aside = wrap(document.title, width - 2), plain(document.aside)
    lines = _shift(title, 1)
    if aside:
        lines = _with_tail(lines, printable(aside), width - 1)
    return ["━" * width, *lines, "━" * width]


def _heading(block: Heading, width: int) -> list[str]:
    if block.level == 1:
        *lines, last = wrap(block.text, width - 6)
        return [*_shift(lines, 3), f"── {last} " + "─" * max(2, width - cell_len(last) - 4)]
    lines = wrap(block.text, width - _MARGIN)
    if block.level == 2:
        lines.append("─" * max(cell_len(line) for line in lines))
    return _shift(lines, _MARGIN)


def _sentence(block: Sentence, width: int) -> list[str]:
    return wrap(block.text, width)


def _rule(block: Rule, width: int) -> list[str]:
    return ["─" * width]


def _picture(block: Picture, width: int) -> list[str]:
    return wrap(("[", block.alt, "]"), width)


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where the parts of formula rows stand, in cells from the left.

    Args:
        left: width of the left-hand sides.
        relation: width of the relations.
        note: where notes start.
    """

    left: int
    relation: int
    note: int

    @property
    def body(self) -> int:
        """Where right-hand sides start."""
        return (self.left + 1 if self.left else 0) + (self.relation + 1 if self.relation else 0)


def _columns(formulas: Sequence[Formula], width: int) -> _Columns:
    """Return the columns that formulas share, so that their relations stand below each other."""
    rows = [row for formula in formulas for row in formula.rows]
    lefts = [cell_len(row.left.text) for row in rows if row.left is not None]
    left = max((size for size in lefts if size <= 2 * width // 5), default=0)
    relation = max((cell_len(row.relation.text) for row in rows), default=0)
    body = _Columns(left, relation, 0).body
    noted = [body + cell_len(row.right.text) for row in rows if row.note]
    return _Columns(left, relation, max((end for end in noted if end <= 3 * width // 5), default=body) + _GUTTER)


def _formula(block: Formula, width: int) -> list[str]:
    columns = _columns([block], width)
    return [line for row in block.rows for line in _row(row, columns, width)]


def _row(row: Row, columns: _Columns, width: int) -> list[str]:
    left = printable(row.left.text) if row.left is not None else ""
    above = break_formula(left, width) if cell_len(left) > columns.left else []
    body = columns.body if left or row.relation.text else 0
    head = pad("" if above else left, columns.left) + " " if columns.left and body else ""
    head += pad(row.relation.text, columns.relation) + " " if columns.relation and body else ""
    first, *rest = break_formula(row.right.text, max(1, width - body))
    shape = row.shape.text if row.shape is not None else ""
    tail = (" " * _GUTTER).join(printable(part) for part in (shape, plain(row.check)) if part)
    lines = [head + first, *_shift(rest, body)]
    if row.note:
        lines = _with_note(lines, row, columns, width - (cell_len(tail) + _GUTTER if tail else 0), width)
    return [*above, *(_with_tail(lines, tail, width) if tail else lines)]


def _with_note(lines: list[str], row: Row, columns: _Columns, end: int, width: int) -> list[str]:
    """Set the note of a row beside it, or below it where too little room is left."""
    start = max(columns.note, cell_len(lines[0]) + _GUTTER)
    if len(lines) == 1 and end - start >= min(_NOTE_COLUMN, cell_len(plain(row.note))):
        note = wrap(row.note, end - start)
        return [pad(line, start) + text for line, text in zip_longest(lines, note, fillvalue="")]
    start = max(0, min(columns.body, width - NARROWEST // 2))
    return [*lines, *_shift(wrap(row.note, width - start), start)]


def _with_tail(lines: list[str], tail: str, width: int) -> list[str]:
    """Set text flush right on the first line, on the last one, or on lines of its own, wherever it fits."""
    size = cell_len(tail)
    for index in (0, -1) if len(lines) < 3 else (-1,):
        if cell_len(lines[index]) + _GUTTER + size <= width:
            placed = list(lines)
            placed[index] += tail.rjust(len(tail) + width - size - cell_len(lines[index]))
            return placed
    return [*lines, *(pad(line, width, "right") for line in wrap(tail, width))]


def _table(block: Table, width: int) -> list[str]:
    natural = [max(cell_len(plain(row[j])) for row in (block.columns, *block.rows)) for j in range(len(block.columns))]
    widths = _fit(natural, width)
    if len(widths) > 1 and widths[-1] < min(natural[-1], _LAST_COLUMN):
        lines = _hung_table(block, _fit(natural[:-1], width), width)
    else:
        head, *rows = [_table_row(row, widths, block) for row in (block.columns, *block.rows)]
        line = "─" * (sum(widths) + _GUTTER * (len(widths) - 1))
        lines = [*head, line, *(text for row in rows for text in row)]
    return lines if all(cell_len(line.rstrip()) <= width for line in lines) else _records(block, width)


def _records(block: Table, width: int) -> list[str]:
    """Set each row as a list of its cells: the page is too narrow for columns."""
    lines = ["─" * width]
    for row in block.rows:
        for head, cell in zip(block.columns, row, strict=True):
            lines.extend(wrap((*pieces(head), ": ", *pieces(cell)), width))
        lines.append("─" * width)
    return lines


def _fit(natural: Sequence[int], width: int) -> list[int]:
    """Narrow the widest columns, a little at a time, until a table fits."""
    widths = list(natural)
    excess = sum(widths) + _GUTTER * (len(widths) - 1) - width
    while excess > 0 and max(widths) > 1:
        widest = widths.index(max(widths))
        step = min(excess, max(1, widths[widest] // 8))
        widths[widest] -= step
        excess -= step
    return widths


def _hung_table(block: Table, widths: list[int], width: int) -> list[str]:
    """Set the last column, usually the values, below the rest of each row."""
    head, *rows = [
        [*_table_row(row[:-1], widths, block), *_hung(row[-1], width)] for row in (block.columns, *block.rows)
    ]
    return [*head, "─" * width, *(text for row in rows for text in row)]


def _hung(cell: Inline, width: int) -> list[str]:
    first, *rest = wrap(cell, width - len(_HOOK))
    return [_HOOK + first, *_shift(rest, len(_HOOK))]


def _table_row(row: Sequence[Inline], widths: list[int], block: Table) -> list[str]:
    wrapped = [wrap(cell, size) for cell, size in zip(row, widths, strict=True)]
    return [
        (" " * _GUTTER).join(pad(text, widths[j], block.alignments[j]) for j, text in enumerate(line))
        for line in zip_longest(*wrapped, fillvalue="")
    ]


@dataclass(frozen=True, slots=True)
class _StepMargin:
    """The columns left of the bodies of steps.

    Args:
        number: width of the numbers.
        title: width of the titles beside the bodies; 0 where titles stand above.
    """

    number: int
    title: int

    @property
    def body(self) -> int:
        """Where bodies start."""
        return self.number + 2 + (self.title + _GUTTER if self.title else 0)


def _step_margin(steps: Sequence[Step], width: int) -> _StepMargin:
    number = _MARGIN + max((len(str(step.number)) for step in steps), default=1)
    titles = [word for step in steps for word in wrap(step.title, _TITLE_COLUMN)]
    beside = _StepMargin(number, max(map(cell_len, titles), default=0))
    return beside if width - beside.body >= _BODY_COLUMN else _StepMargin(number, 0)


def _step(block: Step, margin: _StepMargin, width: int) -> list[str]:
    room = max(NARROWEST // 2, width - margin.body)
    columns = _columns([part for part in block.blocks if isinstance(part, Formula)], room)
    body: list[str] = []
    for part in block.blocks:
        if isinstance(part, Formula):
            body.extend(line for row in part.rows for line in _row(row, columns, room))
        else:
            body.extend(_WRITERS[type(part)](part, room))
    title = wrap(block.title, margin.title or max(NARROWEST // 2, width - margin.body))
    lead = str(block.number).rjust(margin.number) + "  "
    labels = [lead + title[0], *_shift(title[1:], len(lead))]
    if not margin.title:
        return [*labels, *_shift(body, margin.body)]
    return [pad(label, margin.body) + line for label, line in zip_longest(labels, body, fillvalue="")]


_WRITERS: dict[type, Callable[[Any, int], list[str]]] = {
    Heading: _heading,
    Sentence: _sentence,
    Formula: _formula,
    Table: _table,
    Rule: _rule,
    Picture: _picture,
}
