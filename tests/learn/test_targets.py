"""Targets that a loss cannot take are refused where data come in: class numbers out of range, odd probabilities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphlearn as gl

X = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, -5.0]])
ROWS = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.5, 0.25, 0.25]])


def numbered(from_logits: bool) -> gl.Model:
    x, t = gl.input("x", ("batch", 2)), gl.input("t", "batch", dtype="int64")
    z = gl.nn.Dense(3, None if from_logits else "softmax", name="d")(x)
    return gl.Model(z, loss=gl.losses.cross_entropy(z, t, from_logits=from_logits))


def in_rows(from_logits: bool) -> gl.Model:
    x, t = gl.input("x", ("batch", 2)), gl.input("t", ("batch", 3))
    z = gl.nn.Dense(3, None if from_logits else "softmax", name="d")(x)
    return gl.Model(z, loss=gl.losses.cross_entropy(z, t, from_logits=from_logits))


def binary(from_logits: bool) -> gl.Model:
    x, t = gl.input("x", ("batch", 2)), gl.input("t", ("batch", 1))
    z = gl.nn.Dense(1, None if from_logits else "sigmoid", name="d")(x)
    return gl.Model(z, loss=gl.losses.binary_cross_entropy(z, t, from_logits=from_logits))


CLASSES = "class numbers from 0 to 2, as the prediction has 3 classes; got 3 in row 1 (counted from 0)"
SHARES = "probabilities, numbers from 0 to 1, for a cross-entropy; got "
# loss -> how a model with it is made, targets that will do, some that will not, and what is said of them.
LOSSES: dict[str, tuple[Callable[[bool], gl.Model], Any, Any, str]] = {
    "class numbers": (numbered, [0, 2, 1], [1, 3, 2], CLASSES),
    "class rows": (in_rows, ROWS, ROWS - 0.5 * np.eye(3), SHARES + "-0.5 in row 0, column 0"),
    "two classes": (binary, [[1], [0], [0.5]], [[1], [2], [2]], SHARES + "2.0 in row 1, column 0"),
}
DOORS: dict[str, Callable[[gl.Model, dict[str, Any]], object]] = {
    "data": lambda model, data: model.fit(data, optimizer=gl.optim.SGD(0.1), epochs=1, backend="numpy"),
    "inputs": lambda model, data: model.evaluate(model.loss, data, backend="numpy"),
}


@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("door", DOORS)
def test_a_target_that_the_loss_cannot_take(door: str, loss: str, from_logits: bool) -> None:
    make, good, bad, said = LOSSES[loss]
    model = make(from_logits)
    DOORS[door](model, {"x": X, "t": good})
    before = {name: array.tobytes() for name, array in model.values.items()}
    with pytest.raises(gl.DataError) as caught:
        DOORS[door](model, {"x": X, "t": bad})
    assert f"{door}['t'] needs {said}" in str(caught.value)
    assert "Number " in str(caught.value)
    assert {name: array.tobytes() for name, array in model.values.items()} == before


def test_the_validation_data_are_looked_at_too() -> None:
    model = binary(True)
    with pytest.raises(gl.DataError, match=r"validation\['t'\] needs probabilities"):
        model.fit(
            {"x": X, "t": [[0], [1], [1]]}, optimizer=gl.optim.SGD(0.1), epochs=1, backend="numpy",
            validation={"x": X, "t": [[0], [-1], [1]]},
        )  # fmt: skip


@pytest.mark.parametrize("from_logits", [True, False])
def test_evaluate_of_a_graph_refuses_a_class_that_is_not_there(from_logits: bool) -> None:
    model = numbered(from_logits)
    with pytest.raises(gl.DataError, match=r"at\['t'\] needs class numbers from 0 to 2.*got -1 in row 0"):
        gl.evaluate(model.loss, model.at({"x": X, "t": [-1, 0, 3]}))


def test_a_target_that_data_decide_is_looked_at_where_it_is_used() -> None:
    x, t = gl.input("x", "batch"), gl.input("t", "batch")
    z = x * gl.parameter("w", value=1.0)
    model = gl.Model(z, loss=gl.losses.binary_cross_entropy(z, 0.9 * t + 0.05))
    model.evaluate(model.loss, {"x": [1.0, 2.0], "t": [0, 1]}, backend="numpy")
    with pytest.raises(gl.DataError, match=r"the target that is computed from inputs\['t'\] needs prob.*got 1\.8"):
        model.evaluate(model.loss, {"x": [1.0, 2.0], "t": [0, 2]}, backend="numpy")


def test_rows_from_class_numbers_demand_nothing_by_themselves() -> None:
    t = gl.input("t", "batch", dtype="int64")
    rows, z = gl.one_hot(t, 3), gl.input("z", ("batch", 3))
    assert gl.evaluate(gl.sum(rows), {t: [0, 3]}) == 1.0
    with pytest.raises(gl.DataError, match=r"at\['t'\] needs class numbers from 0 to 2.*got 3 in row 1"):
        gl.evaluate(gl.softmax_cross_entropy(z, rows, normalized=True), {t: [0, 3], z: np.ones((2, 3))})


def test_what_a_loss_does_not_use_is_not_looked_at() -> None:
    model = binary(True)
    assert model.predict({"x": X, "t": [[7], [7], [7]]}, backend="numpy").shape == (3, 1)


def test_a_loss_from_logits_is_advised_only_where_there_is_one() -> None:
    x, t = gl.input("x", "batch"), gl.input("t", "batch")
    p = x * gl.parameter("w", value=1.0)
    for loss, advised in (
        (gl.losses.binary_cross_entropy(p, t, from_logits=False), True),
        (gl.losses.mse(gl.log(-p), t), False),
    ):
        with pytest.raises(gl.NonFiniteError, match="No step was made yet") as caught:
            gl.Model(p, loss=loss).fit(
                {"x": [2.0, 0.5], "t": [0, 1]}, optimizer=gl.optim.SGD(0.1), epochs=3, backend="numpy"
            )
        assert ("a loss from logits" in str(caught.value)) is advised
        assert "learning rate" not in str(caught.value)
