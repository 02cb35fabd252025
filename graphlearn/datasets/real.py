"""The real data sets: each function reads its file once, on the first call, and then returns the same `Dataset`."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import numpy as np

from graphlearn.datasets.catalogue import RECORDS
from graphlearn.datasets.dataset import Dataset, Floats, Labels
from graphlearn.errors import DataError

DATA = Path(__file__).with_name("data")

PENGUIN_SPECIES = ("Adelie", "Chinstrap", "Gentoo")
PENGUIN_SIZES = ("flipper length (mm)", "bill length (mm)", "bill depth (mm)", "body mass (g)")
PENGUIN_TARGETS = ("body mass", "species")


def iris() -> Dataset:
    """Return Fisher's irises: 150 flowers, 4 measurements in cm, 3 species of 50 each.

    >>> X, y = iris()
    >>> iris()
    <iris: X float64 (150, 4), y int64 (150,); classes setosa 50, versicolor 50, virginica 50; CC BY 4.0>

    Source: Fisher (1936), https://doi.org/10.24432/C56C76; CC BY 4.0.
    """
    return _labelled("iris")


def digits() -> Dataset:
    """Return 1797 handwritten digits of 8 x 8 pixels from 0 to 16, one row of 64 each, in 10 classes.

    Source: Alpaydin and Kaynak (1998), https://doi.org/10.24432/C50P49; CC BY 4.0.
    """
    return _labelled("digits")


def breast_cancer() -> Dataset:
    """Return 569 breast masses with 30 features, 357 benign (class 0) and 212 malignant (class 1).

    Source: Wolberg, Mangasarian and Street (1995), https://doi.org/10.24432/C5DW2B; CC BY 4.0.
    """
    return _labelled("breast_cancer")


def penguins(target: str = "body mass") -> Dataset:
    """Return the Palmer penguins: their size, to predict the body mass (regression) or the species.

    A penguin with a missing value in one of the columns used is left out: 2 of 344, so 342 rows remain for either
    target. The description states the number.

    Args:
        target: ``"body mass"`` gives X of flipper length, bill length and bill depth in mm, and y in g, float64
            ``(n, 1)``; ``"species"`` gives X of those three and the body mass, and y as class indices ``(n,)``.

    Returns:
        A `Dataset` of 342 rows.

    Raises:
        DataError: another target; the message lists the two.

    Source: Gorman, Williams and Fraser (2014), https://doi.org/10.1371/journal.pone.0090081; CC0 1.0.
    """
    if not isinstance(target, str) or target not in PENGUIN_TARGETS:
        raise DataError(f"penguins needs a target among {PENGUIN_TARGETS}; got {target!r}. Choose one of them.")
    return _penguins(target)


@cache
def _labelled(name: str) -> Dataset:
    """Read a file whose last column is the class, by name or by index, and whose other columns are numbers."""
    record = RECORDS[name]
    header, _, body = _text(name).partition("\n")
    X, y = _whole_numbers(body) if record.whole_numbers else _numbers_and_words(body, record.classes)
    return Dataset(
        name=name,
        X=X,
        y=y,
        feature_names=tuple(header.split(",")[:-1]),
        target_names=record.classes,
        description=record.description,
        source=record.source,
        licence=record.licence,
    )


def _numbers_and_words(body: str, classes: tuple[str, ...]) -> tuple[Floats, Labels]:
    cells = [line.rpartition(",") for line in body.splitlines()]
    index = {label: i for i, label in enumerate(classes)}
    X = np.loadtxt([numbers for numbers, _, _ in cells], delimiter=",", ndmin=2)
    return X, np.array([index[label] for _, _, label in cells], dtype=np.int64)


def _whole_numbers(body: str) -> tuple[Floats, Labels]:
    rows = body.count("\n")
    table = np.fromstring(body.strip().replace("\n", ","), dtype=np.uint8, sep=",").reshape(rows, -1)
    return table[:, :-1].astype(np.float64), table[:, -1].astype(np.int64)


@cache
def _penguins(target: str) -> Dataset:
    record = RECORDS["penguins"]
    everyone = list(csv.DictReader(_text("penguins").splitlines()))
    measured = [row for row in everyone if all(row[column] != "NA" for column in PENGUIN_SIZES)]
    sizes = np.array([[float(row[column]) for column in PENGUIN_SIZES] for row in measured])
    left_out = f"{len(everyone) - len(measured)} of {len(everyone)} penguins were not measured and are left out."
    by_species = target == "species"
    return Dataset(
        name="penguins",
        X=sizes if by_species else sizes[:, :3],
        y=np.array([PENGUIN_SPECIES.index(row["species"]) for row in measured]) if by_species else sizes[:, 3:],
        feature_names=PENGUIN_SIZES if by_species else PENGUIN_SIZES[:3],
        target_names=PENGUIN_SPECIES if by_species else PENGUIN_SIZES[3:],
        description=f"{record.description} {left_out}",
        source=record.source,
        licence=record.licence,
    )


def _text(name: str) -> str:
    return DATA.joinpath(f"{name}.csv").read_text(encoding="utf-8")
