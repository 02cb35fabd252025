"""Which nodes may be infinite or NaN, or have such a derivative, although their leaves are finite."""

import numpy as np
import pytest

from graphlearn.backends.numpy.interpreter import evaluate, interpret
from graphlearn.calculus.edges import unsafe_nodes
from graphlearn.calculus.reverse import differentiate
from graphlearn.calculus.scalarize import scalarize
from graphlearn.errors import DataError
from graphlearn.graph.binding import Binding
from graphlearn.graph.leaves import constant, input
from graphlearn.graph.traverse import topological
from graphlearn.ops.algebra import GRAPH as m
from graphlearn.ops.elementwise import elementwise
from graphlearn.ops.factorizations import solve
from graphlearn.ops.joining import stack
from graphlearn.ops.reductions import sum_
from graphlearn.ops.statistics import STD, VAR, norm, std, var
from tests.laws.operands import OTHERS, SIZES, cases
from tests.laws.test_adjoints import lengths

x, y = input("x", 3), input("y", 3)


def is_unsafe(node):
    return node in unsafe_nodes(topological([node]))


@pytest.mark.parametrize(
    "node",
    [
        m.log(x), 1 / x, x / y, m.sqrt(x), m.exp(x), x**0.5, x**-1, x**y, m.acos(x), m.xlogy(x, y),
        x / constant([1.0, 0.0, 2.0]), constant([np.inf, 0, 0]) + x,
        solve(np.eye(3) * x, y), sum_(m.log(x)), m.tanh(sum_(1 / x)) * y,
    ],
    ids=str,
)  # fmt: skip
def test_operations_that_have_an_edge_and_what_depends_on_them(node):
    assert is_unsafe(node)


@pytest.mark.parametrize(
    "node",
    [
        x, x * y, x / 2, x**2, x**3, m.sigmoid(x), m.softplus(x), m.sin(x), m.maximum(x, y), m.square(x) - y,
        x / constant([1.0, -3.0, 2.0]), m.where(1 / x > 0, x, y),
        sum_(x) * y,
    ],
    ids=str,
)  # fmt: skip
def test_operations_that_have_none(node):
    assert not is_unsafe(node)


def test_operations_from_a_formula_are_tried_too():
    assert is_unsafe(elementwise("inverse_square", formula=lambda m, x: 1 / (x * x))(x))
    assert not is_unsafe(elementwise("half_sine", formula=lambda m, x: m.sin(x) / 2)(x))


@pytest.mark.parametrize("number", [0.0, 1.0, 1e4])
@pytest.mark.parametrize("op", [op for op in OTHERS.values() if not op.edges], ids=str)
def test_a_record_without_edges_is_finite_where_all_entries_are_equal(op, number):
    for case in cases(op)[:6]:
        if case.node.type.is_float and case.real_inputs:
            at = case.at | {leaf: np.full(lengths(leaf.shape), number) for leaf in case.real_inputs}
            slopes = differentiate(sum_(case.node), case.real_inputs, disconnected="zero").gradients.values()
            found = interpret([case.node, *slopes], Binding(at, SIZES))
            assert all(np.isfinite(array).all() for array in found.values()), case


def test_a_variance_of_too_few_entries_has_an_edge():
    one = input("one", 1)
    for spread in (var, std):
        with np.errstate(all="ignore"):
            assert is_unsafe(spread(one, ddof=1)) and not np.isfinite(evaluate(spread(one, ddof=1), {one: [2.0]}))


@pytest.mark.parametrize("op", [op for op in OTHERS.values() if op.edges and op not in (VAR, STD)], ids=str)
def test_a_record_with_edges_is_not(op):
    def is_finite(case):
        at = case.at | {leaf: np.zeros(lengths(leaf.shape)) for leaf in case.real_inputs}
        slopes = differentiate(sum_(case.node), case.real_inputs, disconnected="zero").gradients.values()
        try:
            found = interpret([case.node, *slopes], Binding(at, SIZES))
        except DataError:
            return False
        return all(np.isfinite(array).all() for array in found.values())

    with np.errstate(all="ignore"):
        assert not all(is_finite(case) for case in cases(op))


def test_an_operation_of_many_numbers_is_not_tried_on_all_their_combinations():
    numbers = [input(f"x{k}") for k in range(20)]
    assert is_unsafe(scalarize(norm(stack(numbers))))
