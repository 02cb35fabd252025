"""Axes of a fused loop that every array is walked through as if they were one: one loop, or one division, fewer."""

from __future__ import annotations

from collections.abc import Sequence

from graphlearn.program.counts import Count, count, times
from graphlearn.program.steps import FusedLoop, Load


def merged_axes(step: FusedLoop, apart: int = 0) -> list[list[int]]:
    """Axes of the loop, together where every array is walked through them as if they were one.

    Args:
        step: the loop.
        apart: so many axes, the first ones, stand for themselves.
    """
    accesses = [v.strides for v in step.body if isinstance(v, Load)]
    accesses += [s.strides for s in step.stores] + [r.strides for r in step.reductions]
    groups: list[list[int]] = []
    for axis in range(len(step.axes)):
        if axis > apart and _continues(step, accesses, axis):
            groups[-1].append(axis)
        else:
            groups.append([axis])
    return groups


def _continues(step: FusedLoop, accesses: Sequence[tuple[Count, ...]], axis: int) -> bool:
    if any((axis in r.kept) != (axis - 1 in r.kept) for r in step.reductions):
        return False
    length = count(step.axes[axis : axis + 1])
    return all(s[axis - 1] == times(s[axis], length) for s in accesses)
