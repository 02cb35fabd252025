"""Checks of what a caller hands in: each names the culprit (which array, which row), what was needed and the cure."""

from __future__ import annotations

import math
import operator
from typing import Any, SupportsIndex
from zlib import crc32

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphlearn.datasets.dataset import Dataset, Floats, Labels
from graphlearn.errors import DataError, DTypeError


def rows_of(value: ArrayLike | Dataset, what: str) -> NDArray[Any]:
    """Return `value` as an array with at least one row."""
    if isinstance(value, Dataset):
        raise DataError(
            f"{what} needs to be one array; got the data set {value.name}. Unpack it: X, y = {value.name}()."
        )
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise DataError(
            f"{what} needs rows of equal length; got rows that differ ({error}). Fill or cut them."
        ) from None
    if array.ndim == 0:
        raise DataError(f"{what} needs at least one axis, the rows; got the scalar {value!r}. Wrap it in a list.")
    if not len(array):
        raise DataError(f"{what} is empty (shape {array.shape}); it needs at least one row.")
    return array


def numbers_of(value: ArrayLike | Dataset, what: str) -> Floats:
    """Return `value` as a new float64 array with at least one row."""
    array = rows_of(value, what)
    if array.dtype.kind not in "biuf":
        raise DTypeError(f"{what} needs real numbers; got dtype {array.dtype}. Convert it: np.asarray(x, dtype=float).")
    return array.astype(np.float64)


def finite(value: ArrayLike | Dataset, what: str) -> Floats:
    """Return `value` as a new float64 array that holds neither NaN nor infinity."""
    numbers = numbers_of(value, what)
    bad = np.argwhere(~np.isfinite(numbers))
    if len(bad):
        first = tuple(int(i) for i in bad[0])
        rows = len(np.unique(bad[:, 0]))
        raise DataError(
            f"{what} needs finite numbers; got {numbers[first]}{place_of(first)}, and {rows} such row"
            f"{'s' if rows > 1 else ''} in all. Drop or fill them first."
        )
    return numbers


def place_of(entry: tuple[int, ...]) -> str:
    """The place of an entry in words, to follow its value."""
    column = f", column {entry[1]}" if len(entry) == 2 else ""
    return f" in row {entry[0]}{column} (counted from 0)"


def class_indices(value: ArrayLike | Dataset, what: str) -> Labels:
    """Return `value`, of shape ``(n,)`` or ``(n, 1)``, as int64; floats pass where they are whole numbers."""
    array = rows_of(value, what)
    if array.ndim != 1 and array.shape != (len(array), 1):
        raise DataError(f"{what} needs one class per row, shape (n,) or (n, 1); got {array.shape}. Pass y, not X.")
    numbers = finite(array, what).ravel()
    unfit = np.flatnonzero((numbers != np.floor(numbers)) | (np.abs(numbers) > 2.0**53))
    if len(unfit):
        row = int(unfit[0])
        raise DataError(
            f"{what} needs whole numbers, the class of each row; got {numbers[row]:g} in row {row} (counted from 0). "
            f"Real-valued targets have no classes."
        )
    return array.ravel().astype(np.int64)


def whole(value: SupportsIndex, what: str, least: int) -> int:
    """Return `value` as an int of at least `least`."""
    if not isinstance(value, bool):
        try:
            number = operator.index(value)
        except TypeError:
            pass
        else:
            if number >= least:
                return number
    raise DataError(f"{what} needs a whole number of at least {least}; got {value!r}.")


def real(value: float, what: str, low: float = -math.inf, high: float = math.inf) -> float:
    """Return `value` as a finite float from `low` to `high`, both included."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (math.isfinite(number) and low <= number <= high):
        bounds = "" if (low, high) == (-math.inf, math.inf) else f" from {low:g} to {high:g}"
        raise DataError(f"{what} needs a finite number{bounds}; got {value!r}.")
    return number


def stream(seed: SupportsIndex, purpose: str) -> np.random.Generator:
    """Return the random stream of one seed for one purpose: Philox, a function of (seed, purpose, counter) alone.

    The purpose is half of the key, so that ``moons(seed=0)`` and ``train_test_split(seed=0)`` do not share numbers.
    """
    number = whole(seed, "seed", 0)
    if number >= 2**64:
        raise DataError(f"seed needs to be below 2**64; got {number}.")
    key = np.array([number, crc32(purpose.encode())], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key))
