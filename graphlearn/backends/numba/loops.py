"""Fused loops as text: each as a nest of loops, or those over the same rows in one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphlearn.backends.numba.nests import Nest
from graphlearn.backends.source import Source
from graphlearn.program.steps import Buffer, Compute, FusedLoop, Literal, Load, RowPass, Step, Value
from graphlearn.program.uses import writes_of


def write_loop(
    source: Source, step: FusedLoop, *, reciprocals: bool = False, fixed: Mapping[Value, str] | None = None
) -> None:
    """Write a fused loop.

    Args:
        source: where it is written.
        step: the loop.
        fixed: values that have a name already.
        reciprocals: whether a division by a number that does not change in the loop becomes a product with its
            reciprocal: 1 ULP more, and a third of the time of an Adam update.
    """
    Nest(source, step, reciprocals=reciprocals, fixed=fixed).write()


def write_pass(source: Source, step: RowPass) -> None:
    """Write loops over the same rows as one.

    Args:
        source: where it is written.
        step: the loops.
    """
    nests = [Nest(source, loop, outer=len(step.axes), single=step.single) for loop in step.loops]
    for nest in nests:
        nest.begin()
    _write_rows(source, nests, 0, len(step.axes))


def _write_rows(source: Source, nests: Sequence[Nest], depth: int, rows_end: int) -> None:
    """The loops over rows from a depth on, and in the innermost of them one nest after the other."""
    if depth == rows_end:
        for nest in nests:
            nest.level(depth)
        return
    for nest in nests:
        nest.enter(depth)
    nests[0].loop(depth, nests, lambda: _write_rows(source, nests, depth + 1, rows_end))
    for nest in nests:
        nest.leave(depth)


def write_fixed(source: Source, steps: Sequence[Step]) -> dict[Value, str]:
    """Write what single numbers are computed of that no step changes, such as logarithms of hyperparameters.

    Args:
        source: where it is written, before the loop over steps.
        steps: all that the loop does.

    Returns:
        The values, and the names under which they are kept.
    """
    changed = {b for step in steps for b in writes_of(step)}
    names: dict[Value, str] = {}
    for step in steps:
        if isinstance(step, FusedLoop) and not step.axes:
            fixed = _fixed_values(step, changed)
            if any(isinstance(v, Compute) for v in fixed):
                if not names:
                    source.line("# the same in every step")
                names.update(Nest(source, step).write_values(fixed))
    return names


def _fixed_values(step: FusedLoop, changed: set[Buffer]) -> list[Value]:
    """Values of a loop over nothing that follow from numbers which are not among what is changed."""
    found: list[Value] = []
    for value in step.body:
        if (
            isinstance(value, Literal)
            or (isinstance(value, Load) and value.buffer.role == "kept" and value.buffer not in changed)
            or (isinstance(value, Compute) and all(v in found for v in value.operands))
        ):
            found.append(value)
    return found
