"""The text writer: golden pages in both languages, and the laws that hold for every document and width."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from rich.cells import cell_len

from graphlearn.errors import OptionError
from graphlearn.render import text as text_writer
from graphlearn.render.document import Document, Formula, Heading, Math, Row, Sentence, Step, Table
from graphlearn.render.layout import break_formula, pad, wrap
from graphlearn.render.numbers import format_array
from graphlearn.render.text import write_text
from tests.render import golden
from tests.render.sample import math, sample

WIDTHS = (20, 37, 50, 72, 80, 100, 120, 200)


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("width", [80, 120])
def test_golden(language: str, width: int) -> None:
    golden.check(f"derivation-{language}-{width}.txt", write_text(sample(language), width) + "\n")


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_is_too_wide_or_ends_in_a_space(language: str, width: int) -> None:
    lines = write_text(sample(language), width).splitlines()
    for line in lines:
        assert line == line.rstrip()
        assert cell_len(line) <= width or len(line.split()) == 1, line  # a single word may stick out
    assert width < 50 or max(map(cell_len, lines)) == width


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_lost_by_wrapping(width: int) -> None:
    def letters(text: str) -> list[str]:
        return sorted(character for character in text if character not in " \n─━↳")

    if width == 20:  # here the table repeats its heads in each row
        assert set(letters(write_text(sample("ko"), width))) >= set(letters(write_text(sample("ko"), 1000)))
        return
    assert letters(write_text(sample("ko"), width)) == letters(write_text(sample("ko"), 1000))


def test_the_same_document_gives_the_same_text() -> None:
    assert write_text(sample("en"), 90) == write_text(sample("en"), 90)


def test_relations_stand_below_each_other() -> None:
    rows = [
        Row(left=math("∂L/∂z₂"), right=math("a")),
        Row(left=math("한글"), right=math("b")),
        Row(right=math("c")),
    ]
    lines = write_text(Document("t", [Formula(rows)])).splitlines()[-3:]
    assert len({cell_len(line[: line.index("=")]) for line in lines}) == 1


def test_notes_and_checks_stand_in_columns() -> None:
    rows = [
        Row(left=math("a"), right=math("b"), note="one", check="✓"),
        Row(right=math("b + b"), note="하나", shape=math("(N,1)"), check="✓"),
    ]
    first, second = write_text(Document("t", [Formula(rows)]), 60).splitlines()[-2:]
    assert first.index("one") == second.index("하나")
    assert cell_len(first) == cell_len(second) == 60
    assert second.endswith("(N,1)   ✓")


def test_a_note_without_room_goes_below() -> None:
    note = "a reason that is far too long for the rest of the line"
    text = write_text(Document("t", [Formula([Row(left=math("a"), right=math("b" * 30), note=note)])]), 44)
    assert text.splitlines()[-2:] == ["      a reason that is far too long for the", "      rest of the line"]


def test_a_long_left_hand_side_gets_its_own_line() -> None:
    row = Row(left=math("left " * 8), right=math("right"))
    lines = write_text(Document("t", [Formula([row, Row(left=math("a"), right=math("b"))])]), 60).splitlines()
    assert lines[-3:] == ["  " + ("left " * 8).strip(), "    = right", "  a = b"]


def test_words_are_never_glued_or_split_at_a_formula() -> None:
    content = ["(see ", Math("x W₁ + b₁", ""), "), then ", Math("h", ""), "-th"]
    assert wrap(content, 100) == ["(see x W₁ + b₁), then h-th"]
    assert wrap(content, 12) == ["(see", "x W₁ + b₁),", "then h-th"]


def test_a_title_and_its_aside() -> None:
    lines = write_text(Document("제목", [], aside="N = 4"), 30).splitlines()
    assert lines == ["━" * 30, " 제목                   N = 4", "━" * 30]


def test_long_titles_of_steps_are_wrapped_beside_the_body() -> None:
    formula = Formula([Row(left=math("a"), right=math("b"))])
    title = "a rule with a name of many words that goes on and on"
    lines = write_text(Document("t", [Step(1, title, [formula]), Step(12, "b", [formula])]), 120).splitlines()[4:]
    assert lines[0].startswith("   1  a rule with a name") and lines[0].endswith("a = b")
    assert lines[-1].startswith("  12  b ")
    assert lines[0].index("a = b") == lines[-1].index("a = b")


@pytest.mark.parametrize("width", [30, 48, 80])
def test_arrays_are_wrapped_at_row_borders_and_aligned(width: int) -> None:
    array = format_array(np.random.default_rng(3).normal(size=(9, 2)))
    lines = break_formula(array, width)
    assert len(lines) > 1
    assert all(line.endswith("│") for line in lines[:-1]) and lines[-1].endswith("]")
    assert len({tuple(i for i, c in enumerate(line) if c == ".")[:2] for line in lines}) == 1


def test_formulas_are_broken_before_a_relation_and_after_an_operator() -> None:
    assert break_formula("aaaa bbbb = cccc dddd", 12) == ["aaaa bbbb", "= cccc dddd"]
    assert break_formula("aaaa + bbbb − cccc + dddd", 14) == ["aaaa + bbbb −", "  cccc + dddd"]
    assert break_formula("f(aaaa, bbbb, cccc, dddd)", 14) == ["f(aaaa, bbbb,", "  cccc, dddd)"]
    assert break_formula("a" * 30 + " + b", 10) == ["a" * 30, "  + b"]


def test_tables_align_by_cells() -> None:
    table = Table(("이름", "n"), [("가", "1"), ("abc", "100")], ("left", "right"))
    assert write_text(Document("t", [table]), 40).splitlines()[4:] == [
        "  이름     n",
        "  ──────────",
        "  가       1",
        "  abc    100",
    ]
    assert pad("가", 5, "center") == " 가  "


def test_user_text_cannot_command_the_terminal() -> None:
    document = Document(
        "a\x1b[31m",
        [
            Heading("b\x07"),
            Sentence("c\x9b2J d\r e"),
            Formula([Row(left=math("f\x1b"), right=math("g\x00"), note="h\x1b", shape=math("i\x1b"), check="j\x1b")]),
            Table(("k\x1b",), [("l\x1b",)]),
            Step(1, "m\x1b", [Sentence("n\x1b")]),
        ],
        aside="o\x1b",
    )
    text = write_text(document)
    assert not [
        character for character in text if (ord(character) < 32 and character != "\n") or 127 <= ord(character) < 160
    ]
    assert r"a\x1b[31m" in text and r"c\x9b2J d e" in text


def test_a_width_too_small_is_refused() -> None:
    with pytest.raises(OptionError, match="at least 20 cells; got 19"):
        write_text(sample("en"), 19)


class Terminal(io.StringIO):
    """A standard output that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.mark.parametrize(("columns", "width"), [("60", 60), ("200", 120), ("5", 20)])
def test_the_page_is_as_wide_as_the_terminal(monkeypatch: pytest.MonkeyPatch, columns: str, width: int) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    for stdout in (Terminal(), io.StringIO()):  # COLUMNS says what a pipe leads to
        monkeypatch.setattr(sys, "stdout", stdout)
        assert text_writer.page_width() == width
    assert max(map(cell_len, write_text(sample("en")).splitlines())) >= width


@pytest.mark.parametrize("columns", [None, "", "wide"])
def test_a_pipe_of_unknown_width_gets_the_widest_page(monkeypatch: pytest.MonkeyPatch, columns: str | None) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert text_writer.page_width() == 120
