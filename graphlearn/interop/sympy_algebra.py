"""SymPy's algebra: a formula that runs over it becomes a SymPy expression. A table.

Operations that are defined by a formula need no row: their formula runs over this algebra.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import sympy
from sympy.logic.boolalg import Boolean

from graphlearn.errors import UnsupportedOp
from graphlearn.graph.op import OPS, Op


def _truth(condition: Any) -> Any:
    """A condition as SymPy needs it: a number is true where it is not zero."""
    condition = sympy.sympify(condition, strict=True)
    # A Symbol is a Boolean too, unless it is known to be real.
    is_boolean = isinstance(condition, Boolean) and not (condition.is_Symbol and condition.is_real)
    return condition if is_boolean else sympy.Ne(condition, 0)


def _where(condition: Any, x: Any, y: Any) -> Any:
    return sympy.Piecewise((x, _truth(condition)), (y, True))


def _round(x: Any) -> Any:
    """The nearest whole number; where the one above a half is odd, the one below."""
    above = sympy.floor(x + sympy.Rational(1, 2))
    return sympy.Piecewise((above - 1, sympy.Eq(sympy.Mod(x, 2), sympy.Rational(1, 2))), (above, True))


def _cbrt(x: Any) -> Any:
    third = sympy.Rational(1, 3)
    return sympy.Piecewise((x**third, x >= 0), (-((-x) ** third), True))


INTRINSICS: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "neg": lambda x: -x,
    "pow": lambda x, y: x**y,
    "exp": sympy.exp,
    "expm1": lambda x: sympy.exp(x) - 1,
    "log": sympy.log,
    "log1p": lambda x: sympy.log(1 + x),
    "sqrt": sympy.sqrt,
    "sin": sympy.sin,
    "cos": sympy.cos,
    "tanh": sympy.tanh,
    "erf": sympy.erf,
    "tan": sympy.tan,
    "asin": sympy.asin,
    "acos": sympy.acos,
    "atan": sympy.atan,
    "atan2": sympy.atan2,
    "sinh": sympy.sinh,
    "cosh": sympy.cosh,
    "asinh": sympy.asinh,
    "acosh": sympy.acosh,
    "atanh": sympy.atanh,
    "exp2": lambda x: sympy.Integer(2) ** x,
    "log2": lambda x: sympy.log(x) / sympy.log(2),
    "log10": lambda x: sympy.log(x) / sympy.log(10),
    "cbrt": _cbrt,
    "erfc": sympy.erfc,
    "floor": sympy.floor,
    "ceil": sympy.ceiling,
    "round": _round,
    "mod": lambda x, y: x - y * sympy.floor(x / y),
    "floor_divide": lambda x, y: sympy.floor(x / y),
    "abs": sympy.Abs,
    "sign": sympy.sign,
    "maximum": sympy.Max,
    "minimum": sympy.Min,
    "where": _where,
    "less": sympy.Lt,
    "less_equal": sympy.Le,
    "greater": sympy.Gt,
    "greater_equal": sympy.Ge,
    "equal": sympy.Eq,
    "not_equal": sympy.Ne,
    "logical_not": lambda x: sympy.Not(_truth(x)),
    "logical_and": lambda x, y: sympy.And(_truth(x), _truth(y)),
    "logical_or": lambda x, y: sympy.Or(_truth(x), _truth(y)),
}


class SympyAlgebra:
    """Formulas over this algebra build SymPy expressions; ``m.sigmoid`` runs sigmoid's own formula."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)  # Python itself asks, e.g. hasattr(m, "__wrapped__"); no formula does
        if name in INTRINSICS:
            return INTRINSICS[name]
        op = OPS.get(name)
        if op is None or op.kind != "defined":
            raise UnsupportedOp(
                f"a formula used m.{name}, which SymPy has no expression for here. There are: "
                f"{', '.join(INTRINSICS)} and every operation defined by a formula."
            )
        return functools.partial(expression, op)


def expression(op: Op, *operands: Any) -> Any:
    """The formula of an elementwise operation as a SymPy expression.

    Args:
        op: an intrinsic or defined operation.
        operands: SymPy expressions or Python numbers, scalars.

    Raises:
        UnsupportedOp: the operation has no formula.
    """
    if op.formula is None:
        raise UnsupportedOp(
            f"{op.name} has no formula, so SymPy cannot write it. Only elementwise operations have one."
        )
    return op.formula(SYMPY, *[sympy.sympify(x, strict=True) for x in operands])


def derivative(expr: Any, symbol: Any) -> Any:
    """SymPy's derivative, with that of floor and ceiling, which SymPy leaves open: 0, as between their steps."""
    return expr.diff(symbol).replace(_is_slope_of_steps, lambda _: sympy.S.Zero)


def _is_slope_of_steps(part: Any) -> bool:
    if isinstance(part, sympy.Derivative):
        return isinstance(part.expr, (sympy.floor, sympy.ceiling))
    return isinstance(part, sympy.Subs) and part.expr == 0


SYMPY = SympyAlgebra()
