"""One process for one peer on one workload. Started by bench.py; speaks JSON lines over standard output.

Commands on standard input: ``go N`` times N training runs; ``quit`` ends.
"""

from __future__ import annotations

import importlib
import json
import os
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent


def main() -> None:
    """Prepare, warm up, then time on command."""
    peer, variant, name = sys.argv[1:4]
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints goes to standard error
    sys.path.insert(0, str(HERE.parent))
    sys.path.insert(1, str(HERE.parents[1]))
    workloads = importlib.import_module("benchmark.workloads")
    w = workloads.workload(name)
    started = time.perf_counter()
    run = importlib.import_module(f"benchmark.peers.{peer}").prepare(w, variant)
    handle = run.run()
    first = time.perf_counter() - started
    loss = w.final_loss(run.params(handle))
    started = time.perf_counter()
    run.run()
    estimate = time.perf_counter() - started
    answers.write(json.dumps({"first": first, "estimate": estimate, "loss": loss}) + "\n")
    for line in sys.stdin:
        words = line.split()
        if not words or words[0] != "go":
            break
        repeats = int(words[1])
        started = time.perf_counter()
        for _ in range(repeats):
            handle = run.run()
        seconds = (time.perf_counter() - started) / repeats
        answers.write(json.dumps({"seconds": seconds, "loss": w.final_loss(run.params(handle))}) + "\n")


if __name__ == "__main__":
    main()
