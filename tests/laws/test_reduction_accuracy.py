"""Law: a reduction or product is within n * eps * sum of |terms| of the truth, on every backend, in both precisions."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import mpmath
import numpy as np
import pytest

import graphlearn as gl
from graphlearn.backends.cuda import device
from graphlearn.graph.node import Node
from tests.backends.cuda import lockstep

BACKENDS = ("numpy", "numba", "cuda")
COUNTS = (1, 2, 7, 64, 257)
# What the numbers are like: of one size, of sizes from 1e-8 to 1e8, and so that their sum nearly cancels.
KINDS = ("even", "wide", "cancelling")


@pytest.fixture(autouse=True)
def _lockstep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "is_simulated", lambda: False)
    monkeypatch.setattr(device, "require_device", lambda: None)
    monkeypatch.setattr(device, "upload", lockstep.upload)
    monkeypatch.setattr(device, "allocate", lockstep.allocate)
    monkeypatch.setattr(device, "load", lockstep.Lockstep(False).load)


def numbers(kind: str, count: int, dtype: str) -> np.ndarray:
    generator = np.random.default_rng(count)
    values = generator.uniform(0.5, 2, count) * generator.choice([-1, 1], count)
    if kind == "wide":
        values *= 10.0 ** generator.uniform(-8, 8, count)
    if kind == "cancelling":
        values[count // 2 : 2 * (count // 2)] = -values[: count // 2] * (1 + 1e-6)
    return values.astype(dtype)


def total(values: np.ndarray) -> float:
    return math.fsum(float(v) for v in values)


def size(values: np.ndarray) -> float:
    return math.fsum(abs(float(v)) for v in values)


def product(values: np.ndarray) -> float:
    return float(math.prod((Fraction(float(v)) for v in values), start=Fraction(1)))


def spread(values: np.ndarray) -> Fraction:
    exact = [Fraction(float(v)) for v in values]
    middle = sum(exact, Fraction(0)) / len(exact)
    return sum(((v - middle) ** 2 for v in exact), Fraction(0)) / len(exact)


def root(value: Fraction) -> float:
    with mpmath.workdps(50):
        return float(mpmath.sqrt(mpmath.mpf(value.numerator) / value.denominator))


Truth = tuple[float, float]  # the value, and what its error is relative to
# Reduction -> its node, and its truth by the numbers.
LAWS: dict[str, tuple[Callable[[Node], Node], Callable[[np.ndarray], Truth]]] = {
    "sum": (gl.sum, lambda v: (total(v), size(v))),
    "mean": (gl.mean, lambda v: (total(v) / len(v), size(v) / len(v))),
    "prod": (gl.prod, lambda v: (product(v), abs(product(v)))),
    "last of cumsum": (lambda x: gl.max(gl.cumsum(gl.abs(x))), lambda v: (size(v), size(v))),
    "dot": (lambda x: x @ x, lambda v: (total(v.astype(float) ** 2), size(v.astype(float) ** 2))),
    "norm": (gl.norm, lambda v: (root(sum((Fraction(float(x)) ** 2 for x in v), Fraction(0))),) * 2),
    # The distances from the mean are each within an epsilon of the largest number, which `size` bounds.
    "var": (gl.var, lambda v: (float(spread(v)), float(spread(v)) + root(spread(v)) * size(v) / len(v))),
    "std": (gl.std, lambda v: (root(spread(v)), root(spread(v)) + size(v) / len(v))),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_reductions_are_within_n_epsilons_of_the_size_of_their_terms(backend: str, dtype: str) -> None:
    x = gl.input("x", ("n",), dtype)
    run = gl.compile([made(x) for made, _ in LAWS.values()], backend=backend)
    eps = float(np.finfo(dtype).eps)
    for kind in KINDS:
        for count in COUNTS:
            values = numbers(kind, count, dtype)
            for (name, (_, truth)), found in zip(LAWS.items(), run(x=values), strict=True):
                wanted, scale = truth(values)
                if abs(wanted) < float(np.finfo(dtype).max):
                    assert abs(float(found) - wanted) <= (count + 3) * eps * scale, (name, kind, count, found, wanted)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_matrix_products_are_within_k_epsilons_of_the_size_of_their_terms(backend: str, dtype: str) -> None:
    a, b = gl.input("a", (3, "k"), dtype), gl.input("b", ("k", 2), dtype)
    run = gl.compile([a @ b, gl.einsum("ik,kj->ij", a, b)], backend=backend)
    for kind in KINDS:
        for k in (1, 7, 65):
            left, right = (numbers(kind, rows * k, dtype).reshape(shape) for rows, shape in ((3, (3, k)), (2, (k, 2))))
            terms = left.astype(np.longdouble)[:, :, None] * right.astype(np.longdouble)[None]
            exact, sizes = np.sum(terms, axis=1), np.sum(np.abs(terms), axis=1)
            for found in run(a=left, b=right):
                assert np.all(np.abs(found - exact) <= (k + 1) * np.finfo(dtype).eps * sizes), (kind, k)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_systems_are_solved_with_a_small_residual(backend: str, dtype: str) -> None:
    n = 12
    a, b = gl.input("a", (n, n), dtype), gl.input("b", (n,), dtype)
    run = gl.compile([gl.solve(a, b), gl.cholesky(a @ a.T), a @ a.T], backend=backend)
    generator = np.random.default_rng(0)
    left, right = generator.normal(size=(n, n)).astype(dtype), generator.normal(size=n).astype(dtype)
    solution, factor, square = (x.astype(np.longdouble) for x in run(a=left, b=right))
    eps = np.finfo(dtype).eps
    wide = left.astype(np.longdouble)
    assert np.all(np.abs(wide @ solution - right) <= 4 * n * eps * (np.abs(wide) @ np.abs(solution) + np.abs(right)))
    assert np.all(np.abs(factor @ factor.T - square) <= 2 * n * eps * (np.abs(factor) @ np.abs(factor).T))


# --- long sums -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_the_error_of_a_long_sum_does_not_grow_with_its_length(backend: str, dtype: str) -> None:
    """One after the other, a million of 0.1 in float32 give 100958; in a loop of vectors 99985."""
    x = gl.input("x", ("n",), dtype)
    run = gl.compile([gl.sum(x), gl.mean(x), gl.sum(x * x), gl.norm(x), gl.var(x + 1.0)], backend=backend)
    eps, tenth = float(np.finfo(dtype).eps), float(np.asarray(0.1, dtype))
    for count in (1025, 10_000, 1_000_000):
        whole, middle, squares, length, spread_ = run(x=np.full(count, 0.1, dtype))
        for found, wanted in (
            (whole, count * tenth),
            (middle, tenth),
            (squares, count * tenth**2),
            (length, math.sqrt(count) * tenth),
        ):
            assert abs(float(found) - wanted) <= 128 * eps * wanted, (count, found, wanted)
        assert abs(float(spread_)) <= (128 * eps) ** 2


def test_a_long_sum_over_several_axes_is_cut_wherever_it_is_long() -> None:
    rows, columns = gl.input("r", ("n", 4), "float32"), gl.input("c", (4, "n"), "float32")
    run = gl.compile([gl.sum(rows + gl.transpose(columns)), gl.sum(columns, axis=1), gl.sum(rows * rows, axis=1)])
    for count in (3, 2000, 200_000):
        values = np.full((count, 4), 0.1, "float32")
        whole, each, squares = run(r=values, c=values.T)
        tenth = float(values[0, 0])
        np.testing.assert_allclose(whole, 8 * count * tenth, rtol=128 * np.finfo("float32").eps)
        np.testing.assert_allclose(each, count * tenth, rtol=128 * np.finfo("float32").eps)
        np.testing.assert_allclose(squares, 4 * tenth**2, rtol=4 * np.finfo("float32").eps)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_infinities_in_long_sums_stay_what_they_are(dtype: str) -> None:
    x = gl.input("x", ("n",), dtype)
    run = gl.compile(gl.sum(x))
    values = np.ones(5000, dtype)
    for where, wanted in (({3000: np.inf}, np.inf), ({3000: -np.inf, 4999: 1e30}, -np.inf)):
        values[:] = 1
        for place, value in where.items():
            values[place] = value
        assert run(x=values) == wanted
    values[0] = np.inf
    assert np.isnan(run(x=values))
    assert run(x=np.full(5000, np.finfo(dtype).max)) == np.inf


def test_short_sums_are_one_loop_as_before_and_the_same_bits_every_time() -> None:
    fixed = gl.compile(gl.sum(gl.input("x", (1024,), "float32")))
    assert "blocks" not in fixed.source
    free = gl.compile(gl.sum(gl.input("x", ("n",), "float32")))
    assert "blocks" in free.source
    values = numbers("wide", 1024, "float32")
    assert fixed(x=values).tobytes() == free(x=values).tobytes()
    longer = numbers("wide", 100_003, "float32")
    assert len({free(x=longer).tobytes() for _ in range(5)}) == 1
