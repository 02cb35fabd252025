"""Curves in a terminal: Braille dots, 2 by 4 to a cell, with labelled axes that are logarithmic where that helps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len

Floats = NDArray[np.float64]

_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])  # Unicode's numbering of Braille dots
_BLANK = 0x2800
_LOG_FROM = 10.0  # largest / smallest value from which the axis is logarithmic
_LOG_X_FROM = 1000.0  # the same for the horizontal axis: ten thousand steps happen mostly at the left
_MARK_EVERY = 4  # cells between two marks of a second curve
_MARKS = "○□△"


@dataclass(frozen=True, eq=False)
class Series:
    """One curve.

    Args:
        name: what the legend calls it; no legend for a single curve.
        x: float64 (n,), increasing, n >= 1.
        y: float64 (n,), finite.
    """

    name: str
    x: Floats
    y: Floats


def chart(
    series: Sequence[Series], width: int, height: int, x_label: str, y_label: str, log_note: str = "log"
) -> list[str]:
    """Draw curves over one pair of axes: the first as a line of dots, the others as marks.

    Args:
        series: at least one.
        width: display cells of a line.
        height: lines of the drawing area, at least 2.
        x_label: stands below on the right.
        y_label: stands above on the left.
        log_note: said after the label of an axis that is logarithmic.

    Returns:
        Lines without trailing spaces.
    """
    values = np.concatenate([s.y for s in series])
    logarithmic = bool(values.min() > 0 and values.max() >= _LOG_FROM * values.min())
    left, right = min(float(s.x[0]) for s in series), max(float(s.x[-1]) for s in series)
    log_x = left > 0 and right >= _LOG_X_FROM * left
    scaled = [Series(s.name, np.log10(s.x) if log_x else s.x, np.log10(s.y) if logarithmic else s.y) for s in series]
    low, high = _limits(np.concatenate([s.y for s in scaled]))
    ticks = {_row(t, low, high, height): _number(10.0**t if logarithmic else t) for t in _ticks(low, high, logarithmic)}
    gutter = max(map(len, ticks.values()), default=0)
    ends = (math.log10(left), math.log10(right)) if log_x else (left, right)
    cells = max(8, width - gutter - 2)
    first, *others = (Series(s.name, _positions(s.x, *ends), (s.y - low) / (high - low)) for s in scaled)
    area = _line(first, cells, height)
    for mark, other in zip(_MARKS, others, strict=False):
        _put_marks(area, other, mark)
    lines = [f"{y_label} ({log_note})" if logarithmic else y_label]
    for number, row in enumerate(area):
        lines.append(f"{ticks.get(number, ''):>{gutter}} {'┤' if number in ticks else '│'}{''.join(row)}".rstrip())
    lines += _axis(left, right, cells, gutter, f"{x_label} ({log_note})" if log_x else x_label)
    if others:
        legend = [f"{mark} {s.name}" for mark, s in zip("⣀" + _MARKS, series, strict=False)]
        lines.append(" " * (gutter + 2) + "   ".join(legend))
    return lines


def _limits(values: Floats) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    room = 0.02 * (high - low) or 0.5 * abs(high) or 0.5
    return low - room, high + room


def _positions(x: Floats, left: float, right: float) -> Floats:
    return (x - left) / (right - left) if right > left else np.zeros_like(x)


def _row(value: float, low: float, high: float, height: int) -> int:
    return min(height - 1, int((high - value) / (high - low) * height))


def _line(series: Series, cells: int, height: int) -> list[list[str]]:
    """Draw one curve; positions and values run from 0 to 1."""
    columns, rows = 2 * cells, 4 * height
    dots = np.zeros((rows, columns), bool)
    column = np.minimum((series.x * columns).astype(int), columns - 1)
    level = np.minimum(((1 - series.y) * rows).astype(int), rows - 1)
    last = None
    for c in range(int(column[0]), int(column[-1]) + 1):
        inside = level[column == c]
        if not inside.size:  # between two samples the curve is straight
            at = np.interp((c + 0.5) / columns, series.x, series.y)
            inside = np.array([min(int((1 - at) * rows), rows - 1)])
        top, bottom = int(inside.min()), int(inside.max())
        if last is not None:  # no gap to the column before
            top, bottom = min(top, last + 1), max(bottom, last - 1)
        dots[top : bottom + 1, c] = True
        last = int(inside[-1])
    bits = (dots.reshape(height, 4, cells, 2) * _DOTS[None, :, None, :]).sum(axis=(1, 3))
    return [[chr(_BLANK + int(b)) if b else " " for b in row] for row in bits]


def _put_marks(area: list[list[str]], series: Series, mark: str) -> None:
    height, cells = len(area), len(area[0])
    wanted = np.arange(0, cells, _MARK_EVERY) + 0.5
    if len(series.x) <= len(wanted):
        wanted = series.x * cells
    for place in wanted:
        level = np.interp(place / cells, series.x, series.y)
        area[min(int((1 - level) * height), height - 1)][min(int(place), cells - 1)] = mark


def _ticks(low: float, high: float, logarithmic: bool) -> list[float]:
    """Round values between the limits, two at least where the limits leave room."""
    if logarithmic and math.floor(high) - math.ceil(low) >= 1:
        exponents = range(math.ceil(low), math.floor(high) + 1)
        return [float(e) for e in exponents][:: max(1, len(exponents) // 5)]
    if logarithmic:
        rounds = [math.log10(m) + e for e in range(math.floor(low), math.ceil(high) + 1) for m in (1, 2, 5)]
        return [t for t in rounds if low <= t <= high]
    raw = (high - low) / 4
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(m * unit for m in (1, 2, 5, 10) if m * unit >= raw)
    return [k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _axis(left: float, right: float, cells: int, gutter: int, label: str) -> list[str]:
    start, end = _number(left), _number(right)
    between = cells - len(start) - len(end)
    label_room = between - cell_len(label)
    middle = (
        " " * (label_room // 2) + label + " " * (label_room - label_room // 2)
        if label_room >= 2
        else " " * max(1, between)
    )
    lead = " " * (gutter + 1)
    return [f"{lead}└{'─' * cells}", f"{lead} {start}{middle}{end}"]


def _number(value: float) -> str:
    """A short number: 10,000, 0.05, 1e-05."""
    if value == 0 or abs(value) < 1e-12:
        return "0"
    text = f"{value:,.0f}" if abs(value) >= 1000 and abs(value) < 1e7 else f"{value:.3g}"
    return text.replace("-", "−") if "e" not in text else text
