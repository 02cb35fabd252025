"""What docstrings say about zeros: slopes of roots, powers and logarithms there, on the reference and compiled."""

import inspect

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
