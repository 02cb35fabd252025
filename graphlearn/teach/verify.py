"""Checks of adjoints by finite differences, for every node that a derivation shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from graphlearn.backends.numpy.interpreter import interpret
from graphlearn.graph.binding import Binding
from graphlearn.graph.leaves import INPUT
from graphlearn.graph.node import Node, new_node
from graphlearn.graph.rewrite import substitute
from graphlearn.graph.traverse import leaves
from graphlearn.render.story import Check

TOLERANCE = 1e-6
_ENTRIES = 64  # entries up to which each is perturbed by itself
_ROWS = 300  # adjoints up to which short arrays are checked entry by entry
# Weights of the five-point central difference; its error is h^4 f'''''/30: see Fornberg (1988), Table 1.
_STENCIL = ((-2, 1 / 12), (-1, -8 / 12), (1, 8 / 12), (2, -1 / 12))
_STEPS = (1e-3, 1e-5)


def check_adjoints(
    output: Node,
    nodes: Sequence[Node],
    values: Mapping[Node, np.ndarray],
    adjoints: Mapping[Node, np.ndarray],
    binding: Binding,
) -> dict[Node, Check]:
    """Compare adjoints with central differences of the output by the value of each node.

    Args:
        output: scalar node.
        nodes: forward nodes, inner ones included, whose adjoints are checked.
        values: node -> forward value.
        adjoints: node -> value of its adjoint.
        binding: values of the leaves.

    Returns:
        node -> `Check`.
    """
    each = len(nodes) <= _ROWS
    return {
        node: _check(output, node, np.asarray(values[node]), np.asarray(adjoints[node]), binding, each)
        for node in nodes
    }


def _check(output: Node, node: Node, value: np.ndarray, adjoint: np.ndarray, binding: Binding, each: bool) -> Check:
    probe = Probe(output, node, value, binding)
    projected = value.size > _ENTRIES or not each
    directions = _random_direction(value) if projected else _unit_directions(value)
    scale = max(1.0, float(np.max(np.abs(adjoint), initial=0.0)))
    worst, kink = 0.0, False
    for direction in directions:
        expected = float(np.sum(adjoint * direction))
        error = probe.error(direction, expected) / scale
        if not error < TOLERANCE and probe.has_kink(direction):
            kink = True
        else:
            worst = max(worst, error) if np.isfinite(error) else np.inf
    count = 1 if projected else value.size
    return Check(worst, worst < TOLERANCE, projected, count, kink and worst < TOLERANCE)


def _unit_directions(value: np.ndarray) -> list[np.ndarray]:
    return [row.reshape(value.shape) for row in np.eye(value.size)]


def _random_direction(value: np.ndarray) -> list[np.ndarray]:
    direction = np.random.Generator(np.random.Philox(value.size)).standard_normal(value.shape)
    return [direction / max(float(np.sqrt(np.sum(direction**2))), 1e-300)]


class Probe:
    """The output as a function of the value of one node."""

    def __init__(self, output: Node, node: Node, value: np.ndarray, binding: Binding) -> None:
        self._slot = node if node.is_leaf else new_node(INPUT, (), (), node.type, "probe", "")
        self._output = output if node.is_leaf else substitute([output], {node: self._slot})[output]
        self._value = np.asarray(value, np.float64)
        self._binding = binding
        self._needed = set(leaves([self._output]))

    def at(self, shift: np.ndarray | float) -> float:
        """The output with the node's value shifted."""
        arrays = {leaf: array for leaf, array in self._binding.arrays.items() if leaf in self._needed}
        arrays[self._slot] = self._value + shift
        return float(interpret([self._output], Binding(arrays, self._binding.sizes))[self._output])

    def slope(self, direction: np.ndarray, step: float) -> float:
        """Five-point central difference along a direction."""
        h = step * max(1.0, float(np.max(np.abs(self._value * (direction != 0)), initial=0.0)))
        return sum(weight * self.at(k * h * direction) for k, weight in _STENCIL) / h

    def error(self, direction: np.ndarray, expected: float) -> float:
        """Distance of the expected slope from the measured one, at the better of two step sizes."""
        first = abs(self.slope(direction, _STEPS[0]) - expected)
        return (
            first
            if first < TOLERANCE / 1e3
            else float(np.nanmin([first, abs(self.slope(direction, _STEPS[1]) - expected)]))
        )

    def has_kink(self, direction: np.ndarray) -> bool:
        """Whether the slopes to the left and to the right differ: there is no derivative to compare with."""
        here, h = self.at(0.0), 1e-7
        left, right = (here - self.at(-h * direction)) / h, (self.at(h * direction) - here) / h
        return abs(left - right) > 1e-4 * max(1.0, abs(left), abs(right))
