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
