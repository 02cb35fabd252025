"""Measure from which size on compiled code is faster with the matrix library's threads than on one.

    python tools/threads.py                      # two threads, float32 and float64
    python tools/threads.py --threads 4 --runs 25

First the library's product alone, then whole training steps of one layer: with one thread its products are our own.
Runs with one and with several threads take turns. Two ratios are printed: of the medians, and of the fastest runs.
Where they differ widely, other programs keep the cores busy: threads that wait for each other then lose by factors of
10 and more. The rule that follows from this is in `graphlearn/backends/numba/threads.py`.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import graphlearn as gl
from graphlearn.backends.native import Signature, compile_native
from graphlearn.backends.numba import threads as rule
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


def measure_product(dtype: str, shape: tuple[int, int, int], threads: int, runs: int) -> dict[str, Any]:
    """Seconds of one product of the library on one thread and on several, and whether the bits agree.

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

    def run(count: int) -> float:
        function(m, n, k, a, b, results[count], 1, threads=count)  # wakes the threads
        started = time.perf_counter()
        function(m, n, k, a, b, results[count], repeats, threads=count)
        return (time.perf_counter() - started) / repeats

    found = _in_turns(run, threads, runs)
    return {**found, "same": "same" if np.array_equal(results[1], results[threads]) else "other"}


def measure_step(dtype: str, shape: tuple[int, int, int], threads: int, runs: int) -> dict[str, Any]:
    """Seconds of a training step of one layer, whose two products have that many multiplications each.

    Args:
        dtype: ``"float32"`` or ``"float64"``.
        shape: rows of the batch, outputs, inputs.
        threads: how many.
        runs: of each kind, taking turns.
    """
    m, n, k = shape
    x, t = gl.input("x", ("batch", k)), gl.input("t", ("batch", n))
    output = gl.nn.Dense(n, activation="relu", name="layer")(x)
    rng = np.random.Generator(np.random.Philox(key=1))
    data = {"x": rng.normal(size=(m, k)), "t": rng.normal(size=(m, n))}
    steps = max(1, int(WORK / (2 * m * n * k)))
    models = {count: gl.Model(output, loss=gl.losses.mse(output, t), precision=dtype) for count in (1, threads)}
    optimizers = {count: gl.optim.SGD(1e-3) for count in models}

    def run(count: int) -> float:
        options: dict[str, Any] = {"optimizer": optimizers[count], "threads": count, "progress": False}
        models[count].fit(data, epochs=1, **options)
        return float(models[count].fit(data, epochs=steps, **options).step_time)

    found = _in_turns(run, threads, runs)
    alike = all(np.array_equal(v, models[threads].values[name]) for name, v in models[1].values.items())
    return {**found, "same": "same" if alike else "other"}


def _in_turns(run: Callable[[int], float], threads: int, runs: int) -> dict[str, Any]:
    seconds: dict[int, list[float]] = {1: [], threads: []}
    for _ in range(runs):
        for count, found in seconds.items():
            found.append(run(count))
    one, several = seconds[1], seconds[threads]
    median = statistics.median(one)
    return {"one": median, "median": statistics.median(several) / median, "fastest": min(several) / min(one)}


def main() -> None:
    """Print two Markdown tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    if options.threads < 2:
        parser.error("--threads needs 2 or more")
    print(
        f"{options.threads} threads beside one, {available()} cores; "
        f"the rule: {rule.SHARE:,} multiplications per thread, {rule.TRAINED_SHARE:,} in training, from two shares on"
    )
    rule.SHARE = rule.TRAINED_SHARE = 1  # so that every size is run with as many threads as are asked for
    heads = "dtype", "rows x columns x inner", "multiplications", "one, us", "median ratio", "fastest ratio", "bits"
    for title, measure in (("The library's product", measure_product), ("A training step", measure_step)):
        print(f"\n{title}\n\n| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
        for dtype in ("float32", "float64"):
            for shape in sorted(SHAPES, key=math.prod):
                found = measure(dtype, shape, options.threads, options.runs)
                print(
                    f"| {dtype} | {'x'.join(map(str, shape))} | {math.prod(shape):,} | {found['one'] * 1e6:.1f} "
                    f"| {found['median']:.2f} | {found['fastest']:.2f} | {found['same']} |"
                )


if __name__ == "__main__":
    main()
