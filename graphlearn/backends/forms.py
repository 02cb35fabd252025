"""`Form`: a generated training loop as data, with all that it takes to run it alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Form:
    """A generated training loop, and where it expects what.

    Args:
        entry: name of the function.
        source: its text.
        parameters: types of its parameters, as in `Signature`.
        options: how it is compiled.
        threads: of its matrix products.
        arenas: name -> dtype and length, in the order of the parameters.
        places: name -> arena, first element and shape of everything that stays from step to step.
        carried: names of parameters and states among them.
        data: names of the inputs that are taken from the data, in the order of the parameters.
        columns: length of a column of the data, which then lies column by column; 0: row by row.
        constants: name -> array that is known beforehand.
    """

    entry: str
    source: str
    parameters: tuple[str, ...]
    options: Mapping[str, bool]
    threads: int
    arenas: Mapping[str, tuple[str, int]]
    places: Mapping[str, tuple[str, int, tuple[int, ...]]]
    carried: tuple[str, ...]
    data: tuple[str, ...]
    columns: int
    constants: Mapping[str, np.ndarray]

    def text(self) -> str:
        """What the saved file says of it."""
        parts = {
            k: getattr(self, k) for k in ("parameters", "arenas", "carried", "data", "columns", "options", "threads")
        }
        lines = [f"    {key!r}: {value!r}," for key, value in parts.items()]
        places = [f"        {name!r}: {place!r}," for name, place in self.places.items()]
        return "\n".join(["{", *lines, "    'places': {", *places, "    },", "}"])


@dataclass(frozen=True)
class Call:
    """A generated function, and what it is called with once.

    Args:
        entry: name of the function.
        source: its text.
        parameters: types of its parameters, as in `Signature`.
        arguments: in their order: the name of an array, or a length.
        arrays: name -> array that is read.
        outputs: name -> dtype and shape of an array that is written.
        arenas: name -> dtype and length.
        options: how it is compiled.
        threads: of its matrix products.
    """

    entry: str
    source: str
    parameters: tuple[str, ...]
    arguments: tuple[str | int, ...]
    arrays: Mapping[str, np.ndarray]
    outputs: Mapping[str, tuple[str, tuple[int, ...]]]
    arenas: Mapping[str, tuple[str, int]]
    options: Mapping[str, bool]
    threads: int

    def text(self) -> str:
        """What the saved file says of it."""
        parts = {k: getattr(self, k) for k in ("parameters", "arguments", "arenas", "options", "threads")}
        return "\n".join(["{", *(f"    {key!r}: {value!r}," for key, value in parts.items()), "}"])
