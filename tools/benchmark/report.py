"""What a benchmark has found, as JSON, as a Markdown table, and as the part of the README that quotes it."""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import platform
import textwrap
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from benchmark.measure import DISTURBED, LIMIT, OWN, REFERENCE, Times
from benchmark.recipes import RECIPES

ROOT = pathlib.Path(__file__).resolve().parents[2]
BEGIN, END = "<!-- made by tools/bench.py -->", "<!-- end of what tools/bench.py made -->"
_QUOTED = ("float32",)  # what the README shows; the recorded table has all


@dataclass
class Results:
    """A recorded benchmark.

    Args:
        machine: what it ran on, and when.
        load: of the system before and after, in programs that want to run (Unix; else empty).
        rounds: samples of each peer.
        times: workload -> peer -> its times.
        missing: peers whose library was not there.
    """

    machine: str
    load: list[float]
    rounds: int
    times: dict[str, dict[str, Times]]
    missing: list[str]

    def to_json(self) -> str:
        """All samples."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Results:
        """The same again."""
        told = json.loads(text)
        told["times"] = {
            load: {name: Times(**times) for name, times in peers.items()} for load, peers in told["times"].items()
        }
        return cls(**told)


def machine() -> str:
    """What this runs on, in one line."""
    cpu = platform.processor() or platform.machine()
    info = pathlib.Path("/proc/cpuinfo")
    if info.is_file():
        names = (s.split(":", 1)[1].strip() for s in info.read_text().splitlines() if s.startswith("model name"))
        cpu = next(names, cpu)
    return f"{cpu}, {os.cpu_count()} cores, Python {platform.python_version()}, {datetime.date.today()}"


def load_average() -> list[float]:
    """How many programs wanted to run in the last minute; empty where the system does not say."""
    return [round(os.getloadavg()[0], 1)] if hasattr(os, "getloadavg") else []


def quietness(results: Results) -> str:
    """How much of the measuring was disturbed, in a sentence."""
    told = [t for peers in results.times.values() for t in peers.values() if t.clock]
    pairs = [pair for t in told for pair in zip(t.clock, t.us, strict=True)]
    if not pairs:
        return "How often other programs had the core was not recorded."
    disturbed = sum(clock > DISTURBED * us for clock, us in pairs)
    loads = " and ".join(f"{load:.1f}" for load in results.load)
    system = f"; load of the system before and after: {loads}" if loads else ""
    if not disturbed:
        return f"The core was left alone in all {len(pairs)} samples{system}."
    part = disturbed / len(pairs)
    noisy = " **Other programs were running: expect errors of tens of per cent.**" if part > 0.1 else ""
    return f"The core was shared in {disturbed} of {len(pairs)} samples{system}.{noisy}"


def strongest(peers: dict[str, Times]) -> tuple[str, float] | None:
    """The fastest peer whose time counts, and its us per step; graphlearn's own and the limit are no peers."""
    times = {name: t.median for name, t in peers.items() if name not in (OWN, REFERENCE, LIMIT)}
    counted = {name: time for name, time in times.items() if time is not None}
    return min(counted.items(), key=lambda pair: pair[1]) if counted else None


def table(results: Results) -> str:
    """Markdown: us per step, in brackets over graphlearn's; then graphlearn's over the best peer's and the limit."""
    names = [name for name in _names(results) if name != LIMIT]
    heads = ["workload", *names, "graphlearn / strongest peer", LIMIT, "graphlearn / products"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for load, peers in results.times.items():
        own = _median(peers, OWN)
        cells = [_cell(peers.get(name), own, name == OWN) for name in names]
        best, limit = strongest(peers), _median(peers, LIMIT)
        versus = f"{own / best[1]:.2f} ({best[0]})" if own and best else "-"
        over = f"{own / limit:.2f}" if own and limit else "-"
        cells += [versus, _number(limit) if limit else "-", over]
        lines.append(f"| {load} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def page(results: Results, picture: str | None) -> str:
    """The whole Markdown page of a recorded run.

    Args:
        results: of it.
        picture: name of its picture, which lies beside; None: there is none.
    """
    about = [f"- {base}: {RECIPES[base].about}" for base in _bases(results)]
    lacks = sorted({f"- {name}: {t.lacks}" for peers in results.times.values() for name, t in peers.items() if t.lacks})
    named = [(name, t.version) for peers in results.times.values() for name, t in peers.items() if t.version]
    versions = dict.fromkeys(f"{name} {version}" for name, version in named)
    parts = [
        results.machine,
        f"us per step, medians of {results.rounds} rounds in turns, one thread each on one core; in brackets: times "
        "graphlearn's time. A time stands here only if its run ended at the loss of the float64 reference.",
        quietness(results),
        *([f"![Training times beside graphlearn's]({picture})"] if picture else []),
        table(results),
        "\n".join(about),
        *(["\n".join(lacks)] if lacks else []),
        *([f"Releases: {', '.join(versions)}."] if versions else []),
        *([f"Not in this record: {', '.join(absent)}."] if (absent := _absent(results)) else []),
        *([f"Not installed, so left out: {', '.join(results.missing)}."] if results.missing else []),
    ]
    return "\n\n".join(parts) + "\n"


def quotation(results: Results) -> str:
    """What the README shows of a recorded run: a sentence, the table in float32, and where another is faster."""
    shown = {load: peers for load, peers in results.times.items() if load.partition("-")[2] in _QUOTED}
    names = [name for name in _names(results) if name not in (OWN, REFERENCE, LIMIT)]
    heads = ["float32", OWN, *names, LIMIT]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for load, peers in shown.items():
        own = _median(peers, OWN)
        cells = [_cell(peers.get(name), own, name == OWN) for name in (OWN, *names, LIMIT)]
        lines.append(f"| {RECIPES[load.partition('-')[0]].about} | " + " | ".join(cells) + " |")
    intro = (
        f"Microseconds per training step, whole runs, medians of {results.rounds} rounds in turns, one thread each on "
        f"one core; in brackets: times graphlearn's time. {results.machine}. {quietness(results)}"
    )
    return "\n\n".join([textwrap.fill(intro, 120), "\n".join(lines), textwrap.fill(_comparison(results), 120)])


def _comparison(results: Results) -> str:
    """Against the strongest peer of each workload, float64 included where that is recorded."""
    faster, slower = 0, []
    for load, peers in results.times.items():
        own, best = _median(peers, OWN), strongest(peers)
        if own is None or best is None:
            continue
        if own <= best[1]:
            faster += 1
        else:
            slower.append(f"{load} ({best[0]}, {own / best[1]:.2f}x)")
    told = f"graphlearn is faster than every peer in {faster} of {faster + len(slower)} recorded workloads"
    return told + (f"; a peer is faster in {', '.join(slower)}." if slower else ".")


def quote(readme: str, block: str) -> str:
    """A README with its marked part renewed.

    Raises:
        ValueError: the two marks are not there, each once and in order.
    """
    if readme.count(BEGIN) != 1 or readme.count(END) != 1 or readme.index(BEGIN) > readme.index(END):
        raise ValueError(f"the README needs the lines {BEGIN} and {END}, each once, around what is to be renewed")
    head, rest = readme.split(BEGIN)
    return f"{head}{BEGIN}\n{block}\n{END}{rest.split(END)[1]}"


def _bases(results: Results) -> Iterable[str]:
    return dict.fromkeys(load.partition("-")[0] for load in results.times)


def _absent(results: Results) -> list[str]:
    """The workloads that ``--workloads all`` takes and this record does not hold."""
    loads = (f"{base}-{dtype}" for base, how in RECIPES.items() for dtype in how.dtypes)
    return [load for load in loads if load not in results.times]


def _names(results: Results) -> list[str]:
    return list(dict.fromkeys(name for peers in results.times.values() for name in peers))


def _median(peers: dict[str, Times], name: str) -> float | None:
    return peers[name].median if name in peers else None


def _cell(times: Times | None, own: float | None, is_own: bool) -> str:
    if times is None or times.lacks:
        return "-"
    if times.trouble:
        return f"not counted: {times.trouble}"
    median = times.median
    if median is None:
        return "-"
    return _number(median) if own is None or is_own else f"{_number(median)} ({_ratio(median / own)}x)"


def _number(time: float) -> str:
    return f"{time:.3g}" if time < 1000 else f"{time:,.0f}"


def _ratio(times: float) -> str:
    return f"{times:.2f}" if times < 2 else f"{times:.1f}" if times < 100 else f"{times:,.0f}"
