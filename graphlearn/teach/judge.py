"""SymPy as the judge of local derivatives: it differentiates each formula itself and compares."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import sympy

from graphlearn.graph.node import Node
from graphlearn.graph.op import Op
from graphlearn.interop.sympy_algebra import SYMPY, derivative, expression
from graphlearn.ops.formulas import kinds_of_operands
from graphlearn.types import ArrayType

# Away from 0 and from each other, so that no point lies on a kink.
_POINTS = (("0.7", "1.3", "0.4"), ("1.9", "0.6", "1.1"), ("0.35", "0.85", "2.2"))
_DIGITS = 30
_CLOSE = sympy.Rational(1, 10**14)  # partials hold double literals such as 2/sqrt(pi)


def judged_ops(nodes: Iterable[Node]) -> tuple[str, ...]:
    """Names of the elementwise operations among these nodes whose local derivatives SymPy confirms."""
    return tuple(op.name for op in _judgeable(nodes) if agrees_with_sympy(op))


def refuted_ops(nodes: Iterable[Node]) -> tuple[str, ...]:
    """Names of the elementwise operations among these nodes whose local derivatives SymPy contradicts."""
    return tuple(op.name for op in _judgeable(nodes) if not agrees_with_sympy(op))


def _judgeable(nodes: Iterable[Node]) -> list[Op]:
    """Operations whose partials somebody wrote; those derived from a formula are right if it is."""
    return list(dict.fromkeys(node.op for node in nodes if node.op.formula is not None and node.op.partials))


@functools.lru_cache(maxsize=512)
def agrees_with_sympy(op: Op) -> bool:
    """Whether every partial of an op, as read and as computed, equals SymPy's derivative of the formula.

    An op without partials of its own is differentiated from its formula, so there is nothing to compare.
    """
    arity = len(op.partials)
    kinds = kinds_of_operands(op.formula, arity) if op.formula and op.kind == "defined" else (ArrayType(()),) * arity
    symbols = tuple(sympy.Symbol(f"x{k}", real=True if t.is_float else None) for k, t in enumerate(kinds))
    return all(_partial_agrees(op, k, symbols) for k in range(arity) if kinds[k].is_float)


def _partial_agrees(op: Op, argument: int, symbols: tuple[Any, ...]) -> bool:
    value = expression(op, *symbols)
    rules = [table[argument] for table in (op.partials, op.textbook) if table and table[argument] is not None]
    if not rules or isinstance(value, sympy.logic.boolalg.Boolean):
        return True
    truth = derivative(value, symbols[argument])
    return all(
        _equal(truth, sympy.sympify(rule(SYMPY, *symbols, value)), symbols) for rule in rules if rule is not None
    )


def _equal(a: Any, b: Any, symbols: tuple[Any, ...]) -> bool:
    """Whether two expressions agree to 14 digits at points that lie on no kink."""
    for turn, point in enumerate(_POINTS):
        at = {
            symbol: sympy.Rational(point[k % 3]) + sympy.Rational(k // 3, 7) if symbol.is_real else (turn + k) % 2 == 0
            for k, symbol in enumerate(symbols)
        }
        difference = sympy.N(a.subs(at), _DIGITS) - sympy.N(b.subs(at), _DIGITS)
        if not (difference.is_number and abs(difference) < _CLOSE):
            return False
    return True
