"""Loops over the same rows as one pass: softmax, cross-entropy and their derivative read each row once.

A loop that reads, row by row, what loops before it have made joins them. Of the steps between, those that it needs come
before the pass and the others behind it; where one that it needs needs the pass, the loop begins another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from graphlearn.program.counts import ZERO, Count, count, times
from graphlearn.program.merge import merged_axes
from graphlearn.program.steps import Buffer, Compute, FusedLoop, Load, Reduce, RowPass, Step, Store, Value
from graphlearn.program.uses import reads_of, writes_of
from graphlearn.types import Dim, Shape

_ROW = 32  # entries of a row from which a loop that walks straight through all of them may go row by row
_BETWEEN = 16  # steps back to which a pass is looked for


class _Group:
    """Loops that are to be one pass; their rows are counted by the first ``depth`` axes."""

    def __init__(self, loop: FusedLoop) -> None:
        self.loops = [loop]
        self.depth = len(loop.axes)

    def depth_with(self, loop: FusedLoop) -> int:
        """By how many axes rows are counted once a loop joins; 0: it cannot."""
        if {b for own in self.loops for b in writes_of(own)}.isdisjoint(reads_of(loop)):
            return 0
        loops, most = [*self.loops, loop], min(self.depth, len(loop.axes))
        return next((depth for depth in range(most, 0, -1) if _go_together(loops, depth)), 0)


_Part = Step | _Group

# a pass -> how many of its rows are worked on at a time, 0: one; None: several loops are better
Lanes = Callable[[RowPass], int | None]


def gather_passes(steps: Sequence[Step], lanes: Lanes, end: int | None = None) -> tuple[list[Step], int]:
    """Put loops over the same rows into one pass each.

    Args:
        steps: of a program; each value is written once.
        lanes: how a pass is written.
        end: where the updates begin, which are left as they are; None: there are none.

    Returns:
        The steps, and where the updates begin.
    """
    end = len(steps) if end is None else end
    parts: list[_Part] = []
    latest: dict[Dim, _Group] = {}  # first axis -> the last loops over it
    for step in steps[:end]:
        if not isinstance(step, FusedLoop) or not step.axes:
            parts.append(step)
            continue
        group = latest.get(step.axes[0])
        depth = group.depth_with(step) if group else 0
        if group and depth and _make_way(parts, group, step):
            group.loops.append(step)
            group.depth = depth
        else:
            latest[step.axes[0]] = own = _Group(step)
            parts.append(own)
    users = Counter(b for step in steps for b in {*reads_of(step), *writes_of(step)})
    done = [own for part in parts for own in (_finished(part, users, lanes) if isinstance(part, _Group) else [part])]
    return [*done, *steps[end:]], len(done)


def _make_way(parts: list[_Part], group: _Group, loop: FusedLoop) -> bool:
    """Bring the steps into an order in which a loop can join a group; False where there is none."""
    last = parts[-1 - _BETWEEN :]
    if group not in last:
        return False
    between = last[last.index(group) + 1 :]
    before: list[_Part] = []
    for part in reversed(between):
        if any(_follows(later, part) for later in (_Group(loop), *before)):
            if _follows(part, group):
                return False
            before.insert(0, part)
    if between:
        parts[-len(between) - 1 :] = [*before, group, *(part for part in between if part not in before)]
    return True


def _follows(later: _Part, earlier: _Part) -> bool:
    """Whether a step must stay behind another."""
    read, written = _touched(earlier)
    reads, writes = _touched(later)
    return not written.isdisjoint(reads | writes) or not read.isdisjoint(writes)


def _touched(part: _Part) -> tuple[set[Buffer], set[Buffer]]:
    """What is read, and what is written."""
    steps = part.loops if isinstance(part, _Group) else [part]
    return {b for step in steps for b in reads_of(step)}, {b for step in steps for b in writes_of(step)}


# --- rows ------------------------------------------------------------------------------------------------------------


def _go_together(loops: Sequence[FusedLoop], depth: int) -> bool:
    """Whether loops can be done row by row: what one makes and another touches is touched in the same row alone."""
    axes = loops[0].axes[:depth]
    if any(loop.axes[:depth] != axes or _walks_on(loop, depth) for loop in loops):
        return False
    return all(
        is_in_row(place, axes)
        for b in _shared(loops)
        for loop in loops
        for place in places_of(loop)
        if place.buffer is b
    )


def _walks_on(loop: FusedLoop, depth: int) -> bool:
    """Whether a loop walks straight on from row to row, and rows are so short that its vectors are worth more."""
    whole = any({depth - 1, depth} <= set(group) for group in merged_axes(loop))
    row = count(loop.axes[depth:])
    return whole and row.is_literal and row.factor < _ROW


def _shared(loops: Sequence[FusedLoop]) -> list[Buffer]:
    """What one loop makes and another touches."""
    users = Counter(b for loop in loops for b in {*reads_of(loop), *writes_of(loop)})
    return [b for b in dict.fromkeys(b for loop in loops for b in writes_of(loop)) if users[b] > 1]


def places_of(loop: FusedLoop) -> Iterator[Load | Store | Reduce]:
    """All that a loop reads and writes."""
    yield from (v for v in loop.body if isinstance(v, Load))
    yield from loop.stores
    yield from loop.reductions


def is_in_row(place: Load | Store | Reduce, axes: Shape) -> bool:
    """Whether each iteration of a loop that has these axes first touches a buffer in its own row."""
    buffer = place.buffer
    row = row_of(buffer, axes)
    if row is None or (not isinstance(place, Reduce) and place.offset):
        return False
    if isinstance(place, Reduce) and not set(range(len(axes))) <= set(place.kept):
        return False
    return place.strides[: len(axes)] == tuple(times(count(axes[k + 1 :]), count(row)) for k in range(len(axes)))


def row_of(buffer: Buffer, axes: Shape) -> Shape | None:
    """The shape of a row without axes of length 1, where a buffer has these axes first; else None."""
    counted = [k for k, d in enumerate(buffer.shape) if d != 1][: len(axes)]
    if [buffer.shape[k] for k in counted] != [*axes]:
        return None
    return tuple(d for d in buffer.shape[counted[-1] + 1 :] if d != 1)


def _finished(group: _Group, users: Counter[Buffer], lanes: Lanes) -> list[Step]:
    """The pass, where it is worth it; what only its loops need is one row."""
    if len(group.loops) == 1:
        return [*group.loops]
    axes, own = group.loops[0].axes[: group.depth], Counter[Buffer]()
    for loop in group.loops:
        own.update({*reads_of(loop), *writes_of(loop)})
    single = {
        b: replace(b, shape=row_of(b, axes) or ())
        for b in _shared(group.loops)
        if b.role == "value" and own[b] == users[b]
    }
    loops = tuple(_with_rows(loop, single, len(axes)) for loop in group.loops)
    found = RowPass(axes, loops, tuple(single.values()))
    together = lanes(found)
    return [*group.loops] if together is None else [replace(found, lanes=together)]


def _with_rows(loop: FusedLoop, single: dict[Buffer, Buffer], depth: int) -> FusedLoop:
    """The loop with one row of some buffers in place of all."""

    def strides(place: Load | Store | Reduce) -> tuple[Count, ...]:
        return (ZERO,) * depth + place.strides[depth:]

    new: dict[Value, Value] = {}
    for value in loop.body:
        if isinstance(value, Load) and value.buffer in single:
            new[value] = Load(single[value.buffer], strides(value))
        elif isinstance(value, Compute):
            new[value] = replace(value, operands=tuple(new[v] for v in value.operands))
        else:
            new[value] = value
    stores = [replace(s, value=new[s.value]) for s in loop.stores]
    reductions = [replace(r, value=new[r.value]) for r in loop.reductions]
    return FusedLoop(
        loop.axes,
        tuple(new.values()),
        tuple(replace(s, buffer=single[s.buffer], strides=strides(s)) if s.buffer in single else s for s in stores),
        tuple(replace(r, buffer=single[r.buffer], strides=strides(r)) if r.buffer in single else r for r in reductions),
        loop.nodes,
    )
