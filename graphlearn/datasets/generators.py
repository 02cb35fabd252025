"""Made-up data in two dimensions (and one curve), the same numbers on every call with the same arguments.

Row i belongs to class ``i % classes``, so that every stretch of rows holds all classes in equal parts. ``noise`` is
everywhere the standard deviation of the normal noise added to each coordinate (for `polynomial`, to the target).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from graphlearn.datasets.checks import finite, real, stream, whole
from graphlearn.datasets.dataset import Floats, Labels
from graphlearn.errors import DataError

CORNERS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


def xor(n: int | None = None, noise: float = 0.0, seed: int = 0) -> tuple[Floats, Floats]:
    """Return the exclusive or: the truth table itself, or `n` noisy points around its four corners.

    Args:
        n: number of points, taken from the corners in turn; None gives the four corners once.
        noise: standard deviation added to each coordinate of X.
        seed: which random numbers, from 0 to 2**64 - 1.

    Returns:
        X of shape ``(n, 2)`` and y of shape ``(n, 1)``, both float64; y is 0 or 1, to stand beside a sigmoid output.

    Raises:
        DataError: n, noise or seed is out of range; the message says of what range.

    >>> X, y = xor()
    >>> np.hstack([X, y])
    array([[0., 0., 0.],
           [0., 1., 1.],
           [1., 0., 1.],
           [1., 1., 0.]])
    """
    corner = np.arange(4 if n is None else whole(n, "n", 1)) % 4
    X = CORNERS[corner]
    y = (X[:, :1] != X[:, 1:]).astype(np.float64)
    return _noisy(X, noise, seed, "xor"), y


def moons(n: int = 200, noise: float = 0.1, seed: int = 0) -> tuple[Floats, Labels]:
    """Return two interleaved half circles of radius 1: class 0 above, class 1 below and shifted by (1, 0.5).

    Args:
        n: number of points of both moons together, at least 2.
        noise: standard deviation added to each coordinate of X.
        seed: which random numbers, from 0 to 2**64 - 1.

    Returns:
        X float64 of shape ``(n, 2)`` and y int64 class indices of shape ``(n,)``.

    Raises:
        DataError: n, noise or seed is out of range; the message says of what range.
    """
    y, place, counts = _turns(n, 2)
    angle = math.pi * place / np.maximum(counts - 1, 1)
    above = np.column_stack([np.cos(angle), np.sin(angle)])
    below = np.column_stack([1.0 - np.cos(angle), 0.5 - np.sin(angle)])
    return _noisy(np.where(y[:, None] == 0, above, below), noise, seed, "moons"), y


def circles(n: int = 200, noise: float = 0.05, seed: int = 0, *, factor: float = 0.5) -> tuple[Floats, Labels]:
    """Return two circles around the origin: class 0 of radius 1, class 1 of radius `factor` inside it.

    Args:
        n: number of points of both circles together, at least 2.
        noise: standard deviation added to each coordinate of X.
        seed: which random numbers, from 0 to 2**64 - 1.
        factor: radius of the inner circle, from 0 to 1.

    Returns:
        X float64 of shape ``(n, 2)`` and y int64 class indices of shape ``(n,)``.

    Raises:
        DataError: an argument is out of range; the message says of what range.
    """
    y, place, counts = _turns(n, 2)
    angle = 2.0 * math.pi * place / counts
    radius = np.where(y == 0, 1.0, real(factor, "factor", 0.0, 1.0))
    X = radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return _noisy(X, noise, seed, "circles"), y


def spiral(
    n: int = 300, noise: float = 0.03, seed: int = 0, *, classes: int = 3, turns: float = 0.75
) -> tuple[Floats, Labels]:
    """Return one spiral arm per class, from radius 0.1 out to radius 1, the arms evenly spread around the origin.

    Args:
        n: number of points of all arms together, at least `classes`.
        noise: standard deviation added to each coordinate of X.
        seed: which random numbers, from 0 to 2**64 - 1.
        classes: number of arms, at least 1.
        turns: how far an arm winds around the origin, in full turns; negative winds clockwise.

    Returns:
        X float64 of shape ``(n, 2)`` and y int64 class indices of shape ``(n,)``.

    Raises:
        DataError: an argument is out of range; the message says of what range.
    """
    arms = whole(classes, "classes", 1)
    y, place, counts = _turns(n, arms)
    along = place / np.maximum(counts - 1, 1)
    angle = 2.0 * math.pi * (y / arms + real(turns, "turns") * along)
    radius = 0.1 + 0.9 * along
    X = radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return _noisy(X, noise, seed, "spiral"), y


def polynomial(
    n: int = 50,
    noise: float = 0.1,
    seed: int = 0,
    *,
    coefficients: Sequence[float] = (0.5, -1.0, 0.0, 2.0),
    interval: tuple[float, float] = (-1.0, 1.0),
) -> tuple[Floats, Floats]:
    """Return noisy values of a polynomial at evenly spaced places: the smallest regression problem.

    Args:
        n: number of points, at least 1.
        noise: standard deviation added to y; X is exact.
        seed: which random numbers, from 0 to 2**64 - 1.
        coefficients: c0, c1, c2, ... of c0 + c1 x + c2 x^2 + ...
        interval: the first and the last x.

    Returns:
        X of shape ``(n, 1)``, increasing, and y of shape ``(n, 1)``, both float64.

    Raises:
        DataError: an argument is out of range; the message says of what range.
    """
    weights = finite(coefficients, "coefficients")
    if weights.ndim != 1:
        raise DataError(f"coefficients needs a flat sequence c0, c1, ...; got the shape {weights.shape}. Flatten it.")
    ends = finite(interval, "interval")
    if ends.shape != (2,) or not ends[0] < ends[1]:
        raise DataError(f"interval needs two numbers, the lower one first; got {interval!r}.")
    X = np.linspace(ends[0], ends[1], whole(n, "n", 1))[:, None]
    y: Floats = np.zeros_like(X)
    for weight in weights[::-1]:  # Horner's rule
        y = y * X + weight
    return X, _noisy(y, noise, seed, "polynomial")


def _turns(n: int, classes: int) -> tuple[Labels, Labels, Labels]:
    """Deal `n` rows to the classes in turn; return each row's class, its number within the class, the class's size."""
    row = np.arange(whole(n, "n", classes), dtype=np.int64)
    label = row % classes
    return label, row // classes, np.bincount(label, minlength=classes)[label]


def _noisy(exact: Floats, noise: float, seed: int, purpose: str) -> Floats:
    deviation = real(noise, "noise", 0.0)
    return exact + deviation * stream(seed, purpose).standard_normal(exact.shape)
