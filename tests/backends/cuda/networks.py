"""Training steps of two small networks, with data and values, for any backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

import graphlearn as gl
from graphlearn.backends.registry import load_backend
from graphlearn.graph.traverse import leaves
from graphlearn.program.training import TrainingStep


class Task(NamedTuple):
    """What a backend gets for a training run."""

    step: TrainingStep
    data: Mapping[gl.Node, np.ndarray]
    values: Mapping[gl.Node, np.ndarray]


def branches(rows: int = 24) -> Task:
    """A hidden layer over one part of the features, joined with another, and a penalty on part of the weights."""
    rng = np.random.default_rng(6)
    x, y = gl.input("x", ("batch", 6)), gl.input("y", ("batch", 1))
    w, u = gl.parameter("w", (4, 3)), gl.parameter("u", (6, 1))
    joined = gl.concatenate([gl.tanh(x[:, 1:5] @ w), x[:, ::-2]], 1)
    loss = gl.losses.mse(joined @ u, y) + 0.01 * gl.sum(gl.pad(w, 1)[2:, ::-2] ** 2)
    return task(loss, gl.optim.Momentum(0.05), {x: rng.normal(size=(rows, 6)), y: rng.normal(size=(rows, 1))})


def xor(learning_rate: float = 0.5) -> Task:
    """2-3-1 on the four rows of XOR, by gradient descent."""
    x, y = gl.input("x", ("batch", 2)), gl.input("y", ("batch", 1))
    loss = gl.losses.binary_cross_entropy(gl.nn.MLP([3, 1], activation="tanh")(x), y)
    rows = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
    return task(loss, gl.optim.SGD(learning_rate), {x: rows, y: np.array([[0], [1], [1], [0]], float)})


def classifier(rows: int = 23) -> Task:
    """3-5-4-2 on class numbers, by Adam."""
    rng = np.random.default_rng(3)
    x, y = gl.input("x", ("batch", 3)), gl.input("y", ("batch",), dtype="int64")
    loss = gl.losses.cross_entropy(gl.nn.MLP([5, 4, 2], activation="relu")(x), y)
    points = rng.normal(size=(rows, 3))
    return task(loss, gl.optim.Adam(0.02), {x: points, y: (points.sum(1) > 0).astype(np.int64)})


def task(loss: gl.Node, optimizer: gl.optim.Optimizer, data: Mapping[gl.Node, np.ndarray]) -> Task:
    """Train all parameters of a loss, from random values."""
    rng = np.random.default_rng(4)
    updates = optimizer.updates(loss, leaves([loss], "parameter"))
    scalars = tuple(updates.hyperparameters.values())
    values = {leaf: np.zeros(leaf.shape, leaf.dtype) for leaf in updates if leaf.op.name == "state"}
    values |= {leaf: rng.normal(size=leaf.shape) for leaf in updates if leaf.op.name == "parameter"}
    given = optimizer.hyperparameters
    values |= {node: np.array(given[name]) for name, node in updates.hyperparameters.items()}
    return Task(TrainingStep(loss, updates, tuple(data), scalars, "batch"), data, values)


def train(
    backend: str, task: Task, precision: str, counts: Sequence[int], order: np.ndarray | None = None
) -> tuple[int, np.ndarray, list[np.ndarray]]:
    """Steps made, their losses, and what all parameters and states have become."""
    run = load_backend(backend).open_training(task.step, task.data, precision, max(counts))
    run.load(task.values)
    losses = np.full(len(counts), -1.0)
    made = run.run(np.array(counts, np.int64), order, losses)
    after = run.read()
    return made, losses, [after[leaf] for leaf in task.step.updates]


def assert_trains_like_the_reference(
    task: Task, precision: str, counts: Sequence[int], order: np.ndarray | None = None
) -> None:
    """The same losses and the same values at the end, to 1e-5 in float32 and 1e-12 in float64."""
    tolerance = 1e-5 if precision == "float32" else 1e-12
    made, losses, values = train("cuda", task, precision, counts, order)
    expected_made, expected_losses, expected_values = train("numpy", task, precision, counts, order)
    assert made == expected_made
    np.testing.assert_allclose(losses, expected_losses, rtol=tolerance, atol=tolerance)
    for leaf, value, expected in zip(task.step.updates, values, expected_values, strict=True):
        assert value.dtype == expected.dtype and value.shape == expected.shape
        np.testing.assert_allclose(value, expected, rtol=tolerance, atol=tolerance, err_msg=leaf.full_name)
