"""Fixtures of the tests of training: every backend by parameter, and the exclusive or."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from graphlearn.graph.leaves import input
from graphlearn.learn import Model, losses, nn

BACKENDS = ("numpy", "numba")


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def xor_data() -> dict[str, np.ndarray]:
    x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    return {"x": x, "t": (x[:, :1] != x[:, 1:]).astype(float)}


@pytest.fixture
def xor_model() -> Callable[..., Model]:
    def make(sizes: tuple[int, ...] = (3, 1), **options: Any) -> Model:
        x, t = input("x", ("batch", 2)), input("t", ("batch", 1))
        z = nn.MLP(sizes)(x)
        return Model(z, loss=losses.binary_cross_entropy(z, t), **options)

    return make
