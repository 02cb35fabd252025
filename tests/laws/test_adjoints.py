"""Law: reverse mode's derivative of every op equals a central difference along a random direction.

Structural and compound ops, broadcasting, named axes and both values of keepdims included.
"""

import numpy as np
import pytest

from graphlearn.calculus.reverse import differentiate
from graphlearn.graph.binding import Binding
from graphlearn.graph.leaves import INPUT
from graphlearn.graph.node import new_node
from graphlearn.teach.wide import evaluate_wide
from tests.laws.operands import ALL_OPS, OTHERS, SIZES, UNWRITTEN, cases, operand_names

# Weights of the five-point central difference, whose error is h^4 f'''''/30: 1e-13 here, beside 1e-12 of rounding.
STENCIL = ((-2, 1 / 12), (-1, -8 / 12), (1, 8 / 12), (2, -1 / 12))
STEP = 1e-3
TOLERANCE = 1e-9


def lengths(shape):
    return tuple(SIZES[d] if isinstance(d, str) else d for d in shape)


def random_array(shape, seed):
    return np.random.Generator(np.random.Philox(seed)).standard_normal(lengths(shape))


def slope(function, values, leaf, direction):
    """Derivative of an array by one leaf along a direction, by differences."""
    points = [(weight, {**values, leaf: values[leaf] + k * STEP * direction}) for k, weight in STENCIL]
    return sum(weight * np.asarray(function(point), np.float64) for weight, point in points) / STEP


def pulled_back(case):
    """The case's derivative along a random cotangent: gradient nodes, the cotangent's leaf and its value."""
    cotangent = new_node(INPUT, (), (), case.node.type, "cotangent", "")
    trace = differentiate(case.node, case.real_inputs, seed=cotangent, disconnected="zero")
    return trace.gradients, cotangent, random_array(case.node.shape, 1)


def differentiable_cases(dtype):
    found = [case for op in ALL_OPS.values() for case in cases(op, dtype)]
    return [pytest.param(c, id=str(c)) for c in found if c.node.type.is_float and c.real_inputs]


@pytest.mark.parametrize("case", differentiable_cases("float64"))
def test_the_derivative_is_the_central_difference(case):
    gradients, cotangent, weights = pulled_back(case)
    arrays = {**case.at, cotangent: weights}
    values = evaluate_wide([*gradients.values()], Binding(arrays, SIZES))

    def function(at):
        return evaluate_wide([case.node], Binding(at, SIZES))[case.node]

    for k, leaf in enumerate(case.real_inputs):
        gradient = np.broadcast_to(values[gradients[leaf]], lengths(leaf.shape))
        direction = random_array(leaf.shape, k + 2)
        measured = np.sum(weights * slope(function, case.at, leaf, direction))
        found = np.sum(gradient * direction)
        assert abs(found - measured) < TOLERANCE * max(1, abs(found)), f"by operand {k}"


@pytest.mark.parametrize("case", [*differentiable_cases("float64"), *differentiable_cases("float32")])
def test_a_gradient_has_the_type_of_what_it_belongs_to(case):
    gradients, _, _ = pulled_back(case)
    assert {leaf: node.type for leaf, node in gradients.items()} == {leaf: leaf.type for leaf in case.real_inputs}


READ = [op for op in ALL_OPS.values() if op.textbook_adjoint is not None]


@pytest.mark.parametrize("op", READ, ids=lambda op: op.name)
def test_the_derivative_that_is_read_is_the_one_that_is_computed(op):
    """What guards the computed one counts at zeros and ties alone, where the other is no number."""
    compared = 0
    for case in cases(op):
        cotangent = new_node(INPUT, (), (), case.node.type, "cotangent", "")
        computed, read = (
            differentiate(case.node, case.real_inputs, seed=cotangent, textbook=form).gradients
            for form in (False, True)
        )
        arrays = {**case.at, cotangent: random_array(case.node.shape, 1)}
        values = evaluate_wide([*computed.values(), *read.values()], Binding(arrays, SIZES))
        for leaf in case.real_inputs:
            right, written = values[computed[leaf]], values[read[leaf]]
            kept = np.isfinite(written)
            compared += np.count_nonzero(kept)
            np.testing.assert_allclose(np.broadcast_to(right, kept.shape)[kept], written[kept], rtol=1e-9, atol=1e-12)
    assert compared


def test_ops_without_a_derivative_are_those_whose_result_is_not_real():
    tested = {param.values[0].node.op for param in differentiable_cases("float64")}
    for op in set(ALL_OPS.values()) - tested:
        drawn = set(operand_names(op)) <= set(UNWRITTEN) if op in OTHERS.values() else False
        assert all(drawn or not case.node.type.is_float or not case.node.inputs for case in cases(op)), op
