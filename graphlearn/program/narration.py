"""Notes on the nodes of a training step, and who writes them: words come from above, so the top floor says by whom."""

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

_INSTALLED: list[Narrator] = []


def install_narrator(narrator: Narrator) -> None:
    """Say who writes the comments of generated code."""
    _INSTALLED[:] = [narrator]


def narrate(loss: Node, parameters: tuple[Node, ...], step: TrainingStep) -> Notes:
    """What is said of the nodes of a training step.

    Args:
        loss: as it was given.
        parameters: what is trained.
        step: what is run.
    """
    (narrator,) = _INSTALLED
    return narrator(loss, parameters, step)
