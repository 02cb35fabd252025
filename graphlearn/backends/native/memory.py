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
    size = count * kind.itemsize
    raw = np.zeros(size + ALIGNMENT, dtype=np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size].view(kind)
