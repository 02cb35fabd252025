"""The command line as a process: exit codes, one-paragraph errors, help."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import graphlearn as gl
from graphlearn.cli import app, main
from graphlearn.errors import DataError

Captured = pytest.CaptureFixture[str]
COMMANDS = ("demo", "derive", "draw", "train", "predict", "cache")


def start(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "graphlearn", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", **options,
    )  # fmt: skip


def test_the_version(capsys: Captured) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"graphlearn {gl.__version__}\n"


def test_help_lists_and_explains_every_command(capsys: Captured) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    overview = capsys.readouterr().out
    for command in COMMANDS:
        assert f"\n    {command} " in overview
        with pytest.raises(SystemExit) as caught:
            main([command, "--help"])
        assert caught.value.code == 0
        assert "--language {en,ko}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [[], ["dmeo"],
      ["derive"], ["draw", "x"], ["train", "x.csv"], ["demo", "--language", "fr"], ["demo", "--width", "5"],
     ["train", "x.csv", "--target", "y", "-o", "n", "--layers", "8,0"], ["cache", "burn"]],
)  # fmt: skip
def test_what_cannot_be_read_is_answered_with_the_usage(arguments: list[str], capsys: Captured) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: graphlearn")


def test_an_error_is_one_wrapped_paragraph(capsys: Captured) -> None:
    assert main(["derive", "w*x", "--wrt", "v"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "graphlearn: --wrt names 'v', which the formula does not have. Its names are: w, x.\n"


def test_an_error_that_points_keeps_its_lines(capsys: Captured) -> None:
    assert main(["derive", "w*(x + b"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[1:] == ["  w*(x + b", "          ^"]


def test_a_missing_file_is_named(tmp_path: Path, capsys: Captured) -> None:
    assert main(["train", str(tmp_path / "no.csv"), "--target", "y", "-o", "n.safetensors"]) == 2
    assert "no.csv: No such file" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--debug", "derive", "1 +"], ["derive", "1 +", "--debug"]])
def test_debug_shows_the_traceback(arguments: list[str]) -> None:
    with pytest.raises(gl.ParseError):
        main(arguments)


def test_ctrl_c_ends_without_a_traceback(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(app.formula, "derive", interrupted)
    assert main(["derive", "x"]) == 130
    assert capsys.readouterr().err.strip() == "graphlearn: interrupted"


def test_a_fault_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(app.formula, "derive", broken)
    with pytest.raises(ZeroDivisionError):
        main(["derive", "x"])


def test_control_letters_in_an_error_reach_no_terminal(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    def refused(*_: object) -> None:
        raise DataError("the column '\x1b[2J' is missing")

    monkeypatch.setattr(app.formula, "derive", refused)
    assert main(["derive", "x"]) == 2
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="no CUDA device, and no POSIX pipe")
def test_a_reader_that_leaves_is_no_error() -> None:
    with start("derive", "tanh(a*x + b)*c + tanh(d*x + e)*f", "--at", "a=1,b=2,c=3,d=4,e=5,f=6,x=7") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert process.returncode == 141


def test_the_cache_is_told_and_cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setenv("GRAPHLEARN_CACHE_DIR", str(tmp_path))
    x = gl.input("x")
    gl.compile(gl.tanh(x) * 3.25)(x=1.0)
    assert main(["cache", "info"]) == 0
    assert "1 object," in capsys.readouterr().out
    assert main(["cache", "clear", "--language", "ko"]) == 0
    out = capsys.readouterr().out
    assert "컴파일된 코드 1개를 지웠습니다." in out
    assert "0개" in out


def test_help_does_not_wait_for_numba_or_sympy() -> None:
    code = (
        "import sys; from graphlearn.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print(sorted({'numba', 'sympy', 'scipy', 'networkx', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
