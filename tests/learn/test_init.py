from __future__ import annotations

import math

import numpy as np
import pytest

from graphlearn.errors import OptionError, ShapeError
from graphlearn.graph.leaves import input, parameter
from graphlearn.graph.scope import scope
from graphlearn.learn import Model, init
from graphlearn.learn.stream import Stream

SHAPE = (300, 200)


def draw(rule: init.Initializer, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return rule(shape, "float64", Stream(0, "w"))


def test_zeros_and_constant() -> None:
    assert (draw(init.zeros()) == 0).all()
    assert (draw(init.constant(1.5)) == 1.5).all()


def test_uniform_and_normal() -> None:
    u = draw(init.uniform(-1, 3))
    assert u.min() >= -1 and u.max() < 3 and abs(u.mean() - 1) < 0.02
    n = draw(init.normal(2, 0.5))
    assert abs(n.mean() - 2) < 0.01 and abs(n.std() - 0.5) < 0.01


@pytest.mark.parametrize(
    ("rule", "std", "bound"),
    [
        (init.glorot_uniform(), math.sqrt(2 / 500), math.sqrt(6 / 500)),
        (init.glorot_normal(), math.sqrt(2 / 500), math.inf),
        (init.he_uniform(), math.sqrt(2 / 300), math.sqrt(6 / 300)),
        (init.he_normal(), math.sqrt(2 / 300), math.inf),
        (init.glorot_uniform(gain=3), 3 * math.sqrt(2 / 500), 3 * math.sqrt(6 / 500)),
    ],
)
def test_the_variance_follows_the_fans(rule: init.Initializer, std: float, bound: float) -> None:
    w = draw(rule)
    assert abs(w.mean()) < 0.02 * std
    assert abs(w.std() / std - 1) < 0.02
    assert np.abs(w).max() <= bound
    if bound < math.inf:
        assert np.abs(w).max() > 0.999 * bound


def test_initializers_are_values() -> None:
    assert init.he_normal() == init.he_normal() != init.he_uniform()
    assert hash(init.zeros()) == hash(init.constant(0.0))
    with pytest.raises(AttributeError):
        init.zeros().value = 1.0  # type: ignore[attr-defined]


def test_float32_values_are_the_float64_ones_rounded() -> None:
    rule = init.glorot_uniform()
    assert np.array_equal(rule((3, 4), "float32", Stream(0, "w")), draw(rule, (3, 4)).astype(np.float32))


def test_default_is_glorot_for_matrices_and_zero_below() -> None:
    with scope("layer"):
        w, b = parameter("W", (2, 3)), parameter("b", 3)
    model = Model(input("x", ("batch", 2)) @ w + b, precision="float64", seed=4)
    assert np.array_equal(model.values["layer/W"], init.glorot_uniform()((2, 3), "float64", Stream(4, "layer/W")))
    assert (model.values["layer/b"] == 0).all()


def test_adding_a_parameter_changes_no_other() -> None:
    x = input("x", ("batch", 2))
    w = parameter("w", (2, 2))
    alone = Model(x @ w).values["w"]
    beside = Model(x @ parameter("v", (2, 2)) @ w).values["w"]
    assert np.array_equal(alone, beside)
    assert not np.array_equal(alone, Model(x @ w, seed=1).values["w"])


def test_a_function_of_ones_own_is_an_initializer() -> None:
    def eye(shape: tuple[int, ...], dtype: str, stream: Stream) -> np.ndarray:
        return np.eye(*shape, dtype=dtype)

    model = Model(input("x", ("batch", 3)) @ parameter("w", (3, 3), init=eye))
    assert np.array_equal(model.values["w"], np.eye(3))


@pytest.mark.parametrize(
    ("rule", "error", "message"),
    [
        (init.he_normal, OptionError, r"Call it: gl.init.he_normal\(\)"),
        (lambda shape, dtype, stream: np.zeros(2), ShapeError, r"give shape \(2, 3\); it gave \(2,\)"),
        (lambda shape, dtype, stream: np.full(shape, np.nan), OptionError, "finite numbers"),
        (lambda shape, dtype, stream: np.full(shape, "a"), OptionError, "finite numbers"),
    ],
)
def test_rules_that_cannot_be_used(rule: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Model(input("x", ("batch", 2)) @ parameter("w", (2, 3), init=rule))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: init.uniform(1, 0), "low <= high"),
        (lambda: init.normal(0, -1), "std of 0 or more"),
        (lambda: init.constant(math.inf), "finite number as value"),
        (lambda: init.glorot_uniform("relu"), "finite number as gain"),  # type: ignore[arg-type]
    ],
)
def test_numbers_out_of_range(make: object, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        make()  # type: ignore[operator]
