"""One `FusedLoop` as nested Python loops: what does not depend on an inner index is computed outside of its loop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from graphlearn.backends import rows
from graphlearn.backends.source import Source
from graphlearn.program.counts import ZERO, Count, count
from graphlearn.program.merge import merged_axes
from graphlearn.program.steps import Buffer, Compute, FusedLoop, Length, Literal, Load, Reduce, Value

_INLINE = 60  # longest text of a value that is written where it is used
# Terms of a sum that are added up by themselves: a sum of at most as many is one loop, and its error grows no further.
BLOCK = 1024
_TESTS = ("logical_not", "logical_and", "logical_or")


class Nest:
    """One nest while it is written.

    Args:
        source: where it is written.
        step: the loop.
        reciprocals: see `write_loop`.
        fixed: values that have a name already.
        outer: so many of its axes, the first, are loops that it shares with other nests.
        single: what is written anew in each round of these.
    """

    def __init__(
        self,
        source: Source,
        step: FusedLoop,
        *,
        reciprocals: bool = False,
        fixed: Mapping[Value, str] | None = None,
        outer: int = 0,
        single: Collection[Buffer] = (),
    ) -> None:
        self._source = source
        self._reciprocals = reciprocals
        self._inverse: dict[Value, str] = {}
        self._step = step
        self._outer = outer
        self._single = single
        fixed = fixed or {}
        self._groups = merged_axes(step, outer)
        self._lengths = [count([step.axes[a] for a in group]) for group in self._groups]
        self._indices = [source.index(k) for k in range(len(self._groups))]
        self._rank = len(self._groups)
        written = {s.buffer for s in step.stores}
        self._rewritten = {v for v in step.body if isinstance(v, Load) and v.buffer in written}
        self._uses = use_counts(step, fixed)
        self._text: dict[Value, str] = {v: fixed[v] for v in step.body if v in fixed}
        self._depth: dict[Value, int] = {}
        self._totals: dict[Reduce, str] = {}
        self._cut = self._cut_depth()
        self._blocked = self._in_blocks()
        self._lost: dict[Reduce, str] = {}  # what rounding took from the totals that blocks are added to

    def write(self) -> None:
        """Write the nest."""
        self.begin()
        self.level(0)

    def begin(self) -> None:
        """Write what stands before the loops."""
        for value in self._step.body:
            self._depth[value] = self._depth_of(value)
        if self._reciprocals:
            self._invert_divisors()
        self._clear(0)

    def write_values(self, values: Sequence[Value]) -> dict[Value, str]:
        """Write values of a loop over nothing; the names of those that others, or memory, need of it."""
        self._depth = dict.fromkeys(self._step.body, 0)
        for value in values:
            self._define(value)
        needed = {v for other in self._step.body if isinstance(other, Compute) and other not in values
                  for v in other.operands} | {s.value for s in self._step.stores}  # fmt: skip
        return {v: self._atom(v) for v in values if v in needed and isinstance(v, Compute)}

    def _strides(self, strides: Sequence[Count]) -> tuple[Count, ...]:
        return tuple(strides[group[-1]] for group in self._groups)

    def _kept(self, reduction: Reduce) -> tuple[int, ...]:
        return tuple(k for k, group in enumerate(self._groups) if group[0] in reduction.kept)

    def _depth_of(self, value: Value) -> int:
        if isinstance(value, Load):
            least = self._outer if value.buffer in self._single else 0
            return max((k + 1 for k, s in enumerate(self._strides(value.strides)) if s != ZERO), default=least)
        if isinstance(value, Compute):
            return max((self._depth[v] for v in value.operands), default=0)
        return 0

    # --- reductions --------------------------------------------------------------------------------------------------

    def _local_depth(self, reduction: Reduce) -> int | None:
        """Depth at which the total is a local: the kept axes are the outer ones. None: it is added up in memory."""
        kept = self._kept(reduction)
        return len(kept) if kept == tuple(range(len(kept))) else None

    def _clear(self, depth: int) -> None:
        """Where totals in memory begin: all rows of them before the loops, or a single row in the loop over rows."""
        for reduction in self._step.reductions:
            again = reduction.buffer in self._single
            if self._local_depth(reduction) is None and depth == (self._outer if again else 0):
                kept = [k for k in self._kept(reduction) if not again or k >= self._outer]
                with self._source.loops([(self._indices[k], self._lengths[k]) for k in kept]):
                    strides = self._strides(reduction.strides)
                    self._source.store(reduction.buffer, strides, self._indices, self._start(reduction))

    def _start(self, reduction: Reduce) -> str:
        dtype = reduction.buffer.dtype
        return self._source.literal(rows.start_of(reduction.op, dtype), dtype)

    def _accumulate(self, reduction: Reduce) -> None:
        value = self._atom(reduction.value)
        join = rows.combine(reduction.op, reduction.buffer.dtype)
        total = self._totals.get(reduction)
        if total is not None:
            self._source.line(f"{total} = {join(total, value)}")
            return
        strides = self._strides(reduction.strides)
        before = self._source.load(reduction.buffer, strides, self._indices)
        self._source.store(reduction.buffer, strides, self._indices, join(before, value))

    def _most(self, depth: int) -> int | None:
        """The largest number of rounds of the loops from a depth on; None: the call decides."""
        sizes, found = self._source.program.capacity, 1
        for length in self._lengths[depth:]:
            if any(axis not in sizes for axis in length.axes):
                return None
            found *= length.value(sizes)
        return found

    def _cut_depth(self) -> int:
        """The outermost loop inside which no sum has more terms than a block may have."""
        inside = [k for k in range(self._rank) if (most := self._most(k + 1)) is not None and most <= BLOCK]
        return min(inside, default=0)

    def _in_blocks(self) -> list[Reduce]:
        """The sums that are cut into blocks: of real numbers, over that loop at least, and of more than one block."""
        most = self._most(self._cut)
        if not self._rank or (most is not None and most <= BLOCK):
            return []
        return [
            r
            for r in self._step.reductions
            if r.op == "sum" and r.buffer.dtype in rows.SUFFIX
            if (depth := self._local_depth(r)) is not None and depth <= self._cut
        ]

    def _write_cut(self, depth: int, nests: Sequence[Nest], body: Callable[[], None]) -> None:
        """A loop that is cut; where it may be one of many short ones, it is there uncut too: joining takes 4 ns."""
        source, length = self._source, self._source.size(self._lengths[depth])
        terms = min(max(BLOCK // (nest._most(depth + 1) or 1), 1) for nest in nests)
        if not depth or self._lengths[depth].is_literal or self._outer:
            self._write_blocks(depth, nests, length, terms, body)
            return
        written = dict(self._text)
        uncut = source.loops([(self._indices[depth], self._lengths[depth])])
        with source.block(f"if {length} <= {terms}:"), uncut:
            body()
        self._text = written
        with source.block("else:"):
            self._write_blocks(depth, nests, length, terms, body)

    def _write_blocks(
        self, depth: int, nests: Sequence[Nest], length: str, terms: int, body: Callable[[], None]
    ) -> None:
        """What blocks add up to is joined, and the rounding errors of joining are kept beside."""
        source, index, first = self._source, self._indices[depth], self._source.local()
        with source.block(f"for {first} in range(0, {length}, {terms}):  # sums in blocks"):
            wholes = [nest.begin_block() for nest in nests]
            with source.block(f"for {index} in range({first}, min({first} + {terms}, {length})):"):
                body()
            for nest, whole in zip(nests, wholes, strict=True):
                nest.end_block(whole)

    def begin_block(self) -> dict[Reduce, str]:
        """Totals of a block; the names of those of all blocks."""
        wholes = {r: self._totals[r] for r in self._blocked}
        for r in self._blocked:
            self._totals[r] = self._source.local()
            self._source.line(f"{self._totals[r]} = {self._start(r)}")
        return wholes

    def end_block(self, wholes: dict[Reduce, str]) -> None:
        """Join the totals of a block to those of all."""
        for r, whole in wholes.items():
            join_sums(self._source, whole, self._totals[r], self._lost[r])
        self._totals.update(wholes)

    def _begin_locals(self, depth: int) -> None:
        for reduction in self._step.reductions:
            if self._local_depth(reduction) == depth:
                buffer = reduction.buffer
                total = self._source.name_of(buffer) if buffer.is_number else self._source.local()
                self._totals[reduction] = total
                self._source.line(f"{total} = {self._start(reduction)}")
                if reduction in self._blocked:
                    self._lost[reduction] = self._source.local()
                    self._source.line(f"{self._lost[reduction]} = {self._start(reduction)}")

    def leave(self, depth: int) -> None:
        """What follows the loop of a depth: totals go to their places."""
        for reduction in self._blocked:
            if self._local_depth(reduction) == depth:
                total, lost = self._totals[reduction], self._lost[reduction]
                # Beside infinity what is lost is NaN.
                self._source.line(f"{total} = {total} + {lost} if {lost} == {lost} else {total}")
        for reduction in self._step.reductions:
            if self._local_depth(reduction) == depth and not reduction.buffer.is_number:
                strides = self._strides(reduction.strides)
                self._source.store(reduction.buffer, strides, self._indices, self._totals[reduction])

    def _invert_divisors(self) -> None:
        """Name the reciprocals of divisors that are single numbers, before the loop."""
        for value in self._step.body:
            if self._depth[value] == 0 and self._uses[value]:
                if value not in self._text:
                    self._define(value)
            elif isinstance(value, Compute) and value.op == "div" and self._depth[value.operands[1]] == 0:
                divisor = value.operands[1]
                if divisor not in self._inverse:
                    name = self._source.local()
                    self._source.line(f"{name} = {self._source.literal(1, value.dtype)} / {self._text[divisor]}")
                    self._inverse[divisor] = name

    # --- levels ------------------------------------------------------------------------------------------------------

    def level(self, depth: int) -> None:
        """What is done at a depth, and the loop inside it."""
        self.enter(depth)
        if depth < self._rank:
            self.loop(depth, [self], lambda: self.level(depth + 1))
        else:
            self._innermost()
        self.leave(depth)

    def enter(self, depth: int) -> None:
        """What is known before the loop of a depth."""
        for value in self._step.body:
            if self._depth[value] == depth and value not in self._text and self._uses[value]:
                self._define(value)
        if depth and depth == self._outer:
            self._clear(depth)
        self._begin_locals(depth)

    def loop(self, depth: int, nests: Sequence[Nest], inside: Callable[[], None]) -> None:
        """The loop of a depth, which goes through the rounds of some nests together.

        Args:
            depth: number of the loop.
            nests: this one and others.
            inside: writes a round.
        """
        inner = [(self._indices[depth], p) for nest in nests for p in nest._products(depth)]

        def body() -> None:
            with self._source.sharing(list(dict.fromkeys(inner))):
                inside()

        cut = [nest for nest in nests if nest._blocked and nest._cut == depth]
        if cut:
            self._write_cut(depth, cut, body)
            return
        with self._source.loops([(self._indices[depth], self._lengths[depth])]):
            body()

    def _products(self, depth: int) -> list[Count]:
        """Strides that an index is multiplied by where an access also counts along an inner axis."""
        if depth + 1 == self._rank:
            return []
        accesses = [v.strides for v in self._step.body if isinstance(v, Load)]
        accesses += [s.strides for s in self._step.stores] + [r.strides for r in self._step.reductions]
        return [self._strides(strides)[depth] for strides in accesses]

    def _innermost(self) -> None:
        stores = [
            (s, self._atom(s.value) if len(self._step.stores) > 1 else self._text[s.value]) for s in self._step.stores
        ]
        for reduction in self._step.reductions:
            self._accumulate(reduction)
        for store, text in stores:
            self._source.store(store.buffer, self._strides(store.strides), self._indices, text, store.offset)

    def _define(self, value: Value) -> None:
        """Give a value its text: a literal, an expression to be written where it is used, or a local."""
        text = self._expression(value)
        if isinstance(value, Literal) or self._may_stay(value, text):
            self._text[value] = text
            return
        name = self._source.local()
        comment = self._source.aside(value.node, always=True) if isinstance(value, Compute) else ""
        self._source.line(f"{name} = {text}{comment}")
        self._text[value] = name

    def _may_stay(self, value: Value, text: str) -> bool:
        if isinstance(value, Load) and (value.buffer.is_number or value in self._rewritten):
            return value.buffer.is_number and value not in self._rewritten
        deep = self._depth[value] == self._rank or self._depth[value] == 0 == self._rank
        return deep and self._uses[value] == 1 and len(text) <= _INLINE

    def _expression(self, value: Value) -> str:
        if isinstance(value, Literal | Length):
            return self._source.constant(value)
        if isinstance(value, Load):
            return self._source.load(value.buffer, self._strides(value.strides), self._indices, value.offset)
        return self._computed(value)

    def _computed(self, value: Compute) -> str:
        if value.op == "cast":
            (operand,) = value.operands
            return rows.convert(self._atom(operand), operand.dtype, value.dtype, self._source.literal)
        if value.op == "div" and value.operands[1] in self._inverse:
            return f"({self._text[value.operands[0]]} * {self._inverse[value.operands[1]]})"
        # A branch that loads could not become a select, and the loop not a vector loop.
        texts = [self._atom(v) if value.op in ("where", "sign") else self._text[v] for v in value.operands]
        if value.op in _TESTS:
            texts = [rows.truth(t, v.dtype, self._source.literal) for t, v in zip(texts, value.operands, strict=True)]
        return rows.expression(value.op, value.dtype, texts, self._source.literal)

    def _atom(self, value: Value) -> str:
        """The text of a value as a name or a literal."""
        text = self._text[value]
        if text.isidentifier() or isinstance(value, Literal):
            return text
        aside = self._source.aside(value.node) if isinstance(value, Compute) else ""
        name = self._source.local()
        self._source.line(f"{name} = {text}{aside}")
        self._text[value] = name
        return name


def join_sums(source: Source, total: str, part: str, lost: str) -> None:
    """Knuth's sum of two numbers, and of what rounding takes from it.

    Args:
        source: where it is written.
        total: name of the first, which becomes the sum.
        part: name of the second.
        lost: name of what roundings have taken so far.
    """
    whole, seen = source.local(), source.local()
    source.line(f"{whole} = {total} + {part}")
    source.line(f"{seen} = {whole} - {total}")
    source.line(f"{lost} = {lost} + (({total} - ({whole} - {seen})) + ({part} - {seen}))")
    source.line(f"{total} = {whole}")


def use_counts(step: FusedLoop, known: Collection[Value] = ()) -> Counter[Value]:
    """How often each value of a loop is used, beside those that are ``known`` already."""
    uses: Counter[Value] = Counter()
    for value in reversed(step.body):
        if isinstance(value, Compute) and value not in known:
            uses.update(value.operands)
    uses.update(s.value for s in step.stores)
    uses.update(r.value for r in step.reductions)
    return uses
