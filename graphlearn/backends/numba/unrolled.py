"""A training loop without inner loops, for tiny networks: every entry is a local variable, in a register if LLVM can.

Parameters and states are read from the arena before the first step and written back after the last.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from graphlearn.backends import rows
from graphlearn.backends.numba.nests import use_counts
from graphlearn.backends.source import Source
from graphlearn.program.counts import ONE, ZERO, Count, count
from graphlearn.program.steps import (
    Buffer,
    Compute,
    Copy,
    FusedLoop,
    Gather,
    Length,
    Literal,
    Load,
    MatMul,
    Matrix,
    Reduce,
    Routine,
    RowPass,
    Step,
    Tile,
    Value,
)
from graphlearn.program.uses import reads_of, writes_of

_MOST = 1200  # operations up to which a loop is unrolled: a compile time of less than a second
_INLINE = 70  # longest text of a value that is written where it is used
_TESTS = ("logical_not", "logical_and", "logical_or")


def why_loops(steps: Sequence[Step], axes: Sequence[str]) -> str:
    """Why a step is written as loops; empty where all its lengths are known and its operations are few: unrolled.

    Args:
        steps: of the training step.
        axes: whose lengths are known only when it runs.
    """
    touched = (b for step in steps for b in (*reads_of(step), *writes_of(step)))
    free = [*axes, *(b.name for b in touched if not b.count.is_literal)]
    if free:
        return f"the length of {free[0]} is known only at run time"
    for step in steps:
        if isinstance(step, Routine):
            return f"{step.node.op.name} is a routine, and its places are known only at run time"
        if isinstance(step, Tile):
            return "its rows are taken in tiles, which have a text of their own"
        if isinstance(step, RowPass):
            return "its rows are taken one by one, in one pass"
    total = sum(_operations(step) for step in steps)
    return f"it takes {total:,} operations and stores, and at most {_MOST:,} are unrolled" if total > _MOST else ""


def _operations(step: Step) -> int:
    if isinstance(step, FusedLoop):
        each = sum(isinstance(v, Compute) for v in step.body) + len(step.stores) + len(step.reductions)
        return each * count(step.axes).factor
    if isinstance(step, MatMul):
        return 2 * count([*step.batch, *step.sizes]).factor
    if isinstance(step, Gather | Copy):
        return (step.out if isinstance(step, Gather) else step.target).count.factor
    raise TypeError(f"a {type(step).__name__} is not counted: it is never unrolled")


class Unrolled:
    """One training loop while it is written.

    Args:
        source: where it is written; the head of the function is there already.
        loss: where the loss of a step is.
    """

    def __init__(self, source: Source, loss: Buffer) -> None:
        self._source = source
        self._loss = loss
        self._program = source.program
        self._entries: dict[tuple[Buffer, int], str] = {}
        self._old: dict[tuple[Buffer, int], str] = {}

    # --- the frame ---------------------------------------------------------------------------------------------------

    def write(self) -> None:
        """Write the loop over steps."""
        source, gathers = self._source, [s for s in self._program.steps if isinstance(s, Gather)]
        source.line("# what is carried from step to step, as locals")
        for buffer in self._program.given.values():
            if not any(step.data is buffer for step in gathers):
                self._read_all(buffer)
        for buffer in self._program.constants:
            self._read_all(buffer)
        self._old = dict(self._entries)
        source.line("row = 0  # where the row numbers of the next batch begin")
        source.line("made = steps")
        with source.block("for step in range(steps):"):
            self._write_step(bool(gathers))
        source.line("# after the last step, back to where it was read")
        for key in self._changed():
            source.store(key[0], (ONE,), [str(key[1])], self._old[key])
        source.line("return made")

    def _read_all(self, buffer: Buffer) -> None:
        """Entries of an array as locals; none for those that no step reads."""
        for k in range(buffer.count.factor):
            name = self._source.unique(f"{buffer.name}_{k}")
            self._source.line(f"{name} = {self._source.load(buffer, (ONE,), [str(k)])}")
            self._entries[buffer, k] = name

    def _write_step(self, gathers: bool) -> None:
        source, section = self._source, ""
        for name, step in zip(self._program.sections, self._program.steps, strict=True):
            if name != section and name == "update":
                self._write_check()
            if name != section:
                source.section(name)
            section = name
            self._step(step, reciprocals=name == "update")
        if section != "update":
            self._write_check()
        self._carry()
        if gathers:
            source.line("row += counts[step]")

    def _write_check(self) -> None:
        loss = self._loss
        text = self._entries[loss, 0]
        self._source.line("# the loss is recorded; where it is not finite, nothing is changed any more")
        self._source.line(f"losses[step] = float64({text})")
        with self._source.block(f"if not abs({text}) < {self._source.literal(float('inf'), loss.dtype)}:"):
            self._source.line("made = step")
            self._source.line("break")

    def _changed(self) -> list[tuple[Buffer, int]]:
        return [key for key, name in self._old.items() if key[0].role == "kept" and self._entries[key] != name]

    def _carry(self) -> None:
        """At the end of a step all new values take the place of the old ones at once."""
        changed = self._changed()
        old = {self._old[key] for key in changed}
        new = {}
        if changed:
            self._source.line("# all new values take the place of the old ones at once")
        for key in changed:
            new[key] = self._entries[key]
            if new[key] in old:  # another entry's old value, which is about to be overwritten
                new[key] = self._source.local()
                self._source.line(f"{new[key]} = {self._entries[key]}")
        for key in changed:
            self._source.line(f"{self._old[key]} = {new[key]}")

    # --- steps -------------------------------------------------------------------------------------------------------

    def _step(self, step: Step, *, reciprocals: bool) -> None:
        if isinstance(step, FusedLoop):
            _Iterations(self._source, self._entries, step, reciprocals).write()
        elif isinstance(step, MatMul):
            self._product(step)
        elif isinstance(step, Gather):
            self._gather(step)
        elif isinstance(step, Copy):
            for k in range(step.target.count.factor):
                self._entries[step.target, k] = self._entries[step.source, k]

    def _gather(self, step: Gather) -> None:
        source, (height, *_) = self._source, step.out.shape
        source.line(f"# {step.out.name}: the rows of this batch")
        width = count(step.out.shape[1:]).factor
        for i in range(int(height)):
            source.line(f"taken = order[row + {i}]*{width}")
            for j in range(width):
                name = source.unique(f"{step.out.name}_{i * width + j}")
                source.line(f"{name} = {source.load(step.data, (ONE,), [f'(taken + {j})'])}")
                self._entries[step.out, i * width + j] = name

    def _product(self, step: MatMul) -> None:
        self._source.head(step)
        height, width, inner = (int(d) for d in step.sizes)
        dtype = step.node.dtype
        for at in itertools.product(*(range(int(d)) for d in step.batch)):
            for i, j in itertools.product(range(height), range(width)):
                terms = [f"{self._of(step.a, at, i, k)} * {self._of(step.b, at, k, j)}" for k in range(inner)]
                text = tree("sum", dtype, terms) if terms else self._source.literal(0, dtype)
                self._assign(step.out.buffer, _matrix_entry(step.out, at, i, j), text)

    def _of(self, matrix: Matrix, at: Sequence[int], row: int, column: int) -> str:
        return self._entries[matrix.buffer, _matrix_entry(matrix, at, row, column)]

    def _assign(self, buffer: Buffer, entry: int, text: str) -> None:
        name = self._source.unique(f"{buffer.name}_{entry}")
        self._source.line(f"{name} = {text}")
        self._entries[buffer, entry] = name


def _matrix_entry(matrix: Matrix, at: Sequence[int], row: int, column: int) -> int:
    return offset((*matrix.batch, *matrix.strides), (*at, row, column))


def offset(strides: Iterable[Count], indices: Iterable[int], start: Iterable[Count] = ()) -> int:
    """Number of an entry in its buffer."""
    return sum(s.factor * i for s, i in zip(strides, indices, strict=True)) + sum(term.factor for term in start)


def tree(op: str, dtype: str, terms: list[str]) -> str:
    """Terms combined in pairs, so that the chain of dependent operations is short."""
    join = (lambda a, b: f"({a} + {b})") if op == "sum" and dtype in rows.SUFFIX else rows.combine(op, dtype)
    while len(terms) > 1:
        pairs = [terms[k : k + 2] for k in range(0, len(terms), 2)]
        terms = [join(*pair) if len(pair) == 2 else pair[0] for pair in pairs]
    return terms[0]


class _Iterations:
    """The iterations of a fused loop, one after the other."""

    def __init__(
        self, source: Source, entries: dict[tuple[Buffer, int], str], step: FusedLoop, reciprocals: bool
    ) -> None:
        self._source = source
        self._entries = entries
        self._step = step
        self._uses = use_counts(step)
        self._depends = _dependence(step)
        self._inverse = _inverses(step, self._depends) if reciprocals else set()
        # The text of a value at the indices that it depends on.
        self._known: dict[tuple[Value | str, tuple[int, ...]], str] = {}

    def write(self) -> None:
        """Write every iteration, then what was reduced."""
        written: dict[tuple[Buffer, int], str] = {}
        parts: dict[tuple[Reduce, int], list[str]] = {}
        self._source.head(self._step)
        for at in itertools.product(*(range(int(d)) for d in self._step.axes)):
            for value in self._step.body:
                if self._uses[value]:
                    self._define(value, at)
            for store in self._step.stores:
                entry = offset(store.strides, at, store.offset)
                written[store.buffer, entry] = self._named(store.buffer, entry, self._text(store.value, at))
            for r in self._step.reductions:
                parts.setdefault((r, offset(r.strides, at)), []).append(self._text(r.value, at))
        for (r, entry), terms in parts.items():
            written[r.buffer, entry] = self._named(r.buffer, entry, tree(r.op, r.buffer.dtype, terms))
        self._empty(parts, written)
        self._entries.update(written)

    def _empty(self, parts: dict[tuple[Reduce, int], list[str]], written: dict[tuple[Buffer, int], str]) -> None:
        """Reductions over nothing."""
        for r in self._step.reductions:
            for entry in range(r.buffer.count.factor):
                if (r, entry) not in parts:
                    start = self._source.literal(rows.start_of(r.op, r.buffer.dtype), r.buffer.dtype)
                    written[r.buffer, entry] = start

    def _named(self, buffer: Buffer, entry: int, text: str) -> str:
        if text.isidentifier():
            return text
        name = self._source.unique(f"next_{buffer.name}_{entry}" if buffer.role == "kept" else f"{buffer.name}_{entry}")
        self._source.line(f"{name} = {text}")
        return name

    def _key(self, value: Value, at: Sequence[int]) -> tuple[Value | str, tuple[int, ...]]:
        return value, tuple(at[k] for k in self._depends[value])

    def _text(self, value: Value, at: Sequence[int]) -> str:
        return self._known[self._key(value, at)]

    def _define(self, value: Value, at: Sequence[int]) -> None:
        key = self._key(value, at)
        if key in self._known:
            return
        text = self._expression(value, at)
        once = self._uses[value] == 1 and len(self._depends[value]) == len(self._step.axes) and len(text) <= _INLINE
        if isinstance(value, Compute) and not once and not text.isidentifier():
            name = self._source.local()
            self._source.line(f"{name} = {text}{self._source.aside(value.node)}")
            text = name
        self._known[key] = text

    def _expression(self, value: Value, at: Sequence[int]) -> str:
        if isinstance(value, Literal):
            return self._source.literal(value.value, value.dtype)
        if isinstance(value, Load):
            return self._entries[value.buffer, offset(value.strides, at, value.offset)]
        if isinstance(value, Length):
            return self._source.length(value.axis)
        return self._computed(value, at)

    def _computed(self, value: Compute, at: Sequence[int]) -> str:
        texts = [self._text(v, at) for v in value.operands]
        if value.op == "cast":
            return rows.convert(texts[0], value.operands[0].dtype, value.dtype, self._source.literal)
        if value.op == "div" and value in self._inverse:
            return f"({texts[0]} * {self._reciprocal(value, at, texts[1])})"
        if value.op in _TESTS:
            texts = [rows.truth(t, v.dtype, self._source.literal) for t, v in zip(texts, value.operands, strict=True)]
        if value.op in ("where", "sign"):
            texts = [self._atom(v, at, t) for v, t in zip(value.operands, texts, strict=True)]
        return rows.expression(value.op, value.dtype, texts, self._source.literal)

    def _reciprocal(self, value: Compute, at: Sequence[int], text: str) -> str:
        key = (text, ())
        if key not in self._known:
            self._known[key] = self._source.local()
            self._source.line(f"{self._known[key]} = {self._source.literal(1, value.dtype)} / {text}")
        return self._known[key]

    def _atom(self, value: Value, at: Sequence[int], text: str) -> str:
        """A branch of a choice as a name, so that the choice is a select and no jump."""
        if text.isidentifier() or isinstance(value, Literal):
            return text
        aside = self._source.aside(value.node) if isinstance(value, Compute) else ""
        name = self._source.local()
        self._source.line(f"{name} = {text}{aside}")
        self._known[self._key(value, at)] = name
        return name


def _dependence(step: FusedLoop) -> dict[Value, tuple[int, ...]]:
    """The axes of the loop along which a value changes."""
    axes: dict[Value, set[int]] = {}
    for value in step.body:
        if isinstance(value, Load):
            axes[value] = {k for k, s in enumerate(value.strides) if s != ZERO}
        elif isinstance(value, Compute):
            axes[value] = set().union(*(axes[v] for v in value.operands))
        else:
            axes[value] = set()
    return {value: tuple(sorted(found)) for value, found in axes.items()}


def _inverses(step: FusedLoop, depends: dict[Value, tuple[int, ...]]) -> set[Value]:
    """Divisions by a number that does not change in the loop."""
    return {
        v
        for v in step.body
        if isinstance(v, Compute) and v.op == "div" and step.axes and not depends[v.operands[1]] and depends[v]
    }
