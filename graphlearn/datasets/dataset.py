"""`Dataset`: a table of samples with its targets, its names, where it comes from and under which licence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphlearn.errors import DataError

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

SHOWN_FEATURES = 12  # in `str(dataset)`; the 64 pixels of a digit would hide the rest


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Dataset:
    """Samples and targets of one data set; unpacks as ``X, y``.

    The arrays are read-only, because every caller shares them: ``X.copy()`` gives one that can be written.

    Args:
        name: the name of the function that loads it.
        X: float64, shape ``(n, d)``, one row per sample; the unit of a column stands in its feature name.
        y: int64 class indices of shape ``(n,)``, which index `target_names`, or float64 targets of shape ``(n, 1)``.
        feature_names: the ``d`` columns of `X`.
        target_names: the classes, or the one quantity that is predicted.
        description: what was measured, and what was left out.
        source: who made the data, and where it is archived.
        licence: its name, its address and what it asks for.

    Raises:
        DataError: the shapes, names or class indices do not fit together.
    """

    name: str
    X: Floats
    y: Floats | Labels
    feature_names: tuple[str, ...]
    target_names: tuple[str, ...]
    description: str
    source: str
    licence: str

    def __post_init__(self) -> None:
        X, y = np.array(self.X, dtype=np.float64), np.array(self.y)
        _require_shapes(self, X, y)
        for field, array in (("X", X), ("y", y)):
            array.setflags(write=False)
            object.__setattr__(self, field, array)

    @property
    def is_classification(self) -> bool:
        """Whether `y` holds class indices (True) or float targets (False)."""
        return self.y.dtype.kind == "i"

    def __iter__(self) -> Iterator[Floats | Labels]:
        yield self.X
        yield self.y

    def __repr__(self) -> str:
        shapes = f"X float64 {self.X.shape}, y {self.y.dtype} {self.y.shape}"
        return f"<{self.name}: {shapes}; {self._targets()}; {self.licence.split(' (')[0]}>"

    def __str__(self) -> str:
        shown = ", ".join(self.feature_names[:SHOWN_FEATURES])
        left = len(self.feature_names) - SHOWN_FEATURES
        features = f"{shown} and {left} more" if left > 0 else shown
        return "\n".join(
            [
                f"{self.name}: {len(self.X)} rows, {len(self.feature_names)} features; {self._targets()}",
                self.description,
                f"Features: {features}",
                f"Source: {self.source}",
                f"Licence: {self.licence}",
            ]
        )

    def _targets(self) -> str:
        if self.is_classification:
            counts = np.bincount(self.y.astype(np.int64), minlength=len(self.target_names))
            return "classes " + ", ".join(f"{c} {n}" for c, n in zip(self.target_names, counts, strict=True))
        return f"target {self.target_names[0]}, {self.y.min():g} to {self.y.max():g}"


def _require_shapes(record: Dataset, X: Floats, y: NDArray[Any]) -> None:
    if X.ndim != 2 or not X.size or X.shape[1] != len(record.feature_names):
        raise DataError(
            f"X of {record.name} needs the shape (n, {len(record.feature_names)}) with n > 0, a column for each of the "
            f"feature names; got {X.shape}. Reshape X or name each column."
        )
    if y.dtype == np.int64:
        fits = y.shape == (len(X),) and y.min() >= 0 and y.max() < len(record.target_names)
    else:
        fits = y.dtype == np.float64 and y.shape == (len(X), 1) and len(record.target_names) == 1
    if not fits:
        raise DataError(
            f"y of {record.name} needs int64 ({len(X)},) below {len(record.target_names)}, the number of target names, "
            f"or float64 ({len(X)}, 1) with one target name; got {y.dtype} {y.shape}. Convert or reshape y."
        )
