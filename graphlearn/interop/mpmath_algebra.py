"""mpmath's algebra: a formula that runs over it gives the true value, to as many digits as are asked for. A table."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import mpmath

from graphlearn.errors import UnsupportedOp
from graphlearn.graph.op import OPS, Op

_FAR = 1e3  # beyond, exp(-x) is nothing beside 1 in every format, and needs no digits


def _power(context: Any, x: Any, y: Any) -> Any:
    """NaN where the power is complex: graphs are real."""
    value = context.power(x, y)
    return value.real if value.imag == 0 else context.nan


def _log(context: Any, x: Any) -> Any:
    return context.nan if x < 0 else context.ln(x) if x != 0 else context.ninf


def _divide(context: Any, x: Any, y: Any) -> Any:
    """As IEEE 754 does, but for the sign of zero, which mpmath has not."""
    if y != 0:
        return x / y
    return context.nan if x == 0 or context.isnan(x) else context.inf * context.sign(x)


def _larger(context: Any, x: Any, y: Any) -> Any:
    return context.nan if context.isnan(x) or context.isnan(y) else max(x, y)


def _smaller(context: Any, x: Any, y: Any) -> Any:
    return context.nan if context.isnan(x) or context.isnan(y) else min(x, y)


def _log_to(base: int) -> Callable[..., Any]:
    return lambda context, x: _log(context, x) / context.ln(base)


def _within(name: str, low: float, high: float) -> Callable[..., Any]:
    """A function of the context that is real from ``low`` to ``high``; NaN elsewhere."""
    return lambda context, x: getattr(context, name)(x) if low <= x <= high else context.nan


def _erfc(context: Any, x: Any) -> Any:
    """Beyond 1e30 by the first term of the asymptotic series, exact to 60 digits: mpmath takes no larger argument."""
    if abs(x) < 1e30 or context.isnan(x):
        return context.erfc(x)
    return context.mpf(2) if x < 0 else context.exp(-x * x) / (x * context.sqrt(context.pi))


def _cbrt(context: Any, x: Any) -> Any:
    return context.sign(x) * context.cbrt(abs(x))


# name -> function of mpmath's context and the operands
INTRINSICS: dict[str, Callable[..., Any]] = {
    "add": lambda c, x, y: x + y,
    "sub": lambda c, x, y: x - y,
    "mul": lambda c, x, y: x * y,
    "div": _divide,
    "neg": lambda c, x: -x,
    "pow": _power,
    "exp": lambda c, x: c.exp(x),
    "expm1": lambda c, x: c.expm1(x),
    "log": _log,
    "log1p": lambda c, x: _log(c, 1 + x),
    "sqrt": lambda c, x: c.nan if x < 0 else c.sqrt(x),
    "sin": lambda c, x: c.sin(x),
    "cos": lambda c, x: c.cos(x),
    "tanh": lambda c, x: c.tanh(x),
    "erf": lambda c, x: c.erf(x),
    "tan": lambda c, x: c.tan(x),
    "asin": _within("asin", -1, 1),
    "acos": _within("acos", -1, 1),
    "atan": lambda c, x: c.atan(x),
    "atan2": lambda c, y, x: c.atan2(y, x),
    "sinh": lambda c, x: c.sinh(x),
    "cosh": lambda c, x: c.cosh(x),
    "asinh": lambda c, x: c.asinh(x),
    "acosh": _within("acosh", 1, math.inf),
    "atanh": _within("atanh", -1, 1),
    "exp2": lambda c, x: c.power(2, x),
    "log2": _log_to(2),
    "log10": _log_to(10),
    "cbrt": _cbrt,
    "erfc": _erfc,
    "floor": lambda c, x: c.floor(x),
    "ceil": lambda c, x: c.ceil(x),
    "round": lambda c, x: c.nint(x),
    "mod": lambda c, x, y: x - y * c.floor(x / y),
    "floor_divide": lambda c, x, y: c.floor(x / y),
    "abs": lambda c, x: c.fabs(x),
    "sign": lambda c, x: c.sign(x),
    "maximum": _larger,
    "minimum": _smaller,
    "where": lambda c, condition, x, y: x if condition else y,
    "less": lambda c, x, y: x < y,
    "less_equal": lambda c, x, y: x <= y,
    "greater": lambda c, x, y: x > y,
    "greater_equal": lambda c, x, y: x >= y,
    "equal": lambda c, x, y: x == y,
    "not_equal": lambda c, x, y: x != y,
    "logical_not": lambda c, x: not x,
    "logical_and": lambda c, x, y: bool(x) and bool(y),
    "logical_or": lambda c, x, y: bool(x) or bool(y),
}


class MpmathAlgebra:
    """Formulas over this algebra compute scalars in a context of their own; ``m.sigmoid`` runs sigmoid's own formula.

    Args:
        digits: decimal digits of every operation.
    """

    def __init__(self, digits: int = 50) -> None:
        self.context: Any = mpmath.MPContext()  # a context of its own: the caller's mpmath.mp keeps its precision
        self.context.dps = digits

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)  # Python itself asks, e.g. hasattr(m, "__wrapped__"); no formula does
        if name in INTRINSICS:
            return self._on_numbers(INTRINSICS[name])
        op = OPS.get(name)
        if op is None or op.formula is None:
            raise UnsupportedOp(
                f"a formula used m.{name}, which has no row for mpmath. There are: {', '.join(INTRINSICS)} and every "
                "operation defined by a formula."
            )
        return functools.partial(op.formula, self)

    def _on_numbers(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Formulas pass Python numbers too; every operand becomes a number of the context."""
        return lambda *operands: function(self.context, *[self.number(x) for x in operands])

    def number(self, value: Any) -> Any:
        """A number of this context: floats exactly, bools as they are."""
        return value if isinstance(value, bool) else self.context.convert(value)


def true_value(op: Op, *operands: float, digits: int = 50) -> Any:
    """What an elementwise operation's formula is, to many digits.

    Enough digits are carried for the formula's own cancellations, such as log(1 + exp(-1000)), for operands of up to
    1000 in size; beyond, exp(-x) is nothing beside 1.

    Args:
        op: an intrinsic or defined operation.
        operands: real numbers or bools.
        digits: digits of the result.

    Returns:
        An mpmath number, or a bool; NaN where the formula divides by zero or is not real.

    Raises:
        UnsupportedOp: the operation has no formula.
    """
    if op.formula is None:
        raise UnsupportedOp(f"{op.name} has no formula, so it has no true value. Only elementwise operations have one.")
    algebra = _algebra(digits + digits_lost(operands))
    try:
        value = op.formula(algebra, *[algebra.number(x) for x in operands])
    except ZeroDivisionError:
        return algebra.context.nan
    with algebra.context.workdps(digits):
        return value if isinstance(value, bool) else +algebra.number(value)  # + rounds to the context's digits


@functools.lru_cache(maxsize=64)
def _algebra(digits: int) -> MpmathAlgebra:
    """A context takes milliseconds to make."""
    return MpmathAlgebra(digits)


def digits_lost(operands: tuple[float, ...]) -> int:
    """Digits that a formula may cancel: between the largest and the smallest of exp(2 x), 1 + x and their like."""
    sizes = [abs(float(x)) for x in operands if math.isfinite(x) and x != 0]
    spread = sum((size if size <= _FAR else 0) / math.log(10) * 2 + abs(math.log10(size)) * 2 for size in sizes)
    return math.ceil(spread)
