"""Bad input, one test per kind of it, at every door by which it may come in.

Each refusal says what was needed, what came and what to do, and leaves model and optimizer as they were. A training
that diverges keeps the values of its last finite loss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest

import graphlearn as gl

X = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, -5.0]])
T = np.array([[1.0], [0.0], [2.0]])
DATA = {"x": X, "t": T}
BACKENDS = ("numpy", "numba")
Given = Mapping[str, Any]


class Net:
    """A small network that has been trained a little, so that its values and its optimizer's state are not new."""

    def __init__(self) -> None:
        x, t = gl.input("x", ("batch", 2)), gl.input("t", ("batch", 1))
        with gl.scope("line"):
            w = gl.parameter("w", value=[[0.5], [-0.25]])
        self.y = (x @ w).named("y")
        self.loss = gl.losses.mse(self.y, t).named("L")
        self.w, self.x = w, x
        self.model = gl.Model(self.y, loss=self.loss)
        self.optimizer = gl.optim.Adam(0.1)
        self.model.fit(DATA, optimizer=self.optimizer, epochs=3, backend="numpy")

    def fit(self, data: Given = DATA, *, backend: str = "numpy", epochs: int = 2, **options: Any) -> None:
        self.model.fit(data, optimizer=self.optimizer, epochs=epochs, backend=backend, **options)

    def state(self) -> object:
        """Everything that a refused call must not touch, to the bit."""
        rule = self.optimizer
        moments = {name: array.tobytes() for name, array in rule.state.items()}
        values = {name: array.tobytes() for name, array in self.model.values.items()}
        return values, moments, rule.steps, rule.epochs, id(self.model.history)


@pytest.fixture
def net() -> Iterator[Net]:
    """A network that no refused call may change."""
    made = Net()
    before = made.state()
    yield made
    assert made.state() == before


@pytest.fixture(scope="module")
def compiled() -> dict[str, gl.Function]:
    """The loss as a function, on each backend."""
    return {backend: gl.compile(Net().loss, backend=backend) for backend in BACKENDS}


Door = Callable[[Net, dict[str, gl.Function], Given], object]
W = {"line/w": np.ones((2, 1))}
# Where arrays come in: name of the door -> what it does with arrays for x and t.
DOORS: dict[str, Door] = {
    "evaluate": lambda net, made, data: gl.evaluate(net.loss, {**W, **data}),
    "compile-numpy": lambda net, made, data: made["numpy"]({**W, **data}),
    "compile-numba": lambda net, made, data: made["numba"]({**W, **data}),
    "fit-numpy": lambda net, made, data: net.fit(data),
    "fit-numba": lambda net, made, data: net.fit(data, backend="numba"),
    "validation": lambda net, made, data: net.fit(validation=data),
    "predict": lambda net, made, data: net.model.predict(data),
    "model.evaluate": lambda net, made, data: net.model.evaluate(net.loss, data),
}
CHECKED = [door for door in DOORS if door != "evaluate" and not door.startswith("compile")]
every_door = pytest.mark.parametrize("door", DOORS)


def refused(error: type[gl.GraphLearnError], call: Callable[[], object], *said: str) -> str:
    """The message of a refusal, which says all of this."""
    with pytest.raises(error) as caught:
        call()
    message = str(caught.value)
    assert [part for part in said if part not in message] == [], message
    return message


# --- shapes that do not fit -----------------------------------------------------------------------------------------

WRONG_GRAPHS: dict[str, tuple[Callable[[Net], object], list[str]]] = {
    "matmul": (
        lambda net: net.y @ net.w,
        ["matmul needs (m, k) @ (k, n)", "where 1 meets 2", "Transpose", "y: float64[batch,1], line/w: float64[2,1]"],
    ),
    "add": (lambda net: net.x + np.ones(3), ["equal lengths, or 1", "2 and 3 meet", "Reshape", "x: float64[batch,2]"]),
    "reshape": (lambda net: gl.reshape(net.w, 3), ["(2, 1) -> (3,)", "product is 2", "line/w: float64[2,1]"]),
    "sum": (lambda net: gl.sum(net.x, axis=2), ["axes from -2 to 1", "got 2. Count from 0", "x: float64[batch,2]"]),
    "loss": (
        lambda net: gl.losses.mse(net.x, net.y),
        ["of one shape; got (batch, 2) and (batch, 1)", "declare the target", "x: float64[batch,2], y: float64"],
    ),
}


@pytest.mark.parametrize("case", WRONG_GRAPHS)
def test_shapes_that_do_not_fit_in_a_graph(case: str, net: Net) -> None:
    make, said = WRONG_GRAPHS[case]
    refused(gl.ShapeError, lambda: make(net), *said, "at test_bad_input.py:")


@every_door
def test_shapes_that_do_not_fit_in_data(door: str, net: Net, compiled: dict[str, gl.Function]) -> None:
    call = DOORS[door]
    bad = {"x": np.ones((3, 5)), "t": T}
    refused(gl.ShapeError, lambda: call(net, compiled, bad), "'x'", "needs shape (batch, 2); got (3, 5). Reshape")
    if door != "predict":  # which takes no target
        uneven = {"x": X, "t": T[:2]}
        message = refused(gl.GraphLearnError, lambda: call(net, compiled, uneven), "'t'", "3", "2")
        assert "rows" in message


# --- names ----------------------------------------------------------------------------------------------------------

CONSUMERS: dict[str, Callable[[gl.Node, gl.Node], object]] = {
    "evaluate": lambda y, x: gl.evaluate(y, {"x": 1.0}),
    "compile-numpy": lambda y, x: gl.compile(y, backend="numpy"),
    "compile-numba": lambda y, x: gl.compile(y, backend="numba"),
    "grad": lambda y, x: gl.grad(y, x),
    "vjp": lambda y, x: gl.vjp(y, x, 1.0),
    "Model": lambda y, x: gl.Model(y),
    "derive": lambda y, x: gl.derive(y, x),
    "draw": lambda y, x: gl.draw(y),
}


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_a_name_twice_in_one_graph(consumer: str) -> None:
    x = gl.input("x")
    leaves, inner = x * gl.input("x"), (x * 2).named("h") + (x * 3).named("h")
    call = CONSUMERS[consumer]
    refused(
        gl.NameClashError, lambda: call(leaves, x), "one leaf per name; got two called 'x'", "Rename one", "gl.scope"
    )
    refused(gl.NameClashError, lambda: call(inner, x), "one node per name; got two called 'h'", ".named(", "gl.scope")


@every_door
def test_an_unknown_name(door: str, net: Net, compiled: dict[str, gl.Function]) -> None:
    call = DOORS[door]
    refused(gl.UnknownNameError, lambda: call(net, compiled, {**DATA, "X": X}), "names 'X'", "names are: x,")


def test_an_unknown_name_among_values(net: Net) -> None:
    refused(gl.UnknownNameError, lambda: net.model.values["w"], "values names 'w'", "names are: line/w")
    refused(gl.UnknownNameError, lambda: net.model.at({"X": X}), "at names 'X'", "names are: x,")


@every_door
def test_missing_data(door: str, net: Net, compiled: dict[str, gl.Function]) -> None:
    call = DOORS[door]
    refused(gl.MissingValueError, lambda: call(net, compiled, {"t": T}), "'x'", "got ", "t", "Add it: ", "'x': array}")
    refused(gl.MissingValueError, lambda: call(net, compiled, {}), "'x'")


def test_a_missing_parameter(net: Net) -> None:
    y = net.x @ gl.parameter("v", (2, 1))
    refused(
        gl.MissingValueError, lambda: gl.evaluate(y, {"x": X}), "parameter 'v'", "got 'x'", "at=model", "'v': array"
    )


def test_a_length_that_no_array_shows(net: Net) -> None:
    count = gl.axis_size("batch")
    said = ["needs the length of axis 'batch', which no given array shows", "Give an array"]
    refused(gl.MissingValueError, lambda: gl.evaluate(count), *said)
    for backend in BACKENDS:
        function = gl.compile(count, backend=backend)
        refused(gl.MissingValueError, function, *said)
        assert function({net.x: X}) == 3


# --- arrays ---------------------------------------------------------------------------------------------------------

DTYPES: dict[str, tuple[Any, list[str]]] = {
    "objects": (
        np.array([[1, 2], [3, None], [5, 6]], object),
        ["dtype object, such as None in row 1, column 1", "Fill"],
    ),
    "complex": (X + 1j, ["dtype complex128, such as 1j in row 0, column 0", "real part"]),
    "strings": (np.array([["a", "b"]] * 3), ["got text, such as 'a' in row 0, column 0", "numpy.unique"]),
    "dates": (np.array([["2020-01-01", "2020-01-02"]] * 3, "M8[D]"), ["datetime64", "Subtract"]),
    "ragged": ([[1.0, 2.0], [3.0]], ["got list, which NumPy cannot convert"]),
}


@every_door
@pytest.mark.parametrize("case", DTYPES)
def test_a_wrong_dtype(case: str, door: str, net: Net, compiled: dict[str, gl.Function]) -> None:
    array, said = DTYPES[case]
    call = DOORS[door]
    refused(gl.DTypeError, lambda: call(net, compiled, {"x": array, "t": T}), "'x'", "needs", *said)


@pytest.mark.parametrize(("value", "said"), [("a", "got the text 'a'"), (1j, "complex128"), (None, "got None. Put")])
def test_a_wrong_dtype_in_a_graph(value: Any, said: str, net: Net) -> None:
    refused(
        gl.DTypeError, lambda: net.x + value, "add needs", said, "operands of add: x: float64[batch,2], at test_bad"
    )
    refused(gl.DTypeError, lambda: gl.constant(value), "a constant needs", said, "at test_bad_input.py:")


@pytest.mark.parametrize("door", CHECKED)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_or_inf_in_data(value: float, door: str, net: Net, compiled: dict[str, gl.Function]) -> None:
    bad = X.copy()
    bad[1, 0] = value
    call = DOORS[door]
    cure = "Drop these rows or fill the gaps"
    place = f"got {value} in row 1, column 0 (counted from 0)"
    refused(gl.DataError, lambda: call(net, compiled, {"x": bad, "t": T}), "['x'] needs finite numbers", place, cure)
    bad[2] = value
    several = "3 such entries in 2 rows in all"
    refused(gl.DataError, lambda: call(net, compiled, {"x": bad, "t": T}), place, several, cure)


@pytest.mark.parametrize("door", CHECKED)
def test_a_number_that_the_precision_cannot_hold(door: str, net: Net, compiled: dict[str, gl.Function]) -> None:
    big = np.where(X == 3.0, 1e39, X)
    call, said = DOORS[door], ["float32 can hold; got 1e+39 in row 1, column 1", "precision='float64'"]
    refused(gl.DataError, lambda: call(net, compiled, {"x": big, "t": T}), *said)


def test_nan_passes_through_functions_and_is_named_on_demand(net: Net, compiled: dict[str, gl.Function]) -> None:
    bad = {**W, "x": np.where(X == 3.0, np.nan, X), "t": T}
    assert all(np.isnan(function(bad)) for function in compiled.values())
    assert np.isnan(gl.evaluate(net.loss, bad))
    said = ["finite values; the first that is not is x, with nan in row 1, column 1", "Mend the array"]
    refused(gl.NonFiniteError, lambda: gl.evaluate(net.loss, bad, check_finite=True), *said)
    z = gl.log(net.x).named("z")
    said = ["z = log(x), with -inf in row 0, column 0", "where log is finite"]
    refused(gl.NonFiniteError, lambda: gl.evaluate(z, {"x": X}, check_finite=True), *said)


def test_nan_among_values(net: Net) -> None:
    said = ["values['line/w'] needs finite numbers; got nan in row 1, column 0", "Give finite"]
    refused(gl.DataError, lambda: net.model.values.__setitem__("line/w", [[1], [np.nan]]), *said)
    said = ["values['line/w'] needs numbers that float32 can hold; got -1e+39 in row 0, column 0"]
    refused(gl.DataError, lambda: net.model.values.__setitem__("line/w", [[-1e39], [0]]), *said)
    y = net.x @ gl.parameter("v", value=[[np.inf], [0]])
    said = ["the value= of the parameter 'v' needs finite numbers; got inf in row 0, column 0", "Give a finite one"]
    refused(gl.DataError, lambda: gl.Model(y), *said)


def test_several_values_are_assigned_together_or_not_at_all() -> None:
    model = gl.Model(gl.nn.MLP([3, 1])(gl.input("x", ("batch", 2))))
    before = {name: array.tobytes() for name, array in model.values.items()}
    for wrong in ({"output/b": [np.nan]}, {"output/b": [1.0, 2.0]}, {"output/c": [1.0]}):
        with pytest.raises(gl.GraphLearnError):
            model.values = {"hidden1/b": [1.0, 2.0, 3.0], **wrong}
    assert {name: array.tobytes() for name, array in model.values.items()} == before


@pytest.mark.parametrize("door", CHECKED)
def test_empty_data(door: str, net: Net, compiled: dict[str, gl.Function]) -> None:
    call, empty = DOORS[door], {"x": X[:0], "t": T[:0]}
    said = ["['x'] needs at least one entry; got an empty array of shape (0, 2)", "Give"]
    refused(gl.DataError, lambda: call(net, compiled, empty), *said)


def test_empty_data_in_functions(net: Net, compiled: dict[str, gl.Function]) -> None:
    # Zero rows are legal where NumPy allows them: a sum is 0, a mean NaN, and a maximum is refused.
    empty = {**W, "x": X[:0], "t": T[:0]}
    assert all(np.isnan(function(empty)) for function in compiled.values())
    assert np.isnan(gl.evaluate(net.loss, empty))
    assert gl.evaluate(gl.sum(net.x), {"x": X[:0]}) == 0
    top = gl.max(net.x)
    said = ["maximum", "needs at least one entry", "Give more data"]
    refused(gl.ShapeError, lambda: gl.evaluate(top, {"x": X[:0]}), *said)
    for backend in BACKENDS:
        refused(gl.ShapeError, lambda backend=backend: gl.compile(top, backend=backend)(x=X[:0]), *said)  # type: ignore[misc]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_batch_larger_than_the_data(backend: str, net: Net) -> None:
    said = ["batch_size needs at most as many rows as the data has, 3; got 4", "Lower it, or leave it out"]
    refused(gl.DataError, lambda: net.fit(backend=backend, batch_size=4), *said)


# --- losses ---------------------------------------------------------------------------------------------------------


def test_a_loss_that_is_no_scalar(net: Net) -> None:
    errors = (net.y - 1.0).named("errors")
    said = ["errors", "(batch, 1)", "Reduce it with gl.mean or gl.sum"]
    for backend in BACKENDS:
        model = gl.Model(net.y, loss=errors)
        rule = gl.optim.SGD(0.1)
        refused(
            gl.ShapeError,
            lambda model=model, rule=rule, backend=backend: model.fit(  # type: ignore[misc]
                {"x": X}, optimizer=rule, epochs=1, backend=backend
            ),
            "fit needs a loss of shape ()",
            *said,
        )
        assert rule.steps == 0 and not rule.state
    refused(
        gl.ShapeError, lambda: gl.grad(errors, net.w), "needs a scalar output", "errors float64[batch,1]", "gl.mean"
    )


def test_a_parameter_that_does_not_influence_the_loss(net: Net) -> None:
    idle = gl.parameter("idle", value=1.0)
    for backend in BACKENDS:
        model = gl.Model((net.y, idle * 2.0), loss=net.loss)
        before = {name: array.tobytes() for name, array in model.values.items()}
        refused(
            gl.DisconnectedError,
            lambda model=model, backend=backend: model.fit(  # type: ignore[misc]
                DATA, optimizer=gl.optim.SGD(0.1), epochs=1, backend=backend
            ),
            "'idle' does not influence the loss",
            "Connect it to the loss, or leave",
        )
        assert {name: array.tobytes() for name, array in model.values.items()} == before
    said = ["'idle' does not influence 'L'", "disconnected='zero'"]
    refused(gl.DisconnectedError, lambda: gl.grad(net.loss, idle), *said)
    assert gl.evaluate(gl.grad(net.loss, idle, disconnected="zero")) == 0


def test_a_refused_fit_leaves_the_training_where_it_was() -> None:
    calm, tried = Net(), Net()
    for wrong in ({"x": X}, {"x": X[:1], "t": T}, {"x": X * np.nan, "t": T}, {"x": X[:0], "t": T[:0]}):
        with pytest.raises(gl.GraphLearnError):
            tried.fit(wrong)
    for options in ({"batch_size": 4}, {"epochs": 0}, {"order": [[9]]}, {"backend": "gpu"}, {"callbacks": [1]}):
        with pytest.raises(gl.GraphLearnError):
            tried.fit(**options)  # type: ignore[arg-type]
    for one in (calm, tried):
        one.fit(epochs=5)
    assert calm.state()[:4] == tried.state()[:4]  # type: ignore[index]


# --- a model or a number where a node is needed, and other slips ---------------------------------------------------

NODES: dict[str, Callable[[Any], object]] = {
    "evaluate": lambda thing: gl.evaluate(thing, {}),
    "compile": lambda thing: gl.compile(thing, backend="numpy"),
    "grad": lambda thing: gl.grad(thing, Net().w),
    "derive": lambda thing: gl.derive(thing, Net().w),
    "draw": lambda thing: gl.draw(thing),
    "Model": lambda thing: gl.Model(thing),
}


@pytest.mark.parametrize("door", NODES)
def test_what_is_no_node(door: str, net: Net) -> None:
    call = NODES[door]
    refused(gl.GraphUseError, lambda: call(net.model), "needs a node", "got <Model", "model.output or model.loss")
    refused(gl.GraphUseError, lambda: call(3), "needs a node", "got 3. Wrap it in gl.constant")
    refused(gl.GraphUseError, lambda: call("x"), "needs a node", "got 'x'. gl.symbols(output) has the leaves by name")


def test_data_without_names(net: Net) -> None:
    said = ["data needs a mapping", "got ndarray. Write data={'x': ..., 't': ...}"]
    refused(gl.UnknownNameError, lambda: net.fit(X), *said)  # type: ignore[arg-type]
    function = gl.compile(net.loss, backend="numpy")
    said = ["the call needs a mapping", "got ndarray. Write {'x': ..., 'line/w': ..., 't': ...}"]
    refused(gl.UnknownNameError, lambda: function(X), *said)


def test_a_function_that_lacks_a_parameter_asks_for_what_it_takes() -> None:
    function = gl.compile(gl.input("x") + gl.parameter("b", ()), backend="numpy")
    message = refused(gl.MissingValueError, lambda: function(x=1.0), "Pass a model (model.at({...}))", "{'b': array}")
    assert "at=" not in message
    model = gl.Model(gl.input("x") + gl.parameter("b", ()))
    assert gl.compile(model.output, backend="numpy")(model.at({"x": 1.0})) == 1.0  # the advice can be followed


# --- divergence -----------------------------------------------------------------------------------------------------

RULES: dict[str, Callable[[], gl.optim.Optimizer]] = {
    "sgd": lambda: gl.optim.SGD(1e4),
    "momentum": lambda: gl.optim.Momentum(1e4),
    "nesterov": lambda: gl.optim.SGD(1e4, momentum=0.5, nesterov=True),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("batch", [3, 2])
@pytest.mark.parametrize("rule", RULES)
def test_a_learning_rate_that_diverges(rule: str, batch: int, precision: str, backend: str) -> None:
    order = np.array([[0, 1, 2], [2, 0, 1]])[:, :batch]

    def fit(steps: int) -> tuple[gl.Model, gl.optim.Optimizer]:
        x, t = gl.input("x", ("batch", 2)), gl.input("t", ("batch", 1))
        y = (x @ gl.parameter("w", value=[[0.5], [-0.25]])).named("y")
        model = gl.Model(y, loss=gl.losses.mse(y, t).named("L"), precision=precision)
        optimizer = RULES[rule]()
        rows = np.tile(order, (steps, 1))[:steps]
        error = None
        try:
            model.fit(DATA, optimizer=optimizer, epochs=1, backend=backend, order=rows)
        except gl.NonFiniteError as caught:
            error = caught
        assert (error is None) == (steps < 100)
        if error is not None:
            failure = error.failure
            text = str(error)
            # The step is told, and the first node in it that is not finite.
            assert f"training stopped at step {failure.step} " in text and failure.name in text
            assert error.nodes == (failure.node,) and not np.isfinite(failure.loss)
            assert failure.step in (optimizer.steps, optimizer.steps + 1)
            assert f"The model keeps the values after {failure.kept} step" in text and failure.kept == optimizer.steps
            assert "Try a learning rate smaller than 10000" in text
        return model, optimizer

    model, optimizer = fit(300)
    kept = optimizer.steps
    assert 2 < kept < 299
    assert model.history is not None and len(model.history.losses) == kept and np.isfinite(model.history.losses).all()
    assert all(np.isfinite(array).all() for array in [*model.values.values(), *optimizer.state.values()])
    # To the bit what a run has that ends one step earlier: values, optimizer, record.
    shorter, other = fit(kept)
    assert model.values["w"].tobytes() == shorter.values["w"].tobytes()
    assert {k: a.tobytes() for k, a in optimizer.state.items()} == {k: a.tobytes() for k, a in other.state.items()}
    assert shorter.history is not None and model.history.losses.tobytes() == shorter.history.losses.tobytes()


OUT_OF_RANGE = {
    "add": lambda u: u + 300,
    "sub": lambda u: 300 - u,
    "mul": lambda u: u * -1,
    "mod": lambda u: u % 300,
    "floordiv": lambda u: u // 300,
    "pow": lambda u: u**300,
    "maximum": lambda u: np.maximum(u, 300),
    "minimum": lambda u: np.minimum(u, -5),
    "clip": lambda u: np.clip(u, 300, 400),
    "np.full_like": lambda u: np.full_like(u, 300),
}


@pytest.mark.parametrize("op", OUT_OF_RANGE)
def test_a_whole_number_that_the_dtype_does_not_hold(op: str) -> None:
    with pytest.raises(OverflowError):
        OUT_OF_RANGE[op](np.array([1, 2, 3], np.uint8))
    with pytest.raises(gl.DTypeError, match=rf"{op} .*from 0 to 255.*; got (300|-1|-5)\. .*int64"):
        OUT_OF_RANGE[op](gl.input("u", 3, "uint8"))


def test_a_whole_number_out_of_range_where_numpy_has_a_value() -> None:
    given, u = np.array([1, 2, 3], np.uint8), gl.input("u", 3, "uint8")
    functions: list[Callable[[Any], Any]] = [
        lambda u: np.clip(u, 0, 300), lambda u: np.clip(u, -5, 2), lambda u: u < 300, lambda u: np.equal(u, -1),
        lambda u: u / 300, lambda u: u - 300.5,
    ]  # fmt: skip
    for backend in BACKENDS:
        for function in functions:
            found, wanted = gl.compile(function(u), backend=backend)(u=given), function(given)
            assert found.dtype == wanted.dtype
            np.testing.assert_array_equal(found, wanted)
