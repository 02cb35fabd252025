"""JAX: the whole run as one compiled loop. Dropout reads its masks from a table that is made before."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmark.workloads import BETA1, BETA2, EPSILON, MOMENTUM, Layer, Workload

NEEDS = "jax"
VARIANTS = {"loop": "whole run in one jitted fori_loop"}


class Run:
    """One workload in JAX."""

    def __init__(self, w: Workload) -> None:
        jax.config.update("jax_enable_x64", w.dtype == "float64")
        self.w = w
        params = [(jnp.asarray(W), jnp.asarray(b)) for W, b in w.params]
        zeros = jax.tree_util.tree_map(jnp.zeros_like, params)
        self.start = (params, zeros, zeros)
        order = None if w.order is None else jnp.asarray(w.order.astype(np.int32))
        self.data = (jnp.asarray(w.X), jnp.asarray(w.target), order, [jnp.asarray(keep) for keep in w.masks])

        def whole(state: Any, *data: Any) -> Any:
            return jax.lax.fori_loop(0, w.steps, lambda s, c: self._step(s, c, *data), state)

        self.compiled = jax.jit(whole).lower(self.start, *self.data).compile()

    def _loss(self, params: Any, x: Any, t: Any, keep: Any) -> Any:
        a = x
        for k, (W, b) in enumerate(params):
            a = a @ W + b
            if k < len(params) - 1:
                a = _activate(self.w.activation, a)
                a = jnp.where(keep[k], a * (1 / (1 - self.w.drop)), 0) if keep else a
        if self.w.loss == "mse":
            return jnp.mean((a - t) ** 2)
        if self.w.loss == "bce":
            return jnp.mean(jax.nn.softplus(a) - t * a)
        return -jnp.mean(jnp.sum(t * jax.nn.log_softmax(a), axis=1))

    def _step(self, s: Any, state: Any, X: Any, T: Any, order: Any, masks: Any) -> Any:
        w = self.w
        params, first, second = state
        x, t = (X, T) if order is None else (X[order[s]], T[order[s]])
        each = jax.tree_util.tree_map
        gradient = jax.grad(self._loss)(params, x, t, [keep[s] for keep in masks])
        if w.optimizer == "sgd":
            return each(lambda p, g: p - w.rate * g, params, gradient), first, second
        if w.optimizer == "momentum":
            first = each(lambda v, g: MOMENTUM * v + g, first, gradient)
            return each(lambda p, v: p - w.rate * v, params, first), first, second
        first = each(lambda m, g: BETA1 * m + (1 - BETA1) * g, first, gradient)
        second = each(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, second, gradient)
        n = (s + 1).astype(w.dtype)
        c1, c2 = 1 - BETA1**n, 1 - BETA2**n
        params = each(lambda p, m, v: p - w.rate * (m / c1) / (jnp.sqrt(v / c2) + EPSILON), params, first, second)
        return params, first, second

    def run(self) -> Any:
        """The whole training run."""
        return jax.block_until_ready(self.compiled(self.start, *self.data))

    def params(self, handle: Any) -> list[Layer]:
        """Final parameters."""
        return [(np.asarray(W), np.asarray(b)) for W, b in handle[0]]


def _activate(name: str, a: Any) -> Any:
    if name == "gelu":
        return jax.nn.gelu(a, approximate=False)
    return jnp.tanh(a) if name == "tanh" else jax.nn.relu(a)


def prepare(w: Workload, variant: str) -> Run:
    """Ready to run."""
    return Run(w)
