"""A whole training run as one kernel: the threads of one block share out every pass of every step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphlearn.backends.cuda.entries import write_loop_pass, write_routine_pass
from graphlearn.backends.cuda.passes import Kind, Pass, operations, own_entries, passes, rough
from graphlearn.backends.cuda.products import write_product
from graphlearn.backends.cuda.source import THREADS, Kernel, KernelSource
from graphlearn.backends.rows import ARENAS
from graphlearn.errors import OptionError
from graphlearn.program.counts import ZERO, Count, count, row_major
from graphlearn.program.notes import Annotations
from graphlearn.program.program import Program
from graphlearn.program.steps import ITEM_SIZE, Buffer, Copy, FusedLoop, Gather, MatMul, Routine, Slot, arena_of

_WARP = 32  # threads that a GPU runs in step
_FEW = 8  # results up to which the one block combines them one after the other
SHARED_BYTES = 48 * 1024  # what every block has without asking for more
_MEMORY_BYTES = 8 * 2**20  # what the level-2 cache of a GPU holds
_OPERATIONS = 10**8  # of a step: some 10 ms in one block


@dataclass(frozen=True)
class TrainingKernel:
    """The kernel of a training loop and how its memory is laid out.

    Args:
        kernel: ``train(arena, ..., data, ..., order, counts, steps, losses, made)``.
        places: buffer -> first element in the arena of its dtype.
        arenas: dtype -> elements, in the order of the parameters.
        data: buffers that are arguments, in order.
        threads: of the block that runs it.
    """

    kernel: Kernel
    places: Mapping[Buffer, int]
    arenas: Mapping[str, int]
    data: tuple[Buffer, ...]
    threads: int


def emit_training(program: Program, most_threads: int = THREADS, notes: Annotations | None = None) -> TrainingKernel:
    """The training loop of a program as one kernel.

    Args:
        program: one step of training.
        most_threads: the block has as many threads as find work, in whole warps, up to this number.
        notes: what comments say; None: nodes and operations alone.

    Raises:
        OptionError: the network is too large for one block.
        UnsupportedOp: an operation that the backend has no row for.
    """
    if program.loss is None:
        raise OptionError("a training kernel needs the program of a training step; got that of a function.")
    work = passes(program, _FEW)
    places, arenas = _layout(program)
    data = tuple(b for b in program.given.values() if b.role == "given")
    size = sum(n * ITEM_SIZE[dtype] for dtype, n in arenas.items())
    _require_small(size, sum(operations(p, program.capacity) for p in work))
    width = max((rough(p.width, program.capacity) for p in work), default=1)
    threads = min(most_threads, -(-max(width, 1) // _WARP) * _WARP)
    size += sum(threads * ITEM_SIZE[dtype] for dtype in set(_part_dtypes(work)))
    source = KernelSource(program, places, threads, notes)
    shared = arenas if size <= SHARED_BYTES else {}
    copies = {dtype: source.unique(f"{ARENAS[dtype]}_memory") for dtype in shared}
    names = [copies.get(dtype, ARENAS[dtype]) for dtype in arenas] + [source.name_of(b) for b in data]
    kept = [(ARENAS[dtype], name, _kept(places, dtype)) for dtype, name in copies.items()]
    with source.block(f"def train({', '.join([*names, 'order', 'counts', 'steps', 'losses', 'made'])}):"):
        _write_head(source, work, shared, threads)
        _write_copies(source, kept)
        source.barrier()
        _Writer(source, program, work, program.loss).write()
        _write_copies(source, [(outside, inside, elements) for inside, outside, elements in kept])
        with source.block("if thread == 0:"):
            source.line("made[0] = finished")
    kinds = [f"{dtype}[::1]" for dtype in (*arenas, *(arena_of(b.dtype) for b in data))]
    kinds += ["int64[::1]", "int64[::1]", "int64", f"{program.loss.dtype}[::1]", "int64[::1]"]
    return TrainingKernel(Kernel("train", source.text(), tuple(kinds)), places, arenas, data, threads)


def _layout(program: Program) -> tuple[dict[Buffer, int], dict[str, int]]:
    """Slots where the program has planned them, and single numbers, which other threads read, behind them."""
    ends = program.arena_sizes()
    places: dict[Buffer, int] = {}
    for buffer in program.buffers:
        dtype = arena_of(buffer.dtype)
        if buffer.slot is not None and buffer.slot.offset is not None:
            places[buffer] = buffer.slot.offset
        elif buffer.is_number:
            places[buffer] = ends.get(dtype, 0)
            ends[dtype] = places[buffer] + 1
    return places, {dtype: ends[dtype] for dtype in ARENAS if ends.get(dtype)}


def _kept(places: Mapping[Buffer, int], dtype: str) -> int:
    """Elements of an arena, from the first on, that keep their values from call to call."""
    ends = [at + b.count.factor for b, at in places.items() if b.role == "kept" and arena_of(b.dtype) == dtype]
    return max(ends, default=0)


def _part_dtypes(work: Sequence[Pass]) -> list[str]:
    return [r.buffer.dtype for p in work if p.kind is Kind.TREE for r in p.reductions]


def _write_head(source: KernelSource, work: Sequence[Pass], shared: Mapping[str, int], threads: int) -> None:
    """Who this thread is, and the memory that it shares with the others."""
    source.line("thread = cuda.threadIdx.x")
    parts = _part_dtypes(work)
    if parts:
        source.line(f"threads = {threads}")
        source.line("block = 0")
        source.line("blocks = 1")
    source.declare_parts(parts)
    for dtype, elements in shared.items():
        source.line(f"{ARENAS[dtype]} = cuda.shared.array({elements}, {dtype})")


def _require_small(size: int, steps: int) -> None:
    if size > _MEMORY_BYTES or steps > _OPERATIONS:
        raise OptionError(
            f'backend="cuda" trains in one block of {THREADS} threads, which needs a small network: at most '
            f"{_MEMORY_BYTES} bytes of parameters, states and activations and {_OPERATIONS} operations a step; got "
            f'{size} bytes and {steps} operations. Pass backend="numba", or smaller layers or batches.'
        )


def _write_copies(source: KernelSource, copies: Sequence[tuple[str, str, int]]) -> None:
    for target, origin, elements in copies:
        if elements:
            with source.dealt(Count(elements)) as entry:
                source.line(f"{target}[{entry}] = {origin}[{entry}]")


class _Writer:
    """The loop over steps while it is written; it knows what was touched since the last barrier."""

    def __init__(self, source: KernelSource, program: Program, work: Sequence[Pass], loss: Buffer) -> None:
        self._loss = loss
        self._source = source
        self._program = program
        self._work = work
        self._read: set[Slot | Buffer] = set()
        # place -> the buffer written there and how many threads wrote just the entry of their own number; 0: others too
        self._written: dict[Slot | Buffer, tuple[Buffer, Count]] = {}

    def write(self) -> None:
        """Write the loop."""
        source, sections = self._source, dict(zip(self._program.steps, self._program.sections, strict=True))
        gathers = any(p.kind is Kind.GATHER for p in self._work)
        if gathers:
            source.line("row = 0")
        source.line("finished = steps")
        section, told = "", None
        with source.block("for step in range(steps):"):
            for length in source.lengths.values():
                source.line(f"{length} = counts[step]")
            for each in self._work:
                name = sections[each.step]
                if name != section:
                    if name == "update":
                        self._check()
                    source.section(name)
                    section = name
                if source.is_annotated and each.step is not told:
                    source.head(each.step)
                    told = each.step
                self._pass(each)
            if section != "update":
                self._check()
            self._barrier()
            if gathers:
                source.line("row += counts[step]")

    def _pass(self, each: Pass) -> None:
        own = own_entries(each)
        seen = any(self._is_foreign(b, each.width if b in own else None) for b in each.reads)
        places = {b.slot or b for b in each.writes}
        if seen or not places.isdisjoint(self._read | self._written.keys()):
            self._barrier()
        step = each.step
        if isinstance(step, FusedLoop):
            write_loop_pass(self._source, each, step)
        elif isinstance(step, MatMul):
            write_product(self._source, step)
        elif isinstance(step, Routine):
            write_routine_pass(self._source, step)
        elif isinstance(step, Gather):
            _write_gather(self._source, step)
        elif isinstance(step, Copy):
            _write_copy(self._source, step)
        if each.kind is Kind.TREE:  # it ends with a barrier
            self._forget()
        else:
            self._read.update(b.slot or b for b in each.reads)
            self._written.update({b.slot or b: (b, each.width if b in own else ZERO) for b in each.writes})

    def _is_foreign(self, buffer: Buffer, width: Count | None) -> bool:
        """Whether a thread would read what another wrote; None: it reads more than the entry of its own number."""
        written = self._written.get(buffer.slot or buffer)
        return written is not None and written != (buffer, width)

    def _barrier(self) -> None:
        self._source.barrier()
        self._forget()

    def _forget(self) -> None:
        self._read.clear()
        self._written.clear()

    def _check(self) -> None:
        """The loss is recorded before anything is changed, and all threads leave together unless it is finite."""
        source = self._source
        if self._is_foreign(self._loss, None):
            self._barrier()
        loss = source.load(self._loss, (), ())
        with source.block("if thread == 0:"):
            source.line(f"losses[step] = {loss}")
        with source.block(f"if not abs({loss}) < {source.literal(float('inf'), self._loss.dtype)}:"):
            source.line("finished = step")
            source.line("break")
        self._read.add(self._loss)


def _write_gather(source: KernelSource, step: Gather) -> None:
    row, column = source.index(0), source.index(1)
    width = row_major(step.out.shape)[0]
    rows = count(step.out.shape[:1])
    with source.dealt(step.out.count, step.out.name) as entry:
        source.split(entry, (row, column), (rows, width))
        (data, _), (target, start) = source.place(step.data), source.place(step.out)
        place = f"{start} + {entry}" if start else entry
        source.line(f"{target}[{place}] = {data}[{source.steps(f'order[row + {row}]', width)} + {column}]")


def _write_copy(source: KernelSource, step: Copy) -> None:
    unit = (count(()),)
    with source.dealt(step.target.count, step.target.name) as entry:
        source.store(step.target, unit, (entry,), source.load(step.source, unit, (entry,)))
