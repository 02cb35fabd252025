"""The intrinsics: the elementwise operations that every backend has a row for. A table.

Partials are functions of the inputs and of the output; they are written for accuracy, and the laws prove them equal to
SymPy's derivative of the formula.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from graphlearn.graph.blame import blaming
from graphlearn.graph.leaves import constant_array
from graphlearn.graph.node import Node, as_node
from graphlearn.graph.op import CALL, NUMPY_BUILDERS, POWER, PREFIX, PRODUCT, RELATION, SUM, Notation
from graphlearn.ops.algebra import FUNCTIONS
from graphlearn.ops.elementwise import infer_bool, infer_number, infer_same, intrinsic, without_bools
from graphlearn.ops.places import require_whole_power
from graphlearn.types import ArrayType, broadcast_shapes, promote

_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def _call(name: str, latex: str = "") -> Notation:
    return Notation((latex or rf"\{name}") + r"\left({0}\right)", name + "({0})", CALL)


def _relation(latex: str, text: str) -> Notation:
    return Notation(f"{{0}} {latex} {{1}}", f"{{0}} {text} {{1}}", RELATION, (SUM, SUM))


def _times(node: Node) -> str:
    """Entry-by-entry products of two arrays are marked; a number times an array is not, also where it is repeated."""
    return "{0} ⊙ {1}" if all(_is_array(n) for n in node.inputs) else "{0}·{1}"


def _times_latex(node: Node) -> str:
    return r"{0} \odot {1}" if all(_is_array(n) for n in node.inputs) else r"{0} \cdot {1}"


def _is_array(node: Node) -> bool:
    while node.op.name == "broadcast_to":
        node = node.inputs[0]
    return bool(node.shape)


def _power(node: Node) -> str:
    exponent = constant_array(node.inputs[1])
    if exponent is not None and exponent.shape == () and float(exponent).is_integer() and abs(float(exponent)) < 100:
        return "{0}" + str(int(exponent)).translate(_SUPERSCRIPTS)
    return "{0}^{1}"


def _may_be_zeroth_power(node: Node) -> bool:
    """Whether the exponent is not known to be above 0, where powers are smooth or have their own limit."""
    exponent = constant_array(node.inputs[1])
    return exponent is None or not np.all(exponent > 0)


def _power_by_base(m: Any, x: Any, a: Any, y: Any) -> Any:
    """``a x^(a-1)``; zero where ``a`` is 0, also at x = 0 where the formula would be 0 * inf.

    What stands in is a number, whose own derivatives are 0: it stands only where those are 0, or none is finite.
    """
    value = _known_number(a)
    if value is not None:
        return _power_by_base_read(m, x, value, y)
    # x^(a-1) of a tiny x overflows where a brings the product back; where it is 0, an infinite a does not.
    constant = m.logical_and(m.equal(a, 0), m.logical_not(m.abs(x) > 0))  # 0 or NaN to the power 0
    lower = m.guarded(constant, 1, x) ** (a - 1)
    product = m.guarded(m.logical_and(m.abs(a) < 1e-3, m.not_equal(x, 0)), a / _other_than_0(m, x) * y, a * lower)
    vanished = m.logical_and(m.equal(m.abs(a), math.inf), m.equal(lower, 0))
    return m.guarded(m.logical_or(constant, vanished), 0, product)


def _power_by_exponent(m: Any, x: Any, a: Any, y: Any) -> Any:
    """``x^a log(x)``; zero where ``x`` is 0, and where an infinite one has the power 0."""
    base = _known_number(x)
    if base is not None and 0 < base < math.inf:
        return y * m.log(x)
    # Of a tiny x the power underflows where its derivative by x, over x, does not: half the power stays in range.
    other = _other_than_0(m, x)
    half = other ** (a / 2)
    product = half * m.xlogy(half, other)
    vanished = m.logical_and(m.equal(y, 0), m.equal(m.abs(x), math.inf))
    held = m.guarded(m.logical_or(m.equal(x, 0), vanished), 0, product)
    return m.guarded(True, held, y * m.log(other))


def _other_than_0(m: Any, x: Any) -> Any:
    """``x``, and 1 at 0: where a branch is not taken, no infinity of its derivatives may meet a 0 of the others'."""
    return m.guarded(m.equal(x, 0), 1, x)


def _power_by_base_read(m: Any, x: Any, a: Any, y: Any) -> Any:
    """The same as the book writes it; of a number as exponent it is also what is computed."""
    value = _known_number(a)
    if value is None:
        return a * x ** (a - 1)
    if value in (0, 1):
        return value
    return value * x if value == 2 else value * x ** (value - 1)


def _known_number(a: Any) -> Any:
    """The number that an operand is, or None."""
    array = constant_array(a) if isinstance(a, Node) else np.asarray(a) if isinstance(a, (int, float)) else None
    return array.item() if array is not None and array.shape == () else None


@functools.lru_cache(maxsize=4096)
def _is_indicator(node: Node) -> bool:
    """``where(c, 1, 0)``, which is written as Iverson's bracket [c]."""
    branches = [constant_array(n) for n in node.inputs[1:]]
    scalars = [float(b) for b in branches if b is not None and b.shape == ()]
    return scalars == [1, 0]


def _where_text(node: Node) -> str:
    return "[{0}]" if _is_indicator(node) else "where({0}, {1}, {2})"


def _where_latex(node: Node) -> str:
    if _is_indicator(node):
        return r"\left[{0}\right]"
    return r"\begin{{cases}} {1} & {0} \\ {2} & \text{{otherwise}} \end{{cases}}"


def infer_where(types: tuple[ArrayType, ...]) -> ArrayType:
    """Broadcast shape, promoted dtype of the two that are chosen from."""
    dtype, weak = promote(types[1:])
    return ArrayType(broadcast_shapes([t.shape for t in types]), dtype, weak and all(t.weak for t in types[1:]))


def _erf(x: Any) -> Any:
    # SciPy is imported on first use: it would double the time of `import graphlearn`.
    from scipy.special import erf as scipy_erf

    return scipy_erf(x)


def _power_of_arrays(x: Any, y: Any) -> Any:
    exponent = np.asarray(y)
    require_whole_power(np.asarray(x).dtype.name, exponent)
    if exponent.shape == () and exponent == 0.5:
        # Of a single exponent NumPy makes a square root, which is NaN at -inf.
        exponents = np.full(max(np.size(x), 1), 0.5, np.result_type(x, y))
        return np.power(np.ravel(x), exponents[: np.size(x)]).reshape(np.shape(x))[()]
    return without_bools(np.power)(x, y)


add = intrinsic(
    "add", np.add, infer=infer_same, numpy=(np.add,), doc="Sum of two arrays.",
    partials=(lambda m, x, y, z: 1, lambda m, x, y, z: 1),
    notation=Notation("{0} + {1}", "{0} + {1}", SUM, (SUM, SUM + 6)),
)  # fmt: skip
sub = intrinsic(
    "sub", without_bools(np.subtract), infer=infer_number, numpy=(np.subtract,), doc="Difference of two arrays.",
    partials=(lambda m, x, y, z: 1, lambda m, x, y, z: -1),
    notation=Notation("{0} - {1}", "{0} − {1}", SUM, (SUM, SUM + 6)),
)  # fmt: skip
mul = intrinsic(
    "mul", np.multiply, infer=infer_same, numpy=(np.multiply,), doc="Product of two arrays, entry by entry.",
    partials=(lambda m, x, y, z: y, lambda m, x, y, z: x),
    notation=Notation(_times_latex, _times, PRODUCT, (PRODUCT, PRODUCT + 1)),
)  # fmt: skip
div = intrinsic(
    "div", np.true_divide, numpy=(np.true_divide,), doc="Quotient of two arrays, always real.",
    partials=(lambda m, x, y, z: 1 / y, lambda m, x, y, z: -z / y), domain=(0.5, 2.0),
    textbook=(lambda m, x, y, z: 1 / y, lambda m, x, y, z: -x / y**2),
    # In text weaker than a product: x / y·z would be read as x / (y·z).
    notation=Notation(r"\frac{{{0}}}{{{1}}}", "{0} / {1}", PRODUCT - 1, (PRODUCT, PRODUCT + 1), PREFIX, ()),
)  # fmt: skip
neg = intrinsic(
    "neg", without_bools(np.negative), infer=infer_number, numpy=(np.negative,), doc="The opposite.",
    partials=(lambda m, x, y: -1,), notation=Notation("-{0}", "−{0}", SUM + 5, (PRODUCT - 1,)),
)  # fmt: skip
_pow = intrinsic(
    "pow", _power_of_arrays, infer=infer_number, domain=(0.5, 2.0),
    doc="x to the power y; for y between 0 and 1 its derivative by x is +inf at 0 and -0. Whole-number operands stay "
    "whole, and take no negative exponents, as in NumPy.",
    partials=(_power_by_base, _power_by_exponent),
    textbook=(_power_by_base_read, lambda m, x, y, z: z * m.log(x)),
    kink="the derivative of x**0 is 0 everywhere, and that of 0**y by y is 0", kink_where=_may_be_zeroth_power,
    notation=Notation("{0}^{{{1}}}", _power, POWER, (POWER + 1, CALL), POWER, (POWER + 1,)),
)  # fmt: skip


@functools.wraps(_pow)
def pow_(x: Any, y: Any, /) -> Node:
    """`_pow`, whose exponent is checked where it is known already."""
    exponent = constant_array(as_node(y))
    if exponent is not None:
        with blaming("pow", *(n for n in (x, y) if isinstance(n, Node))):
            require_whole_power(as_node(x).dtype, exponent)
    return _pow(x, y)


NUMPY_BUILDERS[np.power] = FUNCTIONS["pow"] = power = pow_

exp = intrinsic(
    "exp", np.exp, numpy=(np.exp,), doc="Exponential function.", partials=(lambda m, x, y: y,),
    notation=Notation("e^{{{0}}}", "exp({0})", CALL),
    ulps=(3, 8),
)  # fmt: skip
expm1 = intrinsic(
    "expm1", np.expm1, numpy=(np.expm1,), doc="exp(x) - 1, accurate near 0.", partials=(lambda m, x, y: m.exp(x),),
    notation=_call("expm1", r"\operatorname{{expm1}}"),
    ulps=(3, 8),
)  # fmt: skip
log = intrinsic(
    "log", np.log, numpy=(np.log,), domain=(0.5, 2.0), notation=_call("log"),
    doc="Natural logarithm, NaN of x < 0; its derivative is 1 / x, of x < 0 too, and +inf at 0 and -0.",
    partials=(lambda m, x, y: 1 / (x + 0),), textbook=(lambda m, x, y: 1 / x,),  # -0 + 0 is 0
    ulps=(4, 8),
)  # fmt: skip
log1p = intrinsic(
    "log1p", np.log1p, numpy=(np.log1p,), doc="log(1 + x), accurate near 0; its derivative at -1 is +inf.",
    partials=(lambda m, x, y: 1 / (1 + x),),
    domain=(-0.5, 2.0), notation=_call("log1p", r"\operatorname{{log1p}}"),
    ulps=(3, 8),
)  # fmt: skip
sqrt = intrinsic(
    "sqrt", np.sqrt, numpy=(np.sqrt,), doc="Square root; its derivative at 0 and -0 is +inf.", domain=(0.5, 2.0),
    partials=(lambda m, x, y: 0.5 / (y + 0),),  # the root of -0 is -0
    textbook=(lambda m, x, y: 1 / (2 * y),), notation=Notation(r"\sqrt{{{0}}}", "√({0})", CALL),
)  # fmt: skip
sin = intrinsic(
    "sin", np.sin, numpy=(np.sin,), doc="Sine of an angle in radians.",
    partials=(lambda m, x, y: m.cos(x),), notation=_call("sin"),
)  # fmt: skip
cos = intrinsic(
    "cos", np.cos, numpy=(np.cos,), doc="Cosine of an angle in radians.",
    partials=(lambda m, x, y: -m.sin(x),), notation=_call("cos"),
)  # fmt: skip
tanh = intrinsic(
    "tanh", np.tanh, numpy=(np.tanh,), doc="Hyperbolic tangent.",
    partials=(lambda m, x, y: m.sech2(x),),  # 1 - y^2 in float32 is 0 at x = 10, where the truth is 8.2e-9
    textbook=(lambda m, x, y: 1 - y**2,), notation=_call("tanh"),
)  # fmt: skip
erf = intrinsic(
    "erf", _erf, doc="Error function.", partials=(lambda m, x, y: 2 / math.sqrt(math.pi) * m.gaussian(x),),
    textbook=(lambda m, x, y: 2 / math.sqrt(math.pi) * m.exp(-(x**2)),),
    notation=_call("erf", r"\operatorname{{erf}}"), source="Abramowitz and Stegun (1964), eq. 7.1.1",
    ulps=(3, 8),
)  # fmt: skip
absolute = intrinsic(
    "abs", np.abs, infer=infer_same, numpy=(np.abs,), doc="Absolute value.",
    partials=(lambda m, x, y: m.sign(x),),
    kink="the derivative of |x| at 0 is 0", notation=Notation(r"\left|{0}\right|", "|{0}|", CALL),
)  # fmt: skip
sign = intrinsic(
    "sign", without_bools(np.sign), infer=infer_number, numpy=(np.sign,), doc="-1, 0 or 1.",
    partials=(lambda m, x, y: 0,),
    kink="the derivative of sign is 0, also at 0", notation=_call("sign", r"\operatorname{{sign}}"),
)  # fmt: skip
maximum = intrinsic(
    "maximum", np.maximum, infer=infer_same, numpy=(np.maximum,),
    doc="The larger of two, NaN if either is NaN; of 0 and -0, which are equal, either one.",
    partials=(
        lambda m, x, y, z: m.where(x >= y, m.where(m.equal(x, y), 0.5, 1.0), 0),
        lambda m, x, y, z: m.where(y >= x, m.where(m.equal(x, y), 0.5, 1.0), 0),
    ),
    textbook=(lambda m, x, y, z: m.where(x > y, 1, 0), lambda m, x, y, z: m.where(y > x, 1, 0)),
    kink="where both operands are equal, each gets half of the derivative of max",
    notation=Notation(r"\max\left({0}, {1}\right)", "max({0}, {1})", CALL),
)  # fmt: skip
minimum = intrinsic(
    "minimum", np.minimum, infer=infer_same, numpy=(np.minimum,),
    doc="The smaller of two, NaN if either is NaN; of 0 and -0, which are equal, either one.",
    partials=(
        lambda m, x, y, z: m.where(x <= y, m.where(m.equal(x, y), 0.5, 1.0), 0),
        lambda m, x, y, z: m.where(y <= x, m.where(m.equal(x, y), 0.5, 1.0), 0),
    ),
    textbook=(lambda m, x, y, z: m.where(x < y, 1, 0), lambda m, x, y, z: m.where(y < x, 1, 0)),
    kink="where both operands are equal, each gets half of the derivative of min",
    notation=Notation(r"\min\left({0}, {1}\right)", "min({0}, {1})", CALL),
)  # fmt: skip
where = intrinsic(
    "where", np.where, infer=infer_where, numpy=(np.where,), doc="x where the condition holds, else y.",
    partials=(None, lambda m, c, x, y, z: m.where(c, 1, 0), lambda m, c, x, y, z: m.where(m.logical_not(c), 1, 0)),
    notation=Notation(_where_latex, _where_text, CALL),
)  # fmt: skip
_COMPARISONS = {
    "less": (np.less, "<", "<"),
    "less_equal": (np.less_equal, r"\le", "≤"),
    "greater": (np.greater, ">", ">"),
    "greater_equal": (np.greater_equal, r"\ge", "≥"),
    "equal": (np.equal, "=", "="),
    "not_equal": (np.not_equal, r"\ne", "≠"),
}
less, less_equal, greater, greater_equal, equal, not_equal = (
    intrinsic(
        name,
        function,
        infer=infer_bool,
        numpy=(function,),
        partials=(None, None),
        notation=_relation(latex, text),
        doc=f"Entry-by-entry comparison, {name.replace('_', ' or ')}.",
    )
    for name, (function, latex, text) in _COMPARISONS.items()
)
logical_not = intrinsic(
    "logical_not", np.logical_not, infer=infer_bool, numpy=(np.logical_not,),
    doc="True where the operand is zero or False.",
    partials=(None,), notation=Notation(r"\lnot {0}", "not {0}", PREFIX, (CALL,)),
)  # fmt: skip
logical_and = intrinsic(
    "logical_and", np.logical_and, infer=infer_bool, numpy=(np.logical_and,), doc="True where both operands are.",
    partials=(None, None), notation=Notation(r"{0} \land {1}", "{0} and {1}", RELATION - 2, (RELATION, RELATION)),
)  # fmt: skip
logical_or = intrinsic(
    "logical_or", np.logical_or, infer=infer_bool, numpy=(np.logical_or,), doc="True where an operand is.",
    partials=(None, None), notation=Notation(r"{0} \lor {1}", "{0} or {1}", RELATION - 4, (RELATION - 2, RELATION - 2)),
)  # fmt: skip
