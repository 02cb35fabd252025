"""Notes on the nodes of a training step or a function; words come from above, so the top floor says who writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from graphlearn.graph.node import Node
from graphlearn.program.training import TrainingStep

SECTIONS = ("forward", "backward", "update")


class Note(NamedTuple):
    """What a node is, or which step of the derivation gives it.

    Args:
        section: one of `SECTIONS`.
        label: in a word or two: ``"hidden1/h"``, ``"step 7"``.
        text: the equation, with the label before it where that is no name.
    """

    section: str
    label: str
    text: str


Notes = Mapping[Node, tuple[Note, ...]]  # node of the given graph -> what is said of it

# loss as it was given, parameters, training step -> notes on the step's nodes
Narrator = Callable[[Node, tuple[Node, ...], TrainingStep], Notes]

# outputs of a function, updates of leaves -> notes on their nodes
FunctionNarrator = Callable[[tuple[Node, ...], Mapping[Node, Node]], Notes]

_INSTALLED: list[tuple[Narrator, FunctionNarrator]] = []


def install_narrator(training: Narrator, function: FunctionNarrator) -> None:
    """Say who writes the comments of generated code."""
    _INSTALLED[:] = [(training, function)]


def narrate(loss: Node, parameters: tuple[Node, ...], step: TrainingStep) -> Notes:
    """What is said of the nodes of a training step.

    Args:
        loss: as it was given.
        parameters: what is trained.
        step: what is run.
    """
    ((narrator, _),) = _INSTALLED
    return narrator(loss, parameters, step)


def narrate_function(outputs: tuple[Node, ...], updates: Mapping[Node, Node]) -> Notes:
    """What is said of the nodes of a function that computes derivatives.

    Args:
        outputs: all that it computes.
        updates: leaf -> its next value, one of them.
    """
    ((_, narrator),) = _INSTALLED
    return narrator(outputs, updates)
