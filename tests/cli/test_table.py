"""CSV files, and errors that name the line and the column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from graphlearn.cli.table import Table, numbers, read_table, without_gaps
from graphlearn.errors import DataError, OptionError, UnknownNameError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data.csv"


def read(path: Path, text: str | bytes, delimiter: str = ",") -> Table:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_table(path, delimiter)


def test_a_table_of_numbers(path: Path) -> None:
    table = read(path, "a,b\n1,2\n 3 ,4e-1\n")
    assert table.header == ("a", "b")
    assert table.lines == (2, 3)
    np.testing.assert_array_equal(numbers(table, ["b", "a"]), [[2, 1], [0.4, 3]])


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffa,b\n1,2\n",  # the mark that Excel writes at the beginning
        "a,b\r\n1,2\r\n",
        "a,b\n\n1,2\n\n,\n",
        '"a","b"\n"1","2"',
    ],
)
def test_what_other_programs_write_is_read(path: Path, text: str) -> None:
    np.testing.assert_array_equal(numbers(read(path, text), ["a", "b"]), [[1, 2]])


def test_quoted_cells_may_hold_delimiters_quotes_and_lines(path: Path) -> None:
    table = read(path, 'name,n\n"a, ""b""\nc",1\nd,2\n')
    assert table.column("name", "--target") == ('a, "b"\nc', "d")
    assert table.lines == (3, 4)  # a row that spans lines is named by its last


def test_another_delimiter(path: Path) -> None:
    assert read(path, "a;b\n1;2\n", ";").header == ("a", "b")
    with pytest.raises(OptionError, match=r"one character.*got ';;'"):
        read_table(path, ";;")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"data.csv is empty. It needs a line with the names"),
        ("\n\n", r"data.csv is empty"),
        ("a,b\n", r"has a header and no rows"),
        ("1,2\n3,4\n", r"needs a first line with the names of the columns; it holds numbers"),
        ("a,a\n1,2\n", r"two columns are called 'a'. Rename"),
        ("a,\n1,2\n", r"line 1: column 2 has no name"),
        ("a,b\n1,2\n3\n", r"line 3: 1 cell, where the header has 2"),
        ("a,b\n1,2,3\n", r"line 2: 3 cells, where the header has 2"),
        ("a;b\n1;2\n", r"seems to have ';' between its cells. Add --delimiter ';'"),
        ("a\tb\n1\t2\n", r"seems to have tab between its cells. Add --delimiter"),
        ('a,b\n1,"2\n', r"line 2: .*Mend the quotes"),
        (b"a,b\n1,\xff\n", r"UTF-8; byte 6 is not. Save it as CSV UTF-8"),
    ],
)
def test_a_file_that_is_no_table_is_refused(path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(path, text)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["1", "", "3"], r"data.csv, line 3, column 2 \('b'\): an empty cell, where a finite .* --drop-missing"),
        (["1", "2", "NA"], r"line 4, column 2 \('b'\): 'NA', where .* --drop-missing"),
        (["nan", "2", "nan"], r"line 2, .*: 'nan' \(2 such cells in the column\)"),
        (["1", "-inf", "3"], r"line 3, .*: '-inf', where a finite number is needed. Mend"),
        (["1", "2", "3 cm"], r"line 4, .*: '3 cm', .* Mend the cell, drop the row"),
        (["1", "2", "1_000"], r"line 4, .*: '1_000'"),
        (["1", "1e999", "2"], r"line 3, .*: '1e999', where a finite number"),
        (["red", "blue", "red"], r"line 2, .*: 'red' \(3 such cells.* column is text: leave it out with --ignore b"),
        (["x" * 100, "1", "2"], r"'x{40}…'"),
    ],
)
def test_a_bad_cell_is_named_with_its_cure(path: Path, cells: list[str], message: str) -> None:
    table = read(path, "a,b\n" + "".join(f"0,{cell}\n" for cell in cells))
    with pytest.raises(DataError, match=message):
        numbers(table, ["a", "b"])
    with pytest.raises(DataError) as caught:
        numbers(table, ["b"], options=False)
    assert "--" not in str(caught.value)


def test_rows_with_gaps_can_be_left_out(path: Path) -> None:
    table = read(path, "a,b,c\n1,2,x\nNA,3,x\n4,?,x\n5,6,\n")
    kept = without_gaps(table, ["a", "b"])
    np.testing.assert_array_equal(numbers(kept, ["a", "b"]), [[1, 2], [5, 6]])
    assert kept.lines == (2, 5)
    with pytest.raises(DataError, match="no row without a gap"):
        without_gaps(read(path, "a,b\n1,\n,2\n"), ["a", "b"])


def test_an_unknown_column_is_told_the_nearest(path: Path) -> None:
    table = read(path, "length,width\n1,2\n")
    with pytest.raises(UnknownNameError, match=r"--target needs .*'lenght'.*'length', 'width'. Did you mean 'length'"):
        table.column("lenght", "--target")
