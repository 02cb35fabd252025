"""Law: the gradient's gradient equals the central difference of the gradient, away from kinks."""

import numpy as np
import pytest

from graphlearn.calculus.reverse import differentiate
from graphlearn.graph.binding import Binding
from graphlearn.graph.leaves import INPUT
from graphlearn.graph.node import new_node
from graphlearn.ops.reductions import sum_
from graphlearn.teach.wide import evaluate_wide
from tests.laws.operands import SIZES
from tests.laws.test_adjoints import differentiable_cases, lengths, pulled_back, random_array, slope

TOLERANCE = 1e-8


@pytest.mark.parametrize("case", differentiable_cases("float64"))
def test_the_second_derivative_is_the_central_difference_of_the_first(case):
    gradients, cotangent, weights = pulled_back(case)
    arrays = {**case.at, cotangent: weights}
    along = {w: new_node(INPUT, (), (), w.type, f"along{k}", "") for k, w in enumerate(gradients)}
    arrays |= {leaf: random_array(leaf.shape, 20 + k) for k, leaf in enumerate(along.values())}
    total = None  # the gradient's product with random directions, a scalar
    for w, gradient in gradients.items():
        part = sum_(gradient * along[w])
        total = part if total is None else total + part
    second = differentiate(total, case.real_inputs, disconnected="zero", record=False).gradients
    values = evaluate_wide([*second.values()], Binding(arrays, SIZES))

    def function(at):
        return evaluate_wide([total], Binding(at, SIZES))[total]

    for k, leaf in enumerate(case.real_inputs):
        direction = random_array(leaf.shape, 40 + k)
        measured = float(slope(function, arrays, leaf, direction))
        found = float(np.sum(np.broadcast_to(values[second[leaf]], lengths(leaf.shape)) * direction))
        assert abs(found - measured) < TOLERANCE * max(1, abs(found)), f"by operand {k}"
