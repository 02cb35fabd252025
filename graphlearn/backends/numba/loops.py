"""A `FusedLoop` as nested Python loops: what does not depend on an inner index is computed outside of its loop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from graphlearn.backends import rows
from graphlearn.backends.source import Source
from graphlearn.program.counts import ZERO, Count, count
from graphlearn.program.merge import merged_axes
from graphlearn.program.steps import Buffer, Compute, FusedLoop, Length, Literal, Load, Reduce, Step, Value
from graphlearn.program.uses import writes_of

_INLINE = 60  # longest text of a value that is written where it is used
# Terms of a sum that are added up by themselves: a sum of at most as many is one loop, and its error grows no further.
BLOCK = 1024
_TESTS = ("logical_not", "logical_and", "logical_or")


def write_loop(
    source: Source, step: FusedLoop, *, reciprocals: bool = False, fixed: Mapping[Value, str] | None = None
) -> None:
    """Write a fused loop.

    Args:
        source: where it is written.
        step: the loop.
        fixed: values that have a name already.
        reciprocals: whether a division by a number that does not change in the loop becomes a product with its
            reciprocal: 1 ULP more, and a third of the time of an Adam update.
    """
    _Nest(source, step, reciprocals, fixed or {}).write()


def write_fixed(source: Source, steps: Sequence[Step]) -> dict[Value, str]:
    """Write what single numbers are computed of that no step changes, such as logarithms of hyperparameters.

    Args:
        source: where it is written, before the loop over steps.
        steps: all that the loop does.

    Returns:
        The values, and the names under which they are kept.
    """
    changed = {b for step in steps for b in writes_of(step)}
    names: dict[Value, str] = {}
    for step in steps:
        if isinstance(step, FusedLoop) and not step.axes:
            fixed = _fixed_values(step, changed)
            if any(isinstance(v, Compute) for v in fixed):
                if not names:
                    source.line("# the same in every step")
                names.update(_Nest(source, step, False, {}).write_values(fixed))
    return names


def _fixed_values(step: FusedLoop, changed: set[Buffer]) -> list[Value]:
    """Values of a loop over nothing that follow from numbers which are not among what is changed."""
    found: list[Value] = []
    for value in step.body:
        if (
            isinstance(value, Literal)
            or (isinstance(value, Load) and value.buffer.role == "kept" and value.buffer not in changed)
            or (isinstance(value, Compute) and all(v in found for v in value.operands))
        ):
            found.append(value)
    return found


class _Nest:
    """One nest while it is written."""

    def __init__(self, source: Source, step: FusedLoop, reciprocals: bool, fixed: Mapping[Value, str]) -> None:
        self._source = source
        self._reciprocals = reciprocals
        self._inverse: dict[Value, str] = {}
        self._step = step
        self._groups = merged_axes(step)
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
        for value in self._step.body:
            self._depth[value] = self._depth_of(value)
        if self._reciprocals:
            self._invert_divisors()
        for reduction in self._step.reductions:
            self._begin_in_memory(reduction)
        self._level(0)

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
            return max((k + 1 for k, s in enumerate(self._strides(value.strides)) if s != ZERO), default=0)
        if isinstance(value, Compute):
            return max((self._depth[v] for v in value.operands), default=0)
        return 0

    # --- reductions --------------------------------------------------------------------------------------------------

    def _local_depth(self, reduction: Reduce) -> int | None:
        """Depth at which the total is a local: the kept axes are the outer ones. None: it is added up in memory."""
        kept = self._kept(reduction)
        return len(kept) if kept == tuple(range(len(kept))) else None

    def _begin_in_memory(self, reduction: Reduce) -> None:
        if self._local_depth(reduction) is not None:
            return
        strides = self._strides(reduction.strides)
        kept = self._kept(reduction)
        self._clear(reduction, strides, kept)

    def _clear(self, reduction: Reduce, strides: tuple[Count, ...], kept: tuple[int, ...]) -> None:
        start = self._start(reduction)
        with self._source.loops([(self._indices[k], self._lengths[k]) for k in kept]):
            self._source.store(reduction.buffer, strides, self._indices, start)

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

    def _write_cut(self, cut: Sequence[Reduce]) -> None:
        """The loop that is cut; where it may be one of many short ones, it is there uncut too: joining takes 4 ns."""
        source, length = self._source, self._source.size(self._lengths[self._cut])
        terms = max(BLOCK // (self._most(self._cut + 1) or 1), 1)
        if not self._cut or self._lengths[self._cut].is_literal:
            self._write_blocks(cut, length, terms)
            return
        written = dict(self._text)
        uncut = source.loops([(self._indices[self._cut], self._lengths[self._cut])])
        with source.block(f"if {length} <= {terms}:"), uncut:
            self._inside(self._cut)
        self._text = written
        with source.block("else:"):
            self._write_blocks(cut, length, terms)

    def _write_blocks(self, cut: Sequence[Reduce], length: str, terms: int) -> None:
        """What blocks add up to is joined, and the rounding errors of joining are kept beside."""
        source, index, first = self._source, self._indices[self._cut], self._source.local()
        wholes = {r: self._totals[r] for r in cut}
        with source.block(f"for {first} in range(0, {length}, {terms}):  # sums in blocks"):
            for r in cut:
                self._totals[r] = source.local()
                source.line(f"{self._totals[r]} = {self._start(r)}")
            with source.block(f"for {index} in range({first}, min({first} + {terms}, {length})):"):
                self._inside(self._cut)
            for r in cut:
                self._join(wholes[r], self._totals[r], self._lost[r])
        self._totals.update(wholes)

    def _join(self, total: str, part: str, lost: str) -> None:
        """Knuth's sum of two numbers and of what rounding takes from it."""
        source = self._source
        whole, seen = source.local(), source.local()
        source.line(f"{whole} = {total} + {part}")
        source.line(f"{seen} = {whole} - {total}")
        source.line(f"{lost} = {lost} + (({total} - ({whole} - {seen})) + ({part} - {seen}))")
        source.line(f"{total} = {whole}")

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

    def _end_locals(self, depth: int) -> None:
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

    def _level(self, depth: int) -> None:
        """What is done at a depth, then the loop inside it."""
        for value in self._step.body:
            if self._depth[value] == depth and value not in self._text and self._uses[value]:
                self._define(value)
        self._begin_locals(depth)
        if depth < self._rank and depth == self._cut and self._blocked:
            self._write_cut(self._blocked)
        elif depth < self._rank:
            with self._source.loops([(self._indices[depth], self._lengths[depth])]):
                self._inside(depth)
        else:
            self._innermost()
        self._end_locals(depth)

    def _inside(self, depth: int) -> None:
        """What stands in the loop of a depth."""
        inner = depth + 1 < self._rank
        with self._source.sharing(self._products(depth) if inner else []):
            self._level(depth + 1)

    def _products(self, depth: int) -> list[tuple[str, Count]]:
        """Index times stride for every access that also counts along an inner axis."""
        accesses = [v.strides for v in self._step.body if isinstance(v, Load)]
        accesses += [s.strides for s in self._step.stores] + [r.strides for r in self._step.reductions]
        merged = [self._strides(s) for s in accesses]
        return [(self._indices[depth], s) for s in dict.fromkeys(m[depth] for m in merged)]

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


def use_counts(step: FusedLoop, known: Collection[Value] = ()) -> Counter[Value]:
    """How often each value of a loop is used, beside those that are ``known`` already."""
    uses: Counter[Value] = Counter()
    for value in reversed(step.body):
        if isinstance(value, Compute) and value not in known:
            uses.update(value.operands)
    uses.update(s.value for s in step.stores)
    uses.update(r.value for r in step.reductions)
    return uses
