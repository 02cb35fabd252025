"""Law: SymPy's derivative of the expression minus the expression of our derivative simplifies to 0, twice over.

Where a formula consists of straight pieces, SymPy answers with Heaviside and DiracDelta, which speak of the kinks
besides; there the difference must be exactly 0 at rational points of the pieces, where both sides are constant.
"""

import random

import pytest
import sympy

from graphlearn.calculus.gradient import grad
from graphlearn.calculus.scalarize import scalarize
from graphlearn.graph.leaves import input, parameter
from graphlearn.graph.node import apply
from graphlearn.graph.traverse import symbols
from graphlearn.interop.sympy_algebra import derivative
from graphlearn.interop.sympy_graph import from_sympy, to_sympy
from graphlearn.ops.determinants import det
from graphlearn.ops.intrinsics import tanh
from graphlearn.ops.normalised import logsumexp, softmax, softmax_cross_entropy
from graphlearn.ops.products import prod
from graphlearn.ops.reductions import mean
from graphlearn.ops.statistics import norm, std, var
from tests.laws.operands import ELEMENTWISE, arity, is_condition

STRAIGHT = {
    "abs", "clip", "hard_sigmoid", "hard_tanh", "maximum", "minimum", "relu", "relu6", "sign",
}  # fmt: skip
# Written in exponentials, derived in a hyperbolic tangent: SymPy sees that they agree over exponentials.
OVER_EXPONENTIALS = {("logistic_density", 1), ("logistic_density", 2), ("sigmoid", 2)}
POINTS = 5


def real_ops():
    for name, op in ELEMENTWISE.items():
        node, leaves = node_of(op)
        if node.type.is_float and any(leaf.type.is_float for leaf in leaves):
            yield pytest.param(op, id=name)


def node_of(op):
    leaves = [input(n, (), "bool" if is_condition(op, k) else "float64") for k, n in enumerate("xyzuvw"[: arity(op)])]
    return apply(op, *leaves), leaves


def differences(op, order):
    """SymPy's derivative minus ours, by each real operand; operands are positive where the domain is.

    Of the second order each of our first derivatives is differentiated again, by us and by SymPy.
    """
    node, leaves = node_of(op)
    real = [leaf for leaf in leaves if leaf.type.is_float]
    if order == 1:
        pairs = [(node, leaf) for leaf in real]
    else:
        pairs = [(grad(node, first, disconnected="zero"), second) for first in real for second in real]
    for output, leaf in pairs:
        ours = to_sympy(grad(output, leaf, disconnected="zero"))
        found = derivative(to_sympy(output), sympy.Symbol(leaf.name, real=True)) - ours
        positive = {s: sympy.Symbol(s.name, positive=True) for s in found.free_symbols if op.domain[0] > 0}
        yield found.subs(positive)


def is_zero(expr):
    return sympy.simplify(expr) == 0  # which whoever reads the README calls, so without rewriting it first


def points(op, symbols):
    """Random rationals within the domain; a kink is none of them but by a chance of 1 in 10^5."""
    generator = random.Random(op.name)
    low, high = (sympy.Rational(str(bound)) for bound in op.domain)
    for _ in range(POINTS):
        yield {s: low + (high - low) * sympy.Rational(generator.randint(1, 99998), 99999) for s in symbols}


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("op", list(real_ops()))
def test_the_difference_of_the_derivatives_is_zero(op, order):
    for expr in differences(op, order):
        if op.name in STRAIGHT:
            assert all(expr.subs(point) == 0 for point in points(op, sorted(expr.free_symbols, key=str)))
        else:
            assert is_zero(expr.rewrite(sympy.exp) if (op.name, order) in OVER_EXPONENTIALS else expr)


def test_what_is_listed_is_not_simplified():
    for name in STRAIGHT:
        assert not all(is_zero(expr) for order in (1, 2) for expr in differences(ELEMENTWISE[name], order))


@pytest.mark.parametrize("name", ["asinh", "atan", "atan2", "gaussian", "gelu", "gelu_tanh", "mish", "pow", "silu"])
def test_derivatives_are_read_without_what_guards_their_digits(name):
    node, leaves = node_of(ELEMENTWISE[name])
    first = grad(node, leaves[0])
    guards = (sympy.Piecewise, sympy.Max, sympy.Min, sympy.Abs, sympy.floor)
    for derivative_ in (first, grad(first, leaves[0])):
        assert not to_sympy(derivative_).has(*guards)


def test_a_wrong_derivative_is_found():
    x = sympy.Symbol("x", real=True)
    assert not is_zero(derivative(sympy.tanh(x), x) - (1 - sympy.tanh(x) ** 2 + sympy.Rational(1, 10**12)))


def test_the_gradients_of_a_network_are_those_of_sympy():
    x, t = input("x", (1, 2)), input("t", (1, 1))
    h = tanh(x @ parameter("w1", (2, 2)) + parameter("b1", (2,)))
    loss = scalarize(mean((h @ parameter("w2", (2, 1)) - t) ** 2))
    expr = to_sympy(loss)
    for name, leaf in symbols(loss).items():
        difference = sympy.diff(expr, sympy.Symbol(name, real=True)) - to_sympy(grad(loss, leaf))
        # Over exponentials it is a quotient; simplify, which tries everything, would take minutes to see that it is 0.
        assert sympy.expand(sympy.numer(sympy.together(difference.rewrite(sympy.exp)))) == 0
    assert sympy.expand(to_sympy(from_sympy(expr)) - expr) == 0


@pytest.mark.parametrize("normalized", [False, True])
def test_the_entries_of_softmax_and_its_loss_are_differentiated_as_sympy_does(normalized):
    z, t = input("z", 3), input("t", 3)
    for node in (scalarize(softmax(z))[1], scalarize(softmax_cross_entropy(z, t, normalized=normalized))):
        expr = to_sympy(node)
        for name, leaf in symbols(node).items():
            ours = to_sympy(grad(node, leaf))
            assert sympy.simplify(sympy.diff(expr, sympy.Symbol(name, real=True)) - ours) == 0


@pytest.mark.parametrize("name", ["det", "gelu", "logsumexp", "norm", "prod", "std", "var"])
def test_what_arrays_are_reduced_to_is_differentiated_as_sympy_does(name):
    x, m = input("x", 3), input("m", (2, 2))
    outputs = {
        "det": lambda: det(m), "gelu": lambda: mean(apply("gelu", x * x[::-1])), "logsumexp": lambda: logsumexp(x),
        "norm": lambda: norm(x), "prod": lambda: prod(x), "std": lambda: std(x), "var": lambda: var(x),
    }  # fmt: skip
    loss = scalarize(outputs[name]())
    leaf = next(iter(symbols(loss).values()))
    symbol = sympy.Symbol(leaf.name, real=True)
    first = grad(loss, leaf)
    assert is_zero(sympy.diff(to_sympy(loss), symbol) - to_sympy(first))
    assert is_zero(sympy.diff(to_sympy(first), symbol) - to_sympy(grad(first, leaf, disconnected="zero")))
