"""The pictures of a recorded benchmark, as PNG by matplotlib: light, and told apart by shape and place besides colour.

The colours are those of Okabe and Ito, which colour-blind readers tell apart; the curves go through viridis, whose
brightness grows all the way.
"""

from __future__ import annotations

import pathlib
from typing import Any

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt  # after the canvas is chosen
from matplotlib.lines import Line2D
from matplotlib.ticker import StrMethodFormatter

from benchmark import curve
from benchmark.measure import JAX, LIMIT, OWN, PEERS, REFERENCE
from benchmark.recipes import RECIPES
from benchmark.report import Results

_INK, _FAINT = "#1c2430", "#d7dce3"
_MARKS = {  # colour and shape of each peer
    LIMIT: ("#000000", "|"),
    REFERENCE: ("#999999", "v"),
    "NumPy by hand": ("#E69F00", "s"),
    JAX: ("#0072B2", "o"),
    "PyTorch, eager": ("#D55E00", "^"),
    "scikit-learn MLP": ("#009E73", "D"),
}
_STYLE: Any = {
    "figure.facecolor": "white", "axes.facecolor": "white", "axes.edgecolor": _FAINT, "axes.labelcolor": _INK,
    "axes.spines.top": False, "axes.spines.right": False, "text.color": _INK, "xtick.color": _INK, "ytick.color": _INK,
    "font.family": "DejaVu Sans", "font.size": 10, "axes.titlesize": 11, "axes.titlelocation": "left",
}  # fmt: skip


def draw_training(results: Results, path: pathlib.Path) -> None:
    """Every peer's time over graphlearn's, a line for each workload and a panel for each dtype.

    Args:
        results: of the training runs.
        path: of the PNG.
    """
    dtypes = list(dict.fromkeys(load.partition("-")[2] for load in results.times))
    panels = {d: [load for load in results.times if load.endswith("-" + d)] for d in dtypes}
    heights = [len(loads) for loads in panels.values()]
    with plt.rc_context(_STYLE):
        figure, axes = plt.subplots(
            len(dtypes), 1, sharex=True, squeeze=False, layout="constrained", figsize=(10, 1.8 + 0.42 * sum(heights)),
            height_ratios=heights,
        )  # fmt: skip
        for axis, (dtype, loads) in zip(axes[:, 0], panels.items(), strict=True):
            _draw_panel(axis, results, loads, dtype)
        axes[-1, 0].set_xlabel("times graphlearn's time (right of the line: slower)")
        figure.suptitle("Whole training runs beside graphlearn", x=0.01, ha="left", fontsize=13)
        figure.legend(handles=_legend(results), loc="outside upper right", ncols=3, frameon=False)
        _save(figure, results, path)


def _draw_panel(axis: Any, results: Results, loads: list[str], dtype: str) -> None:
    for row, load in enumerate(loads):
        peers = results.times[load]
        own = peers[OWN].median if OWN in peers else None
        axis.axhline(row, color=_FAINT, linewidth=0.8, zorder=0)
        if own is None:
            axis.text(1, row, "not counted", va="center", ha="center", backgroundcolor="white")
            continue
        for name, times in peers.items():
            if name != OWN and times.median is not None:
                colour, shape = _MARKS[name]
                size = 200 if shape == "|" else 42
                axis.scatter(times.median / own, row, s=size, marker=shape, color=colour, linewidths=1.6, zorder=3)
    axis.axvline(1, color=_INK, linewidth=1.4)
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axis.set_yticks(range(len(loads)), [_label(load, results) for load in loads])
    axis.set_ylim(len(loads) - 0.4, -0.6)
    axis.tick_params(axis="y", length=0)
    axis.set_title(dtype)


def _label(load: str, results: Results) -> str:
    base = load.partition("-")[0]
    own = results.times[load][OWN].median if OWN in results.times[load] else None
    about = RECIPES[base].about.rpartition(", ")[0] if RECIPES[base].about.endswith("steps") else RECIPES[base].about
    return f"{about}   {curve.number(own)} us" if own is not None else about


def _legend(results: Results) -> list[Line2D]:
    shown = {name for peers in results.times.values() for name, times in peers.items() if times.median is not None}
    line = Line2D([], [], color=_INK, linewidth=1.4, label="graphlearn = 1")
    marks = [
        Line2D([], [], color=_MARKS[name][0], marker=_MARKS[name][1], linestyle="", label=name, markersize=8)
        for name in PEERS if name in shown and name != OWN
    ]  # fmt: skip
    return [line, *marks]


def draw_curve(results: Results, path: pathlib.Path) -> None:
    """Time over the width for each batch, and over the batch for each width; dashed: the products alone.

    Args:
        results: of the points of the curve.
        path: of the PNG.
    """
    own, limit, jax = (curve.places(results, name) for name in curve.PEERS)
    marked = [d.place for d in curve.cliffs(own)]
    with plt.rc_context(_STYLE):
        figure, axes = plt.subplots(1, 3 if jax else 2, layout="constrained", figsize=(16 if jax else 11, 5.6))
        for axis, (along, other) in zip(axes, (("width", "batch"), ("batch", "width")), strict=False):
            _draw_lines(axis, own, limit, along, other, marked)
        axes[0].set_ylabel("us per step")
        if jax:
            _draw_ratios(axes[2], own, jax)
        dtype = next(iter(results.times)).rpartition("-")[2]
        figure.suptitle(
            f"Cost of a training step, {dtype}: graphlearn (lines) and its matrix products alone (dashed); "
            f"circles: more than {curve.CLIFF}x above the trend of the neighbours", x=0.01, ha="left", fontsize=12,
        )  # fmt: skip
        _save(figure, results, path)


def _draw_lines(
    axis: Any, own: dict[curve.Place, float], limit: dict[curve.Place, float], along: str, other: str,
    marked: list[curve.Place],
) -> None:  # fmt: skip
    at = 0 if along == "width" else 1
    lines = sorted({place[1 - at] for place in own})
    for number, value in enumerate(lines):
        colour = plt.get_cmap("viridis")(0.9 * number / max(1, len(lines) - 1))
        for times, style in ((own, "-o"), (limit, "--")):
            points = sorted((place[at], time) for place, time in times.items() if place[1 - at] == value)
            if points:
                axis.plot(*zip(*points, strict=True), style, color=colour, linewidth=1.5, markersize=4)
        axis.plot([], [], "-o", color=colour, markersize=4, label=str(value))
        if along == "batch":
            last = max((place[at], time) for place, time in own.items() if place[1 - at] == value)
            axis.annotate(str(value), last, (6, 0), textcoords="offset points", va="center", color=colour)
    for place in marked:
        axis.plot(place[at], own[place], "o", markersize=13, markerfacecolor="none", markeredgecolor="#D55E00", mew=2)
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.grid(color=_FAINT, linewidth=0.6)
    axis.set_xlabel(along)
    axis.set_title(f"over the {along}, a line for each {other}")
    if along == "width":  # where all lines meet at both ends
        handles, labels = axis.get_legend_handles_labels()
        axis.legend(handles[::-1], labels[::-1], title=other, loc="upper left", frameon=False, fontsize=9)


def _draw_ratios(axis: Any, own: dict[curve.Place, float], jax: dict[curve.Place, float]) -> None:
    """JAX's time over graphlearn's in a grid; bold where JAX is faster."""
    widths, batches = (sorted({place[k] for place in own}) for k in (0, 1))
    axis.set_xlim(-0.5, len(batches) - 0.5)
    axis.set_ylim(-0.5, len(widths) - 0.5)
    for row, width in enumerate(widths):
        for column, batch in enumerate(batches):
            place = (width, batch)
            if place in own and place in jax:
                ratio = jax[place] / own[place]
                slower = ratio < 1
                box = {"facecolor": "#f8d9c4" if slower else "#d3e6f2", "edgecolor": "none", "pad": 3}
                weight = "bold" if slower else "normal"
                size = 9 if len(batches) <= 8 else 7
                axis.text(column, row, f"{ratio:.2g}", ha="center", va="center", fontsize=size, weight=weight, bbox=box)
    axis.set_xticks(range(len(batches)), [str(batch) for batch in batches])
    axis.set_yticks(range(len(widths)), [str(width) for width in widths])
    axis.tick_params(length=0)
    axis.set_xlabel("batch")
    axis.set_ylabel("width")
    axis.set_title("JAX's time over graphlearn's (bold: JAX is faster)")


def _save(figure: Any, results: Results, path: pathlib.Path) -> None:
    """Write the picture with the machine below; without a date of its own, so that it is drawn alike again."""
    figure.supxlabel(results.machine, x=0.01, ha="left", fontsize=8, color="#4f5b6b")
    figure.savefig(path, dpi=120, metadata={"Software": None})
    plt.close(figure)
