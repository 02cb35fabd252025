from __future__ import annotations

import math
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from graphlearn.backends.numpy import backend as numpy_backend
from graphlearn.backends.registry import TrainingRun
from graphlearn.errors import NonFiniteError
from graphlearn.graph.leaves import input, parameter
from graphlearn.learn import Failure, Model, losses, optim
from graphlearn.learn import loop as loop_module
from graphlearn.learn.batches import FullBatch
from graphlearn.learn.failure import describe
from graphlearn.learn.loop import Loop
from graphlearn.ops.activations import square
from graphlearn.ops.intrinsics import exp, log, sqrt


def line(precision: str = "float32") -> tuple[Model, dict[str, np.ndarray]]:
    x, t = input("x", ("batch", 2)), input("t", ("batch", 1))
    y = (x @ parameter("w", value=np.ones((2, 1)))).named("y")
    data = {"x": np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.5]]), "t": np.array([[1.0], [0.0], [2.0]])}
    return Model(y, loss=losses.mse(y, t), precision=precision), data


def failure_of(error: NonFiniteError) -> Failure:
    assert isinstance(error.failure, Failure)
    return error.failure


@pytest.mark.parametrize("batch_size", [None, 2])
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_learning_rate_that_diverges(batch_size: int | None, precision: str, backend: str) -> None:
    model, data = line(precision)
    optimizer = optim.SGD(5.0)
    with pytest.raises(NonFiniteError) as caught:
        model.fit(data, optimizer=optimizer, epochs=2000, batch_size=batch_size, backend=backend)
    failure = failure_of(caught.value)
    history = model.history
    assert history is not None and np.isfinite(history.losses).all()
    # The kept values are those of the last step with a finite loss, which starts with exactly that loss.
    assert all(np.isfinite(a).all() for a in model.values.values())
    assert failure.last_loss is not None and math.isfinite(failure.last_loss)
    assert failure.last_loss > 1e30
    assert not math.isfinite(failure.loss)
    assert optimizer.steps == history.steps
    # The same training, stopped there by hand, has the same values.
    again, _ = line(precision)
    steps = history.steps
    other = optim.SGD(5.0)
    epochs, rest = divmod(steps, 2 if batch_size else 1)
    if rest == 0:
        again.fit(data, optimizer=other, epochs=epochs, batch_size=batch_size, backend=backend)
        assert np.array_equal(again.values["w"], model.values["w"])
    text = str(caught.value)
    assert f"step {failure.step} (counted from 0, in epoch {failure.epoch})" in text and "smaller than 5" in text
    assert failure.epoch == failure.step // (2 if batch_size else 1) + 1
    assert failure.step in (history.steps, history.steps + 1)
    assert caught.value.nodes == (failure.node,)


def test_the_model_goes_on_after_a_failure(backend: str) -> None:
    model, data = line()
    with pytest.raises(NonFiniteError):
        model.fit(data, optimizer=optim.SGD(5.0), epochs=2000, backend=backend)
    model.reset()
    history = model.fit(data, optimizer=optim.SGD(0.05), epochs=50, backend=backend)
    assert history.losses[-1] < history.losses[0]


def test_the_culprit_is_named(backend: str) -> None:
    w = parameter("w", value=1.0)
    x = input("x", "batch")
    z = log(w - x).named("z")
    model = Model(z, loss=square(z).mean().named("L"), precision="float64")
    before = model.values["w"]
    with pytest.raises(
        NonFiniteError, match=r"step 0 \(counted from 0, in epoch 1\): z = log\(t1\) has 1 nan and 1 -inf among its 3"
    ) as caught:
        model.fit({"x": [0.0, 1.0, 2.0]}, optimizer=optim.SGD(0.1), epochs=5, backend=backend)
    failure = failure_of(caught.value)
    assert failure.node is z and failure.name == "z = log(t1)"
    assert failure.last_loss is None and failure.kept == 0
    text = str(caught.value)
    assert "The model keeps the values that it had before this fit. No step was made yet" in text
    assert "keep the operands of log where it is finite" in text
    assert "learning rate" not in text and "logits" not in text
    assert model.values["w"] == before
    assert model.history is not None and model.history.steps == 0


def test_an_update_that_overflows_is_named(backend: str) -> None:
    # The loss sqrt(w) is finite at 0, its derivative is not.
    w = parameter("w", value=0.0)
    model = Model(w, loss=sqrt(w), precision="float64")
    with pytest.raises(NonFiniteError) as caught:
        model.fit({}, optimizer=optim.SGD(0.1), epochs=5, backend=backend)
    failure = failure_of(caught.value)
    assert failure.step == 0 and failure.last_loss == 0
    assert failure.node not in (w, model.loss)
    assert model.values["w"] == 0


def test_the_very_last_update_may_fail_too(backend: str) -> None:
    w = parameter("w", value=0.0)
    model = Model(w, loss=sqrt(w), precision="float64")
    optimizer = optim.Momentum(0.1)
    with pytest.raises(NonFiniteError) as caught:
        model.fit({}, optimizer=optimizer, epochs=1, backend=backend)
    assert math.isnan(failure_of(caught.value).loss)
    assert model.values["w"] == 0 and optimizer.steps == 0
    assert all(np.isfinite(a).all() for a in optimizer.state.values())


def test_states_of_the_optimizer_go_back_too(backend: str) -> None:
    model, data = line()
    optimizer = optim.Adam(1e37)
    with pytest.raises(NonFiniteError):
        model.fit(data, optimizer=optimizer, epochs=100, backend=backend)
    assert int(optimizer.state["adam/step"]) == optimizer.steps
    assert all(np.isfinite(a).all() for a in optimizer.state.values())


def test_a_failure_deep_in_a_long_run_is_found_again(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # w grows by 1 % per step until exp overflows; no snapshot is taken after the first.
    monkeypatch.setattr(loop_module, "_PATIENCE", 1e9)
    w = parameter("w", value=1e-3)
    model = Model(w, loss=exp(square(w)), precision="float64")
    with pytest.raises(NonFiniteError) as caught:
        model.fit({}, optimizer=Ascent(0.01), epochs=100_000, backend=backend)
    failure = failure_of(caught.value)
    assert failure.last_loss is not None
    assert np.isclose(math.exp(float(model.values["w"]) ** 2), failure.last_loss, rtol=1e-9)


class Ascent(optim.SGD):
    """Goes uphill, until something overflows."""

    @property
    def structure(self) -> tuple[object, ...]:
        return (Ascent, *self.hyperparameters)

    def rule(self, parameters: object, gradients: object, inputs: object) -> dict[object, object]:  # type: ignore[override]
        rate = inputs["learning_rate"]  # type: ignore[index]
        return {p: p * (1 + rate) + 0 * gradients[p] for p in parameters}  # type: ignore[index,attr-defined]


class Shaky:
    """A backend that finds a loss infinite where the reference finds it finite."""

    def __init__(self, run: TrainingRun) -> None:
        self._run, self.source, self.program = run, "shaky", None
        self.load, self.read = run.load, run.read
        self._made = 0

    def run(self, counts: np.ndarray, order: np.ndarray | None, losses: np.ndarray) -> int:
        made = self._run.run(counts[:3], order, losses)
        losses[made:] = np.inf
        return made


def test_a_loss_that_only_the_compiled_run_loses(monkeypatch: pytest.MonkeyPatch) -> None:
    original = numpy_backend.open_training
    monkeypatch.setattr(numpy_backend, "open_training", lambda *a: Shaky(original(*a)))
    model, data = line()
    with pytest.raises(NonFiniteError, match="finite by the reference interpreter, yet not as compiled") as caught:
        model.fit(data, optimizer=optim.SGD(0.01), epochs=10, backend="numpy")
    assert failure_of(caught.value).node is model.loss


def test_descriptions() -> None:
    assert describe(np.float32(np.nan)) == "is nan"
    assert describe(np.array([[-np.inf, 0.0]])) == "has 1 -inf among its 2 entries, shape (1, 2)"


# --- going back ------------------------------------


class Counter:
    """A run whose value is the number of steps made."""

    source, program = "", None

    def __init__(self) -> None:
        self.value = 0

    def load(self, values: dict[str, int]) -> None:
        self.value = values["n"]

    def read(self) -> dict[str, int]:
        return {"n": self.value}

    def run(self, counts: np.ndarray, order: np.ndarray | None, losses: np.ndarray) -> int:
        losses[:] = self.value + np.arange(len(counts))
        self.value += len(counts)
        return len(counts)


@pytest.mark.parametrize("patience", [0.0, 1e9])
def test_every_step_since_the_snapshot_before_last_can_be_reached(
    patience: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_module, "_PATIENCE", patience)
    loop = Loop(Counter(), FullBatch(1), 100, {"n": 0})  # type: ignore[arg-type,dict-item]
    for steps in (5, 7, 1, 20):
        start = loop.done
        loop.advance(steps)
        for step in range(max(start - 1, 0), loop.done + 1):
            end = loop.done
            assert loop.rewind(step) == {"n": step} and loop.done == step
            loop.advance(end - step)
            assert loop.values() == {"n": end}
    assert loop.losses.tolist() == list(range(33))


# --- Ctrl-C ------------------------------------


@pytest.fixture
def strict_sigint() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler  # fit has put it back
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("strict_sigint")
def test_ctrl_c_leaves_values_states_and_history_together(backend: str) -> None:
    model, data = line()
    optimizer = optim.Momentum(0.01)

    def press(m: Model, epoch: int, logs: dict[str, float]) -> None:
        if epoch == 4:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        model.fit(data, optimizer=optimizer, epochs=1000, backend=backend, callbacks=[press])
    assert model.history is not None and model.history.epochs == optimizer.epochs == 4
    other, _ = line()
    other.fit(data, optimizer=optim.Momentum(0.01), epochs=4, backend=backend)
    assert np.array_equal(other.values["w"], model.values["w"])
    model.fit(data, optimizer=optimizer, epochs=1, backend=backend)
    assert optimizer.epochs == 5


@pytest.mark.usefixtures("strict_sigint")
def test_ctrl_c_while_steps_run(backend: str) -> None:
    model, data = line()
    timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        model.fit(data, optimizer=optim.SGD(1e-6), epochs=10**8, backend=backend)
    timer.join()
    assert model.history is not None and 0 < model.history.steps < 10**8
    assert np.isfinite(model.values["w"]).all()


@pytest.mark.usefixtures("strict_sigint")
@pytest.mark.parametrize("inside", [0, 1, 2])
def test_ctrl_c_again_and_again_in_the_middle_of_a_chunk(inside: int, monkeypatch: pytest.MonkeyPatch) -> None:
    of_chunk: list[int] = []
    plain_run, plain_interpret = numpy_backend.InterpretedRun.run, numpy_backend.interpret

    def run(self: Any, counts: np.ndarray, *rest: Any) -> int:
        of_chunk[:] = [0, len(counts)]
        return plain_run(self, counts, *rest)

    def interpret(*given: Any, **options: Any) -> Any:
        if of_chunk[1] == 3 and of_chunk[0] == inside:
            for _ in range(3):
                os.kill(os.getpid(), signal.SIGINT)
        of_chunk[0] += 1
        return plain_interpret(*given, **options)

    monkeypatch.setattr(numpy_backend.InterpretedRun, "run", run)
    monkeypatch.setattr(numpy_backend, "interpret", interpret)
    monkeypatch.setattr("graphlearn.learn.progress.Pace.next", lambda *_: 1 + len(of_chunk))  # 1, then 3 steps
    model, data = line()
    optimizer = optim.Adam(0.01)
    with pytest.raises(KeyboardInterrupt):
        model.fit(data, optimizer=optimizer, epochs=1000, backend="numpy")
    assert model.history is not None and model.history.steps == optimizer.steps == 4
    monkeypatch.undo()
    other, whole = line()[0], optim.Adam(0.01)
    other.fit(data, optimizer=whole, epochs=4, backend="numpy")
    assert np.array_equal(other.values["w"], model.values["w"])
    assert all(np.array_equal(a, whole.state[n]) for n, a in optimizer.state.items())


@pytest.mark.usefixtures("strict_sigint")
def test_the_second_ctrl_c_ends_a_callback_that_does_not(backend: str) -> None:
    model, data = line()
    optimizer = optim.Momentum(0.01)
    passed = []

    def press(m: Model, epoch: int, logs: dict[str, float]) -> None:
        if epoch == 3:
            os.kill(os.getpid(), signal.SIGINT)
            passed.append(epoch)
            os.kill(os.getpid(), signal.SIGINT)
            pytest.fail("it was held back")

    with pytest.raises(KeyboardInterrupt):
        model.fit(data, optimizer=optimizer, epochs=1000, backend=backend, callbacks=[press])
    assert passed == [3] and model.history is not None and model.history.steps == optimizer.steps == 3


@pytest.mark.usefixtures("strict_sigint")
def test_a_handler_may_make_room_for_another() -> None:
    def first(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, first)
    model, data = line()

    def press(m: Model, epoch: int, logs: dict[str, float]) -> None:
        if epoch in (2, 4):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        model.fit(data, optimizer=optim.SGD(0.01), epochs=9, backend="numpy", callbacks=[press])
    assert model.history is not None and model.history.steps == 4


@pytest.mark.usefixtures("strict_sigint")
def test_a_handler_of_ones_own_may_let_the_training_go_on() -> None:
    pressed = []
    signal.signal(signal.SIGINT, lambda *_: pressed.append(1))
    model, data = line()

    def press(m: Model, epoch: int, logs: dict[str, float]) -> None:
        if epoch in (2, 4):
            os.kill(os.getpid(), signal.SIGINT)

    history = model.fit(data, optimizer=optim.SGD(0.01), epochs=5, backend="numpy", callbacks=[press])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    assert history.epochs == 5 and pressed == [1, 1]


def test_fit_works_in_a_thread(backend: str) -> None:
    found: list[int] = []

    def work(fit: Callable[..., object]) -> None:
        model, data = line()
        found.append(model.fit(data, optimizer=optim.SGD(0.01), epochs=3, backend=backend).steps)

    threads = [threading.Thread(target=work, args=(Model.fit,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [3, 3]
