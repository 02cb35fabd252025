"""Defined elementwise operations: the rectifiers and bounded functions that came after relu. Records only."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from graphlearn.graph.node import Node
from graphlearn.ops.elementwise import elementwise

# Of the paper: with them, activations of mean 0 and variance 1 stay so. The lower one is scale times alpha.
_SELU_SCALE, _SELU_ALPHA = 1.0507009873554804934, 1.6732632423543772848
_SELU_BELOW = _SELU_SCALE * _SELU_ALPHA
# exp(q) - 1 - q exp(q) = -q^2 (1/2 + q/3 + q^2/8 + ...), to a relative 1e-17 on |q| < 1/4
_CELU_SERIES = tuple([-(n - 1) / math.factorial(n) for n in range(2, 15)])
# exp(-2000) is 0 in every format: beyond, what it would be times infinity has its limit.
_FAR = 2000.0


def _at_most(m: Any, x: Any) -> Any:
    """``x``, but where it is to be multiplied by nothing a finite number."""
    return m.guarded(x > _FAR, _FAR, x)


def _halves(m: Any, x: Any) -> tuple[Any, Any]:
    """``exp(-|x| / 2)`` and its square: x times the half twice keeps digits that a subnormal ``exp(-|x|)`` has lost."""
    half = m.exp(-0.5 * m.abs(x))
    return half, half * half


def _silu_kernel(m: Any, x: Any) -> Any:
    half, e = _halves(m, x)
    return m.where(x >= 0, x, m.maximum(x, -_FAR) * half * half) / (1 + e)


def _mish_kernel(m: Any, x: Any) -> Any:
    """``tanh(log(1 + n)) = n (n + 2) / (n (n + 2) + 2)`` with ``n = exp(x)``, divided by n^2 where n is large."""
    half, e = _halves(m, x)
    above, below = x * (1 + 2 * e), m.maximum(x, -_FAR) * half * (half * (e + 2))
    return m.where(x >= 0, above, below) / m.where(x >= 0, 1 + 2 * e * (1 + e), e * (e + 2) + 2)


def _celu_below(m: Any, x: Any, alpha: Any) -> Any:
    """``alpha (exp(x / alpha) - 1)``; x itself where the quotient may be too small for all its digits."""
    q = x / alpha
    return m.where(m.abs(q) < 1e-20, x, alpha * m.expm1(q))


def _celu_terms(m: Any, x: Any, alpha: Any) -> Any:
    """The result, and what rounding the quotient adds to it where alpha is below 0 and the exponential grows."""
    q = m.maximum(x / alpha, 0)
    return m.abs(alpha) * (m.abs(m.expm1(x / alpha)) + q * m.exp(q))


def _celu_by_alpha(m: Any, q: Any) -> Any:
    """``exp(q) - 1 - q exp(q)``; near 0, where it cancels, its series."""
    q = m.guarded(q < -_FAR, -_FAR, q)
    series = _CELU_SERIES[-1]
    for coefficient in _CELU_SERIES[-2::-1]:
        series = coefficient + q * series
    return m.guarded(m.abs(q) < 0.25, q * q * series, m.expm1(q) - q * m.exp(q))


leaky_relu = elementwise(
    "leaky_relu",
    doc="x above 0, else slope times x; with a parameter as slope it is PReLU.",
    formula=lambda m, x, slope=0.01: m.where(x > 0, x, slope * x),
    partials=(lambda m, x, slope, y: m.where(x > 0, 1, slope), lambda m, x, slope, y: m.where(x > 0, 0, x)),
    kink="the derivative of leaky_relu at 0 is the slope",
    source="Maas, Hannun and Ng (2013), Rectifier nonlinearities improve neural network acoustic models, ICML "
    "workshop; He, Zhang, Ren and Sun (2015), Delving deep into rectifiers, ICCV",
)
elu = elementwise(
    "elu",
    doc="Exponential linear unit: x above 0, else alpha (exp(x) - 1).",
    formula=lambda m, x, alpha=1.0: m.where(x > 0, x, alpha * (m.exp(x) - 1)),
    kernel=lambda m, x, alpha: m.where(x > 0, x, alpha * m.expm1(x)),
    partials=(
        lambda m, x, alpha, y: m.where(x > 0, 1, alpha * m.exp(x)),
        lambda m, x, alpha, y: m.where(x > 0, 0, m.expm1(x)),
    ),
    textbook=(
        lambda m, x, alpha, y: m.where(x > 0, 1, y + alpha),
        lambda m, x, alpha, y: m.where(x > 0, 0, m.exp(x) - 1),
    ),
    kink="the derivative of elu at 0 is alpha",
    source="Clevert, Unterthiner and Hochreiter (2016), Fast and accurate deep network learning by ELUs, ICLR",
    ulps=(4, 8),
)
selu = elementwise(
    "selu",
    doc="Scaled exponential linear unit: keeps activations of mean 0 and variance 1 so.",
    formula=lambda m, x: m.where(x > 0, _SELU_SCALE * x, _SELU_BELOW * (m.exp(x) - 1)),
    kernel=lambda m, x: m.where(x > 0, _SELU_SCALE * x, _SELU_BELOW * m.expm1(x)),
    partials=(lambda m, x, y: m.where(x > 0, _SELU_SCALE, _SELU_BELOW * m.exp(x)),),
    kink="the derivative of selu at 0 is that from below, 1.758",
    source="Klambauer, Unterthiner, Mayr and Hochreiter (2017), Self-normalizing neural networks, NIPS 30",
    ulps=(4, 8),
)
celu = elementwise(
    "celu",
    doc="Continuously differentiable exponential linear unit: x above 0, else alpha (exp(x / alpha) - 1). An "
    "alpha below 0 is computed with, but has no meaning.",
    formula=lambda m, x, alpha=1.0: m.where(x > 0, x, alpha * (m.exp(x / alpha) - 1)),
    kernel=lambda m, x, alpha: m.where(x > 0, x, _celu_below(m, x, alpha)),
    partials=(
        lambda m, x, alpha, y: m.where(x > 0, 1, m.exp(x / alpha)),
        lambda m, x, alpha, y: m.where(x > 0, 0, _celu_by_alpha(m, x / alpha)),
    ),
    textbook=(
        lambda m, x, alpha, y: m.where(x > 0, 1, m.exp(x / alpha)),
        lambda m, x, alpha, y: m.where(x > 0, 0, m.exp(x / alpha) - 1 - x / alpha * m.exp(x / alpha)),
    ),
    source="Barron (2017), Continuously differentiable exponential linear units, arXiv:1704.07483",
    terms=_celu_terms,
    domain=(-2.0, -0.5),  # alpha may not be 0
    ulps=(5, 8),
)
silu = elementwise(
    "silu",
    doc="x times the logistic function of x; also called swish.",
    formula=lambda m, x: x / (1 + m.exp(-x)),
    kernel=_silu_kernel,
    partials=(lambda m, x, y: m.sigmoid(x) + _at_most(m, y) * m.sigmoid(-x),),
    textbook=(lambda m, x, y: m.sigmoid(x) * (1 + x * (1 - m.sigmoid(x))),),
    source="Elfwing, Uchibe and Doya (2018), Sigmoid-weighted linear units, Neural Networks 107",
    ulps=(8, 8),
)
mish = elementwise(
    "mish",
    doc="x times tanh(softplus(x)).",
    formula=lambda m, x: x * m.tanh(m.log(1 + m.exp(x))),
    kernel=_mish_kernel,
    partials=(lambda m, x, y: m.tanh(m.softplus(x)) + _at_most(m, m.silu(x)) * m.sech2(m.softplus(x)),),
    textbook=(lambda m, x, y: m.tanh(m.softplus(x)) + x * m.sigmoid(x) * (1 - m.tanh(m.softplus(x)) ** 2),),
    source="Misra (2020), Mish: a self regularized non-monotonic activation function, BMVC",
    ulps=(8, 8),
)
softsign = elementwise(
    "softsign",
    doc="x / (1 + |x|); carries the real line onto (-1, 1).",
    formula=lambda m, x: x / (1 + m.abs(x)),
    kernel=lambda m, x: m.where(m.abs(x) > 1e18, m.sign(x), x / (1 + m.abs(x))),  # also at infinity
    partials=(lambda m, x, y: m.square(1 / (1 + m.abs(x))),),
    textbook=(lambda m, x, y: 1 / (1 + m.abs(x)) ** 2,),
    source="Bergstra, Desjardins, Lamblin and Bengio (2009), Quadratic polynomials learn better image features, "
    "technical report 1337, University of Montreal",
)


def _kept(low: float, high: float) -> Callable[..., Any]:
    """The formula that keeps x within two bounds."""
    return lambda m, x: m.minimum(m.maximum(x, low), high)


def _inside(low: float, high: float, slope: float) -> Callable[..., Any]:
    """A slope between two bounds, 0 on and beyond them."""
    return lambda m, x, y: m.where(m.logical_and(x > low, x < high), slope, 0)


hard_sigmoid = elementwise(
    "hard_sigmoid",
    doc="The logistic function in straight pieces: (x + 3) / 6, kept within 0 and 1.",
    formula=lambda m, x: _kept(0, 1)(m, (x + 3) / 6),
    partials=(_inside(-3, 3, 1 / 6),),
    kink="the derivative of hard_sigmoid at -3 and at 3 is 0",
    source="Howard and others (2019), Searching for MobileNetV3, ICCV, section 5.2",
    domain=(-5.0, 5.0),
)
hard_tanh = elementwise(
    "hard_tanh",
    doc="The number x kept within -1 and 1.",
    formula=_kept(-1.0, 1.0),
    partials=(_inside(-1, 1, 1),),
    kink="the derivative of hard_tanh at -1 and at 1 is 0",
    source="Collobert (2004), Large scale machine learning, thesis, University of Paris VI",
)
relu6 = elementwise(
    "relu6",
    doc="Rectified linear unit that ends at 6.",
    formula=_kept(0, 6),
    partials=(_inside(0, 6, 1),),
    kink="the derivative of relu6 at 0 and at 6 is 0",
    source="Krizhevsky (2010), Convolutional deep belief networks on CIFAR-10, University of Toronto",
    domain=(-2.0, 8.0),
)
threshold = elementwise(
    "threshold",
    doc="x where it is above a level, else a value.",
    formula=lambda m, x, level, value: m.where(x <= level, value, x),  # NaN stays
    partials=(
        lambda m, x, level, value, y: m.where(x <= level, 0, 1),
        lambda m, x, level, value, y: 0,
        lambda m, x, level, value, y: m.where(x <= level, 1, 0),
    ),
    kink="the derivative of threshold by its level is 0, also at the jump",
)


def prelu(x: Any, /, slope: Any = 0.01) -> Node:
    """X above 0, else slope times x: `leaky_relu` whose slope is trained.

    Args:
        x: node, number or array of any shape.
        slope: likewise, such as a parameter of one number or of one for each column; they broadcast.

    Returns:
        A node of their common shape.

    Raises:
        ShapeError: shapes that do not broadcast.

    Source: He, Zhang, Ren and Sun (2015), Delving deep into rectifiers, ICCV.
    """
    return leaky_relu(x, slope)
