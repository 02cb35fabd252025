"""Elementary functions beyond the first course's, and short formulas whose derivatives are better than their parts'."""

from __future__ import annotations

from typing import Any

from graphlearn.graph.op import CALL, PRODUCT, SUM, Notation
from graphlearn.ops.elementwise import elementwise


def _xlogy_kernel(m: Any, x: Any, y: Any) -> Any:
    """0 at x = 0, but for a y that is no number."""
    return m.where(m.logical_and(m.equal(x, 0), m.equal(y, y)), 0, x * m.log(y))


reciprocal = elementwise(
    "reciprocal",
    doc="1 / x, always real.",
    formula=lambda m, x: 1 / x,
    partials=(lambda m, x, y: -y * y,),
    textbook=(lambda m, x, y: -1 / x**2,),
    notation=Notation(r"\frac{{1}}{{{0}}}", "1 / {0}", PRODUCT - 1, (PRODUCT + 1,), CALL, ()),
    domain=(0.5, 2.0),
)
rsqrt = elementwise(
    "rsqrt",
    doc="1 / sqrt(x).",
    formula=lambda m, x: 1 / m.sqrt(x),
    partials=(lambda m, x, y: -y / (2 * x),),
    textbook=(lambda m, x, y: -(y**3) / 2,),
    notation=Notation(r"\frac{{1}}{{\sqrt{{{0}}}}}", "1 / √({0})", PRODUCT - 1, (), CALL, ()),
    domain=(0.5, 2.0),
)
xlogy = elementwise(
    "xlogy",
    doc="x log(y), and 0 where x is 0: what entropies sum.",
    formula=lambda m, x, y: m.where(m.equal(x, 0), 0, x * m.log(y)),
    kernel=_xlogy_kernel,
    partials=(lambda m, x, y, z: m.log(y), lambda m, x, y, z: m.where(m.equal(x, 0), 0, x / y)),
    kink="the derivative of xlogy by y where x is 0 is 0, also at y = 0",
    notation=Notation(r"{0} \log\left({1}\right)", "{0}·log({1})", PRODUCT, (PRODUCT, 0)),
    domain=(0.5, 2.0),
)
clip = elementwise(
    "clip",
    doc="The number from low to high that is nearest to x; high where low is above it.",
    formula=lambda m, x, low, high: m.minimum(m.maximum(x, low), high),
    partials=(
        lambda m, x, low, high, y: m.where(m.logical_and(x >= low, x <= high), 1, 0),
        lambda m, x, low, high, y: m.where(m.logical_and(x < low, low <= high), 1, 0),
        lambda m, x, low, high, y: m.where(m.maximum(x, low) > high, 1, 0),
    ),
    kink="the derivative of clip by x at a bound is 1, that by the bound 0",
    notation=Notation(r"\operatorname{{clip}}\left({0}, {1}, {2}\right)", "clip({0}, {1}, {2})", CALL, (SUM, SUM, SUM)),
)
