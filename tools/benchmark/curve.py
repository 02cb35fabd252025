"""The cost curve: us per step over widths and batches, beside its matrix products alone, and the cliffs in it.

Rule: the trend at a point is the straight line, in logarithms, between its two neighbours along one axis. A cliff is a
point whose time is more than `CLIFF` times that. Time that grows as a start-up cost plus a power lies below such lines
everywhere; a jump by a factor J that stays shows as about the root of J. The points at the rim have one neighbour only
and are judged by the other axis.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmark.measure import JAX, LIMIT, OWN, Peer, Times, race
from benchmark.recipes import curve_name
from benchmark.report import Results, quietness

CLIFF = 1.5
WIDTHS = (1, 4, 16, 64, 256, 1024, 2048)
BATCHES = (1, 4, 16, 64, 256, 1024, 4096)
FINE_WIDTHS = tuple(2**k for k in range(12))
FINE_BATCHES = tuple(2**k for k in range(13))
PEERS = (OWN, LIMIT, JAX)
_NAME = re.compile(r"w(\d+)b(\d+)-(\w+)")
Place = tuple[int, int]  # width, batch


@dataclass(frozen=True)
class Deviation:
    """A point and the trend there.

    Args:
        axis: ``"width"`` or ``"batch"``, along which the neighbours lie.
        place: width and batch.
        time: us per step.
        trend: us per step of the trend.
    """

    axis: str
    place: Place
    time: float
    trend: float

    @property
    def factor(self) -> float:
        """Time over trend."""
        return self.time / self.trend


def measure(
    widths: Sequence[int], batches: Sequence[int], dtype: str, peers: Sequence[Peer], rounds: int,
    say: Callable[[str], None],
) -> dict[str, dict[str, Times]]:  # fmt: skip
    """Time all points, each peer in one process, so that its imports are paid once."""
    found = {}
    for width in widths:
        for batch in batches:
            load = f"{curve_name(width, batch)}-{dtype}"
            say(load)
            found[load] = race(load, peers, rounds, sample=0.03)
    return found


def places(results: Results, name: str) -> dict[Place, float]:
    """Where a peer's time counts: (width, batch) -> us per step."""
    found = {}
    for load, peers in results.times.items():
        match = _NAME.fullmatch(load)
        if match is None:
            raise ValueError(f"a point of the curve is called such as w64b16-float32; got {load!r}")
        time = peers[name].median if name in peers else None
        if time is not None:
            found[int(match[1]), int(match[2])] = time
    return found


def deviations(times: dict[Place, float]) -> list[Deviation]:
    """Every point against the trend of its neighbours, along either axis where it has two."""
    found = []
    for axis, name in enumerate(("width", "batch")):
        for place, time in times.items():
            line = sorted(other for other in times if other[1 - axis] == place[1 - axis])
            at = line.index(place)
            if 0 < at < len(line) - 1:
                before, after = line[at - 1], line[at + 1]
                found.append(Deviation(name, place, time, _between(place, before, after, axis, times)))
    return found


def _between(place: Place, before: Place, after: Place, axis: int, times: dict[Place, float]) -> float:
    """Where the straight line in logarithms between two neighbours passes a point."""
    share = math.log(place[axis] / before[axis]) / math.log(after[axis] / before[axis])
    return times[before] ** (1 - share) * times[after] ** share


def cliffs(times: dict[Place, float]) -> list[Deviation]:
    """The points far above the trend, the farthest first; each once, by the axis where it is farther."""
    worst: dict[Place, Deviation] = {}
    for found in deviations(times):
        if found.place not in worst or found.factor > worst[found.place].factor:
            worst[found.place] = found
    return sorted((d for d in worst.values() if d.factor > CLIFF), key=lambda d: -d.factor)


def page(results: Results, picture: str | None) -> str:
    """The whole Markdown page of a recorded curve.

    Args:
        results: of it.
        picture: name of its picture, which lies beside; None: there is none.
    """
    dtype = next(iter(results.times)).rpartition("-")[2]
    own, limit, jax = (places(results, name) for name in PEERS)
    wrong = [
        f"- {load}, {name}: not counted: {t.trouble}"
        for load, peers in results.times.items() for name, t in peers.items() if t.trouble
    ]  # fmt: skip
    parts = [
        results.machine,
        f"us per step of a network with inputs, one hidden layer (relu) and outputs of one width, mse, SGD, {dtype}; "
        f"medians of {results.rounds} rounds in turns, one thread each on one core. In brackets: times its matrix "
        "products alone" + (", and JAX's time over graphlearn's." if jax else "."),
        quietness(results),
        *([f"![Cost curve]({picture})"] if picture else []),
        _grid(own, limit, jax),
        _cliffs(own, limit, jax),
        *([_slower(own, jax)] if jax else []),
        *(["\n".join(wrong)] if wrong else []),
    ]
    return "\n\n".join(parts) + "\n"


def _grid(own: dict[Place, float], limit: dict[Place, float], jax: dict[Place, float]) -> str:
    widths, batches = (sorted({place[axis] for place in own}) for axis in (0, 1))
    heads = ["width", *(f"batch {batch}" for batch in batches)]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for width in widths:
        cells = [_cell((width, batch), own, limit, jax) for batch in batches]
        lines.append(f"| {width} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(place: Place, own: dict[Place, float], limit: dict[Place, float], jax: dict[Place, float]) -> str:
    if place not in own:
        return "-"
    over = [f"{own[place] / limit[place]:.2g}"] if place in limit else []
    over += [f"JAX {jax[place] / own[place]:.2g}"] if place in jax else []
    return number(own[place]) + (f" ({', '.join(over)})" if over else "")


def _cliffs(own: dict[Place, float], limit: dict[Place, float], jax: dict[Place, float]) -> str:
    """The cliffs, each with how far the products alone and JAX are from their own trend there."""
    found = cliffs(own)
    if not found:
        top = max(deviations(own), key=lambda d: d.factor, default=None)
        most = f" The farthest is {top.factor:.2f}x, {_where(top)}." if top else ""
        return f"No cliff: no point is more than {CLIFF}x above the trend of its neighbours.{most}"
    others = {"products": limit, "JAX": jax}
    heads = ["cliff", "us per step", "trend of the neighbours", "factor", *(f"factor of {name}" for name in others)]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for d in found:
        same = (_factor(d, times) for times in others.values())
        cells = [_where(d), number(d.time), number(d.trend), f"{d.factor:.2f}", *same]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _factor(own: Deviation, times: dict[Place, float]) -> str:
    same = [d for d in deviations(times) if (d.axis, d.place) == (own.axis, own.place)]
    return f"{same[0].factor:.2f}" if same else "-"


def _where(d: Deviation) -> str:
    return f"width {d.place[0]}, batch {d.place[1]}, along the {d.axis}"


def _slower(own: dict[Place, float], jax: dict[Place, float]) -> str:
    """Where JAX needs less time, the worst first."""
    both = [place for place in own if place in jax]
    ratios = sorted(((own[place] / jax[place], place) for place in both if own[place] > jax[place]), reverse=True)
    if not ratios:
        return f"graphlearn is faster than JAX at all {len(both)} points."
    told = ", ".join(f"width {width} batch {batch} ({ratio:.2f}x)" for ratio, (width, batch) in ratios)
    return f"JAX is faster at {len(ratios)} of {len(both)} points: {told}."


def number(time: float) -> str:
    """Us per step with three digits."""
    return f"{time:.3g}" if time < 1000 else f"{time:,.0f}"
