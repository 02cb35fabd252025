"""Chains and wide graphs of many scalar nodes: time and memory to build and to differentiate them, time to run them.

Each measurement is made in a process of its own, so that no graph lies beside another. Times are of the processor.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

KINDS = ("chain", "wide")
SIZES = (1_000, 10_000, 100_000, 1_000_000)
_OFTEN = 100_000  # operations up to which a graph is measured more than once
_REPEATS = 3  # of a graph of up to that size; the fastest counts, since what disturbs only slows down
_HEADS = (
    "graph", "scalar operations", "nodes of the gradient", "build, us per node", "build, collector on",
    "gradient, us per node", "bytes per node", "to compile, us per node", "function, ms", "with gradient, ms", "ratio",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One graph.

    Args:
        kind: ``"chain"``: each operation on the one before; ``"wide"``: a sum of sines in pairs.
        size: scalar operations.
        built: nodes made to build it, constants included.
        created: nodes made to differentiate it.
        build: us per node that was built, with Python's cyclic garbage collector paused.
        collected: the same with the collector on.
        gradient: us per node that was created.
        memory: bytes per node, of both.
        compile: us per node of the function with its gradient, until it can be called.
        function: ms of a call.
        both: ms of a call that gives the gradient too.
    """

    kind: str
    size: int
    built: int
    created: int
    build: float
    collected: float
    gradient: float
    memory: float
    compile: float
    function: float
    both: float


def chain(gl: Any, size: int) -> tuple[Any, Any]:
    """Operations one upon the other."""
    x = y = gl.input("x")
    for k in range(size):
        y = gl.sin(y) if k % 2 else y * 1.0001
    return x, y


def wide(gl: Any, size: int) -> tuple[Any, Any]:
    """A third of the size as products with different numbers, a third as sines, which are then added in pairs."""
    x = gl.input("x")
    terms = [gl.sin(x * (1 + k / size)) for k in range(size // 3)]
    while len(terms) > 1:
        odd = terms[-1:] if len(terms) % 2 else []
        terms = [a + b for a, b in zip(terms[::2], terms[1::2], strict=False)] + odd
    return x, terms[0]


_GRAPHS: dict[str, Callable[[Any, int], tuple[Any, Any]]] = {"chain": chain, "wide": wide}


def measure(kind: str, size: int, what: str) -> dict[str, float]:
    """One graph in this process: its times, its time to build with the collector on, or its bytes."""
    import graphlearn as gl
    from graphlearn.graph.interning import quiet_collector

    _GRAPHS[kind](gl, 100)
    gc.collect()
    if what == "memory":
        tracemalloc.start()
    if what == "collected":
        return {"collected": _made(gl, kind, size, differentiate=False)["build"]}
    with quiet_collector():  # it looks through all nodes again and again, and none of them is in a cycle
        found = _made(gl, kind, size, differentiate=True)
    if what == "memory":
        gc.collect()
        return {"memory": tracemalloc.get_traced_memory()[0] / (found["built"] + found["created"])}
    nodes = [found.pop(name) for name in ("x", "output", "slope")]
    return {**found, **_calls(gl, *nodes, found["built"] + found["created"])}


def _made(gl: Any, kind: str, size: int, *, differentiate: bool) -> dict[str, Any]:
    """A graph and its gradient, with their times."""
    from graphlearn.graph.node import count_interned

    before, started = count_interned(), time.process_time()
    x, output = _GRAPHS[kind](gl, size)
    built, build = count_interned() - before, time.process_time() - started
    found = {"x": x, "output": output, "built": built, "build": 1e6 * build / built}
    if differentiate:
        started = time.process_time()
        found["slope"] = gl.grad(output, x)
        created, gradient = count_interned() - before - built, time.process_time() - started
        found |= {"created": created, "gradient": 1e6 * gradient / created}
    return found


def _calls(gl: Any, x: Any, y: Any, slope: Any, nodes: int) -> dict[str, float]:
    """Times of the compiled function; the loop of the tapes is compiled before."""
    gl.compile(chain(gl, 1_100)[1])
    alone = gl.compile(y)
    started = time.process_time()
    both = gl.compile([y, slope])
    compiled = time.process_time() - started
    return {"compile": 1e6 * compiled / nodes, "function": _fastest(alone), "both": _fastest(both)}


def _fastest(function: Any) -> float:
    """Milliseconds of the fastest of ten calls."""
    best = float("inf")
    for _ in range(10):
        started = time.process_time()
        function(x=0.3)
        best = min(best, time.process_time() - started)
    return 1e3 * best


def rows(sizes: tuple[int, ...] = SIZES) -> list[Row]:
    """Measure all graphs, each in fresh processes."""
    found = []
    for kind in KINDS:
        for size in sizes:
            often = _REPEATS if size <= _OFTEN else 1
            best = _fastest_of([_child(kind, size, "times") for _ in range(often)])
            best |= _fastest_of([_child(kind, size, "collected") for _ in range(often)])
            best |= _child(kind, size, "memory")
            whole = {key: int(best.pop(key)) for key in ("built", "created")}
            found.append(Row(kind, size, **whole, **best))
            print(f"  {kind} of {size:,}", file=sys.stderr)
    return found


def _fastest_of(samples: list[dict[str, float]]) -> dict[str, float]:
    return {key: min(sample[key] for sample in samples) for key in samples[0]}


def _child(kind: str, size: int, what: str) -> dict[str, float]:
    command = [sys.executable, str(Path(__file__).resolve()), kind, str(size), what]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def table(found: list[Row]) -> str:
    """Markdown."""
    lines = ["| " + " | ".join(_HEADS) + " |", "|---" * len(_HEADS) + "|"]
    for row in found:
        times = f"{row.build:.1f} | {row.collected:.1f} | {row.gradient:.1f} | {row.memory:.0f}"
        calls = f"{row.compile:.1f} | {row.function:.3g} | {row.both:.3g} | {row.both / row.function:.1f}"
        lines.append(f"| {row.kind} | {row.size:,} | {row.created:,} | {times} | {calls} |")
    return "\n".join(lines)


def raw(found: list[Row]) -> list[dict[str, Any]]:
    """The same as numbers."""
    return [asdict(row) for row in found]


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), sys.argv[3])))
