"""Sentences and rows that a careful reader could catch lying: kinks, repeated operands, equal adjoints."""

from __future__ import annotations

import numpy as np
import pytest

import graphlearn as gl


def text(output: gl.Node, wrt: list[gl.Node], at: dict[gl.Node, object] | None = None) -> str:
    return " ".join(gl.derive(output.named("L"), wrt, at=at or {}).to_text(width=200).split())


@pytest.mark.parametrize(
    ("function", "value"),
    [(gl.abs, 0.0), (gl.relu, 0.0), (gl.log, -1.0), (gl.max, [1.0, 3.0, 3.0]), (gl.exp, 800.0), (gl.sqrt, 0.0)],
)
def test_at_kinks_ties_and_singular_points_nothing_is_read(function: object, value: object) -> None:
    v = gl.parameter("v", value=value)
    assert "Reading" not in text(function(v), [v])  # type: ignore[operator]


@pytest.mark.parametrize("value", [1e-8, 1e-3, 0.3, 2.0, 1e5])
def test_a_step_is_small_enough_for_what_is_said(value: float) -> None:
    v = gl.parameter("v", value=value)
    said = text(v**3, [v]).split("Reading: ")[1]
    step, change = (
        float(number.replace("−", "-").replace("×10", "e").translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")))
        for number in (said.split("by ")[1].split()[0], said.split("about ")[1].split(";")[0])
    )
    assert (value + step) ** 3 - value**3 == pytest.approx(change, rel=0.11)


def test_a_flat_place_is_told_from_a_kink() -> None:
    v = gl.parameter("v", value=0.0)
    assert "v does not change L to first order" in text(v * v, [v])


def test_what_is_no_parameter_is_not_moved_by_descent() -> None:
    v = gl.input("v")
    said = text(gl.exp(v), [v], {v: 1.0})
    assert "moving v by +0.01 changes L by about" in said
    assert "descent" not in said


def test_an_operand_that_stands_twice_is_told_by_its_place() -> None:
    k = gl.parameter("k", value=2.0)
    said = text(k * k * k, [k])
    assert "through operand 1 of t₁" in said
    assert "through operand 2 of t₁" in said
    assert "∂t₁/∂k" not in said  # which is 2k, not the k of one operand
    assert "∂L/∂k = 3·t₁" in said


def test_each_path_to_a_matrix_has_its_own_index_form() -> None:
    x, w = gl.input("x", (3, 2)), gl.parameter("w", value=[[0.1, 0.2], [0.3, 0.4]])
    said = text(gl.mean(gl.tanh(gl.tanh(x @ w) @ w)), [w], {x: np.ones((3, 2))})
    assert "so share₁[j,k] = Σₙ t₂[n,j] ∂L/∂t₃[n,k]." in said
    assert "so share₂[j,k] = Σₙ x[n,j] ∂L/∂t₁[n,k]." in said
    assert "1 / 6 is the derivative of L by each entry of tanh(t₃)." in said


def test_an_array_of_one_number_is_an_array_where_a_matrix_is_needed() -> None:
    x, w, b = gl.input("x", ("batch", 2)), gl.parameter("w", value=[[1.0], [2.0]]), gl.parameter("b", value=[0.5])
    at = {x: [[1.0, 2.0], [3.0, -1.0]]}
    total = text(gl.sum(x @ w + b), [w, b], at)
    assert "∂L/∂w = xᵀ 𝟙" in total
    assert "∂L/∂b = Σₙ 1 " in total
    assert "Σₙ x[n,j] 1." in total
    assert "∂L/∂w = xᵀ ((1 / N)·𝟙)" in text(gl.mean(x @ w), [w], at)


def test_equal_adjoints_are_called_by_where_they_come_from() -> None:
    a, b = gl.parameter("a", value=2.0), gl.parameter("b", value=3.0)
    u = (a * b).named("u")
    said = text(u * gl.sin(u) + gl.relu(a) * u, [a, b])
    assert "∂L/∂t₁ = ∂L/∂t₃" not in said  # both are u, which is no use of the chain rule
    assert "∂L/∂t₁·cos(u)" in said


def test_numbers_of_a_product_become_one() -> None:
    x, t, w = gl.input("x", ("batch", 2)), gl.input("t", ("batch", 1)), gl.parameter("w", value=[[1.0], [2.0]])
    y = (x @ w).named("y")
    at = {x: [[1.0, 2.0], [3.0, -1.0]], t: [[1.0], [0.0]]}
    said = text(gl.mean(0.5 * gl.square(y - t)), [w], at)
    assert "= t₁ / N " in said
    assert "numbers multiplied" in said


def test_a_power_that_is_no_zeroth_has_no_footnote() -> None:
    v, e = gl.parameter("v", value=2.0), gl.parameter("e", value=1.5)
    assert "x⁰" not in text(v**2, [v])
    assert "x⁰" in text(v**e, [v, e])
