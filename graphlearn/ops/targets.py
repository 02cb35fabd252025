"""What losses demand of their targets, so that whoever is given data can check it.

A class number out of range would have no class, and so no cost; a probability below 0 or above 1 would make the
cross-entropy fall without end. Neither shows in the loss.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from graphlearn.errors import DataError
from graphlearn.graph.binding import at_place, first_wrong
from graphlearn.graph.node import Node
from graphlearn.graph.traverse import topological


class Demand(NamedTuple):
    """What a target must hold.

    Args:
        target: the node.
        classes: it holds numbers from 0 to ``classes - 1``; 0: probabilities, from 0 to 1.
    """

    target: Node
    classes: int


# A side table, since a node holds mathematics alone: node that a loss consists of -> what it demands.
_DEMANDS: WeakKeyDictionary[Node, Demand] = WeakKeyDictionary()
# Rows with a single 1 -> the class numbers that they were made of. They demand nothing unless a loss takes them.
_LABELS: WeakKeyDictionary[Node, Demand] = WeakKeyDictionary()


def demanding(node: Node, target: Node, classes: int = 0) -> Node:
    """The node, of which is noted what it demands of a target; see `Demand`."""
    _DEMANDS[node] = Demand(target, classes)
    return node


def numbering(rows: Node, labels: Node, classes: int) -> Node:
    """The rows, of which is noted that class numbers made them."""
    _LABELS[rows] = Demand(labels, classes)
    return rows


def demands(roots: Iterable[Node]) -> tuple[Demand, ...]:
    """What a graph demands of its targets, each once, in topological order."""
    found: dict[Demand, None] = {}
    for node in topological(roots):
        if node in _DEMANDS:
            found[_DEMANDS[node]] = None
        elif node.op.name in ("binary_cross_entropy", "cross_entropy"):
            target = node.inputs[1]
            found[_LABELS.get(target, Demand(target, 0))] = None
    return tuple(found)


def check_target(demand: Demand, array: np.ndarray, what: str) -> None:
    """Check the values of a target; NaN passes.

    Args:
        demand: what they must be.
        array: they.
        what: how the message names them.

    Raises:
        DataError: names the first entry that cannot be, and its place.
    """
    classes = demand.classes
    place, many = first_wrong(lambda part: (part < 0) | (part >= classes if classes else part > 1), array)
    if place is None:
        return
    more = f", {many} such entries in all" if many > 1 else ""
    got = f"got {array[place]}{at_place(place)}{more}"
    if classes:
        raise DataError(
            f"{what} needs class numbers from 0 to {classes - 1}, as the prediction has {classes} classes; {got}. "
            "Number the classes from 0, or widen the last layer.",
            nodes=(demand.target,),
        )
    raise DataError(
        f"{what} needs probabilities, numbers from 0 to 1, for a cross-entropy; {got}. Number two classes 0 and 1, "
        "more of them from 0 in an integer input; for other numbers take another loss, such as gl.losses.mse.",
        nodes=(demand.target,),
    )
