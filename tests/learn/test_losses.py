from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.calculus.reverse import differentiate
from graphlearn.errors import DTypeError, OptionError, ShapeError
from graphlearn.graph.leaves import input
from graphlearn.graph.node import Node
from graphlearn.learn import losses

Y = np.array([[0.3, -1.2], [2.0, 0.0], [-0.5, 4.0]])
T = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
P = 1 / (1 + np.exp(-Y))
BY_ENTRY: dict[str, tuple[Callable[..., Node], np.ndarray, np.ndarray]] = {
    "mse": (losses.mse, Y, (Y - T) ** 2),
    "half_squared_error": (losses.half_squared_error, Y, (Y - T) ** 2 / 2),
    "mae": (losses.mae, Y, np.abs(Y - T)),
    "bce": (losses.binary_cross_entropy, Y, -(T * np.log(P) + (1 - T) * np.log(1 - P))),
    "bce of p": (
        lambda y, t, **o: losses.binary_cross_entropy(y, t, from_logits=False, **o),
        P,
        -(T * np.log(P) + (1 - T) * np.log(1 - P)),
    ),
}


@pytest.mark.parametrize("name", BY_ENTRY)
def test_losses_by_entry(name: str) -> None:
    loss, prediction, expected = BY_ENTRY[name]
    y, t = input("y", ("batch", 2)), input("t", ("batch", 2))
    at = {"y": prediction, "t": T}
    assert np.allclose(evaluate(loss(y, t), at), expected.mean(), rtol=1e-14)
    assert np.allclose(evaluate(loss(y, t, reduction="sum"), at), expected.sum(), rtol=1e-14)
    assert np.allclose(evaluate(loss(y, t, reduction="none"), at), expected, rtol=1e-14)


@pytest.mark.parametrize("name", BY_ENTRY)
def test_column_against_vector_is_refused(name: str) -> None:
    with pytest.raises(ShapeError, match=r"\(batch, 1\) and \(batch,\).*every prediction with every target"):
        BY_ENTRY[name][0](input("y", ("batch", 1)), input("t", "batch"))


@pytest.mark.parametrize("loss", [losses.mse, losses.binary_cross_entropy])
def test_reduction_by_another_name(loss: Callable[..., Node]) -> None:
    with pytest.raises(OptionError, match="one of mean, sum, none; got 'average'"):
        loss(input("y", "batch"), input("t", "batch"), reduction="average")


def test_bce_from_logits_is_finite_everywhere_with_finite_gradient() -> None:
    z, t = input("z", "batch"), input("t", "batch")
    loss = losses.binary_cross_entropy(z, t, reduction="sum")
    gradient = differentiate(loss, [z]).gradients[z]
    at = {"z": np.array([-1e4, 1e4, -1e4, 1e4]), "t": np.array([0.0, 1.0, 1.0, 0.0])}
    assert evaluate(loss, at) == 2e4
    assert evaluate(gradient, at).tolist() == [0, 0, -1, 1]


def test_bce_of_certain_probabilities() -> None:
    p, t = input("p", "batch"), input("t", "batch")
    loss = losses.binary_cross_entropy(p, t, from_logits=False, reduction="none")
    right = {"p": np.array([0.0, 1.0]), "t": np.array([0.0, 1.0])}
    assert evaluate(loss, right).tolist() == [0, 0]
    assert np.isposinf(evaluate(loss, {"p": np.array([0.0, 1.0]), "t": np.array([1.0, 0.0])})).all()


Z = np.array([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0], [2.0, 2.0, 2.0], [-1.0, 0.0, 9.0]])
LABELS = np.array([2, 1, 0, 2])
LOG_P = Z - np.log(np.exp(Z).sum(axis=1, keepdims=True))
ROWS = -LOG_P[np.arange(4), LABELS]


def test_cross_entropy_from_class_numbers() -> None:
    z, t = input("z", ("batch", 3)), input("t", "batch", "int64")
    at = {"z": Z, "t": LABELS}
    assert np.allclose(evaluate(losses.cross_entropy(z, t), at), ROWS.mean(), rtol=1e-14)
    assert np.allclose(evaluate(losses.cross_entropy(z, t, reduction="sum"), at), ROWS.sum(), rtol=1e-14)
    assert np.allclose(evaluate(losses.cross_entropy(z, t, reduction="none"), at), ROWS, rtol=1e-14)


def test_cross_entropy_from_rows_and_from_probabilities() -> None:
    z, t = input("z", ("batch", 3)), input("t", ("batch", 3))
    at = {"z": Z, "t": np.eye(3)[LABELS]}
    assert np.allclose(evaluate(losses.cross_entropy(z, t), at), ROWS.mean(), rtol=1e-14)
    of_p = losses.cross_entropy(z, t, from_logits=False)
    assert np.allclose(evaluate(of_p, {**at, "z": np.exp(LOG_P)}), ROWS.mean(), rtol=1e-14)
    numbers = losses.cross_entropy(z, input("n", "batch", "int64"), from_logits=False)
    assert np.allclose(evaluate(numbers, {"z": np.exp(LOG_P), "n": LABELS}), ROWS.mean(), rtol=1e-14)


def test_the_gradient_is_p_minus_t_over_n() -> None:
    z, t = input("z", ("batch", 3)), input("t", "batch", "int64")
    gradient = differentiate(losses.cross_entropy(z, t), [z]).gradients[z]
    assert np.allclose(evaluate(gradient, {"z": Z, "t": LABELS}), (np.exp(LOG_P) - np.eye(3)[LABELS]) / 4, atol=1e-15)


def test_rows_that_do_not_sum_to_one_have_their_own_gradient() -> None:
    z, t = input("z", ("batch", 3)), input("t", ("batch", 3))
    gradient = differentiate(losses.cross_entropy(z, t, reduction="sum"), [z]).gradients[z]
    weights = np.arange(12.0).reshape(4, 3) / 7
    expected = np.exp(LOG_P) * weights.sum(axis=1, keepdims=True) - weights
    assert np.allclose(evaluate(gradient, {"z": Z, "t": weights}), expected, atol=1e-14)


def test_cross_entropy_is_finite_at_large_logits() -> None:
    z, t = input("z", ("batch", 3)), input("t", "batch", "int64")
    loss = losses.cross_entropy(z, t)
    at = {"z": np.array([[1e4, -1e4, 0.0]]), "t": np.array([1])}
    assert evaluate(loss, at) == 2e4
    assert np.isfinite(evaluate(differentiate(loss, [z]).gradients[z], at)).all()


BAD = {
    "one column": (("batch", 1), "batch", "int64", ShapeError, "use binary_cross_entropy"),
    "free classes": (("batch", "classes"), "batch", "int64", ShapeError, r"\(N, classes\)"),
    "real numbers": (("batch", 3), "batch", "float64", DTypeError, "dtype='int64'"),
    "truth values": (("batch", 3), "batch", "bool", DTypeError, "integer dtype"),
    "a column of numbers": (("batch", 3), ("batch", 1), "int64", ShapeError, r"class numbers of shape \(batch,\)"),
    "other classes": (("batch", 3), ("batch", 4), "float64", ShapeError, r"rows of shape \(batch, 3\)"),
}


@pytest.mark.parametrize("case", BAD)
def test_cross_entropy_says_what_fits(case: str) -> None:
    prediction, target, dtype, error, message = BAD[case]
    with pytest.raises(error, match=message):
        losses.cross_entropy(input("z", prediction), input("t", target, dtype))
