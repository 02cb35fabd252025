"""Time whole training runs side by side: graphlearn, its NumPy reference, NumPy by hand, and peers where installed.

    python tools/run.py bench                            W1 and W4, and the deep chain
    python tools/run.py bench --workloads all --runs 9 --out tools/benchmark/results/NAME
    python tools/run.py bench symbolic                   chains and wide graphs of 10^3 to 10^6 scalar operations
    python tools/run.py bench latency                    fresh processes to their first step, cold and warm

The peers are torch, JAX and scikit-learn. One process per peer, one thread each, all on one core. They take turns, in
another order each round; reported is the median. A time counts only if the run's final loss equals that of the float64
reference.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import json
import os
import pathlib
import platform
import random
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from benchmark import latency, symbolic  # noqa: E402  # after the path is set
from benchmark.workloads import RECIPES, workload  # noqa: E402  # after the path is set

PEERS = {
    "graphlearn": ("graphlearn_peer", "fit", "graphlearn"),
    "NumPy reference": ("graphlearn_peer", "reference", "graphlearn"),
    "NumPy by hand": ("numpy_hand", "hand", "numpy"),
    "JAX, whole loop": ("jax_peer", "loop", "jax"),
    "PyTorch, eager": ("torch_peer", "eager", "torch"),
    "scikit-learn MLP": ("sklearn_peer", "fit", "sklearn"),
}
# Another epsilon in Adam: not the very same run, so its loss may differ.
OTHER_ADAM = "scikit-learn MLP"
SAMPLE = 0.15  # seconds that one sample lasts at least
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass
class Peer:
    """A running peer and its samples."""

    name: str
    process: subprocess.Popen[str]
    first: float = 0.0
    estimate: float = 0.0
    loss: float = 0.0
    samples: list[float] = field(default_factory=list)
    trouble: str = ""

    def ask(self, command: str) -> dict[str, float]:
        """Send a command and read the answer."""
        assert self.process.stdin and self.process.stdout
        if command:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended; its last words are on standard error")
        return dict(json.loads(line))


def environment() -> dict[str, str]:
    """One thread, the same core, and none of the settings that slow OpenBLAS down."""
    values = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    return {**values, **dict.fromkeys(THREADS, "1"), "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}


def start(name: str, load: str, python: str, core: int | None) -> Peer:
    """Start a peer's process."""
    module, variant, _ = PEERS[name]
    command = [python, str(HERE / "benchmark" / "worker.py"), module, variant, load]
    if core is not None and sys.platform == "linux":
        command = ["taskset", "-c", str(core), *command]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return Peer(name, subprocess.Popen(command, env=environment(), text=True, **pipes))  # type: ignore[call-overload]


def check(peer: Peer, loss: float, reference: float, tolerance: float, adam: bool) -> None:
    """Note a final loss that is not the reference's."""
    allowed = 0.1 if adam and peer.name == OTHER_ADAM else tolerance
    if not abs(loss - reference) <= allowed * max(1e-12, abs(reference)):
        peer.trouble = f"loss {loss:.9g} instead of {reference:.9g}"


def measure(load: str, names: list[str], pythons: dict[str, str], runs: int, core: int | None) -> list[Peer]:
    """Time all peers on one workload, in turns."""
    w = workload(load)
    double = workload(load.partition("-")[0] + "-float64")
    reference = _reference(double)
    peers: list[Peer] = []
    for name in names:
        peer = start(name, load, pythons[name], core)
        try:
            answer = peer.ask("")
        except RuntimeError as error:
            print(f"  {load}: {error}", file=sys.stderr)
            continue
        peer.first, peer.estimate, peer.loss = answer["first"], answer["estimate"], answer["loss"]
        check(peer, peer.loss, reference, w.tolerance, w.optimizer == "adam")
        peers.append(peer)
    turn = random.Random(0)
    for _ in range(runs):
        for peer in turn.sample(peers, len(peers)):
            answer = peer.ask(f"go {max(1, round(SAMPLE / max(peer.estimate, 1e-6)))}")
            peer.samples.append(answer["seconds"] / w.steps * 1e6)
            check(peer, answer["loss"], reference, w.tolerance, w.optimizer == "adam")
    for peer in peers:
        peer.process.communicate("quit\n")
    return peers


def _reference(w: object) -> float:
    from benchmark.peers import numpy_hand

    run = numpy_hand.prepare(w, "hand")  # type: ignore[arg-type]
    return float(w.final_loss(run.params(run.run())))  # type: ignore[attr-defined]


def table(results: dict[str, list[Peer]]) -> str:
    """Markdown: microseconds per step, and in brackets how many times graphlearn's time."""
    names = list(dict.fromkeys(peer.name for peers in results.values() for peer in peers))
    lines = ["| workload | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for load, peers in results.items():
        times = {p.name: statistics.median(p.samples) for p in peers if p.samples}
        own = times.get("graphlearn")
        cells = []
        for name in names:
            peer = next((p for p in peers if p.name == name), None)
            cells.append(_cell(peer, times.get(name), own))
        lines.append(f"| {load} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(peer: Peer | None, time_: float | None, own: float | None) -> str:
    if peer is None or time_ is None:
        return "-"
    if peer.trouble:
        return f"not counted: {peer.trouble}"
    text = f"{time_:.3g}" if time_ < 1000 else f"{time_:,.0f}"
    return text if own is None or peer.name == "graphlearn" else f"{text} ({time_ / own:.1f}x)"


def chain(length: int) -> tuple[float, float]:
    """Seconds to build a chain of scalar operations, and to differentiate it."""
    import graphlearn as gl

    x = gl.input("x")
    y = x
    started = time.perf_counter()
    for k in range(length):
        y = gl.sin(y) if k % 2 else y * 1.0001
    built = time.perf_counter()
    gl.grad(y, x)
    return built - started, time.perf_counter() - built


def machine() -> str:
    """What this ran on, in one line."""
    cpu = platform.processor() or platform.machine()
    info = pathlib.Path("/proc/cpuinfo")
    if info.is_file():
        cpu = next(
            (s.split(":", 1)[1].strip() for s in info.read_text().splitlines() if s.startswith("model name")), cpu
        )
    return f"{cpu}, {os.cpu_count()} cores, Python {platform.python_version()}, {datetime.date.today()}"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", default="training", choices=("training", "symbolic", "latency"))
    parser.add_argument(
        "--sizes", default=",".join(map(str, symbolic.SIZES)), help="of symbolic graphs, in scalar operations"
    )
    parser.add_argument("--workloads", default="W1,W4", help=f"comma-separated, or all: {', '.join(RECIPES)}")
    parser.add_argument("--dtypes", default="float32", help="float32, float64 or both, comma-separated")
    parser.add_argument("--runs", type=int, default=5, help="rounds (default 5)")
    parser.add_argument("--core", type=int, default=0, help="the core that all peers share; -1: any")
    parser.add_argument(
        "--python", action="append", default=[], metavar="PEER=PATH", help="interpreter that has a peer"
    )
    parser.add_argument("--chain", type=int, default=100_000, help="length of the chain to differentiate; 0: none")
    parser.add_argument("--out", type=pathlib.Path, help="write OUT.md and OUT.json too")
    return parser.parse_args()


def interpreters(given: list[str]) -> dict[str, str]:
    """Peer -> interpreter, for every peer whose library is there."""
    told = dict(entry.split("=", 1) for entry in given)
    found = {}
    for name, (_, _, library) in PEERS.items():
        if library in told:
            found[name] = told[library]
        elif importlib.util.find_spec(library) is not None:
            found[name] = sys.executable
    return found


def main() -> None:
    """Run and print."""
    options = arguments()
    if options.what == "symbolic":
        print_symbolic(options)
        return
    if options.what == "latency":
        print_latency(options)
        return
    bases = list(RECIPES) if options.workloads == "all" else options.workloads.split(",")
    pythons = interpreters(options.python)
    missing = [name for name in PEERS if name not in pythons]
    print(f"{machine()}\nus per step, median of {options.runs} rounds in turns; in brackets: times graphlearn's time")
    if missing:
        print(f"not installed here, so left out: {', '.join(missing)} (pip install 'graphlearn[bench]')")
    results: dict[str, list[Peer]] = {}
    for base in bases:
        for dtype in options.dtypes.split(","):
            load = f"{base}-{dtype}"
            print(f"  {load}: {RECIPES[base][0]}", file=sys.stderr)
            results[load] = measure(
                load, list(pythons), pythons, options.runs, None if options.core < 0 else options.core
            )
    text = table(results)
    print(f"\n{text}")
    if options.chain:
        built, derived = chain(options.chain)
        line = (
            f"a chain of {options.chain:,} scalar operations: built in {built:.2f} s, differentiated in {derived:.2f} s"
        )
        print(f"\n{line}")
        text += f"\n\n{line}"
    if options.out:
        save(options.out, text, results)


def print_symbolic(options: argparse.Namespace) -> None:
    """Measure large scalar graphs and print the table."""
    print(machine())
    found = symbolic.rows(tuple(int(size) for size in options.sizes.split(",")))
    text = symbolic.table(found)
    print(text)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.with_suffix(".md").write_text(f"{machine()}\n\n{text}\n", encoding="utf-8")
        rows = {"machine": machine(), "rows": symbolic.raw(found)}
        options.out.with_suffix(".json").write_text(json.dumps(rows, indent=1), encoding="utf-8")


def print_latency(options: argparse.Namespace) -> None:
    """Measure fresh processes and print the tables."""
    given = interpreters(options.python)
    pythons = {name: given[name] for name in latency.PEERS if name in given}
    named = options.workloads.split(",") if "--workloads" in sys.argv else latency.WORKLOADS
    loads = [f"{base}-{dtype}" for base in named for dtype in options.dtypes.split(",")]
    core = None if options.core < 0 else options.core
    found = latency.measure(loads, pythons, options.runs, environment(), core)
    head = f"{machine()}\n\nms, median of {options.runs} fresh processes in turns, one thread"
    text = f"{head}\n\n{latency.table(found)}\n\n{latency.targets(found)}\n"
    print(text)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.with_suffix(".md").write_text(text, encoding="utf-8")
        rows = {"machine": machine(), "rows": latency.raw(found)}
        options.out.with_suffix(".json").write_text(json.dumps(rows, indent=1), encoding="utf-8")


def save(out: pathlib.Path, text: str, results: dict[str, list[Peer]]) -> None:
    """Write the table and the raw samples."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.with_suffix(".md").write_text(
        f"{machine()}\n\nus per step (times graphlearn's time)\n\n{text}\n", encoding="utf-8"
    )
    raw = {load: {p.name: p.samples for p in peers} for load, peers in results.items()}
    out.with_suffix(".json").write_text(
        json.dumps({"machine": machine(), "us_per_step": raw}, indent=1), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
