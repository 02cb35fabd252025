"""Where the operands of a matrix product lie, as text."""

from __future__ import annotations

from graphlearn.backends import rows
from graphlearn.backends.source import Source
from graphlearn.program.counts import ONE, Count, count
from graphlearn.program.steps import Length, Literal, Load, Matrix, Value
from graphlearn.types import Dim


def start(source: Source, matrix: Matrix, indices: list[str]) -> tuple[str, str]:
    """Pointer and first element of the matrix at the batch indices."""
    pointer, start = source.place(matrix.buffer)
    terms = [start or "0"]
    terms += [source.steps(i, s) for i, s in zip(indices, matrix.batch, strict=True) if s.factor]
    return pointer, " + ".join(terms)


def layout(matrix: Matrix, size: tuple[Dim, Dim]) -> tuple[int, Count]:
    """Whether the matrix lies transposed, and the elements from one of its lines to the next."""
    (by_row, by_column), (height, width) = matrix.strides, size
    if by_column == ONE or width == 1:
        return 0, by_row if height != 1 else count([width])
    return 1, by_column if width != 1 else count([height])


def number(source: Source, value: Value) -> str:
    """A value that is the same for all entries."""
    if isinstance(value, Literal | Length):
        return source.constant(value)
    if isinstance(value, Load):
        return source.load(value.buffer, value.strides, ["0"] * len(value.strides), value.offset)
    texts, given = [number(source, v) for v in value.operands], value.operands[0].dtype
    if value.op == "cast":
        return rows.convert(texts[0], given, value.dtype, source.literal)
    return rows.expression(value.op, value.dtype, texts, source.literal)
