"""Bad tables and bad places for the network: `graphlearn train` says which line and column, and writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from graphlearn.cli import main

ROWS = [[str(k), str(k % 7), str(3 * k - k % 7)] for k in range(1, 21)]
TABLES: dict[str, tuple[Callable[[list[list[str]]], str], list[str]]] = {
    "an empty file": (lambda rows: "", ["t.csv is empty", "needs a line with the names of the columns"]),
    "a header alone": (lambda rows: "a,b,y\n", ["has a header and no rows", "Add a line per sample"]),
    "a missing column": (
        lambda rows: csv(rows).replace("y", "z"),
        ["--target needs a column of t.csv; got 'y'", "columns are: 'a', 'b', 'z'"],
    ),
    "text in a column of numbers": (
        lambda rows: csv([*rows[:4], ["1", "two", "3"], *rows[4:]]),
        ["t.csv, line 6, column 2 ('b'): 'two'", "a finite number is needed", "Mend the cell"],
    ),
    "NaN": (
        lambda rows: csv([*rows[:4], ["1", "nan", "3"], *rows[4:]]),
        ["t.csv, line 6, column 2 ('b'): 'nan'", "a finite number is needed", "--drop-missing"],
    ),
    "infinity": (
        lambda rows: csv([*rows[:4], ["-inf", "2", "3"], *rows[4:]]),
        ["t.csv, line 6, column 1 ('a'): '-inf'", "a finite number is needed", "Mend the cell"],
    ),
    "infinity in the target": (
        lambda rows: csv([*rows[:4], ["1", "2", "inf"], *rows[4:]]),
        ["t.csv, line 6, column 3 ('y'): 'inf'", "a finite target", "Mend the cell"],
    ),
    "a gap": (
        lambda rows: csv([*rows[:4], ["1", "", "3"], *rows[4:]]),
        ["t.csv, line 6, column 2 ('b'): an empty cell", "--drop-missing"],
    ),
    "numbers too far apart": (
        lambda rows: csv([["1.7e308", "1", "1"], ["-1.7e308", "1", "1"], *rows]),
        ["t.csv, line 2, column 1 ('a'): 1.7e+308", "-1.7e+308", "another unit"],
    ),
    "one row": (lambda rows: csv(rows[:1]), ["the table needs 3 rows or more", "it has 1"]),
}


def csv(rows: list[list[str]]) -> str:
    return "".join(",".join(cells) + "\n" for cells in [["a", "b", "y"], *rows])


def complains(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What `graphlearn train` says on standard error when it refuses, in one line."""
    assert main(["train", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("graphlearn: ") and "Traceback" not in error and "Warning" not in error
    return " ".join(error.split())


@pytest.mark.parametrize("case", TABLES)
def test_train_refuses_a_table_with(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make, said = TABLES[case]
    table = tmp_path / "t.csv"
    table.write_text(make(ROWS), encoding="utf-8")
    message = complains([str(table), "--target", "y", "-o", str(tmp_path / "net.safetensors")], capsys)
    assert [part for part in said if part not in message] == [], message
    assert list(tmp_path.iterdir()) == [table]


OUTPUTS = {
    "a folder": (".", "--out needs a file; got the folder"),
    "a file as folder": ("t.csv/net", "--out needs a place where files can be written"),
    "a folder that is missing": ("no/net.safetensors", "--out needs a folder that is there"),
    "a file of another kind": ("net.txt", "--out needs a name that ends with .safetensors; got 'net.txt'. Rename it"),
    "a file of no kind": ("net", "--out needs a name that ends with .safetensors; got 'net'. Rename it"),
    "the table itself": ("t.csv", "--out needs another file than the one that is read"),
}


@pytest.mark.parametrize("case", OUTPUTS)
def test_train_refuses_to_write_to(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name, said = OUTPUTS[case]
    table = tmp_path / "t.csv"
    table.write_text(csv(ROWS), encoding="utf-8")
    assert said in complains([str(table), "--target", "y", "-o", str(tmp_path / name)], capsys)
    assert capsys.readouterr().out == ""  # before the work, not after it
    assert table.read_text(encoding="utf-8") == csv(ROWS) and list(tmp_path.iterdir()) == [table]


def test_train_says_which_table_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = complains([str(tmp_path / "no.csv"), "--target", "y", "-o", str(tmp_path / "net.safetensors")], capsys)
    assert "no.csv: No such file" in message


def test_train_stops_where_it_diverges(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "t.csv"
    table.write_text(csv(ROWS), encoding="utf-8")
    arguments = [
        str(table),
        "--target",
        "y",
        "--layers",
        "none",
        "--learning-rate",
        "1e300",
        "-o",
        str(tmp_path / "n.safetensors"),
    ]
    message = complains(arguments, capsys)
    assert "training stopped in epoch 2: " in message and "nothing is written" in message
    assert "Try a --learning-rate smaller than 1e+300." in message and "model" not in message
    assert list(tmp_path.iterdir()) == [table]


def test_train_refuses_a_batch_larger_than_the_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "t.csv"
    table.write_text(csv(ROWS), encoding="utf-8")
    arguments = [str(table), "--target", "y", "--batch-size", "1000", "-o", str(tmp_path / "net.safetensors")]
    message = complains(arguments, capsys)
    assert "--batch-size needs at most the" in message and "got 1000" in message
    assert list(tmp_path.iterdir()) == [table]
