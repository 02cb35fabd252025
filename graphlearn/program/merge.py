"""Axes that every array is walked through as if they were one: one loop, one division or many products fewer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from graphlearn.program.counts import ZERO, Count, count, times
from graphlearn.program.steps import Compute, FusedLoop, Load, MatMul, Matrix, Value
from graphlearn.program.uses import operands_first


def merged_axes(step: FusedLoop, apart: int = 0) -> list[list[int]]:
    """Axes of the loop, together where every array is walked through them as if they were one.

    Args:
        step: the loop.
        apart: so many axes, the first ones, stand for themselves.
    """
    accesses = _accesses(step)
    groups: list[list[int]] = []
    for axis in range(len(step.axes)):
        if axis > apart and _continues(step, accesses, axis):
            groups[-1].append(axis)
        else:
            groups.append([axis])
    return groups


def as_matrix(step: FusedLoop) -> FusedLoop | None:
    """The loop with all its axes but the last as one; None where that is not possible."""
    axes, accesses = step.axes, _accesses(step)
    if len(axes) <= 2:
        return step
    rows = [d for d in axes[:-1] if isinstance(d, int)]
    if len(rows) + 1 < len(axes) or not all(_continues(step, accesses, k) for k in range(1, len(axes) - 1)):
        return None
    made: dict[Value, Value] = {}
    for value in operands_first(step.body):
        if isinstance(value, Load):
            made[value] = replace(value, strides=value.strides[-2:])
        elif isinstance(value, Compute):
            made[value] = replace(value, operands=tuple(made[v] for v in value.operands))
        else:
            made[value] = value
    last = len(axes) - 1
    return replace(
        step,
        axes=(math.prod(rows), axes[-1]),
        body=tuple(made[v] for v in step.body),
        stores=tuple(replace(s, strides=s.strides[-2:], value=made[s.value]) for s in step.stores),
        reductions=tuple(
            replace(
                r,
                kept=tuple(dict.fromkeys(int(k == last) for k in r.kept)),
                strides=r.strides[-2:],
                value=made[r.value],
            )
            for r in step.reductions
        ),
    )


def merged_rows(step: MatMul) -> MatMul:
    """One product in place of several with the same right operand, where the rows of all lie at equal distances."""
    while step.batch and step.b.batch[-1] == ZERO:
        height, number = step.sizes[0], step.batch[-1]
        if height == 1:
            rows, strides = number, (step.a.batch[-1], step.out.batch[-1])
        elif isinstance(height, int) and isinstance(number, int):
            rows, strides = height * number, (step.a.strides[0], step.out.strides[0])
            if (step.a.batch[-1], step.out.batch[-1]) != tuple(times(s, count([height])) for s in strides):
                return step
        else:
            return step
        step = replace(
            step,
            a=_taller(step.a, strides[0]),
            b=replace(step.b, batch=step.b.batch[:-1]),
            out=_taller(step.out, strides[1]),
            sizes=(rows, *step.sizes[1:]),
            batch=step.batch[:-1],
        )
    return step


def _taller(matrix: Matrix, stride: Count) -> Matrix:
    return replace(matrix, strides=(stride, matrix.strides[1]), batch=matrix.batch[:-1])


def _accesses(step: FusedLoop) -> list[tuple[Count, ...]]:
    found = [v.strides for v in step.body if isinstance(v, Load)]
    return found + [s.strides for s in step.stores] + [r.strides for r in step.reductions]


def _continues(step: FusedLoop, accesses: Sequence[tuple[Count, ...]], axis: int) -> bool:
    if any((axis in r.kept) != (axis - 1 in r.kept) for r in step.reductions):
        return False
    length = count(step.axes[axis : axis + 1])
    return all(s[axis - 1] == times(s[axis], length) for s in accesses)
