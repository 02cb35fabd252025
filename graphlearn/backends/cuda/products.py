"""A `MatMul` as a kernel's text: an entry per thread, or tiles that a block loads once and all its threads read."""

from __future__ import annotations

from collections.abc import Sequence

from graphlearn.backends.cuda.rows import combine
from graphlearn.backends.cuda.source import THREADS, KernelSource
from graphlearn.backends.rows import SUFFIX
from graphlearn.program.counts import ONE, Count, count
from graphlearn.program.steps import MatMul, Matrix

TILE = 16  # rows and columns that a block computes: one entry for each of its threads
if TILE * TILE != THREADS:
    raise ValueError("a block computes one tile, so it needs a thread per entry of it")


def write_product(source: KernelSource, step: MatMul) -> None:
    """Every thread computes entries of the product, each as one sum."""
    lengths = [count([d]) for d in (*step.batch, step.sizes[0], step.sizes[1])]
    indices = [source.index(k) for k in range(len(lengths) + 1)]
    *batch, row, column, inner = [
        i if n != ONE else "" for i, n in zip(indices, [*lengths, count([step.sizes[2]])], strict=True)
    ]
    with source.dealt(_entries(step)) as entry:
        longer = [k for k, length in enumerate(lengths) if length != ONE]
        source.split(entry, [indices[k] for k in longer], [lengths[k] for k in longer])
        total = _begin(source, step)
        with source.loops([(inner, count([step.sizes[2]]))] if inner else []):
            left = _load(source, step.a, batch, row, inner)
            right = _load(source, step.b, batch, inner, column)
            _add_product(source, step, total, left, right)
        _store(source, step, batch, row, column, total)


def write_tiled_product(source: KernelSource, step: MatMul) -> None:
    """Blocks compute tiles of the product; all threads of a block pass every barrier."""
    height, width, inner = (source.length(d) for d in step.sizes)
    tiles = _Tiles(source, step.node.dtype)
    batch = [source.index(k) for k in range(len(step.batch))]
    row, column, across, below = (source.index(len(batch) + k) for k in range(4))
    y, x, down, along, matrix, first, k = (
        source.unique(n) for n in ("y", "x", "down", "along", "matrix", "first", "k")
    )
    source.line(f"{y} = thread // {TILE}")
    source.line(f"{x} = thread % {TILE}")
    source.line(f"{down} = ({height} + {TILE - 1}) // {TILE}")
    source.line(f"{along} = ({width} + {TILE - 1}) // {TILE}")
    with source.block(f"for entry in range(block, {source.size(count(step.batch))}*{down}*{along}, blocks):"):
        if batch:
            source.line(f"{matrix} = entry // ({down}*{along})")
            source.split(matrix, batch, [count([d]) for d in step.batch])
        source.line(f"{row} = entry // {along} % {down}*{TILE} + {y}")
        source.line(f"{column} = entry % {along}*{TILE} + {x}")
        total = _begin(source, step)
        with source.block(f"for {first} in range(0, {inner}, {TILE}):"):
            source.line(f"{across} = {first} + {x}")
            source.line(f"{below} = {first} + {y}")
            left, right = _load(source, step.a, batch, row, across), _load(source, step.b, batch, below, column)
            tiles.load(0, (y, x), left, f"{row} < {height} and {across} < {inner}")
            tiles.load(1, (y, x), right, f"{below} < {inner} and {column} < {width}")
            source.barrier()
            with source.block(f"for {k} in range({TILE}):"):
                _add_product(source, step, total, tiles.entry(0, y, k), tiles.entry(1, k, x))
            source.barrier()
        with source.block(f"if {row} < {height} and {column} < {width}:"):
            _store(source, step, batch, row, column, total)


class _Tiles:
    """The tiles of both operands in shared memory."""

    def __init__(self, source: KernelSource, dtype: str) -> None:
        self._source = source
        self._dtype = _value_dtype(dtype)
        self._names = [source.unique("left"), source.unique("right")]
        for name in self._names:
            source.line(f"{name} = cuda.shared.array(({TILE}, {TILE}), {self._dtype})")

    def entry(self, number: int, row: str, column: str) -> str:
        """The text of an entry of the left (0) or the right (1) tile."""
        return f"{self._names[number]}[{row}, {column}]"

    def load(self, number: int, place: tuple[str, str], text: str, inside: str) -> None:
        """One entry per thread, and 0 beyond the edges."""
        with self._source.block(f"if {inside}:"):
            self._source.line(f"{self.entry(number, *place)} = {text}")
        with self._source.block("else:"):
            self._source.line(f"{self.entry(number, *place)} = {self._source.literal(0, self._dtype)}")


def _value_dtype(dtype: str) -> str:
    """The dtype in which a product is added up: small integers and bools as they are outside of memory."""
    return "int64" if dtype in ("bool", "uint8") else dtype


def _entries(step: MatMul) -> Count:
    return count((*step.batch, *step.sizes[:2]))


def _begin(source: KernelSource, step: MatMul) -> str:
    total = source.local()
    source.line(f"{total} = {source.literal(0, _value_dtype(step.node.dtype))}  # {source.about(step.node)}")
    return total


def _add_product(source: KernelSource, step: MatMul, total: str, left: str, right: str) -> None:
    dtype = step.node.dtype
    if dtype in SUFFIX:
        source.line(f"{total} = cuda.fma({left}, {right}, {total})")
    elif dtype == "bool":
        source.line(f"{total} = {total} | ({left} & {right})")
    else:
        source.line(f"{total} = {combine('sum', dtype)(total, f'{left} * {right}')}")


def _load(source: KernelSource, matrix: Matrix, batch: Sequence[str], row: str, column: str) -> str:
    return source.load(matrix.buffer, *_walk(matrix, (*batch, row, column)))


def _store(source: KernelSource, step: MatMul, batch: Sequence[str], row: str, column: str, total: str) -> None:
    source.store(step.out.buffer, *_walk(step.out, (*batch, row, column)), total)


def _walk(matrix: Matrix, indices: Sequence[str]) -> tuple[list[Count], list[str]]:
    """Strides and indices along the axes that are longer than 1; the others have no index."""
    pairs = [(s, i) for s, i in zip((*matrix.batch, *matrix.strides), indices, strict=True) if i]
    return [s for s, _ in pairs], [i for _, i in pairs]
