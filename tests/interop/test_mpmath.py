"""mpmath: true values to many digits, in a context of their own."""

import math

import mpmath
import pytest

from graphlearn.errors import UnsupportedOp
from graphlearn.interop.mpmath_algebra import MpmathAlgebra, true_value
from tests.laws.operands import ALL_OPS, ELEMENTWISE, arity


def test_values_are_true_to_the_digits_that_are_asked_for():
    value = true_value(ELEMENTWISE["sigmoid"], 1.0, digits=50)
    assert mpmath.nstr(value, 50) == "0.73105857863000487925115924182183627436514464016506"
    assert mpmath.nstr(true_value(ELEMENTWISE["erf"], 0.5, digits=40), 30) == "0.520499877813046537682746653892"


def test_cancellations_do_not_eat_the_digits():
    tail = true_value(ELEMENTWISE["softplus"], -1000.0)
    assert mpmath.almosteq(tail, mpmath.exp(-1000), 1e-30)
    assert mpmath.almosteq(true_value(ELEMENTWISE["expm1"], 1e-300), mpmath.mpf(1e-300), 1e-30)
    assert mpmath.almosteq(true_value(ELEMENTWISE["sech2"], 400.0), 4 * mpmath.exp(-800), 1e-15)


def test_the_callers_precision_is_left_alone():
    before = mpmath.mp.dps
    true_value(ELEMENTWISE["tanh"], 0.5, digits=300)
    assert mpmath.mp.dps == before


def test_what_is_not_real_is_nan_and_conditions_are_bools():
    assert mpmath.isnan(true_value(ELEMENTWISE["log"], -1.0))
    assert mpmath.isnan(true_value(ELEMENTWISE["sqrt"], -1.0))
    assert mpmath.isnan(true_value(ELEMENTWISE["pow"], -8.0, 1 / 3))
    assert mpmath.isnan(true_value(ELEMENTWISE["div"], 0.0, 0.0))
    assert true_value(ELEMENTWISE["log"], 0.0) == mpmath.ninf
    assert true_value(ELEMENTWISE["div"], -1.0, 0.0) == mpmath.ninf
    assert true_value(ELEMENTWISE["less"], 1.0, 2.0) is True
    assert true_value(ELEMENTWISE["logical_and"], True, False) is False
    assert true_value(ELEMENTWISE["where"], False, 1.0, 2.0) == 2
    for name in ("maximum", "minimum"):
        assert mpmath.isnan(true_value(ELEMENTWISE[name], math.nan, 1.0))


@pytest.mark.parametrize("op", ELEMENTWISE.values(), ids=list(ELEMENTWISE))
def test_every_elementwise_op_has_a_true_value(op):
    moved = max(0.0, op.domain[0] - 0.7)  # into the domain of acosh
    value = true_value(op, *[x + moved for x in (0.7, 1.3, 0.4)[: arity(op)]])
    assert isinstance(value, bool) or mpmath.isfinite(value)


def test_the_algebra_refuses_what_it_does_not_know():
    algebra = MpmathAlgebra()
    with pytest.raises(UnsupportedOp, match=r"m\.matmul, which has no row for mpmath"):
        algebra.matmul(1, 2)
    with pytest.raises(UnsupportedOp, match="sum has no formula"):
        true_value(ALL_OPS["sum"], 1.0)
    assert not hasattr(algebra, "__wrapped__")
    assert algebra.sigmoid(0) == 0.5
