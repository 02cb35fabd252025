"""What every command prints: the same heads, tables that hold anything, no colour into a pipe."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from graphlearn.cli.page import Page, prepare_streams


def test_a_title_is_as_wide_as_the_page_also_in_korean(capsys: pytest.CaptureFixture[str]) -> None:
    Page(60).title("붓꽃: 소프트맥스 신경망", "3부 중 3부")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == lines[2] == "━" * 60
    assert cell_len(lines[1]) == 59
    assert lines[3] == ""


def test_a_title_too_long_for_its_line_puts_the_aside_below(capsys: pytest.CaptureFixture[str]) -> None:
    Page(40).title("a title that fills its line quite", "an aside")
    lines = capsys.readouterr().out.splitlines()
    assert all(cell_len(line) <= 40 for line in lines)
    assert lines[-3].strip() == "an aside"


@pytest.mark.parametrize("width", [20, 40, 80, 120])
def test_paragraphs_wrap_at_the_width(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    page = Page(width)
    page.heading("학습 Training")
    page.say("The quick brown fox " * 20)
    page.say("모든 값과 기울기를 적은 계산 그래프 " * 20)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(cell_len, lines)) <= width
    assert all(line.startswith("  ") for line in lines[2:] if line)


def test_what_a_user_wrote_is_printed_as_it_is_and_controls_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    page = Page(80)
    page.table(["[w]", "b"], [["[red]x[/red]", ":smile:"], ["\x1b[31mred", "a\nb"]], "lr")
    page.say("[bold]\x1b]0;title\x07")
    out = capsys.readouterr().out
    assert "[w]" in out
    assert "[red]x[/red]" in out
    assert ":smile:" in out
    assert "\x1b" not in out
    assert "\x07" not in out


def test_columns_are_aligned_by_cells(capsys: pytest.CaptureFixture[str]) -> None:
    Page(80).table(["이름", "수"], [["가나다", "1"], ["abc", "1000"]], "lr")
    lines = [line for line in capsys.readouterr().out.splitlines() if line]
    assert len({cell_len(line) for line in lines}) == 1


def test_a_table_folds_where_the_page_is_narrow(capsys: pytest.CaptureFixture[str]) -> None:
    Page(30).table(["name", "text"], [["a", "letters " * 20]], "ll")
    lines = capsys.readouterr().out.splitlines()
    assert max(map(cell_len, lines)) <= 30
    assert "".join(lines).count("letters") + "".join(lines).count("letter") >= 20


def test_names_that_are_paths_stay_whole(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("a/" * 20 + "x.svg", "그림"), ("b.txt", "text")]
    Page(80).pairs(rows)
    assert capsys.readouterr().out == f"  {'a/' * 20}x.svg   그림\n  b.txt{' ' * 43}text\n\n"
    Page(40).pairs(rows)
    assert capsys.readouterr().out == f"  {'a/' * 20}x.svg\n    그림\n  b.txt\n    text\n\n"


def test_colour_only_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    page = Page(80)
    page.heading("Loss")
    page.verbatim("✓ right\n✗ wrong")
    with page.busy("compiling"):
        pass
    page.gap()
    assert "\x1b" not in capsys.readouterr().out
    assert not page.live
    page.console = Console(file=io.StringIO(), force_terminal=True, width=80, color_system="standard", markup=False)
    page.verbatim("✓ right\n✗ wrong")
    assert page.console.file.getvalue().count("\x1b[32m") == 1  # type: ignore[attr-defined]
    assert page.console.file.getvalue().count("\x1b[31m") == 1  # type: ignore[attr-defined]


def test_a_pipe_with_an_old_code_page_gets_utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="cp1252")
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.setattr("sys.stderr", io.StringIO())
    prepare_streams()
    print("∂L/∂W₁ 기울기", file=stream, flush=True)
    assert raw.getvalue().decode("utf-8").rstrip() == "∂L/∂W₁ 기울기"
