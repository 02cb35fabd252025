"""How operations that choose by number are written out: places of extremes, entries at places that are computed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from graphlearn.calculus.entries import Entries, Place, array_of, fitted, lengths_of
from graphlearn.graph.leaves import constant_array, typed_constant
from graphlearn.graph.node import Node, as_node
from graphlearn.ops.entries import extreme_of

Choice = Callable[[Node, Sequence[Entries], Place], Entries]


def extreme_entry(name: str, line: Sequence[Node], at: Place) -> Node:
    """The largest or smallest of the entries of a line; ``name`` is that of the operation on two."""
    if len(line) < 3:
        return at.chain(name, line)
    return at.apply(extreme_of(name, len(line)), *line)


def place_of(extreme: str) -> Choice:
    """The row of argmax or argmin: the first entry that is the extreme, or NaN."""

    def row(node: Node, operands: Sequence[Entries], at: Place) -> Entries:
        across = np.moveaxis(operands[0], node.attr("axis"), -1)
        found = [_first(extreme, across[p].tolist(), at) for p in np.ndindex(across.shape[:-1])]
        return array_of(found, node.shape)

    return row


def _first(extreme: str, line: list[Node], at: Place) -> Node:
    top = extreme_entry(extreme, line, at)
    place = typed_constant(len(line) - 1, "int64")
    for k in range(len(line) - 2, -1, -1):
        found = at.apply("equal", line[k], top)
        if line[k].type.is_float:  # NaN is no extreme but counts as one
            found = at.apply("logical_or", found, at.apply("not_equal", line[k], line[k]))
        place = at.apply("where", found, typed_constant(k, "int64"), place)
    return place


def entry_at(index: Node, line: Sequence[Node], node: Node, at: Place) -> Node:
    """The entry of a line whose place a number says; beyond it NaN, or 0 of whole numbers, as in compiled code."""
    place = _from_front(index, len(line), at)
    found = typed_constant(math.nan if node.type.is_float else 0, node.dtype)
    for k, entry in reversed(list(enumerate(line))):
        found = at.apply("where", _is(place, k, at), entry, found)
    return found


def _from_front(index: Node, length: int, at: Place) -> Node:
    """A place counted from 0, where a number below 0 counts from the end."""
    wide = index if index.dtype == "int64" else at.apply("cast", index, attrs=(("dtype", "int64"),))
    return at.apply("where", at.apply("less", wide, as_node(0)), at.apply("add", wide, as_node(length)), wide)


def _is(place: Node, k: int, at: Place) -> Node:
    return at.apply("equal", place, as_node(k))


def _take(node: Node, operands: Sequence[Entries], at: Place) -> Entries:
    x, indices = operands
    axis = node.attr("axis")
    lines = np.moveaxis(x, axis, -1)
    kept = lines.shape[:-1]
    found = [
        entry_at(index, lines[p].tolist(), node, at) for p in np.ndindex(kept) for index in indices.ravel().tolist()
    ]
    behind = array_of(found, (*kept, *indices.shape))
    count = indices.ndim
    return np.moveaxis(behind, range(len(kept), len(kept) + count), range(axis, axis + count))


def _take_along(node: Node, operands: Sequence[Entries], at: Place) -> Entries:
    lines, indices = (np.moveaxis(a, node.attr("axis"), -1) for a in operands)
    found = [entry_at(index, lines[p[:-1]].tolist(), node, at) for p, index in np.ndenumerate(indices)]
    return np.moveaxis(array_of(found, indices.shape), -1, node.attr("axis"))


def _scatter(node: Node, operands: Sequence[Entries], at: Place) -> Entries:
    updates, indices = operands
    axis, count = node.attr("axis"), indices.ndim
    behind = np.moveaxis(updates, range(axis, axis + count), range(updates.ndim - count, updates.ndim))
    rows = behind.reshape((*behind.shape[: behind.ndim - count], -1)) if behind.size else behind[..., :0]
    every = [indices.ravel().tolist()] * math.prod(rows.shape[:-1])
    return _added(rows, every, node, at)


def _scatter_along(node: Node, operands: Sequence[Entries], at: Place) -> Entries:
    rows, indices = (np.moveaxis(a, node.attr("axis"), -1) for a in operands)
    return _added(rows, [indices[p].tolist() for p in np.ndindex(indices.shape[:-1])], node, at)


def _added(rows: Entries, indices: Sequence[Sequence[Node]], node: Node, at: Place) -> Entries:
    """Each line of the result: at each place the sum of the updates whose index says so."""
    length = lengths_of(node)[node.attr("axis")]
    zero = typed_constant(0, node.dtype)
    found = []
    for p, numbers in zip(np.ndindex(rows.shape[:-1]), indices, strict=True):
        places = [_from_front(index, length, at) for index in numbers]
        line = [fitted(update, node) for update in rows[p].tolist()]
        for k in range(length):
            parts = [at.apply("where", _is(i, k, at), u, zero) for i, u in zip(places, line, strict=True)]
            found.append(at.chain("add", parts) if parts else zero)
    return np.moveaxis(array_of(found, (*rows.shape[:-1], length)), -1, node.attr("axis"))


_COMPUTED: dict[str, Choice] = {
    "take": _take, "take_along_axis": _take_along, "scatter_add": _scatter, "scatter_along_axis": _scatter_along,
}  # fmt: skip


def chosen(node: Node, operands: Sequence[Entries], at: Place) -> Entries | None:
    """The entries of an operation on places that are computed; None for any other, and for constant places."""
    row = _COMPUTED.get(node.op.name)
    return None if row is None or constant_array(node.inputs[1]) is not None else row(node, operands, at)
