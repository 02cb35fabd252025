from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.datasets import iris, standardize, train_test_split
from graphlearn.errors import GraphUseError, OptionError
from graphlearn.graph.leaves import input, parameter
from graphlearn.graph.node import Node
from graphlearn.learn import History, Model, losses, nn, optim
from graphlearn.learn.history import format_time
from graphlearn.ops.activations import square

Make = Callable[..., Model]
Data = dict[str, np.ndarray]
PRECISIONS = pytest.mark.parametrize("precision", ["float32", "float64"])


def regression(rows: int = 50, precision: str = "float64") -> tuple[Model, Data]:
    x, t = input("x", ("batch", 3)), input("t", ("batch", 1))
    y = nn.Dense(1, name="line")(x)
    rng = np.random.Generator(np.random.Philox(key=5))
    data = {"x": rng.normal(size=(rows, 3)), "t": rng.normal(size=(rows, 1))}
    data["t"] += data["x"] @ np.array([[1.0], [-2.0], [0.5]]) + 3
    return Model(y, loss=losses.mse(y, t), precision=precision), data


def same_bits(a: Model, b: Model) -> bool:
    return all(np.array_equal(a.values[name], b.values[name]) for name in a.values)


# --- it learns ------------------------------------


@PRECISIONS
def test_xor_is_learned(xor_model: Make, xor_data: Data, backend: str, precision: str) -> None:
    model = xor_model(precision=precision)
    history = model.fit(xor_data, optimizer=optim.SGD(1.0), epochs=1500, backend=backend)
    assert history.losses[-1] < 0.02
    assert ((model.predict(xor_data, backend=backend) > 0) == (xor_data["t"] > 0.5)).all()


def test_linear_regression_reaches_the_normal_equations(backend: str) -> None:
    model, data = regression()
    history = model.fit(data, optimizer=optim.SGD(0.2), epochs=1500, backend=backend)
    design = np.hstack([data["x"], np.ones((50, 1))])
    solution = np.linalg.lstsq(design, data["t"], rcond=None)[0]
    best = float(((design @ solution - data["t"]) ** 2).mean())
    assert abs(history.losses[-1] - best) <= 1e-6 * best
    assert np.allclose(np.vstack([model.values["line/W"], model.values["line/b"]]), solution, atol=1e-8)


def test_iris_is_classified(backend: str) -> None:
    X, y = iris()
    train_x, test_x, train_y, test_y = train_test_split(X, y, seed=1, stratify=True)
    train_x, test_x, _ = standardize(train_x, test_x)
    x, t = input("x", ("batch", 4)), input("t", "batch", "int64")
    z = nn.MLP([8, 3])(x)
    model = Model(z, loss=losses.cross_entropy(z, t))
    model.fit({x: train_x, t: train_y}, optimizer=optim.Adam(0.03), epochs=60, batch_size=16, backend=backend)
    right = model.predict(test_x, backend=backend).argmax(axis=1) == test_y
    assert right.mean() >= 0.92


def test_the_first_loss_and_update_are_those_of_the_graph(xor_model: Make, xor_data: Data, backend: str) -> None:
    model = xor_model(precision="float64")
    assert model.loss is not None
    updates = optim.SGD(0.5).updates(model.loss, model.parameters)
    at = {**model.at(xor_data), updates.hyperparameters["learning_rate"]: 0.5}
    loss, *after = evaluate([model.loss, *updates.values()], at)
    history = model.fit(xor_data, optimizer=optim.SGD(0.5), epochs=1, backend=backend)
    assert np.isclose(history.losses[0], loss, rtol=1e-14)
    for leaf, value in zip(updates, after, strict=True):
        assert np.allclose(model.values[leaf.full_name], value, rtol=1e-13, atol=1e-16)


def test_both_backends_take_the_same_steps() -> None:
    runs = []
    for backend in ("numpy", "numba"):
        model, data = regression()
        history = model.fit(data, optimizer=optim.Adam(0.05), epochs=4, batch_size=16, backend=backend)
        runs.append((history.losses, model.values["line/W"]))
    assert np.allclose(runs[0][0], runs[1][0], rtol=1e-12)
    assert np.allclose(runs[0][1], runs[1][1], rtol=1e-12)


# --- what can be trained ------------------------------------


def test_a_function_without_data_can_be_made_small(backend: str) -> None:
    x, y = parameter("x", value=-1.0), parameter("y", value=1.5)
    model = Model((x, y), loss=square(1 - x) + 100 * square(y - square(x)), precision="float64")
    model.fit({}, optimizer=optim.Adam(0.05), epochs=3000, backend=backend)
    assert math.isclose(float(model.values["x"]), 1, abs_tol=1e-2)


def test_scalars_and_inputs_of_fixed_shape_come_with_the_data(backend: str) -> None:
    x, t = input("x", ("batch", 2)), input("t", "batch")
    scale, weights = input("scale"), input("weights", 2)
    y = x @ (parameter("w", value=np.ones(2)) * weights)
    model = Model(y, loss=scale * losses.mse(y, t), precision="float64")
    rows, target = np.array([[1.0, 2.0], [0.5, -1.0], [2.0, 0.0]]), np.array([1.0, 0.0, 2.0])
    given = {x: rows, t: target, scale: 2.0, weights: [1.0, 0.5]}
    history = model.fit(given, optimizer=optim.SGD(0.0), epochs=2, backend=backend)
    expected = 2 * ((rows @ [1.0, 0.5] - target) ** 2).mean()
    assert np.allclose(history.losses, expected, rtol=1e-14)
    other = model.fit({**given, weights: [0.0, 0.0], scale: 1.0}, optimizer=optim.SGD(0.0), epochs=1, backend=backend)
    assert np.allclose(other.losses, (target**2).mean(), rtol=1e-14)
    assert list(model.values) == ["w"]


def test_inputs_without_a_free_axis(backend: str) -> None:
    x, t = input("x", (4, 2)), input("t", (4, 1))
    y = x @ parameter("w", value=np.ones((2, 1)))
    model = Model(y, loss=losses.mse(y, t), precision="float64")
    rows, target = np.arange(8.0).reshape(4, 2) / 8, np.zeros((4, 1))
    history = model.fit({"x": rows, "t": target}, optimizer=optim.SGD(0.1), epochs=3, backend=backend)
    assert history.steps == 3 and np.isclose(history.losses[0], ((rows @ np.ones((2, 1))) ** 2).mean())
    with pytest.raises(OptionError, match="free first axis"):
        model.fit({"x": rows, "t": target}, optimizer=optim.SGD(0.1), epochs=3, batch_size=2, backend=backend)


def test_lists_and_whole_numbers_are_data(backend: str) -> None:
    x, t = input("x", "batch"), input("t", "batch")
    y = x * parameter("w", value=0.0)
    model = Model(y, loss=losses.mse(y, t), precision="float64")
    model.fit({"x": [1, 2, 3], "t": [2, 4, 6]}, optimizer=optim.SGD(0.1), epochs=100, backend=backend)
    assert np.isclose(model.values["w"], 2)


# --- batches and order ------------------------------------


def test_the_last_batch_is_smaller_and_weighs_less(backend: str) -> None:
    model, data = regression(rows=10)
    history = model.fit(data, optimizer=optim.SGD(0.0), epochs=2, batch_size=4, backend=backend)
    assert history.steps == 6 and history.epochs == 2
    assert model.loss is not None
    whole = model.evaluate(model.loss, data, backend=backend)
    assert np.allclose(history.epoch_losses, whole, rtol=1e-13)  # every row once, whatever the order
    assert not np.isclose(history.losses[:3].mean(), whole)


def test_without_shuffling_batches_are_slices(backend: str) -> None:
    model, data = regression(rows=6)
    history = model.fit(data, optimizer=optim.SGD(0.0), epochs=1, batch_size=4, shuffle=False, backend=backend)
    first = {name: rows[:4] for name, rows in data.items()}
    last = {name: rows[4:] for name, rows in data.items()}
    expected = [model.evaluate(model.loss, part, backend=backend) for part in (first, last)]
    assert np.allclose(history.losses, expected, rtol=1e-13)


def test_a_given_order_repeats_a_run_exactly(backend: str) -> None:
    (one, data), (two, _) = regression(rows=12), regression(rows=12)
    order = np.array([[0, 3, 5], [11, 11, 1], [2, 4, 6], [7, 8, 9]])
    stated = one.fit(data, optimizer=optim.Adam(0.1), epochs=2, order=order, backend=backend)
    assert stated.steps == 4 and stated.epochs == 2
    optimizer = optim.Adam(0.1)
    for rows in order:
        batch = {name: array[rows] for name, array in data.items()}
        two.fit(batch, optimizer=optimizer, epochs=1, backend=backend)
    assert np.allclose(one.values["line/W"], two.values["line/W"], rtol=1e-13)
    again, _ = regression(rows=12)
    again.fit(data, optimizer=optim.Adam(0.1), epochs=1, order=order.tolist(), backend=backend)
    assert same_bits(one, again)


# --- determinism ------------------------------------

OPTIMIZERS: dict[str, Callable[[], optim.Optimizer]] = {
    "sgd": lambda: optim.SGD(0.05),
    "momentum": lambda: optim.Momentum(0.02),
    "adam": lambda: optim.Adam(0.02),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("batch_size", [None, 7])
def test_the_same_seed_gives_the_same_bits(name: str, batch_size: int | None, backend: str) -> None:
    runs = []
    for _ in range(2):
        model, data = regression(precision="float32")
        history = model.fit(data, optimizer=OPTIMIZERS[name](), epochs=6, batch_size=batch_size, backend=backend)
        runs.append((model, history))
    assert same_bits(runs[0][0], runs[1][0])
    assert np.array_equal(runs[0][1].losses, runs[1][1].losses)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("batch_size", [None, 7])
@PRECISIONS
def test_five_and_five_epochs_are_ten(name: str, batch_size: int | None, precision: str, backend: str) -> None:
    (split, data), (whole, _) = regression(precision=precision), regression(precision=precision)
    optimizer, other = OPTIMIZERS[name](), OPTIMIZERS[name]()
    parts = [split.fit(data, optimizer=optimizer, epochs=5, batch_size=batch_size, backend=backend) for _ in range(2)]
    together = whole.fit(data, optimizer=other, epochs=10, batch_size=batch_size, backend=backend)
    assert same_bits(split, whole)
    assert np.array_equal(np.concatenate([p.losses for p in parts]), together.losses)
    assert (optimizer.steps, optimizer.epochs) == (other.steps, other.epochs) == (together.steps, 10)
    assert {n: a.tolist() for n, a in optimizer.state.items()} == {n: a.tolist() for n, a in other.state.items()}


def test_a_new_optimizer_starts_afresh(backend: str) -> None:
    (one, data), (two, _) = regression(), regression()
    for _ in range(2):
        one.fit(data, optimizer=optim.Momentum(0.02), epochs=5, backend=backend)
    optimizer = optim.Momentum(0.02)
    two.fit(data, optimizer=optimizer, epochs=5, backend=backend)
    optimizer.reset()
    assert optimizer.steps == 0 and not optimizer.state
    two.fit(data, optimizer=optimizer, epochs=5, backend=backend)
    assert same_bits(one, two)


def test_callbacks_and_validation_change_no_bit(backend: str) -> None:
    (plain, data), (watched, _) = regression(), regression()
    plain.fit(data, optimizer=optim.Adam(), epochs=6, batch_size=7, backend=backend)
    watched.fit(
        data, optimizer=optim.Adam(), epochs=6, batch_size=7, backend=backend, validation=data,
        callbacks=[lambda *_: None],
    )  # fmt: skip
    assert same_bits(plain, watched)


def test_seeds_of_shuffling(backend: str) -> None:
    finals = []
    for seed in (0, 1):
        model, data = regression()
        model.fit(data, optimizer=optim.SGD(0.1), epochs=1, batch_size=7, seed=seed, backend=backend)
        finals.append(model.values["line/W"])
    assert not np.array_equal(*finals)


# --- what is kept between two fits ------------------------------------


class Counting:
    """Counts the runs that are opened."""

    def __init__(self, model: Model) -> None:
        self.opened: list[Any] = []
        trainer = model._trainer
        original = trainer.open

        def counting(*args: Any) -> Any:
            run = original(*args)
            if run not in self.opened:
                self.opened.append(run)
            return run

        trainer.open = counting  # type: ignore[method-assign]


def test_a_second_fit_uses_the_run_of_the_first(backend: str) -> None:
    model, data = regression()
    counting = Counting(model)
    model.fit(data, optimizer=optim.SGD(0.1), epochs=1, backend=backend)
    model.fit({n: a.copy() for n, a in data.items()}, optimizer=optim.SGD(0.2), epochs=2, backend=backend)
    assert len(counting.opened) == 1


def test_changed_data_are_seen(backend: str) -> None:
    model, data = regression()
    model.fit(data, optimizer=optim.SGD(0.0), epochs=1, backend=backend)
    data["t"][0] += 100  # in place: the arrays are the same objects
    history = model.fit(data, optimizer=optim.SGD(0.0), epochs=1, backend=backend)
    assert np.isclose(history.losses[0], model.evaluate(model.loss, data, backend=backend))


def test_assigned_values_are_where_training_goes_on(backend: str) -> None:
    model, data = regression()
    optimizer = optim.SGD(0.0)
    model.fit(data, optimizer=optimizer, epochs=1, backend=backend)
    model.values["line/W"] = np.full((3, 1), 2.0)
    model.fit(data, optimizer=optimizer, epochs=1, backend=backend)
    assert (model.values["line/W"] == 2).all()


# --- validation, callbacks, history, progress ------------------------------------


def test_validation_is_the_loss_on_other_data(backend: str) -> None:
    model, data = regression()
    train, held = ({n: a[part] for n, a in data.items()} for part in (slice(0, 30), slice(30, 50)))
    seen = []
    history = model.fit(
        train, optimizer=optim.SGD(0.1), epochs=7, backend=backend, validation=held, validation_every=3,
        callbacks=[lambda m, epoch, logs: seen.append((epoch, m.evaluate(m.loss, held, backend=backend), logs))],
    )  # fmt: skip
    assert history.validation_epochs.tolist() == [3, 6]
    expected = [float(loss) for epoch, loss, _ in seen if epoch in (3, 6)]
    assert np.allclose(history.validation, expected, rtol=1e-14)
    assert [("validation" in logs) for _, _, logs in seen] == [False, False, True, False, False, True, False]


def test_callbacks_see_every_epoch_and_may_stop(backend: str) -> None:
    model, data = regression(rows=10)
    seen: list[tuple[int, int, float]] = []

    def watch(m: Model, epoch: int, logs: dict[str, float]) -> bool:
        assert m is model
        seen.append((epoch, int(logs["step"]), logs["loss"]))
        return epoch == 3

    optimizer = optim.SGD(0.1)
    history = model.fit(data, optimizer=optimizer, epochs=10, batch_size=4, backend=backend, callbacks=[watch])
    assert [s[:2] for s in seen] == [(1, 3), (2, 6), (3, 9)]
    assert np.allclose([s[2] for s in seen], history.epoch_losses)
    assert history.epochs == optimizer.epochs == 3 and history.steps == optimizer.steps == 9


def test_a_callback_that_raises_leaves_the_model_usable(backend: str) -> None:
    model, data = regression()

    def fail(m: Model, epoch: int, logs: dict[str, float]) -> None:
        if epoch == 2:
            raise RuntimeError("mine")

    optimizer = optim.Momentum(0.1)
    with pytest.raises(RuntimeError, match="mine"):
        model.fit(data, optimizer=optimizer, epochs=5, backend=backend, callbacks=[fail])
    other, _ = regression()
    other.fit(data, optimizer=optim.Momentum(0.1), epochs=2, backend=backend)
    assert same_bits(model, other)
    assert model.history is not None and model.history.epochs == 2 == optimizer.epochs
    model.fit(data, optimizer=optimizer, epochs=1, backend=backend)


def test_a_model_trains_once_at_a_time(backend: str) -> None:
    model, data = regression()

    def again(m: Model, epoch: int, logs: dict[str, float]) -> None:
        m.fit(data, optimizer=optim.SGD(0.1), epochs=1, backend=backend)

    with pytest.raises(GraphUseError, match="running on it already"):
        model.fit(data, optimizer=optim.SGD(0.1), epochs=2, backend=backend, callbacks=[again])
    model.fit(data, optimizer=optim.SGD(0.1), epochs=1, backend=backend)


def test_the_history_says_what_happened(backend: str) -> None:
    model, data = regression()
    history = model.fit(data, optimizer=optim.SGD(0.1), epochs=3, batch_size=25, backend=backend, validation=data)
    assert model.history is history
    assert history.losses.dtype == np.float64 and history.losses.shape == (6,)
    assert history.epoch_losses.shape == history.validation.shape == (3,)
    assert 0 < history.step_time * 6 <= history.seconds
    plain = json.loads(json.dumps(history.to_dict()))
    assert plain["losses"] == history.losses.tolist() and plain["epochs"] == 3
    assert repr(history).startswith("<History: 3 epochs, 6 steps; loss ")
    assert "validation" in repr(history)


def test_an_empty_history() -> None:
    none = np.empty(0)
    history = History(none, none, none, np.empty(0, np.int64), 0.0, 0.0)
    assert repr(history) == "<History: no steps>" and math.isnan(history.step_time)


@pytest.mark.parametrize(
    ("seconds", "text"), [(5.31e-8, "53.1 ns"), (1.4e-6, "1.4 us"), (9.996e-4, "1 ms"), (0.25, "250 ms"), (2.0, "2 s")]
)
def test_times_have_a_unit(seconds: float, text: str) -> None:
    assert format_time(seconds) == text


def test_progress_is_shown_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    model, data = regression()
    model.fit(data, optimizer=optim.SGD(0.1), epochs=3, backend="numpy")
    assert capsys.readouterr().out == ""  # not a terminal
    model.fit(data, optimizer=optim.SGD(0.1), epochs=3, backend="numpy", progress=True)
    shown = capsys.readouterr().out
    assert "epoch 3/3" in shown and "loss" in shown


def test_progress_in_ones_own_way() -> None:
    class Lines:
        def __init__(self) -> None:
            self.seen: list[tuple[int, int, float]] = []

        def __enter__(self) -> Lines:
            return self

        def __exit__(self, *error: object) -> None:
            self.seen.append((-1, -1, 0.0))

        def show(self, steps: int, epoch: int, loss: float) -> None:
            self.seen.append((steps, epoch, loss))

    model, data = regression()
    lines = Lines()
    history = model.fit(data, optimizer=optim.SGD(0.1), epochs=3, backend="numpy", progress=lines)
    assert lines.seen[-2] == (3, 3, history.losses[-1]) and lines.seen[-1][0] == -1


def test_node_keys_and_names_mean_the_same(backend: str) -> None:
    (one, data), (two, _) = regression(), regression()
    leaves: dict[str, Node] = {leaf.full_name: leaf for leaf in one._table.values()}
    one.fit({leaves["x"]: data["x"], leaves["t"]: data["t"]}, optimizer=optim.SGD(0.1), epochs=2, backend=backend)
    two.fit(data, optimizer=optim.SGD(0.1), epochs=2, backend=backend)
    assert same_bits(one, two)
