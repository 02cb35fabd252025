"""Law: SymPy's derivative of the expression minus the expression of our derivative simplifies to 0.

Where SymPy's simplifier cannot, because the formula bends (it answers with Heaviside), because what is computed near
infinity is an asymptote, or because it takes minutes, both sides are evaluated to 30 digits instead; these are listed.
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
from graphlearn.ops.intrinsics import tanh
from graphlearn.ops.normalised import softmax, softmax_cross_entropy
from graphlearn.ops.reductions import mean
from tests.laws.operands import ELEMENTWISE, arity, is_condition

BENDS = {"clip", "hard_sigmoid", "hard_tanh", "maximum", "minimum", "relu", "relu6", "sign"}
ASYMPTOTES = {"asinh", "atan", "celu", "gaussian", "gelu", "gelu_tanh", "mish", "silu"}
NOT_SIMPLIFIED = BENDS | ASYMPTOTES
POINTS, DIGITS = 5, 30


def real_ops():
    for name, op in ELEMENTWISE.items():
        node, leaves = node_of(op)
        if node.type.is_float and any(leaf.type.is_float for leaf in leaves):
            yield pytest.param(op, id=name)


def node_of(op):
    leaves = [input(n, (), "bool" if is_condition(op, k) else "float64") for k, n in enumerate("xyzuvw"[: arity(op)])]
    return apply(op, *leaves), leaves


def differences(op):
    """SymPy's derivative minus ours, by each real operand; operands are positive where the domain is."""
    node, leaves = node_of(op)
    expr = to_sympy(node)
    for leaf in leaves:
        if leaf.type.is_float:
            ours = to_sympy(grad(node, leaf, disconnected="zero"))
            found = derivative(expr, sympy.Symbol(leaf.name, real=True)) - ours
            positive = {s: sympy.Symbol(s.name, positive=True) for s in found.free_symbols if op.domain[0] > 0}
            yield found.subs(positive)


def is_zero(expr):
    return expr == 0 or sympy.simplify(expr) == 0 or sympy.simplify(expr.rewrite(sympy.exp)) == 0


@pytest.mark.parametrize("op", list(real_ops()))
def test_the_difference_of_the_derivatives_simplifies_to_zero(op):
    if op.name not in NOT_SIMPLIFIED:
        assert all(is_zero(expr) for expr in differences(op))
        return
    generator = random.Random(op.name)
    low, high = (sympy.Rational(str(bound)) for bound in op.domain)
    for expr in differences(op):
        for _ in range(POINTS):
            point = {
                s: low + (high - low) * sympy.Rational(generator.randint(1, 99998), 99999)
                if s.is_real
                else generator.choice([sympy.true, sympy.false])
                for s in sorted(expr.free_symbols, key=str)
            }
            assert abs(sympy.N(expr.subs(point), DIGITS)) < sympy.Rational(1, 10**14), point


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
