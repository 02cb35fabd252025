"""The rules of simplification. A table: each row names a rule, says what kind it is and what it does to one node.

``exact`` rules are equal in exact arithmetic and serve reading; ``stabilising`` rules are also at least as accurate in
floating point, so training may use them.
"""

from __future__ import annotations

from graphlearn.calculus.rules.arithmetic import ARITHMETIC
from graphlearn.calculus.rules.factors import FACTORS
from graphlearn.calculus.rules.patterns import Rule
from graphlearn.calculus.rules.stable import STABLE
from graphlearn.calculus.rules.views import BROADCASTS, VIEWS

__all__ = ["KINDS", "RULES", "Rule"]

KINDS = ("exact", "stabilising")
# In this order: what rescues numbers first, since other rules would take its patterns apart.
RULES: tuple[Rule, ...] = (*BROADCASTS, *STABLE, *ARITHMETIC, *VIEWS, *FACTORS)
