"""Arrays that begin on a cache line, so that no vector load or store straddles two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

ALIGNMENT = 64


def aligned_zeros(count: int, dtype: npt.DTypeLike) -> np.ndarray[Any, np.dtype[Any]]:
    """Make a one-dimensional array of zeros whose first element lies on a 64-byte boundary.

    Args:
        count: number of elements.
        dtype: any dtype of fixed size.

    Returns:
        A C-contiguous, writable array of shape ``(count,)``.

    >>> aligned_zeros(3, "float32").ctypes.data % 64
    0
    """
    kind = np.dtype(dtype)
    return _aligned(np.zeros(count * kind.itemsize + ALIGNMENT, dtype=np.uint8)).view(kind)


def aligned_empty(count: int, dtype: npt.DTypeLike) -> np.ndarray[Any, np.dtype[Any]]:
    """Make the same with whatever is in memory: for what is written before it is read."""
    kind = np.dtype(dtype)
    return _aligned(np.empty(count * kind.itemsize + ALIGNMENT, dtype=np.uint8)).view(kind)


def _aligned(raw: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[Any]]:
    """The part of an array of bytes that begins on a boundary."""
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + raw.size - ALIGNMENT]
