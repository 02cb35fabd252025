"""Systems of equations, inverses, determinants and Cholesky's factor: against NumPy, by differences, at the edges."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

import graphlearn as gl

BACKENDS = ("numpy", "numba")


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def matrix(*shape):
    return random(*shape) + 3 * np.eye(shape[-1])


def positive(*shape):
    a = random(*shape)
    return a @ np.swapaxes(a, -1, -2) + np.eye(shape[-1])


def given(node, backend, **at):
    return gl.compile(node, backend=backend)(**at)


@pytest.mark.parametrize(
    ("left", "right"),
    [((3, 3), (3,)), ((3, 3), (3, 2)), ((4, 3, 3), (4, 3, 2)), ((4, 3, 3), (3, 2)), ((3, 3), (4, 3, 1)),
     ((4, 3, 3), (3,)), ((2, 1, 2, 2), (3, 2, 2)), ((1, 1), (1,)), ((0, 2, 2), (0, 2, 1))],
)  # fmt: skip
def test_solve_is_numpys_with_derivatives(left, right):
    a, b = gl.input("a", left), gl.input("b", right)
    at = {"a": matrix(*left), "b": random(*right, seed=1)}
    made = np.linalg.solve(a, b)
    wanted = np.linalg.solve(at["a"], at["b"])
    assert made.shape == wanted.shape
    for backend in BACKENDS:
        np.testing.assert_allclose(given(made, backend, **at), wanted, rtol=1e-12, atol=1e-14)
    if 0 not in left:
        report = gl.check_grad(gl.sum(gl.sin(made)), [a, b], at=at)
        assert report.ok, str(report)


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (3, 3), (6, 6), (2, 3, 3)])
def test_inverse_det_and_logdet_are_numpys_with_derivatives(shape):
    a = gl.input("a", shape)
    value = matrix(*shape)
    sign, log = np.linalg.slogdet(a)
    outputs = [np.linalg.inv(a), np.linalg.det(a), sign, log]
    wanted = [np.linalg.inv(value), np.linalg.det(value), *np.linalg.slogdet(value)]
    for backend in BACKENDS:
        for found, expected in zip(given(outputs, backend, a=value), wanted, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
    for node in (outputs[0], outputs[1], log):
        for order in (1, 2):
            report = gl.check_grad(gl.sum(gl.sin(node)), a, at={a: value}, order=order)
            assert report.ok, str(report)


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (6, 6), (2, 3, 3)])
def test_choleskys_factor_is_numpys_with_derivatives_in_the_lower_triangle(shape):
    a = gl.input("a", shape)
    value = positive(*shape)
    made = np.linalg.cholesky(a)
    for backend in BACKENDS:
        np.testing.assert_allclose(given(made, backend, a=value), np.linalg.cholesky(value), rtol=1e-12, atol=1e-14)
        slope = given(gl.grad(gl.sum(gl.sin(made)), a), backend, a=value)
        np.testing.assert_array_equal(slope, np.tril(slope))
    for order in (1, 2):
        report = gl.check_grad(gl.sum(gl.sin(made)), a, at={a: value}, order=order)
        assert report.ok, str(report)


def test_a_symmetric_argument_has_the_symmetric_derivative():
    """The log-determinant of S = A A^T + I by A, once by Cholesky's factor and once directly."""
    a = gl.input("a", (3, 3))
    s = a @ a.T + np.eye(3)
    by_factor = 2 * gl.sum(gl.log(gl.diag(gl.cholesky(s))))
    slopes = gl.evaluate([gl.grad(by_factor, a), gl.grad(gl.slogdet(s)[1], a)], {a: random(3, 3)})
    np.testing.assert_allclose(*slopes, rtol=1e-13)


@pytest.mark.parametrize("backend", BACKENDS)
def test_least_squares_in_closed_form(backend):
    x, y = gl.input("X", ("N", 2)), gl.input("y", ("N",))
    w = gl.solve(x.T @ x, x.T @ y)
    at = {"X": np.c_[np.ones(5), np.arange(5.0)], "y": 1 + 2 * np.arange(5.0)}
    np.testing.assert_allclose(given(w, backend, **at), [1, 2], rtol=1e-13)
    noisy = {**at, "y": at["y"] + random(5)}
    wanted = np.linalg.lstsq(noisy["X"], noisy["y"], rcond=None)[0]
    np.testing.assert_allclose(given(w, backend, **noisy), wanted, rtol=1e-12)
    loss = gl.sum((x @ w - y) ** 2)
    report = gl.check_grad(loss, [x, y], at=noisy)
    assert report.ok, str(report)
    slopes = given([gl.grad(loss, x), gl.grad(loss, y)], backend, **noisy)
    for found, expected in zip(slopes, gl.evaluate([gl.grad(loss, x), gl.grad(loss, y)], noisy), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_sympy_agrees_with_determinants_solutions_and_their_derivatives():
    a, b = gl.input("a", (2, 2)), gl.input("b", (2,))
    entries = sympy.Matrix(gl.to_sympy(gl.scalarize(a)))
    right = sympy.Matrix(gl.to_sympy(gl.scalarize(b)))
    for node, exact in ((gl.det(a), entries.det()), (gl.sum(gl.solve(a, b)), sum(entries.inv() * right))):
        assert sympy.simplify(gl.to_sympy(gl.scalarize(node)) - exact) == 0
        slope = sympy.Matrix(gl.to_sympy(gl.scalarize(gl.grad(node, a))))
        for place in np.ndindex(2, 2):
            assert sympy.simplify(slope[place] - sympy.diff(exact, entries[place])) == 0
    with pytest.raises(gl.UnsupportedOp, match="at most 5 rows"):
        gl.scalarize(gl.det(gl.input("large", (6, 6))))


# --- singular matrices -----------------------------------------------------------------------------------------------


def by_minors(a):
    """Cofactors by their definition."""
    result = np.empty(a.shape)
    for i, j in np.ndindex(a.shape):
        result[i, j] = (-1) ** (i + j) * np.linalg.det(np.delete(np.delete(a, i, 0), j, 1))
    return result


def of_rank(n, rank):
    return random(n, rank) @ random(rank, n, seed=1)


SINGULAR = {
    "ones": np.ones((3, 3)),
    "a row of zeros": np.array([[0, 0, 0], [1, 2, 3.0], [4, 5, 7]]),
    "zeros first": np.array([[0, 0, 1.0], [0, 2, 3], [0, 5, 7]]),
    "two zero rows": np.array([[0, 0, 0], [0, 0, 0], [1, 2, 3.0]]),
    "zeros": np.zeros((4, 4)),
    "whole": np.arange(9.0).reshape(3, 3),
    "rank 3 of 4": of_rank(4, 3),
    "rank 2 of 4": of_rank(4, 2),
    "rank 5 of 6": of_rank(6, 5),
    "regular": matrix(5, 5),
    "one": np.array([[0.0]]),
}


@pytest.mark.parametrize("name", SINGULAR)
def test_the_derivative_of_a_determinant_is_the_cofactors_of_singular_matrices_too(name):
    value = SINGULAR[name]
    a = gl.input("a", value.shape)
    outputs = [gl.grad(gl.det(a), a), gl.cofactor(a)]
    size = 1 + np.max(np.abs(value)) ** (len(value) - 1)
    for backend in BACKENDS:
        for found in given(outputs, backend, a=value):
            np.testing.assert_allclose(found, by_minors(value), rtol=1e-13, atol=1e-13 * size)


@pytest.mark.parametrize("value", [np.ones((3, 3)), np.zeros((3, 3)), np.zeros((2, 2)), np.arange(9.0).reshape(3, 3)])
def test_second_derivatives_of_determinants_up_to_three_rows_are_exact_for_singular_matrices(value):
    a = gl.input("a", value.shape)
    assert gl.check_grad(gl.det(a), a, at={a: value}, order=2).ok
    hessian = gl.evaluate(gl.hessian(gl.det(a), a), {a: value})
    for place in np.ndindex(*value.shape, *value.shape):
        one, two = np.zeros(value.shape), np.zeros(value.shape)
        one[place[:2]] = two[place[2:]] = 1
        # The determinant is linear in each entry, so that differences are exact.
        corners = [np.linalg.det(value + x + y) for x in (one, 0) for y in (two, 0)]
        wanted = 0 if place[:2] == place[2:] else corners[0] - corners[1] - corners[2] + corners[3]
        assert hessian[place] == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize(("n", "rank"), [(4, 4), (4, 3), (4, 2), (4, 1), (4, 0), (6, 4), (9, 9)])
def test_derivatives_of_cofactors_are_minors_for_singular_matrices_too(n, rank):
    rng = np.random.default_rng(n)
    value, weights = rng.normal(size=(n, rank)) @ rng.normal(size=(rank, n)), rng.normal(size=(n, n))
    a = gl.input("a", (n, n))
    outputs = [gl.grad(gl.sum(gl.cofactor(a) * weights), a), gl.grad(gl.grad(gl.det(a), a)[0, 0], a)]
    wanted, second = np.zeros((n, n)), np.zeros((n, n))
    for i, j in np.ndindex(n, n):
        rest = by_minors(np.delete(np.delete(value, i, 0), j, 1))
        share = np.insert(np.insert(rest, min(i, n - 1), 0, 0), min(j, n - 1), 0, 1) * (-1) ** (i + j)
        wanted += weights[i, j] * share
        second = share if i == j == 0 else second
    for backend in BACKENDS:
        for found, right in zip(given(outputs, backend, a=value), (wanted, second), strict=True):
            np.testing.assert_allclose(found, right, rtol=1e-9, atol=1e-11 * max(1, np.abs(wanted).max()))


def test_determinants_of_whole_numbers_are_whole_as_far_as_elimination_is():
    a = gl.input("a", (2, 2), "int64")
    for backend in BACKENDS:
        assert given(gl.det(a), backend, a=[[2, 4], [1, 3]]) == 2
        assert given(gl.det(a), backend, a=[[1, 2], [2, 4]]) == 0
    zero = gl.input("z", (0, 0))
    assert gl.evaluate(gl.det(zero), {zero: np.zeros((0, 0))}) == 1


def test_log_determinants_where_the_determinant_would_overflow():
    a = gl.input("a", (200, 200))
    value = 1e3 * np.eye(200)
    for backend in BACKENDS:
        sign, log = given(list(gl.slogdet(a)), backend, a=value)
        assert sign == 1
        assert log == pytest.approx(200 * np.log(1e3), rel=1e-14)


def test_singular_systems_are_refused_with_the_node_and_the_cure():
    a = gl.input("A", (2, 2))
    flat, saddle = np.ones((2, 2)), np.array([[1.0, 2.0], [2.0, 1.0]])
    for node in (gl.solve(a, [1.0, 2.0]), gl.inverse(a)):
        with pytest.raises(gl.DataError, match=r"a matrix that has an inverse; got a singular one\. Drop") as caught:
            gl.evaluate(node, {a: flat})
        assert "A: float64[2,2]" in str(caught.value)
        assert not np.all(np.isfinite(given(node, "numba", A=flat)))
    with pytest.raises(gl.DataError, match="a symmetric matrix whose eigenvalues are above 0; got another one"):
        gl.evaluate(gl.cholesky(a), {a: saddle})
    assert np.isnan(given(gl.cholesky(a), "numba", A=saddle)).any()
    many = gl.input("M", (3, 2, 2))
    values = np.stack([np.eye(2), np.ones((2, 2)), np.eye(2)])
    with pytest.raises(gl.DataError, match=r"singular one at \(1,\)"):
        gl.evaluate(gl.inverse(many), {many: values})


@pytest.mark.parametrize("backend", BACKENDS)
def test_nan_stays_nan(backend):
    a = gl.input("A", (2, 2, 2))
    values = np.stack([np.eye(2), [[np.nan, 1.0], [1.0, 1.0]]])
    for node in (gl.inverse(a), gl.det(a), gl.cofactor(a), gl.cholesky(a), gl.slogdet(a)[1]):
        found = given(node, backend, A=values)
        assert np.all(np.isfinite(found[0]))
        assert np.isnan(found[1]).any()


def test_what_is_not_square_is_refused():
    a, b = gl.input("A", (2, 3)), gl.input("b", (4,))
    for function in (gl.inverse, gl.det, gl.cholesky, gl.cofactor, lambda x: gl.solve(x, b)):
        with pytest.raises(gl.ShapeError, match=r"needs square matrices in the last two axes; got \(2, 3\)"):
            function(a)
    with pytest.raises(gl.ShapeError, match=r"solve needs \(n, n\) and \(n,\) or \(n, k\); got \(2, 2\) and \(4,\)"):
        gl.solve(gl.input("S", (2, 2)), b)
    free = gl.input("F", ("n", "n"))
    with pytest.raises(gl.ShapeError, match=r"inverse needs matrices of fixed size; got \(n, n\)"):
        gl.inverse(free)
    assert gl.solve(free, gl.input("v", ("n",))).shape == ("n",)
    np.testing.assert_allclose(
        given(gl.solve(free, gl.input("v", ("n",))), "numba", F=[[2.0, 0], [0, 4]], v=[2.0, 4.0]), [1, 1]
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_single_precision_stays_single(backend):
    a, b = gl.input("A", (3, 3), "float32"), gl.input("b", (3,), "float32")
    value, right = matrix(3, 3).astype("float32"), random(3).astype("float32")
    for node, wanted in (
        (gl.solve(a, b), np.linalg.solve(value, right)),
        (gl.inverse(a), np.linalg.inv(value)),
        (gl.det(a), np.linalg.det(value)),
    ):
        found = given(node, backend, **{k: v for k, v in (("A", value), ("b", right)) if k in gl.symbols(node)})
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, wanted, rtol=1e-5)
