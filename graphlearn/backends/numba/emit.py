"""The frames of generated source: a function of its arguments, and a training loop over steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeGuard

from graphlearn.backends import rows
from graphlearn.backends.native import Signature, lanes_for
from graphlearn.backends.numba.loops import write_fixed, write_loop, write_pass
from graphlearn.backends.numba.products import write_product
from graphlearn.backends.numba.row_lanes import write_rows_on_lanes
from graphlearn.backends.numba.straight import is_straight, write_straight
from graphlearn.backends.numba.tiles import TileWriter
from graphlearn.backends.numba.unrolled import Unrolled, why_loops
from graphlearn.backends.routines import write_routine
from graphlearn.backends.source import Source
from graphlearn.program.counts import count, row_major
from graphlearn.program.notes import Annotations
from graphlearn.program.program import Program
from graphlearn.program.steps import (
    Buffer,
    Copy,
    FusedLoop,
    Gather,
    MatMul,
    Routine,
    RowPass,
    Step,
    Tile,
    Value,
    arena_of,
)


@dataclass(frozen=True)
class Emitted:
    """A generated function.

    Args:
        source: its text.
        entry: its name.
        signature: its parameters.
        arenas: dtypes of the arenas, in the order of the parameters.
        straight: whether its loops are unrolled.
        padded: rows of each column of the data, which must lie by columns; 0: it lies by rows.
    """

    source: str
    entry: str
    signature: Signature
    arenas: tuple[str, ...]
    straight: bool = False
    padded: int = 0


@dataclass(frozen=True)
class Batches:
    """The batches of a training loop whose rows are taken in tiles.

    Args:
        rows: of the largest.
        full: whether all have that many.
        gather: whether rows are taken by number.
    """

    rows: int
    full: bool
    gather: bool


def _arenas(program: Program) -> tuple[str, ...]:
    used = {slot.dtype for slot in program.slots}
    return tuple(dtype for dtype in rows.ARENAS if dtype in used)


def is_laned(program: Program, precision: str) -> bool:
    """Whether something is worked on several numbers at once: rows of the batch, a product or an update."""
    updates = [step for step, name in zip(program.steps, program.sections, strict=True) if name == "update"]
    straight = any(isinstance(step, FusedLoop) and is_straight(step, precision) for step in updates)
    blocked = any(isinstance(step, MatMul) and step.blocks for step in program.steps)
    blocked |= any(isinstance(step, RowPass) and step.lanes for step in program.steps)
    return _is_tiled(program) or blocked or (straight and bool(why_loops(program.steps, program.axes)))


def _is_tiled(program: Program) -> bool:
    return any(isinstance(step, Tile) for step in program.steps)


def emit_function(program: Program, notes: Annotations | None = None, *, entry: str = "compute") -> Emitted:
    """The source of ``compute(leaf, ..., output, ..., arena, ..., length, ...)``; with notes in its comments."""
    source = Source(program, notes=notes)
    arenas = _arenas(program)
    given = [*program.given.values(), *program.constants]
    names = [source.name_of(b) for b in (*given, *program.outputs)]
    names += [rows.ARENAS[dtype] for dtype in arenas] + list(source.lengths.values())
    kinds = [f"const {arena_of(b.dtype)}*" for b in given] + [f"{arena_of(b.dtype)}*" for b in program.outputs]
    kinds += [f"{dtype}*" for dtype in arenas] + ["int64"] * len(source.lengths)
    with source.block(f"def {entry}({', '.join(names)}):"):
        source.slots()
        for step in program.steps:
            _write_step(source, step)
        source.line("return")
    return Emitted(source.text(), entry, Signature(tuple(kinds)), arenas)


def emit_training(
    program: Program,
    batches: Batches,
    precision: str,
    notes: Annotations | None = None,
    *,
    entry: str = "train",
    scalar: bool = False,
) -> Emitted:
    """The source of ``train(arena, ..., data, ..., order, counts, steps, losses)``, which returns the updates made.

    Args:
        program: of one step.
        batches: what it is given.
        precision: the dtype by which lanes are counted.
        notes: what comments say; None: nodes and operations alone.
        entry: name of the function.
        scalar: whether it is written for a person: plain loops in any case, nothing written out and no library.
    """
    loss = program.loss
    if loss is None:
        raise TypeError("a training loop needs a program with a loss; build_training makes one")
    source = Source(
        program, dict.fromkeys(program.axes, batches.rows) if batches.full else {}, notes, library=not scalar
    )
    arenas = _arenas(program)
    data = [b for b in program.given.values() if b.role == "given"]
    names = [rows.ARENAS[dtype] for dtype in arenas] + [source.name_of(b) for b in data]
    kinds = [f"{dtype}*" for dtype in arenas] + [f"const {arena_of(b.dtype)}*" for b in data]
    names += ["order", "counts", "steps", "losses"]
    kinds += ["const int64*", "const int64*", "int64", "float64*"]
    tiled = _is_tiled(program)
    tiny = not scalar and not tiled and not why_loops(program.steps, program.axes)
    lanes = 0 if scalar else lanes_for(precision, batches.rows) if tiled else lanes_for(precision)
    padded = -(-batches.rows // lanes) * lanes if tiled and not batches.gather else 0
    with source.block(f"def {entry}({', '.join(names)}):"):
        source.legend()
        if tiny:
            Unrolled(source, loss).write()
        else:
            fixed = write_fixed(source, program.steps)
            source.line("row = 0  # where the row numbers of the next batch begin")
            with source.block("for step in range(steps):"):
                _write_training_step(source, program, loss, _Lanes(lanes, precision, padded, batches, tiled), fixed)
            source.line("return steps")
    return Emitted(source.text(), entry, Signature(tuple(kinds), "int64"), arenas, tiny, padded)


@dataclass(frozen=True)
class _Lanes:
    """How many numbers are worked on at a time, and how long the columns of the data are where rows are in tiles."""

    count: int
    dtype: str
    padded: int
    batches: Batches
    tiled: bool

    def suits(self, step: Step, section: str) -> TypeGuard[FusedLoop]:
        """Whether a step is written on lanes: an update, or beside a tile any loop, that walks straight on."""
        wanted = self.count and (self.tiled or section == "update")
        return bool(wanted) and isinstance(step, FusedLoop) and is_straight(step, self.dtype)


def _write_training_step(
    source: Source, program: Program, loss: Buffer, lanes: _Lanes, fixed: Mapping[Value, str]
) -> None:
    for length in source.lengths.values():
        if not length.isdigit():
            source.line(f"{length} = counts[step]  # rows of this batch")
    section = ""
    checked = False
    vectors: Mapping[tuple[str, int], str] = {}
    for name, step in zip(program.sections, program.steps, strict=True):
        if name != section:
            if name == "update":
                _write_check(source, loss)
                checked = True
            source.section(*(("rows, as many at once as there are lanes", "=") if name == "rows" else (name,)))
            section = name
        if isinstance(step, Tile):
            batches = lanes.batches
            tile = TileWriter(source, step, lanes.count, batches.rows, batches.full, lanes.padded, lanes.dtype)
            tile.write()
            vectors = tile.vectors
        elif lanes.suits(step, name):
            write_straight(source, step, lanes.count, vectors, reciprocals=name == "update")
        else:
            _write_step(source, step, reciprocals=name == "update", fixed=fixed)
    if not checked:
        _write_check(source, loss)
    if lanes.batches.gather:
        names = [length for length in source.lengths.values() if not length.isdigit()]
        source.line(f"row += {names[0] if names else 'counts[step]'}")


def _write_check(source: Source, loss: Buffer) -> None:
    """The loss is recorded before anything is changed, and nothing is changed unless it is finite."""
    name = source.name_of(loss)
    source.line("# the loss is recorded; where it is not finite, nothing is changed any more")
    source.line(f"losses[step] = float64({name})")
    with source.block(f"if not abs({name}) < {source.literal(float('inf'), loss.dtype)}:"):
        source.line("return step")


def _write_step(
    source: Source, step: Step, *, reciprocals: bool = False, fixed: Mapping[Value, str] | None = None
) -> None:
    if isinstance(step, FusedLoop | RowPass) or (isinstance(step, MatMul) and (source.is_annotated or step.blocks)):
        source.head(step)
    if isinstance(step, FusedLoop):
        write_loop(source, step, reciprocals=reciprocals, fixed=fixed)
    elif isinstance(step, RowPass):
        (write_rows_on_lanes if step.lanes else write_pass)(source, step)
    elif isinstance(step, MatMul):
        write_product(source, step)
    elif isinstance(step, Routine):
        _write_routine(source, step)
    elif isinstance(step, Gather):
        _write_gather(source, step)
    elif isinstance(step, Copy):
        _write_copy(source, step)
    else:
        raise TypeError(f"a {type(step).__name__} stands in a training loop only")


def _write_routine(source: Source, step: Routine) -> None:
    source.head(step)
    item = source.index(0)
    with source.loops([(item, step.items)]):
        write_routine(source, step, item)


def _write_gather(source: Source, step: Gather) -> None:
    source.line(f"# {step.out.name}: the rows of this batch")
    i, j = source.index(0), source.index(1)
    rows_of_batch, width = count(step.out.shape[:1]), row_major(step.out.shape)[0]
    target, start = source.place(step.out)
    with source.loops([(i, rows_of_batch)]):
        source.line(f"taken = order[row + {i}]*{source.size(width)}")
        with source.loops([(j, width)]):
            place = " + ".join(filter(None, [start, f"{i}*{source.size(width)}", j]))
            source.line(f"{target}[{place}] = {source.name_of(step.data)}[taken + {j}]")


def _write_copy(source: Source, step: Copy) -> None:
    source.line(f"# {step.target.name}: its next value")
    i = source.index(0)
    unit = (count([1]),)
    with source.loops([(i, step.target.count)]):
        (source_text,) = [source.load(step.source, unit, [i])]
        source.store(step.target, unit, [i], source_text)
