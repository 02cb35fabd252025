"""NumPy's functions of entries that are short compositions of operations: tests, scales, pairs and choices."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphlearn.errors import GraphUseError, ShapeError
from graphlearn.graph.blame import blaming
from graphlearn.graph.leaves import typed_constant
from graphlearn.graph.node import Node, as_node
from graphlearn.ops import elementary
from graphlearn.ops.activations import softplus
from graphlearn.ops.intrinsics import (
    absolute,
    equal,
    greater_equal,
    less,
    less_equal,
    log1p,
    logical_and,
    logical_or,
    maximum,
    minimum,
    not_equal,
    power,
    sin,
    where,
)
from graphlearn.ops.reductions import all_
from graphlearn.ops.shape import broadcast_to, cast
from graphlearn.ops.structural import numpy_builder
from graphlearn.types import Dim, broadcast_shapes, format_shape, promote

# --- tests -----------------------------------------------------------------------------------------------------------


def isnan(x: Any) -> Node:
    """`numpy.isnan`: where an entry is NaN, the only number that differs from itself."""
    node = as_node(x)
    return not_equal(node, node)


def isinf(x: Any) -> Node:
    """`numpy.isinf`."""
    return equal(absolute(x), math.inf)


def isfinite(x: Any) -> Node:
    """`numpy.isfinite`: where an entry is neither infinite nor NaN."""
    return less(absolute(x), math.inf)


def logical_xor(x: Any, y: Any, /) -> Node:
    """Where exactly one of two entries is true, as `numpy.logical_xor`.

    Args:
        x: node, number or array of any dtype; all but 0 counts as true.
        y: likewise; the operands broadcast.

    Returns:
        The broadcast shape, bool. It has no derivative.

    Raises:
        ShapeError: shapes that do not broadcast.
    """
    return not_equal(truth(x), truth(y))


def truth(x: Any) -> Node:
    """Where an entry is not 0."""
    node = as_node(x)
    return node if node.dtype == "bool" else not_equal(node, 0)


def signbit(x: Any) -> Node:
    """`numpy.signbit`: where a number is below zero, or is -0.0; False for NaN, whose sign graphs do not keep."""
    node = as_node(x)
    return less(where(equal(node, 0), 1 / node, node), 0) if node.type.is_float else less(node, 0)


def isclose(a: Any, b: Any, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False) -> Node:
    """`numpy.isclose`: where ``|a - b| <= atol + rtol |b|``, or both are the same infinity."""
    x, y = as_node(a), as_node(b)
    near = logical_and(less_equal(absolute(_minus(x, y)), atol + rtol * absolute(y)), isfinite(y))
    found = logical_or(near, equal(x, y))
    return logical_or(found, logical_and(isnan(x), isnan(y))) if equal_nan else found


def _minus(x: Node, y: Node) -> Node:
    """The difference, of whole numbers and bools as reals: 1 - 2 of uint8 would be 255."""
    return x - y if x.type.is_float or y.type.is_float else cast(x, "float64") - y


def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Node:
    """`numpy.array_equal`: one truth; False for different shapes."""
    x, y = as_node(a1), as_node(a2)
    if x.ndim != y.ndim or any(_apart(d, e) for d, e in zip(x.shape, y.shape, strict=True)):
        return typed_constant(False, "bool")
    with blaming("array_equal", x, y):
        if x.shape != y.shape:
            raise ShapeError(
                f"array_equal needs axes whose lengths can be compared; got {format_shape(x.shape)} and "
                f"{format_shape(y.shape)}. Give free axes a fixed length with gl.specialize."
            )
    same = equal(x, y)
    return all_(logical_or(same, logical_and(isnan(x), isnan(y))) if equal_nan else same)


def _apart(one: Dim, other: Dim) -> bool:
    return isinstance(one, int) and isinstance(other, int) and one != other


# --- scales and parts ------------------------------------------------------------------------------------------------


def trunc(x: Any) -> Node:
    """`numpy.trunc`: the whole number next to an entry, towards zero."""
    node = as_node(x)
    return where(less(node, 0), elementary.ceil(node), elementary.floor(node)) if node.type.is_float else node


def heaviside(x: Any, at_zero: Any) -> Node:
    """`numpy.heaviside`: 0 left of zero, 1 right of it, ``at_zero`` there; NaN stays NaN."""
    node = as_node(x)
    return where(equal(node, 0), at_zero, where(less(node, 0), 0.0, where(isnan(node), node, 1.0)))


def degrees(x: Any) -> Node:
    """`numpy.degrees`: angles in radians as degrees."""
    return as_node(x) * (180 / math.pi)


def radians(x: Any) -> Node:
    """`numpy.radians`: angles in degrees as radians."""
    return as_node(x) * (math.pi / 180)


def nan_to_num(x: Any, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Node:
    """`numpy.nan_to_num`: numbers in the place of NaN and of infinities, by default 0 and the largest of the dtype."""
    node = as_node(x)
    if not node.type.is_float:
        return node
    bound = float(np.finfo(node.dtype).max)
    high, low = (bound if posinf is None else posinf), (-bound if neginf is None else neginf)
    finite = where(equal(node, math.inf), high, where(equal(node, -math.inf), low, node))
    return where(isnan(node), nan, finite)


def sinc(x: Any) -> Node:
    """`numpy.sinc`: ``sin(pi x) / (pi x)``, 1 at 0; by its Taylor series near 0, where the derivative would cancel."""
    angle = as_node(x) * math.pi
    squared = angle * angle
    series: Any = 0.0
    for k in range(9, -1, -1):  # up to angle^18 / 19!, below 1e-17 for angles up to 1
        series = (-1) ** k / math.factorial(2 * k + 1) + squared * series
    near = less(absolute(angle), 1)
    return where(near, series, sin(angle) / where(near, 1, angle))


def copysign(x1: Any, x2: Any) -> Node:
    """`numpy.copysign`: the size of the first with the sign of the second."""
    size = absolute(_as_real(x1))
    return where(signbit(x2), -size, size)


def _as_real(x: Any) -> Node:
    node = as_node(x)
    return node if node.type.is_float else cast(node, "float64")


def real(val: Any) -> Node:
    """`numpy.real` and `numpy.conjugate`: numbers of graphs are real."""
    return as_node(val)


def imag(val: Any) -> Node:
    """`numpy.imag`: zeros."""
    node = as_node(val)
    return broadcast_to(typed_constant(0, node.dtype), node.shape)


# --- pairs -----------------------------------------------------------------------------------------------------------


def _pair(x1: Any, x2: Any, what: str) -> tuple[Node, Node]:
    """Two operands as real arrays of one shape."""
    one, two = as_node(x1), as_node(x2)
    with blaming(what, one, two):
        shape = broadcast_shapes([one.shape, two.shape])
    dtype, _ = promote([one.type, two.type])
    dtype = dtype if dtype.startswith("float") else "float64"
    return broadcast_to(cast(one, dtype), shape), broadcast_to(cast(two, dtype), shape)


def hypot(x1: Any, x2: Any) -> Node:
    """`numpy.hypot`: ``sqrt(x1^2 + x2^2)``, whose squares neither overflow nor vanish; its derivative at 0 is 0."""
    sides = _pair(x1, x2, "hypot")
    endless = logical_or(*[isinf(side) for side in sides])
    return where(endless, math.inf, elementary.hypot(*sides))


def logaddexp(x1: Any, x2: Any) -> Node:
    """`numpy.logaddexp`: ``log(exp(x1) + exp(x2))``, whose exponentials do not overflow.

    Of two equal infinities each gets half of the derivative, as equal numbers do.

    Accuracy: within 4 units in the last place of the largest of ``|x1|``, ``|x2|`` and 1, as NumPy: near zeros, as at
    ``x1 = x2 = -log(2)`` and all others, the larger exponent and what is added to it cancel.
    """
    return _log_of_sum(*_pair(x1, x2, "logaddexp"), softplus)


def _log_of_sum(one: Node, two: Node, beyond: Callable[[Node], Node]) -> Node:
    """The larger exponent and what the smaller adds to it, a function of their distance: so that keeps its digits.

    Both branches are smooth functions of both, so derivatives of all orders are right where the exponents are equal.
    """

    def above(high: Node, low: Node) -> Node:
        same = logical_and(isinf(high), equal(high, low))  # inf - inf is NaN; of equal infinities both have a share
        return where(same, (high + low) / 2, high) + beyond(where(same, 0, low - high))

    return where(greater_equal(one, two), above(one, two), above(two, one))


def logaddexp2(x1: Any, x2: Any) -> Node:
    """`numpy.logaddexp2`: ``log2(2^x1 + 2^x2)``, whose powers do not overflow; as accurate as `logaddexp`."""
    return _log_of_sum(*_pair(x1, x2, "logaddexp2"), lambda apart: log1p(elementary.exp2(apart)) / math.log(2))


def fmax(x1: Any, x2: Any) -> Node:
    """`numpy.fmax`: the larger of two, of a number and NaN the number, of 0 and -0 either one."""
    one, two = as_node(x1), as_node(x2)
    return where(isnan(one), two, where(isnan(two), one, maximum(one, two)))


def fmin(x1: Any, x2: Any) -> Node:
    """`numpy.fmin`: the smaller of two, of a number and NaN the number, of 0 and -0 either one."""
    one, two = as_node(x1), as_node(x2)
    return where(isnan(one), two, where(isnan(two), one, minimum(one, two)))


def fmod(x1: Any, x2: Any) -> Node:
    """`numpy.fmod`: the remainder with the sign of the first, also of -0.0; `numpy.mod` has that of the second."""
    one, size = as_node(x1), absolute(x2)
    return where(signbit(one), -elementary.mod(-one, size), elementary.mod(one, size))


def divide_with_rest(x1: Any, x2: Any) -> tuple[Node, Node]:
    """`numpy.divmod`: the quotient rounded down, and the remainder."""
    return elementary.floor_divide(x1, x2), elementary.mod(x1, x2)


def float_power(x1: Any, x2: Any) -> Node:
    """`numpy.float_power`: a power of float64 numbers."""
    return power(cast(as_node(x1), "float64"), cast(as_node(x2), "float64"))


# --- choices ---------------------------------------------------------------------------------------------------------


def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Node:
    """`numpy.select`: entries of the first choice whose condition holds.

    Raises:
        GraphUseError: not one choice for each condition, or none.
    """
    _require_pairs("select", condlist, choicelist, (0,))
    kind, _ = promote([as_node(x).type for x in (*choicelist, default)])
    found = cast(default, kind)
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        found = where(condition, cast(choice, kind), found)
    return found


def piecewise(x: Any, condlist: Any, funclist: Sequence[Any]) -> Node:
    """`numpy.piecewise`: a function, or number, where its condition holds; of several that hold, the last.

    Args:
        x: node or array; the result has its dtype.
        condlist: truths, or a list of them.
        funclist: functions of ``x`` or numbers; one more than conditions is for where none holds, else 0.

    Raises:
        GraphUseError: another number of functions.
    """
    node = as_node(x)
    conditions = list(condlist) if isinstance(condlist, (list, tuple)) else [condlist]
    _require_pairs("piecewise", conditions, funclist, (0, 1))

    def value(function: Callable[[Node], Any] | Any) -> Node:
        return cast(function(node) if callable(function) else function, node.dtype)

    otherwise = value(funclist[-1]) if len(funclist) > len(conditions) else cast(0, node.dtype)
    found = broadcast_to(otherwise, node.shape)
    for condition, function in zip(conditions, funclist, strict=False):
        found = where(condition, value(function), found)
    return found


def _require_pairs(what: str, conditions: Sequence[Any], choices: Sequence[Any], more: tuple[int, ...]) -> None:
    if not len(conditions) or len(choices) - len(conditions) not in more:
        extra = ", and one more for where none holds if you like" if 1 in more else ""
        raise GraphUseError(
            f"np.{what} needs a choice for each condition{extra}; got {len(conditions)} conditions and {len(choices)} "
            "choices. Give one for each."
        )


for _function, _builder in (
    (np.isnan, isnan),
    (np.isinf, isinf),
    (np.isfinite, isfinite),
    (np.isposinf, lambda x: equal(x, math.inf)),
    (np.isneginf, lambda x: equal(x, -math.inf)),
    (np.isclose, isclose),
    (np.allclose, lambda a, b, rtol=1e-5, atol=1e-8, equal_nan=False: all_(isclose(a, b, rtol, atol, equal_nan))),
    (np.array_equal, array_equal),
    (np.signbit, signbit),
    (np.logical_xor, logical_xor),
    (np.heaviside, heaviside),
    (np.trunc, trunc),
    (np.fix, lambda x: trunc(x)),
    (np.degrees, degrees),
    (np.rad2deg, degrees),
    (np.radians, radians),
    (np.deg2rad, radians),
    (np.nan_to_num, nan_to_num),
    (np.sinc, sinc),
    (np.copysign, copysign),
    (np.conjugate, real),
    (np.real, real),
    (np.imag, imag),
    (np.hypot, hypot),
    (np.logaddexp, logaddexp),
    (np.logaddexp2, logaddexp2),
    (np.fmax, fmax),
    (np.fmin, fmin),
    (np.fmod, fmod),
    (np.divmod, divide_with_rest),
    (np.float_power, float_power),
    (np.select, select),
    (np.piecewise, piecewise),
):
    numpy_builder(_function, _builder)
