"""Which passes over rows are written on lanes, and where what they touch has its place."""

from __future__ import annotations

from graphlearn.backends.native import lanes_for
from graphlearn.backends.numba.lanes import obstacle
from graphlearn.program.counts import ZERO, count, row_major
from graphlearn.program.row_passes import is_in_row, places_of, row_of
from graphlearn.program.steps import ITEM_SIZE, Buffer, Load, Reduce, RowPass, Store
from graphlearn.program.uses import writes_of

_ROOM = 2**16  # bytes of entries of as many rows as there are lanes: what a pass may put on the stack
_WORTH = 64  # entries of a row from which loops row by row are as fast as loops one after the other


def pass_lanes(step: RowPass, precision: str, longest: int | None) -> int | None:
    """How many rows of a pass are worked on at a time: 0: one; None: it is faster as several loops.

    Args:
        step: the pass.
        precision: the dtype by which lanes are counted.
        longest: the largest length of a free axis; None: it is not known.
    """
    if not _objection(step, precision, longest):
        return lanes_for(precision)
    row = max((count(loop.axes[len(step.axes) :]) for loop in step.loops), key=lambda c: (not c.is_literal, c.factor))
    return None if row.is_literal and row.factor < _WORTH else 0


def one_by_one(step: RowPass) -> int:
    """How a person reads a pass: row after row."""
    return 0


def _objection(step: RowPass, precision: str, longest: int | None) -> str:
    """What keeps rows from lanes; empty where nothing does."""
    if len(step.axes) != 1:
        return "rows are counted by several axes"
    number = longest if isinstance(step.axes[0], str) else step.axes[0]
    if number is not None and number < lanes_for(precision):
        return "there are fewer rows than lanes"
    layout = Layout(step)
    for loop in step.loops:
        if found := obstacle(loop, layout.moves):
            return found
        for place in places_of(loop):
            if layout.is_array(place.buffer) and not is_in_row(place, step.axes):
                return "rows are not taken in their order"
        for r in loop.reductions:
            if not _is_known(r, precision):
                return f"there is no {r.op} of {r.buffer.dtype} of its kind on lanes"
    for b in layout.made:
        if not _fills_rows(step, b):
            return "a row is written in part"
    for b in layout.arrays:
        size = count(row_of(b, step.axes) or ())
        if not size.is_literal or (b.dtype != precision and (size.factor != 1 or b.dtype == "bool")):
            return "entries of rows have no lanes in memory"
    sizes = [count(b.shape) if b in step.single else count(row_of(b, step.axes) or ()) for b in layout.rooms]
    if not all(s.is_literal for s in sizes) or any(b.dtype != precision for b in layout.rooms):
        return "entries of rows have no room on lanes"
    taken = sum(s.factor for s in sizes) * lanes_for(precision) * ITEM_SIZE[precision]
    return "rows are too long" if taken > _ROOM else ""


def _is_known(r: Reduce, precision: str) -> bool:
    if 0 not in r.kept:  # a sum over rows
        return r.op == "sum" and r.buffer.dtype == precision and r.buffer.count.is_literal
    return r.buffer.dtype == precision or (r.op, r.buffer.dtype) == ("sum", "int64")


def _fills_rows(step: RowPass, buffer: Buffer) -> bool:
    """Whether the first loop that writes a buffer writes whole rows: what others have put there is not read again."""
    row = row_of(buffer, step.axes) or ()
    for loop in step.loops:
        places: list[Store | Reduce] = [*loop.stores, *loop.reductions]
        for place in places:
            if place.buffer is buffer:
                kept = place.kept if isinstance(place, Reduce) else range(len(loop.axes))
                inner = [k for k in kept if k]
                lengths = [loop.axes[k] for k in inner]
                return count(lengths) == count(row) and tuple(place.strides[k] for k in inner) == row_major(lengths)
    return False


class Layout:
    """What the loops of a pass touch, by where it is.

    Args:
        step: the pass.
    """

    def __init__(self, step: RowPass) -> None:
        touched = [place for loop in step.loops for place in places_of(loop)]
        made = dict.fromkeys(b for loop in step.loops for b in writes_of(loop))
        self.sums = [p for p in touched if isinstance(p, Reduce) and 0 not in p.kept]
        across = {p.buffer for p in self.sums}
        moving = dict.fromkeys(p.buffer for p in touched if p.strides and p.strides[0] != ZERO)
        self.arrays = [b for b in moving if b not in across]  # with all rows, in memory
        self.given = [b for b in self.arrays if b not in made]
        self.made = [b for b in self.arrays if b in made]
        # What has several entries in each row: in memory for as many rows as there are lanes.
        axes = step.axes
        self.rooms = [b for b in self.arrays if count(row_of(b, axes) or ()).factor != 1]
        self.rooms += [b for b in step.single if b.count.factor != 1]
        self.rowwise = (*self.arrays, *step.single)

    def is_array(self, buffer: Buffer) -> bool:
        """Whether a buffer has all rows."""
        return buffer in self.arrays

    def moves(self, value: Load) -> bool:
        """Whether what is read differs from row to row."""
        return value.buffer in self.rowwise
