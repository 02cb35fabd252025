"""Whether a column asks for a class or for a number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from graphlearn.cli.table import Table
from graphlearn.cli.target import read_target
from graphlearn.errors import DataError, UnknownNameError


def column(*cells: object) -> Table:
    rows = tuple((str(cell),) for cell in cells)
    return Table(Path("data.csv"), ("y",), rows, tuple(range(2, len(rows) + 2)))


def test_text_asks_for_a_class() -> None:
    target = read_target(column("b", "a", "b", "a"), "y")
    assert target.classes == ("a", "b")
    assert target.values.tolist() == [1, 0, 1, 0]
    assert target.values.dtype == np.int64
    assert target.reason == "task.text"


def test_a_few_whole_numbers_ask_for_a_class_in_their_order() -> None:
    target = read_target(column(*[2, 10, 1] * 5), "y")
    assert target.classes == ("1", "2", "10")
    assert target.values[:3].tolist() == [1, 2, 0]
    assert target.reason == "task.few"


def test_one_and_one_point_nought_are_one_class() -> None:
    assert read_target(column(*["1", "1.0", "0"] * 4), "y").classes == ("0", "1")


@pytest.mark.parametrize(
    "cells",
    [
        [0.5, 1.5] * 20,  # not whole
        list(range(11)) * 10,  # too many values
        [0, 1, 2] * 4,  # too few rows of each
    ],
)
def test_other_numbers_ask_for_a_number(cells: list[float]) -> None:
    target = read_target(column(*cells), "y")
    assert target.classes == ()
    assert target.reason == "task.numbers"
    assert target.distinct == len(set(cells))
    np.testing.assert_array_equal(target.values, np.array(cells, float)[:, None])


def test_the_task_can_be_given() -> None:
    assert read_target(column(*[0, 1] * 9), "y", "regression").values.dtype == np.float64
    target = read_target(column(*[0.5, 1.5] * 9), "y", "classification")
    assert target.classes == ("0.5", "1.5")
    assert target.reason == "task.given"


@pytest.mark.parametrize(
    ("cells", "task", "message"),
    [
        (
            ["a", "b", "a", ""],
            "auto",
            r"data.csv, line 5, column 1 \('y'\): an empty cell, where every row needs a finite target",
        ),
        ([1, "NaN", 2, "NaN"], "auto", r"line 3, .*'NaN' \(2 such cells in the column\).*--drop-missing"),
        ([1, 2, "inf"], "regression", r"line 4, .*'inf'"),
        ([1, 2, 3, "4,5"], "auto", r"line 5, .*'4,5' is text, while most of the column are numbers. Mend it"),
        (["a", "b"], "regression", r"line 2, .*'a' \(2 such cells"),
        (["a", "a"], "auto", r"two classes or more; 'y' holds only 'a'"),
        (["a", "a", "b"], "auto", r"each class of 'y' needs two rows.*'b' has one \(1 of 2 classes"),
    ],
)
def test_a_target_that_cannot_be_used_is_named(cells: list[object], task: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_target(column(*cells), "y", task)


def test_a_missing_target_is_named() -> None:
    with pytest.raises(UnknownNameError, match=r"--target needs a column of data.csv; got 'z'"):
        read_target(column(1), "z")
