"""An operation that a backend has no row for: every entrance names it and the backends that have one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.backends import rows as cpu
from graphlearn.errors import UnsupportedOp
from graphlearn.graph.leaves import constant
from graphlearn.graph.node import apply
from graphlearn.graph.op import CALL, Notation, Op
from graphlearn.ops.elementwise import infer_float

COMPILED = ("numba", "cuda")
NOTATION = Notation("{0}", "{0}", CALL)
OPS = {
    "odd_entry": Op(
        "odd_entry", "intrinsic", infer_float, NOTATION, reference=np.cbrt, partials=(lambda m, x, y: 1 / (3 * y * y),)
    ),
    "odd_array": Op(
        "odd_array", "structural", lambda types: types[0], NOTATION, reference=np.array, adjoint=lambda node, up: (up,)
    ),
    "odd_formula": Op(
        "odd_formula", "compound", lambda types: types[0], NOTATION, reference=np.array, adjoint=lambda node, up: (up,)
    ),
}
X, T = gl.input("x", ("batch", 2)), gl.input("t", ("batch", 2))
DATA = {"x": np.ones((6, 2)), "t": np.full((6, 2), 2.0)}

EVERY = pytest.mark.parametrize("name", OPS)
ON = pytest.mark.parametrize("backend", COMPILED)


def model(name: str, *, in_loss: bool = True, in_output: bool = True) -> gl.Model:
    y = X * gl.parameter("w", (2,), value=[1.0, 3.0])
    odd = apply(OPS[name], y)
    return gl.Model(odd if in_output else y, loss=gl.losses.mse(odd if in_loss else y, T), precision="float64")


def refused(name: str, work: Callable[[str], object], backend: str) -> None:
    """One backend refuses by name, and the one that is named does the work."""
    with pytest.raises(UnsupportedOp, match=rf'{name}(?s:.*)backend="numpy"') as caught:
        work(backend)
    assert isinstance(caught.value, TypeError) and isinstance(caught.value, NotImplementedError)
    work("numpy")


@ON
@EVERY
def test_compile(name: str, backend: str) -> None:
    node = apply(OPS[name], X * 2.0)
    refused(name, lambda b: gl.compile(node, backend=b)(x=DATA["x"]), backend)
    refused(name, lambda b: gl.compile(gl.value_and_grad(gl.sum(node), X), backend=b)(x=DATA["x"]), backend)


@ON
@EVERY
@pytest.mark.parametrize("batch", [None, 2, 4])
def test_fit(name: str, backend: str, batch: int | None) -> None:
    made = model(name)

    def work(b: str) -> gl.learn.History:
        return made.fit(DATA, optimizer=gl.optim.SGD(0.1), epochs=1, batch_size=batch, backend=b)

    before = made.values["w"].copy()
    with pytest.raises(UnsupportedOp, match=name):
        work(backend)
    assert np.array_equal(made.values["w"], before)  # the model is as it was, and can be trained elsewhere
    refused(name, work, backend)


class Odd(gl.optim.Optimizer):
    """A rule with an operation that only the reference has."""

    label = "odd"

    def __init__(self, op: Op) -> None:
        super().__init__()
        self.op = op

    @property
    def hyperparameters(self) -> dict[str, float]:
        return {"learning_rate": 0.1}

    def rule(self, parameters: Any, gradients: Any, inputs: Any) -> dict[gl.Node, gl.Node]:
        return {p: p - inputs["learning_rate"] * apply(self.op, gradients[p]) for p in parameters}


@ON
@EVERY
def test_an_update(name: str, backend: str) -> None:
    def work(b: str) -> gl.learn.History:
        return model(name, in_loss=False).fit(DATA, optimizer=Odd(OPS[name]), epochs=1, backend=b)

    refused(name, work, backend)


@ON
@EVERY
def test_predict_and_evaluate(name: str, backend: str) -> None:
    made = model(name, in_loss=False)
    made.fit(DATA, optimizer=gl.optim.SGD(0.1), epochs=1)  # the loss has no such operation
    refused(name, lambda b: made.predict(DATA["x"], backend=b), backend)
    refused(name, lambda b: made.evaluate([made.output, made.loss], DATA, backend=b), backend)


@ON
def test_validation(backend: str) -> None:
    made = model("odd_entry")

    def work(b: str) -> gl.learn.History:
        return made.fit(DATA, optimizer=gl.optim.SGD(0.1), epochs=1, backend=b, validation=DATA)

    refused("odd_entry", work, backend)


def test_a_batch_of_predictions_is_refused_by_its_operation() -> None:
    made = model("odd_array")
    with pytest.raises(UnsupportedOp, match="odd_array"):
        made.predict(DATA["x"], batch_size=2, backend="numba")


def test_a_long_scalar_chain() -> None:
    node = gl.input("s")
    for _ in range(4000):
        node = apply(OPS["odd_entry"], node) + constant(1.0)
    refused("odd_entry", lambda b: gl.compile(node, backend=b)(s=0.5), "numba")


def test_another_compiling_backend_is_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cpu.FLOAT, "odd_entry", "fcbrt_{s}({0})")
    made = model("odd_entry")
    options: dict[str, Any] = {"optimizer": gl.optim.SGD(0.1), "epochs": 1}
    with pytest.raises(UnsupportedOp, match=r"'cuda' has no row for 'odd_entry'.*\"numba\" or backend=\"numpy\""):
        made.fit(DATA, backend="cuda", **options)
    assert made.fit(DATA, backend="numba", **options).steps == 1
