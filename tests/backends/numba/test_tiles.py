"""Training on lanes, a few rows of the batch at a time: the reference's run, for every size of batch and network."""

from __future__ import annotations

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.backends.native import lanes_for
from graphlearn.backends.registry import load_backend
from tests.backends.cuda.networks import Task, branches, classifier, task, xor
from tests.backends.numba.test_training import assert_same_run, rows, shuffled


def source_of(made: Task, precision: str = "float32", batch: int | None = None) -> str:
    return load_backend("numba").open_training(made.step, made.data, precision, batch or rows(made)).source


def on_rows(loss_of, *shapes: tuple[int, ...], count: int = 11, optimizer: gl.optim.Optimizer | None = None) -> Task:
    """A loss of inputs with these features, on random rows."""
    rng = np.random.default_rng(8)
    data = {gl.input(f"x{k}", ("batch", *shape)): rng.normal(size=(count, *shape)) for k, shape in enumerate(shapes)}
    return task(loss_of(*data), optimizer or gl.optim.SGD(0.05), data)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 70])
def test_every_number_of_rows(count, precision):
    made = branches(count)
    assert_same_run(made, precision, [count] * 6)
    assert "load_f" in source_of(made, precision)


@pytest.mark.parametrize("counts", [[4] * 6, [5] * 5, [16, 16, 3] * 3, [17, 6] * 3, [13, 1, 9, 13]])
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_rows_taken_by_number(precision, counts):
    made = classifier(35)
    assert_same_run(made, precision, counts, shuffled(35, sum(counts)))
    assert "take_i64x" in source_of(made, precision, max(counts))


def test_more_rows_than_one_block_of_tiles():
    count = 16 * 256 * 2 + 5
    made = on_rows(lambda x: gl.mean(gl.square(x @ gl.parameter("w", (2, 1)) - 1)), (2,), count=count)
    assert "for block in range" in source_of(made)
    for precision in ("float32", "float64"):
        assert_same_run(made, precision, [count] * 3)


def test_a_long_sum_in_float32_does_not_drift():
    made = on_rows(lambda x: gl.sum(x * gl.parameter("w", (1,))), (1,), count=2**20, optimizer=gl.optim.SGD(0.0))
    data = {leaf: np.full(array.shape, 0.1) for leaf, array in made.data.items()}
    run = load_backend("numba").open_training(made.step, data, "float32", 2**20)
    run.load({leaf: np.ones_like(value) for leaf, value in made.values.items()})
    losses = np.zeros(1)
    run.run(np.array([2**20]), None, losses)
    assert losses[0] == pytest.approx(0.1 * 2**20, rel=1e-5)


LOSSES = {
    "sign": lambda x, w: gl.mean(gl.sign(x @ w) * (x @ w) + gl.floor(x @ w)),
    "choice": lambda x, w: gl.mean(gl.where((x[:, :1] > 0) & (x[:, 1:2] < 1), x @ w, gl.exp(x @ w))),
    "turned": lambda x, w: gl.mean(gl.square(w.T @ x.T)),
    "stacked": lambda x, w: gl.mean(gl.square(gl.stack([x @ w, -2 * (x @ w)], axis=0))),
    "constant": lambda x, w: gl.mean(gl.square(x @ w + np.arange(4.0))) + 0.1 * gl.sum(gl.abs(w)),
    "matrices": lambda x, w: gl.mean((x[:, :, None] * x[:, None, :]) @ w),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses_over_rows(name):
    w = gl.parameter("w", (3, 4))
    made = on_rows(lambda x: LOSSES[name](x, w), (3,), optimizer=gl.optim.Adam(0.01))
    for precision in ("float32", "float64"):
        assert_same_run(made, precision, [11] * 8)
        assert_same_run(made, precision, [5, 5, 1] * 3, shuffled(11, 33))


@pytest.mark.parametrize(
    "optimizer",
    [gl.optim.SGD, gl.optim.Momentum, gl.optim.Adam],
    ids=lambda kind: kind.__name__,
)
def test_optimizers(optimizer):
    network = gl.nn.MLP([6, 3], activation="tanh")
    made = on_rows(lambda x, t: gl.losses.mse(network(x), t), (5,), (3,), optimizer=optimizer(0.01))
    for precision in ("float32", "float64"):
        assert_same_run(made, precision, [11] * 12)


UNITS = "the entries of a layer side by side"


@pytest.mark.parametrize(
    ("activation", "features", "width", "outputs"),
    [("relu", 4, 16, 3), ("tanh", 1, 16, 1), ("leaky_relu", 3, 32, 2), ("sigmoid", 5, 16, 2), ("relu", 3, 16, 16)],
)
def test_layers_that_fill_vectors_are_summed_without_folding(activation, features, width, outputs):
    network = gl.nn.MLP([width, outputs], activation=activation)
    made = on_rows(lambda x, t: gl.losses.mse(network(x), t), (features,), (outputs,), count=37)
    assert_same_run(made, "float64", [37] * 6)
    for precision in ("float32", "float64"):
        assert_same_run(made, precision, [16, 5, 8, 8] * 3, shuffled(37, 3 * 37))
    if lanes_for("float32") == 16 and width == 16 and outputs < 16:
        assert UNITS in source_of(made, "float32") and UNITS in source_of(made, "float32", 16)


def test_layers_summed_without_folding_over_more_rows_than_one_block():
    network = gl.nn.MLP([16, 1], activation="relu")
    made = on_rows(lambda x, t: gl.losses.mse(network(x), t), (2,), (1,), count=16 * 64 * 2 + 5)
    for precision in ("float32", "float64"):
        assert_same_run(made, precision, [16 * 64 * 2 + 5] * 3)


def test_products_of_sums_that_no_vector_fills_are_folded():
    network = gl.nn.MLP([6, 3], activation="relu")
    made = on_rows(lambda x, t: gl.losses.mse(network(x), t), (5,), (3,))
    assert UNITS not in source_of(made)


def test_the_same_bits_whatever_the_pieces_of_a_run():
    made, order = classifier(23), shuffled(23, 8 * 12)
    finals = []
    for pieces in ([12], [5, 7], [1] * 12):
        run = load_backend("numba").open_training(made.step, made.data, "float32", 8)
        run.load(made.values)
        done = 0
        for number in pieces:
            run.run(np.full(number, 8), order[8 * done : 8 * (done + number)], np.zeros(number))
            done += number
        finals.append(run.read())
    for other in finals[1:]:
        assert all((other[leaf] == value).all() for leaf, value in finals[0].items())


def test_a_loss_that_is_not_finite_stops_the_run_before_the_update():
    made = xor(1.0)
    run = load_backend("numba").open_training(made.step, made.data, "float32", 4)
    broken = {
        leaf: np.full_like(value, np.inf) if value.shape == (2, 3) else value for leaf, value in made.values.items()
    }
    run.load(broken)
    before = run.read()
    assert run.run(np.full(3, 4), None, np.zeros(3)) == 0
    assert all(np.array_equal(before[leaf], value, equal_nan=True) for leaf, value in run.read().items())


@pytest.mark.parametrize(
    ("loss_of", "reason"),
    [
        (lambda x: gl.mean((x @ gl.parameter("w", (3, 1))) % 1.5), "mod on float"),
        (lambda x: gl.mean(gl.nn.MLP([300, 200, 1])(x)), "are the most that are written out"),
        (lambda x: gl.mean(gl.cast(x @ gl.parameter("w", (3, 1)), "int64")), "cast on int64"),
        (lambda x: gl.mean(gl.det(x[:, :, None] * gl.parameter("w", (3, 3)))), "takes the whole batch"),
    ],
)
def test_what_lanes_do_not_have_is_trained_as_before_and_says_so(loss_of, reason):
    made = on_rows(loss_of, (3,))
    assert_same_run(made, "float64", [11] * 2)
    run = load_backend("numba").open_training(made.step, made.data, "float64", 11)
    assert "rows are not taken in tiles" in run.program.describe()
    assert reason in run.program.describe()
    assert "not unrolled" not in run.program.describe()  # what it was offered as is said, and that alone


def test_a_sum_wider_than_the_precision_of_the_run_is_no_tile():
    w = gl.parameter("w", (3,))
    made = on_rows(lambda x: gl.mean(gl.square(gl.cast(x + w, "float32"))), (3,))
    run = load_backend("numba").open_training(made.step, made.data, "float32", 11)
    assert "a sum of float64 over rows has no code for lanes of float32" in run.program.describe()
    assert_same_run(made, "float32", [11] * 4)


@pytest.mark.parametrize("least", [gl.min, gl.norm])
def test_what_the_gradient_needs_of_the_number_of_rows_alone_is_computed_before_the_tile(least):
    made = on_rows(lambda x: gl.mean(gl.square(least(x @ gl.parameter("w", (3, 4)), axis=1))), (3,))
    for counts, order in (([11] * 4, None), ([5, 5, 1] * 2, shuffled(11, 22))):
        assert_same_run(made, "float64", counts, order)
        assert "load_f" in source_of(made) and "rows_i64x" in source_of(made, batch=5)


def test_what_no_step_changes_is_computed_before_the_loop_at_each_call():
    w = gl.parameter("w", (3, 4))
    made = on_rows(lambda x: gl.mean(gl.square(x @ w - 1)), (3,), optimizer=gl.optim.Adam(0.01))
    head, loop = source_of(made).split("for step in range(steps):")
    assert "flog_f32" in head
    assert "flog_f32" not in loop
    (beta,) = (leaf for leaf in made.values if leaf.full_name.endswith("beta1"))
    run = load_backend("numba").open_training(made.step, made.data, "float64", 11)
    finals = []
    for value in (0.9, 0.5):
        run.load({**made.values, beta: np.float64(value)})
        run.run(np.full(5, 11), None, np.zeros(5))
        finals.append(run.read()[w])
    other = load_backend("numpy").open_training(made.step, made.data, "float64", 11)
    other.load({**made.values, beta: np.float64(0.5)})
    other.run(np.full(5, 11), None, np.zeros(5))
    np.testing.assert_allclose(finals[1], other.read()[w], rtol=1e-12)
    assert not np.allclose(finals[0], finals[1])
