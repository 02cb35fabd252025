"""Makes `optimizer_vectors.json`: parameters after 1, 2, 3, 50 and 200 steps of PyTorch's optimizers in float64.

Run by hand, where PyTorch is installed: ``python tests/learn/make_optimizer_vectors.py``. Made with PyTorch 2.13.0.
"""

from __future__ import annotations

import json
import pathlib
from typing import Any

import numpy as np

KEPT = (1, 2, 3, 50, 200)
X = np.cos(np.arange(10) * 1.7).reshape(5, 2)
T = np.sin(np.arange(15) * 0.9).reshape(5, 3)
W0 = np.sin(np.arange(6) + 1.0).reshape(2, 3)

# Options by PyTorch's names; tests/learn/test_optim.py translates them.
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("SGD", {"lr": 0.3}),
    "momentum": ("SGD", {"lr": 0.1, "momentum": 0.9}),
    "nesterov": ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "adam": ("Adam", {"lr": 0.05}),
    "adam_odd": ("Adam", {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-3}),
    "adam_no_first": ("Adam", {"lr": 0.02, "betas": (0.0, 0.99), "eps": 1e-2}),
}


def main() -> None:
    import torch

    torch.set_default_dtype(torch.float64)
    vectors: dict[str, dict[int, list[float]]] = {}
    for name, (kind, options) in CASES.items():
        w = torch.tensor(W0.copy(), requires_grad=True)
        b = torch.zeros(3, requires_grad=True)
        optimizer = getattr(torch.optim, kind)([w, b], **options)
        vectors[name] = {}
        for step in range(1, max(KEPT) + 1):
            optimizer.zero_grad()
            loss = ((torch.tanh(torch.tensor(X) @ w + b) - torch.tensor(T)) ** 2).mean()
            loss.backward()
            optimizer.step()
            if step in KEPT:
                vectors[name][step] = torch.cat([w.detach().ravel(), b.detach()]).tolist()
    text = json.dumps(vectors, indent=1) + "\n"
    pathlib.Path(__file__).with_name("optimizer_vectors.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
