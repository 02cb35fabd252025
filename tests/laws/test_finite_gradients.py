"""Law: gradients are finite where the truth is, and accurate in the tails; the branch not taken makes no NaN."""

import mpmath
import numpy as np
import pytest

from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.calculus.reverse import differentiate
from graphlearn.graph.leaves import INPUT, input
from graphlearn.graph.node import apply, make, new_node
from graphlearn.interop.mpmath_algebra import MpmathAlgebra
from graphlearn.ops.algebra import GRAPH
from graphlearn.ops.reductions import sum_
from graphlearn.types import ArrayType
from tests.laws.operands import ELEMENTWISE, arity, is_condition
from tests.laws.test_kernels import hard_points, rounded, truth_at

# Largest error of a partial: of its own size for one operand; where there are two, of the larger of it and 1.
EPSILONS = 32


def derived():
    """Ops and operands that have a partial."""
    return [
        pytest.param(op, k, dtype, id=f"{op.name}-{k}-{dtype}")
        for op in ELEMENTWISE.values()
        for k, rule in enumerate(op.partials)
        if rule is not None
        for dtype in ("float64", "float32")
    ]


def true_partial(op, k, numbers):
    """The partial's rule in many digits; `test_partials` proves that it is the derivative."""
    algebra = MpmathAlgebra(400)
    value = truth_at(op, *numbers)
    operands = [algebra.number(x) for x in numbers]
    try:
        return algebra.number(op.partials[k](algebra, *operands, algebra.number(value)))
    except ZeroDivisionError:
        return mpmath.nan


@pytest.mark.parametrize(("op", "k", "dtype"), derived())
def test_a_gradient_is_finite_and_accurate_where_the_truth_is(op, k, dtype):
    points = [rounded(point, dtype)[1] for point in hard_points(op)]
    kinds = [ArrayType((len(points),), "bool" if is_condition(op, j) else dtype) for j in range(arity(op))]
    leaves = tuple(new_node(INPUT, (), (), kind, f"x{j}", "") for j, kind in enumerate(kinds))
    gradient = differentiate(sum_(make(op, leaves)), [leaves[k]], disconnected="zero").gradients[leaves[k]]
    at = {leaf: np.array([p[j] for p in points], leaf.dtype) for j, leaf in enumerate(leaves)}
    found = np.broadcast_to(evaluate(gradient, at), len(points))
    info = np.finfo(dtype)
    for point, value in zip(points, found, strict=True):
        if mpmath.isnan(truth_at(op, *point)):
            continue
        truth = true_partial(op, k, point)
        if mpmath.isnan(truth) or abs(truth) > float(info.max):
            continue
        floor = 1.0 if len(point) > 1 else float(info.tiny)
        bound = EPSILONS * float(info.eps) * max(abs(float(truth)), floor)
        assert np.isfinite(value), point
        assert abs(float(value) - truth) <= bound, (point, value, float(truth))


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
            assert gradient_at(GRAPH.bce(x, target), x, z) == (1.0 if z > 0 else 0.0) - target


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
