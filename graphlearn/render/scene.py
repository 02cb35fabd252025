"""`Scene`: all that a diagram shows, as data, and how it becomes cards and arrows. `graphlearn.teach` fills it.

Rule: a card says what a row of the derivation says, in the same names; only the names of a card's own scope are written
without it, since the frame around the card says it already.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from graphlearn.graph.node import Node
from graphlearn.graph.op import Opening
from graphlearn.graph.traverse import topological
from graphlearn.render.adjoints import partial_symbol
from graphlearn.render.backward import share_formula
from graphlearn.render.document import Math, plain
from graphlearn.render.dot import Direction, DotEdge, DotGraph, DotNode
from graphlearn.render.names import name_math
from graphlearn.render.notation import Writer, shape_math
from graphlearn.render.numbers import array_math
from graphlearn.render.palette import BORDERS, LIGHT, Palette
from graphlearn.render.phrases import Phrases
from graphlearn.render.story import Group

_WIDTH = 42  # display cells of a line of a card
_LONGEST = 60  # names and operations up to which a formula is written on a card
_PRIME = "′"


@dataclass(frozen=True)
class Slopes:
    """What a diagram shows of the backward pass.

    Args:
        output: the scalar that was differentiated.
        adjoints: shown nodes on a path from ``wrt``, opened inner nodes included.
        names: adjoint node -> how it is called.
        groups: how each adjoint comes about, for formulas where there are no values.
        flows: (node, consumer) where an adjoint flows from the consumer to the node.
        values: shown node -> value of its adjoint; empty without values.
    """

    output: Node
    adjoints: frozenset[Node]
    names: Mapping[Node, Math]
    groups: Mapping[Node, Group]
    flows: frozenset[tuple[Node, Node]]
    values: Mapping[Node, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Problem:
    """An error that a diagram shows.

    Args:
        kind: name of the error's class.
        message: what it says.
        nodes: what it is about.
    """

    kind: str
    message: str
    nodes: frozenset[Node]


@dataclass(frozen=True)
class Scene:
    """All that a diagram shows.

    Args:
        roots: outputs of the graph.
        nodes: shown nodes in topological order, opened inner nodes and those of updates included.
        names: shown node -> full name.
        openings: opened operation -> its textbook graph.
        values: shown node -> value; empty without values.
        slopes: the backward pass, if there is any.
        updates: leaf -> its next value.
        update_names: node of an update -> how it is called in updates, such as an adjoint.
        folds: shown node -> title of the group that it is drawn in.
        problem: an error that the graph broke with.
        notes: keys of phrases for the caption, each with what stands in its places.
    """

    roots: tuple[Node, ...]
    nodes: tuple[Node, ...]
    names: Mapping[Node, str]
    openings: Mapping[Node, Opening] = field(default_factory=dict)
    values: Mapping[Node, np.ndarray] = field(default_factory=dict)
    slopes: Slopes | None = None
    updates: Mapping[Node, Node] = field(default_factory=dict)
    folds: Mapping[Node, str] = field(default_factory=dict)
    problem: Problem | None = None
    notes: tuple[tuple[str, Mapping[str, str]], ...] = ()
