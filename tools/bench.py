"""Time whole training runs side by side: graphlearn, its NumPy reference, NumPy by hand, and peers where installed.

    python tools/run.py bench                            W1 and W4
    python tools/run.py bench --workloads all --runs 9 --out out/bench
    python tools/run.py bench curve [--fine]             us per step over widths and batches, and the cliffs in it
    python tools/run.py bench symbolic                   chains and wide graphs of 10^3 to 10^6 scalar operations
    python tools/run.py bench latency                    fresh processes to their first step, cold and warm
    python tools/run.py bench publish --python PATH      all workloads and the curve, recorded; renews the README
    python tools/run.py bench redraw                     tables, pictures and README again from what is recorded

The peers are torch, JAX and scikit-learn. One process per peer, one thread each, all on one core. They take turns, in
another order each round; reported is the median. A time counts only if the run's final loss equals that of the float64
reference.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import pathlib
import subprocess
import sys
from collections.abc import Mapping
from types import ModuleType

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from benchmark import curve, latency, report, symbolic  # noqa: E402  # after the path is set
from benchmark.measure import PEERS, Peer, Times, compete, environment  # noqa: E402
from benchmark.recipes import RECIPES, recipe  # noqa: E402
from benchmark.report import Results  # noqa: E402

RECORDS = HERE / "benchmark" / "results"
TRAINING, CURVE = RECORDS / "training", RECORDS / "curve"
_FIND = "import importlib.util, sys; print(*(n for n in sys.argv[1:] if importlib.util.find_spec(n)))"


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    whats = ("training", "curve", "symbolic", "latency", "publish", "redraw")
    parser.add_argument("what", nargs="?", default="training", choices=whats)
    parser.add_argument(
        "--sizes", default=",".join(map(str, symbolic.SIZES)), help="of symbolic graphs, in scalar operations"
    )
    parser.add_argument("--workloads", help=f"comma-separated, or all: {', '.join(RECIPES)} (default: W1,W4)")
    parser.add_argument("--dtypes", help="float32, float64 or both, comma-separated (default: both; curve: float32)")
    parser.add_argument("--fine", action="store_true", help="the curve at all powers of 2, not of 4")
    parser.add_argument("--widths", type=whole_numbers, help="of the curve, comma-separated")
    parser.add_argument("--batches", type=whole_numbers, help="of the curve, comma-separated")
    parser.add_argument("--runs", type=int, default=5, help="rounds (default 5)")
    parser.add_argument("--core", type=int, default=0, help="the core that all peers share; -1: any")
    parser.add_argument("--peers", help=f"comma-separated, of: {', '.join(PEERS)} (default: all that are there)")
    parser.add_argument(
        "--python", action="append", default=[], metavar="[LIBRARY=]PATH", help="interpreter that has peers' libraries"
    )
    parser.add_argument("--out", type=pathlib.Path, help="write OUT.md, OUT.json and, with matplotlib, OUT.png")
    return parser.parse_args(given)


def whole_numbers(text: str) -> tuple[int, ...]:
    """Whole numbers above 0, comma-separated.

    Raises:
        ArgumentTypeError: something else.
    """
    found = tuple(int(word) if word.isdecimal() else 0 for word in text.split(","))
    if min(found) < 1:
        raise argparse.ArgumentTypeError(f"needs whole numbers above 0, such as 1,16,256; got {text!r}")
    return found


def interpreters(given: list[str], wanted: str | None) -> dict[str, str]:
    """Peer -> interpreter, for every peer whose library is there.

    Args:
        given: ``LIBRARY=PATH``, or ``PATH`` for whatever libraries that interpreter has and this one has not.
        wanted: names of peers, comma-separated; None: all.

    Raises:
        SystemExit: no such peer.
    """
    names = _split(wanted, PEERS) if wanted else list(PEERS)
    libraries = {PEERS[name][2] for name in names}
    found = {library: sys.executable for library in libraries if importlib.util.find_spec(library) is not None}
    for entry in given:
        library, told, path = entry.rpartition("=")
        here = [library] if told else _libraries(path, sorted(libraries - found.keys()))
        found |= dict.fromkeys(here, path)
    return {name: found[PEERS[name][2]] for name in names if PEERS[name][2] in found}


def _split(wanted: str, names: Mapping[str, object]) -> list[str]:
    """Names of peers, some of which have a comma in them."""
    found = [name for name in names if name in wanted]
    if not found or len(wanted) != len(",".join(found)):
        raise SystemExit(f"--peers needs names out of: {', '.join(names)}; got {wanted!r}")
    return found


def _libraries(python: str, wanted: list[str]) -> list[str]:
    """Which of these an interpreter has."""
    return subprocess.run(
        [python, "-c", _FIND, *wanted], check=True, capture_output=True, text=True
    ).stdout.split()  # fmt: skip


def say(load: str) -> None:
    """Name what is timed next."""
    print(f"  {load}: {recipe(load.partition('-')[0]).about}", file=sys.stderr)


def train(options: argparse.Namespace) -> Results:
    """Time the workloads."""
    bases = list(RECIPES) if options.workloads == "all" else (options.workloads or "W1,W4").split(",")
    unknown = [base for base in bases if base not in RECIPES]
    if unknown:
        raise SystemExit(f"--workloads needs names out of: {', '.join(RECIPES)}; got {', '.join(unknown)}")
    loads = [
        f"{base}-{dtype}" for dtype in (options.dtypes or "float32,float64").split(",") for base in bases
        if options.dtypes or dtype in RECIPES[base].dtypes
    ]  # fmt: skip
    pythons = interpreters(options.python, options.peers)
    before = report.load_average()

    def record(times: dict[str, dict[str, Times]]) -> Results:
        """What was found so far, written where there is a place for it."""
        results = Results(report.machine(), before + report.load_average(), options.runs, times, _missing(pythons))
        if options.out:
            save(options.out, results, "training")
        return results

    return record(compete(loads, pythons, options.runs, core(options), _limited, say, record))


def _limited(load: str) -> bool:
    """Whether the matrix products of a workload are timed too."""
    return recipe(load.partition("-")[0]).products


def draw_curve(options: argparse.Namespace) -> Results:
    """Time the points of the curve."""
    widths = options.widths or (curve.FINE_WIDTHS if options.fine else curve.WIDTHS)
    batches = options.batches or (curve.FINE_BATCHES if options.fine else curve.BATCHES)
    found = interpreters(options.python, options.peers)
    pythons = {name: found[name] for name in curve.PEERS if name in found}
    before = report.load_average()
    peers = [Peer(name, python, core(options)) for name, python in pythons.items()]
    try:
        times = curve.measure(widths, batches, options.dtypes or "float32", peers, options.runs, say)
    finally:
        for peer in peers:
            peer.quit()
    missing = [name for name in curve.PEERS if name not in pythons]
    return Results(report.machine(), before + report.load_average(), options.runs, times, missing)


def core(options: argparse.Namespace) -> int | None:
    """The core that peers are bound to."""
    return None if options.core < 0 else int(options.core)


def _missing(pythons: dict[str, str]) -> list[str]:
    return [name for name in PEERS if name not in pythons]


def figures() -> ModuleType | None:
    """The module that draws, or None, with a word about it, where matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        print("no picture: matplotlib is not installed (pip install 'graphlearn[bench]')", file=sys.stderr)
        return None
    return importlib.import_module("benchmark.figure")


def save(out: pathlib.Path, results: Results, kind: str) -> None:
    """Write OUT.json, OUT.md and, where matplotlib is, OUT.png.

    Args:
        out: path without an ending.
        results: of the benchmark.
        kind: ``"training"`` or ``"curve"``.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    drawing = figures()
    picture = out.with_suffix(".png").name if drawing else None
    if drawing:
        draw = drawing.draw_curve if kind == "curve" else drawing.draw_training
        draw(results, out.with_suffix(".png"))
    text = (curve if kind == "curve" else report).page(results, picture)
    out.with_suffix(".md").write_text(text, encoding="utf-8")
    out.with_suffix(".json").write_text(results.to_json() + "\n", encoding="utf-8")


def renew_readme() -> None:
    """Quote the recorded training runs in the README."""
    readme = HERE.parent / "README.md"
    results = Results.from_json(TRAINING.with_suffix(".json").read_text(encoding="utf-8"))
    readme.write_text(report.quote(readme.read_text(encoding="utf-8"), report.quotation(results)), encoding="utf-8")


def publish(options: argparse.Namespace) -> None:
    """Record all workloads and the curve, and renew the README."""
    options.workloads, options.out = "all", TRAINING
    train(options)
    save(CURVE, draw_curve(options), "curve")
    renew_readme()
    print(f"recorded in {RECORDS}; the README quotes it")


def redraw() -> None:
    """Make tables, pictures and README again from what is recorded."""
    for out, kind in ((TRAINING, "training"), (CURVE, "curve")):
        save(out, Results.from_json(out.with_suffix(".json").read_text(encoding="utf-8")), kind)
    renew_readme()


def print_symbolic(options: argparse.Namespace) -> None:
    """Measure large scalar graphs and print the table."""
    print(report.machine())
    found = symbolic.rows(tuple(int(size) for size in options.sizes.split(",")))
    text = symbolic.table(found)
    print(text)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.with_suffix(".md").write_text(f"{report.machine()}\n\n{text}\n", encoding="utf-8")
        rows = {"machine": report.machine(), "rows": symbolic.raw(found)}
        options.out.with_suffix(".json").write_text(json.dumps(rows, indent=1), encoding="utf-8")


def print_latency(options: argparse.Namespace) -> None:
    """Measure fresh processes and print the tables."""
    given = interpreters(options.python, options.peers)
    pythons = {name: given[name] for name in latency.PEERS if name in given}
    named = options.workloads.split(",") if options.workloads else latency.WORKLOADS
    loads = [f"{base}-{dtype}" for base in named for dtype in (options.dtypes or "float32").split(",")]
    found = latency.measure(loads, pythons, options.runs, environment(), core(options))
    head = f"{report.machine()}\n\nms, median of {options.runs} fresh processes in turns, one thread"
    text = f"{head}\n\n{latency.table(found)}\n\n{latency.targets(found)}\n"
    print(text)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.with_suffix(".md").write_text(text, encoding="utf-8")
        rows = {"machine": report.machine(), "rows": latency.raw(found)}
        options.out.with_suffix(".json").write_text(json.dumps(rows, indent=1), encoding="utf-8")


def main() -> None:
    """Run and print."""
    options = arguments()
    if options.what == "symbolic":
        print_symbolic(options)
    elif options.what == "latency":
        print_latency(options)
    elif options.what == "publish":
        publish(options)
    elif options.what == "redraw":
        redraw()
    else:
        kind = options.what
        results = draw_curve(options) if kind == "curve" else train(options)
        print((curve if kind == "curve" else report).page(results, None))
        if options.out and kind == "curve":
            save(options.out, results, kind)


if __name__ == "__main__":
    main()
