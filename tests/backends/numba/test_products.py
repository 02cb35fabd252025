"""Products as text: a row or column times a large matrix is one with a vector, a column times a row a loop."""

from __future__ import annotations

import numpy as np
import pytest

import graphlearn as gl

ROWS, COLUMNS = 131, 1100
A = gl.input("A", (ROWS, COLUMNS))
V, W = gl.input("v", ROWS), gl.input("w", COLUMNS)
ROW, COLUMN = gl.input("r", (1, ROWS)), gl.input("c", (COLUMNS, 1))
THREE = gl.input("three", (ROWS, 3))
FORMS = {
    "vector times matrix": V @ A,
    "matrix times vector": A @ W,
    "row times matrix": ROW @ A,
    "matrix times column": A @ COLUMN,
    "transposed matrix times vector": A.T @ V,
    "vector times transposed matrix": W @ A.T,
    "transposed row": A.T @ ROW.T,
    "every third entry": THREE[:, 1] @ A,
    "a column of a matrix": A.T @ THREE[:, 2:],
    "turned round": gl.flip(ROW, axis=1) @ A,
}


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("name", FORMS)
def test_one_row_or_column_times_a_large_matrix(name, precision):
    random = np.random.default_rng(0)
    at = {leaf: random.normal(size=leaf.shape) for leaf in gl.symbols(FORMS[name]).values()}
    function = gl.compile(FORMS[name], precision=precision)
    assert "gemv" in function.source
    np.testing.assert_allclose(
        function(at), gl.evaluate(FORMS[name], at), rtol=0, atol=1e-3 if precision == "float32" else 1e-11
    )


def test_small_matrices_and_several_rows_stay_products_of_matrices():
    assert "gemv" not in gl.compile(gl.input("a", (60, 60)) @ gl.input("b", 60)).source
    assert "gemv" not in gl.compile(gl.input("a", (2, ROWS)) @ A).source


def test_a_column_times_a_row_needs_no_library():
    a, b = gl.input("a", (50, 1)), gl.input("b", (1, 40))
    function = gl.compile(a @ b)
    at = {a: np.arange(50.0)[:, None], b: np.arange(40.0)[None]}
    assert "gemm" not in function.source
    np.testing.assert_array_equal(function(at), np.outer(at[a], at[b]))


def test_training_on_one_row_at_a_time_is_the_references():
    random = np.random.default_rng(0)
    x, t = gl.input("x", ("batch", 400)), gl.input("t", ("batch", 2))
    output = gl.nn.MLP([400, 2], activation="tanh")(x)
    data = {"x": random.normal(size=(3, 400)) / 20, "t": random.normal(size=(3, 2))}
    losses = []
    for backend in ("numba", "numpy"):
        model = gl.Model(output, loss=gl.losses.mse(output, t), precision="float64")
        losses.append(model.fit(data, optimizer=gl.optim.SGD(0.01), epochs=2, batch_size=1, backend=backend).losses)
        assert backend == "numpy" or "gemv" in model.source
    np.testing.assert_allclose(*losses, rtol=1e-12)
