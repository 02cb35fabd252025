"""Reductions at their edges: nothing to reduce, ties, NaN, whole numbers; products with zeros; spread and norms."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import graphlearn as gl

A = np.array([[0.5, -1.5, 2.0], [4.0, 2.0, -0.125]])
x = gl.input("x", (2, 3))
AXES = (None, 0, 1, -1, (0, 1), ())


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("name", ["prod", "min", "max", "var", "std", "any", "all", "mean", "sum"])
def test_reductions_are_numpys_over_any_axes(name, axis, keepdims):
    for function in (getattr(gl, name), getattr(np, name)):
        node = function(x, axis=axis, keepdims=keepdims)
        wanted = getattr(np, name)(A, axis=axis, keepdims=keepdims)
        found = gl.evaluate(node, {x: A})
        assert found.shape == node.shape == np.shape(wanted)
        np.testing.assert_allclose(found, wanted, rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize("name", ["argmax", "argmin"])
@pytest.mark.parametrize("values", [A, [[1, 1, 0], [0, 0, 1]], [[np.nan, 2, np.nan], [1, np.nan, -np.inf]]])
def test_places_of_extremes_are_numpys_with_ties_and_nan(name, values):
    nodes = [getattr(gl, name)(x, axis, keepdims) for axis in (None, 0, 1, -1) for keepdims in (False, True)]
    wanted = [
        getattr(np, name)(values, axis, keepdims=keepdims) for axis in (None, 0, 1, -1) for keepdims in (False, True)
    ]
    for backend in ("numpy", "numba"):
        for found, expected in zip(gl.compile(nodes, backend=backend)(x=values), wanted, strict=True):
            assert found.dtype == np.int64
            np.testing.assert_array_equal(found, expected)


def test_methods_build_the_same_nodes():
    for name in ("prod", "min", "var", "std", "argmax", "argmin", "any", "all"):
        assert getattr(x, name)(axis=1) is getattr(gl, name)(x, 1)
    assert np.var(x, ddof=1) is gl.var(x, ddof=1)
    assert x.trace() is gl.trace(x)
    assert x.diagonal(1) is gl.diagonal(x, 1)


def test_nothing_to_reduce():
    empty = gl.input("e", (2, 0))
    at = {empty: np.zeros((2, 0))}
    np.testing.assert_array_equal(gl.evaluate(gl.prod(empty, 1), at), [1, 1])
    assert not gl.evaluate(gl.any(empty), at)
    assert gl.evaluate(gl.all(empty), at)
    free = gl.input("f", ("N",))
    for backend in ("numpy", "numba"):
        assert gl.compile(gl.norm(empty), backend=backend)(e=at[empty]) == 0
        assert gl.compile(gl.norm(free), backend=backend)(f=[]) == 0
    assert np.isnan(gl.evaluate(gl.var(empty), at))
    assert gl.evaluate(gl.min(empty, 0), at).shape == (0,)
    for function in (gl.min, gl.max, gl.argmax, gl.argmin):
        with pytest.raises(gl.ShapeError, match=r"needs at least one entry .* got the shape \(2, 0\)"):
            function(empty, 1)
    with pytest.raises(gl.ShapeError, match="a minimum needs at least one entry"):
        gl.min(empty, 1)


def test_a_scalar_is_reduced_over_no_axes():
    s = gl.input("s")
    names = ("prod", "min", "var", "std", "norm", "any", "all")
    for backend in ("numpy", "numba"):
        found = gl.compile([getattr(gl, name)(s) for name in names], backend=backend)(s=-3.0)
        assert [float(value) for value in found] == [-3, -3, 0, 0, 3, 1, 1]


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64"])
def test_the_smallest_whole_number_is_found_at_the_ends_of_the_range(dtype):
    info = (0, 1) if dtype == "bool" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    values = np.array([[info[0], info[1]], [info[1], info[1]]], dtype)
    v = gl.input("v", (2, 2), dtype)
    for backend in ("numpy", "numba"):
        found = gl.compile(gl.min(v, 1), backend=backend)(v=values)
        np.testing.assert_array_equal(found, values.min(1))
        assert found.dtype == dtype


def test_entries_that_tie_for_the_minimum_share_its_derivative():
    slope = gl.evaluate(gl.grad(gl.min(x), x), {x: [[1, 2, 1], [1, 5, 1.0]]})
    np.testing.assert_array_equal(slope, [[0.25, 0, 0.25], [0.25, 0, 0.25]])


# --- products --------------------------------------------------------------------------------------------------------


def others(values):
    return np.array([np.prod([v for j, v in enumerate(values) if j != k]) for k in range(len(values))])


def second(values):
    n = len(values)
    pairs = [[0.0 if i == j else np.prod([values[k] for k in range(n) if k not in (i, j)]) for j in range(n)]
             for i in range(n)]  # fmt: skip
    return np.array(pairs)


@pytest.mark.parametrize(
    "values", [[2, 3, 5, 7.0], [0, 3, 5, 7.0], [0, 3, 0, 7.0], [0, 0, 0, 7.0], [-0.0, 1e300, 2, 3]]
)
def test_derivatives_of_a_product_are_the_products_of_the_others_with_zeros_too(values):
    v = gl.input("v", (4,))
    node = gl.prod(v)
    third = gl.grad(gl.jacobian(gl.grad(node, v), v)[0, 1], v)
    wanted = [0, 0, values[3], values[2]]
    for backend in ("numpy", "numba"):
        run = gl.compile([node, gl.grad(node, v), gl.hessian(node, v), third], backend=backend)
        for found, expected in zip(
            run(v=values), (np.prod(values), others(values), second(values), wanted), strict=True
        ):
            np.testing.assert_allclose(found, expected, rtol=4e-16, atol=0)


def test_a_product_over_several_axes_and_a_free_one():
    y = gl.input("y", ("N", 2, 3))
    values = np.random.default_rng(1).normal(size=(3, 2, 3))
    values[1, 0, 2] = values[0, 1, 1] = 0
    for axis in ((0, 2), (0, 1, 2), 0):
        node = gl.prod(y, axis)
        report = gl.check_grad(gl.sum(node**2 + node), y, at={y: values})
        assert report.ok, str(report)
        for backend in ("numpy", "numba"):
            np.testing.assert_allclose(
                gl.compile(node, backend=backend)(y=values), np.prod(values, axis=axis), rtol=1e-15
            )


def test_running_products_are_numpys_and_have_derivatives_at_zeros():
    v = gl.input("v", ("n",))
    values = np.array([2.0, 0.0, 3.0, 0.0, 5.0])
    np.testing.assert_array_equal(gl.evaluate(np.cumprod(v), {v: values}), np.cumprod(values))
    np.testing.assert_array_equal(gl.evaluate(gl.cumprod(v, reverse=True), {v: values}), np.cumprod(values[::-1])[::-1])
    slope = gl.grad(gl.sum(gl.cumprod(v)), v)
    for backend in ("numpy", "numba"):
        np.testing.assert_array_equal(gl.compile(slope, backend=backend)(v=values), [1, 8, 0, 0, 0])
    np.testing.assert_array_equal(gl.evaluate(gl.cumprod(x, 0), {x: A}), np.cumprod(A, 0))
    assert gl.cumprod(x).shape == (6,)


# --- spread and norms ------------------------------------------------------------------------------------------------


def test_spread_is_numpys_with_degrees_of_freedom():
    for ddof, axis in itertools.product((0, 1, 0.5, -1), (0, 1, None)):
        for name in ("var", "std"):
            found = gl.evaluate(getattr(gl, name)(x, axis, ddof), {x: A})
            np.testing.assert_allclose(found, getattr(np, name)(A, axis=axis, ddof=ddof), rtol=1e-15)
    assert np.isnan(gl.evaluate(gl.std(gl.input("one", (1,)), ddof=1), {"one": [3.0]}))
    with pytest.raises(gl.OptionError, match="var needs a number as ddof; got 'a'"):
        gl.var(x, ddof="a")


def test_the_variance_of_large_numbers_near_each_other_does_not_cancel():
    big = gl.input("big", (3,))
    assert gl.evaluate(gl.var(big), {big: [1e8, 1e8 + 1, 1e8 + 2]}) == pytest.approx(2 / 3, rel=1e-15)


@pytest.mark.parametrize("scale", [1e-320, 1e-200, 1.0, 1e200, 1e307])
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_lengths_and_deviations_neither_overflow_nor_vanish(scale, backend):
    v = gl.input("v", (2,))
    outputs = [gl.norm(v), gl.grad(gl.norm(v), v), gl.std(v), gl.grad(gl.std(v), v)]
    length, unit, spread, slope = gl.compile(outputs, backend=backend)(v=np.array([3 * scale, -4 * scale]))
    tolerance = 1e-2 if scale < 1e-300 else 1e-15
    assert length == pytest.approx(5 * scale, rel=tolerance)
    np.testing.assert_allclose(unit, [0.6, -0.8], rtol=tolerance)
    assert spread == pytest.approx(3.5 * scale, rel=tolerance)
    np.testing.assert_allclose(slope, [0.5, -0.5], rtol=tolerance)


def test_derivatives_of_lengths_and_deviations_that_are_zero_are_zero():
    v = gl.input("v", (3,))
    for backend in ("numpy", "numba"):
        for node, values in ((gl.norm(v), np.zeros(3)), (gl.std(v), np.full(3, 7.0))):
            first = gl.grad(node, v)
            along = gl.grad(gl.sum(first * [1.0, 2.0, 3.0]), v)
            for found in gl.compile([node, first, along], backend=backend)(v=values):
                np.testing.assert_array_equal(found, 0)


VECTORS = (None, 0, 1, 2, np.inf, -np.inf)
MATRICES = (None, "fro", 1, -1, np.inf, -np.inf)


@pytest.mark.parametrize("keepdims", [False, True])
def test_norms_of_all_orders_are_numpys(keepdims):
    for order, axis in [*itertools.product(VECTORS, (0, 1, -1)), *itertools.product(MATRICES, ((0, 1), (1, 0), None))]:
        node = np.linalg.norm(x, order, axis, keepdims)
        wanted = np.linalg.norm(A, order, axis, keepdims)
        assert node is gl.norm(x, order, axis, keepdims)
        np.testing.assert_allclose(gl.evaluate(node, {x: A}), wanted, rtol=1e-15)
    assert gl.norm(gl.input("t", (2, 3, 4))).shape == ()


def test_orders_that_are_not_there_are_refused():
    with pytest.raises(gl.UnsupportedOp, match=r"got 3\. For another p write gl\.sum\(gl\.abs\(x\)\*\*p\)"):
        gl.norm(x, 3, axis=0)
    with pytest.raises(gl.UnsupportedOp, match="got 2, which needs singular values"):
        gl.norm(x, 2)
    with pytest.raises(gl.ShapeError, match="needs vectors or matrices"):
        gl.norm(gl.input("t", (2, 3, 4)), 1)


# --- parts of matrices -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [-4, -3, -1, 0, 1, 2, 3])
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_diagonals_and_triangles_are_numpys(k, backend):
    m, v = gl.input("m", (4, 3)), gl.input("v", (3,))
    values, vector = np.arange(1.0, 13).reshape(4, 3), np.array([1.0, -2.0, 3.0])
    functions = [np.diagonal, np.diag, np.tril, np.triu, np.trace]
    outputs = [f(m, k) for f in functions] + [np.diag(v, k)]
    wanted = [f(values, k) for f in functions] + [np.diag(vector, k)]
    for found, expected in zip(gl.compile(outputs, backend=backend)(m=values, v=vector), wanted, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_diagonals_of_many_matrices():
    t = gl.input("t", (2, 3, 4))
    values = np.arange(24.0).reshape(2, 3, 4)
    for axes in ((0, 1), (1, 2), (2, 0), (-1, -2)):
        for function in (np.diagonal, np.trace):
            np.testing.assert_array_equal(gl.evaluate(function(t, 1, *axes), {t: values}), function(values, 1, *axes))
    slope = gl.evaluate(gl.grad(gl.sum(gl.trace(t, 0, 1, 2)), t), {t: values})
    np.testing.assert_array_equal(slope, np.broadcast_to(np.eye(3, 4), (2, 3, 4)))
    batch = gl.input("b", ("N", 3, 3))
    assert gl.trace(batch, axis1=1, axis2=2).shape == ("N",)


def test_matrices_that_have_no_diagonal_are_refused():
    with pytest.raises(gl.ShapeError, match=r"diagonal needs matrices; got the shape \(3,\)"):
        gl.diagonal(gl.input("v", (3,)))
    with pytest.raises(gl.ShapeError, match=r"fixed number of rows and columns; got \(N, 3\)"):
        gl.trace(gl.input("v", ("N", 3)))
    with pytest.raises(gl.ShapeError, match=r"diag needs a vector or a matrix of fixed lengths; got \(\)"):
        gl.diag(gl.input("v"))
    with pytest.raises(gl.ShapeError, match=r"needs a whole number for the diagonal; got 0\.5"):
        gl.tril(x, 0.5)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_the_deviation_of_one_entry_is_0_and_so_is_its_derivative_also_where_a_product_is_fused(backend: str) -> None:
    x, a = gl.input("x", ("N", 3)), gl.input("a")
    spread = gl.std(a * x, axis=0)
    run = gl.compile([spread, gl.grad(gl.sum(spread), x)], backend=backend)
    for got in run(x=np.array([[1.1, 2.3, 0.7]]), a=1.7):
        np.testing.assert_array_equal(got, np.zeros_like(got))
    assert np.isnan(run(x=np.full((2, 3), np.inf), a=1.0)[0]).all()
