"""``graphlearn train``: a network from a table, with a validation part that training never sees."""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import graphlearn as gl
from graphlearn.cli.bar import Bar
from graphlearn.cli.chart import Series
from graphlearn.cli.command import own_command
from graphlearn.cli.figures import confusion, regression_figures
from graphlearn.cli.files import require_ending, require_writable
from graphlearn.cli.lesson import learn_lesson
from graphlearn.cli.network import Network, Recipe, build, save_network
from graphlearn.cli.page import Page
from graphlearn.cli.table import Table, numbers, read_table, without_gaps
from graphlearn.cli.target import Target, read_target
from graphlearn.cli.words import Words
from graphlearn.errors import DataError, NonFiniteError, OptionError, UnknownNameError
from graphlearn.learn.history import History, format_time
from graphlearn.ops.activations import ACTIVATIONS

Floats = NDArray[np.float64]

_USUAL_BATCH = 32


@dataclass(frozen=True)
class Options:
    """What the command line asks for.

    Args:
        data: the table.
        target: column to be predicted.
        out: file for the network.
        task: ``"auto"``, ``"regression"`` or ``"classification"``.
        ignore: columns that are left out.
        drop_missing: leave out rows with a gap in a column that is used.
        delimiter: between cells.
        layers: units of each hidden layer.
        activation: of the hidden layers.
        epochs: passes over the training rows.
        learning_rate: of Adam.
        batch_size: rows of a step; None: 32, or all where there are fewer.
        validation: share of the rows that is kept apart, between 0 and 1.
        seed: of the split, the first values and the order of rows.
    """

    data: Path
    target: str
    out: Path
    task: str = "auto"
    ignore: tuple[str, ...] = ()
    drop_missing: bool = False
    delimiter: str = ","
    layers: tuple[int, ...] = (8, 8)
    activation: str = "tanh"
    epochs: int = 200
    learning_rate: float = 0.01
    batch_size: int | None = None
    validation: float = 0.2
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Split:
    """Rows to learn from and rows kept apart.

    Args:
        X: float64 (n, features), as in the table.
        y: int64 (n,) class numbers, or float64 (n, 1), as in the table.
        X_kept: the same of the rows kept apart.
        y_kept: likewise.
    """

    X: Floats
    y: NDArray[Any]
    X_kept: Floats
    y_kept: NDArray[Any]


def train(page: Page, words: Words, options: Options) -> None:
    """Read the table, train, print what came out, and write the network.

    Raises:
        GraphLearnError: an option or a cell that cannot be used, or a training that diverged; nothing is written.
        OSError: a file that cannot be read or written.
    """
    require_writable(options.out, options.data)
    _check(options)
    whole_table = read_table(options.data, options.delimiter)
    whole_table.column(options.target, "--target")
    columns = _columns(whole_table, options)
    table = without_gaps(whole_table, (*columns, options.target)) if options.drop_missing else whole_table
    target = read_target(table, options.target, options.task)
    split = _split(table, columns, target, options)
    page.title(words("table.title", file=options.data.name), f"graphlearn {gl.__version__}")
    if len(table.rows) < len(whole_table.rows):
        page.say(words("table.dropped", rows=len(whole_table.rows) - len(table.rows), all=len(whole_table.rows)))
    recipe = _recipe(columns, target, split, options)
    _describe(page, words, target, recipe, split, options)
    values, history = _learn(page, words, recipe, split, options)
    page.heading(words("curve.heading"))
    epochs = np.arange(1.0, history.epochs + 1)
    curves = [
        Series(words("table.training"), epochs, history.epoch_losses),
        Series(words("table.validation"), epochs, history.validation),
    ]
    page.chart(curves, words("bar.epoch"), words("bar.loss"), words("chart.log"))
    _say_lesson(page, words, recipe, history, options.learning_rate)
    page.heading(words("table.figures"))
    _figures(page, words, build(recipe), values, split)
    save_network(options.out, recipe, values)
    page.say(words("wrote", path=options.out))
    page.say(words("table.next"))
    page.verbatim(f"    {own_command()} predict {shlex.quote(str(options.out))} {shlex.quote(str(options.data))}")


def _check(options: Options) -> None:
    """Refuse options that need no table to be found wrong."""
    require_ending(options.out, ".safetensors")
    if options.activation not in ACTIVATIONS:
        raise OptionError(f"--activation needs one of {', '.join(ACTIVATIONS)}; got {options.activation!r}.")
    if not 0 < options.learning_rate < math.inf:
        raise OptionError(
            f"--learning-rate needs a finite number above 0; got {options.learning_rate:g}. The usual one is 0.01."
        )
    if not 0 < options.validation < 1:
        raise OptionError(
            f"--validation needs a share between 0 and 1; got {options.validation:g}. The usual one is 0.2."
        )


def _columns(table: Table, options: Options) -> tuple[str, ...]:
    unknown = [name for name in options.ignore if name not in table.header]
    if unknown:
        raise UnknownNameError(
            f"--ignore names {unknown[0]!r}, which {table.path.name} does not have. Its columns are: "
            f"{', '.join(map(repr, table.header))}."
        )
    columns = tuple(name for name in table.header if name not in (options.target, *options.ignore))
    if not columns:
        raise DataError(
            f"{table.path.name} needs a column to learn from besides the target; it has none. Ignore fewer."
        )
    return columns


def _split(table: Table, columns: tuple[str, ...], target: Target, options: Options) -> Split:
    X, X_kept, y, y_kept = gl.datasets.train_test_split(
        numbers(table, columns), target.values, test_size=_kept(target, options.validation), seed=options.seed,
        stratify=bool(target.classes),
    )  # fmt: skip
    if not _varying(X).any():
        raise DataError(
            f"{table.path.name} needs a column that varies; in the {len(X)} rows to learn from, each of "
            f"{', '.join(map(repr, columns))} is always the same. Give other columns, or more rows."
        )
    return Split(X, y, X_kept, y_kept)


def _varying(X: Floats) -> NDArray[np.bool]:
    return np.asarray(X.min(axis=0) < X.max(axis=0))


def _kept(target: Target, share: float) -> int:
    """Rows kept apart: the share, but in both parts one row of each class, and two numbers to learn from."""
    rows, least = len(target.values), max(1, len(target.classes))
    learned = max(2, least)  # one row alone has no spread, and any network fits it
    if rows < least + learned:
        raise DataError(
            f"the table needs {least + learned} rows or more, to learn from some and keep others apart; it has {rows}. "
            "Add rows."
        )
    return min(max(round(share * rows), least), rows - learned)


def _recipe(columns: tuple[str, ...], target: Target, split: Split, options: Options) -> Recipe:
    _, features = gl.datasets.standardize(split.X)
    scaling = {}
    if not target.classes:
        _, figures = gl.datasets.standardize(split.y)
        scaling = {"target_mean": float(figures.mean[0]), "target_scale": float(figures.scale[0])}
    return Recipe(
        columns=columns, mean=tuple(features.mean.tolist()), scale=tuple(features.scale.tolist()),
        hidden=options.layers, activation=options.activation, target=target.name, classes=target.classes, **scaling,
    )  # fmt: skip


def _batch_size(options: Options, rows: int) -> int:
    if options.batch_size is None:
        return min(_USUAL_BATCH, rows)
    if options.batch_size > rows:
        raise OptionError(
            f"--batch-size needs at most the {rows} rows to learn from; got {options.batch_size}. Give fewer, or leave "
            "the option out."
        )
    return options.batch_size


def _learn(
    page: Page, words: Words, recipe: Recipe, split: Split, options: Options
) -> tuple[dict[str, Floats], History]:
    network = build(recipe)
    if recipe.classes:
        t = gl.input("t", ("batch",), dtype="int64")
        loss, answers = gl.losses.cross_entropy(network.output, t), (split.y, split.y_kept)
    else:
        t = gl.input("t", ("batch", 1))
        loss = gl.losses.mse(network.output, t)
        y, y_kept = ((part - recipe.target_mean) / recipe.target_scale for part in (split.y, split.y_kept))
        answers = (y, y_kept)
    model = gl.Model(network.output, loss=loss.named("L"), precision="float64", seed=options.seed)
    Z, Z_kept = (recipe.standardizer.transform(rows) for rows in (split.X, split.X_kept))
    size = _batch_size(options, len(Z))
    steps = options.epochs * -(-len(Z) // size) if size > 0 else 0
    try:
        with Bar(page, words, steps) as bar:
            history = model.fit(
                {network.x: Z, t: answers[0]}, optimizer=gl.optim.Adam(options.learning_rate), epochs=options.epochs,
                batch_size=size, seed=options.seed, validation={network.x: Z_kept, t: answers[1]}, progress=bar,
            )  # fmt: skip
    except NonFiniteError as error:
        raise _diverged(error, options) from None
    page.gap()
    page.say(words("table.time", steps=history.steps, each=format_time(history.step_time)))
    return dict(model.values), history


def _diverged(error: NonFiniteError, options: Options) -> NonFiniteError:
    """The error of a training in the words of the command line."""
    failure = error.failure
    cure = f"Try a --learning-rate smaller than {options.learning_rate:g}."
    if failure.last_loss is None:
        cure = "No step was made yet: look for huge numbers in the table."
    return NonFiniteError(
        f"training stopped in epoch {failure.epoch}: {failure.name} {failure.value}, and nothing is written. {cure}",
        nodes=error.nodes,
        failure=failure,
    )


def _describe(page: Page, words: Words, target: Target, recipe: Recipe, split: Split, options: Options) -> None:
    reason = words(target.reason, target=target.name, distinct=target.distinct)
    page.say(f"{reason} {words('task.classification' if recipe.classes else 'task.regression')}")
    page.say(words("table.rows", rows=len(split.X), kept=len(split.X_kept), columns=", ".join(recipe.columns)))
    constant = [name for name, varies in zip(recipe.columns, _varying(split.X), strict=True) if not varies]
    if constant:
        page.say(words("table.constant", columns=", ".join(constant)))
    sizes = "-".join(map(str, recipe.sizes))
    count = sum((inputs + 1) * units for inputs, units in pairwise(recipe.sizes))
    facts = {"sizes": sizes, "count": count, "epochs": options.epochs, "rate": options.learning_rate}
    if recipe.hidden:
        page.say(words("table.network", activation=options.activation, **facts))
    else:
        page.say(words("table.linear", **facts))


def _say_lesson(page: Page, words: Words, recipe: Recipe, history: History, rate: float) -> None:
    chance = math.log(len(recipe.classes)) if recipe.classes else 1.0  # the target is standardised
    lesson = learn_lesson(history.epoch_losses, history.validation, chance)
    if lesson.kind == "rose":
        first, last = history.epoch_losses[[0, -1]]
        page.say(words("table.rose", first=first, last=last, chance=chance, rate=rate / 10))
    elif lesson.kind == "lowest":
        page.say(words("table.lowest", epoch=lesson.epoch, epochs=history.epochs))


def _figures(page: Page, words: Words, network: Network, values: dict[str, Floats], split: Split) -> None:
    parts = {words("table.training"): (split.X, split.y), words("table.validation"): (split.X_kept, split.y_kept)}
    answers = {name: network.answer(X, values) for name, (X, _) in parts.items()}
    if not network.recipe.classes:
        spread = float(np.mean(split.y))
        rows = [[name, *regression_figures(parts[name][1], answer, spread)] for name, answer in answers.items()]
        page.table([words("table.part"), words("figure.rmse"), words("figure.guess"), "R²"], rows, "lrrr")
        page.say(words("figure.regression"))
        return
    common = int(np.argmax(np.bincount(split.y)))
    rows = []
    for name, answer in answers.items():
        truth, guess = parts[name][1], np.argmax(answer, axis=1)
        right = int(np.sum(guess == truth))
        rows.append([name, f"{right} / {len(truth)}", f"{right / len(truth):.1%}", f"{np.mean(truth == common):.1%}"])
    page.table([words("table.part"), words("iris.right"), words("iris.accuracy"), words("figure.guess")], rows, "lrrr")
    page.say(words("figure.classification", common=network.recipe.classes[common]))
    page.say(words("figure.confusion"))
    guess = np.argmax(answers[words("table.validation")], axis=1)
    header, cells = confusion(split.y_kept, guess, network.recipe.classes)
    page.table([words("confusion.truth"), *header], cells, "l" + "r" * len(header))
