"""Which rows each step of a `fit` takes: a pure function of (seed, epoch), so that any part can be repeated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from graphlearn.backends.steps import exist
from graphlearn.errors import DataError, OptionError
from graphlearn.graph.streams import check_seed
from graphlearn.learn.stream import shuffles

Ints = np.ndarray[tuple[Any, ...], np.dtype[np.int64]]
Begun = tuple[tuple[object, ...] | None, int]


class Batches(ABC):
    """The rows of every step."""

    steps_per_epoch: int
    capacity: int  # rows of the largest batch
    counts: Ints  # rows in each step of an epoch
    kind: tuple[object, ...] | None = None  # equal kinds have equal epochs; None: an epoch cannot be taken up again
    first_epoch = 0  # number of the epoch that a fit begins with
    begin = 0  # steps of this epoch that an earlier fit has made

    @abstractmethod
    def take(self, start: int, stop: int) -> tuple[Ints, Ints | None]:
        """Rows of the steps ``start`` to ``stop``, counted from the beginning of the first epoch.

        Returns:
            Rows per step, and the row numbers batch after batch; None: every step takes all rows in their own order.
        """

    def follow(self, epochs: int, begun: Begun | None) -> None:
        """Go on after earlier fits: within the epoch that they began, if it is one of this kind.

        Args:
            epochs: whole ones that they made.
            begun: kind of the epoch that was not finished, and its steps that were made.
        """
        kind, made = begun or (None, 0)
        same = kind is not None and kind == self.kind
        self.begin = made if same else 0
        self.first_epoch = epochs if begun is None or same else epochs + 1


class FullBatch(Batches):
    """Every step takes all rows."""

    steps_per_epoch = 1

    def __init__(self, rows: int) -> None:
        self.capacity = rows
        self.counts: Ints = np.array([rows], np.int64)

    def take(self, start: int, stop: int) -> tuple[Ints, None]:
        """All rows, each time."""
        return np.full(stop - start, self.capacity, np.int64), None


class MiniBatches(Batches):
    """Every epoch takes each row once; the last batch holds what is left.

    Args:
        rows: rows of the data.
        size: rows of a batch.
        seed: of the shuffling; None: rows in their own order.
    """

    def __init__(self, rows: int, size: int, seed: int | None) -> None:
        self.capacity = size
        self.kind = (rows, size, seed)
        self.steps_per_epoch = -(-rows // size)
        self.counts: Ints = np.full(self.steps_per_epoch, size, np.int64)
        self.counts[-1] = rows - size * (self.steps_per_epoch - 1)
        self._rows, self._size, self._seed = rows, size, seed
        self._kept: tuple[int, Ints] | None = None  # an epoch that is longer than a chunk is shuffled once

    def take(self, start: int, stop: int) -> tuple[Ints, Ints]:
        """Rows of some steps."""
        first, last = start // self.steps_per_epoch, -(-stop // self.steps_per_epoch)
        counts = np.tile(self.counts, last - first)[start - first * self.steps_per_epoch :][: stop - start]
        begin = (start - first * self.steps_per_epoch) * self._size
        return counts, self._orders(first, last)[begin : begin + int(counts.sum())]

    def _orders(self, first: int, last: int) -> Ints:
        if self._seed is None:
            return np.tile(np.arange(self._rows, dtype=np.int64), last - first)
        if last - first > 1:
            return shuffles(self._seed, self._rows, self.first_epoch + first, last - first).reshape(-1)
        if self._kept is None or self._kept[0] != first:
            self._kept = (first, shuffles(self._seed, self._rows, self.first_epoch + first, 1).reshape(-1))
        return self._kept[1]


class GivenOrder(Batches):
    """Row numbers that the caller states, to repeat another's run exactly.

    Args:
        order: int64 (steps, batch).
        epochs: into how many equal parts the steps are grouped.
    """

    def __init__(self, order: Ints, epochs: int) -> None:
        self._order = order
        self.capacity = order.shape[1]
        self.steps_per_epoch = len(order) // epochs
        self.counts: Ints = np.full(self.steps_per_epoch, self.capacity, np.int64)

    def take(self, start: int, stop: int) -> tuple[Ints, Ints]:
        """The stated rows."""
        return np.full(stop - start, self.capacity, np.int64), self._order[start:stop].reshape(-1)


def make_batches(
    rows: int,
    axis: str,
    *,
    epochs: int,
    batch_size: int | None,
    shuffle: bool,
    seed: int,
    order: object,
    after: tuple[int, Begun | None] = (0, None),
) -> Batches:
    """The batches that the arguments of `fit` ask for.

    Args:
        rows: rows of the data.
        axis: the free axis; empty when nothing can be batched.
        epochs: passes over the data.
        batch_size: rows of a batch; None: all.
        shuffle: another order of rows in each epoch; of no consequence when a batch holds all rows.
        seed: of the shuffling.
        order: row numbers (steps, batch), or None.
        after: whole epochs of earlier fits, and the one that they began; see `Batches.follow`.

    Raises:
        OptionError: a batch size or an order that cannot be used.
        DataError: a batch larger than the data.
    """
    if not axis and (batch_size is not None or order is not None):
        raise OptionError(
            "batches need inputs with a free first axis; the loss has none. Declare them as gl.input('x', ('batch', "
            "2))."
        )
    if order is not None:
        batches: Batches = GivenOrder(_check_order(order, rows, epochs, batch_size), epochs)
    elif batch_size is None:
        batches = FullBatch(rows)
    else:
        size = _check_batch_size(batch_size, rows)
        batches = MiniBatches(rows, size, check_seed(seed) if shuffle else None)
    batches.follow(*after)
    return batches


def _check_batch_size(batch_size: object, rows: int) -> int:
    if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
        raise OptionError(f"batch_size needs a whole number above 0, or None for all rows; got {batch_size!r}.")
    if batch_size > rows:
        raise DataError(
            f"batch_size needs at most as many rows as the data has, {rows}; got {batch_size}. Lower it, or leave it "
            "out."
        )
    return int(batch_size)


def _check_order(order: object, rows: int, epochs: int, batch_size: int | None) -> Ints:
    array = np.asarray(order)
    if array.ndim != 2 or not array.size or array.dtype.kind not in "iu":
        raise OptionError(
            f"order needs whole row numbers of shape (steps, batch); got {array.dtype} of shape {array.shape}."
        )
    if batch_size not in (None, array.shape[1]):
        raise OptionError(
            f"order states batches of {array.shape[1]} rows; got batch_size={batch_size}. Leave batch_size out."
        )
    if len(array) % epochs:
        raise OptionError(
            f"order needs a number of steps that the epochs divide; got {len(array)} steps and epochs={epochs}. Use "
            "epochs=1."
        )
    places = np.ascontiguousarray(array, np.int64)  # what is too large for it is below 0 then
    if not exist(places, rows):
        raise DataError(f"order needs row numbers from 0 to {rows - 1}; got {array.min()} to {array.max()}.")
    return places
