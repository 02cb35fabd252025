"""Tests of running totals, and of routines in a compiled program."""

from __future__ import annotations

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.backends.routines import WRITERS
from graphlearn.program.routines import ROUTINES
from graphlearn.program.steps import Routine

X = np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]])


@pytest.mark.parametrize("axis", [0, 1, -1, None])
def test_cumsum_is_numpys(axis: int | None) -> None:
    x = gl.input("x", (2, 3))
    for node in (gl.cumsum(x, axis), np.cumsum(x, axis=axis)):
        np.testing.assert_array_equal(gl.evaluate(node, {"x": X}), np.cumsum(X, axis))


def test_cumsum_from_the_end_is_the_derivative_of_cumsum() -> None:
    x = gl.input("x", ("N", 3))
    slope = gl.grad(gl.sum(gl.cumsum(x * x, 0) * [1.0, 10.0, 100.0]), x)
    run = gl.compile(slope, backend="numba")
    np.testing.assert_array_equal(run(x=np.ones((4, 3))), 2 * np.outer([4, 3, 2, 1], [1, 10, 100]))
    np.testing.assert_array_equal(gl.evaluate(gl.cumsum(x, 1, reverse=True), {"x": X}), [[2, 1, 3], [3.5, 3, -1]])


def test_whole_numbers_are_summed_in_wide_ones() -> None:
    x = gl.input("x", (3,), dtype="uint8")
    for backend in ("numpy", "numba"):
        got = gl.compile(gl.cumsum(x), backend=backend)(x=np.array([200, 100, 7], np.uint8))
        assert got.dtype == np.int64
        np.testing.assert_array_equal(got, [200, 300, 307])


def test_an_axis_out_of_range_is_named() -> None:
    with pytest.raises(gl.ShapeError, match="cumsum"):
        gl.cumsum(gl.input("x", (3,)), 1)


def test_a_routine_reads_arrays_row_by_row_whatever_the_view() -> None:
    x = gl.input("x", (2, 3))
    run = gl.compile(gl.cumsum(gl.transpose(x)[::-1], 0), backend="numba")
    np.testing.assert_array_equal(run(x=X), np.cumsum(X.T[::-1], 0))
    (step,) = [s for s in run.program.steps if isinstance(s, Routine)]
    assert step.operands[0].shape == (3, 2)


def test_every_routine_has_a_row() -> None:
    assert set(ROUTINES) == set(WRITERS)
