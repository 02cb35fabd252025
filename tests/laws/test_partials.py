"""Law: every partial, as computed and as read, is SymPy's derivative of the formula, kinks apart.

SymPy decides where it can; where its simplifier cannot, both sides are evaluated to 30 digits at many points.
"""

import random

import pytest
import sympy

from graphlearn.interop.sympy_algebra import SYMPY, derivative, expression
from tests.laws.operands import ELEMENTWISE, arity, is_condition

POINTS = 20
DIGITS = 30
EXACT = sympy.Rational(1, 10**28)
SHORT = 2**20  # denominators of doubles that are meant exactly, such as 0.5
ROUNDED = sympy.Rational(1, 10**14)  # a partial that holds a double, such as 2/sqrt(pi)


def symbols_of(op):
    """One Symbol per operand, positive where the op's domain is."""
    positive = op.domain[0] > 0 or None
    return [
        sympy.Symbol(f"c{k}") if is_condition(op, k) else sympy.Symbol(f"x{k}", real=True, positive=positive)
        for k in range(arity(op))
    ]


def rules():
    """(op, operand, table's name, rule) of every partial there is."""
    for op in ELEMENTWISE.values():
        for table in ("partials", "textbook"):
            for k, rule in enumerate(getattr(op, table)):
                if rule is not None:
                    yield pytest.param(op, k, rule, id=f"{op.name}-{k}-{table}")


def points(op, symbols):
    """Random rationals within the domain, none of them on a kink."""
    generator = random.Random(op.name)
    low, high = (sympy.Rational(str(bound)) for bound in op.domain)
    for _ in range(POINTS):
        yield {
            x: generator.choice([sympy.true, sympy.false])
            if x.name.startswith("c")
            else low + (high - low) * sympy.Rational(generator.randint(1, 99998), 99999)
            for x in symbols
        }


def exactly(expression):
    """The expression with every double as the fraction that it is, and whether all of these are short."""
    fractions = {f: sympy.Rational(*float(f).as_integer_ratio()) for f in expression.atoms(sympy.Float)}
    return expression.xreplace(fractions), all(f.q < SHORT for f in fractions.values())


@pytest.mark.parametrize(("op", "k", "rule"), list(rules()))
def test_a_partial_is_the_derivative_of_the_formula(op, k, rule):
    symbols = symbols_of(op)
    value = expression(op, *symbols)
    truth, short = exactly(derivative(value, symbols[k]))
    partial, also_short = exactly(sympy.sympify(rule(SYMPY, *symbols, value)))
    if truth == partial:
        return
    bound = EXACT if short and also_short else ROUNDED
    for point in points(op, symbols):
        left, right = (sympy.N(e.xreplace(point), DIGITS + 5) for e in (truth, partial))
        assert left.is_number and right.is_number
        assert abs(left - right) <= bound * max(1, abs(left)), point


def test_every_real_op_has_partials_or_a_formula_to_derive_them_from():
    for op in ELEMENTWISE.values():
        assert op.formula is not None
        assert len(op.partials) in (0, arity(op))
        assert len(op.textbook) in (0, arity(op))


def test_the_law_refuses_a_wrong_partial():
    x = sympy.Symbol("x0", real=True)
    value = expression(ELEMENTWISE["tanh"], x)
    wrong = 1 - value**2 + sympy.Rational(1, 10**20)
    point = {x: sympy.Rational(1, 3)}
    assert abs(sympy.N((value.diff(x) - wrong).subs(point), DIGITS)) > EXACT
