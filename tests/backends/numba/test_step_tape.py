"""Trainings of huge graphs of single numbers run as tapes, whatever the optimizer, the batches and the chunks."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.backends.native.lowering import lower
from graphlearn.backends.numba import identity, step_recorder, tape_loop, tape_run
from graphlearn.backends.numba.backend import NumbaRun
from graphlearn.backends.numba.step_recorder import record_training
from graphlearn.backends.numba.step_tape import training_instructions
from graphlearn.backends.numba.tape_loop import ENTRY, training_signature, training_source
from graphlearn.backends.numba.tape_run import TapeRun
from graphlearn.backends.registry import load_backend
from graphlearn.backends.rows import BOOLEAN, FLOAT, INTEGER
from graphlearn.errors import DataError
from graphlearn.program.training import TrainingStep
from graphlearn.types import ArrayType
from tests.backends.cuda.networks import Task, task, train
from tests.laws.operands import ELEMENTWISE, SIZES, arity, is_condition, make_case

OPTIMIZERS = {
    "sgd": lambda: gl.optim.SGD(0.05),
    "momentum": lambda: gl.optim.Momentum(0.02),
    "adam": lambda: gl.optim.Adam(0.02),
}
TOLERANCE = {"float32": 3e-5, "float64": 1e-11}


@pytest.fixture
def small(monkeypatch):
    """Steps of any size are tapes."""
    monkeypatch.setattr(identity, "HUGE", 0)
    monkeypatch.setattr(step_recorder, "HUGE", 0)


def neurons(width: int) -> gl.Node:
    """The loss of a network of single numbers on the rows of XOR."""
    rows = np.array([[0, 0], [0, 1], [1, 0], [1, 1.0]])
    h = gl.nn.MLP([width, width, 1], activation="tanh")(gl.constant(rows))
    return gl.scalarize(gl.losses.mse(h, gl.constant([[0], [1.0], [1], [0]])))


def spread(seed: int = 0) -> Task:
    """A graph of numbers per row: columns of one input, targets, weights that are single numbers, a choice."""
    random = np.random.default_rng(seed)
    x, y, z = gl.input("x", ("batch", 3)), gl.input("y", ("batch",)), gl.input("z", ("batch", 1))
    chosen = gl.input("chosen", ("batch",), dtype="int64")
    w = [gl.parameter(f"w{k}", ()) for k in range(6)]
    one = gl.parameter("one", (1, 1))
    h = gl.tanh(x[:, 0] * w[0] + x[:, 1] * w[1] + w[2]) * w[3] + gl.sigmoid(x[:, 2] * w[4])
    h = gl.where(chosen > 1, h, w[5] * gl.square(h)) + gl.reshape(z @ one, ("batch",))
    scale = gl.sqrt(gl.mean(gl.square(h)) + 1.0)  # rows need what is summed over all rows
    loss = gl.mean(gl.square(h / scale - y)) + 0.01 * gl.mean(gl.where(gl.equal(chosen, 0), w[0], 1.0))
    data = {
        x: random.normal(size=(23, 3)), y: random.normal(size=23), z: random.normal(size=(23, 1)),
        chosen: random.integers(0, 4, 23),
    }  # fmt: skip
    return task(loss, gl.optim.Adam(0.02), data)


def assert_is_the_reference(task: Task, precision: str, counts: list[int], order: np.ndarray | None = None) -> None:
    assert isinstance(load_backend("numba").open_training(task.step, task.data, precision, max(counts)), TapeRun)
    made, losses, values = train("numba", task, precision, counts, order)
    made_too, losses_too, values_too = train("numpy", task, precision, counts, order)
    assert made == made_too
    np.testing.assert_allclose(losses, losses_too, rtol=TOLERANCE[precision])
    for got, wanted in zip(values, values_too, strict=True):
        assert got.dtype == wanted.dtype
        assert got.shape == wanted.shape
        np.testing.assert_allclose(got, wanted, rtol=100 * TOLERANCE[precision], atol=TOLERANCE[precision])


def test_every_row_is_an_instruction():
    table = training_instructions()
    assert len(set(table)) == len(table)
    for kind, names in {"real": FLOAT, "whole": INTEGER, "truth": {**BOOLEAN, "copy": ""}}.items():
        assert {name for k, name in table if k == kind} >= set(names) - ({"where"} if kind == "truth" else set())


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("by_rows", [False, True])
def test_our_own_front_end_knows_the_loop(precision, by_rows):
    source = training_source(precision, by_rows)
    lower(source, ENTRY, "run", training_signature(precision), ("contract",))
    numbers = [n for n, (kind, _) in enumerate(training_instructions()) if by_rows or kind not in tape_loop.OF_ROWS]
    assert all(f"if number == {n}:" in source for n in numbers)


@pytest.mark.parametrize("shape", [(), ("N",)])
@pytest.mark.parametrize("name", sorted(ELEMENTWISE))
def test_every_elementwise_operation_is_trained(small, name, shape):
    op = ELEMENTWISE[name]
    kinds = [ArrayType(shape, "bool" if is_condition(op, k) else "float64") for k in range(arity(op))]
    case = make_case(op, kinds, {})
    w, last = gl.parameter("w", ()), gl.state("last", (), 0.0)
    value = gl.cast(case.node, "float64")
    total = gl.mean(value) if shape else value
    loss = 0.1 * w * w + total
    data = {leaf: np.asarray(a) for leaf, a in case.at.items()} if shape else {}
    scalars = () if shape else tuple(case.at)
    step = TrainingStep(loss, {w: w - 0.1 * w * total, last: total}, tuple(data), scalars, shape[0] if shape else "")
    values = {w: np.array(0.7), last: np.array(0.0)} | {leaf: np.asarray(case.at[leaf]) for leaf in scalars}
    assert_is_the_reference(Task(step, data, values), "float64", [SIZES[shape[0]] if shape else 1] * 3)


@pytest.mark.parametrize("shape", [(), ("batch",)])
@pytest.mark.parametrize("name", sorted({*INTEGER, *BOOLEAN} & set(ELEMENTWISE) - {"pow", "where"}))
def test_whole_numbers_are_not_rounded(small, name, shape):
    """2**62 and its neighbours, which no float64 tells apart."""
    op = ELEMENTWISE[name]
    given = gl.input("a", shape, dtype="int64"), gl.input("b", shape, dtype="int64")
    operands = [gl.cast(n, "bool") for n in given] if name.startswith("logical") else list(given)
    result = gl.cast(getattr(gl, name)(*operands[: arity(op)]), "int64")
    seen = gl.state("seen", (), 0, "int64")
    total = gl.sum(result) if shape else result
    used = given[: arity(op)]
    arrays = [np.array([2**62 + 1, 7, -3]), np.array([2**62, -2, 5])]
    data = dict(zip(used, arrays, strict=False)) if shape else {}
    w = gl.parameter("w", ())
    scalars = () if shape else used
    step = TrainingStep(w * 1.0, {seen: total}, tuple(data), scalars, shape[0] if shape else "")
    values = {seen: np.array(0), w: np.array(1.0)}
    values |= {leaf: a[0] for leaf, a in zip(scalars, arrays, strict=False)}
    _, _, (found,) = train("numba", Task(step, data, values), "float32", [3])
    _, _, (wanted,) = train("numpy", Task(step, data, values), "float32", [3])
    assert found == wanted


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_neurons_as_single_numbers_are_trained(optimizer, precision):
    made = task(neurons(10), OPTIMIZERS[optimizer](), {})
    step = TrainingStep(made.step.loss, made.step.updates, (), made.step.scalars, "")
    assert_is_the_reference(Task(step, {}, made.values), precision, [1] * 4)


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_batches_of_numbers_are_trained(small, precision):
    made = spread()
    order = np.random.default_rng(1).permutation(np.arange(23).repeat(2)).astype(np.int64)
    assert_is_the_reference(made, precision, [23] * 3)
    assert_is_the_reference(made, precision, [8, 8, 7, 5, 1], order)


def test_a_run_may_take_more_rows_than_its_batches(small):
    made = spread()
    run, reference = (load_backend(b).open_training(made.step, made.data, "float64", 4) for b in ("numba", "numpy"))
    for one in (run, reference):
        one.load(made.values)
        one.run(np.array([4, 3]), np.arange(7), np.zeros(2))
        one.run(np.array([23]), None, np.zeros(1))
        one.run(np.array([2]), np.array([22, 0]), np.zeros(1))
    for leaf, wanted in reference.read().items():
        np.testing.assert_allclose(run.read()[leaf], wanted, rtol=1e-11)


def test_more_rows_than_have_places_are_refused(small, monkeypatch):
    made = spread()
    run = load_backend("numba").open_training(made.step, made.data, "float64", 4)
    run.load(made.values)
    before = run.read()
    monkeypatch.setattr(tape_run, "_MOST", 1000)
    with pytest.raises(DataError, match="got 23"):
        run.run(np.array([23]), None, np.zeros(1))
    assert run.run(np.array([4]), np.arange(4), np.zeros(1)) == 1
    assert any(run.read()[leaf] != a for leaf, a in before.items())


def test_chunks_change_no_bit(small):
    made = spread()
    order = np.tile(np.arange(23), 4).astype(np.int64)
    counts = np.array([8, 8, 7] * 4)
    ends = np.cumsum(counts)
    found = []
    for chunk in (12, 5, 1):
        run = load_backend("numba").open_training(made.step, made.data, "float64", 8)
        run.load(made.values)
        losses = np.zeros(12)
        for k in range(0, 12, chunk):
            part = counts[k : k + chunk]
            rows = order[ends[k] - counts[k] : ends[k] - counts[k] + part.sum()]
            assert run.run(part, rows, losses[k : k + chunk]) == len(part)
        found.append((losses, run.read()))
    for losses, values in found[1:]:
        np.testing.assert_array_equal(losses, found[0][0])
        assert all(np.array_equal(values[leaf], a) for leaf, a in found[0][1].items())


def test_fit_again_goes_on(small):
    def losses(*epochs):
        w = [gl.parameter(f"w{k}", (), value=0.1 * k) for k in range(3)]
        x = gl.input("x", ("batch",))
        model = gl.Model(x, loss=gl.mean(gl.square(gl.sin(x * w[0] + w[1]) * w[2] - x)), precision="float64")
        optimizer = gl.optim.Adam(0.01)
        data = {"x": np.linspace(0, 1, 9)}
        return np.concatenate(
            [model.fit(data, optimizer=optimizer, epochs=n, batch_size=4, seed=3).losses for n in epochs]
        )

    np.testing.assert_array_equal(losses(6), losses(2, 1, 3))


def test_a_loss_that_is_not_finite_is_written_and_changes_nothing(small):
    w, count = gl.parameter("w", ()), gl.state("count", (), 0, "int64")
    step = TrainingStep(gl.exp(w), {w: w * 3.0, count: count + 1}, (), (), "")
    run = load_backend("numba").open_training(step, {}, "float32", 1)
    assert isinstance(run, TapeRun)
    run.load({w: np.array(1.0), count: np.array(0)})
    losses = np.full(9, -1.0)
    assert run.run(np.ones(9, np.int64), None, losses) == 5  # e**243 is no float32
    np.testing.assert_allclose(losses[:4], np.exp([1, 3, 9, 27]), rtol=1e-6)
    assert losses[5] == np.inf
    assert losses[6] == -1
    assert run.read() == {w: 243, count: 5}


def test_updates_read_the_values_of_the_beginning(small):
    a, b, c = (gl.parameter(name, ()) for name in "abc")
    step = TrainingStep(a * b, {a: b, b: a + b, c: gl.constant(2.5)}, (), (), "")
    values = {a: np.array(1.0), b: np.array(2.0), c: np.array(0.0)}
    _, losses, after = train("numba", Task(step, {}, values), "float64", [1] * 3)
    assert losses.tolist() == [2, 6, 15]
    assert after == [5, 8, 2.5]


def test_a_hyperparameter_changes_between_two_calls(small):
    w, rate = gl.parameter("w", ()), gl.input("rate")
    step = TrainingStep(w * w, {w: w - rate * w}, (), (rate,), "")
    run = load_backend("numba").open_training(step, {}, "float64", 1)
    run.load({w: np.array(1.0), rate: np.array(0.5)})
    run.run(np.ones(1, np.int64), None, np.zeros(1))
    run.load({rate: np.array(0.0)})
    run.run(np.ones(1, np.int64), None, np.zeros(1))
    assert run.read()[w] == 0.5


def _long(x: gl.Node, w: gl.Node) -> gl.Node:
    for _ in range(identity.HUGE):
        x = gl.sin(x) * w
    return x


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("array", "pair is float64[2], and a tape has no arrays"),
        ("inner", "is float32[batch,2], and a tape has no arrays"),
        ("single", "the result of mul is float32[], and a tape takes float64, int64 and bool alone"),
        ("prod", "a tape has no instruction for prod of float64"),
    ],
)
def test_what_has_the_size_of_a_tape_and_is_none_says_why(kind, reason):
    w, x = gl.parameter("w", (), value=1.0), gl.input("x", ("batch",))
    pair = gl.parameter("pair", 2, value=[1.0, 2.0])
    narrow = gl.cast(w, "float32")
    y = {
        "array": lambda: _long(w, w) * gl.sum(pair),
        "inner": lambda: gl.mean(_long(x, w)) + gl.sum(gl.stack([x, x * w], axis=1)),
        "single": lambda: _long(w, w) * gl.cast(narrow * narrow, "float64"),
        "prod": lambda: _long(w, w) * gl.prod(gl.reshape(w, (1,))),
    }[kind]()
    data = {x: np.ones(3)} if kind == "inner" else {}
    step = TrainingStep(y, {w: w - gl.grad(y, w)}, tuple(data), (), "batch" if data else "")
    found = record_training(step, "float32" if kind == "inner" else "float64", 3, False)
    assert isinstance(found, str)
    assert reason in found
    assert "are on single numbers" in found


def test_why_a_training_is_no_tape_is_described(monkeypatch):
    monkeypatch.setattr(identity, "HUGE", 40)
    monkeypatch.setattr(step_recorder, "HUGE", 40)
    w, pair = gl.parameter("w", (), value=0.5), gl.parameter("pair", 2, value=[1.0, 2.0])
    y = w
    for _ in range(20):
        y = gl.sin(y) * w
    model = gl.Model(y, loss=y * gl.sum(pair))
    model.fit({}, optimizer=gl.optim.SGD(1e-3), epochs=1)
    text = " ".join(model.describe().split())
    assert "operations are not run as a tape:" in text
    assert "pair is float32[2], and a tape has no arrays" in text


def test_too_many_rows_and_data_in_a_file_are_refused(small):
    made = spread()
    found = record_training(made.step, "float64", 10**8, False)
    assert isinstance(found, str)
    assert "give a smaller batch_size" in found
    assert "the data lie in a file" in str(record_training(made.step, "float64", 10, True))


def test_ordinary_steps_are_none():
    made = spread()
    assert record_training(made.step, "float64", 10, False) == ""
    assert isinstance(load_backend("numba").open_training(made.step, made.data, "float64", 4), NumbaRun)


def test_a_tape_says_what_it_is_and_is_saved(tmp_path):
    loss = neurons(10)
    model = gl.Model(loss, loss=loss, precision="float32")
    history = model.fit({}, optimizer=gl.optim.Adam(0.01), epochs=6)
    text = model.describe()
    assert "a training step of more than 3,000 operations on single" in text
    assert max(map(len, text.splitlines())) <= 120
    assert "def train_tape" in model.source
    path = model.save_source(tmp_path / "neurons.py")
    for option in ([], ["--plain"]):
        out = tmp_path / f"values{len(option)}.npz"
        command = [sys.executable, str(path), "--out", str(out), *option]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        saved = np.load(out)
        close = np.testing.assert_allclose if option else np.testing.assert_array_equal
        close(saved["losses"], history.losses, **({"rtol": 1e-5} if option else {}))
        for name, value in model.values.items():
            close(saved[name], value, **({"rtol": 1e-3, "atol": 1e-6} if option else {}))


def test_a_saved_tape_takes_its_batches(small, tmp_path):
    w, v, x = gl.parameter("w", (), value=0.3), gl.parameter("v", (), value=0.2), gl.input("x", ("batch",))
    model = gl.Model(x * w, loss=gl.mean(gl.square(gl.tanh(x * w) + v - x)), precision="float64")
    data = {"x": np.linspace(-1, 1, 10)}
    history = model.fit(data, optimizer=gl.optim.Momentum(0.1), epochs=3, batch_size=4)
    path = model.save_source(tmp_path / "rows.py")
    subprocess.run([sys.executable, str(path), "--out", str(tmp_path / "v.npz")], check=True, timeout=120)
    np.testing.assert_array_equal(np.load(tmp_path / "v.npz")["losses"], history.losses)


def test_a_gradient_costs_at_most_four_times_its_function():
    w, seen = gl.parameter("w", ()), gl.state("seen", (), 0.0)
    y = _long(w, gl.sin(w))
    alone, both = {seen: y}, {w: w - 1e-3 * gl.grad(y, w)}
    runs = [
        load_backend("numba").open_training(TrainingStep(y, u, (), (), ""), {}, "float64", 1) for u in (alone, both)
    ]
    counts, losses, best = np.ones(100, np.int64), np.zeros(100), [float("inf")] * 2
    for _ in range(15):
        for k, run in enumerate(runs):
            run.load({w: np.array(0.3), seen: np.array(0.0)})
            start = time.thread_time()
            assert run.run(counts, None, losses) == 100
            best[k] = min(best[k], time.thread_time() - start)
    assert isinstance(runs[1], TapeRun)
    assert best[1] <= 4 * best[0]
