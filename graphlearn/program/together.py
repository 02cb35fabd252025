"""Updates of the same form in one loop: their arrays lie side by side, so that Adam is one pass over all parameters."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from graphlearn.program.counts import ONE, ZERO
from graphlearn.program.steps import Buffer, Compute, FusedLoop, Literal, Load, Step, Store, Value, padded
from graphlearn.program.uses import operands_first, reads_of, same_entries, writes_of

_LONG = 1000  # characters of what a value is
WORTH = 2048  # elements from which the arrays are put side by side; fewer are unrolled instead


@dataclass(frozen=True, eq=False)
class Block:
    """Arrays that lie side by side in an arena.

    Args:
        whole: all of them as one array, the gaps between them included.
        parts: in order.
    """

    whole: Buffer
    parts: tuple[Buffer, ...]


def put_together(steps: Sequence[Step], first_update: int, worth: int = WORTH) -> tuple[list[Step], list[Block]]:
    """Replace update loops that differ only in their arrays by one loop each over blocks of arrays.

    Args:
        steps: all steps.
        first_update: where the updates begin.
        worth: elements from which it is done.

    Returns:
        The steps, and the blocks that the memory plan must lay out.
    """
    updates = [_in_order(part) for step in steps[first_update:] for part in _split(step)]
    forms: dict[Hashable, list[FusedLoop]] = {}
    for step in updates:
        form = _form(step) if isinstance(step, FusedLoop) else None
        if form is not None and isinstance(step, FusedLoop):
            forms.setdefault(form, []).append(step)
    result, blocks, taken = [*steps[:first_update], *updates], list[Block](), set[Buffer]()
    for members in forms.values():
        columns = list(zip(*[_arrays(step) for step in members], strict=True))
        arrays = {b for column in columns for b in column}
        if _may_join(members, columns, updates, worth) and arrays.isdisjoint(taken):
            taken |= arrays
            own = [_block(column) for column in columns]
            blocks += own
            joined = _joined(members[0], dict(zip(_arrays(members[0]), [b.whole for b in own], strict=True)), members)
            place = result.index(members[-1])
            result[place] = joined
            result = [step for step in result if step not in members[:-1]]
    return result, blocks


def _split(step: Step) -> list[Step]:
    """A loop as several, one for each set of stores that has no array in common with the others."""
    if not isinstance(step, FusedLoop) or step.reductions or not step.axes:
        return [step]
    parts: list[tuple[set[Value], list[int]]] = []
    for k, store in enumerate(step.stores):
        needed, own = set(operands_first([store.value])), [k]
        walking = {v for v in needed if isinstance(v, Load) and any(s != ZERO for s in v.strides)}
        for other in [p for p in parts if not walking.isdisjoint(p[0])]:
            parts.remove(other)
            needed, own = needed | other[0], [*other[1], *own]
        parts.append((needed, own))
    return [
        FusedLoop(
            step.axes,
            tuple(v for v in step.body if v in needed),
            tuple(step.stores[k] for k in sorted(own)),
            (),
            tuple(step.nodes[k] for k in sorted(own)),
        )
        for needed, own in parts
    ]


def _in_order(step: Step) -> Step:
    """A loop whose stores, and then values, stand in an order that depends on nothing but what it computes."""
    if not isinstance(step, FusedLoop) or step.reductions or len(step.nodes) != len(step.stores):
        return step
    told: dict[Value, str] = {}
    for value in step.body:
        told[value] = _told(value, told)
    pairs = sorted(zip(step.stores, step.nodes, strict=True), key=lambda pair: told[pair[0].value])
    body = operands_first(store.value for store, _ in pairs)
    return FusedLoop(step.axes, tuple(body), tuple(s for s, _ in pairs), (), tuple(n for _, n in pairs))


def _told(value: Value, told: dict[Value, str]) -> str:
    """What a value is, whichever arrays the loop walks through; long texts shortened."""
    if isinstance(value, Load):
        walks = any(s != ZERO for s in value.strides)
        return value.buffer.role if walks else value.buffer.name
    if isinstance(value, Compute):
        text = f"{value.op}({', '.join(told[v] for v in value.operands)})"
        return text if len(text) < _LONG else hashlib.sha256(text.encode()).hexdigest()
    return f"{value.value} {value.dtype}" if isinstance(value, Literal) else value.axis


def _arrays(step: FusedLoop) -> list[Buffer]:
    """The arrays that a loop walks through, in the order of their first mention."""
    loads = [v.buffer for v in step.body if isinstance(v, Load) and any(s != ZERO for s in v.strides)]
    return list(dict.fromkeys([*loads, *(s.buffer for s in step.stores)]))


def _form(step: FusedLoop) -> Hashable | None:
    """What the loop does apart from which arrays it walks through; None where it does not walk straight through all."""
    if step.reductions or not step.axes or not all(isinstance(d, int) for d in step.axes):
        return None
    arrays = {b: k for k, b in enumerate(_arrays(step))}
    if len({b.dtype for b in arrays}) != 1 or any(b.role == "given" for b in arrays):
        return None
    number = {value: k for k, value in enumerate(step.body)}
    form: list[Hashable] = [len(arrays), next(iter(arrays)).dtype]
    for value in step.body:
        if isinstance(value, Load) and value.buffer in arrays:
            if not same_entries(value.strides, value.buffer, step.axes):
                return None
            form.append(("array", arrays[value.buffer]))
        elif isinstance(value, Load):
            form.append(("number", value.buffer))
        elif isinstance(value, Literal):
            form.append((repr(value.value), value.dtype))
        elif isinstance(value, Compute):
            form.append((value.op, value.dtype, tuple(number[v] for v in value.operands)))
        else:
            form.append(value.axis)
    if not all(same_entries(s.strides, s.buffer, step.axes) for s in step.stores):
        return None
    form.extend((arrays[s.buffer], s.buffer.role, number[s.value]) for s in step.stores)
    return tuple(form)


def _may_join(
    members: Sequence[FusedLoop], columns: Sequence[tuple[Buffer, ...]], updates: Sequence[Step], worth: int
) -> bool:
    """Whether it is worth it, every array has one place, and no other update stands between the members."""
    arrays = [b for column in columns for b in column]
    if len(members) < 2 or len(set(arrays)) != len(arrays) or sum(b.count.factor for b in columns[0]) < worth:
        return False
    if any(len({b.role for b in column}) != 1 for column in columns):
        return False
    others = [step for step in updates if step not in members]
    read = {b for step in members for b in reads_of(step)}
    written = {b for step in members for b in writes_of(step)}
    return all((read | written).isdisjoint(writes_of(step)) and written.isdisjoint(reads_of(step)) for step in others)


def _block(parts: Sequence[Buffer]) -> Block:
    first, last = parts[0], parts[-1]
    total = sum(padded(b.count.factor, b.dtype) for b in parts)
    return Block(Buffer(f"{first.name}_to_{last.name}", first.dtype, (total,), first.role, first.node), tuple(parts))


def _joined(step: FusedLoop, wholes: dict[Buffer, Buffer], members: Sequence[FusedLoop]) -> FusedLoop:
    """The first member's loop over whole blocks."""
    new: dict[Value, Value] = {}
    for value in step.body:
        if isinstance(value, Load):
            there = value.buffer in wholes
            new[value] = Load(wholes.get(value.buffer, value.buffer), (ONE,) if there else (ZERO,))
        elif isinstance(value, Compute):
            new[value] = replace(value, operands=tuple(new[v] for v in value.operands))
        else:
            new[value] = value
    length = next(iter(wholes.values())).shape
    stores = tuple(Store(wholes[s.buffer], (ONE,), new[s.value]) for s in step.stores)
    nodes = tuple(n for member in members for n in member.nodes)
    return FusedLoop(length, tuple(new[v] for v in step.body), stores, (), nodes)
