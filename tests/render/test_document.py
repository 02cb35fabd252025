"""Blocks hold what they are given, normalised once, and refuse what no writer could render."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from graphlearn.errors import OptionError
from graphlearn.render.document import Document, Formula, Heading, Math, Row, Sentence, Step, Table, pieces, plain

X = Math("x₁", "x_{1}")


def test_pieces_accept_one_or_many_and_drop_nothing_but_emptiness() -> None:
    assert pieces("a") == ("a",)
    assert pieces(X) == (X,)
    assert pieces(["a ", X, "", " b"]) == ("a ", X, " b")
    assert plain(["a ", X, " b"]) == "a x₁ b"
    assert plain(()) == ""


def test_a_piece_of_another_type_is_refused() -> None:
    with pytest.raises(TypeError, match="got int"):
        pieces(["a", 3])  # type: ignore[list-item]


def test_blocks_are_immutable_and_comparable() -> None:
    blocks = [Sentence("a"), Sentence("b")]
    document = Document("t", blocks)
    blocks.append(Sentence("c"))
    assert document == Document(("t",), (Sentence(("a",)), Sentence("b")))
    with pytest.raises(FrozenInstanceError):
        document.language = "ko"  # type: ignore[misc]


def test_formula_needs_a_row() -> None:
    with pytest.raises(OptionError, match="at least one row"):
        Formula([])


def test_heading_levels() -> None:
    with pytest.raises(OptionError, match="level 1, 2 or 3; got 4"):
        Heading("a", 4)


def test_a_step_holds_no_steps_or_headings() -> None:
    inner = Step(2, "b", [Formula([Row(right=X)])])
    with pytest.raises(OptionError, match="step 1 holds a Step"):
        Step(1, "a", [inner])  # type: ignore[list-item]


def test_table_rows_and_alignments_must_fit() -> None:
    with pytest.raises(OptionError, match="row 1 needs 2 cells; got 1"):
        Table(("a", "b"), [("1", "2"), ("1",)])
    with pytest.raises(OptionError, match="2 columns needs 2 of"):
        Table(("a", "b"), [], ("left",))
    with pytest.raises(OptionError, match="middle"):
        Table(("a",), [], ("middle",))  # type: ignore[arg-type]
    assert Table(("a", "b"), []).alignments == ("left", "left")
