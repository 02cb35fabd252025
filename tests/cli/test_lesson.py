"""What the losses teach: a hint where there is something to learn, and none from noise."""

from __future__ import annotations

import numpy as np
import pytest

from graphlearn.cli.lesson import Lesson, learn_lesson

EPOCHS = np.arange(200.0)
FALLING = 0.05 + np.exp(-EPOCHS / 30)
NOISE = 1 + 0.04 * np.random.default_rng(0).normal(size=200)


def test_a_loss_that_rose_asks_for_shorter_steps() -> None:
    assert learn_lesson(np.array([1.5, 2.0, 2.9]), np.array([1.0, 2.0, 3.0]), 1.0) == Lesson("rose")
    assert learn_lesson(np.array([2e6, 1e5]), np.array([1e5, 1e5]), 1.0) == Lesson("rose")
    assert learn_lesson(np.array([60.0]), np.array([50.0]), 1.0) == Lesson("rose")


def test_what_helps_only_on_the_training_rows_asks_for_fewer_epochs() -> None:
    validation = (0.3 + np.exp(-EPOCHS / 30) + 0.004 * EPOCHS) * NOISE
    lesson = learn_lesson(FALLING, validation, 1.0)
    assert lesson.kind == "lowest"
    assert abs(lesson.epoch - 64) < 20  # the lowest of the curve below the noise


@pytest.mark.parametrize(
    "validation",
    [
        FALLING,  # still falling
        (0.3 + np.exp(-EPOCHS / 30)) * NOISE,  # level: the lowest epoch is noise, wherever it lies
        np.where(EPOCHS == 194, 0.5, 1.0) * FALLING,  # one lucky epoch of the last ones
        np.where(EPOCHS == 0, 0.1, 1.0) * FALLING,  # or the first
    ],
)
def test_noise_gives_no_hint(validation: np.ndarray) -> None:
    assert learn_lesson(FALLING, validation, 1.0) == Lesson()


def test_a_short_training_gives_no_hint_from_its_first_epoch() -> None:
    assert learn_lesson(np.array([2.0, 0.5, 0.3]), np.array([0.4, 0.9, 0.8]), 1.0) == Lesson()


def test_a_training_that_learns_nothing_more_does_not_ask_for_fewer_epochs() -> None:
    level = np.full(50, 0.2)
    assert learn_lesson(level, np.linspace(0.2, 0.5, 50), 1.0) == Lesson()
