"""Leaves made from leaves: the same one with its lengths fixed, or one entry of it. They take the values given for it.

A side table, since a node holds mathematics alone. Made twice, such a leaf is one object: a loss and its gradient that
are specialized one after the other still share their leaves.
"""

from __future__ import annotations

from typing import NamedTuple
from weakref import WeakKeyDictionary

from graphlearn.graph.frozen import FrozenArray
from graphlearn.graph.interning import TABLE
from graphlearn.graph.node import Node, new_node
from graphlearn.types import ArrayType, Shape


class Kin(NamedTuple):
    """Where a leaf comes from.

    Args:
        ancestors: the leaves that it was made from, the last one being the first that there was.
        type: of the array whose entry it is, or of itself.
        place: of the entry; None where it is the whole array.
    """

    ancestors: tuple[Node, ...]
    type: ArrayType
    place: tuple[int, ...] | None


_KIN: WeakKeyDictionary[Node, Kin] = WeakKeyDictionary()


def kin(leaf: Node) -> Kin | None:
    """Where a leaf comes from; None for one that was declared."""
    return _KIN.get(leaf)


def with_lengths(leaf: Node, shape: Shape) -> Node:
    """An input with lengths in place of its free axes.

    Args:
        leaf: an input, parameter or state.
        shape: of the same rank; where it is that of the leaf, the leaf is returned.
    """
    if shape == leaf.shape:
        return leaf
    return _made(leaf, ("lengths", leaf, shape), leaf.type.with_shape(shape), leaf.name, None)


def entry_of(leaf: Node, place: tuple[int, ...]) -> Node:
    """One entry of a leaf as a leaf of its own, named ``w[1,2]``.

    Args:
        leaf: an input, parameter or state with fixed lengths; a scalar is returned as it is.
        place: within its shape.
    """
    if not leaf.shape:
        return leaf
    name = f"{leaf.name}[{','.join(map(str, place))}]"
    return _made(leaf, ("entry", leaf, place), ArrayType((), leaf.dtype), name, place)


def _made(leaf: Node, key: tuple[object, ...], kind: ArrayType, name: str, place: tuple[int, ...] | None) -> Node:
    entry = TABLE.get(key)
    known: Node | None = None if entry is None else entry()
    if known is not None:
        return known
    attrs = leaf.attrs
    if place is not None:
        attrs = tuple((k, _entry(v, place) if k == "value" else v) for k, v in attrs)
    fresh = TABLE.enter(key, new_node(leaf.op, (), attrs, kind, name, leaf.scope))
    before = kin(leaf)
    ancestors = (leaf,) if before is None else (leaf, *before.ancestors)
    _KIN[fresh] = Kin(ancestors, leaf.type if place is not None else kind, place)
    return fresh


def _entry(value: FrozenArray | None, place: tuple[int, ...]) -> FrozenArray | None:
    return None if value is None else FrozenArray(value.array[place])
