"""Hard operands for elementwise operations, and the truth there: mpmath's at finite points, else NumPy's or the limit.

Each format has its own grid: zeros of both signs, the ends of the format, neighbours of 1, where exponentials round to
0 or overflow, infinities, NaN, and seeded random numbers in between.
"""

from __future__ import annotations

import functools
import itertools
import math
import zlib
from typing import Any

import mpmath
import numpy as np

from graphlearn.graph.op import Op
from graphlearn.interop.mpmath_algebra import MpmathAlgebra, digits_lost, true_value
from graphlearn.ops.algebra import NUMPY
from tests.laws.operands import arity, is_condition

DTYPES = ("float64", "float32")
DIGITS = 50
_FAR = 1e300  # where a function is as good as at infinity
_MAGNITUDES = (
    1e-40, 1e-20, 1e-9, 1e-5, 0.01, 0.1, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 17, 20, 37, 40, 88, 89, 100, 104, 300, 700,
    710, 746, 1000, 1e4,
)  # fmt: skip
_TAILS = (
    5.5,
    7.3,
    9.1,
    11.6,
    13.06,
    15.0,
    18.2,
    20.17,
    20.5,
    21.0,
    21.25,
    26.4,
    30.7,
    38.3,
)  # of exp(-x^2) and its kin
_FEWER = (1e-20, 0.1, 0.5, 1.0, 1.5, 3.0, 37.0, 710.0)  # where there are several operands
_OTHERS = (0.0, 0.125, 1.0, -2.0)  # further operands of a formula, such as a target

Point = tuple[Any, ...]
_algebra = functools.lru_cache(maxsize=64)(MpmathAlgebra)  # a context takes milliseconds to make


def _ends(dtype: str) -> tuple[float, ...]:
    """The smallest number, a subnormal, the smallest normal number, the neighbours of 1, the largest number."""
    info = np.finfo(dtype)
    small, eps = float(info.smallest_subnormal), float(info.eps)
    return (small, 37 * small, float(info.tiny), 1 - eps / 2, 1 + eps, float(info.max))


def _random(dtype: str, count: int, generator: np.random.Generator, widest: float) -> np.ndarray:
    """A third within +-2, a third within +-20, a third of all sizes up to a power of ten."""
    near, middle = generator.uniform(-2, 2, count), generator.uniform(-20, 20, count)
    wide = generator.choice([-1, 1], count) * 10.0 ** generator.uniform(-8 if widest < 10 else -widest, widest, count)
    return generator.permutation(np.concatenate([near, middle, wide]).astype(dtype))


def hard_points(op: Op, dtype: str) -> list[Point]:
    """The grid of an operation; for several operands combinations of a few values, and random ones."""
    generator = np.random.Generator(np.random.Philox(zlib.crc32(f"{op.name} {dtype}".encode())))
    count = arity(op)
    ends, widest = _ends(dtype), 37.0 if dtype == "float32" else 300.0
    odd = (0.0, math.inf, -0.0, -math.inf, math.nan)
    if count == 1:
        tails = _TAILS if op.name in ("gaussian", "gelu", "gelu_tanh") else ()
        sizes = (*_MAGNITUDES, *tails, *ends)
        values = _as(dtype, (*odd, *sizes, *(-x for x in sizes), *_random(dtype, 32, generator, widest)))
        return [(x,) for x in values]
    sizes = (*_FEWER, *ends[:3], 1e4)
    few = _as(dtype, (*odd, *(s * x for x in sizes for s in (1, -1))))
    others = [*few[::3], math.nan] if op.kind == "intrinsic" and count == 2 else [*_OTHERS, math.inf, math.nan]
    others += [2.0, 3.0] if op.name == "pow" else []  # exponents of which derivatives at 0 are neither 0 nor infinite
    first = next(k for k in range(count) if not is_condition(op, k))
    grids = [[True, False] if is_condition(op, k) else few if k == first else others for k in range(count)]
    # Formulas of several operands may need as many digits as the exponential of an operand has.
    widest = widest if op.kind == "intrinsic" else 3.0
    columns = [
        generator.integers(0, 2, 96).astype(bool).tolist()
        if is_condition(op, k)
        else _random(dtype, 32, generator, widest).tolist()
        for k in range(count)
    ]
    return [*itertools.product(*grids), *zip(*columns, strict=True)]


def _as(dtype: str, values: tuple[float, ...]) -> list[float]:
    rounded = [float(x) for x in np.array(values).astype(dtype)]
    return list({repr(x): x for x in rounded}.values())  # 0.0 == -0.0, but they are two


def columns_of(op: Op, points: list[Point], dtype: str) -> list[np.ndarray]:
    """One array per operand."""
    kinds = ["bool" if is_condition(op, k) else dtype for k in range(arity(op))]
    return [np.array([p[k] for p in points], kind) for k, kind in enumerate(kinds)]


def is_finite(point: Point) -> bool:
    """Whether mpmath can tell the truth there: no infinity, no NaN."""
    return all(isinstance(x, bool) or math.isfinite(x) for x in point)


def _has_negative_zero(point: Point) -> bool:
    return any(not isinstance(x, bool) and x == 0 and math.copysign(1, x) < 0 for x in point)


_TRUTHS: dict[tuple[str, str, str], Any] = {}


def truth(op: Op, point: Point, dtype: str) -> Any:
    """A number of mpmath, a float of NumPy's or a bool."""
    key = (op.name, repr(point), dtype)  # 0.0 == -0.0, but they are two
    if key not in _TRUTHS:
        _TRUTHS[key] = _truth(op, point, dtype)
    return _TRUTHS[key]


def _truth(op: Op, point: Point, dtype: str) -> Any:
    if is_finite(point) and not (op.kind == "intrinsic" and _has_negative_zero(point)):
        value = _true_value(op, point)
        if isinstance(value, bool) or not mpmath.isnan(value):
            return value
    elif op.kind == "defined" and len(point) == 1 and not math.isnan(point[0]):
        limit = _limit(op, math.copysign(_FAR, point[0]))
        if not mpmath.isnan(limit):
            return limit
    return _by_numpy(op, point, dtype)


def _gelu_tanh(x: float) -> Any:
    """By the constants of the paper: those of the formula are rounded, which its tail multiplies by its exponent."""
    with mpmath.workdps(DIGITS):
        scale, cubic = 2 * mpmath.sqrt(2 / mpmath.pi), mpmath.mpf("0.044715")
        return x / (1 + mpmath.exp(-scale * (x + cubic * mpmath.mpf(x) ** 3)))


_EXACTLY = {"gelu_tanh": _gelu_tanh}


def _true_value(op: Op, point: Point) -> Any:
    if op.name in _EXACTLY:
        return _EXACTLY[op.name](*point)
    if op.kind == "defined" or op.name in ("mod", "floor_divide", "log1p"):  # of several steps, which may cancel
        return true_value(op, *point, digits=DIGITS)
    algebra = _algebra(DIGITS)
    try:
        value = op.formula(algebra, *[algebra.number(x) for x in point])  # type: ignore[misc]
    except ZeroDivisionError:
        return mpmath.nan
    return value if isinstance(value, bool) else algebra.number(value)


def _limit(op: Op, far: float) -> Any:
    """What a function of one number comes to: its value far away, where it no longer changes or grows beyond all."""
    value = true_value(op, far, digits=DIGITS)
    if mpmath.isnan(value) or abs(value) < mpmath.mpf(10) ** -100:
        return value * 0
    return mpmath.sign(value) * mpmath.inf if abs(value) > mpmath.mpf(10) ** 100 else value


def _by_numpy(op: Op, point: Point, dtype: str) -> Any:
    arrays = [np.array([x], "bool" if isinstance(x, bool) else dtype) for x in point]
    with np.errstate(all="ignore"):
        value: Any = op.formula(NUMPY, *arrays) if op.kind == "defined" else op.reference(*arrays)  # type: ignore[misc]
    return np.asarray(value).item()


def size_of_terms(op: Op, point: Point) -> Any:
    """What the op's record says that errors are counted against where its terms cancel; else 0."""
    if op.terms is None or not is_finite(point):
        return 0
    algebra = _algebra(DIGITS + digits_lost(point))
    try:
        return abs(algebra.number(op.terms(algebra, *[algebra.number(x) for x in point])))
    except ZeroDivisionError:
        return 0


def ulps_between(value: Any, true: Any, dtype: str, terms: Any = 0) -> float:
    """Distance in units in the last place of the truth, or of the terms' size; infinite where the kinds differ."""
    if isinstance(true, bool) or isinstance(value, (bool, np.bool_)):
        return 0.0 if bool(value) == bool(true) else math.inf
    number, largest = float(value), float(np.finfo(dtype).max)
    if mpmath.isnan(true) or math.isnan(number):
        return 0.0 if mpmath.isnan(true) and math.isnan(number) else math.inf
    beyond = abs(true) > largest
    if (number > 0) != (true > 0) and (beyond or math.isinf(number)):
        return math.inf
    if math.isinf(number):
        if beyond:
            return 0.0
        number = math.copysign(largest, number)  # rounded up, out of the format
    size = float(max(abs(true), terms))
    unit = np.spacing(np.asarray(size, dtype)) if size < largest else largest * float(np.finfo(dtype).eps) / 2
    with mpmath.workdps(DIGITS):
        return float(abs(mpmath.mpf(number) - mpmath.mpf(true)) / float(unit))
