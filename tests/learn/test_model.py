from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.errors import (
    DataError,
    DTypeError,
    GraphUseError,
    MissingValueError,
    NameClashError,
    OptionError,
    ShapeError,
    UnknownNameError,
)
from graphlearn.graph.binding import HasValues
from graphlearn.graph.leaves import input, parameter, state
from graphlearn.learn import Model, losses, nn, optim

Make = Callable[..., Model]


def test_values_are_read_only_arrays_in_the_models_precision(xor_model: Make) -> None:
    model = xor_model()
    assert list(model.values) == ["hidden1/W", "hidden1/b", "output/W", "output/b"]
    assert {n: a.shape for n, a in model.values.items()} == {
        "hidden1/W": (2, 3), "hidden1/b": (3,), "output/W": (3, 1), "output/b": (1,),
    }  # fmt: skip
    assert all(a.dtype == np.float32 for a in model.values.values())
    assert xor_model(precision="float64").values["output/W"].dtype == np.float64
    with pytest.raises(ValueError, match="read-only"):
        model.values["hidden1/W"][0, 0] = 1.0


def test_values_can_be_assigned_by_name_and_by_leaf(xor_model: Make) -> None:
    model = xor_model()
    model.values["hidden1/b"] = [1, 2, 3]
    assert model.values["hidden1/b"].tolist() == [1, 2, 3]
    model.values[model.parameters[1]] = np.zeros(3)
    assert model.values["hidden1/b"].tolist() == [0, 0, 0]
    model.values = {"hidden1/b": np.ones(3), "output/b": [5.0]}
    assert model.values["hidden1/b"].tolist() == [1, 1, 1] and model.values["output/b"].tolist() == [5]


def test_an_assigned_array_is_copied(xor_model: Make) -> None:
    model, mine = xor_model(precision="float64"), np.ones(3)
    model.values["hidden1/b"] = mine
    mine[:] = 7
    assert model.values["hidden1/b"].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("hidden/W", 0, UnknownNameError, "hidden1/W, hidden1/b"),
        ("hidden1/W", np.zeros((3, 2)), ShapeError, r"values\['hidden1/W'\] needs shape \(2, 3\); got \(3, 2\)"),
        ("hidden1/b", [0, np.nan, 0], DataError, "finite"),
        ("hidden1/b", [1j, 0, 0], DTypeError, "complex"),
        ("hidden1/b", ["a", "b", "c"], DTypeError, "needs numbers"),
    ],
)
def test_assignments_are_checked(
    xor_model: Make, name: str, value: object, error: type[Exception], message: str
) -> None:
    model = xor_model()
    before = dict(model.values)
    with pytest.raises(error, match=message):
        model.values[name] = value
    assert all(np.array_equal(before[n], a) for n, a in model.values.items())


def test_values_are_not_deleted(xor_model: Make) -> None:
    with pytest.raises(GraphUseError, match=r"model.reset\(\)"):
        del xor_model().values["output/b"]


def test_a_foreign_leaf_is_no_value(xor_model: Make) -> None:
    with pytest.raises(GraphUseError, match="its own model"):
        xor_model().values[parameter("hidden1/b".replace("/", "_"), 3)]


def test_at_gives_values_and_data_by_leaf(xor_model: Make, xor_data: dict[str, np.ndarray]) -> None:
    model = xor_model(precision="float64")
    assert isinstance(model, HasValues)
    y = evaluate(model.output, model.at({"x": xor_data["x"]}))
    assert np.allclose(y, model.predict(xor_data, backend="numpy"))
    moved = evaluate(model.output, model.at({"x": xor_data["x"], "output/b": [10.0]}))
    assert np.allclose(moved - y, 10)
    with pytest.raises(UnknownNameError, match="at names 'z'"):
        model.at({"z": 1})
    assert np.allclose(evaluate(model.parameters[0], model), model.values["hidden1/W"])


def test_predict_asks_for_what_the_output_needs(xor_model: Make, xor_data: dict[str, np.ndarray], backend: str) -> None:
    model = xor_model()
    y = model.predict({"x": xor_data["x"]}, backend=backend)
    assert y.shape == (4, 1) and y.dtype == np.float32
    assert np.array_equal(y, model.predict(xor_data, backend=backend))
    assert np.array_equal(y, model.predict(xor_data["x"], backend=backend))
    assert np.array_equal(y[:1], model.predict({"x": [[0, 0]]}, backend=backend))


def test_evaluate_gives_any_node_in_any_form(xor_model: Make, xor_data: dict[str, np.ndarray], backend: str) -> None:
    model = xor_model(precision="float64")
    assert model.loss is not None
    both = model.evaluate({"loss": model.loss, "y": model.output}, xor_data, backend=backend)
    assert both["loss"].shape == () and both["y"].shape == (4, 1)
    loss, y = model.evaluate([model.loss, model.output], xor_data, backend=backend)
    assert loss == both["loss"] and np.array_equal(y, both["y"])
    assert np.allclose(loss, evaluate(model.loss, model.at(xor_data)), rtol=1e-14)


def test_outputs_as_tuple_and_dict(backend: str) -> None:
    x = input("x", ("batch", 2))
    h = nn.Dense(3, "tanh", name="d")(x)
    rows = np.ones((5, 2))
    first, second = Model((h, x)).predict(rows, backend=backend)
    assert first.shape == (5, 3) and second.shape == (5, 2)
    assert set(Model({"h": h, "x": x}).predict(rows, backend=backend)) == {"h", "x"}


def test_predict_says_what_is_wrong(xor_model: Make) -> None:
    model = xor_model()
    with pytest.raises(MissingValueError, match="inputs needs an array for 'x'"):
        model.predict({}, backend="numpy")
    with pytest.raises(UnknownNameError, match="'X'"):
        model.predict({"X": [[0, 0]]}, backend="numpy")
    with pytest.raises(ShapeError, match=r"inputs\['x'\] needs shape \(batch, 2\); got \(2,\)"):
        model.predict({"x": [0, 0]}, backend="numpy")
    with pytest.raises(DataError, match="'x', 't'"):
        assert model.loss is not None
        model.evaluate(model.loss, [[0, 0]], backend="numpy")


def test_reset_goes_back(xor_model: Make, xor_data: dict[str, np.ndarray]) -> None:
    model = xor_model()
    before = dict(model.values)
    model.fit(xor_data, optimizer=optim.SGD(0.5), epochs=3, backend="numpy")
    assert not np.array_equal(before["output/W"], model.values["output/W"])
    model.reset()
    assert all(np.array_equal(before[n], a) for n, a in model.values.items())


def test_states_are_values_but_not_parameters() -> None:
    x = input("x", "batch")
    model = Model(x * parameter("w", value=2.0) + state("shift", (), 1.0), precision="float64")
    assert list(model.values) == ["w", "shift"] and [p.name for p in model.parameters] == ["w"]
    assert model.predict([1.0, 2.0], backend="numpy").tolist() == [3.0, 5.0]


def test_summary_is_a_table_with_counts(xor_model: Make) -> None:
    text = xor_model().summary()
    assert "hidden1/W" in text and "(2, 3)" in text and "13 trained numbers in float32" in text
    bracketed = Model(input("x", ("batch", 2)) @ parameter("[w]", (2, 1)))
    assert "[w]" in bracketed.summary()
    assert repr(bracketed) == "<Model: 1 parameter with 2 numbers, float32>"


def test_what_is_no_model() -> None:
    x = input("x", ("batch", 2))
    with pytest.raises(GraphUseError, match="output needs a node"):
        Model(3.0)
    with pytest.raises(GraphUseError, match="output needs a node"):
        Model([x, 3.0])
    with pytest.raises(GraphUseError, match="output needs a node"):
        Model([])
    with pytest.raises(GraphUseError, match="loss needs a node"):
        Model(x, loss=0.0)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="precision"):
        Model(x, precision="float16")
    with pytest.raises(OptionError, match="seed"):
        Model(x, seed=-1)
    with pytest.raises(NameClashError, match="two called 'x'"):
        Model(x + input("x", ("batch", 2)))
    with pytest.raises(NameClashError, match="two called 'h'"):
        Model((x * 2).named("h") + (x * 3).named("h"))


def test_the_source_exists_after_fit(xor_model: Make, xor_data: dict[str, np.ndarray], backend: str) -> None:
    model = xor_model()
    with pytest.raises(GraphUseError, match=r"Call model.fit"):
        _ = model.source
    model.fit(xor_data, optimizer=optim.SGD(0.5), epochs=1, backend=backend)
    assert len(model.source) > 20


def test_the_same_leaves_serve_two_models(xor_data: dict[str, np.ndarray]) -> None:
    x, t = input("x", ("batch", 2)), input("t", ("batch", 1))
    z = nn.MLP([3, 1])(x)
    one, two = Model(z, loss=losses.mse(z, t)), Model(z, loss=losses.mae(z, t), seed=1)
    one.fit(xor_data, optimizer=optim.SGD(0.1), epochs=2, backend="numpy")
    assert not np.array_equal(one.values["output/W"], two.values["output/W"])
