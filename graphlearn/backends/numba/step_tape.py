"""What a tape of a training step is: instructions, places and next values, as data."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from graphlearn.backends import rows
from graphlearn.backends.numba.identity import HUGE
from graphlearn.backends.numba.tape import COMPARISONS, instructions
from graphlearn.graph.node import Node


class Given(NamedTuple):
    """Where a leaf is.

    Args:
        leaf: of the training step.
        kind: ``"real"`` or ``"whole"``.
        places: one for each entry, for data one for each entry of a row.
    """

    leaf: Node
    kind: str
    places: np.ndarray


class Move(NamedTuple):
    """What becomes of a leaf at the end of a step: the place of its next value, which no step begins with."""

    kind: str
    target: int
    source: int


@dataclass(frozen=True)
class StepTape:
    """A training step as instructions, in order. A place below 0 stands for a column: ``-1 - place`` is its number.

    Args:
        code: int32 (instructions, 4): place of the result, places of up to three operands (0 where there is none).
        runs: int32 (runs, 3): an instruction's number, and which of ``code`` carry it out, first and beyond the last;
            ``-1 - number`` where it is done for every row.
        constants: place and kind of each known value, and the value.
        given: leaves that stay from step to step.
        data: leaves whose rows are taken from the data.
        moves: next values.
        loss: its place.
        length: place of the number of rows.
        ones: places of one number.
        columns: places of one number per row.
        precision: of real numbers.
        axis: along which data is batched; empty where it is not.
    """

    code: np.ndarray
    runs: np.ndarray
    constants: tuple[tuple[int, str, float], ...]
    given: tuple[Given, ...]
    data: tuple[Given, ...]
    moves: tuple[Move, ...]
    loss: int
    length: int
    ones: int
    columns: int
    precision: str
    axis: str

    def describe(self) -> str:
        """What it consists of, and why it is one."""
        table = training_instructions()
        numbers, lengths = self.runs[:, 0], self.runs[:, 2] - self.runs[:, 1]
        by_rows = int(lengths[numbers < 0].sum())
        counts = np.bincount(np.where(numbers < 0, -1 - numbers, numbers), lengths, len(table)).astype(np.int64)
        most = sorted(((int(n), name) for n, (_, name) in zip(counts, table, strict=True) if n), reverse=True)
        total = f"{len(self.code):,} operations on numbers"
        rest = f"{len(self.code) - by_rows:,} once and {by_rows:,} for each row of the batch"
        lines = [
            f"tape of {len(self.code):,} instructions in {self.precision}: a training step of more than {HUGE:,} "
            "operations on single",
            "numbers runs through one loop that is compiled once, since compiling the operations themselves takes",
            "0.5 ms and more for each",
            f"in all: {total}" + (f", {rest}" if self.axis else ""),
            f"{len(self.moves):,} updates, {len(self.given):,} leaves that stay, {len(self.data):,} inputs from the "
            f"data, {len(self.constants):,} constants, {len(self.runs):,} runs of",
            "equal instructions",
            *(f"  {name:14} {count:,}" for count, name in most),
        ]
        return "\n".join(lines)


@functools.cache
def training_instructions() -> tuple[tuple[str, str], ...]:
    """Kind and operation of every instruction, by its number: those of functions, of whole numbers, and over rows.

    Kinds: ``"real"``, ``"truth"``, ``"whole"``; ``"compared"``: a truth about whole numbers; ``"to"``: the other kind
    of number, or a real one rounded to float32; ``"filled"``: a column of one number; ``"sum"``, ``"max"``: of a
    column.
    """
    return (
        *instructions(),
        *(("whole", name) for name in ("copy", *rows.INTEGER)),
        *(("compared", name) for name in COMPARISONS),
        *((kind, name) for kind in ("to", "filled", "sum", "max") for name in ("real", "whole")),
        ("to", "single"),
    )
