"""The demo's second part: the body mass of penguins by gradient descent, beside the normal equations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import graphlearn as gl
from graphlearn.cli.figures import bound, signed
from graphlearn.cli.page import Page
from graphlearn.cli.words import Words
from graphlearn.learn.history import format_time

STEPS = 1000
LEARNING_RATE = 0.5
WANTED = 1e-6  # largest relative distance to the loss of the exact solution

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Solution:
    """A line (a plane) through the data.

    Args:
        weights: one per feature, then the bias, in grams.
        loss: mean of half the squared error, in grams squared.
    """

    weights: Floats
    loss: float


def show(page: Page, words: Words) -> None:
    """Print the part."""
    data = gl.datasets.penguins()
    Z, scale = gl.datasets.standardize(data.X)
    y = np.asarray(data.y, np.float64)
    page.title(words("penguins.title"), words("demo.part", part=2))
    features = [words.name(name).split(" (")[0] for name in data.feature_names]  # all of them in mm
    page.say(words("penguins.intro", rows=len(Z), columns=", ".join(features)))
    with page.busy(words("train.compiling")):
        found, seconds = _descend(Z, y)
    exact = _solve(Z, y)
    names = [*features, words("penguins.bias")]
    rows = [
        [name, _grams(mine), _grams(theirs)]
        for name, mine, theirs in zip(names, found.weights, exact.weights, strict=True)
    ]
    rows.append([words("penguins.loss"), f"{found.loss:,.6f}", f"{exact.loss:,.6f}"])
    page.table(
        [words("penguins.quantity"), words("penguins.descent"), words("penguins.normal")],
        rows,
        "lrr",
    )
    apart = abs(found.loss - exact.loss) / exact.loss
    mark = "✓" if apart <= WANTED else "✗"
    page.say(f"{mark} " + words("penguins.apart", bound=bound(apart), steps=f"{STEPS:,}", time=format_time(seconds)))
    longer = words("penguins.reading", mm=f"{scale.scale[0]:.0f}", grams=f"{found.weights[0]:,.0f}")
    explained = 1 - 2 * found.loss / float(np.var(y))
    page.say(
        f"{longer} {words('penguins.error', rmse=f'{np.sqrt(2 * found.loss):,.0f}', percent=f'{100 * explained:.0f}')}"
    )
    page.say(words("demo.source", source=data.source, licence=data.licence.split(" (")[0]), "dim")


def _descend(Z: Floats, y: Floats) -> tuple[Solution, float]:
    """Full-batch gradient descent in float64; the solution and the seconds per step."""
    x, t = gl.input("x", ("batch", Z.shape[1])), gl.input("t", ("batch", 1))
    w, b = gl.parameter("w", (Z.shape[1], 1), init=gl.init.zeros()), gl.parameter("b", (1,))
    y_hat = (x @ w + b).named("y")
    loss = gl.losses.half_squared_error(y_hat, t).named("L")
    model = gl.Model(y_hat, loss=loss, precision="float64")
    history = model.fit({x: Z, t: y}, optimizer=gl.optim.SGD(LEARNING_RATE), epochs=STEPS, progress=False)
    reached = float(gl.evaluate(loss, model.at({x: Z, t: y})))
    return Solution(np.append(model.values["w"], model.values["b"]), reached), history.step_time


def _solve(Z: Floats, y: Floats) -> Solution:
    """The normal equations AᵀA w = Aᵀy, with a column of ones for the bias."""
    A = np.column_stack([Z, np.ones(len(Z))])
    weights = np.linalg.solve(A.T @ A, A.T @ y)
    return Solution(weights[:, 0], float(np.mean((A @ weights - y) ** 2) / 2))


def _grams(value: float) -> str:
    return signed(f"{value:,.6f}")
