"""`Program`: a graph as an ordered list of steps over buffers in flat arenas. Knows no language and no device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from graphlearn.graph.node import Node
from graphlearn.program.steps import (
    ITEM_SIZE,
    Buffer,
    Compute,
    FusedLoop,
    MatMul,
    Routine,
    Slot,
    Step,
    Tile,
    padded,
    writes_of,
)


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
        totals: dict[str, int] = {}
        for slot in self.slots:
            totals[slot.dtype] = totals.get(slot.dtype, 0) + padded(slot.count.value(lengths), slot.dtype)
        return totals

    def describe(self) -> str:
        """What was done to the graph, then buffers, bytes, steps and floating-point operations, as text."""
        from_listing = _Listing(self)
        remarks = [*self.remarks, ""] if self.remarks else []
        return "\n".join([*remarks, *from_listing.buffers(), "", *from_listing.steps()])


class _Listing:
    """The text of `Program.describe`."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def buffers(self) -> list[str]:
        """One line per buffer, then the bytes of the arenas."""
        lines = [f"{b.name:24} {b.dtype}[{','.join(map(str, b.shape))}] {_place(b)}" for b in self._program.buffers]
        known = all(slot.count.is_literal or self._program.capacity for slot in self._program.slots)
        if known:
            sizes = self._program.arena_sizes()
            total = sum(n * ITEM_SIZE[dtype] for dtype, n in sizes.items())
            lines.append(f"arena: {total} bytes")
        return lines

    def steps(self) -> list[str]:
        """One line per step, with its operations."""
        lines = []
        for section, step in zip(self._program.sections, self._program.steps, strict=True):
            inner = step.steps if isinstance(step, Tile) else ()
            lines.append(self._line(section, step, "" if inner else self._names(step)))
            lines += [self._line("", each, self._names(each)) for each in inner]
        return lines

    def _line(self, section: str, step: Step, names: str) -> str:
        return f"{section:9} {type(step).__name__:10} {_work(step):24} {names}".rstrip()

    def _names(self, step: Step) -> str:
        return ", ".join(self._program.names.get(n, n.op.name) for n in step.nodes)


def _place(buffer: Buffer) -> str:
    if buffer.slot is None:
        return "local" if buffer.is_number else buffer.role
    where = buffer.start if buffer.slot.offset is not None else f"slot {buffer.slot.number}"
    return f"{buffer.role} at {where}"


def _work(step: Step) -> str:
    if isinstance(step, FusedLoop):
        each = sum(isinstance(v, Compute) for v in step.body) + len(step.reductions)
        return f"{'x'.join(map(str, step.axes)) or '1'} x {each} ops"
    if isinstance(step, MatMul):
        return f"2 x {'x'.join(map(str, (*step.batch, *step.sizes)))} flops"
    if isinstance(step, Routine):
        return f"{step.items} items"
    if isinstance(step, Tile):
        return f"some rows of {step.axis} at once"
    return f"{writes_of(step)[0].count} elements"
