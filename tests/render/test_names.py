"""Names are shown with subscripts and Greek letters, and nothing in them can break out of LaTeX or a terminal."""

from __future__ import annotations

import re

import pytest

from graphlearn.render.escape import latex_text, printable
from graphlearn.render.names import display_name, latex_name, name_math, subscript, superscript


@pytest.mark.parametrize(
    ("name", "text", "latex"),
    [
        ("z1", "z₁", "z_{1}"),
        ("W2", "W₂", "W_{2}"),
        ("L", "L", "L"),
        ("t12", "t₁₂", "t_{12}"),
        ("z₁", "z₁", "z_{1}"),
        ("loss", "loss", r"\mathrm{loss}"),
        ("hidden1", "hidden₁", r"\mathrm{hidden}_{1}"),
        ("hidden1/W", "hidden1/W", r"\mathrm{hidden1/W}"),
        ("hidden1/W2", "hidden1/W₂", r"\mathrm{hidden1/W}_{2}"),
        ("alpha", "α", r"\alpha"),
        ("sigma2", "σ₂", r"\sigma_{2}"),
        ("σ2", "σ₂", r"\sigma_{2}"),
        ("Omega", "Ω", r"\Omega"),
        ("norm/gamma", "norm/γ", r"\mathrm{norm/}\gamma"),
        ("alphabet", "alphabet", r"\mathrm{alphabet}"),
        ("Alpha", "Alpha", r"\mathrm{Alpha}"),
        ("w_1", "w_1", r"\mathrm{w\_1}"),
        ("y_pred", "y_pred", r"\mathrm{y\_pred}"),
        ("은닉1", "은닉₁", r"\text{은닉}_{1}"),
        ("a b", "a b", r"\text{a b}"),
        ("W2[0,1]", "W₂[0,1]", "W_{2}[0,1]"),
        ("layer/sigma[12]", "layer/σ[12]", r"\mathrm{layer/}\sigma[12]"),
        ("w_1[3]", "w_1[3]", r"\mathrm{w\_1}[3]"),
        ("7", "7", r"\mathrm{7}"),
        ("", "", r"\text{}"),
    ],
)
def test_a_name(name: str, text: str, latex: str) -> None:
    assert display_name(name) == text
    assert latex_name(name) == latex
    assert name_math(name).text == text and name_math(name).latex == latex


def test_different_names_stay_different() -> None:
    stems = ["w", "w_", "alpha", "hidden", "h/w", "h/w_", "W", "한글", "a b"]
    names = [stem + index for stem in stems for index in ("", "1", "01", "10", "_1", "1_")]
    assert len({display_name(name) for name in names}) == len(set(names))
    assert len({latex_name(name) for name in names}) == len(set(names))


@pytest.mark.parametrize(
    "name", [r"\input{x}", "a}b{c", "x^2", "50%", "$x$", "a&b", "#1", "~", r"\\", "a\nb", "\x1b[31m"]
)
def test_hostile_names_are_escaped_in_latex(name: str) -> None:
    latex = latex_name(name)
    inside = re.fullmatch(r"\\(?:text|mathrm)\{(.*)\}(?:_\{\d+\})?", latex)
    assert inside is not None, latex
    rest = re.sub(r"\\(?:textbackslash|textasciicircum|textasciitilde)\{\}|\\[{}_#$%&]", "", inside[1])
    assert not re.search(r"[\\{}$%#&^~\n\x1b]", rest), latex


def test_printable_spells_control_characters() -> None:
    assert printable("a\nb\t\x1b[31m\x00\x9b\u2028\ud800") == r"a\nb\t\x1b[31m\x00\x9b\u2028\ud800"
    assert printable("가 α ₁ 😀") == "가 α ₁ 😀"
    assert latex_text("a_b") == r"a\_b"


def test_scripts() -> None:
    assert subscript("10x28") == "₁₀ₓ₂₈"
    assert superscript("-12") == "⁻¹²"
