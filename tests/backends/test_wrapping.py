"""Whole numbers wrap inside a formula as they do in NumPy: not only where a result is stored."""

from __future__ import annotations

import numpy as np
import pytest

import graphlearn as gl

FORMULAS = {
    "a difference, halved": lambda i, j: (i - j) / 2,
    "a sum, compared": lambda i, j: i + j > i,
    "a product, as a real": lambda i, j: gl.sqrt(gl.cast(i * j, "float64")),
    "an opposite, summed up": lambda i, j: gl.sum(gl.cast(-i, "float64") + j),
    "softmax": lambda i, j: gl.softmax(i) + gl.log_softmax(j),
    "logsumexp": lambda i, j: gl.logsumexp(i) - gl.logsumexp(j),
}
VALUES = {
    "uint8": ([3, 100, 127, 255, 0], [5, 200, 1, 255, 1]),
    "int32": ([2**31 - 1, -(2**31), 7, 100_000, 0], [1, 2**31 - 1, 7, 100_000, -5]),
    "int64": ([2**31 - 1, -(2**31), 7, 3_000_000_000, 0], [1, 2**31 - 1, 7, 4, -5]),
}


@pytest.mark.parametrize("dtype", VALUES)
@pytest.mark.parametrize("formula", FORMULAS)
def test_a_formula_wraps_as_the_reference_does(formula: str, dtype: str) -> None:
    i, j = gl.input("i", (5,), dtype), gl.input("j", (5,), dtype)
    node = FORMULAS[formula](i, j)
    given = {name: np.array(values, dtype) for name, values in zip("ij", VALUES[dtype], strict=True)}
    with np.errstate(over="ignore"):
        wanted = gl.evaluate(node, given)
    np.testing.assert_allclose(gl.compile(node)(**given), wanted, rtol=1e-13)


def test_the_reference_wraps_as_numpy_does() -> None:
    i, j = gl.input("i", (), "uint8"), gl.input("j", (), "uint8")
    assert gl.evaluate((i - j) / 2, {i: 3, j: 5}) == 127


def test_results_are_the_callers_own() -> None:
    x = gl.input("x", (2, 3))
    given = np.zeros((2, 3))
    for node in (x, x.T, gl.reshape(x, 6)):
        gl.evaluate(node, {x: given})[...] = 7
        assert not given.any()


def test_a_masked_array_is_no_number() -> None:
    x = gl.input("x", ("batch",))
    masked = np.ma.masked_equal([1.0, -999.0, 3.0], -999.0)
    for call in (lambda at: gl.evaluate(gl.exp(x), at), lambda at: gl.compile(gl.exp(x))(**at)):
        with pytest.raises(gl.errors.DataError, match=r"masked array with 1 masked entries\. Fill them"):
            call({"x": masked})
    np.testing.assert_array_equal(gl.evaluate(x, {x: np.ma.array([1.0, 2.0])}), [1.0, 2.0])
