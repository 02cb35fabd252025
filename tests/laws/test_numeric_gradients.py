"""Law: every method of `numeric_grad` finds the gradient of every op; the complex step may refuse an op by its name."""

import numpy as np
import pytest

from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.calculus.reverse import differentiate
from graphlearn.errors import UnsupportedOp
from graphlearn.graph.leaves import INPUT
from graphlearn.graph.node import new_node
from graphlearn.ops.reductions import sum_
from graphlearn.teach.check import numeric_grad
from tests.laws.operands import ALL_OPS, cases
from tests.laws.test_adjoints import random_array

TOLERANCES = {"central": 1e-7, "ridders": 1e-9, "complex": 1e-10}
# Of each op the first case and the last: one number, and several axes.
FOUND = {op.name: [c for c in cases(op) if c.node.type.is_float and c.real_inputs] for op in ALL_OPS.values()}
CASES = [pytest.param(c, id=str(c)) for found in FOUND.values() for c in found[:1] + found[1:][-1:]]


@pytest.mark.parametrize("case", CASES)
def test_every_method_finds_the_gradient(case):
    weights = new_node(INPUT, (), (), case.node.type, "weights", "")
    output = sum_(weights * case.node)
    at = {**case.at, weights: random_array(case.node.shape, 3)}
    gradients = differentiate(output, case.real_inputs, disconnected="zero", record=False).gradients
    for method, tolerance in TOLERANCES.items():
        for w, gradient in gradients.items():
            try:
                found = numeric_grad(output, w, at, method)
            except UnsupportedOp as refusal:
                assert method == "complex"
                assert "analytic operations; got" in str(refusal)
                continue
            truth = np.broadcast_to(evaluate(gradient, at), np.shape(at[w]))
            assert found.shape == np.shape(at[w])
            size = max(1.0, float(np.max(np.abs(truth), initial=0)))
            np.testing.assert_allclose(found, truth, rtol=tolerance, atol=tolerance * size)
