"""Defined elementwise operations: the rectifiers and bounded functions that came after relu. Records only."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from graphlearn.ops.elementwise import elementwise

# Of the paper: with them, activations of mean 0 and variance 1 stay so. The lower one is scale times alpha.
_SELU_SCALE, _SELU_ALPHA = 1.0507009873554804934, 1.6732632423543772848
_SELU_BELOW = _SELU_SCALE * _SELU_ALPHA
# exp(q) - 1 - q exp(q) = -q^2 (1/2 + q/3 + q^2/8 + ...), to a relative 1e-17 on |q| < 1/4
_CELU_SERIES = tuple([-(n - 1) / math.factorial(n) for n in range(2, 15)])
# Where the derivative of gelu is 0, in two parts, the first exact in float32; and its Taylor series there from t on, to
# a relative 1e-17 for |t| <= 1/16.
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


def _halves(m: Any, x: Any) -> tuple[Any, Any]:
    """``exp(-|x| / 2)`` and its square: x times the half twice keeps digits that a subnormal ``exp(-|x|)`` has lost."""
    half = m.exp(-0.5 * m.abs(x))
    return half, half * half


def _silu_kernel(m: Any, x: Any) -> Any:
    half, e = _halves(m, x)
    return m.where(x >= 0, x, x * half * half) / (1 + e)


def _mish_kernel(m: Any, x: Any) -> Any:
    """``tanh(log(1 + n)) = n (n + 2) / (n (n + 2) + 2)`` with ``n = exp(x)``, divided by n^2 where n is large."""
    half, e = _halves(m, x)
    above, below = x * (1 + 2 * e), x * half * (half * (e + 2))
    return m.where(x >= 0, above, below) / m.where(x >= 0, 1 + 2 * e * (1 + e), e * (e + 2) + 2)


def _celu_by_alpha(m: Any, q: Any) -> Any:
    """``exp(q) - 1 - q exp(q)``; near 0, where it cancels, its series."""
    series = _CELU_SERIES[-1]
    for coefficient in _CELU_SERIES[-2::-1]:
        series = coefficient + q * series
    return m.where(m.abs(q) < 0.25, q * q * series, m.expm1(q) - q * m.exp(q))


def _split(m: Any, x: Any) -> tuple[Any, Any]:
    """A number of at most 40 as a multiple of 1/64, whose square is exact, and the rest."""
    high = m.round(x * 64) * (1 / 64)
    return high, x - high


def _normal_distribution(m: Any, x: Any) -> Any:
    """``erfc(-x / sqrt(2)) / 2``, with the digits that rounding ``x / sqrt(2)`` costs in the lower tail."""
    low = m.minimum(m.maximum(x, -40.0), 40.0)  # beyond, it is 0 or 1
    z = low * -math.sqrt(0.5)
    (high, rest), (z_high, z_rest) = _split(m, low), _split(m, z)
    first = z_high * z_high - 0.5 * high * high
    lost = first + (2 * z_high * z_rest - high * rest) + (z_rest * z_rest - 0.5 * rest * rest)  # z^2 - x^2 / 2
    return 0.5 * m.erfc(z) * m.where(low < -1, m.exp(lost), 1.0)


def _times_density(m: Any, x: Any) -> Any:
    """``x exp(-x^2 / 2) / sqrt(2 pi)``; rounding the square would cost as many digits as it has before the point."""
    near = m.minimum(m.maximum(x, -40.0), 40.0)  # beyond, it is 0
    high, rest = _split(m, near)
    scale = 1 / math.sqrt(2 * math.pi)
    return scale * near * m.exp(-0.5 * high * high) * m.exp(-0.5 * rest * (near + high))


def _gelu_slope(m: Any, x: Any) -> Any:
    """Distribution and ``x`` times density; at the root of their sum, where they cancel, the series."""
    t = x - _GELU_ROOT[0] - _GELU_ROOT[1]
    series = _GELU_SERIES[-1]
    for coefficient in _GELU_SERIES[-2::-1]:
        series = coefficient + t * series
    return m.where(m.abs(t) < 1 / 16, t * series, _normal_distribution(m, x) + _times_density(m, x))


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
)
selu = elementwise(
    "selu",
    doc="Scaled exponential linear unit: keeps activations of mean 0 and variance 1 so.",
    formula=lambda m, x: m.where(x > 0, _SELU_SCALE * x, _SELU_BELOW * (m.exp(x) - 1)),
    kernel=lambda m, x: m.where(x > 0, _SELU_SCALE * x, _SELU_BELOW * m.expm1(x)),
    partials=(lambda m, x, y: m.where(x > 0, _SELU_SCALE, _SELU_BELOW * m.exp(x)),),
    kink="the derivative of selu at 0 is that from below, 1.758",
    source="Klambauer, Unterthiner, Mayr and Hochreiter (2017), Self-normalizing neural networks, NIPS 30",
)
celu = elementwise(
    "celu",
    doc="Continuously differentiable exponential linear unit: x above 0, else alpha (exp(x / alpha) - 1).",
    formula=lambda m, x, alpha=1.0: m.where(x > 0, x, alpha * (m.exp(x / alpha) - 1)),
    kernel=lambda m, x, alpha: m.where(x > 0, x, alpha * m.expm1(x / alpha)),
    partials=(
        lambda m, x, alpha, y: m.where(x > 0, 1, m.exp(x / alpha)),
        lambda m, x, alpha, y: m.where(x > 0, 0, _celu_by_alpha(m, x / alpha)),
    ),
    textbook=(
        lambda m, x, alpha, y: m.where(x > 0, 1, m.exp(x / alpha)),
        lambda m, x, alpha, y: m.where(x > 0, 0, m.exp(x / alpha) - 1 - x / alpha * m.exp(x / alpha)),
    ),
    source="Barron (2017), Continuously differentiable exponential linear units, arXiv:1704.07483",
    domain=(-2.0, -0.5),  # alpha may not be 0
)
gelu = elementwise(
    "gelu",
    doc="Gaussian error linear unit: x times the probability that a standard normal number is below x.",
    formula=lambda m, x: x * m.erfc(-x / m.sqrt(2)) / 2,
    kernel=lambda m, x: m.maximum(x, -40.0) * _normal_distribution(m, x),
    partials=(lambda m, x, y: _gelu_slope(m, x),),
    textbook=(lambda m, x, y: m.erfc(-x / m.sqrt(2)) / 2 + x * m.exp(-(x**2) / 2) / m.sqrt(2 * math.pi),),
    source="Hendrycks and Gimpel (2016), Gaussian error linear units, arXiv:1606.08415",
)
silu = elementwise(
    "silu",
    doc="x times the logistic function of x; also called swish.",
    formula=lambda m, x: x / (1 + m.exp(-x)),
    kernel=_silu_kernel,
    partials=(lambda m, x, y: m.sigmoid(x) + y * m.sigmoid(-x),),
    textbook=(lambda m, x, y: m.sigmoid(x) * (1 + x * (1 - m.sigmoid(x))),),
    source="Elfwing, Uchibe and Doya (2018), Sigmoid-weighted linear units, Neural Networks 107",
)
mish = elementwise(
    "mish",
    doc="x times tanh(softplus(x)).",
    formula=lambda m, x: x * m.tanh(m.log(1 + m.exp(x))),
    kernel=_mish_kernel,
    partials=(lambda m, x, y: m.tanh(m.softplus(x)) + m.silu(x) * m.sech2(m.softplus(x)),),
    textbook=(lambda m, x, y: m.tanh(m.softplus(x)) + x * m.sigmoid(x) * (1 - m.tanh(m.softplus(x)) ** 2),),
    source="Misra (2020), Mish: a self regularized non-monotonic activation function, BMVC",
)
softsign = elementwise(
    "softsign",
    doc="x / (1 + |x|); carries the real line onto (-1, 1).",
    formula=lambda m, x: x / (1 + m.abs(x)),
    partials=(lambda m, x, y: 1 / m.square(1 + m.abs(x)),),
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
    formula=lambda m, x, level, value: m.where(x > level, x, value),
    partials=(
        lambda m, x, level, value, y: m.where(x > level, 1, 0),
        lambda m, x, level, value, y: 0,
        lambda m, x, level, value, y: m.where(x > level, 0, 1),
    ),
    kink="the derivative of threshold by its level is 0, also at the jump",
)
