"""Law: a compound is its expansion and its opening: what backends run and what derivations show equal the reference."""

import numpy as np
import pytest

from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.calculus.reverse import differentiate, sum_to
from graphlearn.graph.leaves import input
from graphlearn.ops.normalised import log_softmax, logsumexp, softmax, softmax_cross_entropy
from graphlearn.ops.reductions import sum_
from tests.laws.operands import ALL_OPS, COMPOUNDS, SIZES, cases

EXPANDED = [pytest.param(case, id=str(case)) for op in COMPOUNDS.values() for case in cases(op)]
OPENED = [pytest.param(case, id=str(case)) for op in ALL_OPS.values() if op.open for case in cases(op)]
FLOAT32 = [pytest.param(case, id=str(case)) for op in COMPOUNDS.values() for case in cases(op, "float32")]


def test_every_compound_has_an_expansion():
    assert all(op.expand for op in COMPOUNDS.values())
    assert OPENED


@pytest.mark.parametrize("case", EXPANDED)
def test_the_expansion_has_the_type_and_the_value_of_the_compound(case):
    expansion = case.node.op.expand(case.node)
    assert expansion.type == case.node.type
    whole, parts = evaluate([case.node, expansion], case.at, sizes=SIZES)
    np.testing.assert_allclose(parts, whole, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("case", FLOAT32)
def test_the_expansion_stays_in_float32(case):
    assert case.node.op.expand(case.node).type == case.node.type


@pytest.mark.parametrize("case", OPENED)
def test_the_opening_has_the_shape_and_the_value_of_the_op(case):
    opening = case.node.op.open(case.node)
    assert opening.graph.type == case.node.type
    whole, parts = evaluate([case.node, opening.graph], case.at, sizes=SIZES)
    np.testing.assert_allclose(parts, whole, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("case", OPENED)
def test_the_openings_partial_is_the_derivative_by_the_inner_node(case):
    opening = case.node.op.open(case.node)
    gradient = differentiate(sum_(opening.graph), [opening.inner]).gradients[opening.inner]
    partial = sum_to(opening.partial, opening.inner.shape)
    shown, found = evaluate([partial, gradient], case.at, sizes=SIZES)
    np.testing.assert_allclose(shown, found, rtol=1e-12, atol=1e-14)


def test_compounds_are_finite_where_exponentials_overflow():
    z, t = input("z", 3), input("t", 3)
    at = {z: [1e4, -1e4, 0.0], t: [0.0, 1.0, 0.0]}
    for node in (softmax(z), log_softmax(z), logsumexp(z), softmax_cross_entropy(z, t)):
        for form in (node, node.op.expand(node)):
            assert np.all(np.isfinite(evaluate(form, at)))
    assert evaluate(softmax_cross_entropy(z, t), at) == 2e4
    infinite = {z: [-np.inf, 1.0, 1.0]}
    for node in (logsumexp(z), logsumexp(z).op.expand(logsumexp(z))):
        np.testing.assert_allclose(evaluate(node, infinite), 1 + np.log(2))
        assert evaluate(node, {z: [-np.inf] * 3}) == -np.inf
        assert evaluate(node, {z: [np.inf, 0.0, -np.inf]}) == np.inf
