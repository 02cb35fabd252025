"""From steps to passes: what all threads do side by side without waiting for each other.

A fused loop that reduces and stores becomes a pass for each kind of result; a pass that reads what another writes comes
after it, with a barrier or a new launch between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from graphlearn.program.counts import ONE, Count, count
from graphlearn.program.program import Program
from graphlearn.program.steps import (
    Buffer,
    Compute,
    Copy,
    FusedLoop,
    Gather,
    Load,
    MatMul,
    Reduce,
    Routine,
    Step,
    Value,
)
from graphlearn.program.uses import reads_of, same_entries, writes_of

_GUESS = 1024  # length of a free axis without capacity
_LONG = 64  # entries to combine from which threads share one result, if there are few results
_TREES = ("float32", "float64", "int64", "int32")  # dtypes that are the same in memory and as a value


class Kind(Enum):
    """What the threads of a pass share out among them."""

    ENTRIES = "the entries of a loop"
    RESULTS = "the results of a reduction, each combined by one thread"
    TREE = "the entries of each result of a reduction"
    PRODUCT = "the entries of a matrix product"
    ROUTINE = "the items of a routine"
    GATHER = "the entries of a batch"
    COPY = "the entries of a buffer"


@dataclass(frozen=True, eq=False)
class Pass:
    """One pass of a step.

    Args:
        kind: what is shared out.
        step: where it comes from.
        width: how many threads find work.
        reads, writes: buffers.
        reductions: those of the step that this pass carries out.
    """

    kind: Kind
    step: Step
    width: Count
    reads: tuple[Buffer, ...]
    writes: tuple[Buffer, ...]
    reductions: tuple[Reduce, ...] = ()


def passes(program: Program, few: int) -> list[Pass]:
    """The passes of a program, in order.

    Args:
        program: its steps.
        few: results of a long reduction up to which threads combine each of them together.
    """
    return [each for step in program.steps for each in _passes_of(step, program.capacity, few)]


def _passes_of(step: Step, capacity: Mapping[str, int], few: int) -> list[Pass]:
    if isinstance(step, FusedLoop):
        return _loop_passes(step, capacity, few)
    if isinstance(step, Routine):
        return [Pass(Kind.ROUTINE, step, step.items, tuple(reads_of(step)), tuple(writes_of(step)))]
    kind = {MatMul: Kind.PRODUCT, Gather: Kind.GATHER, Copy: Kind.COPY}[type(step)]
    (target,) = writes_of(step)
    return [Pass(kind, step, target.count, tuple(reads_of(step)), (target,))]


def _loop_passes(step: FusedLoop, capacity: Mapping[str, int], few: int) -> list[Pass]:
    """Reductions first: a store may write what they read, and nothing in a step reads what it reduces."""
    groups: dict[tuple[tuple[int, ...], bool], list[Reduce]] = {}
    for reduction in step.reductions:
        groups.setdefault((reduction.kept, reduction.buffer.dtype in _TREES), []).append(reduction)
    found = []
    for (kept, may_share), members in groups.items():
        results = count([step.axes[k] for k in kept])
        terms = count([d for k, d in enumerate(step.axes) if k not in kept])
        shared = may_share and rough(terms, capacity) >= _LONG and rough(results, capacity) <= few
        reads = _loads(step, [r.value for r in members])
        writes = tuple(r.buffer for r in members)
        kind, width = (Kind.TREE, terms) if shared else (Kind.RESULTS, results)
        found.append(Pass(kind, step, width, reads, writes, tuple(members)))
    if step.stores:
        reads = _loads(step, [s.value for s in step.stores])
        writes = tuple(s.buffer for s in step.stores)
        found.append(Pass(Kind.ENTRIES, step, count(step.axes), reads, writes))
    return found


def rough(value: Count, capacity: Mapping[str, int]) -> int:
    """A number of elements, with a guess where a length is known only at run time."""
    return value.value({axis: capacity.get(axis, _GUESS) for axis in value.axes})


def needed(step: FusedLoop, wanted: Iterable[Value]) -> list[Value]:
    """The values of a loop that these need, themselves included, in order."""
    marked = set(wanted)
    for value in reversed(step.body):
        if value in marked and isinstance(value, Compute):
            marked.update(value.operands)
    return [value for value in step.body if value in marked]


def _loads(step: FusedLoop, wanted: Iterable[Value]) -> tuple[Buffer, ...]:
    return tuple(dict.fromkeys(v.buffer for v in needed(step, wanted) if isinstance(v, Load)))


def own_entries(each: Pass) -> set[Buffer]:
    """Buffers of which a thread that has a share touches just the entry of the share's number.

    Two passes of equal width give equal shares to the same thread, so that no thread has to wait for such entries.
    """
    step = each.step
    if each.kind in (Kind.RESULTS, Kind.PRODUCT):
        return set(each.writes)
    if each.kind is Kind.COPY:
        return {*each.reads, *each.writes}
    if not isinstance(step, FusedLoop) or each.kind is Kind.TREE:
        return set()
    wanted = [s.value for s in step.stores]
    uses = [(v.buffer, v.strides) for v in needed(step, wanted) if isinstance(v, Load)]
    uses += [(s.buffer, s.strides) for s in step.stores]
    foreign = {buffer for buffer, strides in uses if not same_entries(strides, buffer, step.axes)}
    return {buffer for buffer, _ in uses} - foreign


def operations(each: Pass, capacity: Mapping[str, int]) -> int:
    """Operations of a pass, roughly."""
    step = each.step
    if isinstance(step, MatMul):
        return 2 * rough(count((*step.batch, *step.sizes)), capacity)
    if not isinstance(step, FusedLoop):
        return rough(each.width, capacity)
    values = [r.value for r in each.reductions] or [s.value for s in step.stores]
    per_entry = sum(isinstance(v, Compute) for v in needed(step, values)) + len(each.reductions)
    return per_entry * rough(count(step.axes) if step.axes else ONE, capacity)
