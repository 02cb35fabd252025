"""Training loops as one kernel: the reference's numbers, in any order of threads; what stops them; what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.backends.cuda import device
from graphlearn.backends.cuda.source import Kernel
from graphlearn.backends.cuda.training import emit_training
from graphlearn.backends.registry import load_backend
from graphlearn.errors import DataError, EngineError, NonFiniteError, OptionError
from graphlearn.program.build import Batching, build_training
from tests.backends.cuda.lockstep import Lockstep
from tests.backends.cuda.networks import Task, assert_trains_like_the_reference, branches, classifier, task, train, xor

PRECISIONS = ("float32", "float64")


@pytest.mark.parametrize("precision", PRECISIONS)
def test_xor(precision: str, in_lockstep: None) -> None:
    assert_trains_like_the_reference(xor(), precision, [4] * 30)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_parts_and_arrays_put_together(precision: str, in_lockstep: None) -> None:
    assert_trains_like_the_reference(branches(), precision, [24] * 5)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_classifier_by_adam_on_batches_of_changing_length(precision: str, in_lockstep: None) -> None:
    counts = [8, 8, 7] * 3
    order = np.concatenate([np.random.default_rng(k).permutation(23) for k in range(3)])
    assert_trains_like_the_reference(classifier(), precision, counts, order)


@pytest.mark.parametrize("most_threads", [1, 7, 64])
def test_any_number_of_threads(most_threads: int, in_lockstep: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "most_training_threads", lambda: most_threads)
    assert_trains_like_the_reference(classifier(), "float64", [23] * 3)


def regression(rows: int, width: int) -> Task:
    rng = np.random.default_rng(5)
    x, y = gl.input("x", ("batch", width)), gl.input("y", ("batch",))
    w, b = gl.parameter("w", (width,)), gl.parameter("b", ())
    loss = gl.losses.mse(x @ w + b, y)
    return task(loss, gl.optim.Momentum(0.1 / width), {x: rng.normal(size=(rows, width)), y: rng.normal(size=rows)})


def test_long_reductions_are_shared(in_lockstep: None) -> None:
    problem = regression(300, 2)
    assert_trains_like_the_reference(problem, "float64", [300] * 4)
    run = load_backend("cuda").open_training(problem.step, problem.data, "float32", 300)
    assert "part_f32 = cuda.shared.array(256, float32)" in run.source


def test_memory_beyond_the_shared_one(in_lockstep: None) -> None:
    problem = regression(9, 8000)
    assert_trains_like_the_reference(problem, "float64", [9] * 2)
    run = load_backend("cuda").open_training(problem.step, problem.data, "float64", 9)
    assert "shared" not in run.source and "f64_memory" not in run.source


def test_several_calls_continue(in_lockstep: None) -> None:
    problem = xor()
    run = load_backend("cuda").open_training(problem.step, problem.data, "float64", 4)
    run.load(problem.values)
    losses = np.empty(6)
    order = np.array([3, 1, 0, 2] * 2)
    assert run.run(np.full(2, 4), None, losses[:2]) == 2
    assert run.run(np.full(2, 4), order, losses[2:4]) == 2  # another kernel, the same values
    assert run.run(np.full(2, 4), None, losses[4:]) == 2
    _, expected, values = train("numpy", problem, "float64", [4] * 6)
    np.testing.assert_allclose(losses, expected, rtol=1e-12)
    after = run.read()
    for leaf, value in zip(problem.step.updates, values, strict=True):
        np.testing.assert_allclose(after[leaf], value, rtol=1e-12)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_it_stops_at_the_first_loss_that_is_not_finite(precision: str, in_lockstep: None) -> None:
    problem = regression(6, 2)
    rate = problem.step.scalars[0]
    problem = problem._replace(values={**problem.values, rate: np.array(1e12)})
    made, losses, values = train("cuda", problem, precision, [6] * 40)
    expected_made, expected, expected_values = train("numpy", problem, precision, [6] * 40)
    assert 0 < made < 39
    assert made == expected_made
    assert np.isfinite(losses[:made]).all() and not np.isfinite(losses[made])
    assert (losses[made + 1 :] == -1).all()
    np.testing.assert_allclose(losses[:made], expected[:made], rtol=1e-4)
    for value, reference in zip(values, expected_values, strict=True):
        assert np.isfinite(value).all()
        np.testing.assert_allclose(value, reference, rtol=1e-4)


@pytest.mark.parametrize("optimizer", [gl.optim.SGD, gl.optim.Momentum])
def test_a_model_that_diverges_keeps_the_values_of_its_last_finite_loss(
    optimizer: type[gl.optim.SGD], in_lockstep: None
) -> None:
    def fit(epochs: int) -> tuple[gl.Model, gl.optim.SGD, Exception | None]:
        x, t = gl.input("x", ("batch", 2)), gl.input("t", ("batch", 1))
        y = x @ gl.parameter("w", value=np.ones((2, 1)))
        model, rule = gl.Model(y, loss=gl.losses.mse(y, t)), optimizer(1e6)
        data = {"x": [[1.0, 2.0], [3.0, -1.0], [0.5, 0.5]], "t": [[1.0], [0.0], [2.0]]}
        try:
            model.fit(data, optimizer=rule, epochs=epochs, backend="cuda")
        except NonFiniteError as error:
            return model, rule, error
        return model, rule, None

    model, rule, error = fit(100)
    assert error is not None and 1 < rule.steps < 99
    shorter, other, fine = fit(rule.steps)
    assert fine is None
    assert model.values["w"].tobytes() == shorter.values["w"].tobytes()
    assert {k: a.tobytes() for k, a in rule.state.items()} == {k: a.tobytes() for k, a in other.state.items()}


@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize("make", [xor, classifier])
def test_a_float32_kernel_computes_nothing_in_float64(make: Callable[[], Task], fixed: bool) -> None:
    program = build_training(make().step, "float32", Batching(4, fixed, not fixed, {}))
    assert "float64" not in emit_training(program).kernel.source


@pytest.mark.parametrize("most_threads", [8, 256])
def test_no_two_threads_race(most_threads: int, watched: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "most_training_threads", lambda: most_threads)
    train("cuda", xor(), "float64", [4] * 2)
    train("cuda", branches(23), "float64", [8, 8, 7], np.arange(23))
    train("cuda", classifier(), "float32", [8, 8, 7], np.arange(23))
    train("cuda", regression(300, 2), "float64", [300] * 2)


def test_a_missing_barrier_is_a_race(lockstep_memory: None, monkeypatch: pytest.MonkeyPatch) -> None:
    problem, barrier = xor(), "cuda.syncthreads()"
    source = emit_training(build_training(problem.step, "float64", Batching(4, True, False, {}))).kernel.source
    for number in range(source.count(barrier)):

        def load(kernel: Kernel, number: int = number) -> object:
            parts = kernel.source.split(barrier)
            text = "pass".join([barrier.join(parts[: number + 1]), barrier.join(parts[number + 1 :])])
            return Lockstep(watched=True).load(replace(kernel, source=text))

        monkeypatch.setattr(device, "load", load)
        with pytest.raises(AssertionError, match="race for entry"):
            train("cuda", problem, "float64", [4] * 2)


# --- what is refused -------------------------------------------------------------------------------------------------


def test_a_large_network_is_refused(in_lockstep: None) -> None:
    problem = regression(64, 40_000)
    with pytest.raises(OptionError, match=r'one block of 256 threads.*Pass backend="numba"'):
        load_backend("cuda").open_training(problem.step, problem.data, "float64", 32)


def test_rows_that_are_not_there_are_refused(in_lockstep: None) -> None:
    problem = xor()
    run = load_backend("cuda").open_training(problem.step, problem.data, "float64", 4)
    run.load(problem.values)
    with pytest.raises(DataError, match="row numbers from 0 to 3"):
        run.run(np.array([2]), np.array([0, 4]), np.empty(1))
    with pytest.raises(DataError, match="1 to 4 rows"):
        run.run(np.array([5]), np.arange(5), np.empty(1))
    with pytest.raises(DataError, match="takes all 4 rows"):
        run.run(np.array([3]), None, np.empty(1))
    with pytest.raises(DataError, match="one entry per step"):
        run.run(np.array([4, 4]), None, np.empty(1))


def test_without_a_gpu_it_says_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device.cuda, "is_available", lambda: False)
    problem = xor()
    with pytest.raises(EngineError, match=r'driver.*backend="numba".*NUMBA_ENABLE_CUDASIM=1'):
        load_backend("cuda").open_training(problem.step, problem.data, "float32", 4)


def test_names_that_kernels_use_themselves() -> None:
    names = ("cuda", "thread", "threads", "f32", "f32_memory", "entry", "part_f32", "order", "math", "i0", "v1")
    leaves = [gl.parameter(name, (2,)) for name in names]
    data = gl.input("made", ("batch", 2))
    loss = gl.sum(gl.tanh(data * sum(leaves[1:], leaves[0])))
    problem = task(loss, gl.optim.SGD(0.1), {data: np.ones((3, 2))})
    source = emit_training(build_training(problem.step, "float32", Batching(3, True, False, {}))).kernel.source
    head = source.partition("\n")[0]
    parameters = head[head.index("(") + 1 : -2].split(", ")
    assert len(set(parameters)) == len(parameters)
    assert parameters[-5:] == ["order", "counts", "steps", "losses", "made"]
