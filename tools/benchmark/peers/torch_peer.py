"""PyTorch: the usual eager loop. Dropout reads its masks from a table that is made before."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from benchmark.workloads import BETA1, BETA2, EPSILON, MOMENTUM, Layer, Workload

NEEDS = "torch"
VARIANTS = {"eager": "the usual loop"}
ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu, "gelu": F.gelu}


class Run:
    """One workload in PyTorch."""

    def __init__(self, w: Workload) -> None:
        torch.set_num_threads(1)
        self.w = w
        self.X, self.Y = torch.from_numpy(w.X.copy()), torch.from_numpy(w.Y.copy())
        self.order = None if w.order is None else torch.from_numpy(w.order.copy())
        self.masks = [torch.from_numpy(keep) for keep in w.masks]

    def _optimizer(self, params: list[torch.Tensor]) -> torch.optim.Optimizer:
        w = self.w
        if w.optimizer == "adam":
            return torch.optim.Adam(params, lr=w.rate, betas=(BETA1, BETA2), eps=EPSILON)
        return torch.optim.SGD(params, lr=w.rate, momentum=MOMENTUM if w.optimizer == "momentum" else 0.0)

    def _loss(self, params: list[torch.Tensor], x: torch.Tensor, y: torch.Tensor, s: int) -> torch.Tensor:
        a = x
        for k in range(0, len(params), 2):
            a = a @ params[k] + params[k + 1]
            if k < len(params) - 2:
                a = ACTIVATIONS[self.w.activation](a)
                a = torch.where(self.masks[k // 2][s], a * (1 / (1 - self.w.drop)), 0) if self.masks else a
        if self.w.loss == "mse":
            return F.mse_loss(a, y)
        return F.binary_cross_entropy_with_logits(a, y) if self.w.loss == "bce" else F.cross_entropy(a, y)

    def run(self) -> list[torch.Tensor]:
        """The whole training run."""
        params = [torch.tensor(a, requires_grad=True) for layer in self.w.params for a in layer]
        optimizer = self._optimizer(params)
        for s in range(self.w.steps):
            x, y = (self.X, self.Y) if self.order is None else (self.X[self.order[s]], self.Y[self.order[s]])
            optimizer.zero_grad(set_to_none=True)
            self._loss(params, x, y, s).backward()
            optimizer.step()
        return params

    def params(self, handle: list[torch.Tensor]) -> list[Layer]:
        """Final parameters."""
        arrays = [p.detach().numpy() for p in handle]
        return list(zip(arrays[::2], arrays[1::2], strict=True))


def prepare(w: Workload, variant: str) -> Run:
    """Ready to run."""
    return Run(w)
