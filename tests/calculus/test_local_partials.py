"""Local derivatives: by the record's partials, or by the formula; and their product with what comes in."""

import numpy as np
import pytest

from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.calculus.partials import local_partial, scale
from graphlearn.graph.leaves import input
from graphlearn.graph.node import apply
from graphlearn.graph.op import OPS
from graphlearn.ops.algebra import FUNCTIONS, GRAPH
from graphlearn.ops.elementwise import elementwise
from graphlearn.teach.differences import numeric_grad

x, y = input("x"), input("y")
FORMULAS = {
    "swish": (lambda m, x: x / (1 + m.exp(-x)), (0.7,)),
    "gelu": (lambda m, x: 0.5 * x * (1 + m.erf(x / 2**0.5)), (-1.3,)),
    "mish": (lambda m, x: x * m.tanh(m.softplus(x)), (0.4,)),
    "repeated": (lambda m, x: m.sin(x) * m.sin(x) + m.sin(x), (1.1,)),
    "two": (lambda m, x, y: x**2 * m.log(1 + y * y) / (1 + x * y), (0.8, 1.7)),
    "bent": (lambda m, x: m.where(x > 0, x, 0.1 * m.expm1(x)), (-0.6,)),
    "largest": (lambda m, x, y: m.maximum(x * y, m.square(x)), (0.8, 1.7)),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_formula_without_partials_is_differentiated(name):
    formula, point = FORMULAS[name]
    function = elementwise("of_this_test", formula=formula)
    try:
        leaves = (x, y)[: len(point)]
        node = function(*leaves)
        at = dict(zip(leaves, point, strict=True))
        for k, leaf in enumerate(leaves):
            expected = float(numeric_grad(node, leaf, at, "ridders"))
            assert evaluate(local_partial(node, k), at) == pytest.approx(expected, rel=1e-9)
    finally:
        del OPS["of_this_test"], FUNCTIONS["of_this_test"]


def test_partials_as_computed_and_as_read():
    node = GRAPH.tanh(x)
    assert local_partial(node, 0) is GRAPH.sech2(x)
    assert local_partial(node, 0, textbook=True) is 1 - node**2
    assert local_partial(GRAPH.exp(x), 0) is GRAPH.exp(x)
    assert local_partial(x < y, 0) is None
    assert local_partial(x + y, 1) == 1


def test_scaling_keeps_simple_factors_simple():
    assert scale(x, None) is None
    assert scale(x, 0) is None
    assert scale(x, 1) is x
    assert scale(x, -1) is -x
    assert scale(x, 2.0) is x * 2.0
    assert scale(x, y) is x * y


def test_scaling_puts_masks_outermost():
    condition = x > 0
    mask = apply("where", condition, y, 0)
    assert scale(mask, x) is apply("where", condition, y * x, 0)
    assert scale(x, mask) is apply("where", condition, x * y, 0)
    assert scale(x, apply("where", condition, 1, 0)) is apply("where", condition, x, 0)
    nested = scale(mask, apply("where", y > 0, x, 0))
    assert nested is apply("where", condition, apply("where", y > 0, y * x, 0), 0)
    both = apply("where", condition, y, 1.0)  # no mask: the other branch is not zero
    assert scale(x, both) is x * both
    assert np.isnan(evaluate(scale(GRAPH.log(x), both), {x: -1.0, y: 1.0}))
