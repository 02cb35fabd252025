"""Law: forward mode is the transpose of reverse mode for every op, and the central difference along a direction."""

import numpy as np
import pytest

from graphlearn.calculus.forward import push_forward
from graphlearn.graph.binding import Binding
from graphlearn.graph.leaves import INPUT
from graphlearn.graph.node import new_node
from graphlearn.graph.traverse import topological
from graphlearn.teach.wide import evaluate_wide
from tests.laws.operands import SIZES
from tests.laws.test_adjoints import differentiable_cases, lengths, pulled_back, random_array, slope

TOLERANCE = 1e-9


def pushed(case):
    """The case's derivative along a random direction of all real inputs, and leaf of each tangent -> its value."""
    leaves = [new_node(INPUT, (), (), leaf.type, f"d{leaf.name}", "") for leaf in case.real_inputs]
    moved = push_forward([case.node], case.real_inputs, leaves)[0]
    return moved, {leaf: random_array(leaf.shape, k + 2) for k, leaf in enumerate(leaves)}


@pytest.mark.parametrize("case", differentiable_cases("float64"))
def test_forward_is_the_transpose_of_reverse(case):
    moved, directions = pushed(case)
    gradients, cotangent, weights = pulled_back(case)
    arrays = {**case.at, cotangent: weights, **directions}
    values = evaluate_wide([moved, *gradients.values()], Binding(arrays, SIZES))
    along = float(np.sum(weights * values[moved]))
    back = sum(
        float(np.sum(values[gradients[leaf]] * direction))
        for leaf, direction in zip(case.real_inputs, directions.values(), strict=True)
    )
    assert abs(along - back) < TOLERANCE * max(1, abs(along))
    assert np.shape(values[moved]) == lengths(case.node.shape)


@pytest.mark.parametrize("case", differentiable_cases("float64"))
def test_forward_is_the_central_difference(case):
    moved, directions = pushed(case)
    values = evaluate_wide([moved], Binding({**case.at, **directions}, SIZES))

    def function(at):
        return evaluate_wide([case.node], Binding(at, SIZES))[case.node]

    measured = sum(
        slope(function, case.at, leaf, direction)
        for leaf, direction in zip(case.real_inputs, directions.values(), strict=True)
    )
    size = 1 + np.max(np.abs(measured), initial=0)
    np.testing.assert_allclose(values[moved], measured, rtol=TOLERANCE, atol=TOLERANCE * size)


@pytest.mark.parametrize("case", [*differentiable_cases("float64"), *differentiable_cases("float32")])
def test_a_derivative_has_the_type_of_its_output_and_no_cotangent_is_left(case):
    moved, directions = pushed(case)
    assert moved.type == case.node.type
    left = {n for n in topological([moved]) if n.op.name == "input"} - set(case.node.inputs) - set(directions)
    assert not left
