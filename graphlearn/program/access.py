"""Index maps: which entry of which computed array a node's entry is. Broadcast, transpose, reshape and slice are free.

A loop runs over the axes of its space that are not of length 1. An `Access` says for each axis of an array which axis
of the loop counts along it.
"""

from __future__ import annotations

from typing import NamedTuple

from graphlearn.graph.node import Node
from graphlearn.program.counts import ZERO, Count, count, row_major, times, total
from graphlearn.types import Region, Shape

_VIEWS = ("broadcast_to", "transpose", "reshape", "slice")

Axes = tuple[int | None, ...]
Picks = tuple[tuple[int, int], ...]  # for each axis the first entry and the step from one to the next
_WHOLE = (0, 1)


class Access(NamedTuple):
    """Entries of a node as a loop reads them.

    Args:
        base: the node that is computed or given; no view.
        shape: the shape under which its entries are taken, row by row; that of ``base`` unless it was reshaped.
        axes: for each axis of ``shape`` the axis of the loop, or None where the entry stays the first.
        picks: for each axis of ``shape`` where it begins and how it goes on; empty: all axes are taken whole.
    """

    base: Node
    shape: Shape
    axes: Axes
    picks: Picks = ()

    def strides(self, rank: int) -> tuple[Count, ...]:
        """Elements from one entry to the next along each axis of a loop of ``rank`` axes."""
        steps = [ZERO] * rank
        for k, (axis, stride) in enumerate(zip(self.axes, row_major(self.shape), strict=True)):
            if axis is not None:
                steps[axis] = times(stride, Count(self.picks[k][1])) if self.picks else stride
        return tuple(steps)

    @property
    def offset(self) -> tuple[Count, ...]:
        """Elements before the first entry that is taken, as a sum."""
        firsts = [Count(first) for first, _ in self.picks]
        return total([times(f, s) for f, s in zip(firsts, row_major(self.shape), strict=True)]) if firsts else ()

    @property
    def reshaped(self) -> bool:
        """Whether the entries are taken under another shape than the one they were computed in."""
        return space(self.shape) != space(self.base.shape)

    def matches(self, loop: Shape) -> bool:
        """Whether the loop over this space visits exactly the base's entries, in their order."""
        wanted = tuple(axis for axis in self.axes if axis is not None)
        whole = not self.reshaped and not self.picks
        return whole and space(self.base.shape) == loop and wanted == tuple(range(len(loop)))


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
    picks: Picks = ()
    while node.op.name in _VIEWS:
        source = node.inputs[0]
        if node.op.name == "transpose":
            order = node.attr("axes")
            places = [order.index(k) for k in range(source.ndim)]
            axes, picks = tuple(axes[k] for k in places), tuple(picks[k] for k in places) if picks else ()
        elif node.op.name == "broadcast_to":
            axes, picks = operand_axes(source, node.shape, axes), _repeated(source, node, picks)
        elif node.op.name == "slice":
            axes, picks = _sliced(node.attr("region"), axes, picks)
        elif space(source.shape) == space(node.shape):
            axes, picks = _relabelled(source, node, axes, picks)
        else:
            return Access(_under_reshapes(source), node.shape, axes, _short(picks))
        node = source
    return Access(node, node.shape, axes, _short(picks))


def _short(picks: Picks) -> Picks:
    return picks if any(pick != _WHOLE for pick in picks) else ()


def _repeated(source: Node, node: Node, picks: Picks) -> Picks:
    """Picks of an operand that is broadcast: of an axis of length 1 there is only the first entry."""
    if not picks:
        return ()
    skip = node.ndim - source.ndim
    return tuple(_WHOLE if d == 1 else picks[k + skip] for k, d in enumerate(source.shape))


def _relabelled(source: Node, node: Node, axes: Axes, picks: Picks) -> tuple[Axes, Picks]:
    """Through a reshape that adds or drops axes of length 1 only."""
    long = [k for k, d in enumerate(node.shape) if d != 1]
    places = iter(long)
    old = [None if d == 1 else next(places) for d in source.shape]
    return (
        tuple(None if k is None else axes[k] for k in old),
        tuple(_WHOLE if k is None else picks[k] for k in old) if picks else (),
    )


def _sliced(region: Region, axes: Axes, picks: Picks) -> tuple[Axes, Picks]:
    """Through a slice: its own first entries and steps below those of the slices that were passed before."""
    outer = iter(zip(axes, picks or [_WHOLE] * len(axes), strict=True))
    found: list[tuple[int | None, tuple[int, int]]] = []
    for pick in region:
        if isinstance(pick, int):
            found.append((None, (pick, 1)))
            continue
        axis, (first, step) = next(outer)
        begin, by = _WHOLE if pick is None else (pick[0], pick[2])
        found.append((axis, (begin + by * first, by * step)))
    return tuple(axis for axis, _ in found), tuple(pick for _, pick in found)


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
        axes, picks = _sliced(region, loop_axes(part.shape), ())
        places.append(Access(node, node.shape, axes, _short(picks)))
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
