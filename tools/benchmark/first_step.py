"""One fresh process from its start to the first finished training step, with the seconds of each stage.

Started by latency.py, prints JSON. It imports nothing at its head that the libraries would otherwise have to import.
"""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))
# What is timed inside the first fit: (module, function) -> the column. What one calls of another counts there alone.
STAGES = {
    ("graphlearn.learn.fit", "make_plan"): "gradients",
    ("graphlearn.learn.fit", "load_backend"): "backend",
    ("graphlearn.backends.numba.backend", "load_planner"): "backend",
    ("graphlearn.backends.numba.backend", "identify_training"): "identify",
    ("graphlearn.backends.numba.backend", "recall"): "compile",
    ("graphlearn.backends.numba.backend", "remember"): "compile",
    ("graphlearn.backends.numba.planner", "plan_training"): "plan",
    ("graphlearn.backends.numba.planner", "emit_training"): "generate",
    ("graphlearn.backends.numba.planner", "compile_native"): "compile",
}


class Clock:
    """Seconds by column, on the wall and of the processor; what is measured inside a measurement is taken off."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.processor: dict[str, float] = {}
        self._inner = [(0.0, 0.0)]

    def measure(self, column: str, function: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """Call a function on a column's account."""
        self._inner.append((0.0, 0.0))
        started, worked = time.perf_counter(), time.process_time()
        try:
            return function(*given, **named)
        finally:
            passed, busy = time.perf_counter() - started, time.process_time() - worked
            inner, outer = self._inner.pop(), self._inner.pop()
            self.seconds[column] = self.seconds.get(column, 0.0) + passed - inner[0]
            self.processor[column] = self.processor.get(column, 0.0) + busy - inner[1]
            self._inner.append((outer[0] + passed, outer[1] + busy))

    def watch(self) -> None:
        """Time the stages whose modules are there by now."""
        for (name, function), column in STAGES.items():
            module = sys.modules.get(name)
            found = getattr(module, function, None)
            if module is not None and found is not None and not hasattr(found, "timed"):
                self._wrap(module, function, column)

    def _wrap(self, module: ModuleType, name: str, column: str) -> None:
        function = getattr(module, name)

        def timed(*given: Any, **named: Any) -> Any:
            result = self.measure(column, function, *given, **named)
            self.watch()  # a stage may have imported the next one
            return result

        timed.__dict__["timed"] = True
        setattr(module, name, timed)


def run(module: str, variant: str, library: str, load: str, started: float) -> dict[str, Any]:
    """The first step in this process, which was started at a time of the system's clock."""
    clock = Clock()
    clock.seconds["python"] = time.time() - started
    clock.measure("numpy", __import__, "numpy")
    clock.measure("library", __import__, library)
    w = _one_step(load)  # data and peers' modules are the benchmark's own, and on nobody's account

    def prepare() -> Any:
        return __import__(f"benchmark.peers.{module}", fromlist=["prepare"]).prepare(w, variant)

    # JAX compiles when the run is made; graphlearn builds the graph there and compiles in the first fit.
    prepared = clock.measure("graph" if library == "graphlearn" else "compile", prepare)
    clock.watch()
    handle = clock.measure("rest", prepared.run)
    loss = float(w.final_loss(prepared.params(handle)))
    return {"wall": {**clock.seconds, "total": sum(clock.seconds.values())}, "processor": clock.processor, "loss": loss}


def _one_step(load: str) -> Any:
    """The workload, one step long; for a loop as a whole the easiest case there is."""
    sys.path[:0] = [os.path.dirname(HERE), os.path.dirname(os.path.dirname(HERE))]
    from dataclasses import replace

    from benchmark.recipes import workload

    w = workload(load)
    return replace(w, steps=1, order=None if w.order is None else w.order[:1])


def main() -> None:
    """Measure and print."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints goes to standard error
    *names, started = sys.argv[1:]
    seconds = run(*names, started=float(started))  # type: ignore[misc]
    import json

    answers.write(json.dumps(seconds))


if __name__ == "__main__":
    main()
