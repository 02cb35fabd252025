"""Index maps: which entry of which computed array a node's entry is. Broadcast, transpose and reshape cost nothing.

A loop runs over the axes of its space that are not of length 1. An `Access` says for each axis of an array which axis
of the loop counts along it.
"""

from __future__ import annotations

from typing import NamedTuple

from graphlearn.graph.node import Node
from graphlearn.program.counts import ZERO, Count, row_major
from graphlearn.types import Shape

_VIEWS = ("broadcast_to", "transpose", "reshape")

Axes = tuple[int | None, ...]


class Access(NamedTuple):
    """Entries of a node as a loop reads them.

    Args:
        base: the node that is computed or given; no view.
        shape: the shape under which its entries are taken, row by row; that of ``base`` unless it was reshaped.
        axes: for each axis of ``shape`` the axis of the loop, or None where the entry stays the first.
    """

    base: Node
    shape: Shape
    axes: Axes

    def strides(self, rank: int) -> tuple[Count, ...]:
        """Elements from one entry to the next along each axis of a loop of ``rank`` axes."""
        steps = [ZERO] * rank
        for axis, stride in zip(self.axes, row_major(self.shape), strict=True):
            if axis is not None:
                steps[axis] = stride
        return tuple(steps)

    @property
    def reshaped(self) -> bool:
        """Whether the entries are taken under another shape than the one they were computed in."""
        return space(self.shape) != space(self.base.shape)

    def matches(self, loop: Shape) -> bool:
        """Whether the loop over this space visits exactly the base's entries, in their order."""
        wanted = tuple(axis for axis in self.axes if axis is not None)
        return not self.reshaped and space(self.base.shape) == loop and wanted == tuple(range(len(loop)))


def space(shape: Shape) -> Shape:
    """The axes that a loop over this shape has: those that are not of length 1."""
    return tuple(d for d in shape if d != 1)


def loop_axes(shape: Shape) -> Axes:
    """Each axis of a shape counted by its own axis of the loop over it."""
    numbers = iter(range(len(shape)))
    return tuple(None if d == 1 else next(numbers) for d in shape)


def operand_axes(operand: Node, shape: Shape, axes: Axes) -> Axes:
    """Axes of an operand that broadcasts to ``shape``."""
    skip = len(shape) - operand.ndim
    return tuple(None if d == 1 else axes[k + skip] for k, d in enumerate(operand.shape))


def resolve(node: Node, axes: Axes) -> Access:
    """Walk through views to what is computed or given."""
    while node.op.name in _VIEWS:
        source = node.inputs[0]
        if node.op.name == "transpose":
            order = node.attr("axes")
            axes = tuple(axes[order.index(k)] for k in range(source.ndim))
        elif node.op.name == "broadcast_to":
            axes = operand_axes(source, node.shape, axes)
        elif space(source.shape) == space(node.shape):
            rest = iter([axis for axis, d in zip(axes, node.shape, strict=True) if d != 1])
            axes = tuple(None if d == 1 else next(rest) for d in source.shape)
        else:
            return Access(_under_reshapes(source), node.shape, axes)
        node = source
    return Access(node, node.shape, axes)


def _under_reshapes(node: Node) -> Node:
    """The array under a reshape that regroups entries; `rules` has put a copy under it where a view was there."""
    while node.op.name == "reshape":
        node = node.inputs[0]
    return node


def operands(node: Node) -> tuple[Access, ...]:
    """What an elementwise node, a reduction or a matrix product reads, along the axes of its own loop.

    The loop of a reduction is over its operand, and so are the axes that a matrix product reports for each operand.
    """
    if node.op.is_elementwise or node.op.name == "cast":
        axes = loop_axes(node.shape)
        return tuple([resolve(n, operand_axes(n, node.shape, axes)) for n in node.inputs])
    return tuple([resolve(n, loop_axes(n.shape)) for n in node.inputs])


def is_entrywise(node: Node) -> bool:
    """Whether a node is computed entry by entry (casts are)."""
    return node.op.is_elementwise or node.op.name == "cast"


def is_reduction(node: Node) -> bool:
    """Whether a node combines entries along axes."""
    return node.op.name in ("sum", "max")


def loop_space(node: Node) -> Shape:
    """The space of the loop that computes a node: its own, or its operand's for a reduction."""
    return space(node.inputs[0].shape if is_reduction(node) else node.shape)
