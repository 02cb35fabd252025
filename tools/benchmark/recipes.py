"""The runs that are timed, by name: ``W4-float32``, ``depth20-float64``, and ``w64b16-float32`` of the cost curve."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.workloads import Layer, Workload

Stream = np.random.Generator


@dataclass(frozen=True)
class Recipe:
    """How a run is made.

    Args:
        about: what it is, in a line.
        seed: of its data and weights.
        make: the fields of `Workload` that it decides, from a random stream.
        loose: tolerance in float32, where relu with Adam or momentum amplifies rounding along the run.
        dtypes: those that ``--workloads all`` takes.
        products: whether the time of its matrix products alone is a limit: with the tiny networks a library's calls
            alone take longer than a whole step.
    """

    about: str
    seed: int
    make: Callable[[Stream], dict[str, object]]
    loose: float = 1e-3
    dtypes: tuple[str, ...] = ("float32", "float64")
    products: bool = False


def _layers(stream: Stream, sizes: Sequence[int], gain: float) -> list[Layer]:
    pairs = itertools.pairwise(sizes)
    return [(stream.normal(size=(i, o)) * np.sqrt(gain / i), np.zeros(o)) for i, o in pairs]


def _order(stream: Stream, rows: int, batch: int, epochs: int) -> np.ndarray:
    """Shuffled batches; the last incomplete one of each epoch is dropped."""
    count = rows // batch
    epochs_rows = [stream.permutation(rows)[: count * batch].reshape(count, batch) for _ in range(epochs)]
    return np.concatenate(epochs_rows).astype(np.int64)


def _classes(stream: Stream, rows: int, inputs: int, classes: int, noise: float, scale: float) -> Layer:
    """Noisy clusters with 10 % random labels, so that the loss stays away from 0."""
    centres = stream.normal(size=(classes, inputs))
    y = stream.integers(0, classes, size=rows)
    X = (centres[y] + noise * stream.normal(size=(rows, inputs))) * scale
    wrong = stream.random(rows) < 0.1
    return X, np.where(wrong, stream.integers(0, classes, size=rows), y).astype(np.int64)


def _xor(stream: Stream) -> dict[str, object]:
    X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
    Y = np.array([[0], [1], [1], [0]], float)
    return dict(
        sizes=(2, 3, 1), activation="tanh", loss="bce", optimizer="sgd", rate=0.5, steps=10_000, batch=4, X=X, Y=Y,
        order=None, params=_layers(stream, (2, 3, 1), 1.0),
    )  # fmt: skip


def _linear(stream: Stream, batch: int | None) -> dict[str, object]:
    X = stream.normal(size=(10_000, 10))
    Y = X @ stream.normal(size=(10, 1)) + 0.5 + 0.1 * stream.normal(size=(10_000, 1))
    order = None if batch is None else _order(stream, 10_000, batch, 10)
    return dict(
        sizes=(10, 1), activation="none", loss="mse", optimizer="sgd", rate=1e-3 if batch is None else 2e-4,
        steps=1_000 if order is None else len(order), batch=batch or 10_000, X=X, Y=Y, order=order,
        params=[(np.zeros((10, 1)), np.zeros(1))],
    )  # fmt: skip


def _classifier(
    stream: Stream, sizes: tuple[int, ...], rows: int, batch: int, epochs: int, optimizer: str, rate: float,
    noise: float, scale: float, activation: str = "relu", drop: float = 0.0,
) -> dict[str, object]:  # fmt: skip
    X, Y = _classes(stream, rows, sizes[0], sizes[-1], noise, scale)
    order = _order(stream, rows, batch, epochs)
    return dict(
        sizes=sizes, activation=activation, loss="ce", optimizer=optimizer, rate=rate, steps=len(order), batch=batch,
        X=X, Y=Y, order=order, params=_layers(stream, sizes, 1.0 if activation == "tanh" else 2.0), drop=drop,
    )  # fmt: skip


def _digits(stream: Stream, activation: str = "relu", drop: float = 0.0) -> dict[str, object]:
    return _classifier(stream, (64, 128, 64, 10), 1797, 32, 20, "adam", 1e-3, 1.0, 0.5, activation, drop)


def _wide(stream: Stream) -> dict[str, object]:
    sizes = (1024, 1024, 1024, 10)
    X = stream.normal(size=(2560, 1024))
    Y = np.tanh(X @ stream.normal(size=(1024, 10)) / 32.0)
    order = _order(stream, 2560, 256, 5)
    return dict(
        sizes=sizes, activation="tanh", loss="mse", optimizer="sgd", rate=0.05, steps=len(order), batch=256, X=X, Y=Y,
        order=order, params=_layers(stream, sizes, 1.0),
    )  # fmt: skip


RECIPES: dict[str, Recipe] = {
    "W1": Recipe("XOR 2-3-1, tanh, batch 4, SGD, 10,000 steps", 11, _xor),
    "W2a": Recipe("linear regression 10,000 x 10, full batch, 1,000 steps", 21, lambda s: _linear(s, None)),
    "W2b": Recipe("linear regression 10,000 x 10, batch 32, 3,120 steps", 22, lambda s: _linear(s, 32)),
    "W3": Recipe(
        "4-16-3 relu, batch 16 of 150, Adam, 1,800 steps", 31,
        lambda s: _classifier(s, (4, 16, 3), 150, 16, 200, "adam", 1e-2, 0.7, 1.0), loose=2e-2,
    ),
    "W4": Recipe("64-128-64-10 relu, batch 32 of 1797, Adam, 1,120 steps", 41, _digits, loose=2e-2, products=True),
    "W5": Recipe(
        "784-256-128-10 relu, batch 128 of 12,800, momentum, 500 steps", 51,
        lambda s: _classifier(s, (784, 256, 128, 10), 12_800, 128, 5, "momentum", 0.01, 2.0, 0.15),
        loose=2e-2, dtypes=("float32",), products=True,
    ),
    "W6": Recipe(
        "1024-1024-1024-10 tanh, mse, batch 256, SGD, 50 steps", 61, _wide, dtypes=("float32",), products=True
    ),
    "depth20": Recipe(
        "20 hidden layers of 32, tanh, batch 32 of 1,000, Adam, 620 steps", 71,
        lambda s: _classifier(s, (*[32] * 21, 10), 1_000, 32, 20, "adam", 1e-4, 1.0, 0.5, "tanh"),
        products=True,
    ),
    "odd13": Recipe(
        "3-7-5 tanh, batch 13 of 150, momentum, 2,200 steps", 81,
        lambda s: _classifier(s, (3, 7, 5), 150, 13, 200, "momentum", 0.02, 0.7, 1.0, "tanh"),
    ),
    "gelu": Recipe(
        "64-128-64-10 gelu, batch 32 of 1797, Adam, 1,120 steps", 41, lambda s: _digits(s, "gelu"), loose=2e-2,
        products=True,
    ),
    "dropout": Recipe(
        "64-128-64-10 gelu and dropout 0.2, batch 32 of 1797, Adam, 1,120 steps",
        41, lambda s: _digits(s, "gelu", 0.2), loose=2e-2, products=True
    ),
}  # fmt: skip

_CURVE = re.compile(r"w(\d+)b(\d+)")


def curve_name(width: int, batch: int) -> str:
    """The name of a run of the cost curve, without its dtype."""
    return f"w{width}b{batch}"


def _square(stream: Stream, width: int, batch: int) -> dict[str, object]:
    """Inputs, hidden layer and outputs of one width; the same rows in each step, so that nothing but the step counts.

    As many steps as last about 20 ms at 100 GFLOP/s, 2 ns an entry and 60 ns a step, so that a run's start counts
    little; at most 100,000, since the reference takes 15 us for the smallest. The learning rate is such that a
    batch of one row, which can be learned by heart, keeps a loss to compare.
    """
    guess = 10 * batch * width**2 / 1e11 + batch * width * 2e-9 + 60e-9
    steps = int(np.clip(0.02 / guess, 2, 100_000))
    return dict(
        sizes=(width, width, width), activation="relu", loss="mse", optimizer="sgd", rate=min(0.1, 0.5 / steps),
        steps=steps, batch=batch, X=stream.normal(size=(batch, width)), Y=stream.normal(size=(batch, width)),
        order=None, params=_layers(stream, (width, width, width), 2.0),
    )  # fmt: skip


def recipe(base: str) -> Recipe:
    """How the run of that name is made.

    Raises:
        KeyError: there is none; the names are those of `RECIPES`, and ``w64b16`` for width and batch.
    """
    square = _CURVE.fullmatch(base)
    if square is None:
        return RECIPES[base]
    width, batch = (int(number) for number in square.groups())
    about = f"{width}-{width}-{width} relu, mse, SGD, batch {batch}"
    return Recipe(about, 91, lambda s: _square(s, width, batch), products=True)


def workload(name: str) -> Workload:
    """The run of a name such as ``W4-float32``."""
    base, _, dtype = name.partition("-")
    how = recipe(base)
    about = how.make(np.random.default_rng(how.seed))
    params = [(W.astype(dtype), b.astype(dtype)) for W, b in about.pop("params")]  # type: ignore[attr-defined]
    X, Y = about.pop("X"), about.pop("Y")
    return Workload(
        name=name, params=params, tolerance=1e-6 if dtype == "float64" else how.loose,
        X=np.ascontiguousarray(X, dtype),  # type: ignore[arg-type]
        Y=Y if about["loss"] == "ce" else np.ascontiguousarray(Y, dtype), **about,  # type: ignore[arg-type]
    )  # fmt: skip
