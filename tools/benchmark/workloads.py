"""The training runs that every peer computes: network, data, initial weights, row order, steps.

Every run is an MLP with 0 to 2 hidden layers, made with fixed seeds in float64 and then cast. A peer starts from
``params`` each time, takes exactly ``steps`` steps over the rows ``order[s]`` (None: all rows), and has all results
when it returns. Losses are means over the batch (mse: over outputs too). Momentum is 0.9; Adam has betas 0.9 and
0.999, epsilon 1e-8 and bias correction.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

MOMENTUM, BETA1, BETA2, EPSILON = 0.9, 0.9, 0.999, 1e-8
Layer = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Workload:
    """One training run.

    Args:
        name: such as ``W4-float32``.
        sizes: widths, inputs first.
        activation: of the hidden layers: ``tanh``, ``relu`` or ``none``.
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

    @property
    def dtype(self) -> str:
        """float32 or float64."""
        return str(self.X.dtype)

    @property
    def target(self) -> np.ndarray:
        """The targets as real (rows, outputs), one-hot for classes."""
        return np.eye(self.sizes[-1], dtype=self.dtype)[self.Y] if self.loss == "ce" else self.Y

    def final_loss(self, params: Sequence[Layer]) -> float:
        """Loss over all rows in float64, from any peer's parameters."""
        a = self.X.astype(np.float64)
        for k, (W, b) in enumerate(params):
            a = a @ np.asarray(W, np.float64) + np.asarray(b, np.float64)
            if k < len(params) - 1:
                a = np.tanh(a) if self.activation == "tanh" else np.maximum(a, 0) if self.activation == "relu" else a
        if self.loss == "mse":
            return float(np.mean((a - self.Y) ** 2))
        if self.loss == "bce":
            return float(np.mean(np.logaddexp(0, a) - self.Y * a))
        top = a.max(1, keepdims=True)
        logs = top[:, 0] + np.log(np.exp(a - top).sum(1))
        return float(np.mean(logs - a[np.arange(len(a)), self.Y]))


def _layers(stream: np.random.Generator, sizes: Sequence[int], gain: float) -> list[Layer]:
    pairs = itertools.pairwise(sizes)
    return [(stream.normal(size=(i, o)) * np.sqrt(gain / i), np.zeros(o)) for i, o in pairs]


def _order(stream: np.random.Generator, rows: int, batch: int, epochs: int) -> np.ndarray:
    """Shuffled batches; the last incomplete one of each epoch is dropped."""
    count = rows // batch
    epochs_rows = [stream.permutation(rows)[: count * batch].reshape(count, batch) for _ in range(epochs)]
    return np.concatenate(epochs_rows).astype(np.int64)


def _classes(
    stream: np.random.Generator, rows: int, inputs: int, classes: int, noise: float, scale: float = 1.0
) -> Layer:
    """Noisy clusters with 10 % random labels, so that the loss stays away from 0."""
    centres = stream.normal(size=(classes, inputs))
    y = stream.integers(0, classes, size=rows)
    X = (centres[y] + noise * stream.normal(size=(rows, inputs))) * scale
    wrong = stream.random(rows) < 0.1
    return X, np.where(wrong, stream.integers(0, classes, size=rows), y).astype(np.int64)


def _xor(stream: np.random.Generator) -> dict[str, object]:
    X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
    Y = np.array([[0], [1], [1], [0]], float)
    return dict(
        sizes=(2, 3, 1), activation="tanh", loss="bce", optimizer="sgd", rate=0.5, steps=10_000, batch=4, X=X, Y=Y,
        order=None, params=_layers(stream, (2, 3, 1), 1.0),
    )  # fmt: skip


def _linear(stream: np.random.Generator, batch: int | None) -> dict[str, object]:
    X = stream.normal(size=(10_000, 10))
    Y = X @ stream.normal(size=(10, 1)) + 0.5 + 0.1 * stream.normal(size=(10_000, 1))
    order = None if batch is None else _order(stream, 10_000, batch, 10)
    return dict(
        sizes=(10, 1), activation="none", loss="mse", optimizer="sgd", rate=1e-3 if batch is None else 2e-4,
        steps=1_000 if order is None else len(order), batch=batch or 10_000, X=X, Y=Y, order=order,
        params=[(np.zeros((10, 1)), np.zeros(1))],
    )  # fmt: skip


def _classifier(
    stream: np.random.Generator, sizes: tuple[int, ...], rows: int, batch: int, epochs: int, optimizer: str,
    rate: float, noise: float, scale: float,
) -> dict[str, object]:  # fmt: skip
    X, Y = _classes(stream, rows, sizes[0], sizes[-1], noise, scale)
    order = _order(stream, rows, batch, epochs)
    return dict(
        sizes=sizes, activation="relu", loss="ce", optimizer=optimizer, rate=rate, steps=len(order), batch=batch,
        X=X, Y=Y, order=order, params=_layers(stream, sizes, 2.0),
    )  # fmt: skip


def _wide(stream: np.random.Generator) -> dict[str, object]:
    sizes = (1024, 1024, 1024, 10)
    X = stream.normal(size=(2560, 1024))
    Y = np.tanh(X @ stream.normal(size=(1024, 10)) / 32.0)
    order = _order(stream, 2560, 256, 5)
    return dict(
        sizes=sizes, activation="tanh", loss="mse", optimizer="sgd", rate=0.05, steps=len(order), batch=256, X=X, Y=Y,
        order=order, params=_layers(stream, sizes, 1.0),
    )  # fmt: skip


Recipe = Callable[[np.random.Generator], dict[str, object]]
RECIPES: dict[str, tuple[str, int, Recipe]] = {
    "W1": ("XOR 2-3-1, tanh, batch 4, SGD, 10,000 steps", 11, _xor),
    "W2a": ("linear regression 10,000 x 10, full batch, 1,000 steps", 21, lambda s: _linear(s, None)),
    "W2b": ("linear regression 10,000 x 10, batch 32, 3,120 steps", 22, lambda s: _linear(s, 32)),
    "W3": (
        "4-16-3 relu, batch 16 of 150, Adam, 1,800 steps", 31,
        lambda s: _classifier(s, (4, 16, 3), 150, 16, 200, "adam", 1e-2, 0.7, 1.0),
    ),
    "W4": (
        "64-128-64-10 relu, batch 32 of 1797, Adam, 1,120 steps", 41,
        lambda s: _classifier(s, (64, 128, 64, 10), 1797, 32, 20, "adam", 1e-3, 1.0, 0.5),
    ),
    "W5": (
        "784-256-128-10 relu, batch 128 of 12,800, momentum, 500 steps", 51,
        lambda s: _classifier(s, (784, 256, 128, 10), 12_800, 128, 5, "momentum", 0.01, 2.0, 0.15),
    ),
    "W6": ("1024-1024-1024-10 tanh, mse, batch 256, SGD, 50 steps", 61, _wide),
}  # fmt: skip
# float32: relu with Adam or momentum amplifies rounding along the run.
_LOOSE = {"W3": 2e-2, "W4": 2e-2, "W5": 2e-2}


def workload(name: str) -> Workload:
    """The workload of a name such as ``W4-float32``."""
    base, _, dtype = name.partition("-")
    about = RECIPES[base][2](np.random.default_rng(RECIPES[base][1]))
    params = [(W.astype(dtype), b.astype(dtype)) for W, b in about.pop("params")]  # type: ignore[attr-defined]
    X, Y = about.pop("X"), about.pop("Y")
    tolerance = 1e-6 if dtype == "float64" else _LOOSE.get(base, 1e-3)
    return Workload(
        name=name, params=params, tolerance=tolerance, X=np.ascontiguousarray(X, dtype),  # type: ignore[arg-type]
        Y=Y if about["loss"] == "ce" else np.ascontiguousarray(Y, dtype), **about,  # type: ignore[arg-type]
    )  # fmt: skip
