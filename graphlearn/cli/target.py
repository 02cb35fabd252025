"""What is to be predicted: whether a column asks for a class or for a number, and its values either way."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphlearn.cli.table import Table, as_number, is_missing, numbers, shown
from graphlearn.errors import DataError

MOST_CLASSES = 10  # whole numbers with at most so many values may be classes
ROWS_PER_CLASS = 5  # if each has so many rows on average


@dataclass(frozen=True, eq=False)
class Target:
    """A column to be predicted.

    Args:
        name: of the column.
        classes: names of the classes in order; empty for regression.
        values: int64 (n,) class numbers, or float64 (n, 1).
        reason: key of the sentence that says why it is one or the other.
        distinct: how many different values the column has.
    """

    name: str
    classes: tuple[str, ...]
    values: NDArray[Any]
    reason: str
    distinct: int


def read_target(table: Table, name: str, task: str = "auto") -> Target:
    """Read the target, and decide what it asks for.

    Text asks for a class. So do at most 10 different whole numbers with 5 rows each on average. Other numbers ask for
    a number.

    Args:
        table: the table.
        name: of the column.
        task: ``"auto"``, ``"regression"`` or ``"classification"``.

    Raises:
        UnknownNameError: there is no such column.
        DataError: an empty or non-finite cell, text where regression is asked for, text among numbers, one class only,
            or a class of one row.
    """
    cells = table.column(name, "--target")
    values = [as_number(cell) for cell in cells]
    _require_filled(table, name, cells, values)
    decided, reason = _decide(table, name, cells, values) if task == "auto" else (task, "task.given")
    if decided == "regression":
        return Target(name, (), numbers(table, [name]), reason, len(set(values)))
    labels = _labels(cells, values)
    classes = _ordered(labels, values)
    _require_classes(name, labels, classes)
    place = {label: number for number, label in enumerate(classes)}
    return Target(name, classes, np.array([place[label] for label in labels], np.int64), reason, len(classes))


def _require_filled(table: Table, name: str, cells: Sequence[str], values: Sequence[float | None]) -> None:
    bad = [
        row
        for row, (cell, value) in enumerate(zip(cells, values, strict=True))
        if is_missing(cell) or (value is not None and not math.isfinite(value))
    ]
    if bad:
        cell = cells[bad[0]]
        what = shown(cell) if cell else "an empty cell"
        more = f" ({len(bad)} such cells in the column)" if len(bad) > 1 else ""
        cure = "Fill the gap, or leave such rows out with --drop-missing."
        if not is_missing(cell):
            cure = "Mend the cell, or drop the row."
        raise DataError(f"{table.where(bad[0], name)}: {what}{more}, where every row needs a finite target. {cure}")


def _decide(table: Table, name: str, cells: Sequence[str], values: Sequence[float | None]) -> tuple[str, str]:
    text = [row for row, value in enumerate(values) if value is None]
    if text and len(text) < len(values) / 2:
        raise DataError(
            f"{table.where(text[0], name)}: {shown(cells[text[0]])} is text, while most of the column are numbers. "
            "Mend it, or say --task classification."
        )
    if text:
        return "classification", "task.text"
    distinct = {value for value in values if value is not None}
    whole = all(value.is_integer() for value in distinct)
    if whole and len(distinct) <= MOST_CLASSES and ROWS_PER_CLASS * len(distinct) <= len(values):
        return "classification", "task.few"
    return "regression", "task.numbers"


def _labels(cells: Sequence[str], values: Sequence[float | None]) -> list[str]:
    """Name the class of each row; 1 and 1.0 are one class, unless some cell is text."""
    if any(value is None for value in values):
        return list(cells)
    return [str(int(value)) if value.is_integer() else repr(value) for value in values if value is not None]


def _ordered(labels: Sequence[str], values: Sequence[float | None]) -> tuple[str, ...]:
    order = dict(zip(labels, values, strict=True))
    if any(value is None for value in values):
        return tuple(sorted(order))
    return tuple(sorted(order, key=float))


def _require_classes(name: str, labels: Sequence[str], classes: Sequence[str]) -> None:
    if len(classes) < 2:
        raise DataError(f"--target needs a column with two classes or more; {name!r} holds only {shown(classes[0])}.")
    counts = Counter(labels)
    alone = [label for label in classes if counts[label] == 1]
    if alone:
        raise DataError(
            f"each class of {name!r} needs two rows, one to learn from and one to validate; {shown(alone[0])} has one "
            f"({len(alone)} of {len(classes)} classes are like that). Drop such rows, or say --task regression if they "
            "are numbers."
        )
