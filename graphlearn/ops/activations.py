"""Defined elementwise operations: activations and the losses of one entry. Records only; backends run their kernels."""

from __future__ import annotations

from typing import Any

from graphlearn.graph.node import Node
from graphlearn.graph.op import CALL, POWER, SUM, Notation, Opening
from graphlearn.ops.algebra import GRAPH
from graphlearn.ops.elementwise import elementwise

# What layers offer by name, besides the operations that a user defines.
ACTIVATIONS = (
    "celu", "elu", "gelu", "gelu_tanh", "hard_sigmoid", "hard_tanh", "leaky_relu", "log_sigmoid", "log_softmax", "mish",
    "relu", "relu6", "selu", "sigmoid", "silu", "sin", "softmax", "softplus", "softsign", "tanh",
)  # fmt: skip


def _sigmoid_kernel(m: Any, x: Any) -> Any:
    """One exponential of a non-positive number: nothing overflows, and small results keep all their digits."""
    e = m.exp(-m.abs(x))
    return m.where(x >= 0, 1.0, e) / (1 + e)


square = elementwise(
    "square", doc="x times x.", formula=lambda m, x: x * x, partials=(lambda m, x, y: 2 * x,),
    notation=Notation("{0}^{{2}}", "{0}²", POWER, (CALL,)),
)  # fmt: skip
sigmoid = elementwise(
    "sigmoid",
    doc="Logistic function; carries the real line onto (0, 1).",
    formula=lambda m, x: 1 / (1 + m.exp(-x)),
    kernel=_sigmoid_kernel,
    # y (1 - y) rounds to 0 from x = 37, where the truth is 1e-16; the derivative of y sigmoid(-x) cancels near 0.
    partials=(lambda m, x, y: m.logistic_density(x),),
    textbook=(lambda m, x, y: y * (1 - y),),
    notation=Notation(r"\sigma\left({0}\right)", "σ({0})", CALL),
    source="Bishop (2006), Pattern Recognition and Machine Learning, eqs. 4.59 and 4.88",
    ulps=(4, 8),
)
logistic_density = elementwise(
    "logistic_density",
    doc="Derivative of sigmoid, accurate in both tails; the density of the logistic distribution.",
    formula=lambda m, x: m.exp(x) / (1 + m.exp(x)) ** 2,
    kernel=lambda m, x: m.exp(-m.abs(x)) / m.square(1 + m.exp(-m.abs(x))),
    partials=(lambda m, x, y: -y * m.tanh(0.5 * x),),
    ulps=(6, 8),
)
sech2 = elementwise(
    "sech2",
    doc="Derivative of tanh: 1 - tanh(x)^2, accurate in both tails.",
    formula=lambda m, x: 1 / m.cosh(x) ** 2,  # of which SymPy sees that it is 1 - tanh(x)^2
    kernel=lambda m, x: 4 * m.exp(-2.0 * m.abs(x)) / m.square(1 + m.exp(-2.0 * m.abs(x))),
    partials=(lambda m, x, y: -2 * y * m.tanh(x),),
    notation=Notation(r"\operatorname{{sech}}^2\left({0}\right)", "sech²({0})", CALL),
    ulps=(6, 8),
)
softplus = elementwise(
    "softplus",
    doc="Smooth rectifier; the integral of the logistic function.",
    formula=lambda m, x: m.log(1 + m.exp(x)),
    kernel=lambda m, x: m.maximum(x, 0) + m.log1p(m.exp(-m.abs(x))),  # finite at x = 1000
    partials=(lambda m, x, y: m.sigmoid(x),),
    notation=Notation(r"\zeta\left({0}\right)", "softplus({0})", CALL),
    source="Dugas, Bengio, Belisle, Nadeau and Garcia (2000), NIPS 13",
    ulps=(4, 8),
)
log_sigmoid = elementwise(
    "log_sigmoid",
    doc="Logarithm of the logistic function, finite far below 0.",
    formula=lambda m, x: m.log(1 / (1 + m.exp(-x))),
    kernel=lambda m, x: m.minimum(x, 0) - m.log1p(m.exp(-m.abs(x))),
    partials=(lambda m, x, y: m.sigmoid(-x),),
    notation=Notation(r"\log\sigma\left({0}\right)", "log σ({0})", CALL),
    ulps=(4, 8),
)
relu = elementwise(
    "relu",
    doc="Rectified linear unit: x above 0, else 0.",
    formula=lambda m, x: m.maximum(x, 0),
    partials=(lambda m, x, y: m.where(x > 0, 1, 0),),
    kink="the derivative of relu at 0 is 0",
    notation=Notation(r"\operatorname{{relu}}\left({0}\right)", "relu({0})", CALL),
    source="Nair and Hinton (2010), Rectified linear units improve restricted Boltzmann machines, ICML",
)


def _bce_kernel(m: Any, z: Any, t: Any) -> Any:
    """The linear part is 0 where its weight is, also at infinity."""
    weight = m.where(z > 0, 1 - t, t)
    return m.where(m.equal(weight, 0), 0, weight * m.abs(z)) + m.log1p(m.exp(-m.abs(z)))


def _open_bce(node: Node) -> Opening:
    z, t = node.inputs
    p = GRAPH.sigmoid(z)
    return Opening(-(t * GRAPH.log(p) + (1 - t) * GRAPH.log(1 - p)), p, "p", (p - t) / (p * (1 - p)))


binary_cross_entropy = elementwise(
    "binary_cross_entropy",
    doc="Binary cross-entropy of the probability sigmoid(z) and a target t, from the logit z; finite for every z.",
    formula=lambda m, z, t: -(t * m.log(1 / (1 + m.exp(-z))) + (1 - t) * m.log(1 / (1 + m.exp(z)))),
    kernel=_bce_kernel,
    # sigmoid(z) - t loses the digits of a small difference: all of them from z = 37 on, where t is 1.
    partials=(lambda m, z, t, y: (1 - t) * m.sigmoid(z) - t * m.sigmoid(-z), lambda m, z, t, y: -z),
    textbook=(lambda m, z, t, y: m.sigmoid(z) - t, lambda m, z, t, y: -z),
    open=_open_bce,
    terms=lambda m, z, t: (m.abs(t) + m.abs(1 - t)) * m.abs(z) + m.softplus(-m.abs(z)),
    notation=Notation(
        r"\operatorname{{BCE}}\left(\sigma\left({0}\right), {1}\right)", "BCE(σ({0}), {1})", CALL, (0, SUM)
    ),
    source="Bishop (2006), Pattern Recognition and Machine Learning, eq. 4.90",
    ulps=(4, 8),
)
