"""Initializers: the rule by which a parameter gets its first value.

Convention of fans: rows are samples and a layer computes ``x @ W``, so ``W`` has the shape (in, out). Axes before the
last two (the window of a convolution) multiply both fans. A vector ``w`` of ``x @ w`` has as many inputs as entries and
one output.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlearn.errors import OptionError
from graphlearn.learn.stream import Stream

__all__ = [
    "Constant",
    "Initializer",
    "Normal",
    "Scaled",
    "Uniform",
    "constant",
    "default",
    "fans",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "normal",
    "uniform",
    "zeros",
]

Shape = tuple[int, ...]
Floats = np.ndarray[tuple[Any, ...], np.dtype[np.float64]]


class Initializer(ABC):
    """A rule that makes a first value; write your own by giving `draw`."""

    def __call__(self, shape: Shape, dtype: str, stream: Stream) -> np.ndarray:
        """The first value of a parameter.

        Args:
            shape: its shape.
            dtype: ``"float32"`` or ``"float64"``; float32 values are the float64 ones, rounded.
            stream: random numbers of this parameter, keyed by (seed, full name).
        """
        return np.asarray(self.draw(shape, stream), dtype)

    @abstractmethod
    def draw(self, shape: Shape, stream: Stream) -> Floats:
        """The value in float64."""


@dataclass(frozen=True)
class Constant(Initializer):
    """One number everywhere; see `constant`."""

    value: float

    def draw(self, shape: Shape, stream: Stream) -> Floats:
        """The number, repeated."""
        return np.full(shape, self.value)


@dataclass(frozen=True)
class Uniform(Initializer):
    """Uniform numbers in [low, high); see `uniform`."""

    low: float
    high: float

    def draw(self, shape: Shape, stream: Stream) -> Floats:
        """Numbers of the stream, stretched."""
        return self.low + (self.high - self.low) * stream.uniform(shape)


@dataclass(frozen=True)
class Normal(Initializer):
    """Normal numbers; see `normal`."""

    mean: float
    std: float

    def draw(self, shape: Shape, stream: Stream) -> Floats:
        """Numbers of the stream, stretched."""
        return self.mean + self.std * stream.normal(shape)


@dataclass(frozen=True)
class Scaled(Initializer):
    """Mean 0 and a variance that follows the fans; see `glorot_uniform` and `he_normal`.

    Args:
        variance: the variance times the fan.
        fan: ``"in"``, or ``"average"``: half of in + out.
        distribution: ``"uniform"`` or ``"normal"``.
    """

    variance: float
    fan: str
    distribution: str

    def draw(self, shape: Shape, stream: Stream) -> Floats:
        """Numbers whose standard deviation is ``sqrt(variance / fan)``."""
        inputs, outputs = fans(shape)
        fan = inputs if self.fan == "in" else (inputs + outputs) / 2
        std = math.sqrt(self.variance / max(fan, 1))
        if self.distribution == "normal":
            return std * stream.normal(shape)
        return math.sqrt(3) * std * (2 * stream.uniform(shape) - 1)


def fans(shape: Shape) -> tuple[int, int]:
    """Inputs and outputs of one unit of a parameter, by the convention at the head of this file.

    >>> fans((2, 3)), fans((5, 5, 2, 3)), fans((7,)), fans(())
    ((2, 3), (50, 75), (7, 1), (1, 1))
    """
    if len(shape) < 2:
        return (shape[0] if shape else 1), 1
    window = math.prod(shape[:-2])
    return window * shape[-2], window * shape[-1]


def zeros() -> Initializer:
    """Zero everywhere; the default of biases, and of every parameter below rank 2."""
    return Constant(0.0)


def constant(value: float) -> Initializer:
    """One number everywhere.

    Args:
        value: the number.
    """
    return Constant(_finite("value", value))


def uniform(low: float = -0.05, high: float = 0.05) -> Initializer:
    """Uniform numbers in [low, high).

    Raises:
        OptionError: ``low`` is above ``high``.
    """
    if _finite("low", low) > _finite("high", high):
        raise OptionError(f"uniform needs low <= high; got low={low}, high={high}. Exchange them.")
    return Uniform(float(low), float(high))


def normal(mean: float = 0.0, std: float = 0.05) -> Initializer:
    """Normal numbers.

    Args:
        mean: centre.
        std: standard deviation, 0 or more.
    """
    return Normal(_finite("mean", mean), _positive("std", std))


def glorot_uniform(gain: float = 1.0) -> Initializer:
    """Uniform in ``gain * [-a, a)``, ``a = sqrt(6 / (in + out))``; for tanh and sigmoid, and the default for rank >= 2.

    Args:
        gain: factor of the standard deviation.

    Source: Glorot and Bengio (2010), Understanding the difficulty of training deep feedforward neural networks, eq. 16.
    """
    return Scaled(_positive("gain", gain) ** 2, "average", "uniform")


def glorot_normal(gain: float = 1.0) -> Initializer:
    """Normal with standard deviation ``gain * sqrt(2 / (in + out))``, the variance of `glorot_uniform`.

    Args:
        gain: factor of the standard deviation.

    Source: Glorot and Bengio (2010), section 4.2.1; they draw uniform numbers of this variance.
    """
    return Scaled(_positive("gain", gain) ** 2, "average", "normal")


def he_normal(gain: float = math.sqrt(2)) -> Initializer:
    """Normal with standard deviation ``gain / sqrt(in)``, by default ``sqrt(2 / in)``; for relu.

    Args:
        gain: ``sqrt(2)`` makes up for the half that relu sets to 0.

    Source: He, Zhang, Ren and Sun (2015), Delving deep into rectifiers, arXiv:1502.01852, section 2.2.
    """
    return Scaled(_positive("gain", gain) ** 2, "in", "normal")


def he_uniform(gain: float = math.sqrt(2)) -> Initializer:
    """Uniform in ``gain * sqrt(3 / in) * [-1, 1)``, the variance of `he_normal`; for relu.

    Args:
        gain: ``sqrt(2)`` makes up for the half that relu sets to 0.

    Source: He, Zhang, Ren and Sun (2015), section 2.2; they draw normal numbers of this variance.
    """
    return Scaled(_positive("gain", gain) ** 2, "in", "uniform")


FACTORIES = (zeros, constant, uniform, normal, glorot_uniform, glorot_normal, he_normal, he_uniform)


def default(shape: Shape) -> Initializer:
    """The rule of a parameter that was given none: Glorot uniform from rank 2 on, zeros below."""
    return glorot_uniform() if len(shape) >= 2 else zeros()


def _finite(name: str, value: float) -> float:
    if not isinstance(value, (int, float, np.number)) or not math.isfinite(value):
        raise OptionError(f"an initializer needs a finite number as {name}; got {value!r}.")
    return float(value)


def _positive(name: str, value: float) -> float:
    if _finite(name, value) < 0:
        raise OptionError(f"an initializer needs {name} of 0 or more; got {value!r}.")
    return float(value)


def __dir__() -> list[str]:
    return sorted(__all__)
