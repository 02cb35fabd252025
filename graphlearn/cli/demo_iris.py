"""The demo's third part: three species of iris told apart by a softmax MLP."""

from __future__ import annotations

import numpy as np

import graphlearn as gl
from graphlearn.cli.chart import Series
from graphlearn.cli.figures import confusion
from graphlearn.cli.page import Page
from graphlearn.cli.words import Words

EPOCHS = 100
BATCH = 15
HIDDEN = 8
SHARE_OF_TEST = 0.3


def show(page: Page, words: Words) -> None:
    """Print the part."""
    data = gl.datasets.iris()
    X, X_test, y, y_test = gl.datasets.train_test_split(data.X, data.y, test_size=SHARE_OF_TEST, stratify=True)
    Z, Z_test, _ = gl.datasets.standardize(X, X_test)
    page.title(words("iris.title"), words("demo.part", part=3))
    page.say(words("iris.intro", train=len(Z), test=len(Z_test), hidden=HIDDEN, epochs=EPOCHS, batch=BATCH))

    x, t = gl.input("x", ("batch", Z.shape[1])), gl.input("t", ("batch",), dtype="int64")
    logits = gl.nn.MLP([HIDDEN, len(data.target_names)], "tanh")(x)
    model = gl.Model(logits, loss=gl.losses.cross_entropy(logits, t).named("L"), precision="float64", seed=0)
    with page.busy(words("train.compiling")):
        history = model.fit(
            {x: Z, t: y}, optimizer=gl.optim.Adam(0.01), epochs=EPOCHS, batch_size=BATCH,
            validation={x: Z_test, t: y_test}, progress=False,
        )  # fmt: skip
    epochs = np.arange(1.0, EPOCHS + 1)
    curves = [
        Series(words("iris.train"), epochs, history.epoch_losses),
        Series(words("iris.test"), epochs, history.validation),
    ]
    page.chart(curves, words("bar.epoch"), words("bar.loss"), words("chart.log"))

    guesses = [np.argmax(gl.evaluate(logits, model.at({x: rows})), axis=1) for rows in (Z, Z_test)]
    rows = [
        [name, f"{np.sum(guess == truth)} / {len(truth)}", f"{np.mean(guess == truth):.1%}"]
        for name, guess, truth in zip((words("iris.train"), words("iris.test")), guesses, (y, y_test), strict=True)
    ]
    page.table([words("iris.part"), words("iris.right"), words("iris.accuracy")], rows, "lrr")
    page.say(words("confusion.intro"))
    header, cells = confusion(y_test, guesses[1], [words.name(name) for name in data.target_names])
    page.table([words("confusion.truth"), *header], cells, "l" + "r" * len(header))
    page.say(words("demo.source", source=data.source, licence=data.licence.split(" (")[0]), "dim")
