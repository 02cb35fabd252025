"""`Layouts`: how the entries of each array lie in memory, so that it is known which of NumPy's views are copies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from graphlearn.graph.node import Node
from graphlearn.types import Dim

VIEWS = ("broadcast_to", "reshape", "transpose", "slice")


class Axis(NamedTuple):
    """One axis of an array.

    Args:
        length: entries along it.
        stride: entries of memory from one to the next.
    """

    length: int
    stride: int


_Layout = tuple[Axis, ...]


class Layouts:
    """The layouts of a graph's arrays, found one after the other in topological order.

    Args:
        sizes: length of every free axis.
    """

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self._sizes = sizes
        self._views: dict[Node, _Layout] = {}

    def is_view(self, node: Node) -> bool:
        """Whether a node shows the memory of its operand, as NumPy would have it.

        A reshape does not where the entries of its operand do not lie one after the other, as those of a transpose.
        """
        if node.op.name not in VIEWS:
            return False
        x = node.inputs[0]
        found = self._seen(node, self._views.get(x) or _row_major(self._lengths(x.shape)))
        if found is not None:
            self._views[node] = found
        return found is not None

    def _lengths(self, shape: Sequence[Dim]) -> list[int]:
        return [self._sizes[d] if isinstance(d, str) else d for d in shape]

    def _seen(self, node: Node, x: _Layout) -> _Layout | None:
        lengths = self._lengths(node.shape)
        match node.op.name:
            case "transpose":
                return tuple(x[k] for k in node.attr("axes"))
            case "broadcast_to":
                own = (*[Axis(1, 0)] * (len(lengths) - len(x)), *x)
                return tuple(
                    axis if axis.length == length else Axis(length, 0)
                    for axis, length in zip(own, lengths, strict=True)
                )
            case "slice":
                picks = zip(x, node.attr("region"), strict=True)
                taken = [(axis, pick) for axis, pick in picks if not isinstance(pick, int)]
                return tuple(axis if pick is None else Axis(pick[1], axis.stride * pick[2]) for axis, pick in taken)
        return _reshaped(x, lengths)


def _row_major(lengths: Sequence[int]) -> _Layout:
    axes, stride = list[Axis](), 1
    for length in reversed(lengths):
        axes.append(Axis(length, stride))
        stride *= length
    return tuple(reversed(axes))


def _reshaped(x: _Layout, lengths: Sequence[int]) -> _Layout | None:
    """The layout in another shape; None where no strides reach the entries in their order.

    From the last axis on, as many new axes are cut from as many old ones as have equally many entries; the old ones
    must follow each other in memory.
    """
    if 0 in lengths:
        return _row_major(lengths)
    old = [axis for axis in x if axis.length != 1]
    axes = list[Axis]()
    left, stride = 1, 1  # entries that are left of the old axes taken so far, and the way from one to the next
    for length in reversed(lengths):
        while length > 1 and left % length:
            if not old or (left > 1 and old[-1].stride != stride * left):
                return None
            last = old.pop()
            stride = last.stride if left == 1 else stride
            left *= last.length
        axes.append(Axis(length, stride))
        if length > 1:
            left, stride = left // length, stride * length
    return tuple(reversed(axes))
