"""Routines: operations that are neither a view nor a loop over entries, and how their work falls into items."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from graphlearn.graph.node import Node
from graphlearn.ops.philox import WIDTH
from graphlearn.types import Shape


class Plan(NamedTuple):
    """How the work of a routine is shared out.

    Args:
        items: the product of these lengths is the number of items; no item may need what another writes.
        scratch: shape of the room that the items share out, in the result's dtype; None: they need none.
    """

    items: Callable[[Node], Shape]
    scratch: Callable[[Node], Shape] | None = None


def _lines(node: Node) -> Shape:
    """The lines along an axis."""
    axis = node.attr("axis")
    return (*node.shape[:axis], *node.shape[axis + 1 :])


def _results(node: Node) -> Shape:
    """The entries of the result."""
    return node.shape


def _blocks(node: Node) -> Shape:
    """The blocks of words along the last axis; along one of unknown length, its entries."""
    if not node.shape or isinstance(node.shape[-1], str):
        return node.shape
    return (*node.shape[:-1], -(-node.shape[-1] // WIDTH))


def _matrices(node: Node) -> Shape:
    """The matrices in the last two axes of the first operand."""
    return node.inputs[0].shape[:-2]


def _copies(node: Node) -> Shape:
    """Room for a copy of each matrix."""
    return node.inputs[0].shape


def _copies_and_exchanges(node: Node) -> Shape:
    """Room for a copy of each matrix, and for four numbers for each of its rows."""
    shape = node.inputs[0].shape
    return (*shape[:-2], shape[-1], int(shape[-1]) + 4)


def _copies_and_directions(node: Node) -> Shape:
    """Room for a copy of each matrix and of each direction, and for four numbers for each of its rows."""
    shape = node.shape
    return (*shape[:-2], shape[-1], int(shape[-1]) * len(node.inputs) + 4)


# Every emitting backend has the code for one item in `backends/routines.py`.
ROUTINES: dict[str, Plan] = {
    "argmax": Plan(_results),
    "argmin": Plan(_results),
    "cholesky": Plan(_matrices),
    "cofactor": Plan(_matrices, _copies_and_exchanges),
    "cofactor_along": Plan(_matrices, _copies_and_directions),
    "cumsum": Plan(_lines),
    "det": Plan(_matrices, _copies),
    "detsign": Plan(_matrices, _copies),
    "logabsdet": Plan(_matrices, _copies),
    "prod": Plan(_results),
    "products_before": Plan(_lines),
    "recurrence": Plan(_lines),
    "solve": Plan(_matrices, _copies),
    "take": Plan(lambda node: (*node.shape[: node.attr("axis")], *node.inputs[1].shape)),
    "scatter_add": Plan(_lines),
    "take_along_axis": Plan(lambda node: node.shape),
    "scatter_along_axis": Plan(_lines),
    "overlap_add": Plan(lambda node: node.shape[: node.attr("axis") + len(node.attr("stride"))]),
    **dict.fromkeys(("random", "random_below"), Plan(_blocks)),
}


def is_routine(node: Node) -> bool:
    """Whether a node is computed by a routine."""
    return node.op.name in ROUTINES
