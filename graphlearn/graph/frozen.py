"""`FrozenArray`: a read-only array as an attribute of a node, comparable so that equal constants are one node."""

from __future__ import annotations

from typing import Any

import numpy as np

_SMALL = 4096  # bytes up to which equal constants are one node


class FrozenArray:
    """A read-only array that can be part of an interning key.

    Small arrays are equal by dtype, shape and bytes (so 1, 1.0 and True stay three, NaN equals itself, -0.0 is not
    0.0); larger ones by identity.

    Args:
        value: anything that NumPy can make an array of; copied.
        weak: whether it stands for a Python scalar, which takes the dtype of what it meets.
    """

    __slots__ = ("_hash", "array", "key", "weak")

    def __init__(self, value: Any, *, weak: bool = False) -> None:
        array = np.array(value, order="C", copy=True)
        array.setflags(write=False)
        self.array = array
        self.weak = weak
        small = array.nbytes <= _SMALL
        self.key: object = (array.dtype, array.shape, array.tobytes(), weak) if small else id(array)
        self._hash = hash(self.key)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FrozenArray) and self.key == other.key

    def __repr__(self) -> str:
        return f"FrozenArray({self.array!r})"
