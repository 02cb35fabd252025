"""`Model.save_source`: a training as a file that is run alone, compiled and in plain Python."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.backends.numba import threads as rule
from graphlearn.backends.plain import plain_definition, plain_definitions
from graphlearn.backends.rows import FLOAT
from graphlearn.backends.saved import array_text
from graphlearn.errors import GraphUseError, OptionError

# Finders that make an import fail, as where neither graphlearn nor its compiler is installed.
WITHOUT = """
import runpy, sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("graphlearn", "numba", "llvmlite", "scipy"):
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run(path: Path, *options: str, alone: bool = False) -> dict[str, np.ndarray]:
    out = path.with_suffix(".out.npz")
    start = [sys.executable, "-W", "error", *(["-c", WITHOUT] if alone else [])]
    done = subprocess.run([*start, str(path), *options, "--out", str(out)], capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("step        1   loss ")
    with np.load(out) as found:
        return dict(found)


def xor(precision: str = "float32", optimizer: gl.optim.Optimizer | None = None, epochs: int = 20) -> gl.Model:
    x, t = gl.input("x", ("batch", 2)), gl.input("t", ("batch", 1))
    y = gl.nn.MLP([2, 3, 1], activation="tanh")(x)
    model = gl.Model(y, loss=gl.losses.mse(y, t), precision=precision)
    rows = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    data = {"x": rows, "t": rows[:, :1] ^ rows[:, 1:]}
    model.fit(data, optimizer=optimizer or gl.optim.SGD(0.5), epochs=epochs)
    return model


def classifier(epochs: int = 2, rows: int = 13, width: int = 5) -> gl.Model:
    x, t = gl.input("x", ("batch", 4)), gl.input("t", "batch", dtype="int64")
    z = gl.nn.MLP([4, width, 3], activation="sigmoid")(x)
    stream = np.random.default_rng(0)
    data = {"x": stream.normal(size=(rows, 4)), "t": stream.integers(0, 3, rows)}
    model = gl.Model(z, loss=gl.losses.cross_entropy(z, t))
    model.fit(data, optimizer=gl.optim.Adam(), epochs=epochs, batch_size=5)
    return model


def wide(epochs: int = 2, threads: int = 1) -> gl.Model:
    """Loops and calls of the library; dropout; numbers in a file beside."""
    x, t = gl.input("x", ("batch", 40)), gl.input("t", ("batch", 1))
    y = gl.nn.Sequential([gl.nn.Dense(50, "relu"), gl.nn.Dropout(0.5), gl.nn.Dense(1)])(x)
    stream = np.random.default_rng(0)
    data = {"x": stream.normal(size=(60, 40)), "t": stream.normal(size=(60, 1))}
    model = gl.Model(y, loss=gl.losses.mse(y, t))
    model.fit(data, optimizer=gl.optim.Momentum(0.01), epochs=epochs, batch_size=20, threads=threads)
    return model


def assert_same_bits(found: dict[str, np.ndarray], model: gl.Model) -> None:
    assert np.array_equal(found["losses"], model.history.losses)
    for name, value in model.values.items():
        assert np.array_equal(found[name], value) and found[name].dtype == value.dtype, name


@pytest.mark.parametrize("make", [xor, classifier, wide])
def test_the_file_gives_the_same_bits_in_a_process_of_its_own(make: object, tmp_path: Path) -> None:
    model = make()
    assert_same_bits(run(model.save_source(tmp_path / "saved.py")), model)


@pytest.mark.parametrize("make", [xor, classifier, wide])
def test_in_python_alone_a_small_network_trains_alike(make: object, tmp_path: Path) -> None:
    model = make(epochs=1)
    found = run(model.save_source(tmp_path / "saved.py"), "--plain", alone=True)
    for name, value in model.values.items():
        unit = np.spacing(np.max(np.abs(value))) if value.dtype.kind == "f" else 1
        assert np.max(np.abs(found[name] - value)) <= 32 * len(model.history.losses) * unit, name
    assert np.allclose(found["losses"], model.history.losses, rtol=1e-6)


def product(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray], u: float) -> tuple[np.ndarray, ...]:
    """A product of matrices, each with a bound of its error: a sum of n products in any order, with what is added."""
    (a, a_error), (b, b_error) = a, b
    n = (a.shape[1] + 8) * u  # 8 more roundings: a bias that is added, a factor of the mean
    carried = a_error @ np.abs(b) + np.abs(a) @ b_error + a_error @ b_error
    return a @ b, carried + n / (1 - n) * ((np.abs(a) + a_error) @ (np.abs(b) + b_error))


def gradients(
    weights: list[np.ndarray], biases: list[np.ndarray], x: np.ndarray, t: np.ndarray, u: float
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Gradients of the mse of a tanh network by weights and biases, each with how far any order of its sums is away."""
    exact = [(w, np.zeros_like(w)) for w in weights]
    reached = [(x, np.zeros_like(x))]
    for k, (w, b) in enumerate(zip(exact, biases, strict=True)):
        z, error = product(reached[-1], w, u)
        z, error = z + b, error + 8 * u * np.abs(b) + u * np.abs(z + b)
        last = k == len(weights) - 1
        reached.append((z, error) if last else (np.tanh(z), error + 8 * u * np.abs(np.tanh(z))))
    y, error = reached.pop()
    d, d_error = 2 / t.size * (y - t), 2 / t.size * (error + 4 * u * (np.abs(y - t) + error))
    found: list[tuple[np.ndarray, np.ndarray]] = []
    ones = (np.ones((1, len(x))), np.zeros((1, len(x))))
    for w, (h, h_error) in zip(reversed(exact), reversed(reached), strict=True):
        b, b_error = product(ones, (d, d_error), u)
        found = [product((h.T, h_error.T), (d, d_error), u), (b[0], b_error[0]), *found]
        slope, slope_error = 1 - h * h, 2 * np.abs(h) * h_error + h_error**2 + 4 * u
        back, back_error = product((d, d_error), (w[0].T, w[1].T), u)
        d, d_error = back * slope, back_error * (np.abs(slope) + slope_error) + np.abs(back) * slope_error
    return found


def moved(optimizer: gl.optim.Optimizer, g: np.ndarray) -> np.ndarray:
    """How far the first step goes."""
    rate = optimizer.hyperparameters["learning_rate"]
    return rate * g / (np.abs(g) + 1e-8) if isinstance(optimizer, gl.optim.Adam) else rate * g


@pytest.mark.parametrize("optimizer", [gl.optim.SGD, gl.optim.Adam])
@pytest.mark.parametrize(
    ("sizes", "precision"),
    [((2, 2, 3, 1), "float32"), ((2, 2, 4, 1), "float64"), ((8, 16, 16, 2), "float32"), ((120, 150, 10), "float32")],
    ids=["cancelling", "cancelling in float64", "deep", "wide"],
)
def test_in_python_alone_a_step_differs_as_sums_of_n_terms_may(
    sizes: tuple[int, ...], precision: str, optimizer: type[gl.optim.Optimizer], tmp_path: Path
) -> None:
    stream = np.random.default_rng(0)
    rows = stream.normal(size=(16, sizes[0])).astype(precision)
    truth = stream.normal(size=(16, sizes[-1])).astype(precision)
    if sizes[0] == 2:  # XOR of -1 and 1, where a zero bias has a gradient of 0
        rows = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]], precision)
        truth = -rows[:, :1] * rows[:, 1:]
    x, t = gl.input("x", ("batch", sizes[0])), gl.input("t", ("batch", sizes[-1]))
    y = gl.nn.MLP(list(sizes[1:]), activation="tanh")(x)
    model = gl.Model(y, loss=gl.losses.mse(y, t), precision=precision, seed=0)
    names = [n for n in model.values if n.endswith(("/W", "/b"))]
    names = sorted(names, key=lambda n: (n.startswith("output"), len(n), n.rpartition("/")[0], n[-1]))
    start = [model.values[n].astype("float64") for n in names]
    rule = optimizer(0.05)
    model.fit({"x": rows, "t": truth}, optimizer=rule, epochs=1)
    found = run(model.save_source(tmp_path / "saved.py"), "--plain", alone=True)
    u = float(np.finfo(precision).eps) / 2
    bounds = gradients(start[::2], start[1::2], rows.astype("float64"), truth.astype("float64"), u)
    largest = max(np.max(np.abs(g)) for g, _ in bounds)
    assert max(np.max(error) for _, error in bounds) < 0.01 * largest, "the bound says nothing"
    for name, w, (g, error) in zip(names, start, bounds, strict=True):
        reach = moved(rule, g + error) - moved(rule, g - error)  # both ways of running lie between
        allowed = reach + 4 * u * np.abs(w) + 32 * u * np.abs(moved(rule, np.abs(g) + error))
        assert g.shape == model.values[name].shape
        assert np.all(np.abs(found[name].astype("float64") - model.values[name]) <= allowed), name
        assert np.all(np.abs(w - moved(rule, g) - model.values[name]) <= allowed), name


def test_the_file_asks_for_the_threads_of_the_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule, "SHARE", 2**12)
    monkeypatch.setattr(rule, "TRAINED_SHARE", 2**12)
    monkeypatch.setattr("graphlearn.backends.numba.backend.available", lambda: 2)
    monkeypatch.setattr("graphlearn.backends.numba.functions.available", lambda: 2)
    model = wide(threads=2)
    path = model.save_source(tmp_path / "saved.py")
    text = path.read_text(encoding="utf-8")
    assert "'threads': 2" in text and "as many threads as they had (2)" in text
    assert_same_bits(run(path), model)
    assert "as many threads as they had (1)" in wide().save_source(tmp_path / "one.py").read_text(encoding="utf-8")
    a, b = gl.input("a", (64, 64)), gl.input("b", (64, 64))
    given = {"a": np.ones((64, 64)), "b": np.full((64, 64), 0.5)}
    path = gl.compile(a @ b, threads=2).save_source(tmp_path / "f.py", given)
    assert "'threads': 2" in path.read_text(encoding="utf-8")
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert "32." in done.stdout


def test_numbers_lie_beside_the_file_where_there_are_many(tmp_path: Path) -> None:
    xor().save_source(tmp_path / "few.py")
    wide().save_source(tmp_path / "many.py")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["few.py", "many.npz", "many.py"]


def test_the_code_in_the_file_is_the_code_that_is_shown(tmp_path: Path) -> None:
    model = xor()
    text = model.save_source(tmp_path / "saved.py").read_text(encoding="utf-8")
    for part in model.source.split("\ndef ")[1:]:
        assert "def " + part.split("\n\n\n#")[0].rstrip() in text


def test_a_second_fit_is_repeated_from_where_it_began(tmp_path: Path) -> None:
    optimizer = gl.optim.Adam()
    model = xor(optimizer=optimizer, epochs=3)
    rows = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    model.fit({"x": rows, "t": rows[:, :1] ^ rows[:, 1:]}, optimizer=optimizer, epochs=4)
    found = run(model.save_source(tmp_path / "saved.py"))
    assert len(found["losses"]) == 4
    assert_same_bits(found, model)


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    model = xor(epochs=1)
    with pytest.raises(OptionError, match=r"ends with .py; got 'saved.txt'"):
        model.save_source(tmp_path / "saved.txt")
    with pytest.raises(OptionError, match="cannot: No such file or directory"):
        model.save_source(tmp_path / "nowhere" / "saved.py")
    (tmp_path / "taken.py").mkdir()
    with pytest.raises(OptionError, match="cannot"):
        model.save_source(tmp_path / "taken.py")
    assert [p.name for p in tmp_path.iterdir()] == ["taken.py"], "a draft was left"
    x = gl.input("x", "batch")
    y = x * gl.parameter("w", ())
    fresh = gl.Model(y, loss=gl.mean(y))
    with pytest.raises(GraphUseError, match="no fit yet"):
        fresh.save_source(tmp_path / "saved.py")


def test_a_fit_without_generated_code_is_refused(tmp_path: Path) -> None:
    x = gl.input("x", "batch")
    w = gl.parameter("w", value=1.0)
    model = gl.Model(x * w, loss=gl.mean(gl.square(x * w)))
    model.fit({"x": [1.0, 2.0]}, optimizer=gl.optim.SGD(0.1), epochs=1, backend="numpy")
    with pytest.raises(OptionError, match='backend="numba"'):
        model.save_source(tmp_path / "saved.py")


@pytest.mark.parametrize("suffix", ["f32", "f64"])
def test_every_function_of_the_rows_has_a_plain_form(suffix: str) -> None:
    for row in FLOAT.values():
        text = row.format("x", "y", "z", s=suffix, zero="x", one="x", two="x", half="x", third="x", inf="x")
        compile(plain_definitions(text), "plain", "exec")


def test_plain_forms_round_as_they_say() -> None:
    names = {"np": np, "float32": np.float32, "float64": np.float64, "int32": np.int32}
    exec("\n".join(plain_definition(stem, "f32") for stem in ("fexp", "bits", "from_bits", "gemm")), names)
    assert names["fexp_f32"](np.float32(1)) == np.float32(np.e)
    assert names["from_bits_f32"](names["bits_f32"](np.float32(-0.5))) == -0.5
    a, b, c = np.arange(6, dtype="f4"), np.arange(12, dtype="f4"), np.zeros(8, "f4")
    names["gemm_f32"](0, 1, 2, 4, 3, np.float32(1), a, 0, 3, b, 0, 3, np.float32(0), c, 0, 4)
    assert np.array_equal(c.reshape(2, 4), a.reshape(2, 3) @ b.reshape(4, 3).T)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool", "uint8"])
def test_arrays_are_written_so_that_they_are_read_as_they_were(dtype: str) -> None:
    array = (np.random.default_rng(0).normal(size=(3, 2, 2)) * 100).astype(dtype)
    for each in (array, array[0, 0, 0], array[:0], np.array([np.inf, -np.inf, 1e-45, -0.0]).astype("float32")):
        back = eval(array_text(np.asarray(each)), {"np": np, "inf": np.inf, "nan": np.nan})
        assert back.dtype == np.asarray(each).dtype and back.tobytes() == np.asarray(each).tobytes()
        assert back.shape == np.shape(each)


def test_a_folder_without_permission_is_said(tmp_path: Path) -> None:
    if os.geteuid() == 0:  # root may write anywhere: a device that takes nothing stands for it
        target = Path("/proc/saved.py")
    else:
        tmp_path.chmod(0o500)
        target = tmp_path / "saved.py"
    with pytest.raises(OptionError, match="cannot"):
        xor(epochs=1).save_source(target)


@pytest.mark.parametrize("options", [(), ("--plain",)])
def test_a_compiled_function_is_saved_with_one_call(options: tuple[str, ...], tmp_path: Path) -> None:
    x, w = gl.input("x", ("n", 3)), gl.parameter("w", (3,))
    loss = gl.mean(gl.softplus(x @ w) + gl.sin(x @ w))
    f = gl.compile([loss, gl.grad(loss, w)])
    at = {"x": np.arange(12.0).reshape(4, 3) / 10, "w": np.array([0.5, -1.0, 2.0])}
    path = f.save_source(tmp_path / "f.py", at)
    out = tmp_path / "out.npz"
    alone = ["-c", WITHOUT] if options else []
    command = [sys.executable, "-W", "error", *alone, str(path), *options, "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done.stderr
    with np.load(out) as found:
        for name, value in zip(("output0", "output1"), f(at), strict=True):
            if options:
                assert np.allclose(found[name], value, rtol=1e-13)
            else:
                assert np.array_equal(found[name], value)


def test_a_function_without_code_of_its_own_is_refused(tmp_path: Path) -> None:
    x = gl.input("x")
    with pytest.raises(OptionError, match="code of its own"):
        gl.compile(x * 2.0, backend="numpy").save_source(tmp_path / "f.py", x=1.0)
