"""Products that are added to what they update: where the update is a sum with the product, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.graph.traverse import leaves
from graphlearn.program.build import Batching, build_training
from graphlearn.program.program import Program
from graphlearn.program.steps import FusedLoop, MatMul
from graphlearn.program.training import TrainingStep
from graphlearn.program.uses import reads_of, writes_of

Update = Callable[[gl.Node, gl.Node], dict[gl.Node, gl.Node]]


def parts() -> tuple[gl.Node, gl.Node, gl.Node, gl.Node]:
    x, t, w = gl.input("x", ("batch", 8)), gl.input("t", ("batch", 6)), gl.parameter("w", (8, 6))
    return x, t, w, gl.sum((x @ w - t) ** 2)


def program(update: Update) -> Program:
    x, t, w, loss = parts()
    step = TrainingStep(loss, update(w, gl.grad(loss, w)), (x, t), (), "batch")
    return build_training(step, "float64", Batching(4, True, False, {}, accumulates=lambda product: True))


def added(made: Program) -> list[MatMul]:
    return [step for step in made.steps if isinstance(step, MatMul) and step.into is not None]


def memory(w: gl.Node) -> gl.Node:
    return gl.state("m", w.shape, np.ones((8, 6)))


ADDED: dict[str, Update] = {
    "difference": lambda w, g: {w: w - 0.1 * g},
    "sum": lambda w, g: {w: g * 0.5 + w},
    "scaled twice": lambda w, g: {w: w + 2.0 * (-g * 0.01)},
    "gradient alone": lambda w, g: {w: w - g},
    "and what reads the new value": lambda w, g: {w: w - 0.1 * g, (m := memory(w)): 0.9 * m + (w - 0.1 * g)},
}
NOT_ADDED: dict[str, Update] = {
    "kept in part": lambda w, g: {w: 0.9 * w - 0.1 * g},
    "product of both": lambda w, g: {w: w * (1 - 0.1 * g)},
    "square": lambda w, g: {w: w - 0.1 * g * g},
    "read by another update": lambda w, g: {w: w - 0.1 * g, (m := memory(w)): m + g * g},
    "old value is read beside it": lambda w, g: {w: w - 0.1 * g, (m := memory(w)): m + w},
}


@pytest.mark.parametrize("name", ADDED)
def test_a_sum_with_a_product_is_written_in_place(name):
    made = program(ADDED[name])
    (product,) = added(made)
    (target,) = writes_of(product)
    assert target.role == "kept" and target in reads_of(product)
    assert made.sections[made.steps.index(product)] == "update"
    assert "flops, added" in made.describe()


@pytest.mark.parametrize("name", NOT_ADDED)
def test_other_updates_stay_loops(name):
    made = program(NOT_ADDED[name])
    assert not added(made)
    assert any(isinstance(s, FusedLoop) for s, n in zip(made.steps, made.sections, strict=True) if n == "update")


def test_a_parameter_that_another_gradient_reads_keeps_its_value_until_then():
    x, t = gl.input("x", ("batch", 8)), gl.input("t", ("batch", 6))
    v, w = gl.parameter("v", (8, 7)), gl.parameter("w", (7, 6))
    loss = gl.sum((x @ (v @ w) - t) ** 2)
    updates = gl.optim.SGD(0.1).updates(loss, leaves([loss], "parameter"))
    step = TrainingStep(loss, updates, (x, t), tuple(updates.hyperparameters.values()), "batch")
    made = build_training(step, "float64", Batching(4, True, False, {}, accumulates=lambda product: True))
    for at, step_ in enumerate(made.steps):
        kept = {b for b in writes_of(step_) if b.role == "kept"}
        assert all(kept.isdisjoint(set(reads_of(later)) - kept) for later in made.steps[at + 1 :])


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("batch_size", [None, 32, 40])
def test_large_layers_train_as_the_reference(precision, batch_size):
    random = np.random.default_rng(0)
    x, t = gl.input("x", ("batch", 130)), gl.input("t", "batch", "int64")
    output = gl.nn.MLP([140, 3], activation="tanh")(x)
    data = {"x": random.normal(size=(96, 130)), "t": random.integers(0, 3, 96)}
    losses = []
    for backend in ("numba", "numpy"):
        model = gl.Model(output, loss=gl.losses.cross_entropy(output, t), precision=precision)
        history = model.fit(
            data, optimizer=gl.optim.SGD(0.05), epochs=3, batch_size=batch_size, backend=backend, progress=False
        )
        losses.append(history.losses)
        assert backend == "numpy" or "flops, added" in model.describe()
    np.testing.assert_allclose(*losses, rtol=2e-5 if precision == "float32" else 1e-12)
