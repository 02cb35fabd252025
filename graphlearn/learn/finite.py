"""The one place where `learn` turns an array into the dtype that it computes in, and refuses what is not finite."""

from __future__ import annotations

import math

import numpy as np

from graphlearn.errors import DataError
from graphlearn.graph.binding import at_place
from graphlearn.graph.node import Node

_BLOCK = 2**18  # entries that are looked at together: their truths stay in the cache
_FEW = 2**10  # entries of which the sum of squares is quicker than as many truths
_NOWHERE = np.empty(0, np.int64)


def lower(array: np.ndarray, dtype: str, leaf: Node, what: str, cure: str, first_row: int = 0) -> np.ndarray:
    """A C-ordered array of another dtype; the same one where it is that already.

    Args:
        array: numbers that fit the leaf.
        dtype: of the result.
        leaf: what it is for.
        what: how messages name the array.
        cure: what to do where a number is NaN or infinite.
        first_row: number of the array's first row, for messages.

    Raises:
        DataError: names the first entry that is not finite, or that the dtype cannot hold.
    """
    lowered = array
    if array.dtype != dtype or not (array.flags.c_contiguous and array.flags.aligned):
        with np.errstate(over="ignore"):  # an overflow is found, and named, below
            lowered = array.astype(dtype, order="C", subok=False)
    bad = _not_finite(lowered) if leaf.type.is_float else _NOWHERE
    if not bad.size:
        return lowered
    place = tuple(int(k) for k in np.unravel_index(bad[0], lowered.shape))
    shown = at_place((place[0] + first_row, *place[1:]) if place else place)
    if np.isfinite(array[place]):
        raise DataError(
            f"{what} needs numbers that {dtype} can hold; got {float(array[place]):g}{shown}. Scale them, or "
            "use precision='float64'.",
            nodes=(leaf,),
        )
    rows = len(np.unique(bad // (lowered.size // len(lowered)))) if place else 1
    more = f", {len(bad)} such entries in {rows} row{'s' if rows > 1 else ''} in all" if len(bad) > 1 else ""
    raise DataError(f"{what} needs finite numbers; got {lowered[place]}{shown}{more}. {cure}", nodes=(leaf,))


def is_finite(array: np.ndarray) -> bool:
    """Whether no entry of a C-ordered float array is NaN or infinite."""
    if array.size <= _FEW and math.isfinite(np.vdot(array, array)):  # a square may overflow where its entry does not
        return True
    flat = array.reshape(-1)
    return all(np.isfinite(flat[k : k + _BLOCK]).all() for k in range(0, flat.size, _BLOCK))


def _not_finite(array: np.ndarray) -> np.ndarray:
    """Places in row-major order; by blocks, so that an array larger than memory is no obstacle."""
    if is_finite(array):
        return _NOWHERE
    flat = array.reshape(-1)
    starts = range(0, flat.size, _BLOCK)
    return np.concatenate([k + np.flatnonzero(~np.isfinite(flat[k : k + _BLOCK])) for k in starts])
