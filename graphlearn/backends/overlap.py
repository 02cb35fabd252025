"""The code of `overlap_add` for one item: what all windows that hold a place add, in the order of their entries."""

from __future__ import annotations

from contextlib import ExitStack

from graphlearn.backends import rows
from graphlearn.backends.items import product, read, write
from graphlearn.backends.source import Source
from graphlearn.program.counts import count
from graphlearn.program.steps import Routine


def write_overlap(source: Source, step: Routine, item: str) -> None:
    """The entries behind one place of the axes along which windows slide."""
    axis, stride = step.node.attr("axis"), step.node.attr("stride")
    many, dtype, shape = len(stride), step.out.dtype, step.node.shape
    inner, k = source.size(count(shape[axis + many :])), source.local()
    with source.block(f"for {k} in range({inner}):"):
        write(source, step.out, f"{product(item, inner)} + {k}", source.literal(0, dtype))
    before, places = _places(source, step, item)
    with ExitStack() as inside:
        windows, entries = zip(*[_window(source, step, j, p, inside) for j, p in enumerate(places)], strict=True)
        given = step.node.inputs[0].shape
        number = before
        for name, length in zip((*windows, *entries), given[axis : axis + 2 * many], strict=True):
            number = f"({number})*{length} + {name}" if number != "0" else name
        start = source.local()
        source.line(f"{start} = {product(number, inner)}")
        with source.block(f"for {k} in range({inner}):"):
            entry = f"{product(item, inner)} + {k}"
            term = read(source, step.operands[0], f"{start} + {k}", dtype)
            write(source, step.out, entry, rows.added(read(source, step.out, entry, dtype), term, dtype))


def _places(source: Source, step: Routine, item: str) -> tuple[str, list[str]]:
    """The number of the array before the axes, and the names of the item's places along them."""
    axis, many = step.node.attr("axis"), len(step.node.attr("stride"))
    lengths = step.node.shape[axis : axis + many]
    rest, places = item, list[str]()
    for length in reversed(lengths):
        places.insert(0, source.local())
        source.line(f"{places[0]} = {rest} % {length}")
        if len(places) < many or axis:
            above = source.local()
            source.line(f"{above} = {rest} // {length}")
            rest = above
    return (rest if axis else "0"), places


def _window(source: Source, step: Routine, j: int, place: str, inside: ExitStack) -> tuple[str, str]:
    """Open a loop over the entries of a window along an axis; the window, and the entry, that hold the place."""
    axis, many = step.node.attr("axis"), len(step.node.attr("stride"))
    given = step.node.inputs[0].shape
    stride, dilation = step.node.attr("stride")[j], step.node.attr("dilation")[j]
    entry, first, window = (source.local() for _ in range(3))
    inside.enter_context(source.block(f"for {entry} in range({given[axis + many + j]}):"))
    source.line(f"{first} = {place} - {product(entry, str(dilation))}")
    fits = f"{first} >= 0 and {first} < {int(given[axis + j]) * stride}"
    divides = "" if stride == 1 else f" and {first} % {stride} == 0"
    inside.enter_context(source.block(f"if {fits}{divides}:"))
    if stride == 1:
        return first, entry
    source.line(f"{window} = {first} // {stride}")
    return window, entry
