"""Products of our own in compiled functions: any number of rows, nothing read or written beside the arrays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.backends.native import lanes_for
from graphlearn.backends.numba import cuts, functions
from graphlearn.program.steps import MatMul

BOUND = {"float32": 2e-5, "float64": 1e-13}
ROWS = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 31, 33, 64, 70, 150)


def own(function):
    return [step for step in function.program.steps if isinstance(step, MatMul) and step.blocks]


def normal(shape, precision, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(precision)


def layer(inner, width, activation, precision):
    """A dense layer, compiled, and its parameters."""
    x, w, b = gl.input("x", ("n", inner)), gl.parameter("w", (inner, width)), gl.parameter("b", (width,))
    y = activation(x @ w + b)
    values = {
        "w": normal((inner, width), precision, 1) / np.sqrt(inner).astype(precision),
        "b": normal(width, precision),
    }
    return gl.compile(y, precision=precision), y, values


def agree(found, wanted, precision):
    scale = max(np.abs(wanted).max(initial=0), 1e-3)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=BOUND[precision] * scale)


@pytest.mark.parametrize("precision", BOUND)
@pytest.mark.parametrize("width", [1, 2, 3, 5, 9])
@pytest.mark.parametrize("over", [0, 1, -1])
def test_any_number_of_rows_and_the_same_bits_in_each(width, over, precision):
    width = width * lanes_for(precision) + over
    f, y, values = layer(23, width, gl.relu, precision)
    assert bool(own(f)) == (width >= lanes_for(precision))
    x = normal((max(ROWS), 23), precision)
    whole = f({**values, "x": x})
    agree(whole, gl.evaluate(y, {**values, "x": x}), precision)
    if own(f):
        for n in ROWS:
            np.testing.assert_array_equal(f({**values, "x": x[-n:]}), whole[-n:], err_msg=str(n))
    assert f({**values, "x": x[:0]}).shape == (0, width)


@pytest.mark.parametrize("activation", [gl.tanh, gl.gelu])
def test_long_and_short_loops_follow_a_product(activation):
    f, y, values = layer(40, 70, activation, "float64")
    assert own(f)[0].then is not None
    for n in ROWS:
        x = normal((n, 40), "float64")
        agree(f({**values, "x": x}), gl.evaluate(y, {**values, "x": x}), "float64")


@pytest.mark.parametrize("rows", [3, 60, 127, 128, 129, 300])
def test_rows_in_panels(rows, monkeypatch):
    monkeypatch.setattr(cuts, "_PANEL", 1)  # 64 rows, or 60
    f, y, values = layer(30, 50, gl.relu, "float32")
    assert "in range(0, n_n, 6" in f.source
    x = normal((rows, 30), "float32")
    agree(f({**values, "x": x}), gl.evaluate(y, {**values, "x": x}), "float32")


@pytest.mark.parametrize("panel", [1, 1 << 20])
def test_gradients_with_sums_over_the_rows(panel, monkeypatch):
    monkeypatch.setattr(cuts, "_PANEL", panel)
    x, t = gl.input("x", ("n", 40)), gl.input("t", ("n", 20))
    w, v = (gl.parameter(name, value=normal(s, "float64")) for name, s in (("w", (40, 50)), ("v", (50, 20))))
    b = gl.parameter("b", value=np.ones(50))
    loss = gl.losses.mse(gl.tanh(x @ w + b) @ v, t)
    nodes = [loss, *gl.grad(loss, [w, b, v])]
    f = gl.compile(nodes)
    sums = any(step.then and step.then.reductions for step in own(f))
    assert sums == (panel > 1)
    assert "how many terms there are is known only when it runs" in " ".join(f.program.describe().split())
    for n in (1, 5, 67, 200):
        at = {"x": normal((n, 40), "float64"), "t": np.ones((n, 20))}
        values = {"w": normal((40, 50), "float64"), "v": normal((50, 20), "float64"), "b": np.ones(50)}
        for found, wanted in zip(f({**at, **values}), gl.evaluate(nodes, {**at, **values}), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-10)


def test_nothing_is_read_before_it_is_written(monkeypatch):
    def poisoned(count, dtype):
        made = np.empty(count, dtype)
        made.view("uint8")[...] = 255  # nan
        return made

    f, _, values = layer(23, 37, gl.relu, "float64")
    inputs = [{**values, "x": normal((n, 23), "float64")} for n in ROWS]
    before = [f(at) for at in inputs]
    monkeypatch.setattr(functions, "aligned_empty", poisoned)
    for at, wanted in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(f(at), wanted)


# Arrays that end, or begin, where memory does: a vector beside them ends the process.
GUARDED = """
import ctypes, mmap, sys
import numpy as np
import graphlearn as gl
from graphlearn.backends.registry import load_backend
from graphlearn.graph.traverse import leaves

libc, page, kept = ctypes.CDLL(None, use_errno=True), mmap.PAGESIZE, []

def guarded(shape, dtype, at_end):
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    whole = -(-size // page) * page
    memory = mmap.mmap(-1, whole + 2 * page)
    kept.append(memory)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for border in (start, start + page + whole):
        if libc.mprotect(ctypes.c_void_p(border), ctypes.c_size_t(page), 0):
            raise OSError(ctypes.get_errno(), "mprotect")
    return np.frombuffer(memory, dtype, int(np.prod(shape)), page + (whole - size if at_end else 0)).reshape(shape)

for precision in ("float32", "float64"):
    for inner, width in ((23, 16), (17, 37), (40, 69), (33, 150)):
        x, w, b = gl.input("x", ("n", inner)), gl.parameter("w", (inner, width)), gl.parameter("b", (width,))
        nodes = [gl.relu(x @ w + b), gl.input("g", ("n", width)) @ w.T]
        names = leaves(nodes)
        function = load_backend("numba").compile_function(nodes, names, precision)
        assert sum(getattr(step, "blocks", None) is not None for step in function.program.steps) == 2
        for n in (1, 2, 3, 5, 7, 8, 13, 70):
            sizes = {"n": n}
            for at_end in (True, False):
                given = {}
                for leaf in names:
                    given[leaf] = guarded([sizes.get(d, d) for d in leaf.shape], precision, at_end)
                    given[leaf][...] = np.random.default_rng(n).normal(size=given[leaf].shape)
                out = [guarded(shape, precision, at_end) for shape in ((n, width), (n, inner))]
                function(given, sizes, out)
                values = {leaf.full_name: given[leaf].astype("float64") for leaf in names}
                wanted = np.maximum(values["x"] @ values["w"] + values["b"], 0), values["g"] @ values["w"].T
                for found, right in zip(out, wanted):
                    assert np.allclose(found, right, rtol=1e-4, atol=1e-3), (n, width)
print("done")
"""


@pytest.mark.skipif(os.name != "posix", reason="memory is protected by a call that other systems do not have")
def test_nothing_beside_the_arrays_is_touched():
    done = subprocess.run([sys.executable, "-c", GUARDED], capture_output=True, text=True)
    assert done.stdout == "done\n", (done.returncode, done.stderr)


def test_the_text_shows_the_scalar_form_and_says_what_is_the_librarys():
    f, _, _ = layer(40, 48, gl.relu, "float64")
    assert f.source.index("def compute_scalar(") < f.source.index("def compute(")
    assert "gemm_f64" in f.source.split("def compute(")[0]
    narrow, _, _ = layer(40, 3, gl.relu, "float64")
    assert "nx3x40 (fewer columns than the" in " ".join(narrow.program.describe().split())
    assert "compute_scalar" not in narrow.source


@pytest.mark.parametrize("options", [(), ("--plain",)])
def test_a_saved_call_runs_alone(options: tuple[str, ...], tmp_path: Path) -> None:
    f, _, values = layer(20, 37, gl.tanh, "float64")
    at = {**values, "x": normal((11, 20), "float64")}
    path, out = f.save_source(tmp_path / "f.py", at), tmp_path / "out.npz"
    command = [sys.executable, "-W", "error", str(path), *options, "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done.stderr
    with np.load(out) as found:
        if options:
            np.testing.assert_allclose(found["output0"], f(at), rtol=1e-12, atol=1e-14)
        else:
            np.testing.assert_array_equal(found["output0"], f(at))


def test_predict_in_batches_gives_the_same_bits():
    x, t = gl.input("x", ("batch", 30)), gl.input("t", ("batch", 40))
    y = gl.nn.MLP([50, 40], activation="tanh")(x)
    model = gl.Model(y, loss=gl.losses.mse(y, t), precision="float32")
    data = normal((101, 30), "float32")
    whole = model.predict(data)
    for size in (1, 3, 10, 64, 100):
        np.testing.assert_array_equal(model.predict(data, batch_size=size), whole)


def test_calls_that_get_one_thread_have_our_products(monkeypatch):
    monkeypatch.setattr("graphlearn.backends.numba.functions.available", lambda: 2)
    x, w = gl.input("x", ("n", 256)), gl.input("w", (256, 256))
    one, two = gl.compile(x @ w), gl.compile(x @ w, threads=2)
    assert own(one) and not own(two)
    given = {"x": normal((20, 256), "float64"), "w": normal((256, 256), "float64")}
    np.testing.assert_array_equal(one(given), two(given))
    a = gl.input("a", (20, 256))
    assert own(gl.compile(a @ w, threads=2)) and not own(gl.compile(gl.input("a", (300, 256)) @ w, threads=2))


# --- several matrices -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", BOUND)
@pytest.mark.parametrize("turned", ["", "left", "right"])
def test_products_with_a_batch_are_done_matrix_by_matrix(turned, precision):
    a, b = gl.input("a", ("n", 3, 21, 18)), gl.input("b", ("n", 3, 18, 37))
    a, b = (gl.input("a", ("n", 3, 18, 21)), b) if turned == "left" else (a, b)
    b = gl.input("b", ("n", 3, 37, 18)) if turned == "right" else b
    y = (gl.transpose(a, (0, 1, 3, 2)) if turned == "left" else a) @ (
        gl.transpose(b, (0, 1, 3, 2)) if turned == "right" else b
    )
    f = gl.compile(y, precision=precision)
    assert [step.batch for step in own(f)] == [("n", 3)]
    for n in (1, 4):
        at = {leaf.full_name: normal((n, *leaf.shape[1:]), precision) for leaf in (a, b)}
        agree(f(at), gl.evaluate(y, at), precision)


def test_one_product_where_the_right_operand_is_shared():
    x, w, b = gl.input("x", (6, 5, 20)), gl.parameter("w", (20, 48)), gl.parameter("b", (48,))
    y = gl.relu(x @ w + b)
    nodes = [y, *gl.grad(gl.sum(gl.tanh(x @ w + b) ** 2), [x, w, b])]
    f, single = gl.compile(nodes), gl.compile(y)
    (step,) = own(single)
    assert step.sizes == (30, 48, 20) and not step.batch and step.then is not None
    at = {"x": normal((6, 5, 20), "float64"), "w": normal((20, 48), "float64"), "b": normal(48, "float64")}
    np.testing.assert_array_equal(single(at), f(at)[0])
    for found, wanted in zip(f(at), gl.evaluate(nodes, at), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-11)


def test_rows_of_one_become_the_batch():
    x, w = gl.input("x", ("n", 1, 20)), gl.parameter("w", (20, 48))
    f = gl.compile(gl.sum(gl.tanh(x @ w), 2))
    assert [(step.batch, step.sizes) for step in f.program.steps if isinstance(step, MatMul)] == [((), ("n", 48, 20))]
    at = {"x": normal((9, 1, 20), "float64"), "w": normal((20, 48), "float64")}
    np.testing.assert_allclose(f(at), np.tanh(at["x"] @ at["w"]).sum(2), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
def test_views_whose_rows_do_not_follow_each_other_stay_several(backend):
    x, w = gl.input("x", (4, 6, 20)), gl.parameter("w", (20, 32))
    nodes = [x[:, 1:4] @ w, gl.transpose(x, (1, 0, 2)) @ w, x[::-1] @ w, gl.broadcast_to(x[0], (3, 6, 20)) @ w]
    at = {"x": normal((4, 6, 20), "float64"), "w": normal((20, 32), "float64")}
    x, w = at["x"], at["w"]
    wanted = [x[:, 1:4] @ w, x.transpose(1, 0, 2) @ w, x[::-1] @ w, np.broadcast_to(x[0] @ w, (3, 6, 32))]
    for found, right in zip(gl.compile(nodes, backend=backend)(at), wanted, strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-12, atol=1e-13)
