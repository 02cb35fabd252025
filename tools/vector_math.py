"""Measure the elementary functions of compiled code: largest error in ULP and time per element.

    python tools/vector_math.py            # a few seconds: dense samples, errors and times
    python tools/vector_math.py --all      # every float32 value (some minutes), 2e7 float64 values per function
    python tools/vector_math.py --fit      # the polynomial coefficients again, from their definitions, with mpmath

The reference for float32 is NumPy or SciPy in float64; for float64 it is NumPy in long double where that has 64 bits of
significand (x86) and the function, else mpmath on fewer values. An error is counted against the exact value, so that a
correctly rounded result has at most 0.5.
"""

from __future__ import annotations

import argparse
import inspect
import time
from collections.abc import Callable, Iterator
from typing import Any

import mpmath
import numpy as np
import scipy.special

from graphlearn.backends.native import NativeFunction, Signature, aligned_zeros, compile_native
from graphlearn.backends.native.vector_math import FORMULAS

Array = np.ndarray[Any, np.dtype[Any]]

REFERENCES: dict[str, Callable[..., Array]] = {
    "fexp": np.exp,
    "fexp2": np.exp2,
    "fexpm1": np.expm1,
    "fcbrt": np.cbrt,
    "flog": np.log,
    "flog1p": np.log1p,
    "ftanh": np.tanh,
    "fsigmoid": lambda x: np.where(x < 0, np.exp(x), 1) / (1 + np.exp(-np.abs(x))),
    "fsqrt": np.sqrt,
    "fsin": np.sin,
    "fcos": np.cos,
    "ftan": np.tan,
    "ferf": scipy.special.erf,
    "ferfc": scipy.special.erfc,
    "fpow": np.power,
    "fasin": np.arcsin,
    "facos": np.arccos,
    "fatan": np.arctan,
    "fatan2": np.arctan2,
    "fsinh": np.sinh,
    "fcosh": np.cosh,
    "fasinh": np.arcsinh,
    "facosh": np.arccosh,
    "fatanh": np.arctanh,
    "flog2": np.log2,
    "flog10": np.log10,
}
TRUTHS: dict[str, Callable[..., Any]] = {
    "fexp": mpmath.exp,
    "fexp2": lambda x: mpmath.mpf(2) ** x,
    "fexpm1": mpmath.expm1,
    "fcbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
    "flog": mpmath.log,
    "flog1p": mpmath.log1p,
    "ftanh": mpmath.tanh,
    "fsigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "fsqrt": mpmath.sqrt,
    "fsin": mpmath.sin,
    "fcos": mpmath.cos,
    "ftan": mpmath.tan,
    "ferf": mpmath.erf,
    "ferfc": lambda x: mpmath.erfc(max(min(x, 1000), -1000)),  # mpmath takes no larger ones
    "fpow": lambda x, y: x**y,
    "fasin": mpmath.asin,
    "facos": mpmath.acos,
    "fatan": mpmath.atan,
    "fatan2": mpmath.atan2,
    "fsinh": mpmath.sinh,
    "fcosh": mpmath.cosh,
    "fasinh": mpmath.asinh,
    "facosh": mpmath.acosh,
    "fatanh": mpmath.atanh,
    "flog10": mpmath.log10,
    "flog2": lambda x: mpmath.log(x, 2),
}
ONLY_SLOWLY = ("ferf", "ferfc")  # NumPy has no long double form of them
BETWEEN = {"ferf": (-7.0, 7.0), "ferfc": (-7.0, 28.0)}  # where these are neither constant nor lines
SUFFIX = {"float32": "f32", "float64": "f64"}
SOURCE = """
def apply(source, target, count, repeats):
    for _ in range(repeats):
        for i in range(count):
            target[i] = {name}(source[i])
"""
SOURCE_OF_TWO = """
def apply(source, other, target, count, repeats):
    for _ in range(repeats):
        for i in range(count):
            target[i] = {name}(source[i], other[i])
"""
WIDE = np.finfo(np.longdouble).nmant >= 63


def arguments(name: str) -> int:
    """How many arguments a function has."""
    return len(inspect.signature(FORMULAS[name]).parameters) - 1


def compiled(name: str, dtype: str) -> NativeFunction:
    """A loop that applies one function to an array, or to two, ``repeats`` times."""
    number = arguments(name)
    signature = Signature((*(f"const {dtype}*",) * number, f"{dtype}*", "int64", "int64"))
    source = SOURCE if number == 1 else SOURCE_OF_TWO
    return compile_native(source.format(name=f"{name}_{SUFFIX[dtype]}"), "apply", signature)


def evaluate(function: NativeFunction, *given: Array) -> Array:
    """The function's values."""
    y = np.empty_like(given[0])
    function(*given, y, y.size, 1)
    return y


def exact(name: str, *given: Array) -> tuple[Array, Array]:
    """The function's values rounded to the format of its arguments, and what the rounding left over, in float64."""
    dtype = given[0].dtype
    with np.errstate(all="ignore"):
        if dtype == np.float64 and is_slow(name):
            rounded = REFERENCES[name](*given)
            rest = np.zeros_like(rounded)
            ordinary = np.isfinite(rounded) & (given[0] != 0)  # mpmath has one zero
            for x in given:
                ordinary &= np.isfinite(x)
            rounded[ordinary], rest[ordinary] = exact_slowly(name, *(x[ordinary] for x in given))
            return rounded, rest
        wide = REFERENCES[name](*(x.astype(np.float64 if dtype == np.float32 else np.longdouble) for x in given))
        rounded = wide.astype(dtype)
        return rounded, (wide - rounded).astype(np.float64)


def is_slow(name: str) -> bool:
    """Whether float64 values are judged by mpmath, on fewer values."""
    return not WIDE or name in ONLY_SLOWLY


def exact_slowly(name: str, *given: Array) -> tuple[Array, Array]:
    """The same with mpmath, for finite arguments within the function's domain."""
    with mpmath.workdps(50):
        truth = [TRUTHS[name](*(mpmath.mpf(float(v)) for v in row)) for row in zip(*given, strict=True)]
        rounded = np.array([float(v) for v in truth]).astype(given[0].dtype)
        return rounded, np.array([float(v - mpmath.mpf(float(r))) for v, r in zip(truth, rounded, strict=True)])


def errors(got: Array, rounded: Array, rest: Array) -> Array:
    """Distances from the exact values in units in the last place of the rounded ones.

    Infinite where the kinds differ: a finite value for an infinite one, a number for NaN, the other sign of zero.
    """
    with np.errstate(all="ignore"):
        finite = np.isfinite(rounded) & np.isfinite(got)
        unit = np.spacing(np.abs(rounded)).astype(np.float64)
        distance = np.abs((got.astype(np.float64) - rounded.astype(np.float64)) - rest) / unit
        same = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
        zero = (got == 0) & (rounded == 0) & (np.signbit(got) != np.signbit(rounded))
    return np.where(zero, np.inf, np.where(finite, distance, np.where(same, 0.0, np.inf)))


def samples(dtype: str, count: int, *, every: bool) -> Iterator[Array]:
    """Arguments in blocks: bit patterns spread evenly over all signs and exponents, and the middle range densely.

    Args:
        dtype: ``"float32"`` or ``"float64"``.
        count: how many, about; at least 5.
        every: every float32 value instead.
    """
    bits: Any = np.uint32 if dtype == "float32" else np.uint64
    if every and dtype == "float32":
        for start in range(0, 2**32, 2**20):
            yield np.arange(start, start + 2**20, dtype=np.uint64).astype(bits).view(dtype)
        return
    block = min(count // 5, 2**20)
    random = np.random.default_rng(0)
    for _ in range(count // (5 * block)):
        yield random.integers(0, np.iinfo(bits).max, block, dtype=bits, endpoint=True).view(dtype)
        yield random.uniform(-120, 120, block).astype(dtype)
        yield (random.choice([-1, 1], block) * 2.0 ** random.uniform(-30, 4, block)).astype(dtype)
    yield np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan], dtype)
    yield np.linspace(-760, 720, block).astype(dtype)
    yield np.linspace(0.4, 2.5, block).astype(dtype)


def samples_for(name: str, dtype: str, count: int, *, every: bool) -> Iterator[tuple[Array, ...]]:
    """The arguments of a function in blocks: `samples`, and more where it has its own range, or two arguments."""
    random = np.random.default_rng(1)
    if name == "fpow":
        yield from powers(random, dtype, count)
        return
    for x in samples(dtype, count, every=every):
        yield (x, random.permutation(x))[: arguments(name)]
    if name in BETWEEN:
        yield (random.uniform(*BETWEEN[name], count // 5).astype(dtype),)


def powers(random: np.random.Generator, dtype: str, count: int) -> Iterator[tuple[Array, ...]]:
    """Bases near 1, middle ones and all there are, with exponents that lead just beyond the range; whole exponents."""
    last = float(np.log(np.finfo(dtype).max))
    for block in range(0, count, 2**20):
        size = min(2**20, count - block) // 4
        logarithms = [random.uniform(-w, w, size) for w in (1e-3, 1.0, last, last)]
        x = np.exp(np.concatenate(logarithms)).astype(dtype)
        with np.errstate(all="ignore"):
            y = (random.uniform(-1.2 * last, 1.05 * last, x.size) / np.log(x, dtype=np.float64)).astype(dtype)
        x[-size:], y[-size:] = -x[-size:], np.rint(y[-size:])
        yield x, y
    patterns = random.integers(0, np.iinfo("uint64").max, (2, count // 4), dtype="uint64", endpoint=True)
    yield tuple(patterns.astype(f"uint{int(dtype[-2:])}").view(dtype))


def largest_error(name: str, dtype: str, count: int, *, every: bool = False) -> tuple[float, float]:
    """The largest error of a function in ULP and the (first) argument where it occurs."""
    function = compiled(name, dtype)
    worst = (0.0, 0.0)
    for given in samples_for(name, dtype, count, every=every):
        found = errors(evaluate(function, *given), *exact(name, *given))
        at = int(found.argmax())
        worst = max(worst, (float(found[at]), float(given[0][at])))
    return worst


def nanoseconds(name: str, dtype: str, size: int = 2048, repeats: int = 200) -> float:
    """Best time per element over an array in the first-level cache, in ns."""
    x, y = aligned_zeros(size, dtype), aligned_zeros(size, dtype)
    x[:] = np.abs(np.random.default_rng(0).normal(size=size)) + 0.01
    function = compiled(name, dtype)
    best = float("inf")
    for _ in range(15):
        start = time.perf_counter()
        function(*(x,) * arguments(name), y, size, repeats)
        best = min(best, time.perf_counter() - start)
    return best / size / repeats * 1e9


def minimax(
    function: Callable[[Any], Any], weight: Callable[[Any], Any], low: Any, high: Any, degree: int
) -> list[Any]:
    """The polynomial of least weighted error on an interval, by Remez's exchange; coefficients from the constant up."""
    count = degree + 2
    middle, half = (low + high) / 2, (high - low) / 2
    grid = [middle - half * mpmath.cos(mpmath.pi * i / 1200) for i in range(1201)]
    nodes = [middle - half * mpmath.cos(mpmath.pi * i / (count - 1)) for i in range(count)]
    coefficients: list[Any] = []
    for _ in range(12):
        system = mpmath.matrix(
            [[*(x**j for j in range(degree + 1)), (-1) ** i / weight(x)] for i, x in enumerate(nodes)]
        )
        solution = mpmath.lu_solve(system, mpmath.matrix([function(x) for x in nodes]))
        coefficients = list(solution)[:-1]
        error = [weight(x) * (function(x) - mpmath.polyval(coefficients[::-1], x)) for x in grid]
        if max(map(abs, error)) < 1.001 * abs(solution[count - 1]):
            break
        nodes = alternation(grid, error, count)
    return coefficients


def alternation(grid: list[Any], error: list[Any], count: int) -> list[Any]:
    """The place of the largest error in each run of one sign; ends are dropped while there are too many."""
    peaks: list[int] = []
    for i in range(len(grid)):
        if not peaks or error[peaks[-1]] * error[i] < 0:
            peaks.append(i)
        elif abs(error[i]) > abs(error[peaks[-1]]):
            peaks[-1] = i
    while len(peaks) > count:
        peaks.pop(0 if abs(error[peaks[0]]) < abs(error[peaks[-1]]) else -1)
    return [grid[i] for i in peaks]


def tail(x: Any, series: Callable[[Any], Any], closed: Callable[[Any], Any]) -> Any:
    """A quotient that is 0 / 0 at 0: its series beside it, the closed form elsewhere."""
    return series(x) if abs(x) < mpmath.mpf("1e-9") else closed(x)


def odd_tail(function: Callable[[Any], Any], third: float) -> Callable[[Any], Any]:
    """``(f(x) - x) / x^3`` of an odd function as a function of ``x^2``; ``third`` is its value at 0."""
    return lambda z: tail(z, lambda z: mpmath.mpf(third), lambda z: (function(z**0.5) - z**0.5) / (z * z**0.5))


def exponential_fits() -> Iterator[tuple[Any, ...]]:
    """Name, function, weight, interval and degree of the coefficients of `exponentials` and `powers`."""
    edge = mpmath.log(2) / 2 * mpmath.mpf("1.0005")
    third = mpmath.mpf(1) / 3 * mpmath.mpf("1.0001")
    root = ((mpmath.sqrt(2) - 1) / (mpmath.sqrt(2) + 1)) ** 2 * mpmath.mpf("1.0005")
    two_thirds = mpmath.mpf(2) / 3

    def expm1_tail(r: Any) -> Any:
        return tail(r, lambda r: 0.5 + r / 6, lambda r: (mpmath.expm1(r) - r) / r**2)

    def log_tail(f: Any) -> Any:
        return tail(f, lambda f: mpmath.mpf(1) / 3 - f / 4, lambda f: (mpmath.log1p(f) - f + f * f / 2) / f**3)

    def atanh_tail(z: Any) -> Any:
        return tail(z, lambda z: two_thirds + z / 2.5, lambda z: (2 * mpmath.atanh(z**0.5) / z**0.5 - 2) / z)

    def log_weight(f: Any) -> Any:
        return tail(f, lambda f: f * f + mpmath.mpf("1e-12"), lambda f: f**3 / mpmath.log1p(f))

    def power_tail(z: Any) -> Any:
        return tail(z, lambda z: mpmath.mpf(2) / 5 + z * 2 / 7, lambda z: (atanh_tail(z) - two_thirds) / z)

    def log2_tail(f: Any) -> Any:
        return tail(f, lambda f: (1 - f / 2) / mpmath.log(2), lambda f: mpmath.log1p(f) / f / mpmath.log(2))

    low, high = mpmath.sqrt(0.5) * mpmath.mpf("0.9999") - 1, mpmath.sqrt(2) * mpmath.mpf("1.0001") - 1
    half = mpmath.mpf("0.5001")
    yield "f32 expm1", expm1_tail, lambda r: abs(r) + 0.001, -edge, edge, 4
    yield "f64 expm1", expm1_tail, lambda r: abs(r) + 0.001, -edge, edge, 9
    yield "f32 log", log_tail, log_weight, -third, third, 7
    yield "f64 log", atanh_tail, lambda z: z / 2 + root / 10000, mpmath.mpf(0), root, 6
    yield "SERIES", power_tail, lambda z: z * z / 2 + root * root / 10000, mpmath.mpf(0), root, 7
    yield "LOG_2", log2_tail, lambda f: 1 / log2_tail(f), low, high, 13
    yield "EXP_2", lambda r: mpmath.mpf(2) ** r, lambda r: mpmath.mpf(2) ** -r, -half, half, 6


def other_fits() -> Iterator[tuple[Any, ...]]:
    """The same for `trigonometry`, `arcs`, `hyperbolics` and `error_function`."""
    odd = (  # name, function, value of its tail at 0, largest argument, degrees
        ("SINE", mpmath.sin, -1 / mpmath.mpf(6), mpmath.pi / 4 * mpmath.mpf("1.02"), (2, 5)),
        ("HYPERBOLIC_SINE", mpmath.sinh, 1 / mpmath.mpf(6), mpmath.mpf("1.001"), (3, 6)),
        ("ARC_TANGENT", mpmath.atan, -1 / mpmath.mpf(3), (mpmath.sqrt(2) - 1) * mpmath.mpf("1.001"), (4, 10)),
        ("ARC_SINE", mpmath.asin, 1 / mpmath.mpf(6), mpmath.mpf("0.5005"), (4, 12)),
    )
    zero, edge = mpmath.mpf(0), (mpmath.pi / 4 * mpmath.mpf("1.02")) ** 2
    start = mpmath.mpf("0.75")

    def cosine_tail(z: Any) -> Any:
        return tail(z, lambda z: 1 / mpmath.mpf(24) - z / 720, lambda z: (mpmath.cos(z**0.5) - 1 + z / 2) / z**2)

    def erf_tail(z: Any) -> Any:
        slope = 2 / mpmath.sqrt(mpmath.pi)
        return tail(z, lambda z: slope * (1 - z / 3) - 1, lambda z: mpmath.erf(z**0.5) / z**0.5 - 1)

    def rest_of(t: Any) -> Any:
        x = 2 * (1 + t) / (1 - t)
        return mpmath.erfc(x) * mpmath.exp(x * x) * x

    for k, (name, one, last) in enumerate((("f32", 4, "10.1"), ("f64", 6, 28))):
        for table, function, third, most, degrees in odd:
            yield f"{name} {table}", odd_tail(function, third), lambda z: z + 1e-5, zero, most**2, degrees[k]
        yield f"{name} COSINE", cosine_tail, lambda z: z * z + 1e-5, zero, edge, (2, 5)[k]
        yield f"{name} NEAR", erf_tail, lambda z: 1 / (1 + erf_tail(z)), zero, start**2 * 1.001, (5, 10)[k]
        far = (lambda x: -mpmath.log(mpmath.erfc(x)), lambda x: mpmath.erfc(x) / mpmath.erf(x))
        yield f"{name} LOGARITHM", *far, start * mpmath.mpf("0.999"), mpmath.mpf(one), (6, 17)[k]
        ends = ((mpmath.mpf(x) - 2) / (mpmath.mpf(x) + 2) for x in ("0.74", last))
        yield f"{name} REST", rest_of, lambda t: 1 / rest_of(t), *ends, (10, 21)[k]


def fit() -> None:
    """Print the coefficients of the formulas, under their tables' names, and the digits of 1 / pi."""
    mpmath.mp.dps = 45
    for name, *rest in (*exponential_fits(), *other_fits()):
        print(name, [mpmath.nstr(c, 20) for c in minimax(*rest)], flush=True)
    with mpmath.workprec(1300):
        print("INVERSE_PI", f"{int(mpmath.floor(mpmath.mpf(2) ** 1223 / mpmath.pi)):x}")


def main() -> None:
    """Print the table, or the coefficients."""
    parser = argparse.ArgumentParser(description="Errors and times of the elementary functions of compiled code.")
    parser.add_argument("--all", action="store_true", help="every float32 value, 2e7 float64 values")
    parser.add_argument("--fit", action="store_true", help="recompute the polynomial coefficients")
    parser.add_argument("names", nargs="*", help="of functions, such as fexp; all of them without")
    options = parser.parse_args()
    if options.fit:
        return fit()
    print(f"{'function':14}{'max ULP':>9}{'at':>26}{'ns/element':>13}")
    for dtype, suffix in SUFFIX.items():
        count = 20_000_000 if options.all else 3_000_000
        for name in options.names or REFERENCES:
            slow = dtype == "float64" and is_slow(name)
            ulp, at = largest_error(name, dtype, count // 100 if slow else count, every=options.all)
            print(f"{name + '_' + suffix:14}{ulp:9.3f}{at!r:>26}{nanoseconds(name, dtype):13.3f}", flush=True)


if __name__ == "__main__":
    main()
