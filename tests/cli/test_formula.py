"""``graphlearn derive`` and ``draw``: formulas and values as text."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len

from graphlearn.cli import main
from graphlearn.cli.formula import read_values
from graphlearn.errors import OptionError

Captured = pytest.CaptureFixture[str]


def test_a_formula_that_cannot_be_read_is_named_before_its_values(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["derive", "__import__('os')", "--at", "x=2"]) == 2
    assert "--at names" not in capsys.readouterr().err


def test_values_are_numbers_and_arrays() -> None:
    values = read_values(["w=2, x = -.5e1", "A=[[0,1],[1,0]],v=[1,2]"])
    assert list(values) == ["w", "x", "A", "v"]
    assert values["x"] == -5
    np.testing.assert_array_equal(values["A"], [[0, 1], [1, 0]])
    assert all(value.dtype == np.float64 for value in values.values())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("w", r"NAME=NUMBER, several with commas between; got 'w'"),
        ("", r"got ''"),
        ("w=1,,x=2", r"got ''"),
        ("=3", r"got '=3'"),
        ("w=", r"number for 'w'.*; got ''"),
        ("w=two", r"number for 'w'.*; got 'two'"),
        ("w=__import__('os').getcwd()", r"number for 'w'"),
        ("w=1j", r"number for 'w'"),
        ("w=[]", r"number for 'w'"),
        ("w=[[1,2],[3]]", r"rows of one length"),
        ("w='1'", r"number for 'w'"),
        ("w=[1,2", r"number for 'w'"),
        ("w=1,w=2", r"gives 'w' twice"),
        ("w=" + "[" * 500 + "]" * 500, r"number for 'w'"),
    ],
)
def test_values_that_are_no_numbers_are_refused(text: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        read_values([text])


def test_a_derivation_with_numbers(capsys: Captured) -> None:
    assert (
        main(["derive", "sigmoid(w*x + b)", "--wrt", "w, b", "--at", "w=2,x=3", "--at", "b=-5", "--width", "80"]) == 0
    )
    out = capsys.readouterr().out
    assert "Backpropagation of y = " in out
    assert "0.5898" in out  # sigmoid'(1) * 3
    assert "0.1966" in out
    assert "∂y/∂x" not in out
    assert "✓" in out
    assert "✗" not in out
    assert max(map(cell_len, out.splitlines())) <= 80
    assert "\x1b" not in out


def test_every_name_is_differentiated_by_where_none_is_asked_for(capsys: Captured) -> None:
    assert main(["derive", "y*z"]) == 0
    out = capsys.readouterr().out
    assert "Backpropagation of f = " in out  # y is taken
    assert "∂f/∂y" in out
    assert "∂f/∂z" in out


def test_arrays_give_their_names_a_shape(capsys: Captured) -> None:
    arguments = ["derive", "mean((x @ w - t)**2)", "--wrt", "w", "--at", "x=[[1,2],[3,4]],w=[1,2],t=[0,1]"]
    assert main([*arguments, "--language", "ko"]) == 0
    out = capsys.readouterr().out
    assert "[ 35  50 ]" in out  # 2/2 xᵀ (x w - t) = xᵀ (5, 10)
    assert "역전파" in out


def test_a_derivation_is_saved(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "y.txt"
    assert main(["derive", "x**2", "--at", "x=3", "-o", str(path)]) == 0
    assert "∂y/∂x" in path.read_text(encoding="utf-8")
    assert str(path) in capsys.readouterr().out.replace("\n  ", "")
    assert main(["derive", "x**2", "-o", str(tmp_path / "y.docx")]) == 2
    assert "'y.docx'" in capsys.readouterr().err
    assert main(["derive", "x**2", "-o", str(tmp_path / "d" / "y.txt")]) == 2
    assert "--out needs a folder that is there" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["w*x", "--at", "w=1"], "x has none. Add x=... to --at."),
        (["a*b*c", "--at", "b=1"], "a, c have none. Add a=...,c=... to --at."),
        (["w*x", "--at", "w=1,x=2,z=[1,2]"], "--at names 'z', which the formula does not have. Leave it out."),
        (["w*x", "--at", "w=1,x=2,z=1"], "--at names 'z', which the formula does not have. Leave it out."),
        (["softmax(x)", "--at", "x=[1,2]"], "this one has the shape (2,). Put sum(...) or mean(...) around it."),
        (["x > 1"], "this one is bool. Choose by it: where(x > 0, a, b)."),
        (["exp*2"], "exp is a function; write exp(...), or give the input another name"),
        (["3"], "derive needs a formula with a name to differentiate by; got '3'."),
        (["w*x", "--wrt", "w,q"], "--wrt names 'q'"),
        (["w @ x", "--at", "w=[1,2],x=[1,2,3]"], "matmul"),
        (["w*x", "--at", "w=[1,2],x=3"], "a single number"),
        (["1 + 2"], "needs a formula with a name to differentiate by"),
    ],
)
def test_a_formula_that_cannot_be_derived_is_one_paragraph(
    arguments: list[str], message: str, capsys: Captured
) -> None:
    assert main(["derive", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    said = " ".join(captured.err.split())
    assert message in said
    assert not re.search(r"\bgl\.|\w+=(?!\.\.\.)\{|wrt=|shapes=|array\}", said)  # the command line, not Python


def test_gradients_in_a_diagram_need_a_single_number(tmp_path: Path, capsys: Captured) -> None:
    arguments = ["draw", "softmax(x)", "--at", "x=[1,2]", "-o", str(tmp_path / "y.svg")]
    assert main([*arguments, "--wrt", "x"]) == 2
    assert "Put sum(...) or mean(...) around it" in " ".join(capsys.readouterr().err.split())
    assert main(arguments) == 0


def test_a_name_alone_has_the_derivative_one(capsys: Captured) -> None:
    assert main(["derive", "x", "--at", "x=4"]) == 0
    assert "∂x/∂x" in capsys.readouterr().out


@pytest.mark.parametrize("options", [[], ["--at", "w=2,x=3,b=-5"], ["--at", "w=2,x=3,b=-5", "--wrt", "w,b"]])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_diagram_is_saved(options: list[str], language: str, tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "y.svg"
    assert main(["draw", "sigmoid(w*x + b)", "-o", str(path), "--language", language, *options]) == 0
    text = path.read_text(encoding="utf-8")
    ET.fromstring(text)
    assert ("0.7311" in text) == bool(options)
    assert ("0.5898" in text) == ("--wrt" in options)
    assert str(path) in capsys.readouterr().out.replace("\n  ", "")
    assert list(tmp_path.iterdir()) == [path]
