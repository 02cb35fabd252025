"""What the losses of a training teach about its options: at most one hint, and none that noise could give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ROSE = 1.1  # times the first loss
_FAR = 10.0  # times the loss of chance: no network starts so far off, whose inputs and targets are standardised
_WORSE = 1.1  # times the lowest validation loss, both smoothed
_BETTER = 0.9  # times the training loss at that epoch


@dataclass(frozen=True)
class Lesson:
    """A hint.

    Args:
        kind: ``"rose"``: the steps are too long; ``"lowest"``: fewer epochs would do better; ``""``: none.
        epoch: the best one, counted from 1, where fewer would do.
    """

    kind: str = ""
    epoch: int = 0


def learn_lesson(training: Floats, validation: Floats, chance: float) -> Lesson:
    """Tell overfitting and diverging from noise.

    Args:
        training: float64 (epochs,), mean loss of each epoch.
        validation: float64 (epochs,), loss on other rows after each epoch.
        chance: loss of an answer that knows nothing, above 0.

    Returns:
        The hint. For ``"lowest"``, the validation loss, as a mean over a twentieth of the epochs, has risen by a tenth
        since, and the training loss has fallen by a tenth.
    """
    if training[-1] > _ROSE * training[0] or training[-1] > _FAR * chance:
        return Lesson("rose")
    window = max(1, len(validation) // 20)
    smooth = np.convolve(validation, np.full(window, 1 / window), "valid")
    place = int(np.argmin(smooth))
    best = place + window // 2
    late = len(validation) - best > max(2, len(validation) // 10)
    if best > 0 and late and smooth[-1] > _WORSE * smooth[place] and training[-1] < _BETTER * training[best]:
        return Lesson("lowest", best + 1)
    return Lesson()
