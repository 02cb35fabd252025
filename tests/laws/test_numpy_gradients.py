"""Law: NumPy code on nodes has the derivatives of its values, by central differences along a random direction."""

from __future__ import annotations

import numpy as np
import pytest

import graphlearn as gl
from tests.laws.test_numpy_code import ARRAYS, LINES, nodes, run

STEP = 1e-6
_STEPS = (
    "x * 0",
    "x / 0",
    "x // 0",
    "1e200",
    "np.inf",
    "* 1000",
)  # in lines at a kink, at infinity, or too steep for the step


def smooth(line: str) -> bool:
    """Whether a line is a smooth function of real operands at the values of `ARRAYS`."""
    return not any(piece in line for piece in _STEPS)


def projected(line: str) -> tuple[gl.Node, list[gl.Node]] | None:
    """A random projection of the line's value, and its real operands; None where there is nothing to differentiate."""
    node = run(line, nodes())
    real = [leaf for leaf in gl.symbols(node).values() if leaf.dtype == "float64"]
    if node.dtype != "float64" or not real or 0 in node.shape:
        return None
    weights = np.random.Generator(np.random.Philox(5)).uniform(0.5, 1.5, node.shape)
    return gl.sum(node * weights), real


SMOOTH = [line for line in LINES if smooth(line) and projected(line) is not None]


def test_most_lines_have_derivatives() -> None:
    assert len(SMOOTH) > 400


@pytest.mark.filterwarnings("ignore::graphlearn.errors.ZeroGradientWarning")  # of floor, argmax and their like
@pytest.mark.parametrize("line", SMOOTH)
def test_a_line_of_numpy_has_the_derivative_of_its_values(line: str) -> None:
    made = projected(line)
    assert made is not None
    total, real = made
    at = {leaf: ARRAYS[name] for name, leaf in gl.symbols(total).items()}
    random = np.random.Generator(np.random.Philox(7))
    direction = {leaf: random.uniform(-1, 1, ARRAYS[leaf.name].shape) for leaf in real}
    gradients = gl.evaluate(gl.grad(total, real, disconnected="zero"), at)
    slope = sum(np.sum(g * direction[leaf]) for g, leaf in zip(gradients, real, strict=True))

    def moved(side: float) -> np.ndarray:
        return gl.evaluate(
            total, {leaf: a + side * STEP * direction[leaf] if leaf in direction else a for leaf, a in at.items()}
        )

    difference = (moved(1) - moved(-1)) / (2 * STEP)
    assert np.isclose(slope, difference, rtol=1e-5, atol=1e-6), line
