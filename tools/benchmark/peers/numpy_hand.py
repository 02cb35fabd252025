"""NumPy by hand: the gradients written out, buffers made once, all parameters in one flat array.

Dropout reads its masks from a table that is made before.
"""

from __future__ import annotations

import numpy as np

from benchmark.workloads import BETA1, BETA2, EPSILON, MOMENTUM, Layer, Workload, normal_part

NEEDS = "numpy"
VARIANTS = {"hand": "hand-written gradients, flat parameters"}


class Run:
    """One workload in NumPy."""

    def __init__(self, w: Workload) -> None:
        self.w = w
        self.start = np.concatenate([np.concatenate([W.ravel(), b]) for W, b in w.params])
        self.flat, self.gradient = np.empty_like(self.start), np.empty_like(self.start)
        self.P, self.G = self._views(self.flat), self._views(self.gradient)
        self.T = w.target

    def _views(self, flat: np.ndarray) -> list[Layer]:
        views, at = [], 0
        for W, b in self.w.params:
            middle, end = at + W.size, at + W.size + b.size
            views.append((flat[at:middle].reshape(W.shape), flat[middle:end]))
            at = end
        return views

    def run(self) -> list[Layer]:
        """The whole training run."""
        w = self.w
        self.flat[...] = self.start
        first, second = np.zeros_like(self.flat), np.zeros_like(self.flat)
        for s in range(w.steps):
            x, t = (w.X, self.T) if w.order is None else (w.X[w.order[s]], self.T[w.order[s]])
            self._gradients(x, t, [keep[s] for keep in w.masks])
            self._update(s, first, second)
        return self.P

    def _gradients(self, x: np.ndarray, t: np.ndarray, keep: list[np.ndarray]) -> None:
        inputs, slopes = [x], []
        for k, (W, b) in enumerate(self.P):
            z = inputs[-1] @ W
            z += b
            if k < len(self.P) - 1:
                z, slope = self._activate(z)
                if keep:
                    scale = keep[k] * z.dtype.type(1 / (1 - self.w.drop))
                    z, slope = z * scale, slope * scale
                slopes.append(slope)
            inputs.append(z)
        delta = self._loss_gradient(inputs[-1], t)
        for k in range(len(self.P) - 1, -1, -1):
            gW, gb = self.G[k]
            np.matmul(inputs[k].T, delta, gW)
            np.sum(delta, 0, out=gb)
            if k:
                delta = delta @ self.P[k][0].T
                delta *= slopes[k - 1]

    def _activate(self, z: np.ndarray) -> Layer:
        """A hidden activation and its slope."""
        if self.w.activation == "gelu":
            part = normal_part(z)
            bell = np.exp(z * z * z.dtype.type(-0.5)) * z.dtype.type((2 * np.pi) ** -0.5)
            return z * part, part + z * bell
        if self.w.activation == "tanh":
            np.tanh(z, out=z)
            return z, 1 - z * z
        np.maximum(z, 0, out=z)
        return z, z > 0

    def _loss_gradient(self, z: np.ndarray, t: np.ndarray) -> np.ndarray:
        if self.w.loss == "mse":
            return (z - t) * z.dtype.type(2 / z.size)
        if self.w.loss == "bce":
            return (1 / (1 + np.exp(-z)) - t) * z.dtype.type(1 / len(z))
        e = np.exp(z - z.max(1, keepdims=True))
        e /= e.sum(1, keepdims=True)
        e -= t
        e *= z.dtype.type(1 / len(z))
        return e

    def _update(self, s: int, first: np.ndarray, second: np.ndarray) -> None:
        w, p, g = self.w, self.flat, self.gradient
        if w.optimizer == "sgd":
            p -= w.rate * g
        elif w.optimizer == "momentum":
            first *= MOMENTUM
            first += g
            p -= w.rate * first
        else:
            first *= BETA1
            first += (1 - BETA1) * g
            second *= BETA2
            second += (1 - BETA2) * g * g
            root = np.sqrt(second * (1 / (1 - BETA2 ** (s + 1))))
            root += EPSILON
            p -= (w.rate / (1 - BETA1 ** (s + 1))) * first / root

    def params(self, handle: list[Layer]) -> list[Layer]:
        """Final parameters."""
        return [(W.copy(), b.copy()) for W, b in handle]


def prepare(w: Workload, variant: str) -> Run:
    """Ready to run."""
    return Run(w)
