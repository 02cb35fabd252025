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


SYMPY = SympyAlgebra()
