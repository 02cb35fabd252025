"""`History`: what one call of `fit` did, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Floats = np.ndarray[tuple[Any, ...], np.dtype[np.float64]]


@dataclass(frozen=True, eq=False, repr=False)
class History:
    """The record of one call of `fit`.

    Args:
        losses: float64 (steps,), the loss of each step's batch before its update.
        epoch_losses: float64 (epochs,), mean over the steps of each epoch that was finished, weighted by the rows of
            the batch. Of one that an earlier fit had begun, over the steps of this fit.
        validation: float64, the loss on the validation data after the epochs of ``validation_epochs``.
        validation_epochs: int64, epochs counted from 1.
        seconds: wall time of the loop, with everything that Python did in it.
        compute_seconds: the part spent inside the training steps.
    """

    losses: Floats
    epoch_losses: Floats
    validation: Floats
    validation_epochs: np.ndarray[tuple[Any, ...], np.dtype[np.int64]]
    seconds: float
    compute_seconds: float

    @property
    def steps(self) -> int:
        """Steps made."""
        return len(self.losses)

    @property
    def epochs(self) -> int:
        """Epochs finished."""
        return len(self.epoch_losses)

    @property
    def step_time(self) -> float:
        """Seconds per step, without what Python did between the chunks; NaN before the first step."""
        return self.compute_seconds / self.steps if self.steps else float("nan")

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists, as JSON takes them."""
        return {
            "losses": self.losses.tolist(),
            "epoch_losses": self.epoch_losses.tolist(),
            "validation": self.validation.tolist(),
            "validation_epochs": self.validation_epochs.tolist(),
            "steps": self.steps,
            "epochs": self.epochs,
            "seconds": self.seconds,
            "step_time": self.step_time,
        }

    def __repr__(self) -> str:
        if not self.steps:
            return "<History: no steps>"
        parts = [
            f"{self.epochs} epoch{'s' * (self.epochs != 1)}, {self.steps} step{'s' * (self.steps != 1)}",
            f"loss {self.losses[0]:.4g} → {self.losses[-1]:.4g}",
        ]
        if len(self.validation):
            parts.append(f"validation {self.validation[0]:.4g} → {self.validation[-1]:.4g}")
        return f"<History: {'; '.join(parts)}; {self.seconds:.3g} s, {format_time(self.step_time)} per step>"


def format_time(seconds: float) -> str:
    """A short time with its unit: ``52 ns``, ``1.4 us``, ``3.2 ms``, ``2 s``.

    >>> format_time(5.3e-8), format_time(0.0021)
    ('53 ns', '2.1 ms')
    """
    for factor, unit in ((1e9, "ns"), (1e6, "us"), (1e3, "ms")):
        if seconds * factor < 999.5:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"
