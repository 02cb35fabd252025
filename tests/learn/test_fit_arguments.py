"""What `fit` refuses beside the kinds of bad input that `tests/test_bad_input.py` tries at every door."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from graphlearn.errors import (
    DataError,
    DTypeError,
    GraphLearnError,
    MissingValueError,
    NameClashError,
    OptionError,
    ShapeError,
    UnknownNameError,
)
from graphlearn.graph.leaves import input, parameter
from graphlearn.graph.node import Node
from graphlearn.graph.scope import scope
from graphlearn.learn import Model, losses, nn, optim

X = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
T = np.array([0, 1, 2])


def model(precision: str = "float32") -> Model:
    x, t = input("x", ("batch", 2)), input("t", "batch", "int64")
    z = nn.MLP([4, 3])(x)
    return Model(z, loss=losses.cross_entropy(z, t), precision=precision)


def fit(made: Model, data: Any, **options: Any) -> None:
    made.fit(data, **{"optimizer": optim.SGD(0.1), "epochs": 1, "backend": "numpy", **options})


def with_entry(row: int, column: int, value: float) -> np.ndarray:
    x = X.copy()
    x[row, column] = value
    return x


ragged = [[1.0, 2.0], [3.0]]
DATA: dict[str, tuple[Any, type[GraphLearnError], str]] = {
    "no mapping": (X, UnknownNameError, "data needs a mapping from input or name to array; got ndarray"),
    "foreign node": ({input("x", ("batch", 2)): X, "t": T}, UnknownNameError, "does not have. Its inputs are: x, t"),
    "a number as key": ({0: X}, UnknownNameError, "inputs or names as keys; got 0"),
    "a parameter": ({"x": X, "t": T, "output/b": T}, UnknownNameError, r"model.values\['output/b'\] ="),
    "wrong rank": ({"x": X, "t": T[:, None]}, ShapeError, r"data\['t'\] needs shape \(batch,\); got \(3, 1\)"),
    "text in a list": ({"x": X, "t": ["a", "b", "a"]}, DTypeError, r"got text.*numpy.unique"),
    "ragged": ({"x": ragged, "t": T[:2]}, DTypeError, r"data\['x'\].*cannot convert"),
    "None": ({"x": None, "t": T}, DTypeError, r"data\['x'\]"),
    "fractions as classes": ({"x": X, "t": [0.5, 1, 2]}, DTypeError, "whole numbers"),
    "unequal": ({"x": X, "t": T[:2]}, DataError, "equally many rows in each array; 'x' has 3, 't' has 2"),
    "class too large": (
        {"x": X, "t": [0, 3, 1]},
        DataError,
        r"data\['t'\] needs class numbers from 0 to 2.*got 3 in row 1",
    ),
    "class below 0": ({"x": X, "t": [0, 1, -1]}, DataError, "got -1 in row 2"),
}


@pytest.mark.parametrize("case", DATA)
def test_data(case: str) -> None:
    data, error, message = DATA[case]
    with pytest.raises(error, match=message):
        fit(model(), data)


@pytest.mark.parametrize("case", ["unequal", "class too large"])
def test_validation_data_are_checked_as_well(case: str) -> None:
    data, error, message = DATA[case]
    with pytest.raises(error, match="validation.*" + message.removeprefix(r"data\['t'\]")):
        fit(model(), {"x": X, "t": T}, validation=data)


def test_float64_holds_what_float32_does_not() -> None:
    fit(model("float64"), {"x": with_entry(0, 1, 1e300), "t": T}, optimizer=optim.SGD(0.0))


OPTIONS: dict[str, tuple[dict[str, Any], type[GraphLearnError], str]] = {
    "epochs 0": ({"epochs": 0}, OptionError, "whole number above 0 as epochs; got 0"),
    "half an epoch": ({"epochs": 0.5}, OptionError, "epochs; got 0.5"),
    "batch of 0": ({"batch_size": 0}, OptionError, "batch_size needs a whole number above 0"),
    "backend": ({"backend": "gpu"}, OptionError, "cuda, numba, numpy; got 'gpu'"),
    "optimizer by name": ({"optimizer": "adam"}, OptionError, "optimizer object such as"),
    "optimizer class": ({"optimizer": optim.Adam}, OptionError, "optimizer object such as"),
    "validation_every": ({"validation_every": 0}, OptionError, "validation_every"),
    "seed": ({"batch_size": 2, "seed": "a"}, OptionError, "seed"),
    "order": ({"order": [[0, 5]]}, DataError, "row numbers from 0 to 2"),
    "callbacks": ({"callbacks": [3]}, OptionError, "callbacks needs functions"),
    "one callback": ({"callbacks": print}, OptionError, "callbacks needs functions"),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_options(case: str) -> None:
    options, error, message = OPTIONS[case]
    with pytest.raises(error, match=message):
        fit(model(), {"x": X, "t": T}, **options)


def test_an_optimizer_with_the_state_of_another_model() -> None:
    optimizer = optim.Adam()
    fit(model(), {"x": X, "t": T}, optimizer=optimizer)
    with pytest.raises(OptionError, match=r"state of another model after 1 steps.*reset\(\)"):
        fit(model(), {"x": X, "t": T}, optimizer=optimizer)


def test_a_fit_that_never_began_ties_the_optimizer_to_nothing() -> None:
    optimizer = optim.Adam()
    with pytest.raises(MissingValueError):
        fit(model(), {"x": X}, optimizer=optimizer)
    fit(model(), {"x": X, "t": T}, optimizer=optimizer)
    assert optimizer.steps == 1


def line() -> tuple[Node, Node]:
    x = input("x", ("batch", 2))
    return x, x @ parameter("w", (2, 1))


def no_loss() -> Model:
    return Model(line()[1])


def whole_number_loss() -> Model:
    _, y = line()
    return Model(y, loss=(y > 0).sum())


def no_parameter() -> Model:
    x = input("x", ("batch", 2))
    return Model(x, loss=x.mean())


def two_axes() -> Model:
    x, time = input("x", ("batch", "time")), parameter("w", value=1.0)
    return Model(x, loss=(x * time).mean())


def axis_in_second_place() -> Model:
    x = input("x", (2, "batch"))
    y = parameter("w", (1, 2)) @ x
    return Model(y, loss=y.mean())


def clash_with_the_optimizer() -> Model:
    with scope("sgd"):
        rate = input("learning_rate")
    _, y = line()
    return Model(y, loss=(y * rate).mean())


GRAPHS: dict[str, tuple[Callable[[], Model], type[GraphLearnError], str]] = {
    "no loss": (no_loss, OptionError, r"loss=gl.losses.mse"),
    "a whole-number loss": (whole_number_loss, DTypeError, "real loss.*int64"),
    "no parameter": (no_parameter, OptionError, "has none. Make them with gl.parameter"),
    "two free axes": (two_axes, ShapeError, "one free axis; got 'batch', 'time'"),
    "a free axis that does not lead": (axis_in_second_place, ShapeError, "'batch' to come first"),
    "a name of the optimizer": (clash_with_the_optimizer, NameClashError, "sgd/learning_rate"),
}


@pytest.mark.parametrize("case", GRAPHS)
def test_graphs(case: str) -> None:
    make, error, message = GRAPHS[case]
    made = make()
    with pytest.raises(error, match=message):
        fit(made, {"x": np.ones((2, 2))})
