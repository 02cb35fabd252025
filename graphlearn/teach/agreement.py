"""Whether a slope that a graph claims is the one that is measured: the one verdict behind every check of a gradient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graphlearn.teach.differences import Curve, ends_here, is_bent, one_sided, slope

TOLERANCE = 1e-6
_GOOD = 1e-9  # an agreement that needs no more careful measurement
# A slope counts as 0 where it is less than this part of the function's size nearby, times `TOLERANCE`: the five-point
# difference rounds by eps / 1e-3 = 2e-13 of that size.
NOTHING = 1e-6


@dataclass(frozen=True)
class Verdict:
    """What a comparison along one direction found.

    Args:
        graph: the graph's slope.
        measured: the finite difference nearest to it.
        absolute: their distance; infinite where a number is not finite.
        relative: the same as a part of the slope's size.
        kink: there is no derivative to compare with, and the graph's slope lies between those to the left and right.
        edge: the function lacks values on one side or both, or has none here, so that there is nothing to compare with.
    """

    graph: float
    measured: float
    absolute: float
    relative: float
    kink: bool
    edge: bool = False

    @property
    def ok(self) -> bool:
        """Whether both agree to `TOLERANCE`, or the point is a kink."""
        return self.kink or self.relative < TOLERANCE


def judge(curve: Curve, gradient: np.ndarray, direction: np.ndarray) -> Verdict:
    """Compare the graph's slope along a direction with finite differences.

    Args:
        curve: the function.
        gradient: its gradient as the graph has it, of the shape of ``curve.start``.
        direction: of the same shape.
    """
    with np.errstate(all="ignore"):
        graph = float(np.sum(np.where(direction == 0, 0.0, gradient * direction)))  # 0 · ∞ is no part of it
        if not np.isfinite(curve.level):
            return Verdict(graph, np.nan, np.inf, np.inf, kink=False, edge=True)
        # What a slope is measured against: itself, its neighbours, and the function's own size, which rounding follows.
        largest = float(np.max(np.abs(gradient[np.isfinite(gradient)]), initial=0.0))
        floor = max(largest / 100, curve.height / curve.size_along(direction) / 1000, 1e-300)
        measured, absolute = _measure(curve, direction, graph, floor)
        relative = absolute / max(abs(graph), abs(measured), floor) if absolute else 0.0
        if not relative < TOLERANCE:  # the numbers that cancel where all of these are 0 take two more values to find
            nothing = NOTHING * curve.nearby / curve.size_along(direction)
            relative = absolute / max(abs(graph), abs(measured), floor, nothing)
        # At a kink that is alike on both sides the central difference is what the convention says, but no derivative.
        agrees = relative < TOLERANCE
        kink = is_bent(curve, direction) if agrees else _lies_at_kink(curve, direction, graph)
        edge = not np.isfinite(absolute) and ends_here(curve, direction)
    return Verdict(graph, measured, absolute, relative if np.isfinite(relative) else np.inf, kink, edge)


def _measure(curve: Curve, direction: np.ndarray, graph: float, floor: float) -> tuple[float, float]:
    """The finite difference nearest to the graph's slope: the quick one, or where it is not close the careful one."""
    found = []
    for method in ("stencil", "ridders"):
        measured = slope(curve, direction, method)
        error = abs(measured - graph) if measured != graph else 0.0  # both may be beyond float64
        found.append((error if np.isfinite(error) else np.inf, measured))
        if found[-1][0] < _GOOD * max(abs(graph), floor):
            break
    error, measured = min(found)
    return measured, error


def _lies_at_kink(curve: Curve, direction: np.ndarray, graph: float) -> bool:
    """Whether the slopes to the left and to the right differ, and the graph's is one of them or between."""
    left, right = one_sided(curve, direction)
    size = max(1.0, abs(left), abs(right))
    margin = 1e-5 * size
    return abs(left - right) > 1e-4 * size and min(left, right) - margin <= graph <= max(left, right) + margin
