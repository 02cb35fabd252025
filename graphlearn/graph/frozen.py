"""`FrozenArray`: a read-only array as an attribute of a node, comparable so that equal constants are one node."""

from __future__ import annotations

import struct
from collections.abc import Hashable
from typing import Any

import numpy as np

_SMALL = 4096  # bytes up to which equal constants are one node


_FLOAT = np.dtype(np.float64)
_bytes_of = struct.Struct("=d").pack


def _read_only(value: Any) -> np.ndarray[Any, Any]:
    array = np.array(value, order="C", copy=True)
    array.setflags(write=False)
    return array


class FrozenArray:
    """A read-only array that can be part of an interning key.

    Small arrays are equal by dtype, shape and bytes (so 1, 1.0 and True stay three, NaN equals itself, -0.0 is not
    0.0); larger ones by identity.

    Args:
        value: anything that NumPy can make an array of; copied.
        weak: whether it stands for a Python scalar, which takes the dtype of what it meets.
    """

    __slots__ = ("_hash", "array", "key", "number", "weak")

    array: np.ndarray[Any, Any]
    key: Hashable  # equal where the arrays are; by itself no object that the garbage collector looks at
    number: float | None  # a Python float is kept as it is until its array is asked for, which is seldom

    def __init__(self, value: Any, *, weak: bool = False) -> None:
        self.weak = weak
        if weak and type(value) is float:
            self.number = value
            self.key = (_FLOAT, (), _bytes_of(value), True)
        else:
            self.number = None
            self.array = array = _read_only(value)
            small = array.nbytes <= _SMALL
            self.key = (array.dtype, array.shape, array.tobytes(), weak) if small else id(array)
        self._hash = hash(self.key)

    def __getattr__(self, name: str) -> np.ndarray[Any, Any]:
        """The array of a number, when it is first asked for."""
        if name != "array":
            raise AttributeError(name)
        self.array = array = _read_only(self.number)
        return array

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FrozenArray) and self.key == other.key

    def __repr__(self) -> str:
        return f"FrozenArray({self.array!r})"
