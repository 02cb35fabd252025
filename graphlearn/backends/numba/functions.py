"""A graph as one compiled function of its leaves."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from graphlearn.backends import rows
from graphlearn.backends.forms import Call
from graphlearn.backends.native import aligned_zeros, compile_native
from graphlearn.backends.numba.emit import emit_function
from graphlearn.backends.numba.row_layout import pass_lanes
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
        self._leaves = tuple(leaves)
        self._speed = speed
        self._cores = available() if speed.threads > 1 else 1
        passes = functools.partial(pass_lanes, precision=precision, longest=None)
        program = replace(build_function(outputs, leaves, precision, passes=passes, in_place=True), remarks=remarks)
        self.program = remarked(program, speed, self._cores)
        self._emitted = emit_function(self.program)
        self.source = self._emitted.source
        self._run = compile_native(self.source, self._emitted.entry, self._emitted.signature, fast=speed.fast)
        self._options = {"fast": speed.fast}
        self._constants = [stored(b) for b in self.program.constants]

    def __call__(
        self, arrays: Mapping[Node, np.ndarray], sizes: Mapping[str, int], out: Sequence[np.ndarray] | None = None
    ) -> tuple[np.ndarray, ...]:
        """Compute the outputs; see `CompiledFunction`."""
        program = self.program
        lengths = lengths_of(program.axes, sizes)
        _require_nonempty(program, sizes)
        given = [as_stored(arrays[leaf], program.given[leaf]) for leaf in self._leaves]
        if out is None:
            out = [np.empty(_shape(b, sizes), b.dtype) for b in program.outputs]
        outputs = [array.view(arena_of(b.dtype)) for array, b in zip(out, program.outputs, strict=True)]
        totals = program.arena_sizes(sizes)
        arenas = [aligned_zeros(totals[dtype], dtype) for dtype in self._emitted.arenas]
        threads, _ = threads_for(program, self._speed.threads, sizes, self._cores)
        self._run(*given, *self._constants, *outputs, *arenas, *lengths, threads=threads)
        return tuple(out)

    def explain(self, notes: Notes) -> str:
        """The text with notes in its comments."""
        return emit_function(self.program, Annotations(self.program, notes)).source

    def saved_call(self, arrays: Mapping[Node, np.ndarray], sizes: Mapping[str, int], source: str) -> Call:
        """One call as data, with the text as `explain` gives it."""
        program, emitted = self.program, self._emitted
        given = {program.given[leaf].name: as_stored(arrays[leaf], program.given[leaf]) for leaf in self._leaves}
        constants = {b.name: array for b, array in zip(program.constants, self._constants, strict=True)}
        outputs = {b.name: (arena_of(b.dtype), _shape(b, sizes)) for b in program.outputs}
        totals = program.arena_sizes(sizes)
        arenas = {rows.ARENAS[dtype]: (dtype, totals[dtype]) for dtype in emitted.arenas}
        names = (*given, *constants, *outputs, *arenas)
        return Call(
            emitted.entry, source, emitted.signature.parameters,
            (*names, *lengths_of(program.axes, sizes)), {**given, **constants}, outputs, arenas, self._options,
            threads_for(program, self._speed.threads, sizes, self._cores)[0],
        )  # fmt: skip


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
