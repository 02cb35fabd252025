"""What docstrings say about zeros: slopes of roots, powers and logarithms there, on the reference and compiled."""

import inspect
import math

import mpmath
import numpy as np
import pytest

import graphlearn as gl

ZEROS = np.array([0.0, -0.0])
INF = np.inf
# Name -> function, first derivatives at 0 and at -0, second ones.
SLOPES = {
    "sqrt": (gl.sqrt, (INF, INF), (-INF, -INF)),
    "x**0.5": (lambda x: x**0.5, (INF, INF), (-INF, -INF)),
    "x**y": (lambda x: x ** gl.constant([0.5, 0.5]), (INF, INF), (-INF, -INF)),
    "cbrt": (gl.cbrt, (INF, INF), (-INF, INF)),
    "x**1.5": (lambda x: x**1.5, (0, 0), (INF, INF)),
    "log": (gl.log, (INF, INF), (-INF, -INF)),
    "log2": (gl.log2, (INF, INF), (-INF, -INF)),
    "log10": (gl.log10, (INF, INF), (-INF, -INF)),
    "log1p": (lambda x: gl.log1p(x - 1), (INF, INF), (-INF, -INF)),
    "rsqrt": (gl.rsqrt, (-INF, -INF), None),
    "reciprocal": (gl.reciprocal, (-INF, -INF), (INF, -INF)),
}


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("name", SLOPES)
def test_slopes_at_zero_do_not_depend_on_its_sign(name, backend):
    function, first, second = SLOPES[name]
    x = gl.input("x", (2,))
    slope = gl.grad(gl.sum(function(x)), x)
    curve = gl.grad(gl.sum(slope), x)
    with np.errstate(all="ignore"):
        found = gl.compile([slope, curve], backend=backend)(x=ZEROS)
    np.testing.assert_array_equal(found[0], first)
    if second is not None:
        np.testing.assert_array_equal(found[1], second)


def test_a_logarithm_of_a_negative_number_is_nan_with_a_slope():
    x = gl.input("x")
    with np.errstate(all="ignore"):
        assert np.isnan(gl.evaluate(gl.log(x), {x: -2.0}))
        assert gl.evaluate(gl.grad(gl.log(x), x), {x: -2.0}) == -0.5


@pytest.mark.parametrize(("name", "operands"), [("atan2", "(y, x, /)"), ("clip", "(x, low, high, /)")])
def test_a_public_function_calls_its_operands_as_its_docstring_does(name, operands):
    function = getattr(gl, name)
    assert str(inspect.signature(function)).startswith(operands)
    assert f"Args:\n    {operands[1:-4]}: " in function.__doc__


def _derivatives(node, leaves, words):
    """One derivative per word: ``xy`` is by x, then by y."""
    found = []
    for word in words:
        slope = node
        for letter in word:
            slope = gl.grad(slope, leaves[letter])
        found.append(slope)
    return found


# At (x, y): what is differentiated, by which operands in turn, and the derivatives in closed form.
HIGHER = [
    ("pow", (0.0, 2.0), {"x": 0, "xx": 2, "xxx": 0, "xxxx": 0, "xy": 0, "yx": 0, "yy": 0}),
    ("pow", (0.0, 3.0), {"xx": 0, "xxx": 6, "xxxx": 0, "xxxxx": 0, "xy": 0, "yx": 0, "yyx": 0}),
    ("pow", (0.0, 1.0), {"x": 1, "xx": 0, "xxx": 0}),
    ("pow", (0.0, 0.0), {"x": 0, "xx": 0, "xxx": 0}),
    ("pow", (2.0, 0.0), {"x": 0, "xx": 0, "xy": 0.5, "yx": 0.5, "xxy": -0.25, "xyx": -0.25, "yxx": -0.25}),
    ("xlogy", (0.0, 0.5), {"y": 0, "xy": 2, "yx": 2, "yy": 0, "xyy": -4, "yxy": -4, "yyx": -4}),
]


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize(("name", "point", "expected"), HIGHER, ids=lambda v: str(v) if not isinstance(v, dict) else "")
def test_guards_of_a_derivative_do_not_cut_those_of_higher_order(name, point, expected, backend):
    leaves = {"x": gl.input("x"), "y": gl.input("y")}
    slopes = _derivatives(getattr(gl, name)(*leaves.values()), leaves, expected)
    with np.errstate(all="ignore"):
        found = gl.compile(slopes, backend=backend)(x=point[0], y=point[1])
    assert [float(f) for f in found] == pytest.approx([*expected.values()], rel=1e-15, abs=0)


@pytest.mark.parametrize("exponents", [[2.0, 2.0, 2.0], [[0.0], [1.0], [2.0]], 2.0])
def test_the_hessian_of_squares_does_not_depend_on_how_the_exponent_is_given(exponents):
    v = gl.input("v", 3)
    hessian = gl.hessian(gl.sum(v ** np.array(exponents)), v)
    np.testing.assert_array_equal(gl.evaluate(hessian, {v: [0.0, 1.0, 2.0]}), np.diag([2.0, 2.0, 2.0]))


@pytest.mark.parametrize("size", [1e-200, 1.0, 1e200])
def test_second_derivatives_of_an_angle_are_right_at_any_distance(size):
    y, x = gl.input("y"), gl.input("x")
    slopes = gl.grad(gl.atan2(y, x), [y, x])
    mixed = [gl.grad(slopes[0], x), gl.grad(slopes[1], y)]
    pure = [gl.grad(slopes[0], y), gl.grad(slopes[1], x)]
    at = {"y": size, "x": size}
    assert [float(value) for value in gl.evaluate(mixed, at)] == [0.0, 0.0]
    with np.errstate(over="ignore"):
        truth = -0.5 / np.float64(size) / size
    np.testing.assert_allclose(gl.evaluate(pure, at), [truth, -truth], rtol=1e-15)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_derivatives_of_x_log_x_do_not_cancel(backend):
    x = gl.input("x", (4,))
    first = gl.grad(gl.sum(gl.xlogy(x, x)), x)
    at = np.array([1e-310, 1e-300, 0.25, 0.0])
    with np.errstate(all="ignore"):
        found = gl.compile([first, gl.grad(gl.sum(first), x)], backend=backend)(x=at)
        np.testing.assert_allclose(found[0], np.log(at) + 1, rtol=1e-15)
        np.testing.assert_allclose(found[1], 1 / at, rtol=1e-15)


LENGTHS = [
    ("float64", (1.5e308, 1.5e308)),
    ("float64", (5e-324, 0.0)),
    ("float64", (5e-324, 5e-324)),
    ("float64", (1e-310, 3e-311)),
    ("float64", (3.0, 4.0)),
    ("float32", (2e38, 3e38)),
    ("float32", (1e-45, 0.0)),
]


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize(("dtype", "point"), LENGTHS)
def test_derivatives_of_a_length_are_right_where_it_overflows_or_is_subnormal(dtype, point, backend):
    v = gl.input("v", (2,), dtype)
    function = gl.compile([gl.grad(gl.norm(v), v), gl.hessian(gl.norm(v), v)], backend=backend, precision=dtype)
    with np.errstate(all="ignore"):
        slope, curve = function(v=np.array(point, dtype))
    a, b = (mpmath.mpf(float(x)) for x in np.array(point, dtype))
    size, tolerance = mpmath.sqrt(a * a + b * b), 4 * np.finfo(dtype).eps
    np.testing.assert_allclose(slope, [float(a / size), float(b / size)], rtol=tolerance)
    wanted = [[b * b, -a * b], [-a * b, a * a]]
    with np.errstate(over="ignore"):
        exact = np.array([[float(x / size**3) for x in row] for row in wanted]).astype(dtype)
    np.testing.assert_allclose(curve, exact, rtol=tolerance, atol=4 * np.finfo(dtype).smallest_subnormal)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_the_largest_size_of_no_entries_is_0(backend):
    fixed, free = gl.input("fixed", (2, 0)), gl.input("free", (2, "n"))
    for x in (fixed, free):
        nodes = [gl.norm(x, np.inf, axis=-1), gl.norm(x, np.inf), gl.norm(x, 1), np.linalg.norm(x, np.inf, axis=1)]
        nodes.append(gl.grad(gl.sum(nodes[0]), x, disconnected="zero"))
        found = gl.compile(nodes, backend=backend)({x: np.zeros((2, 0))})
        for value, wanted in zip(found, [np.zeros(2), 0, 0, np.zeros(2), np.zeros((2, 0))], strict=True):
            np.testing.assert_array_equal(value, wanted)
    nodes = [gl.norm(free, np.inf, axis=-1), gl.norm(free, np.inf)]
    given = np.array([[1.0, -3.0], [0.0, 0.0]])
    slope = gl.compile([*nodes, gl.grad(gl.sum(nodes[0]), free)], backend=backend)(free=given)
    for value, wanted in zip(slope, [[3, 0], 4, [[0, -1], [0, 0]]], strict=True):
        np.testing.assert_array_equal(value, wanted)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("exponent", range(-5, 0))
def test_negative_powers_of_numbers_of_all_sizes(exponent, dtype):
    x = gl.input("x", (9,), dtype)
    given = np.array([1e20, -1e20, 3e19, 1e-20, 7.0, -0.3, 1e12, 1e-9, 1e37], dtype)
    given = given if dtype == "float32" else np.sign(given) * np.abs(given) ** 8.3
    with np.errstate(over="ignore"):
        wanted = np.array([float(mpmath.mpf(float(v)) ** exponent) for v in given]).astype(dtype)
        for backend in ("numpy", "numba"):
            found = gl.compile(x**exponent, backend=backend, precision=dtype)(x=given)
            np.testing.assert_allclose(
                found, wanted, rtol=8 * np.finfo(dtype).eps, atol=np.finfo(dtype).smallest_subnormal
            )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("base", [2, math.e])
def test_sums_of_exponentials_are_accurate_of_the_size_of_their_exponents(base, dtype):
    """As the docstring states; at zeros of the function too, where exponents and what is added to them cancel."""
    one = np.array([-0.6931471, -2.0, -1.0, -1.0 - 1e-9, -0.1, -40.0, 3.0, 700.0, -1e-5], dtype)
    two = np.array([-0.6931472, -0.145, -1.0, -1.0 + 1e-9, -2.5, -1e-17, 3.5, 1.0, -11.5], dtype)
    x, y = gl.input("x", one.shape, dtype), gl.input("y", one.shape, dtype)
    node = np.logaddexp2(x, y) if base == 2 else np.logaddexp(x, y)
    with mpmath.workdps(400):
        exact = mpmath.mpf(2) if base == 2 else mpmath.e
        powers = [exact ** mpmath.mpf(float(a)) + exact ** mpmath.mpf(float(b)) for a, b in zip(one, two, strict=True)]
        wanted = np.array([float(mpmath.log(p) / mpmath.log(exact)) for p in powers])
    unit = np.spacing(np.maximum(np.maximum(np.abs(one), np.abs(two)), np.ones((), dtype))).astype(float)
    for backend in ("numpy", "numba"):
        found = gl.compile(node, backend=backend, precision=dtype)(x=one, y=two).astype(float)
        assert np.max(np.abs(found - wanted) / unit) <= 4
