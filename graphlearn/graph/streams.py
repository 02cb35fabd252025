"""Random streams: what a run gives beside its data (a seed, a step), and which number each random call has.

Rule: a stream's number is the rank of its first appearance in the graph that is consumed; no counter of the process
takes part, so that the same program draws the same numbers wherever it runs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, MutableMapping, Sequence
from weakref import WeakKeyDictionary

import numpy as np

from graphlearn.errors import OptionError
from graphlearn.graph.node import Node, make, new_node
from graphlearn.graph.op import ATOM, Notation, Op, register
from graphlearn.types import ArrayType

RUN = register(
    Op(
        "run",
        "leaf",
        lambda types: ArrayType((), "int64"),
        Notation(lambda n: n.name, lambda n: n.name, ATOM),
        doc="A number that belongs to a run and not to its data: the seed, the step.",
    )
)
# There is one of each. Nobody binds them by name: `seed=` and `step=` of whatever runs a graph do.
SEED, STEP = (new_node(RUN, (), (), ArrayType((), "int64"), name, "random") for name in ("seed", "step"))


class Stream:
    """The identity of one random call, kept by every rewriting; two calls are two streams."""

    __slots__ = ("__weakref__",)

    def __repr__(self) -> str:
        return "its own"


# Derivative -> the streams of what was differentiated, in their order: a gradient draws the numbers of its loss. A side
# table, since a node holds mathematics alone; of streams alone, since a node would keep the loss alive.
_ORIGINS: WeakKeyDictionary[Node, tuple[Stream, ...]] = WeakKeyDictionary()


def number_streams(order: Iterable[Node]) -> dict[Stream, int]:
    """The number of each stream of a graph.

    Args:
        order: its nodes in topological order. What derivatives among them were made from comes first.

    Returns:
        stream -> number from 0 on.
    """
    found: dict[Stream, None] = {}
    own: dict[Stream, None] = {}
    for node in order:
        if _ORIGINS and node in _ORIGINS:
            found.update(dict.fromkeys(_ORIGINS[node]))
        if node.attrs and node.inputs:
            own.update((value, None) for _, value in node.attrs if type(value) is Stream)
    return {stream: number for number, stream in enumerate({**found, **own})}


def remember_streams(derivatives: Iterable[Node], order: Sequence[Node]) -> list[Node]:
    """Note whose numbers derivatives draw.

    Args:
        derivatives: of an output.
        order: what the output consists of, in topological order.

    Returns:
        The derivatives; one that is a part of the output itself as a node of its own, since alone it has other streams.
    """
    streams = tuple(number_streams(order))
    if not streams:
        return list(derivatives)
    parts = set(order)
    found = []
    for node in derivatives:
        twin = make(node.op, node.inputs, node.attrs, scope="derivative") if node in parts and node.inputs else node
        if twin.inputs:
            _ORIGINS[twin] = streams
        found.append(twin)
    return found


def carry_streams(new: Mapping[Node, Node], roots: Iterable[Node]) -> None:
    """Note that a rewritten graph draws the numbers of the old one, though its operands may stand in another order.

    Args:
        new: old node -> new node, in topological order of the old graph.
        roots: outputs of the old graph.
    """
    share_streams([new[root] for root in roots], new)


def share_streams(outputs: Iterable[Node], order: Collection[Node]) -> None:
    """Note that outputs which were made of a graph draw its numbers.

    Args:
        outputs: what it became; those that are a part of it stay as they are.
        order: its nodes in topological order, at hand as a set or dictionary.
    """
    streams = tuple(number_streams(order))
    if not streams:
        return
    for node in outputs:
        if node not in order and node.inputs:
            _ORIGINS[node] = streams


def bind_run(order: Iterable[Node], arrays: MutableMapping[Node, np.ndarray], seed: int, step: int) -> None:
    """Put seed and step among the arrays of the leaves where a graph asks for them.

    Args:
        order: the nodes of the graph.
        arrays: leaf -> array, to be completed.
        seed: from 0 to 2**64 - 1, handed on as the int64 of the same bits.
        step: of a training, from 0 on.

    Raises:
        OptionError: no seed or step.
    """
    seed, step = check_seed(seed), check_step(step)
    for node in order:
        if node.op is RUN:
            bits = np.array(seed, np.uint64).view(np.int64)
            arrays[node] = bits if node is SEED else np.array(step, np.int64)


def check_seed(seed: object) -> int:
    """A seed as an int.

    Raises:
        OptionError: not a whole number from 0 to 2**64 - 1.
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= int(seed) < 2**64:
        raise OptionError(f"seed needs a whole number from 0 to 2**64 - 1; got {seed!r}. Give one, e.g. seed=0.")
    return int(seed)


def check_step(step: object) -> int:
    """A step as an int.

    Raises:
        OptionError: not a whole number from 0 to 2**63 - 1.
    """
    if isinstance(step, bool) or not isinstance(step, (int, np.integer)) or not 0 <= int(step) < 2**63:
        raise OptionError(f"step needs a whole number from 0 to 2**63 - 1; got {step!r}. Give one, e.g. step=0.")
    return int(step)
