"""Arrays that lie in a file: what must be read as it is needed, and never be copied as a whole."""

from __future__ import annotations

import mmap

import numpy as np


def is_mapped(array: np.ndarray) -> bool:
    """Whether an array is a view of a memory-mapped file, as `numpy.memmap` makes them."""
    base: object = array  # a copy of a memmap is a memmap by its type, yet lies in memory
    while isinstance(base, (np.ndarray, memoryview)):
        base = base.base if isinstance(base, np.ndarray) else base.obj
    return isinstance(base, mmap.mmap)
