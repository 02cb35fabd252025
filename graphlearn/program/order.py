"""The order in which a person reads a training step: the forward pass, the backward pass, what only updates need."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from graphlearn.graph.node import Node
from graphlearn.program.steps import Buffer, FusedLoop, Step, Store
from graphlearn.program.uses import operands_first, reads_of, writes_of

_FORWARD, _BACKWARD, _NUMBERS = range(3)


def by_section(steps: Sequence[Step], first_update: int, forward: Collection[Node]) -> tuple[list[Step], int]:
    """Bring the steps before the updates into the order of sections, otherwise as they are.

    Args:
        steps: of a training program; each value is written once, and updates stand last.
        first_update: where the updates begin.
        forward: the nodes of the forward pass.

    Returns:
        The steps, and where the updates begin.
    """
    split = [part for step in steps[:first_update] for part in _split(step, forward)]
    updates = steps[first_update:]
    elsewhere = {b for step in split if not _is_number(step) for b in reads_of(step)}
    rank: dict[Step, int] = {}
    for step in reversed(split):
        if _is_number(step) and elsewhere.isdisjoint(writes_of(step)) and not _all_forward(step, forward):
            rank[step] = _NUMBERS
        else:
            rank[step] = _FORWARD if _all_forward(step, forward) else _BACKWARD
            elsewhere.update(reads_of(step))
    made: dict[Buffer, int] = {}
    for step in split:
        rank[step] = max([rank[step], *(made[b] for b in reads_of(step) if b in made)])
        made.update(dict.fromkeys(writes_of(step), rank[step]))
    return [*sorted(split, key=rank.__getitem__), *updates], len(split)


def _is_number(step: Step) -> bool:
    return isinstance(step, FusedLoop) and not step.axes


def _all_forward(step: Step, forward: Collection[Node]) -> bool:
    return all(node in forward for node in step.nodes)


def _split(step: Step, forward: Collection[Node]) -> list[Step]:
    """Numbers of the forward pass and others, which share a loop over nothing, apart."""
    if not isinstance(step, FusedLoop) or step.axes or step.reductions or len(step.nodes) != len(step.stores):
        return [step]
    pairs = list(zip(step.stores, step.nodes, strict=True))
    parts = [[pair for pair in pairs if (pair[1] in forward) == early] for early in (True, False)]
    return [_numbers(part) for part in parts if part]


def _numbers(pairs: Sequence[tuple[Store, Node]]) -> FusedLoop:
    body = operands_first(store.value for store, _ in pairs)
    return FusedLoop((), tuple(body), tuple(store for store, _ in pairs), (), tuple(node for _, node in pairs))
