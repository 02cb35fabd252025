"""The demo's first part: XOR by a 2-3-1 network, derived, drawn and trained."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import graphlearn as gl
from graphlearn.cli.bar import Bar
from graphlearn.cli.chart import Series
from graphlearn.cli.figures import bound
from graphlearn.cli.files import whole, write_whole
from graphlearn.cli.page import Page
from graphlearn.cli.words import Words
from graphlearn.learn.history import History, format_time

STEPS = 10_000
REFERENCE_STEPS = 200  # the reference interpreter is slow, and its time per step does not depend on their number
RUNS = 3  # the fastest of these counts: other programs only ever add time
LEARNING_RATE = 1.0


@dataclass(frozen=True, eq=False)
class Xor:
    """The network and its data.

    Args:
        x: input (batch, 2).
        t: target (batch, 1).
        p: probability that the answer is 1, (batch, 1).
        loss: mean binary cross-entropy, in nats.
        X: the four questions.
        T: their answers.
    """

    x: gl.Node
    t: gl.Node
    p: gl.Node
    loss: gl.Node
    X: np.ndarray
    T: np.ndarray

    @property
    def data(self) -> dict[gl.Node, np.ndarray]:
        """Questions and answers, by node."""
        return {self.x: self.X, self.t: self.T}


def network() -> Xor:
    """Build the 2-3-1 network: tanh, then sigmoid and binary cross-entropy."""
    x, t = gl.input("x", ("batch", 2)), gl.input("t", ("batch", 1))
    W1, b1 = gl.parameter("W1", (2, 3)), gl.parameter("b1", (3,))
    W2, b2 = gl.parameter("W2", (3, 1)), gl.parameter("b2", (1,))
    h = gl.tanh((x @ W1 + b1).named("z1")).named("h")
    z2 = (h @ W2 + b2).named("z2")
    X, T = gl.datasets.xor()
    return Xor(x, t, gl.sigmoid(z2).named("p"), gl.losses.binary_cross_entropy(z2, t).named("L"), X, T)


def show(page: Page, words: Words, folder: Path) -> list[Path]:
    """Print the part and give the files that it wrote."""
    net = network()
    model = gl.Model([net.p, net.loss], loss=net.loss, precision="float64", seed=0)
    page.title(words("xor.title"), words("demo.part", part=1))
    page.say(words("xor.intro"))
    files = _explain(page, words, folder, net, model)
    before = gl.evaluate(net.p, model.at(net.data))
    history = _train(page, words, net, model)
    page.heading(words("curve.heading"))
    steps = np.arange(1.0, STEPS + 1)
    page.chart([Series("", steps, history.losses)], words("bar.step"), words("bar.loss"), words("chart.log"))
    _truth_table(page, words, net, before, gl.evaluate(net.p, model.at(net.data)))
    files.append(write_whole(folder / "xor-loop.py", model.source))
    return files


def _explain(page: Page, words: Words, folder: Path, net: Xor, model: Any) -> list[Path]:
    """Derive the gradient of every parameter at the model's first values, and draw the graph with them."""
    derivation = gl.derive(net.loss, model.parameters, at=model.at(net.data))
    page.verbatim(derivation.to_text(words.language, width=page.width))
    page.heading(words("diagram.heading"))
    text, picture = folder / "xor-derivation.txt", folder / "xor.svg"
    with whole(text) as draft:
        derivation.save(draft, language=words.language)
    diagram = gl.draw(net.loss, at=model.at(net.data), wrt=model.parameters, direction="TB", language=words.language)
    with whole(picture) as draft:
        diagram.save(draft)
    page.say(words("diagram.where", path=picture))
    return [picture, text]


def _train(page: Page, words: Words, net: Xor, model: Any) -> History:
    page.heading(words("train.heading"))
    page.say(words("train.intro", steps=f"{STEPS:,}", rate=LEARNING_RATE))
    started = time.perf_counter()
    with page.busy(words("train.compiling")):
        _fit(net, model, 1, "numba", False)
    compiling = time.perf_counter() - started
    history = _fit(net, model, STEPS, "numba", Bar(page, words, STEPS))
    page.gap()
    compiled = min(history.step_time, *(_fit(net, model, STEPS, "numba", False).step_time for _ in range(RUNS - 1)))
    interpreter = gl.Model(net.p, loss=net.loss, precision="float64", seed=0)
    references = [_fit(net, interpreter, REFERENCE_STEPS, "numpy", False) for _ in range(RUNS)]
    reference = min(h.step_time for h in references)
    _table_of_times(page, words, compiled, reference)
    page.say(words("time.ratio", ratio=f"{reference / compiled:,.0f}", runs=RUNS, compiling=f"{compiling:.1f}"))
    apart = float(np.max(np.abs(references[0].losses - history.losses[:REFERENCE_STEPS])))
    agreement = words("time.agree", steps=REFERENCE_STEPS, bound=bound(apart))
    page.say(f"{'✓' if apart < 1e-9 else '✗'} {agreement}")
    return history


def _fit(net: Xor, model: Any, steps: int, backend: str, progress: Any) -> History:
    """Train from the first values."""
    model.reset()
    optimizer = gl.optim.SGD(LEARNING_RATE)
    history: History = model.fit(net.data, optimizer=optimizer, epochs=steps, backend=backend, progress=progress)
    return history


def _table_of_times(page: Page, words: Words, compiled: float, reference: float) -> None:
    rows = [
        [words("time.compiled"), f"{STEPS:,}", format_time(compiled)],
        [words("time.reference"), f"{REFERENCE_STEPS:,}", format_time(reference)],
    ]
    page.table([words("time.who"), words("time.steps"), words("time.each")], rows, "lrr")


def _truth_table(page: Page, words: Words, net: Xor, before: np.ndarray, after: np.ndarray) -> None:
    page.heading(words("truth.heading"))
    rows = [
        [
            f"{x[0]:.0f}",
            f"{x[1]:.0f}",
            f"{t:.0f}",
            f"{b:.4f}",
            f"{a:.4f}",
            f"{'✓' if round(a) == t else '✗'} {round(a)}",
        ]
        for x, t, b, a in zip(net.X, net.T[:, 0], before[:, 0], after[:, 0], strict=True)
    ]
    header = ["x₁", "x₂", words("truth.target"), words("truth.before"), words("truth.after"), words("truth.answer")]
    page.table(header, rows, "rrrrrl")
