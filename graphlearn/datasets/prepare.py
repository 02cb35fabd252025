"""From a data set to what a network is given: train and test rows, standardized columns, one-hot targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphlearn.datasets.checks import class_indices, finite, numbers_of, place_of, real, rows_of, stream, whole
from graphlearn.datasets.dataset import Floats, Labels
from graphlearn.errors import DataError

Mask = NDArray[np.bool_]


def train_test_split(
    *arrays: ArrayLike, test_size: float = 0.25, seed: int = 0, stratify: bool = False
) -> tuple[NDArray[Any], ...]:
    """Split the rows of one or more arrays at random into a train and a test part, the same rows in each array.

    Args:
        arrays: any number of arrays with equally many rows; any dtype, missing values included. The second
            one is taken to be y.
        test_size: a fraction between 0 and 1 (rounded to whole rows, at least one on each side), or a number of rows.
        seed: which random order, from 0 to 2**64 - 1.
        stratify: whether each class of y keeps its share in both parts (to the nearest row, at least one in each).

    Returns:
        Copies: the train and the test part of the first array, then those of the second, and so on.

    Raises:
        DataError: no array, an empty one, different lengths, fewer than 2 rows, test_size out of range, or, with
            ``stratify``, no y, a y without classes, a class of one row, or fewer rows in a part than classes.

    >>> X_train, X_test, y_train, y_test = train_test_split(np.arange(8.0), np.arange(8) % 2, stratify=True)
    >>> len(X_train), len(X_test), np.bincount(y_test).tolist()
    (6, 2, [1, 1])
    """
    if not arrays:
        raise DataError("train_test_split needs at least one array; got none. Pass X, y.")
    tables = [rows_of(array, f"array {i} of train_test_split") for i, array in enumerate(arrays)]
    lengths = [len(table) for table in tables]
    if len(set(lengths)) > 1:
        raise DataError(f"train_test_split needs arrays with equally many rows; got {lengths}. Pass matching arrays.")
    test_rows = _test_rows(lengths[0], test_size)
    order = stream(seed, "train_test_split").permutation(lengths[0])
    if not stratify:
        in_test = np.arange(lengths[0]) < test_rows
    elif len(tables) < 2:
        raise DataError("stratify needs y, the class of each row, as the second array; got one array. Pass X, y.")
    else:
        in_test = _stratified(class_indices(tables[1], "y (the second array)")[order], test_rows)
    train, test = order[~in_test], order[in_test]
    return tuple(part for table in tables for part in (table[train], table[test]))


def _test_rows(n: int, test_size: float) -> int:
    if n < 2:
        raise DataError(f"train_test_split needs at least 2 rows, one for each part; got {n}.")
    if isinstance(test_size, int | np.integer) and not isinstance(test_size, bool):
        if 1 <= test_size < n:
            return int(test_size)
        raise DataError(f"test_size as a number of rows needs to be from 1 to {n - 1}, of {n} rows; got {test_size}.")
    fraction = real(test_size, "test_size", 0.0, 1.0)
    if fraction in (0.0, 1.0):
        raise DataError(f"test_size needs a fraction between 0 and 1, or a number of rows; got {test_size!r}.")
    return min(max(round(n * fraction), 1), n - 1)


def _stratified(shuffled: Labels, test_rows: int) -> Mask:
    """Say which of the shuffled rows go to the test part: the first few of each class."""
    classes, inverse, sizes = np.unique(shuffled, return_inverse=True, return_counts=True)
    if sizes.min() < 2:
        alone = classes[sizes.argmin()]
        raise DataError(
            f"stratify needs 2 rows or more of each class; class {alone} has 1. Drop it, or do not stratify."
        )
    if not len(classes) <= test_rows <= len(shuffled) - len(classes):
        raise DataError(
            f"stratify needs a row of each of the {len(classes)} classes in both parts; got {test_rows} test rows and "
            f"{len(shuffled) - test_rows} train rows. Change test_size."
        )
    quota = _shares(sizes, test_rows)
    by_class = np.argsort(inverse, kind="stable")
    rank = np.empty_like(by_class)
    rank[by_class] = np.arange(len(shuffled)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return rank < quota[inverse]


def _shares(sizes: Labels, total: int) -> Labels:
    """Divide `total` among the classes by largest remainder, from 1 to size - 1 each."""
    exact = total * sizes / sizes.sum()
    share: Labels = np.clip(np.floor(exact).astype(np.int64), 1, sizes - 1)
    while (missing := total - share.sum()) != 0:
        step = 1 if missing > 0 else -1
        movable = (share + step >= 1) & (share + step < sizes)
        share[np.argmax(np.where(movable, step * (exact - share), -np.inf))] += step
    return share


@dataclass(frozen=True, slots=True, eq=False)
class Standardizer:
    """The mean and the scale of each column, as `standardize` found them in the training rows.

    Args:
        mean: float64, the shape of one row.
        scale: float64, the same shape, positive: the standard deviation (divisor n); 1 for a constant column.
    """

    mean: Floats
    scale: Floats

    def transform(self, X: ArrayLike) -> Floats:
        """Return ``(X - mean) / scale``.

        Args:
            X: one row, or any number of rows, of the shape that was fitted; finite.

        Returns:
            A new float64 array of the shape of `X`, without unit.

        Raises:
            DataError: NaN, infinity, other columns than were fitted, or numbers whose distance from the mean overflows.
            DTypeError: `X` holds no real numbers; convert it.
        """
        return self._shift(self._fitting(finite(X, "X")), "X")

    def _shift(self, X: Floats, what: str) -> Floats:
        with np.errstate(over="ignore"):  # found, and named, below
            Z: Floats = (X - self.mean) / self.scale
        bad = np.argwhere(~np.isfinite(Z))
        if len(bad):
            first = tuple(int(i) for i in bad[0])
            raise DataError(
                f"{what} needs numbers whose distance from the mean, in standard deviations, float64 can hold; got "
                f"{X[first]:g}{place_of(first)}. Write the column in another unit, or drop the row."
            )
        return Z

    def inverse(self, Z: ArrayLike) -> Floats:
        """Return ``Z * scale + mean``, in the units of the data: the way back, for predictions.

        Args:
            Z: one row, or any number of rows, of the shape that was fitted.

        Returns:
            A new float64 array of the shape of `Z`.

        Raises:
            DataError: empty, or other columns than were fitted.
            DTypeError: `Z` holds no real numbers; convert it.
        """
        return self._fitting(numbers_of(Z, "Z")) * self.scale + self.mean

    def _fitting(self, X: Floats) -> Floats:
        if X.shape[max(X.ndim - self.mean.ndim, 0) :] != self.mean.shape:
            raise DataError(
                f"this Standardizer was fitted to rows of shape {self.mean.shape}; got an array of shape {X.shape}. "
                f"Pass the same columns in the same order."
            )
        return X


def standardize(train: ArrayLike, *others: ArrayLike) -> tuple[Any, ...]:
    """Shift and scale each column to mean 0 and standard deviation 1, by the training rows alone.

    The other arrays (validation, test) are transformed by the same numbers, so nothing of them leaks into training. A
    column that is constant in `train`, up to rounding, gets the scale 1 and so becomes 0.

    Args:
        train: array of shape ``(n, ...)``; finite.
        others: arrays with the same columns.

    Returns:
        The transformed arrays in the order given, float64, and last the `Standardizer`.

    Raises:
        DataError: empty, NaN or infinity (the row is named), or columns that differ from those of `train`.
        DTypeError: an array holds no real numbers; convert it.

    >>> X, scaler = standardize([[1.0, 5.0], [3.0, 5.0]])
    >>> X
    array([[-1.,  0.],
           [ 1.,  0.]])
    >>> scaler
    Standardizer(mean=array([2., 5.]), scale=array([1., 1.]))
    """
    first = finite(train, "train")
    scaler = _fit(first)
    rest = {f"array {i} after train": other for i, other in enumerate(others, start=1)}
    shifted = (scaler._shift(scaler._fitting(finite(other, what)), what) for what, other in rest.items())
    return (scaler._shift(first, "train"), *shifted, scaler)


def _fit(X: Floats) -> Standardizer:
    largest = np.abs(X).max(axis=0)
    # Powers of two, so exact: the squares of 1e-200 or 1e200 would leave the range of float64.
    unit = np.ldexp(1.0, np.frexp(largest)[1] - 1)
    scaled = X / unit
    constant = np.ptp(scaled, axis=0) <= 8 * np.finfo(np.float64).eps
    deviation = scaled.std(axis=0) * unit
    return Standardizer(
        mean=np.where(constant, X[0], scaled.mean(axis=0) * unit),
        scale=np.where(constant | (deviation == 0.0), 1.0, deviation),  # 0 where 5e-324 is the whole spread
    )


def one_hot(labels: ArrayLike, classes: int | None = None) -> Floats:
    """Return a row for each label, 1 in the column of its class and 0 elsewhere.

    Args:
        labels: class indices of shape ``(n,)`` or ``(n, 1)``, whole numbers from 0.
        classes: number of columns; None takes the largest label plus 1.

    Returns:
        float64 of shape ``(n, classes)``.

    Raises:
        DataError: empty, a label that is negative, fractional or not below `classes` (the row is named).
        DTypeError: labels that are not numbers; encode names first, as ``[names.index(name) for name in labels]``.

    >>> one_hot([0, 2])
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    index = class_indices(labels, "labels")
    columns = int(index.max()) + 1 if classes is None else whole(classes, "classes", 1)
    outside = np.flatnonzero((index < 0) | (index >= max(columns, 1)))
    if len(outside):
        row = int(outside[0])
        allowed = "from 0" if classes is None else f"from 0 to {columns - 1}"
        raise DataError(f"labels needs classes {allowed}; got {index[row]} in row {row} (counted from 0).")
    encoded = np.zeros((len(index), columns))
    encoded[np.arange(len(index)), index] = 1.0
    return encoded
