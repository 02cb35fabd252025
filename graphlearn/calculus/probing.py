"""Operations that move entries, and linear ones, found out by running their references on numbers made for that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphlearn.calculus.entries import Entries, Place, array_of, lengths_of
from graphlearn.errors import GraphLearnError
from graphlearn.graph.leaves import INPUT, constant_array, typed_constant
from graphlearn.graph.node import Node, new_node
from graphlearn.graph.traverse import topological


def _places_known(node: Node) -> list[np.ndarray | None]:
    """For each operand its array where that is a constant of whole numbers, which may say where entries go."""
    arrays = [constant_array(n) for n in node.inputs]
    return [None if a is None or n.type.is_float else a for a, n in zip(arrays, node.inputs, strict=True)]


def _run(node: Node, arrays: Sequence[Any]) -> np.ndarray | None:
    """The reference on other arrays; None where it does not take them."""
    if node.op.reference is None:
        return None
    try:
        with np.errstate(all="ignore"):
            result = np.asarray(node.op.reference(*arrays, **dict(node.attrs)))
    except (GraphLearnError, ArithmeticError, LookupError, TypeError, ValueError):
        return None
    return result if result.shape == node.shape else None


def moved(node: Node, operands: Sequence[Entries]) -> Entries | None:
    """The entries of an operation that only moves them; None for any other.

    The reference runs on the entries' numbers from 1 on, where 0 is a zero of its own, and once more on other numbers:
    what is moved is the same in both.
    """
    known = _places_known(node)
    for given in dict.fromkeys([(None,) * len(known), tuple(None if a is None else k for k, a in enumerate(known))]):
        labels, count = list[Any](), 1
        for k, entries in enumerate(operands):
            if given[k] is not None:
                labels.append(known[k])
                continue
            labels.append(np.arange(count, count + entries.size, dtype=np.int64).reshape(entries.shape))
            count += entries.size

        def run(numbers: np.ndarray, given: Sequence[int | None] = given, labels: Sequence[Any] = labels) -> Any:
            return _run(node, [a if given[k] is not None else numbers[a] for k, a in enumerate(labels)])

        first = run(np.arange(count))
        if first is None or first.dtype.kind != "i" or not np.all((first >= 0) & (first < count)):
            continue
        if all(np.array_equal(numbers[first], run(numbers)) for numbers in _renumberings(count)):
            zero = typed_constant(0, node.dtype)
            pool = [zero, *(e for k, a in enumerate(operands) if given[k] is None for e in a.ravel().tolist())]
            return array_of([pool[k] for k in first.ravel().tolist()], node.shape)
    return None


def _renumberings(count: int) -> list[np.ndarray]:
    """Other numbers, of which 0 stays 0: far apart, so that sums are found out, and in other orders, places too."""
    falling = np.arange(count, 0, -1, dtype=np.int64) * 7919
    mixed = np.random.Generator(np.random.Philox(count)).permutation(count) * 104_729 + 104_729
    falling[0] = mixed[0] = 0
    return [falling, mixed]


def linear(node: Node, operands: Sequence[Entries], at: Place) -> Entries | None:
    """The entries of a linear operation, each as a sum of entries with numbers before them; None for any other."""
    known = _places_known(node)
    free = [k for k, a in enumerate(known) if a is None]
    if not node.type.is_float or not free or not all(node.inputs[k].type.is_float for k in free):
        return None
    nothing = _run(node, [_probe(known[k], a, None) for k, a in enumerate(operands)])
    if nothing is None or np.any(nothing) or not _is_linear(node, free):
        return None
    sums: list[list[Node]] = [[] for _ in np.ndindex(*lengths_of(node))]
    for k in free:
        for j, entry in enumerate(operands[k].ravel().tolist()):
            unit = np.zeros(operands[k].shape)
            unit.flat[j] = 1
            column = _run(node, [_probe(known[i], operands[i], unit if i == k else None) for i in range(len(known))])
            if column is None:
                return None
            for place in np.flatnonzero(column):
                sums[place].append(_times(float(column.flat[place]), entry, node, at))
    zero = typed_constant(0, node.dtype)
    return array_of([at.chain("add", terms) if terms else zero for terms in sums], node.shape)


def _probe(known: np.ndarray | None, entries: Entries, unit: np.ndarray | None) -> np.ndarray:
    return unit if unit is not None else np.zeros(entries.shape) if known is None else known


def _times(number: float, entry: Node, node: Node, at: Place) -> Node:
    if number == 1:
        return entry
    return at.apply("neg", entry) if number == -1 else at.apply("mul", typed_constant(number, node.dtype), entry)


def _is_linear(node: Node, free: Sequence[int]) -> bool:
    """Whether no adjoint depends on the operands: the derivative is then the same everywhere."""
    if node.op.adjoint is None:
        return False
    upstream = new_node(INPUT, (), (), node.type, "upstream", "")
    adjoints = node.op.adjoint(node, upstream)
    if any(adjoints[k] is None for k in free):
        return False
    below = set(topological([a for a in adjoints if a is not None]))
    return below.isdisjoint([*(node.inputs[k] for k in free), node])
