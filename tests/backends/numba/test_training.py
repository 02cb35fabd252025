"""Training runs of the compiled backend: step by step the reference's, whatever the batches."""

from __future__ import annotations

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.backends.registry import load_backend
from graphlearn.errors import DataError
from graphlearn.program.training import TrainingStep
from tests.backends.cuda.networks import Task, branches, classifier, train, xor

TOLERANCE = {"float32": 2e-5, "float64": 1e-12}


def assert_same_run(task: Task, precision: str, counts: list[int], order: np.ndarray | None = None) -> None:
    made, losses, values = train("numba", task, precision, counts, order)
    made_too, losses_too, values_too = train("numpy", task, precision, counts, order)
    assert made == made_too
    np.testing.assert_allclose(losses, losses_too, rtol=TOLERANCE[precision], atol=1e-7)
    for leaf, got, wanted in zip(task.step.updates, values, values_too, strict=True):
        assert got.dtype == wanted.dtype
        assert got.shape == wanted.shape
        np.testing.assert_allclose(
            got, wanted, rtol=100 * TOLERANCE[precision], atol=TOLERANCE[precision], err_msg=repr(leaf)
        )


def rows(task: Task) -> int:
    return len(next(iter(task.data.values())))


def shuffled(count: int, total: int) -> np.ndarray:
    generator = np.random.default_rng(5)
    return np.concatenate([generator.permutation(count) for _ in range(-(-total // count))])[:total].astype(np.int64)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("make", [xor, classifier, branches])
def test_full_batches(make, precision):
    task = make()
    assert_same_run(task, precision, [rows(task)] * 20)


@pytest.mark.parametrize(("rows", "counts"), [(23, [8, 8, 7] * 4), (6, [2] * 9)])  # loops; unrolled
def test_parts_in_batches(rows, counts):
    assert_same_run(branches(rows), "float64", counts, shuffled(rows, sum(counts)))


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_smaller_last_batch_needs_no_second_compilation(precision):
    task = classifier(23)
    counts = [8, 8, 7] * 4
    assert_same_run(task, precision, counts, shuffled(23, sum(counts)))
    run = load_backend("numba").open_training(task.step, task.data, precision, 8)
    run.load(task.values)
    before = run.source
    run.run(np.array(counts), shuffled(23, sum(counts)), np.zeros(len(counts)))
    assert run.source == before


def test_equal_batches_have_literal_bounds():
    task = classifier(24)
    counts = [8, 8, 8] * 4
    assert_same_run(task, "float32", counts, shuffled(24, sum(counts)))
    assert "counts[step]" in load_backend("numba").open_training(task.step, task.data, "float32", 8).source
    assert "n_batch" not in load_backend("numba").open_training(task.step, task.data, "float32", 8).source


def test_a_run_may_change_its_kind_of_batches():
    task = classifier(24)
    run = load_backend("numba").open_training(task.step, task.data, "float64", 24)
    reference = load_backend("numpy").open_training(task.step, task.data, "float64", 24)
    for one in (run, reference):
        one.load(task.values)
    order = shuffled(24, 24)
    for counts, rows_taken in (([24, 24], None), ([8, 8, 8], order), ([20, 4], order), ([24], None), ([24], order)):
        for one in (run, reference):
            one.run(np.array(counts, np.int64), rows_taken, np.zeros(len(counts)))
    for leaf, wanted in reference.read().items():
        np.testing.assert_allclose(run.read()[leaf], wanted, rtol=1e-10, atol=1e-12)


def test_a_loss_that_is_not_finite_is_written_and_changes_nothing():
    task = xor()
    data = {x: a.copy() for x, a in task.data.items()}
    first = task.step.data[0]
    data[first][2, 0] = np.nan
    run = load_backend("numba").open_training(task.step, data, "float32", 2)
    run.load(task.values)
    losses = np.full(3, -1.0)
    made = run.run(np.array([2, 2, 2]), np.array([0, 1, 0, 1, 2, 3]), losses)
    assert made == 2
    assert np.isfinite(losses[:2]).all()
    assert not np.isfinite(losses[2])
    assert all(np.isfinite(a).all() for a in run.read().values())


def test_updates_read_the_values_of_the_beginning():
    a, b = gl.parameter("a", value=1.0), gl.parameter("b", value=2.0)
    m = gl.parameter("M", value=np.arange(9.0).reshape(3, 3))
    loss = a * b + gl.sum(m)
    step = TrainingStep(loss, {a: b, b: a + b, m: gl.transpose(m) @ m / 100 + gl.transpose(m)}, (), (), "")
    values = {a: np.array(1.0), b: np.array(2.0), m: np.arange(9.0).reshape(3, 3)}
    assert_same_run(Task(step, {}, values), "float64", [1] * 5)


@pytest.mark.parametrize("length", [3, 3000])
def test_updates_of_parts_and_of_arrays_put_together(length):
    a = gl.parameter("a", value=np.linspace(-1, 1, length))
    b = gl.parameter("b", value=np.linspace(0, 2, length))
    c = gl.parameter("c", value=np.linspace(1, 2, length))
    loss = gl.sum(a * b[::-1]) / length + gl.sum(gl.pad(c[1:], (2, 0))[:-1] * a[0])
    updates = {
        a: a[::-1] * 0.9,  # reads its old value from the other end
        b: gl.concatenate([b[1:], b[:1]]) - 0.1 * gl.grad(loss, b),
        c: gl.concatenate([c[2:], a[:2]]) - 0.1 * gl.grad(loss, c),
    }
    values = {leaf: leaf.attr("value").array.copy() for leaf in (a, b, c)}
    assert_same_run(Task(TrainingStep(loss, updates, (), (), ""), {}, values), "float64", [1] * 4)


def test_a_state_that_is_not_read_is_written():
    a, seen = gl.parameter("a", value=3.0), gl.state("seen", (), 0.0)
    count = gl.state("count", (), 0, "int64")
    step = TrainingStep(a * a, {a: a - 0.1 * a, seen: a * 1.0, count: count + 1}, (), (), "")
    values = {a: np.array(3.0), seen: np.array(0.0), count: np.array(0)}
    assert_same_run(Task(step, {}, values), "float32", [1] * 7)


def test_a_scalar_that_changes_compiles_nothing():
    task = xor()
    run = load_backend("numba").open_training(task.step, task.data, "float64", 4)
    run.load(task.values)
    (rate,) = task.step.scalars
    run.load({rate: np.array(0.0)})
    before = run.read()
    run.run(np.array([4]), None, np.zeros(1))
    after = run.read()
    assert all(np.array_equal(before[leaf], after[leaf]) for leaf in before)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize(
    ("counts", "order", "slots"),
    [
        ([3], [0, 1], 1),
        ([3], None, 1),
        ([2], [0, 4], 1),
        ([2], [-1, 0], 1),
        ([5], [0, 1, 2, 3, 0], 1),
        ([0], [], 1),
        ([2, 2], None, 2),
        ([2], [0, 1], 0),
    ],
)
def test_what_lies_outside_the_data_is_refused(counts, order, slots, backend):
    task = xor()
    run = load_backend(backend).open_training(task.step, task.data, "float64", 4)
    run.load(task.values)
    with pytest.raises(DataError, match="got"):
        run.run(np.array(counts), None if order is None else np.array(order, np.int64), np.zeros(slots))


def test_source_names_what_it_computes():
    task = xor()
    source = load_backend("numba").open_training(task.step, task.data, "float32", 4).source
    for section in ("# forward", "# backward", "# update"):
        assert section in source
    assert "tanh" in source
    assert "float64(" not in source.replace("losses[step] = float64(", "")


@pytest.mark.parametrize("capacity", [1, 7, 8, 24, 30])
def test_without_order_every_step_takes_all_rows_whatever_the_capacity(capacity):
    task = classifier(24)
    run = load_backend("numba").open_training(task.step, task.data, "float64", capacity)
    reference = load_backend("numpy").open_training(task.step, task.data, "float64", capacity)
    batch = min(capacity, 24)
    for one in (run, reference):
        one.load(task.values)
        losses = np.zeros(2)
        assert one.run(np.array([24, 24]), None, losses) == 2
        one.run(np.array([batch]), np.arange(batch, dtype=np.int64), np.zeros(1))
        one.run(np.array([24]), None, np.zeros(1))
    for leaf, wanted in reference.read().items():
        np.testing.assert_allclose(run.read()[leaf], wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda w: gl.sum(w), ""),
        (lambda w: gl.sum(gl.solve(w, np.eye(3))), "solve is a routine, and its places are known only at run time"),
        (lambda w: gl.sum(gl.square(gl.tile(w, (20, 20)))), "operations and stores, and at most 1,200 are unrolled"),
    ],
)
def test_a_step_without_a_batch_says_why_it_is_not_unrolled(make, reason):
    w = gl.parameter("w", (3, 3), value=np.eye(3) + 0.1)
    model = gl.Model(w, loss=make(w))
    model.fit({}, optimizer=gl.optim.SGD(1e-3), epochs=2)
    text = " ".join(model.describe().split())
    assert ("the step is not unrolled" in text) == bool(reason)
    assert reason in text


@pytest.mark.parametrize("batch_size", [None, 7])
@pytest.mark.parametrize("width", [1, 3])
def test_adam_on_a_single_number_is_the_references(width, batch_size):
    x, t = gl.input("x", ("batch", width)), gl.input("t", ("batch", 1))
    output = gl.nn.Dense(1, name="layer")(x)
    random = np.random.default_rng(0)
    data = {"x": random.normal(size=(20, width)), "t": random.normal(size=(20, 1))}
    losses = []
    for backend in ("numba", "numpy"):
        model = gl.Model(output, loss=gl.losses.mse(output, t), precision="float64")
        history = model.fit(data, optimizer=gl.optim.Adam(0.1), epochs=5, batch_size=batch_size, backend=backend)
        losses.append(history.losses)
    np.testing.assert_allclose(*losses, rtol=1e-9)
