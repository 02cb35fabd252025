"""A graph as one compiled function of its leaves."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from graphlearn.backends import rows
from graphlearn.backends.forms import Call
from graphlearn.backends.native import aligned_empty, compile_native
from graphlearn.backends.numba.cuts import blocking
from graphlearn.backends.numba.emit import Emitted, emit_function, is_laned
from graphlearn.backends.numba.row_layout import one_by_one, pass_lanes
from graphlearn.backends.numba.threads import remarked, threads_for
from graphlearn.backends.registry import PLAIN, Speed, available
from graphlearn.backends.steps import lengths_of
from graphlearn.errors import ShapeError
from graphlearn.graph.node import Node
from graphlearn.program.build import build_function
from graphlearn.program.narration import Notes
from graphlearn.program.notes import Annotations
from graphlearn.program.program import Program
from graphlearn.program.steps import Buffer, arena_of

_SCALAR = """# The function one number at a time, large products by a library; below it what runs: the same on lanes.

"""
_LANED = """# What runs: where names end in x4, x8 or x16, each operation works on so many columns of a
# matrix, or rows, at once.

"""


class NumbaFunction:
    """Outputs of a graph as one compiled function; may be called from several threads.

    Args:
        outputs: nodes.
        leaves: inputs, parameters and states in the order in which they are given.
        precision: what every float64 becomes.
        speed: what is asked for beyond the usual.
        remarks: what its program says first, a line each.
    """

    def __init__(
        self,
        outputs: Sequence[Node],
        leaves: Sequence[Node],
        precision: str,
        speed: Speed = PLAIN,
        remarks: tuple[str, ...] = (),
    ) -> None:
        self._asked = (outputs, leaves, precision)
        self._leaves = tuple(leaves)
        self._speed = speed
        self._cores = available() if speed.threads > 1 else 1
        self._remarks = remarks
        program = self._plan()
        self.program = remarked(replace(program, remarks=(*remarks, *program.remarks)), speed, self._cores)
        self._emitted = emit_function(self.program)
        self._run = compile_native(self._emitted.source, self._emitted.entry, self._emitted.signature, fast=speed.fast)
        self._options = {"fast": speed.fast}
        self._constants = [stored(b) for b in self.program.constants]

    def _plan(self) -> Program:
        """The program; where it may get several threads, which are the library's, without products of our own."""
        precision = self._asked[2]
        build = functools.partial(
            build_function, *self._asked, passes=functools.partial(pass_lanes, precision=precision, longest=None),
            in_place=True,
        )  # fmt: skip
        if self._speed.threads > 1:
            program = build()
            if program.axes or threads_for(program, self._speed.threads, {}, self._cores)[0] > 1:
                return program
        return build(blocking=blocking(precision, None))

    @functools.cached_property
    def _single(self) -> NumbaFunction:
        """The same for calls that get one thread."""
        return NumbaFunction(*self._asked, self._speed._replace(threads=1), self._remarks)

    @property
    def source(self) -> str:
        """The text."""
        return self.explain({})

    def __call__(
        self, arrays: Mapping[Node, np.ndarray], sizes: Mapping[str, int], out: Sequence[np.ndarray] | None = None
    ) -> tuple[np.ndarray, ...]:
        """Compute the outputs; see `CompiledFunction`."""
        program = self.program
        threads, _ = threads_for(program, self._speed.threads, sizes, self._cores)
        if self._has_single(threads):
            return self._single(arrays, sizes, out)
        lengths = lengths_of(program.axes, sizes)
        _require_nonempty(program, sizes)
        given = [as_stored(arrays[leaf], program.given[leaf]) for leaf in self._leaves]
        if out is None:
            out = [np.empty(_shape(b, sizes), b.dtype) for b in program.outputs]
        outputs = [array.view(arena_of(b.dtype)) for array, b in zip(out, program.outputs, strict=True)]
        totals = program.arena_sizes(sizes)
        arenas = [aligned_empty(totals[dtype], dtype) for dtype in self._emitted.arenas]
        self._run(*given, *self._constants, *outputs, *arenas, *lengths, threads=threads)
        return tuple(out)

    def _has_single(self, threads: int) -> bool:
        """Whether a call with so many threads is done by the program for one, whose products are our own."""
        return threads < self._speed.threads and threads == 1 and bool(self.program.axes)

    def explain(self, notes: Notes) -> str:
        """The text with notes in its comments; before a text on lanes the same without."""
        texts = [emitted.source for _, emitted in self._explained(notes)]
        return texts[0] if len(texts) == 1 else f"{_SCALAR}{texts[0]}\n\n{_LANED}{texts[1]}"

    def _explained(self, notes: Notes) -> list[tuple[Program, Emitted]]:
        program = self.program
        runs = program, emit_function(program, _annotated(program, notes))
        if not is_laned(program, self._asked[2]):
            return [runs]
        scalar = build_function(*self._asked, passes=one_by_one)
        return [(scalar, emit_function(scalar, _annotated(scalar, notes), entry="compute_scalar")), runs]

    def saved_calls(
        self, arrays: Mapping[Node, np.ndarray], sizes: Mapping[str, int], notes: Notes
    ) -> tuple[Call, ...]:
        """One call as data, with the texts of `explain`: that which runs comes last."""
        threads, _ = threads_for(self.program, self._speed.threads, sizes, self._cores)
        if self._has_single(threads):
            return self._single.saved_calls(arrays, sizes, notes)
        return tuple(self._call(*made, arrays, sizes, threads) for made in self._explained(notes))

    def _call(
        self,
        program: Program,
        emitted: Emitted,
        arrays: Mapping[Node, np.ndarray],
        sizes: Mapping[str, int],
        threads: int,
    ) -> Call:
        given = {program.given[leaf].name: as_stored(arrays[leaf], program.given[leaf]) for leaf in self._leaves}
        constants = {b.name: stored(b) for b in program.constants}
        outputs = {b.name: (arena_of(b.dtype), _shape(b, sizes)) for b in program.outputs}
        totals = program.arena_sizes(sizes)
        arenas = {rows.ARENAS[dtype]: (dtype, totals[dtype]) for dtype in emitted.arenas}
        names = (*given, *constants, *outputs, *arenas)
        return Call(
            emitted.entry, emitted.source, emitted.signature.parameters,
            (*names, *lengths_of(program.axes, sizes)), {**given, **constants}, outputs, arenas, self._options, threads,
        )  # fmt: skip


def _annotated(program: Program, notes: Notes) -> Annotations | None:
    return Annotations(program, notes) if notes else None


def stored(buffer: Buffer) -> np.ndarray:
    """The array of a constant, as its arena holds it."""
    return as_stored(buffer.node.attr("value").array, buffer)


def as_stored(array: np.ndarray, buffer: Buffer) -> np.ndarray:
    """An array in a buffer's dtype, as its arena holds it."""
    return np.ascontiguousarray(array, buffer.dtype).view(arena_of(buffer.dtype))


def _shape(buffer: Buffer, sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(sizes[d] if isinstance(d, str) else d for d in buffer.shape)


def _require_nonempty(program: Program, sizes: Mapping[str, int]) -> None:
    for axis in program.nonempty:
        if sizes[axis] == 0:
            raise ShapeError(f"a maximum along the axis {axis!r} needs at least one entry; got none. Give more data.")
