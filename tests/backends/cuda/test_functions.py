"""Functions as launches: every op, reductions, matrix products, on odd sizes with named axes, against the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.backends import rows as cpu
from graphlearn.backends.cuda import device
from graphlearn.backends.cuda.backend import CudaFunction
from graphlearn.errors import EngineError, ShapeError, UnsupportedOp
from graphlearn.graph.node import apply
from graphlearn.graph.op import CALL, OPS, Notation, Op
from graphlearn.ops.elementwise import infer_float

PRECISIONS = ("float32", "float64")
HARD = (0.0, -0.0, 1e-30, 1.0, -1.0, 0.5, 2.0, -3.0, 37.5, 1000.0, -1000.0, np.inf, -np.inf, np.nan)
ELEMENTWISE = [op for op in OPS.values() if op.is_elementwise and op.name != "copy"]


def compare(outputs: Sequence[gl.Node], precision: str, arrays: Mapping[str, np.ndarray]) -> None:
    results = gl.compile(outputs, backend="cuda", precision=precision)(arrays)
    expected = gl.compile(outputs, backend="numpy", precision=precision)(arrays)
    tolerance = 1e-5 if precision == "float32" else 1e-12
    for result, reference in zip(results, expected, strict=True):
        assert result.dtype == reference.dtype and result.shape == reference.shape
        np.testing.assert_allclose(result, reference, rtol=tolerance, atol=tolerance / 10)


@pytest.mark.parametrize("op", ELEMENTWISE, ids=lambda op: op.name)
def test_every_elementwise_op(op: Op, in_lockstep: None) -> None:
    arity = len(op.partials)
    inputs = [gl.input(name, ("n",), dtype="float32") for name in "pqr"[:arity]]
    hard = HARD if arity < 3 else HARD[::2]
    grid = np.meshgrid(*[np.array(hard, np.float32)] * arity)
    arrays = {leaf.name: values.ravel() for leaf, values in zip(inputs, grid, strict=True)}
    compare([apply(op.name, *inputs)], "float32", arrays)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_formula_of_truths_and_reals(precision: str, in_lockstep: None) -> None:
    masked = gl.elementwise("masked_square", formula=lambda m, c, x: m.where(c & (x > 0), x * x, 0))
    c, x = gl.input("c", ("n",), dtype="bool"), gl.input("x", ("n",))
    output = masked(c, x)
    arrays = {"c": np.array([True, False, True]), "x": np.array([1.5, 2.5, -3.5])}
    compare([output, gl.grad(gl.sum(output), x)], precision, arrays)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("rows", [0, 1, 301])
def test_elementwise_and_reductions(rows: int, precision: str, in_lockstep: None) -> None:
    x, bias = gl.input("x", ("n", 7)), gl.input("bias", (7,))
    h = gl.tanh(x + bias)
    outputs = [h * x, gl.sum(h), gl.sum(x, axis=0), gl.mean(x * x, axis=1), gl.softmax(x), gl.logsumexp(x), h > 0]
    rng = np.random.default_rng(0)
    compare(outputs, precision, {"x": rng.normal(size=(rows, 7)), "bias": rng.normal(size=7)})


def test_reductions_over_inner_and_outer_axes_of_three(in_lockstep: None) -> None:
    x = gl.input("x", (5, "n", 33))
    outputs = [gl.sum(x, axis=(0, 2)), gl.max(x, axis=1), gl.max(x), gl.sum(gl.transpose(x, (2, 0, 1)), axis=1)]
    compare(outputs, "float64", {"x": np.random.default_rng(1).normal(size=(5, 3, 33))})


def test_nan_wins_a_maximum(in_lockstep: None) -> None:
    x = gl.input("x", ("n", 100))
    values = np.zeros((2, 100))
    values[1, 50] = np.nan
    result = gl.compile([gl.max(x, axis=1), gl.max(x)], backend="cuda")(x=values)
    np.testing.assert_array_equal(result[0], [0, np.nan])
    assert np.isnan(result[1])


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("sizes", [(1, 1, 1), (17, 19, 23), (16, 16, 16), (33, 5, 1), (3, 0, 4), (0, 3, 4)])
def test_matrix_products(sizes: tuple[int, int, int], precision: str, in_lockstep: None) -> None:
    rows, inner, columns = sizes
    x, w = gl.input("x", ("n", inner)), gl.input("w", (inner, columns))
    flipped = gl.transpose(gl.transpose(w) @ gl.transpose(x))
    rng = np.random.default_rng(2)
    arrays = {"x": rng.normal(size=(rows, inner)), "w": rng.normal(size=(inner, columns))}
    compare([x @ w, flipped, gl.tanh(x @ w)], precision, arrays)


@pytest.mark.parametrize("rows", [0, 301])
def test_parts_and_arrays_put_together(rows: int, in_lockstep: None) -> None:
    x, w = gl.input("x", ("n", 7)), gl.input("w", (5, 3))
    outputs = [
        x[:, ::-2], x[:, 1] * x[:, -1], x[:, 2:5] @ w[::-1, 1:][:3], gl.reshape(w[::-1, 1:], -1)[::3],
        gl.concatenate([gl.tanh(x[:, :3]), x[:, 5:]], 1), gl.stack([w, w + 1], 1), gl.pad(x, ((0, 0), (1, 2))),
        gl.pad(w > 0, 1), gl.grad(gl.sum(gl.concatenate([x[:, 1:] ** 2, x[:, :1]], 1) ** 2), x),
    ]  # fmt: skip
    rng = np.random.default_rng(4)
    compare(outputs, "float64", {"x": rng.normal(size=(rows, 7)), "w": rng.normal(size=(5, 3))})


def test_no_two_threads_race(watched: None) -> None:
    x, w = gl.input("x", ("n", 70)), gl.input("w", (70, 3))
    rng = np.random.default_rng(5)
    arrays = {"x": rng.normal(size=(5, 70)), "w": rng.normal(size=(70, 3))}
    compare([x @ w, gl.max(x, axis=1), gl.sum(x, axis=0), gl.softmax(x)], "float64", arrays)


def test_products_of_vectors_and_batches(in_lockstep: None) -> None:
    a, b, v = gl.input("a", ("k", 17, 3)), gl.input("b", ("k", 3, 2)), gl.input("v", (3,))
    w = gl.input("w", (3, 5))
    rng = np.random.default_rng(3)
    arrays = {"a": rng.normal(size=(2, 17, 3)), "b": rng.normal(size=(2, 3, 2))}
    arrays |= {"v": rng.normal(size=3), "w": rng.normal(size=(3, 5))}
    compare([a @ b, a @ w, a @ v, v @ w, v @ v], "float64", arrays)


def test_whole_numbers_and_bools(in_lockstep: None) -> None:
    i, j = gl.input("i", ("n", 5), dtype="uint8"), gl.input("j", (5, 3), dtype="int64")
    c = gl.input("c", ("n", 5), dtype="bool")
    outputs = [
        i @ j, i @ gl.transpose(i), c @ gl.transpose(c), i * 3, gl.sum(i, axis=0), gl.max(i, axis=0), gl.max(j),
        gl.where(c, i, 0), gl.sum(c), gl.max(c, axis=1), gl.maximum(j, 0), gl.logical_or(c, i > 100),
        gl.cast(i, "float32") / 3, gl.cast(gl.cast(j, "float64") * 1.5, "int32"), abs(j), -i, j**2,
    ]  # fmt: skip
    rng = np.random.default_rng(4)
    arrays = {
        "i": rng.integers(0, 256, size=(4, 5)),
        "j": rng.integers(-9, 9, size=(5, 3)),
        "c": rng.random(size=(4, 5)) < 0.5,
    }
    compare(outputs, "float32", arrays)


def test_arrays_in_the_graph_and_sizes_that_change(in_lockstep: None) -> None:
    x = gl.input("x", ("n", 3))
    function = gl.compile(x @ np.arange(6.0).reshape(3, 2), backend="cuda")
    for rows in (2, 40, 1):
        values = np.random.default_rng(rows).normal(size=(rows, 3))
        np.testing.assert_allclose(function(x=values), values @ np.arange(6.0).reshape(3, 2), rtol=1e-12)


def test_a_maximum_over_nothing_is_refused(in_lockstep: None) -> None:
    x = gl.input("x", ("n", 3))
    with pytest.raises(ShapeError, match="axis 'n' needs at least one entry"):
        gl.compile(gl.max(x, axis=0), backend="cuda")(x=np.zeros((0, 3)))


def test_a_pass_is_one_flat_kernel() -> None:
    x, w = gl.input("x", ("n", 4)), gl.input("w", (4, 3))
    function = CudaFunction([gl.sum(gl.tanh(x @ w), axis=0)], [x, w], "float32")
    for launch in function.launches:
        assert launch.kernel.source.count("def ") == 1
        assert launch.kernel.source.startswith(f"def {launch.kernel.name}(")
    assert {launch.kernel.name.partition("_")[0] for launch in function.launches} >= {"product", "reduce"}
    assert "= tanh(" in function.source


def test_an_op_without_a_row_names_the_backends_that_have_one(monkeypatch: pytest.MonkeyPatch) -> None:
    op = Op("cube_root", "intrinsic", infer_float, Notation("{0}", "{0}", CALL), reference=np.cbrt, partials=(None,))
    x = gl.input("x", ("n",))
    with pytest.raises(
        UnsupportedOp, match=r"'cuda' has no row for 'cube_root' on float64. Pass backend=\"numpy\", which"
    ):
        gl.compile(apply(op, x), backend="cuda")
    monkeypatch.setitem(cpu.FLOAT, "cube_root", "cbrt({0})")
    with pytest.raises(UnsupportedOp, match=r'Pass backend="numba" or backend="numpy", which has'):
        gl.compile(apply(op, x), backend="cuda")


def test_without_a_gpu_the_source_is_there_and_the_call_says_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device.cuda, "is_available", lambda: False)
    x = gl.input("x", ("n",))
    function = gl.compile(gl.exp(x), backend="cuda")
    assert "math.exp" in function.source
    with pytest.raises(EngineError, match=r'NVIDIA GPU.*backend="numba"'):
        function(x=[1.0])
