"""Outputs computed for some rows at a time: each batch is read where it lies and written where the result is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from graphlearn.backends.registry import CompiledFunction, load_batching, lowered
from graphlearn.errors import DataError, OptionError
from graphlearn.graph.node import Node
from graphlearn.learn.data import convert


class Rows(NamedTuple):
    """What is computed row by row.

    Args:
        outputs: nodes whose first axis is the free one.
        given: inputs whose first axis it is -> numbers of any dtype, memory-mapped ones too.
        others: all other leaves -> arrays ready for use.
        axis: the free axis.
        size: rows of a batch.
        precision: of the computation.
    """

    outputs: tuple[Node, ...]
    given: Mapping[Node, np.ndarray]
    others: Mapping[Node, np.ndarray]
    axis: str
    size: int
    precision: str

    def compute(self, function: CompiledFunction) -> tuple[np.ndarray, ...]:
        """All rows, one batch after the other, written into one array per output."""
        rows = len(next(iter(self.given.values())))
        outputs = [self._room(node, rows) for node in self.outputs]
        for start in range(0, rows, self.size):
            stop = min(start + self.size, rows)
            batch = {
                leaf: convert(leaf, array[start:stop], self.precision, f"inputs[{leaf.full_name!r}]", start)
                for leaf, array in self.given.items()
            }
            function({**self.others, **batch}, {self.axis: stop - start}, [array[start:stop] for array in outputs])
        return tuple(outputs)

    def _room(self, node: Node, rows: int) -> np.ndarray:
        shape = tuple(rows if d == self.axis else d for d in node.shape)
        return np.empty(shape, lowered(node.dtype, self.precision))  # type: ignore[arg-type]  # the others are fixed


def split_rows(
    outputs: tuple[Node, ...],
    inputs: Mapping[Node, np.ndarray],
    others: Mapping[Node, np.ndarray],
    program: Any,
    precision: str,
    batch_size: object,
) -> Rows | None:
    """How outputs are computed in batches; None where all rows are computed at once.

    Args:
        outputs: nodes.
        inputs: numbers for the inputs that they need.
        others: arrays for all other leaves.
        program: of the compiled function, or None where a backend has none.
        precision: of the computation.
        batch_size: rows of a batch; None: as many as have room for intermediate results, all of them if they do.

    Raises:
        OptionError: batches are asked for that cannot be.
        DataError: the inputs have different numbers of rows.
    """
    wanted = _check_size(batch_size)
    if wanted is None and program is None:
        return None  # the reference computes what it is given
    batching = load_batching()
    if not batching.has_rows(program):
        if wanted is None:
            return None
        program = batching.plan(outputs, precision)
    obstacle = batching.obstacle(program, outputs, {**others, **inputs})
    if obstacle and wanted is not None:
        raise OptionError(f"these outputs are not computed row by row: {obstacle}. Leave batch_size out.")
    if obstacle:
        return None
    (axis,) = program.axes
    given = {leaf: array for leaf, array in inputs.items() if axis in leaf.shape}
    rows = _count(given)
    size = min(wanted or batching.fitting(program, axis, rows, _converted(given, precision)), rows)
    if not rows or (wanted is None and size == rows):
        return None
    fixed = {
        leaf: convert(leaf, array, precision, f"inputs[{leaf.full_name!r}]")
        for leaf, array in inputs.items()
        if leaf not in given
    }
    return Rows(outputs, given, {**others, **fixed}, axis, size, precision)


def _check_size(batch_size: object) -> int | None:
    if batch_size is None:
        return None
    if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
        raise OptionError(f"batch_size needs a whole number above 0, or None; got {batch_size!r}.")
    return int(batch_size)


def _count(given: Mapping[Node, np.ndarray]) -> int:
    lengths = {leaf.full_name: len(array) for leaf, array in given.items()}
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{name!r} has {n}" for name, n in lengths.items())
        raise DataError(f"inputs needs equally many rows in each array; {counts}. Cut or fill one.")
    return next(iter(lengths.values()))


def _converted(given: Mapping[Node, np.ndarray], precision: str) -> int:
    """Bytes of a row of copies in another dtype."""
    other = [(array, np.dtype(lowered(leaf.dtype, precision))) for leaf, array in given.items()]
    return sum(array[:1].size * dtype.itemsize for array, dtype in other if array.dtype != dtype)
