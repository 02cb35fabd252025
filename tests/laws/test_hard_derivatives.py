"""Law: derivatives are right at the edges, the first and the second: finite and accurate where the truth is finite.

The truth is the difference quotient of the formula itself in hundreds of digits; kinks, jumps and places where the
formula is not real have none. At infinity it is the limit, where there is one: for operations of one operand, and for
powers. Left out are infinite operands of the others, where it depends on the way: infinite targets of a loss, slopes of
infinite size, remainders.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
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
from tests.laws.hard_grid import DTYPES, Point, columns_of, hard_points, is_finite
from tests.laws.operands import ELEMENTWISE, arity

STEP = 24  # digits by which the step of a difference is smaller than the operand
# Largest errors in epsilons of the derivative's size, which counts what rounding the operand changes in it.
EPSILONS = {1: 32, 2: 128}
_NOISE = 1e-18  # relative to the operand: less than any rounding
_algebra = functools.lru_cache(maxsize=64)(MpmathAlgebra)


class Truth(NamedTuple):
    """Derivatives of a formula by one operand.

    Args:
        value: the formula's value.
        first: the first derivative.
        second: the second.
        third: the third.
    """

    value: Any
    first: Any
    second: Any
    third: Any

    def size(self, order: int, reach: float, alone: bool) -> Any:
        """What the errors of a derivative are counted against: itself, and what a step of x of this length changes.

        The second derivative of an operation of several operands is counted against the first too: it is a sum, of
        which one term may have the size of the first.
        """
        noise = _NOISE * (abs(self.value) + abs(self.second) + abs(self.third))
        if order == 1:
            return abs(self.first) + reach * abs(self.second) + noise
        return abs(self.first) * (_NOISE if alone else 1) + abs(self.second) + reach * abs(self.third) + noise


def points_of(op: Op, dtype: str) -> list[Point]:
    """Half of the hard grid, a quarter where there are several operands: five values of the formula take their time."""
    # Powers of which derivatives at 0 are neither 0 nor infinite belong to every part of the grid.
    whole = [(x, a) for x in (0.0, 1.0, -2.0) for a in (2.0, 3.0)] if op.name == "pow" else []
    return [*hard_points(op, dtype)[:: 2 if arity(op) == 1 else 4], *whole]


@functools.cache
def true_derivatives(op: Op, k: int, point: Point) -> Truth | None:
    """Difference quotients over five equal steps; None at a kink or a jump, second of NaN where the first has one.

    Quotients over two steps, and those to either side, tell: of a smooth function they are the same.
    """
    bell = min(abs(point[k]), 40.0) ** 2 * 0.5  # digits of exp(-x^2)
    # Jumps of a whole quotient lie closer together the larger it is.
    digits = STEP + (digits_lost(point) if op.name == "floor_divide" else 0)
    algebra = _algebra(50 * math.ceil((digits_lost(point) + bell + 5 * digits) / 50))
    numbers = [algebra.number(x) for x in point]
    scale = min(abs(numbers[k]) or 1, algebra.number(1))
    h = scale * algebra.context.mpf(10) ** -digits

    def value(steps: int) -> Any:
        moved = [x + steps * h if j == k else x for j, x in enumerate(numbers)]
        return algebra.number(op.formula(algebra, *moved))  # type: ignore[misc]

    try:
        below2, below, here, above, above2 = (value(steps) for steps in range(-2, 3))
    except ZeroDivisionError:
        return None
    first, wide_first = (above - below) / (2 * h), (above2 - below2) / (4 * h)
    second, wide = (above - 2 * here + below) / h**2, (above2 - 2 * here + below2) / (4 * h**2)
    right, left = (above2 - 2 * above + here) / h**2, (here - 2 * below + below2) / h**2
    third = (above2 - 2 * above + 2 * below - below2) / (2 * h**3)
    rough = _NOISE * abs(here) / scale
    if not (_same(first, wide_first, rough) and _same(second, wide, (rough + _NOISE * abs(first)) / scale)):
        return None
    exists = _same(left, right, (rough + _NOISE * abs(first)) / scale)
    return Truth(here, first, second if exists else mpmath.nan, third)


def _same(a: Any, b: Any, noise: Any) -> bool:
    return bool(abs(a - b) <= _NOISE * abs(a) + noise)


def is_kink(op: Op, point: Point) -> bool:
    """Whether the formula has a kink by some operand, where the op's convention holds for all."""
    real = [j for j, rule in enumerate(op.partials) if rule is not None]
    return bool(op.kink) and len(real) > 1 and any(true_derivatives(op, j, point) is None for j in real)


def is_lost(op: Op, point: Point, dtype: str) -> bool:
    """Whether the second derivative of a quotient is 0 times what overflows: the inverse of a subnormal divisor.

    The chain rule multiplies by 1/y twice, of which the first is infinite; no other operation loses one on the grid.
    """
    return op.name == "div" and 0 < abs(point[1]) < 1 / float(np.finfo(dtype).max)


def derivatives(op: Op, k: int, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """First and second derivatives by one operand on the hard grid."""
    return derivatives_at(op, k, columns_of(op, points_of(op, dtype), dtype))


def derivatives_at(op: Op, k: int, columns: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """First and second derivatives by one operand at each point of columns of operands."""
    leaves = [new_node(INPUT, (), (), ArrayType(c.shape, c.dtype.name), f"x{j}", "") for j, c in enumerate(columns)]

    def by_operand(node: Node) -> Node:
        return differentiate(sum_(node), [leaves[k]], disconnected="zero").gradients[leaves[k]]

    first = by_operand(make(op, tuple(leaves)))
    with np.errstate(all="ignore"):
        found = evaluate([first, by_operand(first)], dict(zip(leaves, columns, strict=True)))
    return tuple(np.broadcast_to(a, len(columns[k])) for a in found)  # type: ignore[return-value]


def derived() -> list[Any]:
    """Ops, and operands by which they have a derivative."""
    return [
        pytest.param(op, k, dtype, id=f"{op.name}-{k}-{dtype}")
        for op in ELEMENTWISE.values()
        for k, rule in enumerate(op.partials)
        if rule is not None
        for dtype in DTYPES
    ]


def judged(op: Op, k: int, dtype: str) -> Iterator[tuple[int, int, Point, Any, Any]]:
    """Place, order, point, true derivative and its size, where the truth is finite and there is no kink."""
    info = np.finfo(dtype)
    for place, point in enumerate(points_of(op, dtype)):
        truth = true_derivatives(op, k, point) if is_finite(point) and not is_kink(op, point) else None
        if truth is None:
            continue
        reach = abs(point[k]) if op.terms else min(abs(point[k]), 2.0)
        for order, true in ((1, truth.first), (2, truth.second)):
            size = truth.size(order, reach, arity(op) == 1)
            if size < float(info.max) and not (order == 2 and is_lost(op, point, dtype)):
                # A second derivative may be a hundredfold of a value that has lost digits to underflow.
                yield place, order, point, true, max(size, float(info.tiny) * 16 ** (order - 1))


@pytest.mark.parametrize(("op", "k", "dtype"), derived())
def test_derivatives_are_finite_and_accurate_where_the_truth_is(op: Op, k: int, dtype: str) -> None:
    found, count = derivatives(op, k, dtype), 0
    for place, order, point, true, size in judged(op, k, dtype):
        value, allowed = found[order - 1][place], EPSILONS[order] * float(np.finfo(dtype).eps) * float(size)
        assert np.isfinite(value), (order, point, value, float(true))
        assert abs(float(value) - true) <= allowed, (order, point, value, float(true))
        count += 1
    assert count > len(found[0]) / 4


# --- at infinity -----------------------------------------------------------------------------------------------------

FAR = (60, 120)  # powers of ten that stand for infinity
POWERS = [(x, y) for x in (0.3, 1.0, 2.5) for y in (math.inf, -math.inf)]
POWERS += [(math.inf, y) for y in (-2.5, -1.0, -0.3, 0.3, 1.0, 2.5)]


@functools.cache
def limits(op: Op, k: int, point: Point) -> tuple[float | None, float | None]:
    """What the first and the second derivative tend to as infinite operands grow; None where they tend to nothing."""
    algebra = _algebra(900)
    near, far = (_slopes(op, k, point, algebra, exponent) for exponent in FAR)
    return tuple(_limit(a, b) for a, b in zip(near, far, strict=True))  # type: ignore[return-value]


def _slopes(op: Op, k: int, point: Point, algebra: Any, exponent: int) -> tuple[Any, Any]:
    # A third apart from whole numbers, where steps lie.
    large = algebra.context.mpf(10) ** exponent + algebra.context.mpf(1) / 3
    numbers = [math.copysign(1, x) * large if math.isinf(x) else algebra.number(x) for x in point]
    h = algebra.context.mpf(10) ** -FAR[0]

    def value(steps: int) -> Any:
        return algebra.number(op.formula(algebra, *(x + steps * h * (j == k) for j, x in enumerate(numbers))))  # type: ignore[misc]

    below, here, above = value(-1), value(0), value(1)
    return (above - below) / (2 * h), (above - 2 * here + below) / h**2


def _limit(near: Any, far: Any) -> float | None:
    if mpmath.isnan(near) or mpmath.isnan(far):
        return None
    if max(abs(near), abs(far)) < 1e-10 and abs(far) <= abs(near):
        return 0.0
    if abs(far - near) <= 1e-9 * abs(far):
        return float(far)
    return math.copysign(math.inf, far) if abs(far) > 1e9 and abs(far) > 1e9 * abs(near) else None


def at_infinity() -> list[Any]:
    """Operations, the operand by which they are differentiated, and points with an infinite operand."""
    alone = [
        (op, 0, ((math.inf,), (-math.inf,)))
        for op in ELEMENTWISE.values()
        if arity(op) == 1 and op.partials and op.partials[0] is not None
    ]
    powers = [(ELEMENTWISE["pow"], k, tuple(POWERS)) for k in range(2)]
    return [pytest.param(*case, id=f"{case[0].name}-{case[1]}") for case in [*alone, *powers]]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("op", "k", "points"), at_infinity())
def test_derivatives_at_infinity_are_their_limits(op: Op, k: int, points: tuple[Point, ...], dtype: str) -> None:
    columns = columns_of(op, list(points), dtype)
    found = derivatives_at(op, k, columns)
    for place, point in enumerate(points):
        for order, limit in enumerate(limits(op, k, point)):
            if limit is not None:
                close = pytest.approx(limit, rel=4 * float(np.finfo(dtype).eps), abs=float(np.finfo(dtype).tiny))
                assert found[order][place] == close, (point, order + 1)


def test_limits_are_found_where_there_are_any() -> None:
    assert limits(ELEMENTWISE["tanh"], 0, (math.inf,)) == (0.0, 0.0)
    assert limits(ELEMENTWISE["exp"], 0, (math.inf,)) == (math.inf, math.inf)
    assert limits(ELEMENTWISE["silu"], 0, (math.inf,)) == (1.0, 0.0)
    assert limits(ELEMENTWISE["sin"], 0, (math.inf,)) == (None, None)
    assert limits(ELEMENTWISE["cbrt"], 0, (-math.inf,)) == (0.0, 0.0)
