"""Law: every op has a cost; where it adds and multiplies, as many operations as there are in the graph of numbers."""

import pytest

from graphlearn.calculus.scalarize import scalarize
from graphlearn.calculus.specialize import free_axes
from graphlearn.graph.traverse import topological
from graphlearn.program.cost import entries, flops
from tests.laws.operands import ALL_OPS, SIZES, cases

ARITHMETIC = ("sum", "prod", "cumsum", "mean", "add", "mul", "sigmoid", "relu", "tanh", "clip", "sub", "where")


@pytest.mark.parametrize("op", ALL_OPS.values(), ids=list(ALL_OPS))
def test_every_op_has_a_cost(op):
    for case in cases(op):
        found = flops(case.node, SIZES)
        assert isinstance(found, int) and found >= 0
        if op.is_elementwise:
            assert found >= entries(case.node.shape, SIZES)


@pytest.mark.parametrize("name", ARITHMETIC)
def test_a_cost_is_the_number_of_operations_on_numbers(name):
    for case in cases(ALL_OPS[name])[:12]:
        nodes = scalarize(case.node, **{axis: SIZES[axis] for axis in free_axes(topological([case.node]))})
        roots = [nodes] if case.node.shape == () else nodes.ravel().tolist()
        counted = sum(flops(n, {}) for n in set(topological(roots)) if n.inputs)
        assert counted == flops(case.node, SIZES)
