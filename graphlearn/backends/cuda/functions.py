"""A function as a list of launches: one kernel for every pass, over the whole grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphlearn.backends.cuda.entries import write_loop_pass, write_routine_pass
from graphlearn.backends.cuda.passes import Kind, Pass, passes
from graphlearn.backends.cuda.products import TILE, write_tiled_product
from graphlearn.backends.cuda.source import THREADS, Kernel, KernelSource
from graphlearn.errors import OptionError
from graphlearn.program.counts import Count, count
from graphlearn.program.notes import Annotations
from graphlearn.program.program import Program
from graphlearn.program.steps import Buffer, FusedLoop, MatMul, Routine, arena_of
from graphlearn.types import Dim

_GRID = 4096  # most blocks of a launch: some for each processor of the largest GPU; each goes on with a stride
_NAMES = {
    Kind.ENTRIES: "entries",
    Kind.RESULTS: "reduce",
    Kind.TREE: "reduce",
    Kind.PRODUCT: "product",
    Kind.ROUTINE: "routine",
}


@dataclass(frozen=True)
class Launch:
    """One kernel with what it is launched on.

    Args:
        kernel: its arguments are the buffers, then the lengths of the free axes.
        buffers: the arrays it reads and writes.
        parts: numbers of which the product is what blocks share out.
        per_block: how much of it one block takes in one go.
        threads: of a block, where the kernel works with no other number; else None.
    """

    kernel: Kernel
    buffers: tuple[Buffer, ...]
    parts: tuple[Count, ...]
    per_block: tuple[int, ...]
    threads: int | None

    def blocks(self, sizes: Mapping[str, int]) -> int:
        """Blocks for given lengths of the free axes; 0: there is nothing to do."""
        blocks = 1
        for part, per_block in zip(self.parts, self.per_block, strict=True):
            blocks *= -(-part.value(sizes) // per_block)
        return min(blocks, _GRID)


def emit_function(program: Program, notes: Annotations | None = None) -> tuple[Launch, ...]:
    """The kernels of a function, in order; with notes in their comments.

    Raises:
        UnsupportedOp: an operation that the backend has no row for.
    """
    return tuple(_launch(program, each, number, notes) for number, each in enumerate(passes(program, _GRID), 1))


def _launch(program: Program, each: Pass, number: int, notes: Annotations | None) -> Launch:
    source = KernelSource(program, notes=notes)
    buffers = tuple(dict.fromkeys((*each.reads, *each.writes)))
    name = source.unique(f"{_NAMES[each.kind]}_{number}")
    arguments = [*(source.name_of(b) for b in buffers), *source.lengths.values()]
    with source.block(f"def {name}({', '.join(arguments)}):"):
        if each.kind in (Kind.ENTRIES, Kind.RESULTS, Kind.ROUTINE):
            source.line("thread = cuda.grid(1)")
            source.line("threads = cuda.gridsize(1)")
        else:
            source.line("thread = cuda.threadIdx.x")
            source.line("threads = cuda.blockDim.x")
            source.line("block = cuda.blockIdx.x")
            source.line("blocks = cuda.gridDim.x")
        source.declare_parts(r.buffer.dtype for r in each.reductions if each.kind is Kind.TREE)
        if source.is_annotated:
            source.head(each.step)
        if isinstance(each.step, FusedLoop):
            write_loop_pass(source, each, each.step)
        elif isinstance(each.step, MatMul):
            write_tiled_product(source, each.step)
        elif isinstance(each.step, Routine):
            write_routine_pass(source, each.step)
        else:
            raise OptionError("a function needs the program of a graph; got that of a training step.")
    threads = THREADS if each.kind is Kind.PRODUCT else None
    kinds = [f"{arena_of(b.dtype)}[::1]" for b in buffers] + ["int64"] * len(source.lengths)
    return Launch(Kernel(name, source.text(), tuple(kinds)), buffers, *_shared_out(each), threads)


def _shared_out(each: Pass) -> tuple[tuple[Count, ...], tuple[int, ...]]:
    """What blocks share out, and how much one takes."""
    if isinstance(each.step, MatMul):
        dims: tuple[Dim, ...] = (*each.step.batch, *each.step.sizes[:2])
        return tuple(count([d]) for d in dims), (*(1 for _ in each.step.batch), TILE, TILE)
    if each.kind is Kind.TREE and isinstance(each.step, FusedLoop):
        kept = each.reductions[0].kept
        return (count([each.step.axes[k] for k in kept]),), (1,)
    return (each.width,), (THREADS,)
