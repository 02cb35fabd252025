"""Tables from CSV files, with errors that name the line and the column."""

from __future__ import annotations

import csv
import difflib
import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graphlearn.errors import DataError, OptionError, UnknownNameError

Floats = NDArray[np.float64]

_OTHER_DELIMITERS = {";": "';'", "\t": "tab", "|": "'|'"}
MISSING = frozenset(["", "na", "n/a", "#n/a", "nan", "null", "none", "?"])  # in any case of letters
_CELL_LIMIT = 40  # letters of a cell that a message repeats


@dataclass(frozen=True)
class Table:
    """The text of a CSV file.

    Args:
        path: where it was read.
        header: name of each column, all different.
        rows: cells, as many in each row as the header has.
        lines: the line of the file in which each row ends, counted from 1.
    """

    path: Path
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]

    def column(self, name: str, option: str) -> tuple[str, ...]:
        """The cells of a column, without surrounding spaces.

        Args:
            name: of the column.
            option: that asked for it, for the message.

        Raises:
            UnknownNameError: there is no such column.
        """
        if name not in self.header:
            near = difflib.get_close_matches(name, self.header, 1)
            advice = f" Did you mean {near[0]!r}?" if near else ""
            raise UnknownNameError(
                f"{option} needs a column of {self.path.name}; got {name!r}. Its columns are: "
                f"{', '.join(map(repr, self.header))}.{advice}"
            )
        place = self.header.index(name)
        return tuple(row[place].strip() for row in self.rows)

    def where(self, row: int, column: str) -> str:
        """The place of a cell in words."""
        return f"{self.path.name}, line {self.lines[row]}, column {self.header.index(column) + 1} ({column!r})"


def read_table(path: Path, delimiter: str = ",") -> Table:
    """Read a CSV file with a header line.

    Args:
        path: a file in UTF-8; lines without any cell are passed over.
        delimiter: one character that stands between cells.

    Raises:
        OptionError: the delimiter is not one character.
        DataError: no text in UTF-8, no header, no rows, or a row with more or fewer cells than the header.
        OSError: the file cannot be read.
    """
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise OptionError(f"--delimiter needs one character, such as ';'; got {delimiter!r}.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            lines = [(reader.line_num, tuple(cells)) for cells in reader if any(cell.strip() for cell in cells)]
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path.name} needs to be text in UTF-8; byte {error.start} is not. Save it as CSV UTF-8."
        ) from None
    except csv.Error as error:
        raise DataError(
            f"{path.name}, line {reader.line_num}: {error}. Mend the quotes there, or save it as CSV anew."
        ) from None
    if not lines:
        raise DataError(f"{path.name} is empty. It needs a line with the names of the columns, then one line per row.")
    header = _header(path, lines[0][1], delimiter)
    if len(lines) == 1:
        raise DataError(f"{path.name} has a header and no rows. Add a line per sample.")
    for number, cells in lines[1:]:
        if len(cells) != len(header):
            raise DataError(
                f"{path.name}, line {number}: {_count(len(cells), 'cell')}, where the header has {len(header)}. Mend "
                "the line; a cell that holds the delimiter needs quotes around it."
            )
    return Table(path, header, tuple(cells for _, cells in lines[1:]), tuple(number for number, _ in lines[1:]))


def _header(path: Path, cells: Sequence[str], delimiter: str) -> tuple[str, ...]:
    header = tuple(cell.strip() for cell in cells)
    if len(header) == 1:
        for other, name in _OTHER_DELIMITERS.items():
            if other in header[0] and other != delimiter:
                raise DataError(f"{path.name} seems to have {name} between its cells. Add --delimiter {other!r}.")
    if all(as_number(cell) is not None for cell in header):
        raise DataError(
            f"{path.name} needs a first line with the names of the columns; it holds numbers. Add such a line."
        )
    for place, name in enumerate(header):
        if not name:
            raise DataError(f"{path.name}, line 1: column {place + 1} has no name. Name it, or remove the column.")
        if name in header[:place]:
            raise DataError(f"{path.name}, line 1: two columns are called {name!r}. Rename one of them.")
    return header


def as_number(text: str) -> float | None:
    """The number that a cell holds, perhaps NaN or infinite; None where it is none."""
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def is_missing(cell: str) -> bool:
    """Whether a cell stands for a value that is not known, such as an empty one or ``NA``."""
    return cell.strip().casefold() in MISSING


def without_gaps(table: Table, names: Sequence[str]) -> Table:
    """The rows that have a value in each of some columns.

    Raises:
        DataError: no row has.
    """
    columns = [table.column(name, "the table") for name in names]
    kept = [row for row, cells in enumerate(zip(*columns, strict=True)) if not any(map(is_missing, cells))]
    if not kept:
        raise DataError(
            f"{table.path.name} has no row without a gap. Leave the columns with many gaps out with --ignore."
        )
    return Table(table.path, table.header, tuple(table.rows[k] for k in kept), tuple(table.lines[k] for k in kept))


def numbers(table: Table, names: Sequence[str], options: bool = True) -> Floats:
    """The cells of some columns as numbers.

    Args:
        table: the table.
        names: of its columns, at least one.
        options: whether the message may advise options of ``graphlearn train``.

    Returns:
        float64 (rows, names), finite.

    Raises:
        UnknownNameError: there is no such column.
        DataError: a cell that is empty, text, NaN or infinite; the message names the first and how many there are. Or
            numbers so large that their differences overflow.
    """
    columns = [[as_number(cell) for cell in table.column(name, "the table")] for name in names]
    for name, values in zip(names, columns, strict=True):
        bad = [row for row, value in enumerate(values) if value is None or not math.isfinite(value)]
        if bad:
            raise _bad_cell(table, name, bad, options)
        _require_range(table, name, [value for value in values if value is not None])
    return np.array(columns, np.float64).T


def _require_range(table: Table, name: str, values: Sequence[float]) -> None:
    low, high = min(values), max(values)
    if not math.isfinite(high - low):
        raise DataError(
            f"{table.where(values.index(high), name)}: {high:g}, where {low:g} is the smallest number of the column; "
            "their difference is too large for float64. Mend the cell, or write the column in another unit."
        )


def _bad_cell(table: Table, name: str, bad: Sequence[int], options: bool) -> DataError:
    cell = table.column(name, "the table")[bad[0]]
    what = shown(cell) if cell else "an empty cell"
    more = f" ({len(bad)} such cells in the column)" if len(bad) > 1 else ""
    start = f"{table.where(bad[0], name)}: {what}{more}, where a finite number is needed."
    if not options:
        return DataError(f"{start} Mend the cell, or drop the row.")
    if is_missing(cell):
        return DataError(f"{start} Fill the gap, or leave such rows out with --drop-missing.")
    if as_number(cell) is None and len(bad) >= len(table.rows) / 2:
        return DataError(
            f"{start} The column is text: leave it out with --ignore {shlex.quote(name)}, or put a column of 0 and 1 "
            "for each of its words in its place."
        )
    return DataError(f"{start} Mend the cell, drop the row, or leave the column out with --ignore {shlex.quote(name)}.")


def shown(cell: str) -> str:
    """A cell as messages quote it."""
    return repr(cell if len(cell) <= _CELL_LIMIT else cell[:_CELL_LIMIT] + "…")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
