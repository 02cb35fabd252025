"""Determinants' derivatives of every order: against the definition at 50 digits, of singular matrices of every rank."""

import functools
import itertools
import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphlearn as gl
from graphlearn.ops.determinants import COFACTOR_ALONG
from graphlearn.ops.structural import build

BACKENDS = ("numpy", "numba")


def of_rank(n, rank, seed=0, whole=False):
    rng = np.random.default_rng([n, rank, seed])
    left, right = rng.normal(size=(n, rank)), rng.normal(size=(rank, n))
    return np.round(2 * left) @ np.round(2 * right) if whole else left @ right


def exact(matrix, along):
    """By differences of the cofactors of a matrix that is singular but for its fortieth digit, at three hundred digits.

    Cofactors are polynomials, so that steps as small lose nothing that shows.
    """
    n, order = len(matrix), len(along)
    if n == 0:
        return np.zeros((0, 0))
    with mpmath.workdps(300):
        tiny, total = mpmath.mpf(10) ** -40, mpmath.zeros(n)
        start = mpmath.matrix(matrix.tolist()) + tiny * mpmath.matrix(of_rank(n, n, 9).tolist())
        directions = [mpmath.matrix(g.tolist()) for g in along]
        for signs in itertools.product((1, -1), repeat=order):
            moved = start
            for sign, g in zip(signs, directions, strict=True):
                moved = moved + sign * tiny * g
            total += math.prod(signs) * mpmath.det(moved) * mpmath.inverse(moved).T
        found = np.array((total / (2 * tiny) ** order).tolist(), float).reshape(n, n)
    return np.where(np.abs(found) < 1e-30, 0, found)  # what the fortieth digit makes


def size(matrix, along):
    """What a change of the matrix by its own norm makes of the result, by the largest products of singular values."""
    s = np.linalg.svd(matrix.astype(float), compute_uv=False)
    left = max(0, len(matrix) - 1 - len(along))
    return np.prod(s[:1]) * np.prod(s[: max(0, left - 1)]) * np.prod([np.linalg.norm(g) for g in along])


@functools.cache
def functions(n, order, dtype):
    """One for each backend, of the matrix and the directions, for every rank."""
    node = build(COFACTOR_ALONG, [gl.input(name, (n, n), dtype) for name in ("a", *"uvw"[:order])])
    return [gl.compile(node, backend=backend, precision=dtype) for backend in BACKENDS]


def check(matrix, along, dtype="float64"):
    n, k = len(matrix), len(along)
    values = dict(zip("auvw", (x.astype(dtype) for x in (matrix, *along)), strict=False))
    wanted = exact(values["a"], list(values.values())[1:])
    bound = 4 * n**k * np.finfo(dtype).eps * max(size(matrix, along), np.abs(wanted).max(initial=0))
    for function in functions(n, k, dtype):
        found = function(**values)
        assert found.dtype == dtype and found.shape == matrix.shape
        assert np.abs(found - wanted).max(initial=0) <= bound, (n, k)


@pytest.mark.parametrize(("n", "dtype"), [(n, "float64") for n in (0, 1, 2, 3, 6, 9, 13)] + [(9, "float32")])
def test_derivatives_of_cofactors_are_those_of_the_definition(n, dtype):
    for rank in {n, max(n - 1, 0), max(n - 2, 0), max(n - 3, 0), 0}:
        check(of_rank(n, rank), [of_rank(n, n, 1)], dtype)


@pytest.mark.parametrize(("n", "rank"), [(5, 5), (5, 4), (5, 2), (5, 0)])
def test_higher_derivatives_too(n, rank):
    check(of_rank(n, rank), [of_rank(n, n, 1), of_rank(n, n, 2)])
    check(of_rank(n, rank), [of_rank(n, n, 1), of_rank(n, n, 2), of_rank(n, n, 3)])


def test_whole_matrices_of_low_rank_have_exact_zeros_and_minors():
    """Elimination of ones leaves zeros and no rounding errors."""
    a = gl.input("a", (10, 10))
    at, wanted = {"a": np.ones((10, 10))}, np.zeros((10, 10))
    function = gl.compile([gl.grad(gl.det(a), a), gl.grad(gl.grad(gl.det(a), a)[0, 0], a)])
    for found in function(**at):
        assert np.array_equal(found, wanted)
    at["a"] = np.diag([0.0, 0, *range(1, 9)])
    wanted[1, 1] = 40320
    assert np.array_equal(function(**at)[1], wanted)
    np.testing.assert_allclose(gl.evaluate(function._roots[1], at), wanted, rtol=1e-13, atol=1e-9)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(1, 6), st.data())
def test_any_small_matrix(n, data):
    entries = st.sampled_from([0.0, 1.0, -1.0, 2.0, 0.5, 3.25, 1e-3, 1e3])
    matrix, along = (np.array(data.draw(st.lists(entries, min_size=n * n, max_size=n * n))).reshape(n, n) for _ in "ab")
    wanted = exact(matrix, [along])
    bound = 8 * n**2 * np.finfo("float64").eps * max(size(matrix, [along]), np.abs(wanted).max())
    room, beside = np.eye(6), np.zeros((6, 6))  # of one size, so that one function serves all
    room[:n, :n], beside[:n, :n] = matrix, along
    assert np.abs(COFACTOR_ALONG.reference(matrix, along) - wanted).max() <= bound
    for function in functions(6, 1, "float64"):
        assert np.abs(function(a=room, u=beside)[:n, :n] - wanted).max() <= bound


def test_batches_are_each_matrix_by_itself():
    matrices = np.stack([of_rank(9, rank, whole=True) for rank in (9, 8, 7, 0)])
    a, v = gl.input("a", ("N", 9, 9)), gl.input("v", ("N", 9, 9))
    along = np.stack([of_rank(9, 9, k) for k in range(4)])
    node = gl.jvp(gl.grad(gl.sum(gl.det(a)), a), a, v)
    for backend in BACKENDS:
        found = gl.compile(node, backend=backend)(a=matrices, v=along)
        for k, (matrix, direction) in enumerate(zip(matrices, along, strict=True)):
            wanted = COFACTOR_ALONG.reference(matrix, direction)
            np.testing.assert_allclose(found[k], wanted, rtol=1e-10, atol=1e-13 * (1 + np.abs(matrix).max() ** 7))


@pytest.mark.parametrize("value", [of_rank(9, 8) / 3, of_rank(9, 7) / 3, of_rank(9, 9) / 3])
def test_second_derivatives_of_determinants_of_nine_rows(value):
    a = gl.input("a", (9, 9))
    assert gl.check_grad(gl.det(a), a, at={a: value}, order=2).ok


def test_third_derivatives_of_a_singular_determinant():
    """det is linear in each entry: d3 det / da00 da11 da22 is the minor of the rest."""
    value = of_rank(9, 6, whole=True)
    a = gl.input("a", (9, 9))
    third = gl.grad(gl.grad(gl.grad(gl.det(a), a)[0, 0], a)[1, 1], a)
    wanted = np.linalg.det(value[3:, 3:])
    for backend in BACKENDS:
        found = gl.compile(third, backend=backend)(a=value)
        assert found[2, 2] == pytest.approx(wanted, rel=1e-9)
        np.testing.assert_array_equal(np.abs(found[:2]) <= 1e-9 * abs(wanted), True)


def test_directions_of_another_shape_are_refused():
    with pytest.raises(gl.ShapeError, match=r"cofactor_along needs directions of the shape .*\(3, 3\); got \(2, 2\)"):
        build(COFACTOR_ALONG, [gl.input("a", (3, 3)), gl.input("g", (2, 2))])


def test_what_is_not_finite_is_nan():
    value = np.eye(3)
    value[1, 1] = np.inf
    assert np.isnan(COFACTOR_ALONG.reference(value, np.eye(3))).all()


FAR = [
    ("float64", (1e160, 1e160)),
    ("float64", (1e-160, 1e-170, 1)),
    ("float64", (1e308, 1e-308, 1)),
    ("float64", (1e160, 1e160, 1e-160)),
    ("float64", (1e200, 1e200, 1e200)),
    ("float64", (1e-300, 1e-300, 1e300, 1e300)),
    ("float64", (5e-324, 1e300, 0, 1e300)),
    ("float32", (1e-25, 1e-28, 1)),
    ("float32", (1e20, 1e20, 1e-20)),
]


@functools.cache
def determinant(n, dtype, backend):
    """The determinant, its gradient, and the derivatives of the first entry of this."""
    a = gl.input("a", (n, n), dtype)
    slope = gl.grad(gl.det(a), a)
    return gl.compile([gl.det(a), slope, gl.grad(slope[0, 0], a)], backend=backend, precision=dtype)


@pytest.mark.parametrize(("dtype", "pivots"), FAR)
def test_products_of_pivots_are_in_range_where_the_result_is(dtype, pivots):
    """The determinant, its gradient and a row of its Hessian, of a diagonal matrix and of its rows in another order."""
    n, exact = len(pivots), [mpmath.mpf(float(x)) for x in np.array(pivots, dtype)]

    def of_others(*left_out):
        with np.errstate(over="ignore"):
            product = math.prod(x for k, x in enumerate(exact) if k not in left_out)
            return np.array(float(product) if product < 1e309 else math.inf).astype(dtype)

    gradient = np.diag([of_others(k) for k in range(n)])
    second = np.diag([of_others(0, k) if k else 0 * exact[0] for k in range(n)]).astype(dtype)
    for backend in BACKENDS:
        value, first, row = determinant(n, dtype, backend)(a=np.diag(pivots).astype(dtype))
        near = functools.partial(np.testing.assert_allclose, rtol=8 * np.finfo(dtype).eps)
        near(value, of_others())
        near(first, gradient)
        if backend == "numba" or max(pivots) < 1e300:  # the reference's singular values span the format once
            near(row, second)
    # The reference's singular vectors of equal values are no permutation, and what they round off may be large here.
    _, swapped, _ = determinant(n, dtype, "numba")(a=np.diag(pivots).astype(dtype)[::-1])
    near(np.abs(swapped), gradient[::-1])


@pytest.mark.parametrize(("axis", "sizes"), [(0, (512, -512, 0, -512)), (1, (512, 0, 512, 0)), (1, (0, -512, 0, -512))])
def test_rows_or_columns_of_very_different_size(axis, sizes):
    """Scaling them by such powers of two scales cofactors by the others', and rounds nothing that was not rounded."""
    value = of_rank(4, 4, 3)
    powers = np.broadcast_to(np.expand_dims(sizes, 1 - axis), (4, 4))
    far, total = np.ldexp(value, powers), sum(sizes)
    for backend in BACKENDS:
        number, first, _ = determinant(4, "float64", backend)(a=value)
        number_far, first_far, _ = determinant(4, "float64", backend)(a=far)
        with np.errstate(over="ignore"):  # what rounding leaves of a determinant of 0 may be infinite once it is scaled
            wanted, wanted_first = np.ldexp(number, total), np.ldexp(first, total - powers)
        assert number_far == wanted
        np.testing.assert_array_equal(first_far, wanted_first)
