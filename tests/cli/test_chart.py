"""Curves of Braille dots: where the dots are, which axes are logarithmic, and that nothing sticks out."""

from __future__ import annotations

import numpy as np
import pytest
from rich.cells import cell_len

from graphlearn.cli.chart import Series, chart


def series(y: object, name: str = "") -> Series:
    values = np.asarray(y, float)
    return Series(name, np.arange(1.0, len(values) + 1), values)


def area(lines: list[str]) -> list[str]:
    return [line.split("┤" if "┤" in line else "│", 1)[1] for line in lines if "┤" in line or "│" in line]


def test_a_falling_line_runs_from_the_upper_left_to_the_lower_right() -> None:
    lines = chart([series([2, 1, 0])], 40, 8, "step", "loss")
    rows = area(lines)
    assert len(rows) == 8
    starts = [len(row) - len(row.lstrip()) for row in rows]
    assert starts == sorted(starts)
    assert starts[0] == 0
    assert len(rows[-1].rstrip()) > 30


def test_two_dots_per_cell_and_four_per_line() -> None:
    # A line over the whole of a drawing area of one cell's height uses each column of dots once or more.
    (row,) = area(chart([series([0, 1])], 20, 1, "", ""))
    assert set(row) <= {chr(code) for code in range(0x2800, 0x2900)}
    assert len(row) >= 8


@pytest.mark.parametrize("count", [1, 2, 3, 7, 100, 10_000])
@pytest.mark.parametrize("width", [20, 40, 76, 100])
def test_lines_fit_and_have_no_space_at_their_end(count: int, width: int) -> None:
    noise = np.random.default_rng(count).uniform(0.1, 5, count)
    for lines in (
        chart([series(noise)], width, 10, "단계", "손실"),
        chart([series(noise, "학습"), series(noise[::-1], "검증")], width, 10, "단계", "손실"),
    ):
        assert [line for line in lines if line != line.rstrip()] == []
        assert max(map(cell_len, lines)) <= max(width, 24)


def test_the_vertical_axis_is_logarithmic_where_values_span_a_decade() -> None:
    assert chart([series([1.0, 0.5])], 40, 8, "x", "y", "log")[0] == "y"
    assert chart([series([1.0, 0.05])], 40, 8, "x", "y", "log")[0] == "y (log)"
    assert chart([series([1.0, 0.0])], 40, 8, "x", "y", "log")[0] == "y"
    assert chart([series([1.0, -0.001])], 40, 8, "x", "y", "log")[0] == "y"


def test_a_power_law_is_straight_between_logarithmic_axes() -> None:
    steps = np.arange(1.0, 10_001)
    lines = chart([Series("", steps, 1 / steps)], 60, 9, "step", "loss", "log")
    assert "step (log)" in lines[-1]
    starts = [len(row) - len(row.lstrip()) for row in area(lines)]
    gaps = np.diff(starts)
    assert np.ptp(gaps) <= 2, starts  # the ends are a little shorter, for the room above and below


def test_the_horizontal_axis_stays_linear_below_three_decades_and_from_zero() -> None:
    assert "log" not in chart([series(np.ones(999))], 60, 5, "step", "loss", "log")[-1]
    x = np.arange(0.0, 10_000)
    assert "log" not in chart([Series("", x, np.ones_like(x))], 60, 5, "step", "loss", "log")[-1]


def test_ticks_are_round_and_stand_at_their_height() -> None:
    lines = chart([series(np.linspace(0, 10, 50))], 40, 11, "x", "y")
    ticks = [(number, line.split("┤")[0].strip()) for number, line in enumerate(lines) if "┤" in line]
    assert [text for _, text in ticks] == ["10", "5", "0"]
    lines = chart([series(10.0 ** -np.arange(5))], 40, 11, "x", "y")
    assert [line.split("┤")[0].strip() for line in lines if "┤" in line] == ["1", "0.1", "0.01", "0.001", "0.0001"]


def test_a_constant_curve_is_a_level_line() -> None:
    for value in (0.0, 3.0, -2.0, 1e-9, 1e9):
        rows = area(chart([series(np.full(5, value))], 40, 7, "x", "y"))
        assert len([row for row in rows if row.strip()]) == 1


def test_every_sample_of_a_dense_curve_is_seen() -> None:
    spike = np.zeros(5000)
    spike[2500] = 1.0
    rows = area(chart([series(spike)], 60, 10, "x", "y"))
    assert all(row.strip() for row in rows)  # a spike of one sample reaches the top


def test_a_second_curve_is_drawn_by_marks_and_named() -> None:
    lines = chart([series([4, 3, 2], "training"), series([4, 4, 4], "test")], 50, 8, "x", "y")
    assert lines[-1].strip() == "⣀ training   ○ test"
    assert lines[1].count("○") + lines[2].count("○") == 3
