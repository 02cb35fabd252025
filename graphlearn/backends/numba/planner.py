"""Graphs planned, written and compiled for Numba; loaded only where nothing is kept of an earlier process."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from graphlearn.backends import rows
from graphlearn.backends.forms import Form
from graphlearn.backends.mapped import is_mapped
from graphlearn.backends.native import NativeFunction, compile_native
from graphlearn.backends.numba.cuts import blocking
from graphlearn.backends.numba.emit import Batches, Emitted, emit_training, is_laned
from graphlearn.backends.numba.functions import NumbaFunction, stored
from graphlearn.backends.numba.identity import Request
from graphlearn.backends.numba.layout import Constant, Layout, Place
from graphlearn.backends.numba.products import accumulates
from graphlearn.backends.numba.row_layout import one_by_one, pass_lanes
from graphlearn.backends.numba.step_recorder import record_training
from graphlearn.backends.numba.step_tape import StepTape
from graphlearn.backends.numba.tape import Tape, TapeFunction, record_tape
from graphlearn.backends.numba.tape_run import TapeRun
from graphlearn.backends.numba.threads import remarked, threads_for
from graphlearn.backends.numba.tiles import objection
from graphlearn.backends.numba.unrolled import why_loops
from graphlearn.backends.registry import PLAIN, Speed
from graphlearn.graph.node import Node
from graphlearn.program.build import Batching, build_training
from graphlearn.program.canonical import Telling
from graphlearn.program.expand import expand
from graphlearn.program.narration import Notes
from graphlearn.program.notes import Annotations
from graphlearn.program.program import Program
from graphlearn.program.rules import OWN
from graphlearn.program.steps import Buffer, Tile, arena_of
from graphlearn.program.training import TrainingStep

_SCALAR = """# The training one number at a time, as plain loops; below it what runs: the same on many numbers at once.

"""
_LANED = """# What runs: where names end in x4, x8 or x16, each operation works on so many lanes at once, which are
# rows of the batch or entries of an array that is updated.

"""


def compile_function(
    outputs: Sequence[Node], leaves: Sequence[Node], precision: str, speed: Speed = PLAIN
) -> NumbaFunction | TapeFunction:
    """Outputs as a function of the leaves; a huge scalar graph is a tape, or a remark says why not."""
    tape = record_tape(outputs, leaves, precision)
    if isinstance(tape, Tape):
        return TapeFunction(tape, leaves)
    remarks = (f"operations are not run as a tape: {tape}",) if tape else ()
    return NumbaFunction(outputs, leaves, precision, speed, remarks)


def open_tape(
    step: TrainingStep, data: Mapping[Node, np.ndarray], precision: str, capacity: int, speed: Speed = PLAIN
) -> TapeRun | None:
    """A training run of a huge step on single numbers; None where it has no tape."""
    rows_of_data = len(next(iter(data.values()))) if data else capacity
    in_file = any(map(is_mapped, data.values()))
    tape = record_training(step, precision, min(capacity, rows_of_data), in_file)
    return TapeRun(tape, data, capacity, speed) if isinstance(tape, StepTape) else None


def plan_training(step: TrainingStep, request: Request) -> Program:
    """The program of a training step; several threads are the library's, and our own products have one."""
    batching = _batching(request)
    program = build_training(step, request.precision, replace(batching, blocking=None))
    if threads_for(program, request.speed.threads, {}, request.cores)[0] == 1:
        program = build_training(step, request.precision, batching)
    # With a batch, a tile has said what it could not take.
    if not step.axis and (reason := why_loops(program.steps, program.axes)):
        program = replace(program, remarks=(*program.remarks, f"the step is not unrolled: {reason}"))
    if reason := _why_no_tape(step, request):
        program = replace(program, remarks=(f"operations are not run as a tape: {reason}", *program.remarks))
    return remarked(program, request.speed, request.cores)


def _why_no_tape(step: TrainingStep, request: Request) -> str:
    found = record_training(step, request.precision, request.rows, request.in_file)
    return found if isinstance(found, str) else ""


def _in_file(tile: Tile) -> str:
    return "the data lie in a file, and a copy by columns would hold all of them; give batch_size"


def _batching(request: Request) -> Batching:
    lanes = functools.partial(objection, precision=request.precision)
    tiles = _in_file if request.in_file and not request.gather else lanes
    return Batching(
        request.rows,
        request.full,
        request.gather,
        request.sizes,
        together=True,
        tiles=tiles,
        accumulates=accumulates,
        blocking=blocking(request.precision, request.rows),
        passes=functools.partial(pass_lanes, precision=request.precision, longest=request.rows),
        in_place=True,
        unrolled=lambda steps, axes: not why_loops(steps, axes),
    )


def _batches(request: Request) -> Batches:
    return Batches(request.rows, request.full, request.gather)


def compile_training(step: TrainingStep, request: Request) -> tuple[Program, NativeFunction, Layout]:
    """The program of a training step, its machine code, and what that needs to know."""
    program = plan_training(step, request)
    emitted = emit_training(program, _batches(request), request.precision)
    run = compile_native(
        emitted.source, emitted.entry, emitted.signature, fast=request.speed.fast, straight=emitted.straight
    )
    threads, _ = threads_for(program, request.speed.threads, {}, request.cores)
    return program, run, _lay_out(program, emitted)._replace(threads=threads)


def explain_training(step: TrainingStep, request: Request, program: Program, notes: Notes) -> str:
    """The text of a program with notes in its comments; before a text on lanes the same steps as plain loops."""
    texts = [emitted.source for _, emitted in _explained(step, request, program, notes)]
    return texts[0] if len(texts) == 1 else f"{_SCALAR}{texts[0]}\n\n{_LANED}{texts[1]}"


def form_training(step: TrainingStep, request: Request, program: Program, notes: Notes) -> list[Form]:
    """The same with all that is needed to run it alone."""
    return [_form(each, emitted, request) for each, emitted in _explained(step, request, program, notes)]


def _explained(step: TrainingStep, request: Request, program: Program, notes: Notes) -> list[tuple[Program, Emitted]]:
    runs = program, emit_training(program, _batches(request), request.precision, Annotations(program, notes))
    return [scalar_training(step, request, notes), runs] if is_laned(program, request.precision) else [runs]


def scalar_training(step: TrainingStep, request: Request, notes: Notes) -> tuple[Program, Emitted]:
    """A training step one number at a time, as plain loops, and its text."""
    plain = replace(_batching(request), tiles=None, blocking=None, passes=one_by_one)
    program = build_training(step, request.precision, plain)
    annotations, batches = Annotations(program, notes), _batches(request)
    return program, emit_training(program, batches, request.precision, annotations, entry="train_scalar", scalar=True)


def _form(program: Program, emitted: Emitted, request: Request) -> Form:
    """A training loop, and where its parameters, states, scalars, constants and data have their places."""
    sizes = program.arena_sizes()
    kept = {leaf.full_name: buffer for leaf, buffer in program.given.items() if buffer.role == "kept"}
    constants = {f"{emitted.entry}/{b.name}": b for b in program.constants}
    return Form(
        entry=emitted.entry,
        source=emitted.source,
        parameters=emitted.signature.parameters,
        options={"straight": emitted.straight, "fast": request.speed.fast},
        threads=threads_for(program, request.speed.threads, {}, request.cores)[0],
        arenas={rows.ARENAS[dtype]: (dtype, sizes[dtype]) for dtype in emitted.arenas},
        places={
            name: (rows.ARENAS[arena_of(b.dtype)], b.start, tuple(int(d) for d in b.shape))
            for name, b in (*kept.items(), *constants.items())
        },
        carried=tuple(leaf.full_name for leaf in program.given if leaf.op.name in ("parameter", "state")),
        data=tuple(leaf.full_name for leaf, b in program.given.items() if b.role == "given"),
        columns=emitted.padded,
        constants={name: stored(b) for name, b in constants.items()},
    )


def _lay_out(program: Program, emitted: Emitted) -> Layout:
    totals = program.arena_sizes()
    constants = [Constant(arena_of(b.dtype), b.start, stored(b).ravel()) for b in program.constants]
    return Layout(
        {dtype: totals[dtype] for dtype in emitted.arenas},
        tuple(_place(leaf, buffer) for leaf, buffer in program.given.items()),
        tuple(constants),
        emitted.padded,
    )


def _place(leaf: Node, buffer: Buffer) -> Place:
    if buffer.role == "given":
        return Place(leaf, buffer.dtype)
    return Place(leaf, buffer.dtype, buffer.start, tuple(int(d) for d in buffer.shape))


def tell_expanded(step: TrainingStep, request: Request) -> list[Any]:
    """What the operations of a step consist of, as plain data: at a batch of free and of fixed length.

    Raises:
        Untold: an attribute that cannot be told.
    """
    lengths = [request.sizes, {**request.sizes, step.axis: request.rows}]
    told = []
    for sizes in lengths if step.axis else lengths[:1]:
        graph = expand(step.roots, request.precision, sizes)
        telling = Telling(graph.roots, known=OWN)
        old = Telling(step.roots, known=frozenset(n.op for names in graph.origin.values() for n in names))
        origin = [
            [telling.numbers[new], [old.numbers[node] for node in nodes]]
            for new, nodes in graph.origin.items()
            if new in telling.numbers
        ]
        told.append([telling.graph, origin])
    return told
