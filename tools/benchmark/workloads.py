"""What a training run is: network, data, initial weights, row order, steps; and the loss that it must end with.

Every run is an MLP, made with fixed seeds in float64 and then cast. A peer starts from ``params`` each time, takes
exactly ``steps`` steps over the rows ``order[s]`` (None: all rows), and has all results when it returns. Losses are
means over the batch (mse: over outputs too). Momentum is 0.9; Adam has betas 0.9 and 0.999, epsilon 1e-8 and bias
correction. Dropout stands behind each hidden activation and divides what it keeps by ``1 - drop``.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmark import masks

MOMENTUM, BETA1, BETA2, EPSILON = 0.9, 0.9, 0.999, 1e-8
Layer = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Workload:
    """One training run.

    Args:
        name: such as ``W4-float32``.
        sizes: widths, inputs first.
        activation: of the hidden layers: ``tanh``, ``relu``, ``gelu`` (with erf) or ``none``.
        loss: ``bce``, ``ce`` (class numbers) or ``mse``.
        optimizer: ``sgd``, ``momentum`` or ``adam``.
        rate: learning rate.
        steps: optimizer steps.
        batch: rows in each.
        X: (rows, inputs).
        Y: (rows, outputs), or int64 (rows,) for ``ce``.
        order: int64 (steps, batch) row numbers, or None for full batches.
        params: initial weights (inputs, outputs) and biases of each layer.
        tolerance: allowed relative distance of the final loss from the float64 reference.
        drop: probability that dropout sets an entry to 0; 0: no dropout.
    """

    name: str
    sizes: tuple[int, ...]
    activation: str
    loss: str
    optimizer: str
    rate: float
    steps: int
    batch: int
    X: np.ndarray
    Y: np.ndarray
    order: np.ndarray | None
    params: list[Layer]
    tolerance: float
    drop: float = 0.0

    @property
    def dtype(self) -> str:
        """float32 or float64."""
        return str(self.X.dtype)

    @property
    def target(self) -> np.ndarray:
        """The targets as real (rows, outputs), one-hot for classes."""
        return np.eye(self.sizes[-1], dtype=self.dtype)[self.Y] if self.loss == "ce" else self.Y

    @functools.cached_property
    def masks(self) -> list[np.ndarray]:
        """What dropout keeps: bool (steps, batch, width) for each hidden layer; empty without dropout."""
        widths = self.sizes[1:-1] if self.drop else ()
        return [masks.keeps(self.steps, self.batch, n, k, self.drop) for k, n in enumerate(widths)]

    def final_loss(self, params: Sequence[Layer]) -> float:
        """Loss over all rows in float64 and without dropout, from any peer's parameters."""
        a = self.X.astype(np.float64)
        for k, (W, b) in enumerate(params):
            a = a @ np.asarray(W, np.float64) + np.asarray(b, np.float64)
            if k < len(params) - 1:
                a = activate(self.activation, a)
        if self.loss == "mse":
            return float(np.mean((a - self.Y) ** 2))
        if self.loss == "bce":
            return float(np.mean(np.logaddexp(0, a) - self.Y * a))
        top = a.max(1, keepdims=True)
        logs = top[:, 0] + np.log(np.exp(a - top).sum(1))
        return float(np.mean(logs - a[np.arange(len(a)), self.Y]))


def activate(name: str, z: np.ndarray) -> np.ndarray:
    """A hidden activation."""
    if name == "gelu":
        return z * normal_part(z)
    return np.tanh(z) if name == "tanh" else np.maximum(z, 0) if name == "relu" else z


def normal_part(z: np.ndarray) -> np.ndarray:
    """The part of a standard normal distribution that is below ``z``."""
    from scipy.special import erf  # only gelu needs SciPy

    return (1 + erf(z * z.dtype.type(0.5**0.5))) * z.dtype.type(0.5)  # type: ignore[no-any-return]
