"""Writes the shipped CSV files again from their upstream copies, or compares them: where the data came from, as code.

Needs ``scikit-learn`` and ``palmerpenguins``, which graphlearn itself does not depend on:

    python tools/rebuild_datasets.py --check

The canonical form: UTF-8, LF, one header line, one row per sample, the target last, each number as the shortest decimal
that reads back as the same float64, ``NA`` for a missing value.
"""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path

from sklearn import datasets as upstream  # type: ignore[import-untyped,import-not-found,unused-ignore]

DATA = Path(__file__).parents[1] / "graphlearn" / "datasets" / "data"
CELL_FEATURES = (
    "radius",
    "texture",
    "perimeter",
    "area",
    "smoothness",
    "compactness",
    "concavity",
    "concave points",
    "symmetry",
    "fractal dimension",
)
Table = tuple[Sequence[str], Iterable[Sequence[str]]]


def shortest(value: float) -> str:
    """Return the shortest decimal text that reads back as `value`; ``NA`` for NaN."""
    if math.isnan(value):
        return "NA"
    return repr(float(value)).removesuffix(".0")


def iris() -> Table:
    """Fisher's values: the copy that scikit-learn ships since its release 0.20."""
    raw = upstream.load_iris()
    rows = [[*map(shortest, x), str(raw.target_names[c])] for x, c in zip(raw.data, raw.target, strict=True)]
    return [*raw.feature_names, "species"], rows


def digits() -> Table:
    """The writer-independent test set, 64 block counts from 0 to 16, row by row."""
    raw = upstream.load_digits()
    header = [f"row {r} column {c}" for r in range(8) for c in range(8)]
    rows = [[*map(shortest, x), str(c)] for x, c in zip(raw.data, raw.target, strict=True)]
    return [*header, "digit"], rows


def breast_cancer() -> Table:
    """Thirty features of 569 masses, with the diagnosis in words."""
    raw = upstream.load_breast_cancer()
    header = [f"{name} ({kind})" for kind in ("mean", "standard error", "worst") for name in CELL_FEATURES]
    rows = [[*map(shortest, x), str(raw.target_names[c])] for x, c in zip(raw.data, raw.target, strict=True)]
    return [*header, "diagnosis"], rows


def penguins() -> Table:
    """All 344 penguins and all eight columns; only the order and the names of the columns are ours."""
    words = {"species": "species", "island": "island", "sex": "sex", "year": "year"}
    numbers = {
        "flipper_length_mm": "flipper length (mm)",
        "bill_length_mm": "bill length (mm)",
        "bill_depth_mm": "bill depth (mm)",
        "body_mass_g": "body mass (g)",
    }
    text = (files("palmerpenguins") / "data" / "penguins.csv").read_text(encoding="utf-8")
    rows = []
    for record in csv.DictReader(text.splitlines()):
        values = [shortest(float("nan" if record[name] == "NA" else record[name])) for name in numbers]
        rows.append([*(record[name] for name in words), *values])
    return [*words.values(), *numbers.values()], rows


def main(arguments: Sequence[str]) -> int:
    """Write the four files, or with ``--check`` compare them; returns the exit status."""
    status = 0
    for build in (iris, digits, breast_cancer, penguins):
        header, rows = build()
        text = "".join(",".join(row) + "\n" for row in (header, *rows))
        path = DATA / f"{build.__name__}.csv"
        if "--check" not in arguments:
            path.write_bytes(text.encode("utf-8"))
        elif path.read_bytes() != text.encode("utf-8"):
            status = 1
            print(f"{path.name} differs from its upstream copy")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
