"""Numbers are shown as a person writes them, and never as something less true."""

from __future__ import annotations

import re

import numpy as np
import pytest
from rich.cells import cell_len

from graphlearn.errors import DTypeError, OptionError
from graphlearn.render.numbers import array_math, format_array, format_number, latex_array, latex_number


@pytest.mark.parametrize(
    ("number", "text", "latex"),
    [
        (0, "0", "0"),
        (0.0, "0", "0"),
        (-0.0, "0", "0"),
        (1.0, "1", "1"),
        (-3, "−3", "-3"),
        (0.5, "0.5000", "0.5000"),
        (-0.12417, "−0.1242", "-0.1242"),
        (0.0016, "0.0016", "0.0016"),
        (0.00031, "3.1×10⁻⁴", r"3.1 \times 10^{-4}"),
        (1.2e-9, "1.2×10⁻⁹", r"1.2 \times 10^{-9}"),
        (-1.23456e-9, "−1.235×10⁻⁹", r"-1.235 \times 10^{-9}"),
        (1234.5678, "1234.568", "1234.568"),
        (123456.78, "123456.8", "123456.8"),
        (1.5e6, "1.5×10⁶", r"1.5 \times 10^{6}"),
        (5e-324, "4.941×10⁻³²⁴", r"4.941 \times 10^{-324}"),
        (float("nan"), "NaN", r"\mathrm{NaN}"),
        (float("inf"), "∞", r"\infty"),
        (float("-inf"), "−∞", r"-\infty"),
        (True, "true", r"\mathrm{true}"),
        (np.False_, "false", r"\mathrm{false}"),
        (np.float32(0.1), "0.1000", "0.1000"),
        (np.int8(-5), "−5", "-5"),
        (np.array(2.5), "2.5000", "2.5000"),
        (123456789012345, "123456789012345", "123456789012345"),
        (10**400, "1×10⁴⁰⁰", r"1 \times 10^{400}"),
    ],
)
def test_one_number(number: object, text: str, latex: str) -> None:
    assert format_number(number) == text
    assert latex_number(number) == latex


def test_digits() -> None:
    assert format_number(0.69988412, 6) == "0.699884"
    assert format_number(0.69988412, 1) == "0.7"
    for digits in (0, 16):
        with pytest.raises(OptionError, match="between 1 and 15"):
            format_number(0.5, digits)


def test_nothing_but_zero_looks_like_zero() -> None:
    generator = np.random.default_rng(0)
    numbers = generator.normal(size=4000) * 10.0 ** generator.integers(-30, 30, size=4000)
    for group in (numbers[:2000].reshape(-1, 1), numbers[2000:].reshape(-1, 4)):
        for row in group:
            for text in re.findall(r"[−0-9.×⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+", format_array(row)):
                assert re.search("[1-9]", text), (row, text)


def test_shown_numbers_are_close_to_the_truth() -> None:
    generator = np.random.default_rng(1)
    superscripts = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    for number in generator.normal(size=500) * 10.0 ** generator.integers(-12, 12, size=500):
        text = format_number(number).replace("−", "-").translate(superscripts).replace("×10", "e")
        assert float(text) == pytest.approx(number, rel=0.05, abs=5.1e-5)


def test_scalars_are_bare_vectors_have_one_bracket_matrices_have_rows() -> None:
    assert format_array(0.135) == "0.1350"
    assert format_array([0.0269, -0.0416]) == "[ 0.0269  −0.0416 ]"
    assert format_array([[0.135], [-0.1242], [-0.0899], [0.1474]]) == "[  0.1350 │ −0.1242 │ −0.0899 │  0.1474 ]"
    assert format_array([[1.0, 0.0], [0.0, 1.0]]) == "[ 1  0 │ 0  1 ]"
    assert format_array([[True, False]]) == "[ true  false ]"
    assert latex_array([[0.5, -1], [0, 1e-9]]) == (
        r"\begin{bmatrix} 0.5000 & -1.0000 \\ 0 & 1 \times 10^{-9} \end{bmatrix}"
    )


def test_columns_are_aligned_at_the_point() -> None:
    text = format_array([[1.5, 0], [-300.25, 1e-7], [np.nan, np.inf]])
    rows = text[2:].split(" │ ")
    assert rows[0].find(".") == rows[1].find(".") == 4
    assert text == "[    1.5000  0      │ −300.2500  1×10⁻⁷ │  NaN       ∞ ]"


def test_long_arrays_are_shown_by_corner_entries_and_shape() -> None:
    matrix = np.arange(1000 * 784, dtype=float).reshape(1000, 784) / 1000
    text = format_array(matrix)
    assert text.endswith("]₁₀₀₀ₓ₇₈₄")
    assert text.startswith("[ ") and "…" in text
    assert "783.999" in text and "0.783" in text
    assert cell_len(text) <= 240
    assert latex_array(matrix).endswith(r"\end{bmatrix}_{1000 \times 784}")
    assert r"\vdots" in latex_array(matrix) and r"\cdots" in latex_array(matrix)
    assert format_array(np.arange(3000)).endswith("2998  2999 ]₃₀₀₀")


@pytest.mark.parametrize("width", [20, 40, 80, 240])
@pytest.mark.parametrize("shape", [(7,), (40,), (5, 5), (300, 2), (2, 300), (2, 3, 4)])
def test_width_is_kept(shape: tuple[int, ...], width: int) -> None:
    values = np.random.default_rng(2).normal(size=shape)
    text = format_array(values, width=width)
    smallest = format_array(values, width=1)  # what is shown at least
    assert cell_len(text) <= max(width, cell_len(smallest))
    assert "[" in text and text.count("[") == text.count("]") == 1


def test_higher_rank_shows_first_and_last_entries_and_shape() -> None:
    assert format_array(np.arange(1, 25).reshape(2, 3, 4), width=30) == "[ 1  2  …  23  24 ]₂ₓ₃ₓ₄"
    text = format_array(np.arange(1, 25).reshape(2, 3, 4))
    assert text == "[ 1  2  3  4  5  …  20  21  22  23  24 ]₂ₓ₃ₓ₄"


def test_empty_arrays_keep_their_shape() -> None:
    assert format_array(np.zeros((0, 3))) == "[ ]₀ₓ₃"
    assert format_array(np.zeros(0)) == "[ ]₀"
    assert format_array(np.zeros((3, 0))) == "[ ]₃ₓ₀"
    assert array_math(np.zeros((0, 3))).latex == r"\begin{bmatrix} \end{bmatrix}_{0 \times 3}"


@pytest.mark.parametrize("bad", [1j, "one", None, [1j], ["a"], [[1], [None]]])
def test_what_is_no_real_number_is_refused(bad: object) -> None:
    with pytest.raises(DTypeError, match="Convert the array first"):
        format_array(bad)
    with pytest.raises(DTypeError):
        format_number(bad)


def test_an_array_is_not_one_number() -> None:
    with pytest.raises(DTypeError, match="Use format_array"):
        format_number([1.0, 2.0])
