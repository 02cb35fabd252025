"""The backend on Numba's simulator, from end to end. `test_simulator.py` runs this file in a process that has one.

A simulated step costs some milliseconds, so what is here is what only the simulator shows: its arrays, threads that
really run side by side, launches, and the same results as the reference.
"""

from __future__ import annotations

import sys

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.backends.cuda import device, offline
from graphlearn.errors import EngineError
from tests.backends.cuda.networks import assert_trains_like_the_reference, classifier, train, xor

sys.setswitchinterval(1e-5)  # the simulator polls its threads: at the usual 5 ms a barrier would take 10


def test_this_process_has_a_simulator() -> None:
    assert device.is_simulated()
    device.require_device()


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_xor(precision: str) -> None:
    assert_trains_like_the_reference(xor(), precision, [4] * 30)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_classifier_by_adam(precision: str) -> None:
    order = np.random.default_rng(0).permutation(23)
    assert_trains_like_the_reference(classifier(), precision, [8, 8, 7], order)


def test_it_stops_at_a_loss_that_is_not_finite() -> None:
    problem = xor()
    first, second, *_ = problem.step.updates
    broken = problem._replace(values={**problem.values, first: np.full(first.shape, np.nan)})
    made, losses, values = train("cuda", broken, "float32", [4] * 3)
    assert made == 0 and np.isnan(losses[0]) and losses[1] == -1
    np.testing.assert_allclose(values[1], problem.values[second], rtol=1e-6)


def test_functions() -> None:
    x, w = gl.input("x", ("n", 7)), gl.input("w", (7, 5))
    outputs = [gl.sigmoid(x) * x, gl.mean(x), gl.sum(x, axis=0), gl.max(x, axis=1), x @ w]
    rng = np.random.default_rng(1)
    arrays = {"x": rng.normal(size=(71, 7)), "w": rng.normal(size=(7, 5))}
    for precision, tolerance in (("float32", 1e-5), ("float64", 1e-12)):
        results = gl.compile(outputs, backend="cuda", precision=precision)(arrays)
        expected = gl.compile(outputs, backend="numpy", precision=precision)(arrays)
        for result, reference in zip(results, expected, strict=True):
            assert result.dtype == reference.dtype
            np.testing.assert_allclose(result, reference, rtol=tolerance, atol=tolerance)


def test_the_simulator_compiles_nothing() -> None:
    with pytest.raises(EngineError, match="Unset it"):
        offline.require_compiler()
