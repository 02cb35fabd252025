from __future__ import annotations

import json
import math
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.errors import DisconnectedError, OptionError, ShapeError
from graphlearn.graph.leaves import input, parameter
from graphlearn.graph.node import Node
from graphlearn.graph.scope import scope
from graphlearn.learn import Model, losses, optim
from graphlearn.ops.activations import square
from graphlearn.ops.intrinsics import tanh

VECTORS = json.loads(pathlib.Path(__file__).with_name("optimizer_vectors.json").read_text(encoding="utf-8"))
# The training of make_optimizer_vectors.py.
X = np.cos(np.arange(10) * 1.7).reshape(5, 2)
T = np.sin(np.arange(15) * 0.9).reshape(5, 3)
W0 = np.sin(np.arange(6) + 1.0).reshape(2, 3)
SAME: dict[str, Callable[[], optim.Optimizer]] = {
    "sgd": lambda: optim.SGD(0.3),
    "momentum": lambda: optim.Momentum(0.1),
    "nesterov": lambda: optim.SGD(0.1, momentum=0.9, nesterov=True),
    "adam": lambda: optim.Adam(0.05),
    "adam_odd": lambda: optim.Adam(0.02, beta1=0.8, beta2=0.95, eps=1e-3),
    "adam_no_first": lambda: optim.Adam(0.02, beta1=0.0, beta2=0.99, eps=1e-2),
}


def small_model(precision: str = "float64") -> Model:
    x, t = input("x", ("batch", 2)), input("t", ("batch", 3))
    y = tanh(x @ parameter("W", value=W0) + parameter("b", 3))
    return Model(y, loss=losses.mse(y, t), precision=precision)


def values(model: Model) -> np.ndarray:
    return np.concatenate([model.values["W"].ravel(), model.values["b"]])


@pytest.mark.parametrize("name", SAME)
def test_every_step_is_pytorchs(name: str, backend: str) -> None:
    model, optimizer, done = small_model(), SAME[name](), 0
    for step, expected in VECTORS[name].items():
        model.fit({"x": X, "t": T}, optimizer=optimizer, epochs=int(step) - done, backend=backend)
        done = int(step)
        assert np.allclose(values(model), expected, rtol=0, atol=1e-12)
    assert optimizer.steps == optimizer.epochs == 200


@pytest.mark.parametrize("name", SAME)
def test_float32_stays_close(name: str, backend: str) -> None:
    model = small_model("float32")
    model.fit({"x": X, "t": T}, optimizer=SAME[name](), epochs=50, backend=backend)
    assert np.allclose(values(model), VECTORS[name]["50"], rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", SAME)
def test_a_float32_training_computes_nothing_in_float64(name: str) -> None:
    model = small_model("float32")
    model.fit({"x": X, "t": T}, optimizer=SAME[name](), epochs=1)
    wide = [line.strip() for line in model.source.splitlines() if "float64" in line or "f64" in line]
    assert wide and all(line.startswith("losses[step] = float64(") for line in wide)  # the record of losses


def test_the_update_is_a_graph_of_its_inputs() -> None:
    with scope("layer"):
        w = parameter("w", value=np.array([1.0, -2.0]))
    updates = optim.SGD(0.1, momentum=0.5).updates((w * w).sum(), [w])
    (velocity,) = updates.states
    assert velocity.full_name == "sgd/velocity/layer/w"
    assert list(updates) == [w, velocity] and len(updates) == 2
    rate, momentum = updates.hyperparameters["learning_rate"], updates.hyperparameters["momentum"]
    assert (rate.full_name, momentum.full_name) == ("sgd/learning_rate", "sgd/momentum")
    assert (rate.op.name, rate.shape) == ("input", ())
    at = {rate: 0.25, momentum: 0.5, velocity: [4.0, 0.0]}
    assert evaluate(updates[velocity], at).tolist() == [4.0, -4.0]
    assert evaluate(updates[w], at).tolist() == [0.0, -1.0]
    assert evaluate(updates.gradients[w], at).tolist() == [2.0, -4.0]


def test_adam_counts_in_whole_numbers() -> None:
    w = parameter("w", value=1.0)
    updates = optim.Adam().updates(square(w), [w])
    counter = next(s for s in updates.states if s.full_name == "adam/step")
    assert counter.dtype == "int64" == updates[counter].dtype
    assert {s.full_name for s in updates.states} == {"adam/step", "adam/m/w", "adam/v/w"}


def test_adams_correction_keeps_its_digits_in_float32(backend: str) -> None:
    # A constant gradient moves Adam by exactly the learning rate. 1 - 0.999**2 by a power would be off by 3e-6.
    w = parameter("w", value=np.zeros(3))
    model = Model(w, loss=(w * np.array([1.0, -3.0, 1e-2])).sum(), precision="float32")
    optimizer = optim.Adam(1e-3, eps=1e-30)
    model.fit({}, optimizer=optimizer, epochs=1, backend=backend)
    first = model.values["w"]
    model.fit({}, optimizer=optimizer, epochs=1, backend=backend)
    assert np.allclose(model.values["w"] - first, [-1e-3, 1e-3, -1e-3], rtol=1e-6, atol=0)


def test_float32_parameters_keep_their_dtype(backend: str) -> None:
    w = parameter("w", value=np.array([1.0, 2.0], np.float32), dtype="float32")
    for optimizer in (optim.SGD(0.1, 0.9), optim.Adam()):
        updates = optimizer.updates((w * w).sum(), [w])
        assert all(leaf.dtype == node.dtype for leaf, node in updates.items())
        model = Model(w, loss=(w * w).sum(), precision="float64")
        model.fit({}, optimizer=optimizer, epochs=2, backend=backend)
        assert model.values["w"].dtype == np.float32


def test_hyperparameters_are_run_time_numbers(backend: str) -> None:
    model, optimizer = small_model(), optim.SGD(0.3)
    model.fit({"x": X, "t": T}, optimizer=optimizer, epochs=1, backend=backend)
    plans = dict(model._trainer._plans)
    before = values(model)
    optimizer.learning_rate = 0.0
    model.fit({"x": X, "t": T}, optimizer=optimizer, epochs=1, backend=backend)
    assert np.array_equal(values(model), before)
    assert model._trainer._plans == plans  # nothing was built anew


def test_structures() -> None:
    assert optim.SGD(0.1).structure == optim.SGD(0.2).structure
    assert optim.Momentum(0.1).structure == optim.SGD(0.1, 0.5).structure
    assert optim.SGD(0.1).structure != optim.SGD(0.1, 0.5).structure != optim.SGD(0.1, 0.5, nesterov=True).structure
    assert optim.Adam().structure != optim.Adam(beta1=0).structure


def test_an_optimizer_of_ones_own(backend: str) -> None:
    class SignDescent(optim.Optimizer):
        label = "sign"

        def __init__(self, rate: float) -> None:
            super().__init__()
            self.rate = rate

        @property
        def hyperparameters(self) -> dict[str, float]:
            return {"rate": self.rate}

        def rule(self, parameters: Any, gradients: Any, inputs: Any) -> dict[Node, Node]:
            return {p: p - inputs["rate"] * gradients[p] / abs(gradients[p]) for p in parameters}

    w = parameter("w", value=np.array([3.0, -2.0]))
    model = Model(w, loss=(w * w).sum(), precision="float64")
    model.fit({}, optimizer=SignDescent(0.5), epochs=3, backend=backend)
    assert model.values["w"].tolist() == [1.5, -0.5]


def test_repr() -> None:
    assert repr(optim.Adam(0.01)) == "Adam(learning_rate=0.01, beta1=0.9, beta2=0.999, eps=1e-08)"
    assert repr(optim.Momentum(0.1)) == "Momentum(learning_rate=0.1, momentum=0.9)"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optim.SGD(-0.1), "0 or more as learning_rate; got -0.1"),
        (lambda: optim.SGD(math.nan), "learning_rate"),
        (lambda: optim.SGD(math.inf), "learning_rate"),
        (lambda: optim.SGD("fast"), "learning_rate; got 'fast'"),  # type: ignore[arg-type]
        (lambda: optim.SGD(0.1, momentum=1.0), "below 1 as momentum"),
        (lambda: optim.SGD(0.1, nesterov=True), "Nesterov's rule needs a momentum"),
        (lambda: optim.Adam(beta1=1.0), "below 1 as beta1"),
        (lambda: optim.Adam(beta2=-0.1), "beta2"),
        (lambda: optim.Adam(eps=0.0), "eps above 0"),
    ],
)
def test_numbers_out_of_range(make: Callable[[], optim.Optimizer], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        make()


def test_a_number_that_goes_out_of_range_later_is_refused_by_fit() -> None:
    optimizer = optim.SGD(0.1)
    optimizer.learning_rate = -1.0
    with pytest.raises(OptionError, match="learning_rate"):
        small_model().fit({"x": X, "t": T}, optimizer=optimizer, epochs=1, backend="numpy")


def test_losses_and_parameters_that_do_not_fit() -> None:
    w = parameter("w", value=np.ones(2))
    with pytest.raises(ShapeError, match="scalar"):
        optim.SGD(0.1).updates(w * w, [w])
    with pytest.raises(DisconnectedError):
        optim.SGD(0.1).updates((w * w).sum(), [w, parameter("v", value=1.0)])
