"""Doubles as SymPy's exact numbers, where they stand for such: fractions, roots, pi, logarithms."""

from __future__ import annotations

import math
from typing import Any

import sympy

# Doubles that stand for these numbers and for no fraction: as such, SymPy can simplify.
_NAMED = {
    float(number): number
    for number in (
        sympy.pi, sympy.E, sympy.log(2), sympy.log(10), 1 / sympy.log(2), 1 / sympy.log(10), sympy.sqrt(2),
        1 / sympy.sqrt(2), 2 / sympy.sqrt(sympy.pi), 1 / sympy.sqrt(2 * sympy.pi), sympy.sqrt(2 / sympy.pi),
        2 * sympy.sqrt(2 / sympy.pi), sympy.Rational(44715, 10**6),  # of gelu_tanh
    )
}  # fmt: skip


def number_of(value: bool | int | float) -> Any:
    """Exact where it helps SymPy to simplify: 2.0 becomes 2, 0.25 1/4, math.pi pi, 3**0.5 sqrt(3); 0.1 stays."""
    if isinstance(value, float) and math.isfinite(value):
        numerator, denominator = value.as_integer_ratio()
        if denominator <= 1024 and abs(numerator) < 2**53:
            return sympy.Rational(numerator, denominator)
        if abs(value) in _NAMED:
            return _NAMED[abs(value)] * (1 if value > 0 else -1)
        return _root(value) or sympy.sympify(value, strict=True)
    return sympy.sympify(value, strict=True)


def _root(value: float) -> Any:
    """The root of a whole number up to 1024, or its inverse, if a double is that number rounded; None for another.

    Standard deviations are divided by such doubles.
    """
    sign = 1 if value > 0 else -1
    if not 2**-5 < abs(value) < 2**5:
        return None
    square = round(max(value**2, value**-2))
    if math.isqrt(square) ** 2 == square:
        return None  # 0.1, which is a fraction and no root
    if abs(value) == math.sqrt(square):
        return sign * sympy.sqrt(square)
    return sign / sympy.sqrt(square) if abs(value) in (1 / math.sqrt(square), math.sqrt(1 / square)) else None
