"""A matrix product of our own, on lanes: block by block of its entries, which stay in registers until they are done.

A block is a few rows by two vectors. What the program does with the entries next (a bias, an activation, its
derivative, the sum over the rows) is done block by block as well, while they are in the first cache.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphlearn.backends.numba.cuts import COPIED, FEW, Cut
from graphlearn.backends.numba.follow import Follower
from graphlearn.backends.numba.lanes import lanes_of
from graphlearn.backends.numba.operands import number, start
from graphlearn.backends.source import Source
from graphlearn.program.counts import count
from graphlearn.program.steps import MatMul
from graphlearn.types import Dim

_BRIEF = 8  # values of what follows a product up to which it is written twice


@dataclass(frozen=True)
class _Stripe:
    """A few columns: the first, how many vectors, and how many lanes of the last one count."""

    column: str
    vectors: int
    last: int


def write_blocks(source: Source, step: MatMul, indices: list[str]) -> None:
    """Write the product, and what becomes of it at once.

    Args:
        source: where.
        step: the product.
        indices: of the matrix, along each batch axis.
    """
    _Writer(source, step, indices).write()


class _Writer:
    def __init__(self, source: Source, step: MatMul, indices: list[str]) -> None:
        self._source = source
        self._step = step
        self._cut = Cut(step, step.node.dtype, max(source.program.capacity.values(), default=None))
        self._kind = lanes_of(step.node.dtype, self._cut.lanes)
        self._a, self._b = (_at(*start(source, m, indices)) for m in (step.a, step.b))
        self._out = _at(*start(source, step.out, indices)) if step.then is None else ("", "")
        self._lda, self._ldb = source.size(self._cut.left), source.size(self._cut.right)
        self._column, self._line, self._term = (source.stable(n) for n in ("column", "line", "term"))
        self._first = "0"  # of the rows that are copied
        rooms = step.blocks.rooms if step.blocks else {}
        self._rooms = {name: _at(*source.place(buffer)) for name, buffer in rooms.items()}
        self._scale = "" if step.into is None else number(source, step.into.scale)
        self._sums_rows = step.then is not None and bool(step.then.reductions)
        # Few rows have a text of their own: not where what follows is long, since it would cost time to compile.
        brief = step.then is None or (not self._sums_rows and len(step.then.body) <= _BRIEF)
        self._across = self._cut.across if brief else 0
        self._follower = None if step.then is None else self._followed()

    def write(self) -> None:
        """Write it: all rows at once, or some at a time, which stay in the cache."""
        source, height = self._source, self._source.length(self._step.sizes[0])
        if self._follower:
            self._follower.begin()
        if not self._across:
            self._panels(height)
            return
        with source.block(f"if {height} <= {FEW}:"):
            self._few_rows(height)
        with source.block(f"if {height} > {FEW}:"):
            self._panels(height)

    def _panels(self, height: str) -> None:
        source, shape = self._source, self._cut
        if shape.at_once or self._sums_rows:
            self._stripes(height)
            return
        rows = shape.stripe if shape.copies_left else shape.panel
        self._first, end = source.stable("first"), source.stable("end")
        with source.block(f"for {self._first} in range(0, {height}, {rows}):"):
            source.line(f"{end} = min({self._first} + {rows}, {height})")
            if shape.copies_left:
                self._copy_left(end)
            self._stripes(end)

    def _followed(self) -> Follower:
        return Follower(self._source, self._step, self._cut.lanes, self._cut.width, self._rooms["block"])

    # --- columns -----------------------------------------------------------------------------------------------------

    def _stripes(self, end: str) -> None:
        source, width, whole, lanes = self._source, self._step.sizes[1], self._cut.width, self._cut.lanes
        if not isinstance(width, int):
            raise TypeError("a product in blocks has a known number of columns")
        if width >= whole and (width % whole == 0 or not self._scale):
            single = 0 < width % whole <= lanes < whole
            with source.block(
                f"for {self._column} in range(0, {width - width % whole if single else width}, {whole}):"
            ):
                column = self._column if single else self._within(self._column, width, whole)
                self._stripe(_Stripe(column, self._cut.vectors, lanes), end)
            if single:
                self._stripe(_Stripe(str(width - lanes), 1, lanes), end)
            return
        rest = width % whole
        if width >= whole:
            with source.block(f"for {self._column} in range(0, {width - rest}, {whole}):"):
                self._stripe(_Stripe(self._column, self._cut.vectors, lanes), end)
        self._stripe(_Stripe(str(width - rest), -(-rest // lanes), (rest - 1) % lanes + 1), end)

    def _within(self, index: str, length: Dim, whole: int) -> str:
        """The index of a loop; the last time so that no entry lies beyond the end, and some are done again."""
        if isinstance(length, int) and length % whole == 0:
            return index
        moved = self._source.stable(f"{index}_within")
        last = str(length - whole) if isinstance(length, int) else f"{self._source.length(length)} - {whole}"
        self._source.line(f"{moved} = min({index}, {last})")
        return moved

    def _stripe(self, stripe: _Stripe, end: str) -> None:
        if self._cut.asks:
            self._ask(stripe)
        elif self._cut.copies_right:
            self._copy_right(stripe)
        if self._follower:
            self._follower.begin_stripe(stripe.column, stripe.vectors, stripe.last)
        self._rows(stripe, end)
        if self._follower:
            self._follower.end_stripe()

    def _ask(self, stripe: _Stripe) -> None:
        """Copy the columns where there are many rows; under a name stands where they are read."""
        source, (b, b_at), (room, at) = self._source, self._b, self._rooms["right"]
        tall, *names = (source.stable(n) for n in ("tall", "right", "right_at", "right_step"))
        source.line(f"{tall} = {source.length(self._step.sizes[0])} >= {COPIED}")
        with source.block(f"if {tall}:"):
            self._copy_right(stripe)
        places = (room, b), (f"{at}0", f"{b_at}{stripe.column}"), (self._cut.width, self._ldb)
        for name, (copied, given) in zip(names, places, strict=True):
            source.line(f"{name} = {copied} if {tall} else {given}")

    def _copy_right(self, stripe: _Stripe) -> None:
        source, (room, at), whole = self._source, self._rooms["right"], self._cut.width
        inner = source.length(self._step.sizes[2])
        if not self._cut.right_turned:
            with source.block(f"for {self._term} in range({inner}):"):
                for v in range(stripe.vectors):
                    entry = self._load(*self._b, f"{self._term}*{self._ldb} + {stripe.column}", stripe, v)
                    source.line(f"store_{self._kind}({room}, {at}{self._term}*{whole} + {self._lane(v)}, {entry})")
            return
        lanes, partial = self._cut.lanes, stripe.last < self._cut.lanes
        terms, (b, b_at) = self._step.sizes[2], self._b
        squares = stripe.vectors - partial if isinstance(terms, int) and terms >= lanes else 0
        if squares:
            with source.block(f"for {self._term} in range(0, {inner}, {lanes}):"):
                term = self._within(self._term, terms, lanes)
                for v in range(squares):
                    near = f"{b}, {b_at}({stripe.column} + {self._lane(v)})*{self._ldb} + {term}, {self._ldb}"
                    source.line(f"turn_{self._kind}({near}, {room}, {at}{term}*{whole} + {self._lane(v)}, {whole})")
        if squares < stripe.vectors:
            self._copy_single(stripe, squares * lanes)

    def _copy_single(self, stripe: _Stripe, first: int) -> None:
        """Copy columns that lie as rows, entry by entry, from one on; zeros where there are no more."""
        source, (room, at), (b, b_at), term = self._source, self._rooms["right"], self._b, self._term
        entry, whole, inner = source.stable("entry"), self._cut.width, source.length(self._step.sizes[2])
        last, end = (stripe.vectors - 1) * self._cut.lanes + stripe.last, stripe.vectors * self._cut.lanes
        with source.block(f"for {entry} in range({first}, {last}):"), source.block(f"for {term} in range({inner}):"):
            value = f"{b}[{b_at}({stripe.column} + {entry})*{self._ldb} + {term}]"
            source.line(f"{room}[{at}{term}*{whole} + {entry}] = {value}")
        if last < end:
            zero = source.literal(0, self._step.node.dtype)
            with source.block(f"for {term} in range({inner}):"), source.block(f"for {entry} in range({last}, {end}):"):
                source.line(f"{room}[{at}{term}*{whole} + {entry}] = {zero}")

    def _copy_left(self, end: str) -> None:
        """Copy rows so that those of a block lie side by side, term after term."""
        source, (room, at), (a, a_at), high = self._source, self._rooms["left"], self._a, self._cut.height
        inner, term, line = source.length(self._step.sizes[2]), self._term, self._line
        with (
            source.block(f"for {line} in range({self._first}, {end} - {high - 1}, {high}):"),
            source.block(f"for {term} in range({inner}):"),
        ):
            for r in range(high):
                target = f"{room}[{at}({line} - {self._first})*{inner} + {term}*{high} + {r}]"
                source.line(f"{target} = {a}[{a_at}{term}*{self._lda} + {line} + {r}]")
        with (
            source.block(f"for {line} in range({self._after(end)}, {end}):"),
            source.block(f"for {term} in range({inner}):"),
        ):
            target = f"{room}[{at}({line} - {self._first})*{inner} + {term}]"
            source.line(f"{target} = {a}[{a_at}{term}*{self._lda} + {line}]")

    # --- rows --------------------------------------------------------------------------------------------------------

    def _after(self, end: str) -> str:
        """The first row behind the whole blocks."""
        high = self._cut.height
        if self._first == "0":
            return f"{end} // {high} * {high}"
        return f"{self._first} + ({end} - {self._first}) // {high} * {high}"

    def _rows(self, stripe: _Stripe, end: str) -> None:
        source, high, height = self._source, self._cut.height, self._step.sizes[0]
        known = isinstance(height, int) and height >= high
        again = not (self._scale or self._sums_rows or self._cut.copies_left)
        if isinstance(height, int) and known and (height % high == 0 or again):
            with source.block(f"for {self._line} in range({self._first}, {end}, {high}):"):
                line = self._within(self._line, height, high)
                self._block(stripe, line, high)
                self._follow(line, str(high))
            return
        if again and not known and not isinstance(height, int):
            self._moved_rows(stripe, end, source.length(height))
            return
        number = source.stable("number")
        with source.block(f"for {self._line} in range({self._first}, {end}, {high}):"):
            source.line(f"{number} = min({high}, {end} - {self._line})")
            if known or not isinstance(height, int):
                with source.block(f"if {number} == {high}:"):
                    self._block(stripe, self._line, high)
            with source.block(f"if {number} < {high}:"):
                if isinstance(height, int) and self._first == "0":
                    self._block(stripe, self._line, height % high)
                else:
                    self._short_block(stripe, number)
            self._follow(self._line, number)

    def _moved_rows(self, stripe: _Stripe, end: str, height: str) -> None:
        """Any number of rows: a last block begins earlier, and computes some again; so does one of four rows."""
        source, high = self._source, self._cut.height
        number, line, lower = (source.stable(n) for n in ("number", "line_within", "lower"))
        source.line(f"{number} = min({high}, {height})")
        with source.block(f"for {self._line} in range({self._first}, {end}, {high}):"):
            source.line(f"{line} = max(min({self._line}, {end} - {high}), 0)")
            with source.block(f"if {number} == {high}:"):
                self._block(stripe, line, high)
            with source.block(f"if 4 <= {number} and {number} < {high}:"):
                self._block(stripe, line, 4)
            with source.block(f"if 4 < {number} and {number} < {high}:"):
                source.line(f"{lower} = {number} - 4")
                self._block(stripe, lower, 4, lower)
            if not self._across:
                with source.block(f"if {number} < 4:"), source.block(f"for {lower} in range({number}):"):
                    self._block(stripe, lower, 1, lower)
            self._follow(line, number)

    def _short_block(self, stripe: _Stripe, number: str) -> None:
        """Fewer rows than a block has: four together, the others one by one."""
        source = self._source
        done, lower, row = (source.stable(n) for n in ("done", "lower", "row_of_product"))
        source.line(f"{done} = 0")
        if not self._cut.copies_left:
            with source.block(f"if {number} >= 4:"):
                self._block(stripe, self._line, 4)
                source.line(f"{done} = 4")
        with source.block(f"for {lower} in range({done}, {number}):"):
            source.line(f"{row} = {self._line} + {lower}")
            self._block(stripe, row, 1, lower)

    def _few_rows(self, height: str) -> None:
        """One row or two at a time, and more columns."""
        source, shape, width = self._source, self._cut, int(self._step.sizes[1])
        across, parts = shape.across * shape.lanes, shape.across // shape.vectors
        number, lower, part = (source.stable(n) for n in ("number", "lower", "part"))
        source.line(f"{number} = min(2, {height})")
        with (
            source.block(f"for {self._column} in range(0, {width}, {across}):"),
            source.block(f"for {self._line} in range(0, {height}, 2):"),
        ):
            column, line = self._within(self._column, width, across), source.stable("line_within")
            source.line(f"{line} = max(min({self._line}, {height} - 2), 0)")
            for rows in (1, 2):
                with source.block(f"if {number} == {rows}:"):
                    self._wide_block(column, line, rows)
            if not self._follower:
                return
            here = source.stable("column_of_part")
            with (
                source.block(f"for {lower} in range({number}):"),
                source.block(f"for {part} in range({parts}):"),
            ):
                row, inner = source.stable("outer"), source.stable("inner")
                source.line(f"{row} = {line} + {lower}")
                source.line(f"{inner} = {lower}*{parts} + {part}")
                source.line(f"{here} = {column} + {part}*{shape.width}")
                self._follower.begin_stripe(here, shape.vectors, shape.lanes)
                self._follower.follow_row(row, inner)

    def _wide_block(self, column: str, line: str, rows: int) -> None:
        source, width, across = self._source, self._step.sizes[1], self._cut.across * self._cut.lanes
        right = f"{self._b[0]}, {self._b[1]}{column}, {self._ldb}"
        if self._follower:
            room, at = self._rooms["block"]
            target = f"{room}, {at}0, {across}"
        else:
            out, at = self._out
            target = f"{out}, {at}{line}*{width} + {column}, {width}"
        verb, terms = f"sums_{self._kind}_{rows}_{self._cut.across}", source.length(self._step.sizes[2])
        source.line(f"{verb}({terms}, {self._left(line, rows)}, {right}, {target})")

    def _follow(self, line: str, number: str) -> None:
        if self._follower:
            self._follower.follow(line, number)

    def _block(self, stripe: _Stripe, line: str, rows: int, lower: str = "0") -> None:
        """The sums of some rows, put into the block's room, from a row of it on, or where they belong.

        Args:
            stripe: the columns.
            line: the first row.
            rows: how many.
            lower: the row of the room.
        """
        source, lanes, whole = self._source, self._cut.lanes, self._cut.width
        partial = f"_{stripe.last}" if stripe.last < lanes else ""
        verb = f"{'adds' if self._scale else 'sums'}_{self._kind}_{rows}_{stripe.vectors}{partial}"
        if self._follower:
            room, at = self._rooms["block"]
            target = f"{room}, {at}{lower}*{whole}, {whole}"
        else:
            out, at = self._out
            width = source.size(count(self._step.sizes[1:2]))
            target = f"{out}, {at}{line}*{width} + {stripe.column}, {width}"
        right = f"{self._b[0]}, {self._b[1]}{stripe.column}, {self._ldb}"
        if self._cut.asks:
            right = ", ".join(source.stable(n) for n in ("right", "right_at", "right_step"))
        elif self._cut.copies_right:
            right = f"{self._rooms['right'][0]}, {self._rooms['right'][1]}0, {whole}"
        scale = f", {self._scale}" if self._scale else ""
        terms = source.length(self._step.sizes[2])
        source.line(f"{verb}({terms}, {self._left(line, rows)}, {right}, {target}{scale})")

    def _left(self, line: str, rows: int) -> str:
        """Pointer, first entry, and the steps from row to row and from term to term."""
        a, at = self._a
        if self._cut.copies_left:
            room, at = self._rooms["left"]
            return f"{room}, {at}({line} - {self._first})*{self._source.length(self._step.sizes[2])}, 1, {rows}"
        if self._cut.left_turned:
            return f"{a}, {at}{line}, 1, {self._lda}"
        return f"{a}, {at}{line}*{self._lda}, {self._lda}, 1"

    def _lane(self, v: int) -> int:
        """The first column of a vector in its stripe."""
        return v * self._cut.lanes

    def _load(self, pointer: str, at: str, place: str, stripe: _Stripe, v: int) -> str:
        partial = v + 1 == stripe.vectors and stripe.last < self._cut.lanes
        verb = f"part_{self._kind}_{stripe.last}" if partial else f"load_{self._kind}"
        return f"{verb}({pointer}, {at}{place} + {self._lane(v)})"


def _at(pointer: str, first: str) -> tuple[str, str]:
    """A pointer, and what stands before a place behind its first element."""
    return pointer, f"{first} + " if first not in ("", "0") else ""
