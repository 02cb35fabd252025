"""Defined elementwise operations about the bell curve: exp(-x^2) and the Gaussian error linear units. Records only.

Their tails are exponentials of squares: rounding a square of 700 would cost a relative 350 units in the last place. So
arguments are split into a part whose square, or cube, is exact in either format, and a small rest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from graphlearn.graph.node import Node
from graphlearn.graph.op import CALL, Notation
from graphlearn.graph.options import check_choice
from graphlearn.ops.elementwise import elementwise
from graphlearn.ops.guards import within

# Where the derivative of gelu is 0, in two parts, the first exact in float32; and its Taylor series there from t on, to
# a relative 1e-17 for |t| <= 1/16. Then the same of gelu_tanh.
_GELU_ROOT = (-0.7517915368080139, 1.211444945855772e-08)
_GELU_SERIES = (
    0.4314939923140469,
    0.388284982990552,
    -0.018199676398671087,
    -0.1140082332972217,
    -0.014771522148244337,
    0.019421679838189067,
    0.004539228379125415,
    -0.002239538068073497,
    -0.0007448268386746817,
    0.00018633974623233514,
    8.615947861116571e-05,
    -1.121438018842664e-05,
    -7.74846130700372e-06,
)
_TANH_ROOT = (-0.7524614334106445, 1.1339628272762046e-08)
_TANH_SERIES = (
    0.4304000910248585,
    0.38751844613578895,
    -0.01578285352184803,
    -0.11394448308095899,
    -0.01661932834305256,
    0.019682309459833118,
    0.005261059254921912,
    -0.0024227318458750974,
    -0.0009274420230205449,
    0.00026392764052681053,
    0.00012425227802639782,
    -3.4956171694436116e-05,
    -1.5950896871645105e-05,
)
# 2 u = 2 sqrt(2 / pi) (x + 0.044715 x^3) = _LINEAR x + _CUBIC x^3; short parts of both numbers, and the rests of the
# exact ones: of a rounded factor, exponents of 700 would be off by a hundred units in the last place.
_SCALE, _COEFFICIENT = math.sqrt(2 / math.pi), 0.044715
_LINEAR, _CUBIC = 2 * _SCALE, 2 * _SCALE * _COEFFICIENT
_LINEAR_SHORT, _CUBIC_SHORT = 51 / 32, 9 / 128
_LINEAR_REST = 0.0020191216057307117  # 2 sqrt(2 / pi) - 51/32, rounded once
_CUBIC_REST = 0.0010423162726002487  # 2 sqrt(2 / pi) 0.044715 - 9/128, rounded once


def _split(m: Any, x: Any, steps: int) -> tuple[Any, Any]:
    """A number as a whole number of steps of which so many make 1, and the rest."""
    high = m.round(x * steps) * (1 / steps)
    return high, x - high


def _gaussian_kernel(m: Any, x: Any) -> Any:
    near = within(m, x, 40.0)  # beyond, it is 0; up to it, the square of a multiple of 1/64 is exact
    high, rest = _split(m, near, 64)
    return m.exp(-high * high) * m.exp(-rest * (near + high))


def _times_distribution(m: Any, factor: Any, x: Any) -> Any:
    """``factor erfc(-x / sqrt(2)) / 2``, with the digits that rounding ``x / sqrt(2)`` costs in the lower tail."""
    low = within(m, x, 40.0)  # beyond, it is 0 or 1
    z = low * -math.sqrt(0.5)
    (high, rest), (z_high, z_rest) = _split(m, low, 64), _split(m, z, 64)
    first = z_high * z_high - 0.5 * high * high
    lost = first + (2 * z_high * z_rest - high * rest) + (z_rest * z_rest - 0.5 * rest * rest)  # z^2 - x^2 / 2
    return factor * m.erfc(z) * m.guarded(low < -1, 0.5 * m.exp(lost), 0.5)


def _times_density(m: Any, x: Any) -> Any:
    """``x exp(-x^2 / 2) / sqrt(2 pi)``; rounding the square would cost as many digits as it has before the point."""
    near = within(m, x, 40.0)  # beyond, it is 0
    high = m.guarded(True, _split(m, near, 64)[0], near)
    scale = 1 / math.sqrt(2 * math.pi)
    return scale * near * m.exp(-0.5 * high * high) * m.exp(-0.5 * (near - high) * (near + high))


def _near_root(m: Any, x: Any, root: tuple[float, float], series: Sequence[float], elsewhere: Any) -> Any:
    """A slope where its two terms cancel: its series around the root; and what it is elsewhere."""
    t = x - root[0] - root[1]
    total = series[-1]
    for coefficient in series[-2::-1]:
        total = coefficient + t * total
    return m.guarded(m.abs(t) < 1 / 16, t * total, elsewhere)


def _gelu_slope(m: Any, x: Any) -> Any:
    """Distribution and ``x`` times density; at the root of their sum, where they cancel, the series."""
    return _near_root(m, x, _GELU_ROOT, _GELU_SERIES, _times_distribution(m, 1, x) + _times_density(m, x))


def _tanh_parts(m: Any, x: Any) -> tuple[Any, Any, Any]:
    """``x`` where ``exp(-|2 u|)`` is not 0, the square root of the larger factor of that exponential, and the other.

    Multiples of 1/8 have exact cubes in float32, where the exponential is not 0; so have their products with the short
    parts of the coefficients.
    """
    near = within(m, x, 24.0)
    size = m.abs(near)
    high, rest = _split(m, size, 8)
    cube = high * high * high
    exact = _LINEAR_SHORT * high + _CUBIC_SHORT * cube
    others = _CUBIC * rest * (3 * high * size + rest * rest)
    small = others + (_CUBIC_REST * cube + (_LINEAR_REST * size + _LINEAR_SHORT * rest))
    return near, m.exp(-0.5 * exact), m.exp(-small)


def _gelu_tanh_kernel(m: Any, x: Any) -> Any:
    """``x sigmoid(2 u)``: in ``x (1 + tanh(u)) / 2`` the sum cancels where tanh is nearly -1."""
    near, half, other = _tanh_parts(m, x)
    return m.where(x >= 0, x, near * half * half * other) / (1 + half * half * other)


def _gelu_tanh_slope(m: Any, x: Any) -> Any:
    """``s + x s (1 - s) 2u'`` with ``s = sigmoid(2 u)``; near its root the series, and split in the tails.

    The split form has a kink at 0, which its own derivative would see.
    """
    near, half, other = _tanh_parts(m, x)
    e, cubic = half * half * other, _COEFFICIENT * near * near
    steep = _LINEAR * near * (1 + 3 * cubic)
    s, rest = (m.sigmoid(sign * _LINEAR * near * (1 + cubic)) for sign in (1, -1))
    tail = (m.where(x >= 0, 1.0, e) * (1 + e) + steep * e) / m.square(1 + e)
    return _near_root(m, x, _TANH_ROOT, _TANH_SERIES, m.guarded(m.abs(x) >= 2, tail, s + steep * s * rest))


def _inner(m: Any, x: Any) -> Any:
    return _SCALE * (x + _COEFFICIENT * x**3)


def _gelu_tanh_textbook(m: Any, x: Any) -> Any:
    t = m.tanh(_inner(m, x))
    return (1 + t) / 2 + x / 2 * (1 - t**2) * _SCALE * (1 + 3 * _COEFFICIENT * x**2)


gaussian = elementwise(
    "gaussian",
    doc="exp(-x^2), accurate in its tails.",
    formula=lambda m, x: m.exp(-x * x),
    kernel=_gaussian_kernel,
    partials=(lambda m, x, y: -2 * within(m, x, 40.0) * y,),
    textbook=(lambda m, x, y: -2 * x * y,),
    notation=Notation(r"\exp\left(-\left({0}\right)^2\right)", "exp(−({0})²)", CALL),
    ulps=(6, 8),
)
_gelu = elementwise(
    "gelu",
    doc="Gaussian error linear unit: x times the probability that a standard normal number is below x.",
    formula=lambda m, x: x * m.erfc(-x / m.sqrt(2)) / 2,
    kernel=lambda m, x: _times_distribution(m, m.maximum(x, -40.0), x),
    partials=(lambda m, x, y: _gelu_slope(m, x),),
    textbook=(lambda m, x, y: m.erfc(-x / m.sqrt(2)) / 2 + x * m.exp(-(x**2) / 2) / m.sqrt(2 * math.pi),),
    source="Hendrycks and Gimpel (2016), Gaussian error linear units, arXiv:1606.08415",
    ulps=(12, 16),
)
gelu_tanh = elementwise(
    "gelu_tanh",
    doc="Gaussian error linear unit by its authors' short formula x (1 + tanh(u)) / 2 = x sigmoid(2 u), which differs "
    "from gelu by less than 0.0005.",
    formula=lambda m, x: x * m.sigmoid(2 * _inner(m, x)),
    kernel=_gelu_tanh_kernel,
    partials=(lambda m, x, y: _gelu_tanh_slope(m, x),),
    textbook=(lambda m, x, y: _gelu_tanh_textbook(m, x),),
    source="Hendrycks and Gimpel (2016), Gaussian error linear units, arXiv:1606.08415",
    ulps=(16, 16),
)


def gelu(x: Any, approximate: str = "none") -> Node:
    """Gaussian error linear unit: x times the probability that a standard normal number is below x.

    Args:
        x: node, number or array, of any shape; whole numbers and bools give float64.
        approximate: ``"none"``, or ``"tanh"`` for the short formula, which is `gelu_tanh`.

    Returns:
        The shape of ``x``; within 12 units in the last place, compiled within 16.

    Raises:
        OptionError: another approximation.

    Source: Hendrycks and Gimpel (2016), Gaussian error linear units, arXiv:1606.08415.
    """
    check_choice(approximate, ("none", "tanh"), "gelu with approximate", "Leave it out.")
    return gelu_tanh(x) if approximate == "tanh" else _gelu(x)


gelu.__dict__["op"] = _gelu.__dict__["op"]
