"""The one place where `learn` turns an array into the dtype that it computes in, and refuses what is not finite."""

from __future__ import annotations

import numpy as np

from graphlearn.errors import DataError
from graphlearn.graph.binding import at_place
from graphlearn.graph.node import Node


def lower(array: np.ndarray, dtype: str, leaf: Node, what: str, cure: str) -> np.ndarray:
    """A C-ordered array of another dtype; the same one where it is that already.

    Args:
        array: numbers that fit the leaf.
        dtype: of the result.
        leaf: what it is for.
        what: how messages name the array.
        cure: what to do where a number is NaN or infinite.

    Raises:
        DataError: names the first entry that is not finite, or that the dtype cannot hold.
    """
    lowered = array
    if array.dtype != dtype or not array.flags.c_contiguous:
        with np.errstate(over="ignore"):  # an overflow is found, and named, below
            lowered = np.ascontiguousarray(array, dtype).reshape(array.shape)
    if not leaf.type.is_float or np.isfinite(lowered).all():
        return lowered
    bad = np.argwhere(~np.isfinite(lowered))
    place = tuple(int(k) for k in bad[0])
    if np.isfinite(array[place]):
        raise DataError(
            f"{what} needs numbers that {dtype} can hold; got {float(array[place]):g}{at_place(place)}. Scale them, or "
            "use precision='float64'.",
            nodes=(leaf,),
        )
    rows = len({int(k[0]) for k in bad}) if place else 1
    more = f", {len(bad)} such entries in {rows} row{'s' if rows > 1 else ''} in all" if len(bad) > 1 else ""
    raise DataError(f"{what} needs finite numbers; got {lowered[place]}{at_place(place)}{more}. {cure}", nodes=(leaf,))
