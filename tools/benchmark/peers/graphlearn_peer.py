"""graphlearn: Model.fit, the whole run in one compiled function."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphlearn as gl
from benchmark.masks import SEED
from benchmark.workloads import Layer, Workload

NEEDS = "graphlearn"
VARIANTS = {"fit": "Model.fit, compiled by Numba", "reference": "Model.fit by the NumPy reference interpreter"}


class Run:
    """One workload in graphlearn."""

    def __init__(self, w: Workload, backend: str) -> None:
        self.w = w
        self.backend = backend
        x = gl.input("x", ("batch", w.sizes[0]))
        output = self._network()(x)
        t = gl.input("t", "batch", "int64") if w.loss == "ce" else gl.input("t", ("batch", w.sizes[-1]))
        losses = {"ce": gl.losses.cross_entropy, "bce": gl.losses.binary_cross_entropy, "mse": gl.losses.mse}
        self.model = gl.Model(output, loss=losses[w.loss](output, t), precision=w.dtype)
        self.data = {x: w.X, t: w.Y}
        self.names = [name for name in self.model.values]

    def _network(self) -> Any:
        """The layers; with dropout, which draws its own truths in each step, behind each hidden one."""
        w = self.w
        hidden = "relu" if w.activation == "none" else w.activation
        if not w.drop:
            return gl.nn.MLP(w.sizes[1:], activation=hidden)
        pairs = [layer for n in w.sizes[1:-1] for layer in (gl.nn.Dense(n, hidden), gl.nn.Dropout(w.drop))]
        return gl.nn.Sequential([*pairs, gl.nn.Dense(w.sizes[-1])])

    def run(self) -> dict[str, np.ndarray]:
        """The whole training run."""
        w = self.w
        arrays = [array for layer in w.params for array in layer]
        for name, array in zip(self.names, arrays, strict=True):
            self.model.values[name] = array
        full = w.order is None
        self.model.fit(
            self.data, optimizer=self._optimizer(), epochs=w.steps if full else 1, batch_size=None if full else w.batch,
            shuffle=False, order=w.order, progress=False, backend=self.backend, seed=SEED,
        )  # fmt: skip
        return dict(self.model.values)

    def _optimizer(self) -> Any:
        w = self.w
        if w.optimizer == "adam":
            return gl.optim.Adam(w.rate)
        return gl.optim.SGD(w.rate, momentum=0.9 if w.optimizer == "momentum" else 0.0)

    def params(self, handle: dict[str, np.ndarray]) -> list[Layer]:
        """Final parameters."""
        arrays = [handle[name] for name in self.names]
        return list(zip(arrays[::2], arrays[1::2], strict=True))


def prepare(w: Workload, variant: str) -> Run:
    """Ready to run."""
    return Run(w, {"fit": "numba", "reference": "numpy"}[variant])
