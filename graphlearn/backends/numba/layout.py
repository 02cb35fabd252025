"""`Layout`: what a training loop needs to know of its program while it runs, which can be kept without the program."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphlearn.graph.node import Node


class Place(NamedTuple):
    """Where a leaf is.

    Args:
        leaf: of the training step.
        dtype: of its elements.
        start: its first element in the arena of its dtype; -1 where it is data, handed over at each call.
        shape: of what lies in the arena.
    """

    leaf: Node
    dtype: str
    start: int = -1
    shape: tuple[int, ...] = ()


class Constant(NamedTuple):
    """An array that is written into an arena once.

    Args:
        arena: its dtype.
        start: its first element there.
        array: flat, in the dtype of the arena.
    """

    arena: str
    start: int
    array: np.ndarray


class Layout(NamedTuple):
    """Arenas, and what lies in them.

    Args:
        arenas: dtype -> elements, in the order of the parameters.
        places: of the leaves; those of data in the order of the parameters.
        constants: arrays.
        padded: rows of each column of the data, which must lie by columns; 0: it lies by rows.
        threads: of matrix products.
    """

    arenas: Mapping[str, int]
    places: tuple[Place, ...]
    constants: tuple[Constant, ...]
    padded: int
    threads: int = 1


def pack(layout: Layout, numbers: Mapping[Node, int]) -> Any:
    """A layout as JSON, its leaves by their numbers."""
    return {
        "arenas": [*layout.arenas.items()],
        "places": [[numbers[p.leaf], p.dtype, p.start, p.shape] for p in layout.places],
        "constants": [[c.arena, c.start, base64.b64encode(c.array.tobytes()).decode()] for c in layout.constants],
        "padded": layout.padded,
        "threads": layout.threads,
    }


def unpack(notes: Any, nodes: Sequence[Node]) -> Layout | None:
    """The layout of what `pack` made; None where it is something else."""
    try:
        places = [Place(nodes[leaf], str(dtype), int(at), tuple(shape)) for leaf, dtype, at, shape in notes["places"]]
        constants = [
            Constant(arena, int(start), np.frombuffer(base64.b64decode(text), arena))
            for arena, start, text in notes["constants"]
        ]
        numbers = int(notes["padded"]), int(notes["threads"])
        return Layout(dict(notes["arenas"]), tuple(places), tuple(constants), *numbers)
    except (KeyError, IndexError, TypeError, ValueError):
        return None
