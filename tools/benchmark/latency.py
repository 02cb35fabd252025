"""How long a fresh process takes to its first finished training step, cold and warm, and where the time goes.

Cold: an empty cache folder, so that everything is compiled. Warm: what an earlier process left there. Each sample is a
process of its own, and the peers take turns. Python's bytecode is there in both cases, as after an installation.
"""

from __future__ import annotations

import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHILD = Path(__file__).resolve().parent / "first_step.py"
WORKLOADS = ("W1", "W3", "W4")
# Peer -> its module, variant and library.
PEERS = {
    "graphlearn": ("graphlearn_peer", "fit", "graphlearn"),
    "JAX, whole loop": ("jax_peer", "loop", "jax"),
}
COLUMNS = {
    "total": "process start to first step",
    "python": "Python",
    "numpy": "import numpy",
    "library": "import library",
    "graph": "build graph",
    "gradients": "gradients",
    "backend": "import backend",
    "identify": "identify",
    "plan": "plan",
    "generate": "generate",
    "compile": "compile or load",
    "rest": "rest with first step",
}
_FIT = ("gradients", "backend", "identify", "plan", "generate", "compile", "rest")
# What is to be kept: in words, in which state of the cache, the columns that are summed, seconds.
TARGETS = (
    ("`import graphlearn`, over `import numpy`", "warm", ("library",), 0.04),
    ("from `import graphlearn` to the first finished step", "warm", ("library", "graph", *_FIT), 0.25),
    ("from the imports to the first finished step", "cold", ("graph", *_FIT), 1.0),
)


@dataclass
class Case:
    """One peer on one workload, in one state of the cache.

    Args:
        load: such as ``W1-float32``.
        peer: one of `PEERS`.
        cache: ``"cold"`` or ``"warm"``.
        samples: of each process the seconds by column, ``"wall"`` and ``"processor"``, and its loss.
    """

    load: str
    peer: str
    cache: str
    samples: list[dict[str, Any]] = field(default_factory=list)

    def median(self, columns: Sequence[str], clock: str = "wall") -> float | None:
        """Median over the processes of a sum of columns by one clock; None where nothing of it was measured."""
        found = [sample[clock] for sample in self.samples]
        if not any(column in seconds for seconds in found for column in columns):
            return None
        return statistics.median(sum(seconds.get(column, 0.0) for column in columns) for seconds in found)


def measure(
    loads: Sequence[str], pythons: Mapping[str, str], runs: int, environment: Mapping[str, str], core: int | None
) -> list[Case]:
    """Fresh processes in turns; the first of each case fills the caches that it may find filled and is not counted.

    Args:
        loads: workloads with their dtype.
        pythons: interpreter of each peer.
        runs: samples of each case.
        environment: of the processes.
        core: the one that they run on, or None.

    Raises:
        RuntimeError: after the step the peers' losses differ, so that their times mean nothing.
    """
    cases = [Case(load, peer, cache) for load in loads for peer in pythons for cache in ("cold", "warm")]
    turn = random.Random(0)
    with tempfile.TemporaryDirectory() as place:
        for round_ in range(runs + 1):
            for case in turn.sample(cases, len(cases)):
                sample = _sample(case, pythons[case.peer], Path(place), environment, core)
                if round_:
                    case.samples.append(sample)
    for load in loads:
        _require_one_loss([case for case in cases if case.load == load])
    return cases


def _sample(
    case: Case, python: str, place: Path, environment: Mapping[str, str], core: int | None
) -> dict[str, Any]:  # fmt: skip
    cache = place / f"{case.cache} {case.peer} {case.load}"
    if case.cache == "cold":
        shutil.rmtree(cache, ignore_errors=True)
    cache.mkdir(mode=0o700, exist_ok=True)
    settings = {
        "PYTHONPYCACHEPREFIX": str(place / "bytecode"),
        "GRAPHLEARN_CACHE_DIR": str(cache),
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    known = {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [python, str(CHILD), *PEERS[case.peer], case.load]
    if core is not None and sys.platform == "linux":
        command = ["taskset", "-c", str(core), *command]
    done = subprocess.run(
        [*command, repr(time.time())], env={**known, **settings}, check=True, stdout=subprocess.PIPE, text=True
    )
    return dict(json.loads(done.stdout))


def _require_one_loss(cases: Sequence[Case]) -> None:
    losses = {f"{case.peer}, {case.cache}": case.samples[0]["loss"] for case in cases if case.samples}
    first = next(iter(losses.values()))
    if any(abs(loss - first) > 1e-4 * abs(first) for loss in losses.values()):
        raise RuntimeError(f"after one step of {cases[0].load} the losses differ: {losses}")


def table(cases: Sequence[Case]) -> str:
    """Markdown: medians in milliseconds."""
    lines = [f"| workload | peer | cache | {' | '.join(COLUMNS.values())} |", "|---" * (len(COLUMNS) + 3) + "|"]
    for case in cases:
        found = [case.median([column]) for column in COLUMNS]
        cells = ["-" if seconds is None else f"{1e3 * seconds:,.0f}" for seconds in found]
        lines.append(f"| {case.load} | {case.peer} | {case.cache} | {' | '.join(cells)} |")
    return "\n".join(lines)


def targets(cases: Sequence[Case]) -> str:
    """Markdown: what graphlearn is to keep, in seconds, and where it does not; in brackets what the processor took.

    Wall and processor differ where other programs run beside, or where a disk is waited for.
    """
    loads = list(dict.fromkeys(case.load for case in cases))
    lines = [f"| seconds | cache | target | {' | '.join(loads)} |", "|---" * (len(loads) + 3) + "|"]
    for what, cache, columns, limit in TARGETS:
        own = [case for case in cases if (case.peer, case.cache) == ("graphlearn", cache)]
        cells = [_kept(case.median(columns), case.median(columns, "processor"), limit) for case in own]
        lines.append(f"| {what} | {cache} | {limit} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _kept(wall: float | None, processor: float | None, limit: float) -> str:
    if wall is None or processor is None:
        return "-"
    return f"{wall:.3f} ({processor:.3f}){'' if wall <= limit else ' missed'}"


def raw(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """Everything that was measured."""
    return [{"workload": c.load, "peer": c.peer, "cache": c.cache, "seconds": c.samples} for c in cases]
