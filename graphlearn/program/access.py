"""Index maps: which entry of which computed array a node's entry is. Views, such as transpose and slice, are free.

A loop runs over the axes of its space that are not of length 1. An `Access` says for each axis of an array where it
begins and which axes of the loop count along it.
"""

from __future__ import annotations

from typing import NamedTuple

from graphlearn.graph.node import Node
from graphlearn.program.counts import ZERO, Count, count, row_major, times, total
from graphlearn.types import Region, Shape

VIEWS = ("broadcast_to", "transpose", "reshape", "slice", "windows")

Axes = tuple[int | None, ...]


class Lane(NamedTuple):
    """The places of an axis that a loop visits.

    Args:
        first: the place where it begins.
        steps: pairs of an axis of the loop and of the places that one step along it goes on; none: it stays.
    """

    first: int = 0
    steps: tuple[tuple[int, int], ...] = ()

    def then(self, first: int, step: int) -> Lane:
        """The lane in an axis of which this one's axis is every ``step``-th place from ``first`` on."""
        return Lane(first + step * self.first, tuple([(axis, step * by) for axis, by in self.steps]))


Lanes = tuple[Lane, ...]
_FIRST = Lane()


class Access(NamedTuple):
    """Entries of a node as a loop reads them.

    Args:
        base: the node that is computed or given; no view.
        shape: the shape under which its entries are taken, row by row; that of ``base`` unless it was reshaped.
        lanes: for each axis of ``shape`` the places that are visited.
    """

    base: Node
    shape: Shape
    lanes: Lanes

    def strides(self, rank: int) -> tuple[Count, ...]:
        """Elements from one entry to the next along each axis of a loop of ``rank`` axes."""
        steps = [ZERO] * rank
        for lane, stride in zip(self.lanes, row_major(self.shape), strict=True):
            for axis, by in lane.steps:
                steps[axis] = times(stride, Count(by))
        return tuple(steps)

    @property
    def offset(self) -> tuple[Count, ...]:
        """Elements before the first entry that is taken, as a sum."""
        firsts = [Count(lane.first) for lane in self.lanes]
        return total([times(f, s) for f, s in zip(firsts, row_major(self.shape), strict=True)])

    @property
    def reshaped(self) -> bool:
        """Whether the entries are taken under another shape than the one they were computed in."""
        return space(self.shape) != space(self.base.shape)

    def matches(self, loop: Shape) -> bool:
        """Whether the loop over this space visits exactly the base's entries, in their order."""
        whole = space(self.base.shape) == loop and not self.reshaped
        return whole and self.lanes == lanes_of(loop_axes(self.shape))


def space(shape: Shape) -> Shape:
    """The axes that a loop over this shape has: those that are not of length 1."""
    return tuple(d for d in shape if d != 1)


def loop_axes(shape: Shape) -> Axes:
    """Each axis of a shape counted by its own axis of the loop over it."""
    numbers = iter(range(len(shape)))
    return tuple(None if d == 1 else next(numbers) for d in shape)


def lanes_of(axes: Axes) -> Lanes:
    """Whole axes, each counted by one axis of the loop or of length 1."""
    return tuple([_FIRST if axis is None else Lane(0, ((axis, 1),)) for axis in axes])


def operand_axes(operand: Node, shape: Shape, axes: Axes) -> Axes:
    """Axes of an operand that broadcasts to ``shape``."""
    skip = len(shape) - operand.ndim
    return tuple(None if d == 1 else axes[k + skip] for k, d in enumerate(operand.shape))


def resolve(node: Node, axes: Axes) -> Access:
    """Walk through views to what is computed or given."""
    lanes = lanes_of(axes)
    while node.op.name in VIEWS:
        source = node.inputs[0]
        if node.op.name == "transpose":
            order = node.attr("axes")
            lanes = tuple(lanes[order.index(k)] for k in range(source.ndim))
        elif node.op.name == "broadcast_to":
            skip = node.ndim - source.ndim
            lanes = tuple(_FIRST if d == 1 else lanes[k + skip] for k, d in enumerate(source.shape))
        elif node.op.name == "slice":
            lanes = _sliced(node.attr("region"), lanes)
        elif node.op.name == "windows":
            lanes = _slid(node, lanes)
        elif space(source.shape) == space(node.shape):
            lanes = _relabelled(source, node, lanes)
        else:
            return Access(_under_reshapes(source), node.shape, lanes)
        node = source
    return Access(node, node.shape, lanes)


def _relabelled(source: Node, node: Node, lanes: Lanes) -> Lanes:
    """Through a reshape that adds or drops axes of length 1 only."""
    places = iter([k for k, d in enumerate(node.shape) if d != 1])
    return tuple(_FIRST if d == 1 else lanes[next(places)] for d in source.shape)


def _sliced(region: Region, lanes: Lanes) -> Lanes:
    """Through a slice: its own first entries and steps below those of the views that were passed before."""
    outer = iter(lanes)
    found = []
    for pick in region:
        if isinstance(pick, int):
            found.append(Lane(pick))
        else:
            found.append(next(outer) if pick is None else next(outer).then(pick[0], pick[2]))
    return tuple(found)


def _slid(node: Node, lanes: Lanes) -> Lanes:
    """Through sliding windows: one axis is counted by the number of the window and by the place in it."""
    axis, many = node.attr("axis"), len(node.attr("size"))
    found = list(lanes[:axis])
    for k, (stride, dilation) in enumerate(zip(node.attr("stride"), node.attr("dilation"), strict=True)):
        window, inside = lanes[axis + k].then(0, stride), lanes[axis + many + k].then(0, dilation)
        found.append(Lane(window.first + inside.first, (*window.steps, *inside.steps)))
    return (*found, *lanes[axis + 2 * many :])


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


def is_assembly(node: Node) -> bool:
    """Whether a node is written part by part, each by a loop of its own."""
    return node.op.name in ("concatenate", "inlay")


def part_places(node: Node) -> list[Access]:
    """Where each part of an assembly is written, along the axes of the loop over the part."""
    if node.op.name == "inlay":
        regions: list[Region] = [node.attr("region")]
    else:
        axis, at, regions = node.attr("axis"), 0, []
        for part in node.inputs:
            length = count(part.shape[axis : axis + 1]).factor  # no free axis: the op's shape rule refuses it
            regions.append((*[None] * axis, (at, length, 1), *[None] * (node.ndim - axis - 1)))
            at += length
    places = []
    for part, region in zip(node.inputs, regions, strict=True):
        places.append(Access(node, node.shape, _sliced(region, lanes_of(loop_axes(part.shape)))))
    return places


def is_entrywise(node: Node) -> bool:
    """Whether a node is computed entry by entry (casts are)."""
    return node.op.is_elementwise or node.op.name == "cast"


def is_reduction(node: Node) -> bool:
    """Whether a node combines entries along axes."""
    return node.op.name in ("sum", "max")


def loop_space(node: Node) -> Shape:
    """The space of the loop that computes a node: its own, or its operand's for a reduction."""
    return space(node.inputs[0].shape if is_reduction(node) else node.shape)
