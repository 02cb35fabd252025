"""Entries of a node: an array of nodes of shape (), and the few things that are done with them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from graphlearn.graph.leaves import constant_array, typed_constant
from graphlearn.graph.lines import Line
from graphlearn.graph.node import Node, make
from graphlearn.graph.op import Attrs, Op, find_op

# Of nodes of shape (), in the shape of the array that they are the entries of.
Entries = np.ndarray[tuple[Any, ...], np.dtype[np.object_]]


def array_of(items: Sequence[Node], shape: Sequence[Any]) -> Entries:
    """Nodes as the entries of an array of this shape, row by row."""
    array = np.empty(len(items), object)
    for k, item in enumerate(items):
        array[k] = item
    return array.reshape(tuple(shape))


def lengths_of(node: Node) -> tuple[int, ...]:
    """The shape of a node without free axes."""
    return tuple(int(d) for d in node.shape)


def fitted(entry: Node, node: Node) -> Node:
    """An entry in the dtype of its array: a weak number takes that of the array that it is repeated in."""
    if entry.dtype == node.dtype and entry.type.weak == node.type.weak:
        return entry
    value = constant_array(entry)
    if value is not None:
        return typed_constant(value, node.dtype)
    return make(find_op("cast"), (entry,), (("dtype", node.dtype),), scope=node.scope, line=node.line)


class Place(NamedTuple):
    """Where the nodes of one operation belong, and the few operations that they are made of."""

    scope: str
    line: Line | None

    def apply(self, op: Op | str, *operands: Node, attrs: Attrs = ()) -> Node:
        """The node of an operation on numbers."""
        record = find_op(op) if isinstance(op, str) else op
        return make(record, operands, attrs, scope=self.scope, line=self.line)

    def chain(self, op: str, terms: Sequence[Node]) -> Node:
        """``a + b + c``, from left to right."""
        return functools.reduce(lambda x, y: self.apply(op, x, y), terms)
