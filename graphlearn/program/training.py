"""`TrainingStep`: one step of training as a graph with updates. What every backend runs in its loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from graphlearn.errors import ShapeError
from graphlearn.graph.node import Node


@dataclass(frozen=True, eq=False)
class TrainingStep:
    """One step of training.

    Args:
        loss: scalar node; recorded at each step, before the updates.
        updates: parameter or state -> its next value, of the same type. All read the values of the step's beginning.
        data: inputs that are taken from the data, batch by batch: their leading axis is the free axis ``axis``.
        scalars: inputs of shape ``()`` that are fixed for a call and may change between calls (learning rate, ...).
        axis: name of the free axis along which data is batched; empty when the data has none.
        names: unnamed node -> the name that a person knows it by, from the loss as it was given.
    """

    loss: Node
    updates: Mapping[Node, Node]
    data: tuple[Node, ...]
    scalars: tuple[Node, ...]
    axis: str
    names: Mapping[Node, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for leaf, value in self.updates.items():
            if leaf.op.name not in ("parameter", "state") or leaf.shape != value.shape:
                raise ShapeError(
                    f"an update needs a parameter or state and a value of its shape; got {leaf!r} and {value!r}. "
                    "Reshape the value.",
                    nodes=(leaf, value),
                )

    @property
    def roots(self) -> tuple[Node, ...]:
        """The loss, then the next values in the order of the updates."""
        return (self.loss, *self.updates.values())
