"""Which buffers steps read and write, and what values are computed of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphlearn.program.counts import Count, count
from graphlearn.program.steps import (
    Buffer,
    Compute,
    FusedLoop,
    Gather,
    Load,
    MatMul,
    Routine,
    RowPass,
    Step,
    Tile,
    Value,
)
from graphlearn.types import Dim


def reads_of(step: Step) -> list[Buffer]:
    """Buffers that a step reads."""
    if isinstance(step, FusedLoop):
        return [v.buffer for v in step.body if isinstance(v, Load)]
    if isinstance(step, RowPass):
        return [b for loop in step.loops for b in reads_of(loop)]
    if isinstance(step, MatMul):
        into = [] if step.into is None else [step.out.buffer, *_loaded(step.into.scale)]
        then = [b for b in reads_of(step.then) if b is not step.out.buffer] if step.then else []
        return [step.a.buffer, step.b.buffer, *into, *then]
    if isinstance(step, Routine):
        return list(step.operands)
    if isinstance(step, Tile):
        return step.outer([b for inner in step.steps for b in reads_of(inner)])
    return [step.data if isinstance(step, Gather) else step.source]


def _loaded(value: Value) -> list[Buffer]:
    return [v.buffer for v in operands_first([value]) if isinstance(v, Load)]


def operands_first(values: Iterable[Value]) -> list[Value]:
    """Values and all that they are computed from, each once and behind its operands."""
    found: dict[Value, None] = {}
    stack = [(value, False) for value in reversed([*values])]
    while stack:
        value, ready = stack.pop()
        if value in found:
            continue
        if ready or not isinstance(value, Compute):
            found[value] = None
        else:
            stack.append((value, True))
            stack += [(operand, False) for operand in reversed(value.operands)]
    return list(found)


def writes_of(step: Step) -> list[Buffer]:
    """Buffers that a step writes."""
    if isinstance(step, FusedLoop):
        return [s.buffer for s in step.stores] + [r.buffer for r in step.reductions]
    if isinstance(step, RowPass):
        return [b for loop in step.loops for b in writes_of(loop)]
    if isinstance(step, MatMul):
        rooms = step.blocks.rooms.values() if step.blocks else ()
        return [*(writes_of(step.then) if step.then else [step.out.buffer]), *rooms]
    if isinstance(step, Routine):
        return [step.out] if step.scratch is None else [step.out, step.scratch]
    if isinstance(step, Tile):
        return step.outer([b for inner in step.steps for b in writes_of(inner)])
    return [step.out if isinstance(step, Gather) else step.target]


def same_entries(strides: Sequence[Count], buffer: Buffer, axes: Sequence[Dim]) -> bool:
    """Whether a loop visits a buffer's entries one by one, in their order."""
    return tuple(strides) == tuple(count(axes[k + 1 :]) for k in range(len(axes))) and buffer.count == count(axes)
