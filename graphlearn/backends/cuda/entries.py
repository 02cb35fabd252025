"""A `FusedLoop` or a `Routine` as a kernel's text: entries, results or items, shared out among threads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphlearn.backends import rows as cpu
from graphlearn.backends.cuda.passes import Kind, Pass, needed
from graphlearn.backends.cuda.rows import GPU, combine
from graphlearn.backends.cuda.source import KernelSource
from graphlearn.backends.routines import write_routine
from graphlearn.program.counts import Count, count
from graphlearn.program.merge import merged_axes
from graphlearn.program.steps import Compute, FusedLoop, Length, Literal, Load, Reduce, Routine, Value

_TESTS = ("logical_not", "logical_and", "logical_or")


def write_loop_pass(source: KernelSource, each: Pass, step: FusedLoop) -> None:
    """Write one pass of a fused loop.

    The kernel has defined ``thread`` of ``threads`` for what threads share out, and ``block`` of ``blocks`` for the
    results that blocks share out when the threads of each combine one result together.
    """
    writer = _Loop(source, step)
    if each.kind is Kind.ENTRIES:
        writer.write_entries()
    elif each.kind is Kind.TREE:
        writer.write_trees(each.reductions)
    else:
        writer.write_results(each.reductions)


def write_routine_pass(source: KernelSource, step: Routine) -> None:
    """Every thread does its share of the items."""
    with source.dealt(step.items, source.about(step.node)) as item:
        write_routine(source, step, item)


class _Loop:
    """A fused loop while one of its passes is written."""

    def __init__(self, source: KernelSource, step: FusedLoop) -> None:
        self._source = source
        self._step = step
        self._groups = merged_axes(step)
        self._lengths = [count([step.axes[a] for a in group]) for group in self._groups]
        self._indices = [source.index(k) for k in range(len(self._groups))]
        self._text: dict[Value, str] = {}

    def write_entries(self) -> None:
        """Every thread computes and stores entries."""
        everything = list(range(len(self._groups)))
        with self._source.dealt(self._count(everything)) as entry:
            self._split(entry, everything)
            self._values(s.value for s in self._step.stores)
            for store in self._step.stores:
                strides = self._strides(store.strides)
                self._source.store(store.buffer, strides, self._indices, self._text[store.value], store.offset)

    def write_results(self, reductions: Sequence[Reduce]) -> None:
        """Every thread combines the entries of a result, one after the other."""
        kept, others = self._kept_and_others(reductions)
        with self._source.dealt(self._count(kept)) as entry:
            self._split(entry, kept)
            totals = self._begin(reductions)
            with self._source.loops([(self._indices[k], self._lengths[k]) for k in others]):
                self._accumulate(reductions, totals)
            for reduction, total in zip(reductions, totals, strict=True):
                self._store(reduction, total)

    def write_trees(self, reductions: Sequence[Reduce]) -> None:
        """The threads of a block combine the entries of one result together."""
        kept, others = self._kept_and_others(reductions)
        with self._source.block(f"for entry in range(block, {self._source.size(self._count(kept))}, blocks):"):
            self._split("entry", kept)
            totals = self._begin(reductions)
            with self._source.block(f"for other in range(thread, {self._source.size(self._count(others))}, threads):"):
                self._split("other", others)
                self._accumulate(reductions, totals)
            for reduction, total in zip(reductions, totals, strict=True):
                self._join(reduction, total)

    # --- reductions --------------------------------------------------------------------------------------------------

    def _kept_and_others(self, reductions: Sequence[Reduce]) -> tuple[list[int], list[int]]:
        numbers = range(len(self._groups))
        kept = [k for k in numbers if self._groups[k][0] in reductions[0].kept]
        return kept, [k for k in numbers if k not in kept]

    def _begin(self, reductions: Sequence[Reduce]) -> list[str]:
        totals = []
        for reduction in reductions:
            dtype = reduction.buffer.dtype
            totals.append(self._source.local())
            start = self._source.literal(cpu.start_of(reduction.op, dtype), dtype)
            self._source.line(f"{totals[-1]} = {start}  # {self._source.about(reduction.node)}")
        return totals

    def _accumulate(self, reductions: Sequence[Reduce], totals: Sequence[str]) -> None:
        self._values(r.value for r in reductions)
        for reduction, total in zip(reductions, totals, strict=True):
            join = combine(reduction.op, reduction.buffer.dtype)
            self._source.line(f"{total} = {join(total, self._text[reduction.value])}")

    def _store(self, reduction: Reduce, total: str) -> None:
        self._source.store(reduction.buffer, self._strides(reduction.strides), self._indices, total)

    def _join(self, reduction: Reduce, total: str) -> None:
        """Halve the partial results until one is left; all threads pass every barrier."""
        source, part = self._source, self._source.part(reduction.buffer.dtype)
        mine, theirs, width, half = (source.local() for _ in range(4))
        source.line(f"{part}[thread] = {total}")
        source.barrier()
        source.line(f"{width} = threads")
        with source.block(f"while {width} > 1:"):
            source.line(f"{half} = ({width} + 1) // 2")
            with source.block(f"if thread < {width} - {half}:"):
                source.line(f"{mine} = {part}[thread]")
                source.line(f"{theirs} = {part}[thread + {half}]")
                joined = combine(reduction.op, reduction.buffer.dtype)(mine, theirs)
                source.line(f"{part}[thread] = {joined}")
            source.barrier()
            source.line(f"{width} = {half}")
        with source.block("if thread == 0:"):
            self._store(reduction, f"{part}[0]")
        source.barrier()

    # --- places ------------------------------------------------------------------------------------------------------

    def _count(self, groups: Sequence[int]) -> Count:
        return count([self._step.axes[a] for k in groups for a in self._groups[k]])

    def _split(self, entry: str, groups: Sequence[int]) -> None:
        self._source.split(entry, [self._indices[k] for k in groups], [self._lengths[k] for k in groups])

    def _strides(self, strides: Sequence[Count]) -> tuple[Count, ...]:
        return tuple(strides[group[-1]] for group in self._groups)

    # --- values ------------------------------------------------------------------------------------------------------

    def _values(self, wanted: Iterable[Value]) -> None:
        """Every value that is needed as a local: all are loaded before anything is stored."""
        for value in needed(self._step, wanted):
            text = self._expression(value)
            if not isinstance(value, Literal | Length):
                name = self._source.local()
                comment = f"  # {self._source.about(value.node)}" if isinstance(value, Compute) else ""
                self._source.line(f"{name} = {text}{comment}")
                text = name
            self._text[value] = text

    def _expression(self, value: Value) -> str:
        source = self._source
        if isinstance(value, Literal):
            return source.literal(value.value, value.dtype)
        if isinstance(value, Length):
            return source.length(value.axis)
        if isinstance(value, Load):
            return source.load(value.buffer, self._strides(value.strides), self._indices, value.offset)
        texts = [self._text[v] for v in value.operands]
        if value.op == "cast":
            return cpu.convert(texts[0], value.operands[0].dtype, value.dtype, source.literal)
        if value.op in _TESTS:
            texts = [cpu.truth(t, v.dtype, source.literal) for t, v in zip(texts, value.operands, strict=True)]
        return cpu.expression(value.op, value.dtype, texts, source.literal, GPU)
