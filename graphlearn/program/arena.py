"""The memory plan: buffers in slots of one flat arena per dtype; what has died makes room for what comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from graphlearn.program.counts import ONE, Count
from graphlearn.program.steps import Buffer, FusedLoop, Load, RowPass, Slot, Step, arena_of, padded
from graphlearn.program.together import Block
from graphlearn.program.uses import reads_of, same_entries, writes_of


def plan_arenas(
    steps: Sequence[Step],
    kept: Sequence[Buffer],
    capacity: Mapping[str, int],
    blocks: Sequence[Block] = (),
    *,
    in_place: bool = False,
) -> tuple[Slot, ...]:
    """Give every buffer of the arenas a slot, and slots their offsets where they are known.

    Args:
        steps: in order.
        kept: buffers that hold their values from call to call; they come first and share nothing.
        capacity: largest length of each free axis, so that offsets are numbers; empty: lengths are known at the call.
        blocks: arrays that must lie side by side.
        in_place: whether a loop may write over what it alone still reads, entry by entry.
    """
    planner = _Planner(capacity)
    owner = {part: block for block in blocks for part in (block.whole, *block.parts)}
    for buffer in kept:
        if buffer.slot is None:
            _place(planner, buffer, owner)
    ends = _last_uses(steps)
    for block in blocks:
        ends[block.whole] = max(ends.get(b, 0) for b in (block.whole, *block.parts))
    # A single number is a local variable, unless a step takes its address.
    others = [step for step in steps if not isinstance(step, FusedLoop | RowPass)]
    addressed = {b for step in others for b in (*reads_of(step), *writes_of(step))}
    for number, step in enumerate(steps):
        replaced = _written_over(step, number, ends, owner) if in_place and isinstance(step, FusedLoop) else {}
        for old, new in replaced.items():
            new.slot = old.slot
        # What is read and written by no step has no entries; it has a place nevertheless, for the text to name.
        for buffer in dict.fromkeys((*reads_of(step), *writes_of(step))):
            if buffer.role == "value" and buffer.slot is None and (buffer.count != ONE or buffer in addressed):
                _place(planner, buffer, owner)
        used = [owner[b].whole if b in owner else b for b in (*reads_of(step), *writes_of(step))]
        planner.release([b for b in dict.fromkeys(used) if ends[b] == number and b not in replaced])
    return planner.close()


def _place(planner: _Planner, buffer: Buffer, owner: Mapping[Buffer, Block]) -> None:
    """A slot for a buffer, and for those that lie beside it."""
    block = owner.get(buffer)
    if block is None:
        planner.take(buffer)
        return
    planner.take(block.whole)
    within = 0
    for part in block.parts:
        part.slot, part.within = block.whole.slot, within
        within += padded(part.count.factor, part.dtype)


def _written_over(
    step: FusedLoop, number: int, ends: Mapping[Buffer, int], owner: Mapping[Buffer, Block]
) -> dict[Buffer, Buffer]:
    """Arrays that a loop reads last -> those that it may write in their places, each entry after it was read."""
    reads: dict[Buffer, list[Load]] = {}
    for value in step.body:
        if isinstance(value, Load):
            reads.setdefault(value.buffer, []).append(value)
    written = Counter(writes_of(step))
    old = [
        b
        for b, loads in reads.items()
        if b.role == "value" and b.slot and ends[b] == number and b not in owner and not written[b]
        if all(not v.offset and same_entries(v.strides, b, step.axes) for v in loads)
    ]
    found: dict[Buffer, Buffer] = {}
    for store in step.stores:
        b = store.buffer
        free = b.role == "value" and b.slot is None and b.count != ONE and b not in owner and written[b] == 1
        if free and not store.offset and same_entries(store.strides, b, step.axes):
            place = next((o for o in old if o not in found and o.dtype == b.dtype and o.count == b.count), None)
            if place is not None:
                found[place] = b
    return found


def _last_uses(steps: Sequence[Step]) -> dict[Buffer, int]:
    return {buffer: number for number, step in enumerate(steps) for buffer in (*reads_of(step), *writes_of(step))}


class _Planner:
    """Slots so far, and which of them are free."""

    def __init__(self, capacity: Mapping[str, int]) -> None:
        self._capacity = capacity
        self._slots: list[Slot] = []
        self._free: list[Slot] = []

    def _size(self, buffer: Buffer) -> Count:
        wanted = buffer.count
        known = all(axis in self._capacity for axis in wanted.axes)
        return Count(wanted.value(self._capacity)) if known else wanted

    def take(self, buffer: Buffer) -> None:
        """A slot for a buffer: the smallest free one that is large enough, else the largest, which grows."""
        size, dtype = self._size(buffer), arena_of(buffer.dtype)
        fitting = [s for s in self._free if s.dtype == dtype and s.count.axes == size.axes]
        if not fitting:
            buffer.slot = Slot(dtype, size, len(self._slots))
            self._slots.append(buffer.slot)
            return
        enough = [s for s in fitting if s.count.factor >= size.factor]
        slot = min(enough, key=_factor) if enough else max(fitting, key=_factor)
        self._free.remove(slot)
        slot.count = Count(max(slot.count.factor, size.factor), size.axes)
        buffer.slot = slot

    def release(self, buffers: Sequence[Buffer]) -> None:
        """Free the slots of scratch buffers that are not used again."""
        self._free.extend(b.slot for b in buffers if b.slot is not None and b.role == "value")

    def close(self) -> tuple[Slot, ...]:
        """The slots, those of known length first, with their offsets."""
        ordered = sorted(self._slots, key=lambda s: not s.count.is_literal)
        ends: dict[str, int | None] = {}
        for slot in ordered:
            start = ends.get(slot.dtype, 0)
            slot.offset = start
            known = start is not None and slot.count.is_literal
            ends[slot.dtype] = start + padded(slot.count.factor, slot.dtype) if known and start is not None else None
        return tuple(ordered)


def _factor(slot: Slot) -> int:
    return slot.count.factor
