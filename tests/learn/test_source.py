"""`Model.source`: the code of a training in the words of its derivation, line by line."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

import numpy as np
import pytest

import graphlearn as gl
from tests.teach.commented import comments, steps_of

Trained = tuple[gl.Model, gl.optim.Optimizer]


def trained(
    model: gl.Model, data: dict[str, np.ndarray], optimizer: gl.optim.Optimizer, batch: int | None = None
) -> Trained:
    model.fit(data, optimizer=optimizer, epochs=2, batch_size=batch)
    return model, optimizer


def xor() -> Trained:
    x, t = gl.input("x", ("batch", 2)), gl.input("t", ("batch", 1))
    y = gl.nn.MLP([2, 3, 1], activation="tanh")(x)
    model = gl.Model(y, loss=gl.losses.mse(y, t).named("loss"))
    rows = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    return trained(model, {"x": rows, "t": rows[:, :1] ^ rows[:, 1:]}, gl.optim.SGD(0.5))


def softmax_classifier() -> Trained:
    x, t = gl.input("x", ("batch", 4)), gl.input("t", "batch", dtype="int64")
    z = gl.nn.MLP([4, 5, 3], activation="relu")(x)
    stream = np.random.default_rng(0)
    data = {"x": stream.normal(size=(13, 4)), "t": stream.integers(0, 3, 13)}
    return trained(gl.Model(z, loss=gl.losses.cross_entropy(z, t)), data, gl.optim.Adam(), 5)


def linear_regression() -> Trained:
    x, t = gl.input("x", ("batch", 3)), gl.input("t", ("batch", 1))
    y = x @ gl.parameter("w", (3, 1)) + gl.parameter("b", (1,))
    stream = np.random.default_rng(0)
    data = {"x": stream.normal(size=(50, 3)), "t": stream.normal(size=(50, 1))}
    return trained(gl.Model(y, loss=gl.losses.mse(y, t)), data, gl.optim.SGD(0.1))


def long_step() -> Trained:
    """A step that is too long for tiles and for straight code: products in blocks, and loops."""
    x, t = gl.input("x", ("batch", 40)), gl.input("t", ("batch", 1))
    y = gl.nn.MLP([40, 30, 1], activation="sigmoid")(x)
    stream = np.random.default_rng(0)
    data = {"x": stream.normal(size=(8, 40)), "t": stream.normal(size=(8, 1))}
    return trained(gl.Model(y, loss=gl.losses.mse(y, t)), data, gl.optim.Momentum(0.1))


def adam_without_rows() -> Trained:
    """A step of few numbers: straight code, one number at a time."""
    w = gl.parameter("w", (2,), value=[1.0, 2.0])
    return trained(gl.Model(w, loss=gl.sum((w - 3) ** 2)), {}, gl.optim.Adam())


EVERY = pytest.mark.parametrize("make", [xor, softmax_classifier, linear_regression, long_step])


@EVERY
def test_each_step_that_is_named_is_the_derivations(make: Callable[[], Trained]) -> None:
    model, _ = make()
    steps = steps_of(model.loss, model.parameters)
    named = re.findall(r"^(?:part of |for |again: )?step (\d+): (.*)$", comments(model.source), re.MULTILINE)
    assert {int(number) for number, _ in named} >= set(steps) - {1}, "a step that the code does not mention"
    for number, equation in named:
        assert equation in steps[int(number)]


@EVERY
def test_each_gradient_and_each_update_is_named(make: Callable[[], Trained]) -> None:
    model, optimizer = make()
    said = comments(model.source)
    loss = {line.split(" = ")[0] for line in steps_of(model.loss, model.parameters)[1]}.pop().split("/")[0]
    for leaf in model.parameters:
        name = leaf.full_name
        symbol = f"{loss}/∂({name})" if "/" in name else f"{loss}/∂{name}"
        assert re.search(rf"^step \d+: {re.escape(symbol)} = ", said, re.MULTILINE), symbol
        assert re.search(rf"^{re.escape(name)}′ = {re.escape(name)} − ", said, re.MULTILINE), name
    for leaf in optimizer.updates(model.loss, model.parameters).states:
        assert leaf.name in said


@EVERY
def test_every_line_stands_under_a_comment(make: Callable[[], Trained]) -> None:
    for text in re.split(r"\n(?=def )", make()[0].source):
        described = False
        for line in text.splitlines():
            if line.strip().startswith("#"):
                described = not line.strip().startswith(("# ----", "# ===="))
            elif " = " in line.partition("#")[0]:
                assert described or "#" in line, line
            elif line.startswith("    for step in"):
                described = False


@EVERY
def test_the_sections_stand_in_their_order(make: Callable[[], Trained]) -> None:
    for text in make()[0].source.split("\ndef ")[1:]:
        # What an update takes from the hyperparameters alone may be computed before; nothing is written then.
        places = [text.index("- forward"), text.index("losses[step] ="), text.rindex("- update -")]
        assert places == sorted(places) and "backward" in text[: places[1]]


@EVERY
def test_the_comments_change_nothing_else(make: Callable[[], Trained]) -> None:
    model, _ = make()
    run = model._trainer._latest[2]
    shown = {f.name: f for f in ast.parse(model.source).body if isinstance(f, ast.FunctionDef)}
    (compiled,) = ast.parse(run.source).body
    assert ast.dump(shown["train"]) == ast.dump(compiled)


def test_the_scalar_form_is_shown_where_rows_are_taken_in_lanes() -> None:
    source = xor()[0].source
    scalar, _, lanes = source.partition("# What runs")
    assert "def train_scalar(" in scalar and "load_f32" not in scalar and "gemm" not in scalar
    assert "def train(" in lanes and "load_f32" in lanes
    scalar, _, loops = long_step()[0].source.partition("# What runs")
    assert "gemm" not in scalar and "store_f32" not in scalar
    assert "for term in" in loops and "store_f32" in loops, "products and the update are on lanes"
    assert "train_scalar" not in adam_without_rows()[0].source


def test_variables_are_called_after_what_they_are_a_derivative_by() -> None:
    assert "d_hidden2_h_0 = " in xor()[0].source


def test_a_loss_that_is_computed_otherwise_says_so() -> None:
    x, t = gl.input("x", ("batch", 2)), gl.input("t", ("batch", 1))
    p = 1 / (1 + gl.exp(-(x @ gl.parameter("W", (2, 1)))))
    loss = -gl.mean(t * gl.log(p) + (1 - t) * gl.log(1 - p))
    data = {"x": np.array([[0.5, 1.0], [-1.0, 2.0]]), "t": np.array([[0.0], [1.0]])}
    model, _ = trained(gl.Model(p, loss=loss), data, gl.optim.SGD(0.1))
    assert "becomes log σ" in model.describe()
    said, steps = comments(model.source), steps_of(model.loss, model.parameters)
    assert "stabilised: ∂" in said
    for number, equation in re.findall(r"^step (\d+): (.*)$", said, re.MULTILINE):
        assert equation in steps[int(number)]
    for equation in re.findall(r"^stabilised: (∂.*)$", said, re.MULTILINE):
        assert not any(equation in found for found in steps.values())
