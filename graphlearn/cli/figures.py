"""Numbers as the commands print them, and the figures of merit that they stand for."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FINEST = -15  # below 1e-15 rounding decides, which differs from machine to machine


def bound(error: float) -> str:
    """A power of ten above an error of 0 or more: a text that is the same on every machine.

    >>> bound(3e-14), bound(0.0)
    ('1e-13', '1e-15')
    """
    return f"1e{max(FINEST, math.floor(math.log10(error)) + 1)}" if error > 0 else f"1e{FINEST}"


def signed(text: str) -> str:
    """A formatted number with the minus sign of typography, as derivations have it.

    >>> signed("-0.5")
    '−0.5'
    """
    return text.replace("-", "−")


def confusion(truth: Ints, guess: Ints, names: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """How many rows of each class were taken for which.

    Args:
        truth: int64 (n,), the class of each row.
        guess: int64 (n,), the class that the network names.
        names: of the classes.

    Returns:
        The columns' names, and a row for each class that begins with its name.
    """
    counts = np.zeros((len(names), len(names)), int)
    np.add.at(counts, (truth, guess), 1)
    return list(names), [
        [name, *("·" if not n else str(n) for n in row)] for name, row in zip(names, counts.tolist(), strict=True)
    ]


def regression_figures(truth: Floats, guess: Floats, plain: float) -> list[str]:
    """Root mean squared error of a prediction and of a plain number, and the share of the variance explained.

    Args:
        truth: float64 (n, 1).
        guess: float64 (n, 1), in the unit of ``truth``.
        plain: what one would guess without looking at the features.

    Returns:
        Three texts; the share is a dash where ``truth`` does not vary.
    """
    mine, theirs, variance = (float(np.mean((truth - other) ** 2)) for other in (guess, plain, np.mean(truth)))
    explained = signed(f"{1 - mine / variance:.3f}") if variance > 0 else "–"
    return [f"{math.sqrt(mine):.4g}", f"{math.sqrt(theirs):.4g}", explained]
