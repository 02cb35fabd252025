"""Measure the elementary functions of compiled code: largest error in ULP and time per element.

    python tools/vector_math.py            # a few seconds: dense samples, errors and times
    python tools/vector_math.py --all      # every float32 value (some minutes), 2e7 float64 values per function
    python tools/vector_math.py --fit      # the polynomial coefficients again, from their definitions, with mpmath

The reference for float32 is NumPy in float64; for float64 it is NumPy in long double where that has 64 bits of significand
(x86), else mpmath. An error is counted against the exact value, so a correctly rounded result has at most 0.5.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from graphlearn.backends.native import NativeFunction, Signature, aligned_zeros, compile_native

Array = np.ndarray[Any, np.dtype[Any]]

REFERENCES: dict[str, Callable[[Array], Array]] = {
    "fexp": np.exp,
    "fexpm1": np.expm1,
    "flog": np.log,
    "flog1p": np.log1p,
    "ftanh": np.tanh,
    "fsigmoid": lambda x: np.where(x < 0, np.exp(x), 1) / (1 + np.exp(-np.abs(x))),
    "fsqrt": np.sqrt,
}
SUFFIX = {"float32": "f32", "float64": "f64"}
SOURCE = """
def apply(source, target, count, repeats):
    for _ in range(repeats):
        for i in range(count):
            target[i] = {name}(source[i])
"""


def compiled(name: str, dtype: str) -> NativeFunction:
    """A loop that applies one function to an array, ``repeats`` times."""
    signature = Signature((f"const {dtype}*", f"{dtype}*", "int64", "int64"))
    return compile_native(SOURCE.format(name=f"{name}_{SUFFIX[dtype]}"), "apply", signature)


def evaluate(function: NativeFunction, x: Array) -> Array:
    """The function's values at ``x``."""
    y = np.empty_like(x)
    function(x, y, x.size, 1)
    return y


def exact(name: str, x: Array) -> Array:
    """The function in a wider format."""
    with np.errstate(all="ignore"):
        if x.dtype == np.float32:
            return REFERENCES[name](x.astype(np.float64))
        if np.finfo(np.longdouble).nmant >= 63:
            return REFERENCES[name](x.astype(np.longdouble))
    raise SystemExit("float64 needs a long double with 64 bits of significand as its reference; run this on x86.")


def errors(got: Array, wanted: Array) -> Array:
    """Distance of each value from the exact one, in units in the last place of the exact one rounded; inf where the kinds
    differ (a finite value for an infinite one, a number for NaN).
    """
    with np.errstate(all="ignore"):
        rounded = wanted.astype(got.dtype)
        finite = np.isfinite(rounded) & np.isfinite(got)
        distance = np.abs(got.astype(wanted.dtype) - wanted) / np.spacing(np.abs(rounded)).astype(wanted.dtype)
        same = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
    return np.where(finite, distance, np.where(same, 0.0, np.inf)).astype(np.float64)


def samples(dtype: str, count: int, *, every: bool) -> Iterator[Array]:
    """Arguments in blocks: bit patterns spread evenly over the format (all signs and exponents), and the middle range densely.

    Args:
        dtype: ``"float32"`` or ``"float64"``.
        count: how many, about.
        every: every float32 value instead.
    """
    bits = np.uint32 if dtype == "float32" else np.uint64
    block = 2**20
    if every and dtype == "float32":
        for start in range(0, 2**32, block):
            yield np.arange(start, start + block, dtype=np.uint64).astype(bits).view(dtype)
        return
    random = np.random.default_rng(0)
    for _ in range(max(1, count // (3 * block))):
        yield random.integers(0, np.iinfo(bits).max, block, dtype=bits, endpoint=True).view(dtype)
        yield random.uniform(-120, 120, block).astype(dtype)
        yield (random.choice([-1, 1], block) * 2.0 ** random.uniform(-30, 4, block)).astype(dtype)
    yield np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan], dtype)
    yield np.linspace(-760, 720, block).astype(dtype)
    yield np.linspace(0.4, 2.5, block).astype(dtype)


def largest_error(name: str, dtype: str, count: int, *, every: bool) -> tuple[float, float]:
    """The largest error of a function in ULP and the argument where it occurs."""
    function = compiled(name, dtype)
    worst = (0.0, 0.0)
    for x in samples(dtype, count, every=every):
        found = errors(evaluate(function, x), exact(name, x))
        at = int(found.argmax())
        worst = max(worst, (float(found[at]), float(x[at])))
    return worst


def nanoseconds(name: str, dtype: str, size: int = 2048, repeats: int = 200) -> float:
    """Best time per element over an array in the first-level cache, in ns."""
    x, y = aligned_zeros(size, dtype), aligned_zeros(size, dtype)
    x[:] = np.abs(np.random.default_rng(0).normal(size=size)) + 0.01
    function = compiled(name, dtype)
    best = float("inf")
    for _ in range(15):
        start = time.perf_counter()
        function(x, y, size, repeats)
        best = min(best, time.perf_counter() - start)
    return best / size / repeats * 1e9


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--all", action="store_true", help="every float32 value, 2e7 float64 values")
    options = parser.parse_args()
    print(f"{'function':12}{'max ULP':>10}{'at':>26}{'ns/element':>13}")
    for dtype, suffix in SUFFIX.items():
        for name in REFERENCES:
            ulp, at = largest_error(name, dtype, 20_000_000 if options.all else 3_000_000, every=options.all)
            print(f"{name + '_' + suffix:12}{ulp:10.3f}{at!r:>26}{nanoseconds(name, dtype):13.3f}", flush=True)


if __name__ == "__main__":
    main()
