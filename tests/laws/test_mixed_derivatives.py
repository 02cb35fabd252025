"""Law: second derivatives by two operands are right at the edges in either order, and so Hessians are symmetric.

The truth is the mixed difference quotient of the formula itself in hundreds of digits, as in test_hard_derivatives.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any, NamedTuple

import mpmath
import numpy as np
import pytest

from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.calculus.reverse import differentiate
from graphlearn.graph.leaves import INPUT
from graphlearn.graph.node import Node, make, new_node
from graphlearn.graph.op import Op
from graphlearn.interop.mpmath_algebra import MpmathAlgebra, digits_lost
from graphlearn.ops.reductions import sum_
from graphlearn.types import ArrayType
from tests.laws.hard_grid import DTYPES, Point, columns_of, is_finite
from tests.laws.operands import ELEMENTWISE, arity, is_condition
from tests.laws.test_hard_derivatives import EPSILONS, STEP, is_kink, points_of

CORNERS = (0.0, 1.0, -1.0, 2.0, -2.0, 3.0, 0.5)  # where formulas of small whole numbers have their edges
_NOISE = 1e-18
_algebra = functools.lru_cache(maxsize=64)(MpmathAlgebra)


class Mixed(NamedTuple):
    """A second derivative by two operands.

    Args:
        value: the derivative.
        size: what its errors are counted against: itself, first derivatives, and what rounding the operands changes.
    """

    value: Any
    size: Any


def pair_points(op: Op, dtype: str) -> list[Point]:
    """The finite points of the hard grid, and of two real operands all corners."""
    corners = itertools.product(CORNERS, repeat=2) if arity(op) == 2 and not is_condition(op, 0) else ()
    return [p for p in dict.fromkeys([*points_of(op, dtype), *corners]) if is_finite(p)]


@functools.cache
def true_mixed(op: Op, j: int, k: int, point: Point) -> Mixed | None:
    """The mixed difference quotient; None where those into the four quadrants differ, or a step is not real."""
    bell = min(max(abs(point[j]), abs(point[k])), 40.0) ** 2 * 0.5  # digits of exp(-x^2)
    algebra = _algebra(50 * math.ceil((digits_lost(point) + bell + 5 * STEP) / 50))
    numbers = [algebra.number(x) for x in point]
    scales = [min(abs(numbers[n]) or 1, algebra.number(1)) for n in (j, k)]
    h, g = (s * algebra.context.mpf(10) ** -STEP for s in scales)

    def value(right: int, up: int) -> Any:
        moves = {j: right * h, k: up * g}
        return algebra.number(op.formula(algebra, *(x + moves.get(n, 0) for n, x in enumerate(numbers))))  # type: ignore[misc]

    try:
        f = {(a, b): value(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1)}
    except ZeroDivisionError:
        return None
    quadrants = [(f[a, b] - f[a, 0] - f[0, b] + f[0, 0]) / (a * b * h * g) for a in (-1, 1) for b in (-1, 1)]
    mixed = (f[1, 1] - f[1, -1] - f[-1, 1] + f[-1, -1]) / (4 * h * g)
    by_j, by_k = (f[1, 0] - f[-1, 0]) / (2 * h), (f[0, 1] - f[0, -1]) / (2 * g)
    by_jj = [f[1, b] - 2 * f[0, b] + f[-1, b] for b in (-1, 1)]
    by_kk = [f[a, 1] - 2 * f[a, 0] + f[a, -1] for a in (-1, 1)]
    rough = _NOISE * (abs(mixed) + abs(by_j) / scales[1] + abs(by_k) / scales[0] + abs(f[0, 0]) / scales[0] / scales[1])
    if not all(abs(q - mixed) <= rough for q in quadrants):
        return None
    reach = [abs(point[n]) if op.terms else min(abs(point[n]), 2.0) for n in (j, k)]
    change = reach[0] * abs(by_jj[1] - by_jj[0]) / (2 * h * h * g) + reach[1] * abs(by_kk[1] - by_kk[0]) / (
        2 * g * g * h
    )
    return Mixed(mixed, abs(mixed) + change + abs(by_j) + abs(by_k) + _NOISE * abs(f[0, 0]))


def mixed_at(op: Op, j: int, k: int, columns: list[np.ndarray]) -> np.ndarray:
    """The derivative by operand ``j``, differentiated by operand ``k``, at each point of columns of operands."""
    leaves = [new_node(INPUT, (), (), ArrayType(c.shape, c.dtype.name), f"x{n}", "") for n, c in enumerate(columns)]

    def by(node: Node, operand: int) -> Node:
        leaf = leaves[operand]
        return differentiate(sum_(node), [leaf], disconnected="zero").gradients[leaf]

    with np.errstate(all="ignore"):
        found = evaluate(by(by(make(op, tuple(leaves)), j), k), dict(zip(leaves, columns, strict=True)))
    return np.broadcast_to(found, len(columns[k]))


def pairs() -> list[Any]:
    """Ops, and two different operands by which they have a derivative, in either order."""
    return [
        pytest.param(op, *pair, dtype, id=f"{op.name}-{pair[0]}{pair[1]}-{dtype}")
        for op in ELEMENTWISE.values()
        for pair in itertools.permutations([n for n, rule in enumerate(op.partials) if rule is not None], 2)
        for dtype in DTYPES
    ]


@pytest.mark.parametrize(("op", "j", "k", "dtype"), pairs())
def test_mixed_derivatives_are_finite_and_accurate_where_the_truth_is(op: Op, j: int, k: int, dtype: str) -> None:
    points, count, info = pair_points(op, dtype), 0, np.finfo(dtype)
    found = mixed_at(op, j, k, columns_of(op, points, dtype))
    for value, point in zip(found, points, strict=True):
        truth = None if is_kink(op, point) else true_mixed(op, min(j, k), max(j, k), point)
        if truth is None or mpmath.isnan(truth.size) or truth.size >= float(info.max):
            continue
        allowed = EPSILONS[2] * float(info.eps) * max(float(truth.size), float(info.tiny) * 16)
        assert np.isfinite(value), (point, value, float(truth.value))
        assert abs(float(value) - truth.value) <= allowed, (point, value, float(truth.value))
        count += 1
    assert count > len(points) / 4
