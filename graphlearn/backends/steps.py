"""What a function or a training loop is asked to do, checked before it runs: compiled code checks nothing itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from graphlearn.errors import DataError, MissingValueError


def lengths_of(axes: Sequence[str], sizes: Mapping[str, int]) -> list[int]:
    """The lengths of free axes.

    Raises:
        MissingValueError: no array shows how long one is.
    """
    missing = [axis for axis in axes if axis not in sizes]
    if missing:
        raise MissingValueError(
            f"the graph needs the length of axis {missing[0]!r}, which no given array shows. Give an array for a leaf "
            f"that has this axis; to gl.evaluate, sizes={{{missing[0]!r}: ...}} will do."
        )
    return [sizes[axis] for axis in axes]


def write_out(found: Sequence[np.ndarray], out: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
    """Write results into arrays that the caller has given."""
    for result, array in zip(found, out, strict=True):
        array[...] = result
    return tuple(out)


def exist(places: np.ndarray, rows: int) -> bool:
    """Whether all numbers of rows are from 0 to below ``rows``, found in one pass: as bits, those below 0 are huge."""
    return not places.size or int(np.asarray(places, np.int64).view(np.uint64).max()) < rows


def check_steps(
    counts: np.ndarray, order: np.ndarray | None, losses: np.ndarray, *, rows: int | None, capacity: int
) -> None:
    """Check the arguments of `TrainingRun.run`.

    Args:
        counts: rows of each step's batch.
        order: row numbers, batch after batch; None: every step takes all rows.
        losses: written, one entry per step.
        rows: rows of the data; None when a step reads no data.
        capacity: rows of the largest batch.

    Raises:
        DataError: what would be read or written does not exist.
    """
    if len(losses) < len(counts):
        raise DataError(f"losses needs one entry per step; got {len(losses)} for {len(counts)} steps. Make it longer.")
    if rows is None or not len(counts):
        return
    if order is None:
        if (counts != rows).any():
            raise DataError(f"without order every step takes all {rows} rows; got {counts.min()}. Give order.")
        return
    if counts.min() < 1 or counts.max() > capacity:
        raise DataError(
            f"a batch needs 1 to {capacity} rows; got {counts.min()} to {counts.max()}. Change counts or batch_size."
        )
    if len(order) < counts.sum() or not exist(order, rows):
        raise DataError(
            f"order needs {counts.sum()} row numbers from 0 to {rows - 1}; got {len(order)}, from {order.min()} to "
            f"{order.max()}. Correct it."
        )
