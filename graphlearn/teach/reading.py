"""What one entry of a gradient means, said only where a step of that entry bears it out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from graphlearn.graph.binding import Binding
from graphlearn.graph.node import Node
from graphlearn.render.story import Reading
from graphlearn.teach.differences import Curve, OutputCurve
from graphlearn.teach.wide import compute_wide, evaluate_wide

_STEPS = tuple(10.0**-k for k in range(2, 13))
_NEAR = 0.1  # how far a change may be from gradient times step, as a part of it
_FLAT = 0.5  # where there is no slope, change per step must at least halve when the step becomes ten times smaller


def read_gradients(
    output: Node, wrt: Iterable[Node], adjoints: Mapping[Node, np.ndarray], binding: Binding
) -> dict[Node, Reading]:
    """Read the largest entry of each gradient.

    Args:
        output: the scalar.
        wrt: what it was differentiated by.
        adjoints: node -> gradient.
        binding: values of the leaves.

    Returns:
        node -> reading; none at a kink, at a singular point, or where something is not finite.
    """
    values = evaluate_wide([output], binding)
    found = {}
    for node in wrt:
        gradient = adjoints.get(node)
        if (
            gradient is None
            or not gradient.size
            or not np.all(np.isfinite(gradient))
            or not np.isfinite(values[output])
        ):
            continue
        curve = OutputCurve(output, node, values, binding.sizes, compute_wide)
        index = tuple(int(k) for k in np.unravel_index(int(np.argmax(np.abs(gradient))), gradient.shape))
        step = _honest_step(curve, index, float(gradient[index]))
        if step is not None:
            found[node] = Reading(index, step, float(gradient[index]) * step)
    return found


def _honest_step(curve: Curve, index: tuple[int, ...], slope: float) -> float | None:
    """The largest step, up to 0.01, that changes the output to both sides as the slope says."""
    if slope == 0:
        wide, narrow = (max(map(abs, _changes(curve, index, step))) / step for step in _STEPS[:2])
        return _STEPS[0] if narrow <= _FLAT * wide else None
    for step in _STEPS:
        expected = slope * step
        if all(abs(change - expected) <= _NEAR * abs(expected) for change in _changes(curve, index, step)):
            return step
    return None


def _changes(curve: Curve, index: tuple[int, ...], step: float) -> tuple[float, float]:
    """How the output changes where the entry goes from one step below to its value, and from there to one above."""
    move = np.zeros(curve.start.shape)
    move[index] = step
    below, here, above = (float(curve.at(curve.start + k * move)) for k in (-1, 0, 1))
    return here - below, above - here
