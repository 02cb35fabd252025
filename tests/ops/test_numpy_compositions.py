"""Compositions under NumPy's names at their edges: derivatives where squares overflow, near 0, of entries left out."""

import math

import mpmath
import numpy as np
import pytest

import graphlearn as gl

x, y = gl.input("x", 3), gl.input("y", 3)
BACKENDS = ["numpy", "numba"]


HARD = np.array([
    0.0, -0.0, 5e-324, 1e-308, 1e-20, 0.1, 0.5, 1 - 1e-16, 1.0, 1.5, 2.5, -0.5, -1.5, -2.5, 37.0, -37.0, 710.0, -710.0,
    1e4, -1e4, 1e300, -1e300, np.inf, -np.inf, np.nan,
])  # fmt: skip
PAIRS = (
    np.hypot, np.logaddexp, np.logaddexp2, np.fmod, np.copysign, np.fmax, np.fmin, np.isclose, np.heaviside,
    np.logical_xor, np.float_power, np.remainder,
)  # fmt: skip
SINGLE = (
    np.sinc, np.nan_to_num, np.trunc, np.signbit, np.isnan, np.isinf, np.isfinite, np.isposinf, np.isneginf, np.rint,
    np.degrees, np.radians, np.reciprocal, lambda z: np.round(z, 2), lambda z: np.round(z, -1),
    lambda z: np.select([z > 1, z < 0], [z, -z], 7.0), lambda z: np.interp(z, [-1.0, 0.0, 2.0], [3.0, 4.0, -1.0]),
)  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
def test_values_on_the_hard_grid_are_numpys(backend):
    first, second = (grid.ravel() for grid in np.meshgrid(HARD, HARD))
    one, two = gl.input("one", first.shape), gl.input("two", first.shape)
    nodes = [f(one, two) for f in PAIRS] + [f(one) for f in SINGLE]
    with np.errstate(all="ignore"):
        wanted = [f(first, second) for f in PAIRS] + [f(first) for f in SINGLE]
    for node, got, value in zip(nodes, gl.compile(nodes, backend=backend)(one=first, two=second), wanted, strict=True):
        if value.dtype == bool:
            np.testing.assert_array_equal(got, value)
        else:
            np.testing.assert_allclose(got, value, rtol=16 * np.finfo(float).eps, atol=1e-307, err_msg=repr(node))


@pytest.mark.parametrize("backend", BACKENDS)
def test_hypot_neither_overflows_nor_vanishes(backend):
    side = np.hypot(x, y)
    values, by_x = gl.compile([side, gl.grad(gl.sum(side), x)], backend=backend)(
        x=[3e200, 0, -3e-200], y=[4e200, 0, 4e-200]
    )
    np.testing.assert_allclose(values, [5e200, 0, 5e-200], rtol=1e-15)
    np.testing.assert_allclose(by_x, [0.6, 0, -0.6], rtol=1e-15)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_second_derivatives_of_hypot_keep_their_digits(backend, precision):
    side = np.hypot(x, y)
    by_x, by_y = (gl.grad(gl.sum(side), leaf) for leaf in (x, y))
    outputs = [gl.grad(gl.sum(first), leaf) for first in (by_x, by_y) for leaf in (x, y)]
    a, b = np.array([1e-2, 1e-9, -3.0]), np.array([1e-9, 1e-2, 4.0])
    found = gl.compile(outputs, backend=backend, precision=precision)(x=a, y=b)
    cube = np.hypot(a, b) ** 3
    for value, truth in zip(found, (b * b / cube, -a * b / cube, -a * b / cube, a * a / cube), strict=True):
        np.testing.assert_allclose(value, truth, rtol=16 * np.finfo(precision).eps)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("function", [np.logaddexp, np.logaddexp2])
def test_equal_infinities_share_the_derivative_of_a_sum_of_exponentials(function, backend):
    total = function(x, y)
    outputs = [total, gl.grad(gl.sum(total), x), gl.grad(gl.sum(total), y)]
    run = gl.compile(outputs, backend=backend)
    values, by_x, by_y = run(x=[-np.inf, np.inf, np.inf], y=[-np.inf, np.inf, -np.inf])
    np.testing.assert_array_equal(values, [-np.inf, np.inf, np.inf])
    np.testing.assert_array_equal(by_x, [0.5, 0.5, 1])
    np.testing.assert_array_equal(by_y, [0.5, 0.5, 0])


@pytest.mark.parametrize("backend", BACKENDS)
def test_sums_of_exponentials_have_derivatives_of_both_orders_where_terms_are_equal(backend):
    for function, slope in ((np.logaddexp, 1.0), (np.logaddexp2, math.log(2))):
        total = function(x, y)
        first = gl.grad(gl.sum(total), x)
        run = gl.compile([total, first, gl.grad(gl.sum(first), x)], backend=backend)
        _, one, two = run(x=[1.0, 1000.0, -np.inf], y=[1.0, -1000.0, 0.0])
        np.testing.assert_allclose(one, [0.5, 1, 0], atol=1e-16)
        np.testing.assert_allclose(two, [slope / 4, 0, 0], rtol=1e-14, atol=1e-16)
    small = gl.compile(np.logaddexp(x, y), backend=backend)(x=[-37.0, 0.0, np.inf], y=[0.0, -700.0, np.inf])
    np.testing.assert_allclose(small, [math.log1p(math.exp(-37)), math.exp(-700), np.inf], rtol=1e-15)


@pytest.mark.parametrize("place", [0.0, 1e-300, 1e-9, 1e-3, 0.2, 0.318, 0.319, 1.0, -7.25])
def test_sinc_and_its_derivatives_near_0(place):
    z = gl.input("z")
    first = gl.grad(np.sinc(z), z)
    found = gl.evaluate([np.sinc(z), first, gl.grad(first, z)], {"z": place})
    with mpmath.workdps(60):
        wanted = [float(mpmath.diff(lambda t: mpmath.sincpi(t), place, n)) for n in range(3)]
    np.testing.assert_allclose(found, wanted, rtol=1e-13, atol=4e-16)


@pytest.mark.parametrize("backend", BACKENDS)
def test_entries_that_take_no_part_have_no_derivative_even_where_they_are_nan(backend):
    kept = np.array([True, False, True])
    logs = np.log(x)
    outputs = [
        np.sum(logs, where=kept), np.mean(logs, where=kept), np.prod(logs, where=kept), np.var(logs, where=kept),
        np.std(logs, where=kept), np.max(logs, where=kept, initial=-np.inf), np.nansum(logs), np.nanmean(logs),
        np.nanmax(logs), np.nanstd(logs),
    ]  # fmt: skip
    slopes = [gl.grad(node, x) for node in outputs]
    results = gl.compile([*outputs, *slopes], backend=backend)(x=[1.5, -1.0, 4.0])
    a, b = math.log(1.5), math.log(4.0)
    spread = (b - a) / 2
    wanted = [a + b, (a + b) / 2, a * b, spread**2, spread, b, a + b, (a + b) / 2, b, spread]
    np.testing.assert_allclose(results[: len(outputs)], wanted, rtol=1e-14)
    for slope in results[len(outputs) :]:
        assert np.isfinite(slope).all()
        assert slope[1] == 0
    np.testing.assert_allclose(results[len(outputs) + 1], [1 / 3, 0, 1 / 8], rtol=1e-14)


def test_nothing_but_nan_gives_what_numpy_gives():
    at = {"x": [np.nan] * 3}
    sums, mean, largest, spread = gl.evaluate([np.nansum(x), np.nanmean(x), np.nanmax(x), np.nanstd(x)], at)
    assert sums == 0
    assert all(map(math.isnan, (mean, largest, spread)))
    assert math.isnan(gl.evaluate(np.nanvar(x, ddof=3), {"x": [1.0, np.nan, 2.0]}))


def test_a_slope_within_does_not_see_the_entry_itself_as_in_numpy():
    rows = np.array([1.0, np.nan, 4.0, 5.0])
    np.testing.assert_array_equal(gl.evaluate(np.gradient(gl.input("r", 4)), {"r": rows}), np.gradient(rows))


def test_reductions_of_no_entries_have_their_start():
    e = gl.input("e", (2, 0))
    assert gl.evaluate(np.max(e, initial=-3.0), {"e": np.empty((2, 0))}) == -3
    assert gl.evaluate(np.min(e, axis=1, keepdims=True, initial=7), {"e": np.empty((2, 0))}).tolist() == [[7], [7]]
    shares, logs, total = gl.softmax(e), gl.log_softmax(e, 1), gl.logsumexp(e, 1)
    assert shares.shape == logs.shape == (2, 0)
    np.testing.assert_array_equal(gl.evaluate(total, {"e": np.empty((2, 0))}), [-np.inf, -np.inf])
    assert gl.evaluate(gl.grad(gl.sum(total), e), {"e": np.empty((2, 0))}).shape == (2, 0)
    assert gl.softmax(gl.input("i", (0,), dtype="int64")).dtype == "float64"


def test_float32_stays_itself_where_numpy_keeps_it():
    f = gl.input("f", (2, 3), dtype="float32")
    nodes = [
        np.sinc(f), np.hypot(f, f), np.hypot(f, 2.0), np.logaddexp(f, 1), np.fmod(f, 2), np.round(f, 2), np.diff(f),
        np.gradient(f, 0.5)[0], np.trapezoid(f), np.nanmean(f), np.mean(f, where=f > 0), np.cross(f, f),
        np.copysign(f, -1.0), np.nan_to_num(f), np.linalg.vector_norm(f), np.linalg.matrix_norm(f), np.kron(f, f),
    ]  # fmt: skip
    assert {node.dtype for node in nodes} == {"float32"}


def test_free_axes_pass_through():
    b = gl.input("b", ("batch", 3))
    assert np.diff(b).shape == ("batch", 2)
    assert np.nanmean(b, axis=0).shape == (3,)
    assert np.sum(b, 0, where=b > 0).shape == (3,)
    assert np.cov(b, rowvar=False).shape == (3, 3)
    assert np.cross(b, [0.0, 0.0, 1.0]).shape == ("batch", 3)
    assert np.hypot(b, b[:, :1]).shape == ("batch", 3)
    rows = np.array([[1.0, 2.0, 4.0], [0.5, -1.0, 3.0], [2.0, 2.0, 1.0], [0.0, 1.0, 1.0]])
    np.testing.assert_allclose(gl.compile(np.cov(b, rowvar=False))(b=rows), np.cov(rows, rowvar=False), rtol=1e-14)
    np.testing.assert_allclose(gl.evaluate(np.corrcoef(b.T), {"b": rows}), np.corrcoef(rows.T), rtol=1e-14)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda b: np.diff(b, axis=0), "diff needs an axis of fixed length; got axis 0, 'batch'.*gl.specialize"),
        (lambda b: np.diff(b, -1), "diff needs a number of times from 0 on; got -1"),
        (lambda b: np.gradient(b[:, :1], axis=1), "gradient needs 2 entries along axis 1; got 1"),
        (lambda b: np.gradient(b, 1.0, 1.0, 1.0), "a distance for each of 2 axes; got 3"),
        (lambda b: np.gradient(b, axis=1, edge_order=3), "edge_order 1 or 2; got 3"),
        (lambda b: np.kron(b, np.ones((2, 2))), "kron needs axes of fixed length; got 'batch' and 2"),
        (lambda b: np.cross(b, np.ones(2)), r"vectors of three entries; got \(2,\) along axis -1.*Append"),
        (lambda b: np.vecdot(b, np.ones(2)), r"vectors of one length; got \(batch, 3\) and \(2,\)"),
        (lambda b: np.linalg.matrix_power(b, 2), "square matrices of fixed size"),
        (lambda b: np.linalg.matrix_power(np.ones((3, 3)) * b[:, :1, None], 0.5), "whole numbers as the power"),
        (lambda b: np.linalg.matrix_norm(b, ord=2), "singular values"),
        (lambda b: np.linalg.vector_norm(b, axis=1, ord=3), r"orders None, 0, 1, 2, inf and -inf; got 3"),
        (lambda b: np.matrix_transpose(b[0:][:, 0]), r"needs matrices; got \(batch,\)"),
        (lambda b: np.unstack(b), "unstack needs an axis of fixed length"),
        (lambda b: np.meshgrid(b), r"meshgrid needs vectors; got \(batch, 3\)"),
        (lambda b: np.block([[b], b]), r"lists of one depth, and none that is empty; got \[0, 1\]"),
        (lambda b: np.compress(b[:, 0] > 0, b), "condition that is known.*gl.where"),
        (lambda b: np.delete(b, 1, 0), "known places on an axis of fixed length"),
        (lambda b: np.delete(b, 3, 1), "delete needs places from -3 to 2"),
        (lambda b: np.interp(b, [[0.0]], [1.0]), r"two vectors of one fixed length; got \(1, 1\) and \(1,\)"),
        (lambda b: np.polyval(b, 1.0), r"vector of coefficients of fixed length; got \(batch, 3\)"),
        (lambda b: np.select([b > 0], [b, b]), "a choice for each condition; got 1 conditions and 2 choices"),
        (lambda b: np.piecewise(b, [b > 0], [1, 2, 3]), "one more for where none holds"),
        (lambda b: np.cumulative_sum(b), "need an axis for an array of rank 2"),
        (lambda b: np.einsum(b, [0, 60]), "numbers from 0 to 51 after each operand"),
        (lambda b: gl.gelu(b, approximate="erf"), "approximate needs one of none, tanh; got 'erf'"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_cure(make, message):
    with pytest.raises(gl.GraphLearnError, match=f"(?s){message}"):
        make(gl.input("b", ("batch", 3)))


def test_the_number_of_entries_along_a_free_axis_is_a_node():
    b = gl.input("b", ("batch", 3))
    rows = np.ones((4, 3))
    assert gl.evaluate(gl.sum(b) / b.size, {"b": rows}) == 1
    assert np.size(b, 1) == 3
    assert gl.evaluate(gl.parse("sum(b) / size(b)", {"b": ("batch", 3)}), {"b": rows}) == 1
    assert gl.evaluate(gl.parse("sum(b) / size(b)", {"b": (4, 3)}), {"b": rows}) == 1


def test_gelu_by_its_short_formula():
    assert gl.gelu(x, approximate="tanh") is gl.gelu_tanh(x)
    assert gl.gelu(x, "none") is gl.gelu(x)
    assert gl.remainder is gl.mod
    assert np.logical_xor(x, y) is gl.logical_xor(x, y)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_fmod_keeps_the_sign_of_zero_and_of_what_divides(backend):
    x, y = gl.input("x", 7), gl.input("y", 7)
    one, two = np.array([-0.0, 0.0, -1.0, -0.75, 0.75, -0.0, -0.0]), np.array([0.5, -0.5, 0.5, 0.5, -0.5, 0.0, np.nan])
    with np.errstate(all="ignore"):
        expected = np.fmod(one, two)
    found = gl.compile(np.fmod(x, y), backend=backend)(x=one, y=two)
    np.testing.assert_array_equal(found, expected)
    sure = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found[sure]), np.signbit(expected[sure]))
