"""Tails that textbook derivatives lose; branches not taken, which make no NaN. The law: `test_hard_derivatives`."""

import numpy as np
import pytest

from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.calculus.reverse import differentiate
from graphlearn.graph.leaves import input
from graphlearn.graph.node import apply
from graphlearn.ops.algebra import GRAPH
from graphlearn.ops.reductions import sum_


def gradient_at(output, x, value):
    return evaluate(differentiate(output, [x]).gradients[x], {x: value})


def test_the_tails_that_textbook_forms_lose():
    x = input("x")
    narrow = input("x", (), "float32")
    assert gradient_at(GRAPH.sigmoid(x), x, 40.0) == pytest.approx(4.248354255291589e-18, rel=1e-14)
    assert gradient_at(GRAPH.sigmoid(x), x, 1000.0) == gradient_at(GRAPH.sigmoid(x), x, -1000.0) == 0
    assert gradient_at(GRAPH.tanh(narrow), narrow, 10.0) == pytest.approx(8.244614e-9, rel=1e-6)
    assert gradient_at(GRAPH.softplus(x), x, 1000.0) == 1
    for target in (0.0, 1.0):
        for z in (1e4, -1e4):
            assert gradient_at(GRAPH.binary_cross_entropy(x, target), x, z) == (1.0 if z > 0 else 0.0) - target


def masked():
    """Functions whose branch not taken is NaN or has no finite derivative: name -> (graph of x, points)."""
    m = GRAPH
    return {
        "log": (lambda x: m.where(x > 0, m.log(x), 0), (0.0, -1.0)),
        "sqrt": (lambda x: m.where(x > 0, m.sqrt(x), 0), (0.0, -1.0)),
        "sine over x": (lambda x: m.where(m.equal(x, 0), 1, m.sin(x) / x), (0.0,)),
        "exp that overflows": (lambda x: m.where(x < 10, m.exp(x), 10), (1e3,)),
        "power": (lambda x: m.where(x > 0, x**0.5, 0), (0.0, -1.0)),
        "a chain": (lambda x: m.where(x > 0, m.sin(m.log(x) ** 2) * m.sqrt(x), 0), (0.0, -1.0)),
        "both branches": (lambda x: m.where(x > 0, m.log(x), m.log(-x)), (2.0, -2.0)),
        "nested": (lambda x: m.where(x > 0, m.where(x > 1, m.log(x - 1), 0), 0), (0.5, -1.0, 1.0)),
        "through a sum": (lambda x: m.where(x > 0, sum_(m.log(x)), 0), (0.0, -1.0)),
        "through a scaled sum": (lambda x: 3 * m.where(x > 0, m.log(x), 0) / 2 - 1, (0.0, -1.0)),
        "two uses": (lambda x: m.where(x > 0, m.log(x) + m.sqrt(x), 0) + x, (0.0, -1.0)),
    }


@pytest.mark.parametrize("name", masked())
def test_the_branch_not_taken_makes_no_nan(name):
    build, points = masked()[name]
    x = input("x")
    for value in points:
        assert np.isfinite(gradient_at(sum_(build(x)), x, value)), value


def test_the_branch_not_taken_makes_no_nan_in_arrays_either():
    x = input("x", 3)
    loss = sum_(apply("where", x > 0, GRAPH.log(x), 0))
    np.testing.assert_array_equal(gradient_at(loss, x, [-1.0, 0.0, 2.0]), [0, 0, 0.5])
