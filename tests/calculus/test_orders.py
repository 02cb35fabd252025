"""Derivatives of third and fourth order, by repetition of `grad`, against SymPy and against mpmath at 50 digits."""

import numpy as np
import pytest
import sympy

import graphlearn as gl
from graphlearn.graph.node import apply
from graphlearn.graph.traverse import topological
from graphlearn.interop.mpmath_algebra import MpmathAlgebra
from graphlearn.interop.sympy_algebra import expression
from tests.laws.operands import ELEMENTWISE, arity

# Smooth operations of one operand: no convention decides any derivative.
SMOOTH = [
    op
    for op in ELEMENTWISE.values()
    if arity(op) == 1 and not op.kink and all(op.partials or [True]) and op.infer((gl.input("x").type,)).is_float
]
BY_SYMPY = (
    "exp",
    "log",
    "tanh",
    "sigmoid",
    "softplus",
    "erf",
    "sqrt",
    "atan",
    "logistic_density",
    "sech2",
    "reciprocal",
    "softsign",
    "asinh",
)


def orders(op, point, count):
    """The derivatives of an op at a point, of order 1 to ``count``."""
    x = gl.input("x")
    node, found = apply(op, x), []
    for _ in range(count):
        node = gl.grad(node, x)
        found.append(float(gl.evaluate(node, {x: point})))
    return found


def points(op):
    low, high = op.domain
    return [low + (high - low) * part for part in (0.23, 0.61, 0.87)]


@pytest.mark.parametrize("op", SMOOTH, ids=lambda op: op.name)
def test_every_smooth_operation_to_the_fourth_order(op):
    algebra = MpmathAlgebra(60)
    for point in points(op):
        found = orders(op, point, 4)
        for order, value in enumerate(found, 1):
            truth = float(algebra.context.diff(lambda v: op.formula(algebra, v), algebra.context.mpf(point), order))
            assert value == pytest.approx(truth, rel=1e-9, abs=1e-9), f"order {order} at {point}"


@pytest.mark.parametrize("name", BY_SYMPY)
def test_third_and_fourth_order_against_sympy(name):
    op = ELEMENTWISE[name]
    v = sympy.Symbol("v", real=True)
    formula = expression(op, v)
    point = points(op)[1]
    found = orders(op, point, 4)
    for order in (3, 4):
        truth = sympy.N(sympy.diff(formula, v, order).subs(v, sympy.Float(point, 40)), 30)
        assert found[order - 1] == pytest.approx(float(truth), rel=1e-10)


def test_mixed_orders_of_a_network_against_sympy():
    w, x, b = (gl.input(name) for name in "wxb")
    node = gl.square(gl.tanh(w * x + b)) * gl.exp(w)
    formula = gl.to_sympy(node)
    at = {"w": 0.7, "x": -1.3, "b": 0.4}
    for names in ("wxb", "wwx", "wxbw", "wwww"):
        mixed, truth = node, formula
        for name in names:
            mixed = gl.grad(mixed, {"w": w, "x": x, "b": b}[name])
            truth = sympy.diff(truth, next(s for s in formula.free_symbols if s.name == name))
        value = float(truth.subs({s: at[s.name] for s in formula.free_symbols}))
        assert float(gl.evaluate(mixed, at)) == pytest.approx(value, rel=1e-10)


def test_softmax_and_matrix_products_to_the_third_order():
    """Along a random direction, against differences of numbers with many digits, by the complex step of the second."""
    x = gl.input("x", (3,))
    v = np.array([0.3, -1.0, 0.5])
    output = gl.sum(gl.softmax(x) * gl.log_softmax(x)) + gl.logsumexp(x @ np.outer(v, v))
    second = gl.jvp(gl.jvp(output, x, v), x, v)
    at = {x: [0.2, -0.4, 1.1]}
    third = float(gl.evaluate(gl.jvp(second, x, v), at))
    assert third == pytest.approx(float(gl.numeric_grad(second, x, at, "complex") @ v), rel=1e-12)
    fourth = float(gl.evaluate(gl.jvp(gl.jvp(second, x, v), x, v), at))
    assert fourth == pytest.approx(float(gl.numeric_grad(gl.jvp(second, x, v), x, at, "ridders") @ v), rel=1e-7)


def test_a_hessian_times_a_vector_needs_no_hessian():
    """The documented way: jvp of grad. For 2000 weights no node has more entries than the weights, nor many nodes."""
    n = 2000
    w = gl.parameter("w", (n,))
    x = gl.input("x", ("batch", n))
    loss = gl.mean(gl.square(gl.tanh(x @ w))) + 0.5 * gl.sum(gl.square(w))
    v = gl.input("v", (n,))
    product = gl.jvp(gl.grad(loss, w), w, v)
    order = topological([product])
    assert len(order) < 200
    assert max(int(np.prod([d for d in node.shape if isinstance(d, int)])) for node in order) == n
    rng = np.random.default_rng(0)
    at = {w: rng.normal(size=n) / 50, x: rng.normal(size=(5, n)), v: rng.normal(size=n)}
    step = 1e-5
    slopes = [gl.evaluate(gl.grad(loss, w), {**at, w: at[w] + s * step * at[v]}) for s in (-1, 1)]
    np.testing.assert_allclose(gl.evaluate(product, at), (slopes[1] - slopes[0]) / (2 * step), atol=1e-4)
    # The same product in reverse mode, by the symmetry of the Hessian.
    twice = gl.grad(gl.sum(gl.grad(loss, w) * v), w)
    np.testing.assert_allclose(gl.evaluate(twice, at), gl.evaluate(product, at), rtol=1e-10, atol=1e-12)


def test_vjp_and_jvp_are_each_others_transpose():
    x = gl.input("x", (2, 3))
    outputs = (gl.softmax(x), gl.sum(gl.exp(x), 0))
    u = (np.array([[0.1, 0.2, 0.3], [1.0, -1.0, 0.5]]), np.array([2.0, 0.0, -1.0]))
    v = np.array([[1.0, 0.5, -0.5], [0.25, 2.0, 1.0]])
    at = {x: [[0.3, -1.2, 0.8], [2.0, 0.1, -0.4]]}
    pulled = gl.evaluate(gl.vjp(outputs, x, cotangents=u), at)
    pushed = gl.evaluate(gl.jvp(outputs, x, tangents=v), at)
    assert np.sum(pulled * v) == pytest.approx(sum(np.sum(a * b) for a, b in zip(pushed, u, strict=True)), rel=1e-13)
    with pytest.raises(gl.ShapeError, match="vjp needs one cotangent per output; got 1 for 2"):
        gl.vjp(outputs, x, u[:1])
    with pytest.raises(gl.ShapeError, match="vjp needs one cotangent per output; got 0 for 0"):
        gl.vjp((), x, ())
