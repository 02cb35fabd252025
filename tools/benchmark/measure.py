"""Peers as processes that take turns: start them, let them race over a workload, and count only what ended right.

Every peer has one thread, all share one core, and each round goes in another order. A time is what the processor spent,
which other programs disturb least; how much longer the clock ran is kept beside it.
"""

from __future__ import annotations

import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmark.peers import numpy_hand
from benchmark.recipes import workload
from benchmark.workloads import Workload

HERE = pathlib.Path(__file__).resolve().parent
OWN, REFERENCE, LIMIT = "graphlearn", "NumPy reference", "matrix products alone"
JAX = "JAX, whole loop"
# Another epsilon in Adam: not the very same run, so its loss may differ.
OTHER_ADAM = "scikit-learn MLP"
PEERS = {  # module, variant, the library that it needs
    OWN: ("graphlearn_peer", "fit", "graphlearn"),
    LIMIT: ("products", "gemm", "graphlearn"),
    REFERENCE: ("graphlearn_peer", "reference", "graphlearn"),
    "NumPy by hand": ("numpy_hand", "hand", "numpy"),
    JAX: ("jax_peer", "loop", "jax"),
    "PyTorch, eager": ("torch_peer", "eager", "torch"),
    OTHER_ADAM: ("sklearn_peer", "fit", "sklearn"),
}
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
DISTANCES = {"float32": 1e-4, "float64": 1e-12}  # that matrix products may have from NumPy's
SLOW, SLOW_ROUNDS = 20, 3  # a peer this many times slower than the fastest is sampled in so many rounds only
DISTURBED = 1.05  # clock over processor: above, something else ran on the core


@dataclass
class Times:
    """What one peer needed for one workload.

    Args:
        us: us per step on the processor, a sample for each round.
        clock: the same on the clock.
        first: seconds to the end of the first run, imports (once per process) and compilation included.
        version: of its library.
        trouble: why its times do not count; empty if they do.
        lacks: what it would need for this workload; empty if it has that.
    """

    us: list[float] = field(default_factory=list)
    clock: list[float] = field(default_factory=list)
    first: float = 0.0
    version: str = ""
    trouble: str = ""
    lacks: str = ""

    @property
    def median(self) -> float | None:
        """Us per step, or None if that does not count."""
        return statistics.median(self.us) if self.us and not self.trouble else None


class Peer:
    """A running peer.

    Args:
        name: key of `PEERS`.
        python: interpreter that has its library.
        core: that it is bound to, where the system can; None: any.
    """

    def __init__(self, name: str, python: str, core: int | None) -> None:
        self.name = name
        module, variant, _ = PEERS[name]
        command = [python, str(HERE / "worker.py"), module, variant]
        if core is not None and sys.platform == "linux":
            command = ["taskset", "-c", str(core), *command]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process: subprocess.Popen[str] = subprocess.Popen(command, env=environment(), text=True, **pipes)

    def ask(self, command: str) -> dict[str, Any]:
        """Send a command and read the answer.

        Raises:
            RuntimeError: the process has ended; it said why on standard error.
        """
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise RuntimeError(f"{self.name} has ended; its last words are on standard error") from None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} has ended; its last words are on standard error")
        return dict(json.loads(line))

    def quit(self) -> None:
        """End the process."""
        if self.process.poll() is None:
            self.process.communicate("quit\n")
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None and not pipe.closed:
                pipe.close()


def environment() -> dict[str, str]:
    """One thread, and none of the settings that slow OpenBLAS down."""
    values = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    return {**values, **dict.fromkeys(THREADS, "1"), "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}


def reference_loss(load: str) -> float:
    """The loss at the end of a workload's run in float64."""
    double = workload(load.partition("-")[0] + "-float64")
    run = numpy_hand.prepare(double, "hand")
    return double.final_loss(run.params(run.run()))


def judge(name: str, answer: dict[str, Any], w: Workload, reference: float) -> str:
    """What is wrong with where a run ended; empty if nothing is.

    Args:
        name: of the peer.
        answer: of its process, with a loss, or a distance where there is no training.
        w: the workload.
        reference: the loss at the end in float64.
    """
    if "distance" in answer:
        wrong = not answer["distance"] <= DISTANCES[w.dtype]
        return f"products are off by {answer['distance']:.1e}" if wrong else ""
    allowed = 0.1 if w.optimizer == "adam" and name == OTHER_ADAM else w.tolerance
    wrong = not abs(answer["loss"] - reference) <= allowed * max(1e-12, abs(reference))
    return f"loss {answer['loss']:.9g} instead of {reference:.9g}" if wrong else ""


def race(load: str, peers: Sequence[Peer], rounds: int, sample: float) -> dict[str, Times]:
    """Time peers on one workload, in turns.

    Args:
        load: name of the workload.
        peers: started.
        rounds: samples of each; see `SLOW_ROUNDS`.
        sample: seconds that one lasts at least.

    Returns:
        Name of the peer -> its times. A peer whose process ended has that as its trouble.
    """
    w, reference = workload(load), reference_loss(load)
    found = {peer.name: Times() for peer in peers}
    estimates: dict[str, float] = {}
    for peer in peers:
        answer = _asked(peer, f"load {load}", found[peer.name])
        if "estimate" in answer:
            times = found[peer.name]
            times.first, times.version = answer["first"], answer["version"]
            times.trouble = judge(peer.name, answer, w, reference)
            estimates[peer.name] = max(answer["estimate"], 1e-6)
        found[peer.name].lacks = answer.get("cannot", "")
    turn, running = random.Random(0), [peer for peer in peers if peer.name in estimates]
    for number in range(rounds):
        for peer in turn.sample(running, len(running)):
            times, estimate = found[peer.name], estimates[peer.name]
            if number >= SLOW_ROUNDS and estimate > SLOW * min(estimates.values()):
                continue
            answer = _asked(peer, f"go {max(1, round(sample / estimate))}", times)
            if "busy" in answer:
                times.us.append(answer["busy"] / w.steps * 1e6)
                times.clock.append(answer["seconds"] / w.steps * 1e6)
                times.trouble = times.trouble or judge(peer.name, answer, w, reference)
    return found


def _asked(peer: Peer, command: str, times: Times) -> dict[str, Any]:
    """The answer; nothing, and a note among the times, from a process that has ended."""
    try:
        return peer.ask(command)
    except RuntimeError as error:
        times.trouble = str(error)
        return {}


def compete(
    loads: Sequence[str], pythons: dict[str, str], rounds: int, core: int | None, limited: Callable[[str], bool],
    say: Callable[[str], None], keep: Callable[[dict[str, dict[str, Times]]], object],
) -> dict[str, dict[str, Times]]:  # fmt: skip
    """Race over workloads, each in fresh processes.

    Args:
        loads: names of workloads.
        pythons: peer -> interpreter.
        rounds: samples of each.
        core: that all share; None: any.
        limited: whether a workload has its matrix products timed too.
        say: told of each workload before it starts.
        keep: given all that was found so far after each workload, so that a run that is stopped leaves what it has.
    """
    found: dict[str, dict[str, Times]] = {}
    for load in loads:
        say(load)
        peers = [Peer(name, python, core) for name, python in pythons.items() if name != LIMIT or limited(load)]
        try:
            found[load] = race(load, peers, rounds, sample=0.15)
        finally:
            for peer in peers:
                peer.quit()
        keep(found)
    return found
