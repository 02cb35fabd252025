"""sinh, cosh and the inverse hyperbolic functions, by exp and log1p of arguments that keep their digits."""

from __future__ import annotations

import math

from graphlearn.backends.native.exponentials import CONSTANTS, LN_2, exp_times, log1p
from graphlearn.backends.native.machine import Machine, Value

# (sinh(x) - x) / x^3 in powers of x^2, x <= 1
HYPERBOLIC_SINE = {
    "f32": (0.16666666487296890816, 0.0083333507017657403034, 0.00019836045363597521317, 2.8175638939965970967e-6),
    "f64": (
        0.1666666666666666744,
        0.0083333333333331364829,
        0.0001984126984143935711,
        2.7557319154787978946e-6,
        2.5052123488650674701e-8,
        1.6057233119161200574e-10,
        7.7595371842129989495e-13,
    ),
}
_BIG = 2.0**30  # from here on 1 counts for nothing beside the square, which might overflow


def _half_exp(m: Machine, size: Value) -> Value:
    """``exp(size) / 2``, which is infinite only where sinh and cosh are."""
    return exp_times(m, m.at_most(size, CONSTANTS[m.format.name].exp_range[1] + 1.0), m.number(0.0), m.number(0.5))


def sinh(m: Machine, x: Value) -> Value:
    """Hyperbolic sine.

    Largest error: 1.70 ULP in float32, 1.70 in float64.
    """
    size, square = m.magnitude(x), x * x
    half = _half_exp(m, size)
    near = size + size * square * m.polynomial(square, HYPERBOLIC_SINE[m.format.name])
    return m.with_sign(m.select(m.less(size, 1.0), near, half - 0.25 / half), x)


def cosh(m: Machine, x: Value) -> Value:
    """Hyperbolic cosine.

    Largest error: 1.60 ULP in float32, 1.60 in float64.
    """
    half = _half_exp(m, m.magnitude(x))
    return half + 0.25 / half


def asinh(m: Machine, x: Value) -> Value:
    """Inverse hyperbolic sine: ``log1p(x + x^2 / (1 + sqrt(1 + x^2)))``, and ``log(x) + log 2`` of what is big.

    Largest error: 1.90 ULP in float32, 1.80 in float64.
    """
    size = m.magnitude(x)
    big = m.less(m.number(_BIG), size)
    square = size * size
    above = m.select(big, size - 1.0, size + square / (m.call("llvm.sqrt", square + 1.0) + 1.0))
    return m.with_sign(log1p(m, above) + m.select(big, m.number(LN_2), 0.0), x)


def acosh(m: Machine, x: Value) -> Value:
    """Inverse hyperbolic cosine.

    Largest error: 2.60 ULP in float32, 2.50 in float64.
    """
    big = m.less(m.number(_BIG), x)
    above = x - 1.0
    root = m.call("llvm.sqrt", above * (above + 2.0))
    y = log1p(m, m.select(big, above, above + root)) + m.select(big, m.number(LN_2), 0.0)
    return m.select(m.less(x, 1.0), m.number(math.nan), y)


def atanh(m: Machine, x: Value) -> Value:
    """Inverse hyperbolic tangent: ``log1p(2 x / (1 - x)) / 2``.

    Largest error: 2.20 ULP in float32, 2.10 in float64.
    """
    size = m.magnitude(x)
    return m.with_sign(log1p(m, (size + size) / (1.0 - size)) * 0.5, x)
