"""`fast=` and `threads=`: off by default, said in `describe()`, within stated bounds, the same bits each time."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.backends.native import blas
from graphlearn.backends.numba import threads as rule
from graphlearn.backends.numba.identity import Request, identify_training
from graphlearn.backends.numba.threads import SHARE, threads_for
from graphlearn.backends.registry import Speed
from graphlearn.errors import EngineError, OptionError
from graphlearn.program.build import build_function


def network(precision: str = "float32") -> tuple[gl.Model, dict[str, np.ndarray]]:
    x, t = gl.input("x", ("batch", 40)), gl.input("t", ("batch", 10))
    y = gl.nn.MLP([48, 10], activation="tanh")(x)
    rng = np.random.Generator(np.random.Philox(key=3))
    data = {"x": rng.normal(size=(200, 40)), "t": rng.normal(size=(200, 10))}
    return gl.Model(y, loss=gl.losses.mse(y, t), precision=precision), data


def trained(precision: str = "float32", **options: Any) -> gl.Model:
    model, data = network(precision)
    model.fit(data, optimizer=gl.optim.SGD(0.05), epochs=20, batch_size=50, **options)
    return model


def same(one: gl.Model, two: gl.Model) -> bool:
    return all(np.array_equal(array, two.values[name]) for name, array in one.values.items())


# --- fast -------------------------------------------------------------------------------------------------------------


def test_the_order_is_the_graphs_unless_fast_is_asked_for() -> None:
    x, y = gl.input("x", "n"), gl.input("y", "n")
    given = {"x": np.full(64, 1e16), "y": np.ones(64)}  # (1e16 + 1) - 1e16 is 0, and 1 in another order
    node = (x + y) - x
    plain, fast = gl.compile(node), gl.compile(node, fast=True)
    assert (gl.compile(node, fast=False)(given) == 0).all() and (plain(given) == 0).all()
    assert (fast(given) == 1).all()
    assert "fast=True" in fast.program.describe() and "fast" not in plain.program.describe()
    assert np.array_equal(gl.evaluate(node, given), plain(given))


@pytest.mark.parametrize(("precision", "bound"), [("float32", 2e-5), ("float64", 2e-14)])
def test_fast_changes_a_training_within_rounding(precision: str, bound: float) -> None:
    plain, fast, again = trained(precision), trained(precision, fast=True), trained(precision, fast=True)
    assert same(fast, again)
    for name, array in plain.values.items():
        assert np.abs(array - fast.values[name]).max() <= bound * np.abs(array).max()
    assert "fast=True" in fast.describe() and "fast" not in plain.describe()


def test_fast_gradients_and_jacobians_are_within_rounding() -> None:
    x = gl.input("x", 5)
    y = gl.tanh(x * gl.sum(x)) / (1 + gl.exp(x))
    nodes = [gl.grad(gl.sum(y), x), gl.jacobian(y, x), gl.hessian(gl.sum(y), x)]
    at = {"x": np.array([0.3, -1.0, 2.0, 0.0, 1e-3])}
    for plain, fast, wanted in zip(
        gl.compile(nodes)(at), gl.compile(nodes, fast=True)(at), gl.evaluate(nodes, at), strict=True
    ):
        assert np.allclose(plain, wanted, rtol=1e-13, atol=1e-15)
        assert np.allclose(fast, wanted, rtol=1e-12, atol=1e-14)


def test_a_loss_that_is_not_finite_is_seen_when_fast() -> None:
    model, data = network()
    with pytest.raises(gl.NonFiniteError):
        model.fit(data, optimizer=gl.optim.SGD(1e20), epochs=50, fast=True)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_every_backend_may_be_allowed_another_order(backend: str) -> None:
    assert np.isfinite(trained(backend=backend, fast=True).values["output/W"]).all()


# --- threads ----------------------------------------------------------------------------------------------------------


def product(m: int, n: int, k: int, dtype: str = "float64") -> Any:
    a, b = gl.input("a", (m, k), dtype), gl.input("b", (k, n), dtype)
    return build_function([a @ b], [a, b], "float64")


@pytest.mark.parametrize(
    ("sizes", "wanted", "cores", "used", "said"),
    [
        ((256, 256, 256), 1, 8, 1, ""),
        ((256, 256, 256), 2, 8, 2, "matrix products use 2; the smallest large one takes 16,777,216"),
        ((256, 256, 256), 64, 64, 8, "use 8"),
        ((256, 256, 256), 4, 2, 2, "2 cores are available"),
        ((2**7, 2**7, 2**8), 2, 8, 2, "use 2; the smallest large one takes 4,194,304"),
        ((2**7, 2**7, 2**8 - 1), 2, 8, 1, "use one; the largest takes 4,177,920 multiplications, and two are faster"),
    ],
)
def test_the_rule(sizes: Any, wanted: int, cores: int, used: int, said: str) -> None:
    count, line = threads_for(product(*sizes), wanted, {}, cores)
    assert count == used and said in line and bool(line) == (wanted > 1)


def test_small_products_that_hold_the_work_keep_one_thread() -> None:
    a, b = gl.input("a", (128, 256)), gl.input("b", (256, 128))
    c, d = gl.input("c", (100, 64, 64)), gl.input("d", (100, 64, 64))
    leaves = [a, b, *(gl.input(f"e{k}", (128, 128)) for k in range(4))]
    chain = a @ b
    for e in leaves[2:]:
        chain = chain @ e
    assert threads_for(build_function([chain], leaves, "float64"), 2, {}, 2)[0] == 1
    assert "less than half" in threads_for(build_function([chain], leaves, "float64"), 2, {}, 2)[1]
    assert threads_for(build_function([gl.sum(c * d)], [c, d], "float64"), 2, {}, 2)[1].count("none that a library")


def test_lengths_of_the_call_count() -> None:
    a, b = gl.input("a", ("n", 256)), gl.input("b", (256, 256))
    program = build_function([a @ b], [a, b], "float64")
    assert [threads_for(program, 2, {"n": n}, 2)[0] for n in (63, 64)] == [1, 2]
    assert 2 * SHARE == 64 * 256 * 256


class Recorder:
    """A library whose number of threads is written down at each change."""

    def __init__(self) -> None:
        self.count, self.set = 4, list[int]()
        self.blas = blas.Blas("fake", {}, lambda: self.count, self._take, None)

    def _take(self, count: int) -> None:
        self.count = count
        self.set.append(count)


def test_calls_of_different_numbers_wait_for_each_other() -> None:
    library, state, seen = Recorder(), blas._Threads(), list[tuple[int, int]]()

    def work(count: int) -> None:
        for _ in range(200):
            state.enter(library.blas, count)
            seen.append((count, library.count))
            state.leave(library.blas)

    workers = [threading.Thread(target=work, args=(count,)) for count in (1, 2, 2, 3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=30)
    assert len(seen) == 800 and all(wanted == used for wanted, used in seen) and library.count == 4


def test_threads_are_used_for_large_products_alone_and_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphlearn.backends.numba.functions.available", lambda: 2)
    library = blas.library()
    assert library.get_threads is not None and library.set_threads is not None
    before, given = library.get_threads(), list[int]()
    entered = blas._Threads.enter

    def enter(self: Any, opened: Any, count: int | None = None) -> None:
        entered(self, opened, count)
        given.append(library.get_threads())  # type: ignore[misc]

    monkeypatch.setattr(blas._Threads, "enter", enter)
    a, b = gl.input("a", ("n", 256)), gl.input("b", (256, 256))
    f = gl.compile(a @ b, threads=2)
    for n, used in ((8, []), (300, [2])):  # with one thread, products are our own, and nobody enters the library
        x, y = np.ones((n, 256)), np.full((256, 256), 0.5)
        given.clear()
        assert np.allclose(f(a=x, b=y), 128.0) and given == used
    assert library.get_threads() == before
    assert "threads=2: how many are used is said by the lengths of each call" in f.program.describe()


def test_the_same_number_of_threads_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule, "SHARE", 2**12)
    monkeypatch.setattr(rule, "TRAINED_SHARE", 2**12)
    monkeypatch.setattr("graphlearn.backends.numba.backend.available", lambda: 2)
    one, two, again = trained(), trained(threads=2), trained(threads=2)
    assert same(two, again)
    assert all(np.allclose(a, two.values[n], rtol=1e-4, atol=1e-6) for n, a in one.values.items())
    assert "threads=2: matrix products use 2" in two.describe() and "threads" not in one.describe()


@pytest.mark.parametrize("options", [{}, {"fast": True}, {"threads": 2}])
def test_every_speed_has_an_identity_of_its_own(options: dict[str, Any]) -> None:
    found = []
    for speed in (Speed(**options), Speed(True, 4)):
        model, _ = network()
        plan = model._trainer.plan(gl.optim.SGD(0.1))
        identity = identify_training(plan.step, Request("float32", 50, True, True, {}, speed), lambda *_: [])
        assert identity is not None
        found.append(identity[0])
    assert found[0] != found[1]


def test_small_networks_stay_on_one_thread_and_say_so() -> None:
    model = trained(threads=8)
    assert same(model, trained())
    assert "threads=8: matrix products use one; the largest takes" in model.describe()
    x = np.ones((3, 40))
    assert np.array_equal(model.predict(x, threads=2), model.predict(x))


@pytest.mark.parametrize("count", [0, -1, 1.5, "auto", None, True])
def test_numbers_of_threads_that_are_none(count: Any) -> None:
    model, data = network()
    x = gl.input("x")
    for call in (
        lambda: model.fit(data, optimizer=gl.optim.SGD(0.1), epochs=1, threads=count),
        lambda: model.predict(data, threads=count),
        lambda: gl.compile(x + 1, threads=count),
    ):
        with pytest.raises(OptionError, match="threads needs a whole number from 1"):
            call()


def test_other_backends_have_no_threads_to_share_out() -> None:
    model, data = network()
    with pytest.raises(OptionError, match="needs backend='numba'; got 'numpy'"):
        model.fit(data, optimizer=gl.optim.SGD(0.1), epochs=1, threads=2, backend="numpy")
    with pytest.raises(OptionError, match="fast needs True or False"):
        model.fit(data, optimizer=gl.optim.SGD(0.1), epochs=1, fast="yes")  # type: ignore[arg-type]


def test_a_library_without_control_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "library", lambda: blas.Blas("fake", {}, None, None, None))
    a = gl.input("a", (8, 8))
    with pytest.raises(EngineError, match="no control of its threads"):
        gl.compile(a @ a, threads=2)
