"""Who watches a training, and when: chunks, callbacks, Ctrl-C in a process of its own, hyperparameters, determinism."""

from __future__ import annotations

import functools
import itertools
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.backends import native
from graphlearn.backends.numba import backend as numba_backend
from graphlearn.backends.numba import planner
from graphlearn.errors import NonFiniteError, OptionError
from graphlearn.learn import fit as fit_module
from graphlearn.learn.progress import Pace

Made = tuple[gl.Model, dict[str, np.ndarray]]


def network(sizes: tuple[int, ...] = (4, 2), rows: int = 23, width: int = 3, dropout: float = 0.0) -> Made:
    """A network on random rows; whatever is drawn is drawn in the same way each time."""
    x, t = gl.input("x", ("batch", width)), gl.input("t", ("batch", sizes[-1]))
    y = gl.nn.MLP(sizes, activation="tanh")(gl.dropout(x, dropout) if dropout else x)
    rng = np.random.Generator(np.random.Philox(key=1))
    data = {"x": rng.normal(size=(rows, width)), "t": rng.normal(size=(rows, sizes[-1]))}
    return gl.Model(y, loss=gl.losses.mse(y, t)), data


def same(one: gl.Model, two: gl.Model) -> bool:
    return all(np.array_equal(array, two.values[name]) for name, array in one.values.items())


# --- chunks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [5e-8, 3e-6, 4e-4, 0.0049])
def test_chunks_last_from_10_to_50_ms_whatever_a_step_takes(seconds: float) -> None:
    pace = Pace()
    done, lasts = 0, []
    for _ in range(30):
        steps = pace.next(done, 10**9, 1)
        lasts.append(seconds * steps + 1e-6)
        pace.note(steps, lasts[-1])
        done += steps
    assert max(lasts) <= 0.05 and min(lasts[6:]) >= 0.01
    assert sum(lasts[:6]) < 0.2  # nobody waits for the pace to be found


def test_a_step_longer_than_a_chunk_is_a_chunk() -> None:
    pace = Pace()
    for done in range(5):
        assert pace.next(done, 100, 100) == 1
        pace.note(1, 2.0)


def test_the_pace_of_a_run_is_kept_for_the_next_fit_of_it() -> None:
    model, data = network()
    options: dict[str, Any] = {"optimizer": gl.optim.SGD(0.1), "batch_size": 8, "epochs": 2}
    model.fit(data, **options)
    first = model._trainer.pace
    model.fit(data, **options)
    assert model._trainer.pace is first
    assert first.next(0, 10**9, 1) > 1  # it has learned something
    model.fit({name: array[:-1] for name, array in data.items()}, **options)
    assert model._trainer.pace is not first


NETWORKS: dict[str, Callable[[], Made]] = {
    "unrolled": lambda: _minimum(),
    "tiles": lambda: network(),
    "tiles and dropout": lambda: network(dropout=0.3),
    "loops and products": lambda: network((48, 40, 2), rows=60, width=20),
}


def _minimum() -> Made:
    a, b = gl.parameter("a", value=-1.0), gl.parameter("b", value=np.array([1.5, 2.0]))
    return gl.Model(a * b, loss=gl.square(1 - a) + gl.sum(gl.square(b - gl.square(a))), precision="float64"), {}


class Random(Pace):
    """Chunks of any length, the next number of a stream."""

    def __init__(self, lengths: Any) -> None:
        self._lengths = lengths

    def note(self, steps: int, seconds: float) -> None:
        pass

    def next(self, done: int, limit: int, steps_per_epoch: int) -> int:
        # A chunk never reaches over the end of an epoch, unless it holds whole ones.
        return min(int(next(self._lengths)), limit, steps_per_epoch - done % steps_per_epoch)


@pytest.mark.parametrize("name", NETWORKS)
def test_no_bit_depends_on_the_chunks(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    finals: list[tuple[gl.Model, gl.learn.History]] = []
    rng = np.random.Generator(np.random.Philox(key=2))
    for lengths in (itertools.repeat(10**9), itertools.repeat(1), iter(rng.integers(1, 9, 10_000))):
        monkeypatch.setattr(fit_module, "Pace", functools.partial(Random, lengths))
        model, data = NETWORKS[name]()
        batch = {"batch_size": 8} if data else {}
        finals.append((model, model.fit(data, optimizer=gl.optim.Adam(0.01), epochs=40, **batch)))
    for model, history in finals[1:]:
        assert same(model, finals[0][0]) and np.array_equal(history.losses, finals[0][1].losses)


# --- callbacks that change something ----------------------------------------------------------------------------------

OPTIMIZERS: dict[str, tuple[Callable[..., gl.optim.Optimizer], dict[str, float], dict[str, float]]] = {
    "sgd": (gl.optim.SGD, {"learning_rate": 0.1}, {"learning_rate": 0.03}),
    "momentum": (
        gl.optim.Momentum,
        {"learning_rate": 0.1, "momentum": 0.9},
        {"learning_rate": 0.03, "momentum": 0.5},
    ),
    "adam": (
        gl.optim.Adam,
        {"learning_rate": 0.1, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
        {"learning_rate": 0.03, "beta1": 0.8, "beta2": 0.99, "eps": 1e-6},
    ),
}
EVERY_NUMBER = [(name, number) for name, (_, numbers, _) in OPTIMIZERS.items() for number in numbers]


def test_every_optimizer_and_every_number_is_tried() -> None:
    kinds = {
        kind for kind in vars(gl.optim).values()
        if isinstance(kind, type) and issubclass(kind, gl.optim.Optimizer) and kind is not gl.optim.Optimizer
    }  # fmt: skip
    assert kinds == {kind for kind, _, _ in OPTIMIZERS.values()}
    for kind, numbers, _ in OPTIMIZERS.values():
        assert set(kind(**numbers).hyperparameters) == set(numbers)


@pytest.mark.parametrize(("name", "number"), EVERY_NUMBER)
@pytest.mark.parametrize("within", [False, True], ids=["between two fits", "in a callback"])
def test_a_changed_number_compiles_nothing_and_is_used(
    name: str, number: str, within: bool, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, numbers, others = OPTIMIZERS[name]
    model, data = network()
    optimizer, plain = kind(**numbers), kind(**numbers)

    def change(_: object, epoch: int, logs: dict[str, float]) -> None:
        if epoch == 2:
            setattr(optimizer, number, others[number])

    model.fit(data, optimizer=kind(**numbers), epochs=2, batch_size=8, backend=backend)
    model.reset()
    with monkeypatch.context() as patch:
        for module, function in ((native, "compile_native"), (planner, "compile_native"), (numba_backend, "recall")):
            patch.setattr(module, function, lambda *_, **__: pytest.fail("it was compiled anew"))
        if within:
            model.fit(data, optimizer=optimizer, epochs=5, batch_size=8, backend=backend, callbacks=[change])
        else:
            model.fit(data, optimizer=optimizer, epochs=2, batch_size=8, backend=backend)
            change(model, 2, {})
            model.fit(data, optimizer=optimizer, epochs=3, batch_size=8, backend=backend)
    other, _ = network()
    other.fit(data, optimizer=plain, epochs=2, batch_size=8, backend=backend)
    unchanged = {n: a.copy() for n, a in other.values.items()}
    setattr(plain, number, others[number])
    other.fit(data, optimizer=plain, epochs=3, batch_size=8, backend=backend)
    assert same(model, other) and not np.array_equal(unchanged["output/W"], other.values["output/W"])


def test_another_rule_needs_another_fit(backend: str) -> None:
    model, data = network()
    optimizer = gl.optim.Momentum(0.1)

    def stop_momentum(*_: object) -> None:
        optimizer.momentum = 0.0

    with pytest.raises(OptionError, match="may change the numbers of an optimizer, not its rule"):
        model.fit(data, optimizer=optimizer, epochs=3, backend=backend, callbacks=[stop_momentum])
    model.fit(data, optimizer=optimizer, epochs=3, backend=backend)


def test_training_goes_on_with_values_that_a_callback_assigns(backend: str) -> None:
    (one, data), (two, _) = network(), network()

    def clip(m: gl.Model, *_: object) -> None:
        m.values["output/W"] = np.clip(m.values["output/W"], -0.2, 0.2)

    one.fit(data, optimizer=gl.optim.SGD(0.1), epochs=4, batch_size=8, backend=backend, callbacks=[clip])
    optimizer = gl.optim.SGD(0.1)
    for _ in range(4):
        two.fit(data, optimizer=optimizer, epochs=1, batch_size=8, backend=backend)
        clip(two)
    assert same(one, two) and np.abs(one.values["output/W"]).max() == np.float32(0.2)


def test_early_stopping_may_put_back_the_best(backend: str) -> None:
    model, data = network()
    train, held = ({n: a[part] for n, a in data.items()} for part in (slice(0, 12), slice(12, 23)))
    best: dict[str, Any] = {"loss": np.inf, "epoch": 0, "values": {}}

    def watch(m: gl.Model, epoch: int, logs: dict[str, float]) -> bool:
        if logs["validation"] < best["loss"]:
            best.update(loss=logs["validation"], epoch=epoch, values=dict(m.values))
        if epoch < best["epoch"] + 20:
            return False
        m.values = best["values"]
        return True

    history = model.fit(
        train, optimizer=gl.optim.Adam(0.05), epochs=2000, batch_size=5, backend=backend, validation=held,
        callbacks=[watch],
    )  # fmt: skip
    assert history.epochs == best["epoch"] + 20 < 2000
    assert np.isclose(float(model.evaluate(model.loss, held, backend=backend)), best["loss"], rtol=1e-6)
    assert best["loss"] == history.validation.min()


def test_what_a_callback_breaks_is_found_where_it_was_broken(backend: str) -> None:
    model, data = network()
    optimizer = gl.optim.SGD(0.01)

    def raise_rate(_: object, epoch: int, logs: dict[str, float]) -> None:
        if epoch == 3:
            optimizer.learning_rate = 1e30

    with pytest.raises(NonFiniteError, match="smaller than 1e"):
        model.fit(data, optimizer=optimizer, epochs=9, batch_size=8, backend=backend, callbacks=[raise_rate])
    other, _ = network()
    other.fit(data, optimizer=gl.optim.SGD(0.01), epochs=3, batch_size=8, backend=backend)
    assert model.history is not None and model.history.losses[:9].tolist() == other.history.losses.tolist()  # type: ignore[union-attr]


# --- Ctrl-C in a process of its own, by a real signal -----------------------------------------------------------------

PROGRAM = """
import signal, sys
import numpy as np
import graphlearn as gl
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background process may have been started without
width, rows, batch, epochs = map(int, sys.argv[1:5])
backend = sys.argv[5]

def made():
    x, t = gl.input("x", ("batch", width)), gl.input("t", ("batch", 2))
    y = gl.nn.MLP([width, width, 2], activation="tanh")(gl.dropout(x, 0.1))
    return gl.Model(y, loss=gl.losses.mse(y, t))

class Ready:
    def __enter__(self): return self
    def __exit__(self, *error): pass
    def show(self, steps, epoch, loss):
        if steps > -(-rows // batch) * 2 and not self.told:
            self.told = True
            print("ready", flush=True)
    told = False

rng = np.random.Generator(np.random.Philox(key=1))
data = {"x": rng.normal(size=(rows, width)), "t": rng.normal(size=(rows, 2))}
options = dict(batch_size=batch, seed=4, backend=backend)
model, optimizer = made(), gl.optim.Adam(1e-5)
try:
    model.fit(data, optimizer=optimizer, epochs=epochs, progress=Ready(), **options)
    print("not interrupted")
    sys.exit(1)
except KeyboardInterrupt:
    done = model.history.steps
per_epoch = -(-rows // batch)
assert optimizer.steps == done and done > 2 * per_epoch, (optimizer.steps, done)
assert optimizer.epochs == done // per_epoch, (optimizer.epochs, done)
assert np.isfinite(model.predict(data, backend=backend)).all()
stopped = {n: a.copy() for n, a in model.values.items()}

# at the last finished step, exactly: an undisturbed run that takes as many steps has the same bits
total = optimizer.epochs + 3
model.fit(data, optimizer=optimizer, epochs=total - optimizer.epochs, **options)
whole, other = made(), gl.optim.Adam(1e-5)
history = whole.fit(data, optimizer=other, epochs=total, **options)
assert (optimizer.steps, optimizer.epochs, optimizer.begun) == (other.steps, other.epochs, other.begun)
assert all(np.array_equal(a, whole.values[n]) for n, a in model.values.items())
assert all(np.array_equal(a, other.state[n]) for n, a in optimizer.state.items())
assert np.array_equal(model.history.losses, history.losses[done:])
assert not all(np.array_equal(a, stopped[n]) for n, a in model.values.items())
print("within an epoch" if done % per_epoch else "between two epochs", done)
"""


@pytest.mark.parametrize(
    ("width", "rows", "batch", "kind"),
    [(2, 7, 3, "numba"), (2, 7, 3, "numpy"), (48, 2**14 + 5, 16, "numba"), (512, 4000, 200, "numba")],
    ids=["tiny", "tiny, numpy", "middle", "large"],
)
def test_ctrl_c_in_a_process_leaves_a_model_that_goes_on_as_if_undisturbed(
    width: int, rows: int, batch: int, kind: str, tmp_path: Path
) -> None:
    epochs = 10**7 if width == 2 else 10**4
    program = tmp_path / "train.py"
    program.write_text(PROGRAM)
    arguments = [sys.executable, str(program), str(width), str(rows), str(batch), str(epochs), kind]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "ready\n", process.stderr.read()
        os.kill(process.pid, signal.SIGINT)
        out, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    assert re.fullmatch(r"(within an epoch|between two epochs) \d+\n", out)
