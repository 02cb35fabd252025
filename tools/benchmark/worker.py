"""One process for one peer. Started by bench.py; speaks JSON lines over standard output.

Commands on standard input: ``load NAME`` makes a workload ready and runs it twice; ``go N`` times N training runs of
it; ``quit`` ends. A peer that lacks what the workload needs answers ``{"cannot": why}``.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import pathlib
import sys
import time
from typing import Any

HERE = pathlib.Path(__file__).resolve().parent
DISTRIBUTIONS = {"sklearn": "scikit-learn"}


def load(peer: str, variant: str, name: str) -> tuple[Any, Any, dict[str, Any]]:
    """The workload, the peer's run of it, and the answer: the first run's time counts imports and compilation."""
    w = importlib.import_module("benchmark.recipes").workload(name)
    assert w.masks is not None  # a table of data, made before the clock starts
    started = time.perf_counter()
    module = importlib.import_module(f"benchmark.peers.{peer}")
    try:
        run = module.prepare(w, variant)
    except importlib.import_module("benchmark.peers").CannotRun as reason:
        return w, None, {"cannot": str(reason)}
    handle = run.run()
    first = time.perf_counter() - started
    result = verdict(w, run, handle)
    started = time.perf_counter()
    run.run()
    estimate = time.perf_counter() - started
    return w, run, {"first": first, "estimate": estimate, "version": version(module.NEEDS), **result}


def go(w: Any, run: Any, repeats: int) -> dict[str, float]:
    """Seconds of a run on the clock and on the processor, and where the last one ended."""
    started, busy = time.perf_counter(), time.process_time()
    for _ in range(repeats):
        handle = run.run()
    seconds, busy = time.perf_counter() - started, time.process_time() - busy
    return {"seconds": seconds / repeats, "busy": busy / repeats, **verdict(w, run, handle)}


def verdict(w: Any, run: Any, handle: Any) -> dict[str, float]:
    """What tells whether the run was right."""
    if hasattr(run, "distance"):
        return {"distance": run.distance(handle)}
    return {"loss": w.final_loss(run.params(handle))}


def version(library: str) -> str:
    """Which release of a library runs here."""
    if library == "graphlearn":
        return str(importlib.import_module(library).__version__)
    return importlib.metadata.version(DISTRIBUTIONS.get(library, library))


def main() -> None:
    """Answer commands until there are no more."""
    peer, variant = sys.argv[1:3]
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints goes to standard error
    sys.path.insert(0, str(HERE.parent))
    sys.path.insert(1, str(HERE.parents[1]))
    w = run = None
    for line in sys.stdin:
        command, _, word = line.strip().partition(" ")
        if command == "load":
            w, run, answer = load(peer, variant, word)
        elif command == "go":
            answer = go(w, run, int(word))
        else:
            break
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
