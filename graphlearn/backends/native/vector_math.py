"""The formulas that generated code may call, by name, with their largest errors; simple ones are here.

The rule: no table, no call, and no branch but to what is rare (`Machine.unless`); select only. A formula takes a
`Machine`, which writes LLVM instructions, and its arguments. `LARGEST_ERRORS`, and each formula's docstring, state the
largest errors with and without fused multiply-add, at most 4 ULP. ``tools/vector_math.py`` measures them again, over
every float32 value with ``--all``; its ``--fit`` recomputes the coefficients, which are minimax fits of our own.
"""

from __future__ import annotations

from collections.abc import Callable

from graphlearn.backends.native.arcs import acos, asin, atan, atan2
from graphlearn.backends.native.error_function import erf, erfc
from graphlearn.backends.native.exponentials import cbrt, exp, exp2, expm1, log, log1p, log2, log10, sigmoid, tanh
from graphlearn.backends.native.hyperbolics import acosh, asinh, atanh, cosh, sinh
from graphlearn.backends.native.machine import Machine, Value
from graphlearn.backends.native.powers import power
from graphlearn.backends.native.trigonometry import cos, sin, tan

# formula -> largest error found in float32 (every value) and float64 (2e7 values), in units in the last place
LARGEST_ERRORS: dict[str, tuple[float, float]] = {
    "fexp": (1.09, 1.10),
    "fexp2": (1.08, 1.13),
    "fexpm1": (1.80, 2.25),
    "fcbrt": (0.75, 0.75),
    "flog": (0.95, 0.82),
    "flog1p": (0.96, 0.88),
    "ftanh": (2.60, 2.65),
    "fsigmoid": (2.41, 2.28),
    "fsqrt": (0.5, 0.5),
    "fsin": (1.60, 1.60),
    "fcos": (1.60, 1.60),
    "ftan": (3.20, 3.80),
    "ferf": (1.30, 1.80),
    "ferfc": (3.50, 3.50),
    "fpow": (0.54, 1.30),
    "fasin": (2.50, 2.40),
    "facos": (1.30, 1.30),
    "fatan": (2.00, 2.00),
    "fatan2": (2.50, 2.30),
    "fsinh": (1.70, 1.70),
    "fcosh": (1.60, 1.60),
    "fasinh": (1.90, 1.80),
    "facosh": (2.60, 2.50),
    "fatanh": (2.20, 2.10),
    "flog2": (2.40, 1.90),
    "flog10": (2.50, 1.90),
}
# formulas that branch: in a loop over single numbers they are functions of their own, with a form for vectors
APART = frozenset({"fsin", "fcos", "ftan"})


def floor(m: Machine, x: Value) -> Value:
    """The largest whole number that is not above ``x``."""
    return m.call("llvm.floor", x)


def ceil(m: Machine, x: Value) -> Value:
    """The smallest whole number that is not below ``x``."""
    return m.call("llvm.ceil", x)


def rint(m: Machine, x: Value) -> Value:
    """The nearest whole number, of two the even one."""
    return m.call("llvm.rint", x)


def sqrt(m: Machine, x: Value) -> Value:
    """Square root: one instruction, correctly rounded.

    Largest error: 0.50 ULP in float32, 0.50 in float64.
    """
    return m.call("llvm.sqrt", x)


def maximum(m: Machine, a: Value, b: Value) -> Value:
    """The larger; NaN where either is NaN, as in NumPy."""
    return m.select(m.is_nan(b), b, m.select(m.less(a, b), b, a))


def minimum(m: Machine, a: Value, b: Value) -> Value:
    """The smaller; NaN where either is NaN, as in NumPy."""
    return m.select(m.is_nan(b), b, m.select(m.less(b, a), b, a))


def magnitude(m: Machine, x: Value) -> Value:
    """``x`` without its sign."""
    return m.magnitude(x)


# the name in generated code, before the format's suffix -> formula
FORMULAS: dict[str, Callable[..., Value]] = {
    "fexp": exp,
    "fexp2": exp2,
    "fexpm1": expm1,
    "fcbrt": cbrt,
    "fsin": sin,
    "fcos": cos,
    "ftan": tan,
    "ferf": erf,
    "ferfc": erfc,
    "fpow": power,
    "fasin": asin,
    "facos": acos,
    "fatan": atan,
    "fatan2": atan2,
    "fsinh": sinh,
    "fcosh": cosh,
    "fasinh": asinh,
    "facosh": acosh,
    "fatanh": atanh,
    "flog2": log2,
    "flog10": log10,
    "ffloor": floor,
    "fceil": ceil,
    "frint": rint,
    "flog": log,
    "flog1p": log1p,
    "ftanh": tanh,
    "fsigmoid": sigmoid,
    "fsqrt": sqrt,
    "fabs": magnitude,
    "fmax": maximum,
    "fmin": minimum,
}
