"""``graphlearn predict``: the answers of a trained network to the rows of a table."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import numpy as np

from graphlearn.cli.figures import regression_figures
from graphlearn.cli.files import require_writable, write_whole
from graphlearn.cli.network import Floats, Network, load_network
from graphlearn.cli.page import Page
from graphlearn.cli.table import Table, numbers, read_table
from graphlearn.cli.target import read_target
from graphlearn.cli.words import Words
from graphlearn.errors import UnknownNameError


def predict(page: Page, words: Words, network_file: Path, data: Path, out: Path | None, delimiter: str) -> None:
    """Answer each row; where the table has the target too, say how good the answers are.

    Args:
        page: where the figures are printed; standard error, so that answers can be piped.
        words: its language.
        network_file: what ``graphlearn train`` wrote.
        data: the table; it may have further columns.
        out: a CSV file for the answers; None: standard output.
        delimiter: between the cells of the table.

    Raises:
        FileFormatError: the network's file cannot be used.
        UnknownNameError: the table lacks a column.
        DataError: a cell that is no number.
        OptionError: a file that cannot be written, or that is one of those that are read.
        OSError: a file that cannot be read.
    """
    if out is not None:
        require_writable(out, network_file, data)
    network, values = load_network(network_file)
    table = read_table(data, delimiter)
    missing = [name for name in network.recipe.columns if name not in table.header]
    if missing:
        raise UnknownNameError(
            f"the network was trained on the columns {', '.join(map(repr, network.recipe.columns))}; {data.name} lacks "
            f"{', '.join(map(repr, missing))}. Add what is missing, under the same name."
        )
    answer = network.answer(numbers(table, network.recipe.columns, options=False), values)
    text = _as_csv(network, answer)
    if out is None:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        write_whole(out, text)
        page.say(words("wrote", path=out))
    if network.recipe.target in table.header:
        _judge(page, words, network, table, answer)


def _as_csv(network: Network, answer: Floats) -> str:
    """A column with the prediction, then the probability of each class."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    classes = network.recipe.classes
    writer.writerow([network.recipe.target, *(f"p({name})" for name in classes)])
    for row in answer:
        writer.writerow([classes[int(np.argmax(row))], *(f"{p:.6f}" for p in row)] if classes else [f"{row[0]:.10g}"])
    return text.getvalue()


def _judge(page: Page, words: Words, network: Network, table: Table, answer: Floats) -> None:
    recipe = network.recipe
    if recipe.classes:
        truth = table.column(recipe.target, "the network")
        names = [recipe.classes[k] for k in np.argmax(answer, axis=1)]
        right = sum(_same(a, b) for a, b in zip(truth, names, strict=True))
        page.say(words("predict.right", right=right, rows=len(names), share=f"{right / len(names):.1%}"))
        return
    target = read_target(table, recipe.target, "regression").values
    rmse, _, explained = regression_figures(target, answer, recipe.target_mean)
    page.say(words("predict.error", rmse=rmse, explained=explained, rows=len(target)))


def _same(cell: str, name: str) -> bool:
    """Whether a cell names a class; 1.0 names the class 1."""
    if cell == name:
        return True
    try:
        return float(cell) == float(name)
    except ValueError:
        return False
