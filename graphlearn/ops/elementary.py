"""Elementary functions beyond the first course's, and short formulas whose derivatives are better than their parts'."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphlearn.graph.op import CALL, POWER, PRODUCT, SUM, Notation
from graphlearn.ops.elementwise import elementwise, infer_number, infer_same, intrinsic, without_bools


def _call(name: str, latex: str = "") -> Notation:
    return Notation((latex or rf"\{name}") + r"\left({0}\right)", name + "({0})", CALL)


def _operator(name: str) -> str:
    return rf"\operatorname{{{{{name}}}}}"


def _erfc(x: Any) -> Any:
    """The C library's, entry by entry: SciPy's loses up to 480 ULP in the tail, where it squares the argument."""
    array = np.asarray(x)
    if array.dtype.kind == "c":
        from scipy.special import erfc

        return erfc(x)
    dtype = array.dtype if array.dtype.kind == "f" else np.dtype(np.float64)
    result = np.fromiter(map(math.erfc, array.ravel().tolist()), np.float64, array.size).reshape(array.shape)
    return result.astype(dtype)[()]


def _of_reals(function: Callable[..., Any]) -> Callable[..., Any]:
    """Whole numbers and bools stay as they are."""

    def reference(x: Any) -> Any:
        return x if np.asarray(x).dtype.kind in "biu" else function(x)

    return reference


def _over_hypotenuse(m: Any, x: Any) -> Any:
    """``1 / sqrt(1 + x^2)``; the square does not overflow, and from 1e9 on the 1 counts for nothing."""
    return m.guarded(m.abs(x) > 1e9, 1 / m.abs(x), 1 / m.sqrt(1 + x * x))


def _inversion_kernel(m: Any, x: Any, y: Any) -> Any:
    """By shares of the larger of both: squares would overflow, or vanish."""
    size = m.maximum(m.abs(x), m.abs(y))
    share = x / size / (m.square(x / size) + m.square(y / size)) / size
    return m.where(m.logical_or(m.equal(size, 0), m.equal(size, math.inf)), 0, share)


def _one_minus_square(m: Any, x: Any) -> Any:
    """``(1 - x) (1 + x)``, which is accurate near 1; near 0 its derivative ``(1 - x) - (1 + x)`` would cancel."""
    return m.guarded(m.abs(x) < 0.5, 1 - x * x, (1 - x) * (1 + x))


def _over_one_and_square(m: Any, x: Any) -> Any:
    """``1 / (1 + x^2)``; the square does not overflow, and from 1e9 on the 1 counts for nothing."""
    return m.guarded(m.abs(x) > 1e9, 1 / x / x, 1 / (1 + x * x))


tan = intrinsic(
    "tan", np.tan, numpy=(np.tan,), doc="Tangent of an angle in radians.", domain=(-0.8, 0.8),
    partials=(lambda m, x, y: 1 + y * y,), textbook=(lambda m, x, y: 1 + y**2,), notation=_call("tan"),
    ulps=(4, 8),
)  # fmt: skip
asin = intrinsic(
    "asin", np.arcsin, numpy=(np.arcsin,), domain=(-0.6, 0.6),
    doc="Inverse sine, in radians; its derivative at -1 and 1 is +inf, and all is NaN beyond.",
    partials=(lambda m, x, y: 1 / m.sqrt(_one_minus_square(m, x)),), textbook=(lambda m, x, y: 1 / m.sqrt(1 - x**2),),
    notation=_call("asin", r"\arcsin"),
    ulps=(4, 8),
)  # fmt: skip
acos = intrinsic(
    "acos", np.arccos, numpy=(np.arccos,), domain=(-0.6, 0.6),
    doc="Inverse cosine, in radians; its derivative at -1 and 1 is -inf, and all is NaN beyond.",
    partials=(lambda m, x, y: -1 / m.sqrt(_one_minus_square(m, x)),), textbook=(lambda m, x, y: -1 / m.sqrt(1 - x**2),),
    notation=_call("acos", r"\arccos"),
    ulps=(3, 8),
)  # fmt: skip
atan = intrinsic(
    "atan", np.arctan, numpy=(np.arctan,), doc="Inverse tangent, in radians.",
    partials=(lambda m, x, y: _over_one_and_square(m, x),), textbook=(lambda m, x, y: 1 / (1 + x**2),),
    notation=_call("atan", r"\arctan"),
    ulps=(3, 8),
)  # fmt: skip
atan2 = intrinsic(
    "atan2", np.arctan2, numpy=(np.arctan2,), doc="Angle of the point (y, x), given in this order, from the x axis.",
    partials=(
        lambda m, y, x, z: m.inversion(x, y),
        lambda m, y, x, z: -m.inversion(y, x),
    ),
    textbook=(lambda m, y, x, z: x / (x**2 + y**2), lambda m, y, x, z: -y / (x**2 + y**2)),
    kink="both derivatives of atan2 at the origin are 0",
    notation=Notation(r"\operatorname{{atan2}}\left({0}, {1}\right)", "atan2({0}, {1})", CALL), domain=(0.5, 2.0),
    ulps=(4, 8),
)  # fmt: skip
sinh = intrinsic(
    "sinh", np.sinh, numpy=(np.sinh,), doc="Hyperbolic sine.", partials=(lambda m, x, y: m.cosh(x),),
    notation=_call("sinh"),
)  # fmt: skip
cosh = intrinsic(
    "cosh", np.cosh, numpy=(np.cosh,), doc="Hyperbolic cosine.", partials=(lambda m, x, y: m.sinh(x),),
    notation=_call("cosh"),
    ulps=(3, 8),
)  # fmt: skip
asinh = intrinsic(
    "asinh", np.arcsinh, numpy=(np.arcsinh,), doc="Inverse hyperbolic sine.",
    partials=(lambda m, x, y: _over_hypotenuse(m, x),), textbook=(lambda m, x, y: 1 / m.sqrt(1 + x**2),),
    notation=_call("asinh", _operator("arsinh")),
)  # fmt: skip
acosh = intrinsic(
    "acosh", np.arccosh, numpy=(np.arccosh,), domain=(1.2, 3.0),
    doc="Inverse hyperbolic cosine; its derivative at 1 is +inf, and all is NaN below.",
    partials=(lambda m, x, y: m.guarded(x > 1e9, 1 / x, 1 / (m.sqrt(x - 1) * m.sqrt(x + 1))),),
    textbook=(lambda m, x, y: 1 / m.sqrt(x**2 - 1),), notation=_call("acosh", _operator("arcosh")),
)  # fmt: skip
atanh = intrinsic(
    "atanh", np.arctanh, numpy=(np.arctanh,),
    doc="Inverse hyperbolic tangent; infinite at -1 and 1, with a derivative of +inf, and NaN beyond.",
    partials=(lambda m, x, y: 1 / _one_minus_square(m, x),), textbook=(lambda m, x, y: 1 / (1 - x**2),),
    notation=_call("atanh", _operator("artanh")), domain=(-0.6, 0.6),
)  # fmt: skip
exp2 = intrinsic(
    "exp2", np.exp2, numpy=(np.exp2,), doc="2 to the power of x.", partials=(lambda m, x, y: y * math.log(2),),
    notation=Notation("2^{{{0}}}", "2^{0}", POWER, (POWER + 1,), POWER, ()),
    ulps=(3, 8),
)  # fmt: skip
log2 = intrinsic(
    "log2", np.log2, numpy=(np.log2,), partials=(lambda m, x, y: (1 / math.log(2)) / (x + 0),),
    doc="Logarithm to base 2, NaN of x < 0; its derivative is 1 / (x log 2), of x < 0 too, and +inf at 0 and -0.",
    textbook=(lambda m, x, y: 1 / (x * math.log(2)),), notation=_call("log2", r"\log_2"), domain=(0.5, 2.0),
    ulps=(3, 8),
)  # fmt: skip
log10 = intrinsic(
    "log10", np.log10, numpy=(np.log10,),
    doc="Logarithm to base 10, NaN of x < 0; its derivative is 1 / (x log 10), of x < 0 too, and +inf at 0 and -0.",
    partials=(lambda m, x, y: math.log10(math.e) / (x + 0),), textbook=(lambda m, x, y: 1 / (x * math.log(10)),),
    notation=_call("log10", r"\log_{{10}}"), domain=(0.5, 2.0),
    ulps=(4, 8),
)  # fmt: skip
cbrt = intrinsic(
    "cbrt", np.cbrt, numpy=(np.cbrt,), domain=(0.5, 2.0),
    doc="Real cube root, also of negative numbers; its derivative at 0 and -0 is +inf.",
    partials=(lambda m, x, y: m.square(1 / y) / 3,), textbook=(lambda m, x, y: 1 / (3 * y**2),),
    notation=Notation(r"\sqrt[3]{{{0}}}", "∛({0})", CALL),
    ulps=(3, 8),
)  # fmt: skip
erfc = intrinsic(
    "erfc", _erfc, doc="1 - erf(x), accurate where erf is 1.",
    partials=(lambda m, x, y: -2 / math.sqrt(math.pi) * m.gaussian(x),),
    textbook=(lambda m, x, y: -2 / math.sqrt(math.pi) * m.exp(-(x**2)),),
    notation=_call("erfc", _operator("erfc")), source="Abramowitz and Stegun (1964), eq. 7.1.2",
)  # fmt: skip
floor, ceil, round_ = (
    intrinsic(
        name, _of_reals(function), infer=infer_same, numpy=numpy, doc=doc, partials=(lambda m, x, y: 0,),
        kink=f"the derivative of {name} is 0, also at its steps", notation=Notation(*brackets, CALL),
    )
    for name, function, numpy, doc, brackets in (
        ("floor", np.floor, (np.floor,), "The largest whole number that is not above x.",
         (r"\left\lfloor {0} \right\rfloor", "⌊{0}⌋")),
        ("ceil", np.ceil, (np.ceil,), "The smallest whole number that is not below x.",
         (r"\left\lceil {0} \right\rceil", "⌈{0}⌉")),
        ("round", np.rint, (), "The nearest whole number, of two the even one.",
         (r"\operatorname{{round}}\left({0}\right)", "round({0})")),
    )
)  # fmt: skip
mod = intrinsic(
    "mod", without_bools(np.remainder), infer=infer_number, numpy=(np.remainder,), domain=(0.5, 2.0),
    doc="Remainder of x / y; it has the sign of y.",
    partials=(lambda m, x, y, z: 1, lambda m, x, y, z: m.round((z - x) / y)),
    textbook=(lambda m, x, y, z: 1, lambda m, x, y, z: -m.floor(x / y)),
    kink="the derivative of mod by x is 1, also where it jumps",
    notation=Notation(r"{0} \bmod {1}", "{0} mod {1}", PRODUCT, (PRODUCT, PRODUCT + 1)),
)  # fmt: skip
floor_divide = intrinsic(
    "floor_divide", without_bools(np.floor_divide), infer=infer_number, numpy=(np.floor_divide,), domain=(1.1, 1.9),
    doc="The largest whole number that is not above the exact x / y: 1 // 0.1 is 9, where 1 / 0.1 is rounded to 10. "
    "By 0 it is x / 0 of reals and 0 of whole numbers; of an infinite x it is NaN.",
    partials=(lambda m, x, y, z: 0, lambda m, x, y, z: 0),
    kink="the derivative of floor_divide is 0, also at its steps",
    notation=Notation(
        r"\left\lfloor \frac{{{0}}}{{{1}}} \right\rfloor", "{0} // {1}", PRODUCT, (PRODUCT, PRODUCT + 1),
        CALL, (),
    ),
)  # fmt: skip


def _xlogy_kernel(m: Any, x: Any, y: Any) -> Any:
    """0 at x = 0, but for a y that is no number."""
    return m.where(m.logical_and(m.equal(x, 0), m.equal(y, y)), 0, x * m.log(y))


def _quotient_of_logs(m: Any, x: Any, y: Any) -> Any:
    """``x / y``, the derivative of ``x log(y)`` by y; of x log(x) it is 1, and derivatives do not cancel."""
    if x is y:
        return m.where(m.equal(x, 0), 0, 1)
    # Only 0 / 0 is replaced: elsewhere the quotient is 0 by itself, with a derivative of 1 / y by x.
    return m.guarded(m.logical_and(m.equal(x, 0), m.equal(y, 0)), 0, x / y)


def _hypot_kernel(m: Any, x: Any, y: Any) -> Any:
    """The root of the squares where these are in range; else the larger size, lengthened by the quotient of both."""
    size = m.maximum(m.abs(x), m.abs(y))
    endless = m.logical_or(m.equal(size, 0), m.equal(size, math.inf))
    quotient = m.minimum(m.abs(x), m.abs(y)) / m.where(endless, 1, size)
    usual = m.logical_and(size > 1e-15, size < 1e15)
    return m.where(usual, m.sqrt(x * x + y * y), size * m.sqrt(1 + quotient * quotient))


def _share_of_length(m: Any, x: Any, y: Any, z: Any) -> Any:
    """``x / z`` by the quotient of the smaller by the larger, 0 at the origin.

    So its derivatives ``y^2 / z^3`` and ``-x y / z^3`` are products; those of x / z are differences, which cancel.
    """
    wide = m.abs(x) > m.abs(y)
    below = y / m.where(wide, x, math.inf)
    above = x / m.where(m.logical_or(wide, m.equal(y, 0)), math.inf, m.abs(y))
    share = m.where(wide, m.sign(x) / m.sqrt(1 + below * below), above / m.sqrt(1 + above * above))
    return m.guarded(True, share, x / z)


hypot = elementwise(
    "hypot",
    doc="Length sqrt(x^2 + y^2) of two sides, whose squares neither overflow nor vanish.",
    formula=lambda m, x, y: m.sqrt(x * x + y * y),
    kernel=_hypot_kernel,
    partials=(lambda m, x, y, z: _share_of_length(m, x, y, z), lambda m, x, y, z: _share_of_length(m, y, x, z)),
    textbook=(lambda m, x, y, z: x / z, lambda m, x, y, z: y / z),
    kink="both derivatives of hypot at the origin are 0",
    domain=(0.5, 2.0),
    ulps=(4, 8),
)
inversion = elementwise(
    "inversion",
    doc="First coordinate x / (x^2 + y^2) of the point (x, y) inverted in the unit circle, whose squares neither "
    "overflow nor vanish; 0 where a coordinate is infinite. The derivative of atan2.",
    formula=lambda m, x, y: m.guarded(m.logical_and(m.equal(x, 0), m.equal(y, 0)), 0, x / (x * x + y * y)),
    kernel=_inversion_kernel,
    partials=(
        lambda m, x, y, u: (m.inversion(y, x) - u) * (m.inversion(y, x) + u),
        lambda m, x, y, u: -2 * u * m.inversion(y, x),
    ),
    textbook=(
        lambda m, x, y, u: (y**2 - x**2) / (x**2 + y**2) ** 2,
        lambda m, x, y, u: -2 * x * y / (x**2 + y**2) ** 2,
    ),
    kink="the inversion of the origin and both of its derivatives there are 0",
    domain=(0.5, 2.0),
    ulps=(6, 12),
)
reciprocal = elementwise(
    "reciprocal",
    doc="1 / x, always real; at 0 and -0 infinite with the sign of the zero, and its derivative -inf.",
    formula=lambda m, x: 1 / x,
    partials=(lambda m, x, y: -y * y,),
    textbook=(lambda m, x, y: -1 / x**2,),
    notation=Notation(r"\frac{{1}}{{{0}}}", "1 / {0}", PRODUCT - 1, (PRODUCT + 1,), CALL, ()),
    domain=(0.5, 2.0),
)
rsqrt = elementwise(
    "rsqrt",
    doc="1 / sqrt(x); at 0 and -0 infinite with the sign of the zero, as in NumPy, and its derivative -inf.",
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
    partials=(
        lambda m, x, y, z: m.log(y),
        lambda m, x, y, z: _quotient_of_logs(m, x, y),
    ),
    textbook=(lambda m, x, y, z: m.log(y), lambda m, x, y, z: x / y),
    kink="the derivative of xlogy by y where x is 0 is 0, also at y = 0",
    notation=Notation(r"{0} \log\left({1}\right)", "{0}·log({1})", PRODUCT, (PRODUCT, 0)),
    domain=(0.5, 2.0),
    ulps=(5, 8),
)
clip = elementwise(
    "clip",
    doc="The number from low to high that is nearest to x; high where low is above it; of 0 and -0 either one.",
    formula=lambda m, x, low, high: m.minimum(m.maximum(x, low), high),
    partials=(
        lambda m, x, low, high, y: m.where(m.logical_and(x >= low, x <= high), 1, 0),
        lambda m, x, low, high, y: m.where(m.logical_and(x < low, low <= high), 1, 0),
        lambda m, x, low, high, y: m.where(m.maximum(x, low) > high, 1, 0),
    ),
    kink="the derivative of clip by x at a bound is 1, that by the bound 0",
    notation=Notation(r"\operatorname{{clip}}\left({0}, {1}, {2}\right)", "clip({0}, {1}, {2})", CALL, (SUM, SUM, SUM)),
)
