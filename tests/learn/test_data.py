"""The data of a training belong to it: what the caller writes into his arrays later is for the next one."""

from __future__ import annotations

import numpy as np
import pytest

from graphlearn.graph.leaves import input, parameter
from graphlearn.learn import Model, losses, optim


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_data_that_are_overwritten_are_new_data(precision: str, backend: str) -> None:
    def start() -> tuple[Model, optim.SGD, np.ndarray]:
        x = input("x", "batch")
        y = x * parameter("w", value=1.0)
        return Model(y, loss=losses.mse(y, 2 * x), precision=precision), optim.SGD(0.1), np.array([1.0, 2.0])

    def overwrite(model: Model, epoch: int, logs: object) -> None:
        x[...] = 0.0

    calm, rule, x = start()
    calm.fit({"x": x}, optimizer=rule, epochs=3, backend=backend)
    calm.fit({"x": np.array([3.0, -1.0])}, optimizer=rule, epochs=1, backend=backend)
    model, rule, x = start()
    model.fit({"x": x}, optimizer=rule, epochs=3, backend=backend, callbacks=[overwrite])  # not this training
    x[...] = [3.0, -1.0]
    model.fit({"x": x}, optimizer=rule, epochs=1, backend=backend)  # but the next
    assert model.values["w"].tobytes() == calm.values["w"].tobytes()
