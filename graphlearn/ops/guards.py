"""`guarded`: the choice between a number and what stands in for it where its formula overflows or cancels.

Local derivatives are made of it, so that SymPy reads the mathematics of a derivative, of whatever order, and not what
floating point needs besides.
"""

from __future__ import annotations

import functools
from typing import Any

from graphlearn.graph.op import CALL, Notation, Op, register
from graphlearn.ops.algebra import NUMPY
from graphlearn.ops.elementwise import publish
from graphlearn.ops.intrinsics import infer_where


def _choose(m: Any, condition: Any, instead: Any, exact: Any) -> Any:
    return m.where(condition, instead, exact)


_RECORD = Op(
    "guarded",
    "defined",
    infer_where,
    Notation(r"\begin{{cases}} {1} & {0} \\ {2} & \text{{otherwise}} \end{{cases}}", "guarded({0}, {1}, {2})", CALL),
    reference=functools.partial(_choose, NUMPY),
    partials=(
        None,
        lambda m, condition, instead, exact, y: m.guarded(condition, 1, 0),
        lambda m, condition, instead, exact, y: m.guarded(condition, 0, 1),
    ),
    formula=_choose,
    kernel=_choose,
    doc="The last operand, and where the condition holds the one before it, which is equal but for rounding there. "
    "SymPy reads the last one alone.",
)
guarded = publish(register(_RECORD), 3, ())


def within(m: Any, x: Any, bound: float) -> Any:
    """``x``, kept within a bound beyond which what is made of it no longer changes."""
    return m.guarded(x > bound, bound, m.guarded(x < -bound, -bound, x))
