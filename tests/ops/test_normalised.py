"""Tests of softmax and its kin at the edges: entries of 1e4, and rows with entries of -inf and inf."""

from __future__ import annotations

import numpy as np
import pytest

import graphlearn as gl

ROWS = np.array([[1e4, 0.0, -1e4], [-np.inf, 0.0, 0.0], [-np.inf, -np.inf, 5.0], [-np.inf, -np.inf, -np.inf]])
ROWS = np.concatenate([ROWS, [[np.inf, 0.0, -np.inf], [np.inf, 1e4, np.inf]]])
SHARES = np.array([[1, 0, 0], [0, 0.5, 0.5], [0, 0, 1], [1 / 3, 1 / 3, 1 / 3], [1, 0, 0], [0.5, 0, 0.5]])


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_values_and_derivatives_are_finite_where_the_true_ones_are(backend: str, precision: str) -> None:
    x = gl.input("x", ("N", 3))
    total = gl.logsumexp(x, 1)
    logs = gl.log_softmax(x, 1)
    outputs = [gl.softmax(x, 1), gl.grad(gl.sum(total), x), total, gl.grad(gl.sum(logs[:, 2]), x)]
    run = gl.compile(outputs, backend=backend, precision=precision)
    shares, by_entry, values, by_last = run(x=ROWS)
    eps = np.finfo(precision).eps
    np.testing.assert_allclose(shares, SHARES, rtol=2 * eps)
    np.testing.assert_allclose(by_entry, SHARES, rtol=2 * eps)
    np.testing.assert_allclose(values, [1e4, np.log(2), 5, -np.inf, np.inf, np.inf], rtol=2 * eps)
    np.testing.assert_allclose(by_last, np.eye(3)[2] - SHARES, rtol=2 * eps)


def test_a_nan_stays_one() -> None:
    x = gl.input("x", (2,))
    for node in (gl.softmax(x), gl.log_softmax(x), gl.logsumexp(x)):
        assert np.isnan(gl.evaluate(node, {"x": [np.nan, -np.inf]})).all()


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_an_entropy_of_shares_that_round_to_0_has_a_derivative(backend: str) -> None:
    z = gl.input("z", (3,))
    entropy = -gl.sum(gl.softmax(z) * gl.log_softmax(z))
    value, slope = gl.compile([entropy, gl.grad(entropy, z)], backend=backend)(z=[800.0, 0.0, 0.0])
    np.testing.assert_array_equal(value, 0)
    np.testing.assert_array_equal(slope, 0)
