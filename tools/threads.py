"""Measure from which size on a matrix product of compiled code is faster on several threads than on one.

    python tools/threads.py                      # two threads, float32 and float64
    python tools/threads.py --threads 4 --runs 25

Runs with one and with several threads take turns. Two ratios are printed: of the medians, and of the fastest runs.
Where they differ widely, other programs keep the cores busy: threads that wait for each other then lose by factors of
10 and more. The rule that follows from this is in `graphlearn/backends/numba/threads.py`.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import numpy as np

from graphlearn.backends.native import Signature, compile_native
from graphlearn.backends.numba.threads import SHARE
from graphlearn.backends.registry import available

# rows, columns, inner length: squares, and products of networks with batches of 32, 128 and 256
SHAPES = (
    (32, 64, 128), (64, 64, 64), (96, 96, 96), (128, 128, 128), (32, 256, 256), (128, 256, 128), (160, 160, 160),
    (192, 192, 192), (256, 256, 256), (128, 256, 784), (384, 384, 384), (512, 512, 512), (256, 1024, 1024),
    (1024, 1024, 1024),
)  # fmt: skip
SOURCE = """
def product(m, n, k, A, B, C, repeats):
    for _ in range(repeats):
        gemm_{suffix}(0, 0, m, n, k, {dtype}(1), A, 0, k, B, 0, n, {dtype}(0), C, 0, n)
"""
WORK = 3e7  # multiplications of a run, at least


def measure(dtype: str, shape: tuple[int, int, int], threads: int, runs: int) -> dict[str, Any]:
    """Seconds of one product on one thread and on several, and whether the bits agree.

    Args:
        dtype: ``"float32"`` or ``"float64"``.
        shape: rows, columns, inner length.
        threads: how many.
        runs: of each kind, taking turns.
    """
    signature = Signature(("int64", "int64", "int64", f"const {dtype}*", f"const {dtype}*", f"{dtype}*", "int64"))
    source = SOURCE.format(suffix={"float32": "f32", "float64": "f64"}[dtype], dtype=dtype)
    function = compile_native(source, "product", signature)
    m, n, k = shape
    rng = np.random.Generator(np.random.Philox(key=1))
    a, b = rng.normal(size=(m, k)).astype(dtype), rng.normal(size=(k, n)).astype(dtype)
    results = {count: np.zeros((m, n), dtype) for count in (1, threads)}
    repeats = max(1, int(WORK / (m * n * k)))
    seconds: dict[int, list[float]] = {1: [], threads: []}
    for _ in range(runs):
        for count, result in results.items():
            function(m, n, k, a, b, result, 1, threads=count)  # wakes the threads
            started = time.perf_counter()
            function(m, n, k, a, b, result, repeats, threads=count)
            seconds[count].append((time.perf_counter() - started) / repeats)
    return {
        "multiplications": m * n * k,
        "one": statistics.median(seconds[1]),
        "median": statistics.median(seconds[threads]) / statistics.median(seconds[1]),
        "fastest": min(seconds[threads]) / min(seconds[1]),
        "same": bool(np.array_equal(results[1], results[threads])),
    }


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    if options.threads < 2:
        parser.error("--threads needs 2 or more")
    print(
        f"{options.threads} threads beside one, {available()} cores; the rule: {SHARE:,} multiplications per thread\n"
    )
    heads = "dtype", "rows x columns x inner", "multiplications", "one, us", "median ratio", "fastest ratio", "bits"
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for dtype in ("float32", "float64"):
        for shape in sorted(SHAPES, key=lambda s: s[0] * s[1] * s[2]):
            found = measure(dtype, shape, options.threads, options.runs)
            print(
                f"| {dtype} | {'x'.join(map(str, shape))} | {found['multiplications']:,} | {found['one'] * 1e6:.1f} "
                f"| {found['median']:.2f} | {found['fastest']:.2f} | {'same' if found['same'] else 'other'} |"
            )


if __name__ == "__main__":
    main()
