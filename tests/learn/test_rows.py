"""What is read where it lies: `predict` in batches without copies, data in files, arrays of another dtype."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.backends.mapped import is_mapped
from graphlearn.errors import ConversionWarning, DataError, OptionError
from graphlearn.learn import data as data_module
from graphlearn.learn import finite, rows
from graphlearn.program import batching


def network(precision: str = "float32", width: int = 3) -> gl.Model:
    x, t = gl.input("x", ("batch", width)), gl.input("t", ("batch", 2))
    y = gl.softmax(gl.nn.MLP([8, 2], activation="tanh")(x))
    return gl.Model(y, loss=gl.losses.mse(y, t), precision=precision)


def numbers(rows: int, width: int = 3, dtype: str = "float64") -> np.ndarray:
    return np.random.Generator(np.random.Philox(key=rows)).normal(size=(rows, width)).astype(dtype)


# --- predict in batches -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("size", [1, 7, 29, 30, 1000])
def test_batches_give_what_all_rows_at_once_give(size: int, dtype: str, backend: str) -> None:
    model, x = network(), (10 * numbers(29)).astype(dtype)
    whole = model.predict(x, backend=backend)
    parts = model.predict(x, batch_size=size, backend=backend)
    assert parts.dtype == whole.dtype == np.float32 and parts.shape == whole.shape == (29, 2)
    assert np.allclose(whole, parts, rtol=1e-6)


def test_several_outputs_and_inputs_of_every_kind(backend: str) -> None:
    x, c, w, s = gl.input("x", ("n", 2)), gl.input("c", "n", "int64"), gl.input("w", (2, 3)), gl.input("s")
    out = {"product": x @ w * s, "class": c + 1, "sign": x > 0}
    model = gl.Model(out, precision="float64")
    given = {"x": numbers(11, 2), "c": np.arange(11), "w": np.ones((2, 3)), "s": 2.0}
    whole, parts = (model.predict(given, batch_size=size, backend=backend) for size in (None, 4))
    for name, array in whole.items():
        assert parts[name].dtype == array.dtype and np.array_equal(parts[name], array)
    with pytest.raises(DataError, match="equally many rows"):
        model.predict({**given, "c": np.arange(10)}, batch_size=4, backend=backend)


X = gl.input("x", ("batch", 3))
MIXING: dict[str, tuple[Callable[[], Any], str]] = {
    "the mean of all rows": (lambda: X - gl.mean(X, axis=0), "joins the rows"),
    "softmax over the batch": (lambda: gl.softmax(X, axis=0), "."),
    "the number of rows": (lambda: X * gl.axis_size("batch"), "the number of rows"),
    "an output without rows": (lambda: gl.sum(X), "come first"),
    "a product of rows": (lambda: X @ gl.transpose(X), "come first"),
    "random numbers": (lambda: X + gl.random.normal(("batch", 3)), "random numbers"),
    "rows in an order of their own": (lambda: X[::-1], "."),
}


@pytest.mark.parametrize("name", MIXING)
def test_rows_that_need_each_other_are_computed_at_once(name: str, backend: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(batching, "_ROOM", 1)
    monkeypatch.setattr(batching, "_FEWEST", 2)
    make, why = MIXING[name]
    try:
        out = make()
    except gl.ShapeError:  # a slice of a free axis is refused where it is made
        return
    model, x = gl.Model(out, precision="float64"), numbers(9)
    assert np.allclose(model.predict(x, backend=backend), gl.evaluate(out, {X: x}), rtol=1e-12)
    with pytest.raises(OptionError, match=f"not computed row by row: .*{why}"):
        model.predict(x, batch_size=4, backend=backend)


def test_batches_are_taken_where_intermediate_results_have_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = network(), numbers(1000, dtype="float32")
    whole = model.predict(x)
    seen: list[int] = []
    monkeypatch.setattr(batching, "_ROOM", 4096)
    made = rows.split_rows
    monkeypatch.setattr("graphlearn.learn.model.split_rows", lambda *a: seen.append(made(*a).size) or made(*a))  # type: ignore[func-returns-value,union-attr]
    assert np.allclose(model.predict(x), whole, rtol=1e-6)
    assert 64 <= seen[0] < 1000


@pytest.mark.parametrize("size", [0, -1, 2.5, True, "all"])
def test_sizes_that_are_none(size: Any) -> None:
    with pytest.raises(OptionError, match="batch_size needs a whole number above 0"):
        network().predict(numbers(3), batch_size=size, backend="numpy")


@pytest.mark.parametrize("row", [0, 5, 10])
def test_a_number_that_is_not_finite_is_named_by_its_row(row: int, backend: str) -> None:
    model, x = network(), numbers(11)
    x[row, 1] = np.nan
    with pytest.raises(DataError, match=rf"inputs\['x'\] needs finite numbers; got nan in row {row}, column 1"):
        model.predict(x, batch_size=4, backend=backend)
    x[row, 1] = 1e39
    with pytest.raises(DataError, match=rf"float32 can hold; got 1e\+39 in row {row}, column 1"):
        model.predict(x, batch_size=4, backend=backend)


def test_bad_places_are_counted_over_all_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finite, "_BLOCK", 4)
    model, x = network(), numbers(11)
    x[[2, 2, 9], [0, 2, 1]] = np.inf
    with pytest.raises(
        DataError, match=r"got inf in row 2, column 0 .counted from 0., 3 such entries in 2 rows in all"
    ):
        model.predict(x, backend="numpy")


# --- no copies --------------------------------------------------------------------------------------------------------


def peak(work: Callable[[], object]) -> int:
    work()  # compiled, and everything imported
    tracemalloc.start()
    work()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_predict_copies_neither_inputs_nor_outputs(precision: str) -> None:
    model, x = network(precision, width=64), numbers(2**15, 64, precision)
    result = x.itemsize * 2 * len(x)
    most = peak(lambda: model.predict(x, batch_size=256))
    assert most < result + 0.05 * x.nbytes  # the result, one batch of intermediate results, truths of finite numbers
    other = x.astype("float64" if precision == "float32" else "float32")
    most = peak(lambda: model.predict(other, batch_size=256))
    assert most < result + 0.05 * x.nbytes  # converted batch by batch


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_compiled_function_copies_no_argument(precision: str) -> None:
    x = gl.input("x", ("n", 64))
    f = gl.compile(gl.sum(x * x, axis=1), precision=precision)
    given = numbers(2**14, 64, precision)
    assert peak(lambda: f(x=given)) < 0.05 * given.nbytes
    assert np.allclose(f(x=given), (given.astype("float64") ** 2).sum(axis=1), rtol=1e-5)


def test_fit_converts_once_and_says_so_when_the_copy_is_large(monkeypatch: pytest.MonkeyPatch, backend: str) -> None:
    model, x, t = network(), numbers(40), numbers(40, 2)
    options: dict[str, Any] = {"optimizer": gl.optim.SGD(0.1), "epochs": 1, "backend": backend}
    model.fit({"x": x, "t": t}, **options)  # small: not a word
    monkeypatch.setattr(data_module, "_LARGE", 40 * 3 * 4)
    with pytest.warns(ConversionWarning, match=r"data\['x'\] is float64 and is computed in float32, so a copy") as told:
        model.fit({"x": x, "t": t}, **options)
    assert len(told) == 1 and told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit({"x": x.astype("float32"), "t": t}, **options)


def test_fit_copies_what_the_caller_has_and_nothing_that_was_converted() -> None:
    model, x, t = network(width=64), numbers(2**15, 64), numbers(2**15, 2)
    options: dict[str, Any] = {"optimizer": gl.optim.SGD(0.1), "epochs": 1, "batch_size": 2**10, "backend": "numpy"}
    small = {"x": x[: 2**10], "t": t[: 2**10]}
    model.fit(small, **options)  # everything is imported
    around = peak(lambda: model.fit(small, **options))
    converted, order = (x.nbytes + t.nbytes) / 2, 3 * 8 * len(x)
    others = iter([x, x + 1])  # data that no run has yet
    assert peak(lambda: model.fit({"x": next(others), "t": t}, **options)) < 1.5 * converted + order + around
    own = x.astype("float32")
    options["optimizer"] = gl.optim.SGD(0.0)
    before = model.fit({"x": own, "t": t}, **options).losses.copy()
    own[:] = 0.0  # what the caller writes later reaches no training
    assert np.array_equal(model._trainer._latest[1][model._table["x"]], x.astype("float32"))  # type: ignore[index]
    assert not np.array_equal(model.fit({"x": own, "t": t}, **options).losses, before)


@pytest.mark.parametrize("dtype", ["int64", "int32"])
def test_class_numbers_in_a_file_are_checked_some_at_a_time(dtype: str, tmp_path: Path) -> None:
    x, t = gl.input("x", ("batch", 1)), gl.input("t", "batch", dtype)
    z = gl.nn.MLP([3])(x)
    model = gl.Model(z, loss=gl.losses.cross_entropy(z, t))
    rows = 2**22
    labels = np.zeros(rows, dtype)
    labels[[-5, -2]] = 3, -1
    options: dict[str, Any] = {"optimizer": gl.optim.SGD(0.1), "epochs": 1, "batch_size": 2**10, "shuffle": False}
    given = {"x": in_file(tmp_path / "x", np.zeros((rows, 1), "f4")), "t": in_file(tmp_path / "t", labels)}

    def refused() -> None:
        with pytest.raises(DataError, match=rf"got 3 in row {rows - 5} .*, 2 such entries in all"):
            model.fit(given, **options)

    refused()
    assert peak(refused) < 0.1 * labels.nbytes


# --- data in a file ---------------------------------------------------------------------------------------------------


def in_file(path: Path, array: np.ndarray) -> np.memmap[Any, Any]:
    made = np.memmap(path, array.dtype, "w+", shape=array.shape)
    made[:] = array
    made.flush()
    return np.memmap(path, array.dtype, "r", shape=array.shape)


def test_what_lies_in_a_file_is_known(tmp_path: Path) -> None:
    array = in_file(tmp_path / "a", numbers(6))
    np.save(tmp_path / "b.npy", numbers(6))
    for mapped in (array, array[1:], np.asarray(array), np.load(tmp_path / "b.npy", mmap_mode="r").reshape(-1)):
        assert is_mapped(mapped)
    for plain in (numbers(6), array.copy(), np.array(array), array + 1):
        assert not is_mapped(plain)


@pytest.mark.parametrize("batch", [None, 8])
@pytest.mark.parametrize("shuffle", [False, True])
def test_a_file_trains_as_an_array_does(batch: int | None, shuffle: bool, tmp_path: Path, backend: str) -> None:
    x, t = numbers(30, dtype="float32"), numbers(30, 2, "float32")
    finals = []
    for data in ({"x": x, "t": t}, {"x": in_file(tmp_path / "x", x), "t": in_file(tmp_path / "t", t)}):
        model = network()
        for _ in range(2):
            model.fit(data, optimizer=gl.optim.Adam(), epochs=3, batch_size=batch, shuffle=shuffle, backend=backend)
        finals.append(model)
    one, two = ([*m.values.values(), m.predict(x, backend=backend)] for m in finals)
    assert all(np.allclose(a, b, rtol=1e-5, atol=1e-7) for a, b in zip(one, two, strict=True))
    if batch is not None:
        assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    elif backend == "numba":
        assert "rows are not taken in tiles: the data lie in a file" in finals[1].describe()
        assert "the data lie in a file" not in finals[0].describe()


@pytest.mark.parametrize(
    "view", [lambda a: a[:, :3], lambda a: a[::2, 1:4], lambda a: a.T[:3].T, lambda a: a.reshape(4, 40).T[:, 1:]]
)
def test_rows_of_a_file_that_do_not_follow_each_other_are_copied_and_it_is_told(
    view: Callable[[np.ndarray], np.ndarray], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, backend: str
) -> None:
    x = view(in_file(tmp_path / "x", numbers(40, 4, "float32")))
    t = in_file(tmp_path / "t", numbers(len(x), 2, "float32"))
    assert is_mapped(x) and x.shape[1] == 3
    options: dict[str, Any] = {"epochs": 1, "batch_size": 8, "backend": backend}
    monkeypatch.setattr(data_module, "_LARGE", x.nbytes + 1)
    network().fit({"x": x, "t": t}, optimizer=gl.optim.SGD(0.1), **options)  # small: not a word
    monkeypatch.setattr(data_module, "_LARGE", 1)
    model, other = network(), network()
    with pytest.warns(ConversionWarning, match=r"data\['x'\] lies in a file .* so a copy of .*open_memmap") as told:
        model.fit({"x": x, "t": t}, optimizer=gl.optim.SGD(0.1), **options)
    assert len(told) == 1 and told[0].filename == __file__
    other.fit({"x": np.array(x), "t": t}, optimizer=gl.optim.SGD(0.1), **options)  # whole rows: not a word
    assert all(np.array_equal(a, other.values[n]) for n, a in model.values.items())


PROGRAM = """
import sys
import numpy as np
import graphlearn as gl
folder, rows, width, batch, shuffle, limit = sys.argv[1], *map(int, sys.argv[2:])

def made():
    x, t = gl.input("x", ("batch", width)), gl.input("t", ("batch", 1))
    y = gl.nn.MLP([4, 1], activation="tanh")(x)
    return gl.Model(y, loss=gl.losses.mse(y, t))

def fit(model, x, t):
    return model.fit(
        {"x": x, "t": t}, optimizer=gl.optim.SGD(0.1), epochs=1, batch_size=batch, shuffle=bool(shuffle)
    )

small = np.ones((4 * batch, width), "f4")
model = made()
fit(model, small, small[:, :1].copy())  # everything is imported
model.predict(np.ones((2**15, width), "f4"))  # BLAS has its buffer, for which it would wait without end
if sys.platform == "linux":  # where a limit holds for what a process allocates, and not for the files that it maps
    import resource
    used = next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmData"))
    resource.setrlimit(resource.RLIMIT_DATA, (used + limit, used + limit))
    try:
        np.ones(2 * limit, "u1")
        sys.exit("the limit does not hold")
    except MemoryError:
        pass
x = np.memmap(folder + "/x", "f4", "r", shape=(rows, width))
t = np.memmap(folder + "/t", "f4", "r", shape=(rows, 1))
assert x.nbytes > 4 * limit
history = fit(model, x, t)
assert history.steps == -(-rows // batch) and history.losses[-1] < history.losses[0], history
y = model.predict(x)
assert y.shape == (rows, 1) and np.isfinite(y).all()
part = model.predict(np.array(x[-batch:]))
assert np.allclose(y[-batch:], part, rtol=1e-5, atol=1e-6)
"""


@pytest.mark.parametrize("shuffle", [0, 1])
@pytest.mark.parametrize(("rows", "width"), [(2**19, 64), (2**17, 256)], ids=["tiles", "products"])
def test_data_larger_than_memory_are_read_batch_by_batch(rows: int, width: int, shuffle: int, tmp_path: Path) -> None:
    x = np.memmap(tmp_path / "x", "f4", "w+", shape=(rows, width))
    t = np.memmap(tmp_path / "t", "f4", "w+", shape=(rows, 1))
    pattern = numbers(4096, width, "float32")
    for start in range(0, rows, 4096):
        x[start : start + 4096] = pattern
        t[start : start + 4096] = pattern[:, :1]
    program = tmp_path / "train.py"
    program.write_text(PROGRAM)
    arguments = [str(tmp_path), *map(str, (rows, width, 256, shuffle, 2**25 - 2**20))]
    done = subprocess.run(
        [sys.executable, str(program), *arguments], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
