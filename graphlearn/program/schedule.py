"""When each node is computed: levels. Nodes of one level and one space share a loop.

A value is computed late (just before it is needed), so that what lives long is what training needs anyway; the forward
pass, reductions and matrix products as soon as their operands are there, so that these can die.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from graphlearn.graph.node import Node
from graphlearn.program.access import Access, is_assembly, is_entrywise, is_reduction, loop_space, operands, space
from graphlearn.program.routines import is_routine

# Cost of computing an entry again, in additions; an op that is not listed is never computed twice.
_LIGHT = dict.fromkeys(
    ("add", "sub", "mul", "neg", "abs", "maximum", "minimum", "where", "copy", "cast", "less", "less_equal", "greater",
     "greater_equal", "equal", "not_equal", "logical_not", "logical_and", "logical_or"), 1,
)  # fmt: skip
_HEAVY = 100
_AGAIN = 3  # up to this cost an entry is computed again instead of stored and loaded


@dataclass(frozen=True)
class Schedule:
    """Order and place of every computed node.

    Args:
        order: the nodes that are computed, in topological order (views, leaves and constants left out).
        reads: node -> what it reads.
        level: node -> its level, 0 the last.
        stored: nodes whose entries are kept in memory; the others are computed where they are used.
    """

    order: tuple[Node, ...]
    reads: Mapping[Node, tuple[Access, ...]]
    level: Mapping[Node, int]
    stored: frozenset[Node]


def is_computed(node: Node) -> bool:
    """Whether a node is a step of its own, neither given nor a view."""
    return is_entrywise(node) or is_reduction(node) or is_assembly(node) or _is_whole(node)


def _is_whole(node: Node) -> bool:
    """Whether a node is a step that reads arrays from memory, with nothing computed on the way."""
    return node.op.name == "matmul" or is_routine(node)


def schedule(order: Iterable[Node], last: Mapping[Node, int], early: frozenset[Node]) -> Schedule:
    """Give every node a level and decide what is stored.

    Args:
        order: topological order of the expanded graph.
        last: root -> its level, 0 or below.
        early: nodes to compute as soon as their operands are there (the loss and what it needs).
    """
    steps = tuple(node for node in order if is_computed(node))
    reads = {node: operands(node) for node in steps}
    late = _latest(steps, reads, last)
    level = _pulled(steps, reads, late, last, early)
    return Schedule(steps, reads, level, _stored(steps, reads, level, last))


def shares_loop(consumer: Node, access: Access) -> bool:
    """Whether the value read can be a local of the consumer's own loop."""
    if _is_whole(consumer) or is_assembly(consumer):
        return False
    return is_entrywise(access.base) and access.matches(loop_space(consumer))


def _latest(
    steps: Sequence[Node], reads: Mapping[Node, tuple[Access, ...]], last: Mapping[Node, int]
) -> dict[Node, int]:
    late = dict(last)
    for node in reversed(steps):
        own = late.setdefault(node, 0)
        for access in reads[node]:
            if access.base in reads:
                bound = own if shares_loop(node, access) else own - 1
                late[access.base] = min(late.get(access.base, 0), bound)
    return late


def _pulled(
    steps: Sequence[Node],
    reads: Mapping[Node, tuple[Access, ...]],
    late: Mapping[Node, int],
    last: Mapping[Node, int],
    early: frozenset[Node],
) -> dict[Node, int]:
    floating = _floating(steps, reads, last)
    level: dict[Node, int] = {}
    for node in steps:
        level[node] = late[node]
        if node not in floating and (node in early or not is_entrywise(node)):
            bounds = [
                level[a.base] + (not shares_loop(node, a))
                for a in reads[node]
                if a.base in reads and a.base not in floating
            ]
            level[node] = max(bounds, default=late[node])
    return {**level, **_settled(steps, reads, level, floating)}


def _floating(
    steps: Sequence[Node], reads: Mapping[Node, tuple[Access, ...]], last: Mapping[Node, int]
) -> frozenset[Node]:
    """Entrywise nodes that need leaves only: they may be computed at any time, so they pull nothing."""
    floating: set[Node] = set()
    for node in steps:
        free = all(a.base in floating or a.base not in reads for a in reads[node])
        if free and is_entrywise(node) and node not in last:
            floating.add(node)
    return frozenset(floating)


def _settled(
    steps: Sequence[Node],
    reads: Mapping[Node, tuple[Access, ...]],
    level: Mapping[Node, int],
    floating: frozenset[Node],
) -> dict[Node, int]:
    """Levels of floating nodes: just before their first use."""
    settled: dict[Node, int] = {}
    for node in reversed(steps):
        own = settled.get(node, 0) if node in floating else level[node]
        for access in reads[node]:
            if access.base in floating:
                bound = own if shares_loop(node, access) else own - 1
                settled[access.base] = min(settled.get(access.base, 0), bound)
    return settled


def _stored(
    steps: Sequence[Node],
    reads: Mapping[Node, tuple[Access, ...]],
    level: Mapping[Node, int],
    last: Mapping[Node, int],
) -> frozenset[Node]:
    stored = {node for node in steps if not is_entrywise(node) or node in last}
    elsewhere, again = _uses(steps, reads, level)
    cost: dict[Node, int] = {}
    for node in steps:
        if node in stored:
            continue
        cost[node] = _LIGHT.get(node.op.name, _HEAVY) + sum(cost.get(a.base, 0) for a in reads[node])
        if node in elsewhere or (node in again and (cost[node] > _AGAIN or not space(node.shape))):
            stored.add(node)
            cost.pop(node)
    return frozenset(stored)


def _uses(
    steps: Sequence[Node], reads: Mapping[Node, tuple[Access, ...]], level: Mapping[Node, int]
) -> tuple[set[Node], set[Node]]:
    """Nodes that are read from memory in any case, and nodes that another loop over the same space reads."""
    elsewhere: set[Node] = set()
    again: set[Node] = set()
    for node in steps:
        for access in reads[node]:
            if not shares_loop(node, access):
                elsewhere.add(access.base)
            elif level[access.base] != level[node]:
                again.add(access.base)
    return elsewhere, again
