"""The 2-3-1 network on XOR, as a graph and, independently of graphlearn, in NumPy."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from graphlearn.graph.leaves import input, parameter
from graphlearn.learn.losses import binary_cross_entropy
from graphlearn.ops.activations import sigmoid
from graphlearn.ops.intrinsics import tanh
from graphlearn.ops.linear import matmul

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
T = np.array([[0.0], [1.0], [1.0], [0.0]])
VALUES = {
    "W1": np.array([[0.5, -0.3, 0.8], [0.2, 0.9, -0.4]]),
    "b1": np.array([0.1, -0.2, 0.05]),
    "W2": np.array([[0.7], [-1.1], [0.3]]),
    "b2": np.array([0.15]),
}


def graph() -> SimpleNamespace:
    """The network: its nodes by name, and ``at``."""
    x, t = input("x", ("batch", 2)), input("t", ("batch", 1))
    W1, b1, W2, b2 = (parameter(name, value.shape) for name, value in VALUES.items())
    z1 = (matmul(x, W1) + b1).named("z1")
    h = tanh(z1).named("h")
    z2 = (matmul(h, W2) + b2).named("z2")
    L = binary_cross_entropy(z2, t).named("L")
    at = {x: X, t: T, **{leaf: VALUES[leaf.name] for leaf in (W1, b1, W2, b2)}}
    return SimpleNamespace(
        x=x, t=t, W1=W1, b1=b1, W2=W2, b2=b2, z1=z1, h=h, z2=z2, p=sigmoid(z2), L=L, at=at, wrt=[W1, b1, W2, b2]
    )  # fmt: skip


def by_hand() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Values and gradients of every node, by the formulas of a textbook."""
    v = dict(VALUES)
    v["z1"] = X @ v["W1"] + v["b1"]
    v["h"] = np.tanh(v["z1"])
    v["z2"] = v["h"] @ v["W2"] + v["b2"]
    v["p"] = 1 / (1 + np.exp(-v["z2"]))
    v["L"] = -np.mean(T * np.log(v["p"]) + (1 - T) * np.log(1 - v["p"]))
    g = {"L": np.array(1.0), "z2": (v["p"] - T) / len(X)}
    g["W2"], g["b2"] = v["h"].T @ g["z2"], g["z2"].sum(axis=0)
    g["h"] = g["z2"] @ v["W2"].T
    g["z1"] = g["h"] * (1 - v["h"] ** 2)
    g["W1"], g["b1"] = X.T @ g["z1"], g["z1"].sum(axis=0)
    return {**v, "x": X, "t": T}, g
