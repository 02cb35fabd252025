"""`Program`: a graph as an ordered list of steps over buffers in flat arenas. Knows no language and no device."""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from graphlearn.graph.node import Node
from graphlearn.program.counts import Count, count, times, total
from graphlearn.program.steps import (
    ITEM_SIZE,
    Buffer,
    Compute,
    FusedLoop,
    MatMul,
    Routine,
    RowPass,
    Slot,
    Step,
    Tile,
    padded,
)
from graphlearn.program.uses import writes_of
from graphlearn.types import Dim


@dataclass(frozen=True, eq=False)
class Program:
    """Steps in order, over buffers.

    Args:
        steps: what is done, in this order.
        sections: for each step ``"forward"``, ``"backward"`` or ``"update"``.
        buffers: every array and single number.
        slots: stretches of the arenas.
        given: leaf of the graph -> the buffer that holds it.
        outputs: what a function returns, in order; empty for training.
        loss: the loss of a training step.
        axes: names of the lengths that are known only at run time.
        capacity: largest length of each such axis that the arena is planned for; empty: the arena is sized by the call.
        names: node -> its name in listings.
        origin: node -> the nodes of the given graph that it computes.
        nonempty: free axes that must not have length 0 (a maximum is taken along them).
        remarks: what was done to the graph before, a line each.
    """

    steps: tuple[Step, ...]
    sections: tuple[str, ...]
    buffers: tuple[Buffer, ...]
    slots: tuple[Slot, ...]
    given: Mapping[Node, Buffer]
    outputs: tuple[Buffer, ...]
    loss: Buffer | None
    axes: tuple[str, ...]
    capacity: Mapping[str, int]
    names: Mapping[Node, str] = field(default_factory=dict)
    origin: Mapping[Node, tuple[Node, ...]] = field(default_factory=dict)
    nonempty: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def constants(self) -> tuple[Buffer, ...]:
        """Buffers of constant arrays."""
        return tuple(b for b in self.buffers if b.node.op.name == "constant" and b.role == "kept")

    def arena_sizes(self, sizes: Mapping[str, int] | None = None) -> dict[str, int]:
        """Elements of each arena, by dtype, for given lengths of the free axes."""
        lengths = {**self.capacity, **(sizes or {})}
        known, free = self._slot_sizes
        totals = dict(known)
        for slot in free:
            totals[slot.dtype] += padded(slot.count.value(lengths), slot.dtype)
        return totals

    @functools.cached_property
    def _slot_sizes(self) -> tuple[dict[str, int], list[Slot]]:
        """Elements of known length in each arena, and the slots of other lengths."""
        totals = dict.fromkeys([slot.dtype for slot in self.slots], 0)
        for slot in self.slots:
            if slot.count.is_literal:
                totals[slot.dtype] += padded(slot.count.factor, slot.dtype)
        return totals, [slot for slot in self.slots if not slot.count.is_literal]

    def describe(self) -> str:
        """What was done to the graph, then buffers, bytes, steps and operations on numbers, as text of 120 columns."""
        listing = _Listing(self)
        remarks = [*self.remarks, ""] if self.remarks else []
        lines = [*remarks, *listing.buffers(), "", *listing.steps(), "", listing.totals()]
        wrap = functools.partial(textwrap.wrap, width=_WIDTH, subsequent_indent=" " * 4, break_on_hyphens=False)
        return "\n".join(part for line in lines for part in (wrap(line) or [""]))


_WIDTH = 120  # columns of a listing


class _Listing:
    """The text of `Program.describe`."""

    def __init__(self, program: Program) -> None:
        self._program = program
        known = all(slot.count.is_literal or program.capacity for slot in program.slots)
        sizes = program.arena_sizes() if known else {}
        self._arena = sum(n * ITEM_SIZE[dtype] for dtype, n in sizes.items())  # 0: not known

    def buffers(self) -> list[str]:
        """One line per buffer, with its bytes."""
        return [f"{b.name:24} {_kind(b):24} {_place(b):24} {_bytes(b)} bytes" for b in self._program.buffers]

    def steps(self) -> list[str]:
        """One line per step, with its operations."""
        lines = []
        for section, step in zip(self._program.sections, self._program.steps, strict=True):
            inner = step.steps if isinstance(step, Tile) else step.loops if isinstance(step, RowPass) else ()
            lines.append(self._line(section, step, "" if inner else self._names(step, section)))
            lines += [self._line("", each, self._names(each)) for each in inner]
        return lines

    def totals(self) -> str:
        """All operations, and the bytes of the arenas where their lengths are known."""
        terms = total([term for step in self._program.steps for term in _operations(step)])
        work = f"{' + '.join(map(str, terms)) or '0'} operations on numbers"
        capacity = self._program.capacity
        if capacity and not all(term.is_literal for term in terms):
            work += f", {sum(term.value(capacity) for term in terms):,} for a batch of {_joined(capacity.values())}"
        if not self._program.slots:
            return f"in all: {work}; no arena"
        return f"in all: {work}; arena: {f'{self._arena:,} bytes' if self._arena else 'as large as the call needs'}"

    def _line(self, section: str, step: Step, names: str) -> str:
        return f"{section:9} {type(step).__name__:10} {_work(step):28} {names}".rstrip()

    def _names(self, step: Step, section: str = "") -> str:
        if section == "update":
            names = [b.node.full_name or b.name for b in writes_of(step)]
            beside = len(step.nodes) // max(len(names), 1) - 1  # arrays that lie side by side are one to the loop
            return ", ".join(names) + (f" and {beside} arrays beside each" if beside > 0 else "")
        nodes = [n.inputs[0] if n.op.name == "copy" else n for n in step.nodes]
        return ", ".join(self._program.names.get(n, n.op.name) for n in nodes)


def _joined(dims: Iterable[Dim], sign: str = "x") -> str:
    return sign.join(map(str, dims))


def _kind(buffer: Buffer) -> str:
    return f"{buffer.dtype}[{_joined(buffer.shape, ',')}]"


def _place(buffer: Buffer) -> str:
    if buffer.slot is None:
        return "local" if buffer.is_number else buffer.role
    where = buffer.start if buffer.slot.offset is not None else f"slot {buffer.slot.number}"
    return f"{buffer.role} at {where}"


def _bytes(buffer: Buffer) -> Count:
    return times(buffer.count, Count(ITEM_SIZE[buffer.dtype]))


def _operations(step: Step) -> list[Count]:
    """Operations on numbers: one for each intrinsic and each term of a sum or maximum; none for what only moves."""
    if isinstance(step, FusedLoop):
        return [times(count(step.axes), Count(_each(step)))]
    if isinstance(step, MatMul):
        then = _operations(step.then) if step.then else []
        return [times(count((*step.batch, *step.sizes)), Count(2)), *then]
    if isinstance(step, Tile):
        return [term for inner in step.steps for term in _operations(inner)]
    if isinstance(step, RowPass):
        return [term for inner in step.loops for term in _operations(inner)]
    return []


def _each(step: FusedLoop) -> int:
    return sum(isinstance(v, Compute) for v in step.body) + len(step.reductions)


def _work(step: Step) -> str:
    if isinstance(step, FusedLoop):
        return f"{_joined(step.axes) or '1'} x {_each(step)} ops"
    if isinstance(step, MatMul):
        more = ", added" if step.into else f" + {_each(step.then)} ops" if step.then else ""
        return f"2 x {_joined((*step.batch, *step.sizes))} flops{more}"
    if isinstance(step, Routine):
        return f"{step.items} items"
    if isinstance(step, Tile):
        return f"some rows of {step.axis} at once"
    if isinstance(step, RowPass):
        return f"{_joined(step.axes)} rows, {step.lanes or 1} at a time"
    return f"{writes_of(step)[0].count} elements"
