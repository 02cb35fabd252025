"""A `MatMul` as text: a call of the matrix-product library, or plain loops where the call would cost more."""

from __future__ import annotations

from graphlearn.backends import rows
from graphlearn.backends.numba.blocks import write_blocks
from graphlearn.backends.numba.operands import layout, number, start
from graphlearn.backends.source import Source
from graphlearn.program.counts import ONE, Count, count
from graphlearn.program.steps import MatMul, Matrix

_GUESS = 32  # length of a free axis without capacity, where loops and library are weighed
_SMALL = 512  # multiplications up to which loops win over a call (about 0.15 us)
_SHORT = 32  # length of a row up to which the library does not pay for a single column
_UPDATED = 1 << 14  # entries from which an update is a matter of memory
_LONG = 1 << 17  # entries of a matrix from which a library's product with one vector beats its product of matrices
_WIDE = 8  # columns from which the innermost loop runs along a row of the result


def write_product(source: Source, step: MatMul) -> None:
    """Write a matrix product, for each matrix of the batch."""
    indices = [source.index(k) for k in range(len(step.batch))]
    lengths = [count([d]) for d in step.batch]
    with source.loops(list(zip(indices, lengths, strict=True))):
        if step.blocks:
            write_blocks(source, step, indices)
            return
        places = [start(source, m, indices) for m in (step.out, step.a, step.b)]
        large = _multiplications(source, step) > _SMALL and not _has_short_rows(step) and step.sizes[2] != 1
        if source.library and step.node.dtype in rows.SUFFIX and large:
            (_write_vector_call if _has_vector(step) else _write_call)(source, step, places)
        else:
            _write_loops(source, step, places, len(indices))


def _multiplications(source: Source, step: MatMul) -> int:
    product = 1
    for dim in step.sizes:
        product *= dim if isinstance(dim, int) else source.program.capacity.get(dim, _GUESS)
    return product


def _has_short_rows(step: MatMul) -> bool:
    """A matrix of short rows times a vector: a loop takes half the time of the library."""
    _, width, inner = step.sizes
    return width == 1 and isinstance(inner, int) and inner <= _SHORT and step.a.strides[1] == ONE


def _has_vector(step: MatMul) -> bool:
    """A large matrix times one row or column that steps through memory."""
    height, width, inner = step.sizes
    entries = count([height, width, inner])
    vector = step.a.strides[1] if height == 1 else step.b.strides[0]
    alone = (height == 1) != (width == 1)
    return alone and entries.is_literal and entries.factor >= _LONG and vector.is_literal and vector.factor > 0


def _leading(source: Source, stride: Count) -> str:
    text = source.size(stride)
    return text if stride.is_literal and stride.factor > 0 else f"max({text}, 1)"


def _write_call(source: Source, step: MatMul, places: list[tuple[str, str]]) -> None:
    height, width, inner = step.sizes
    (c, c_at), (a, a_at), (b, b_at) = places
    suffix = rows.SUFFIX[step.node.dtype]
    scale = _scale(source, step)
    keep = source.literal(0 if step.into is None else 1, step.node.dtype)
    left, lda = layout(step.a, (height, inner))
    right, ldb = layout(step.b, (inner, width))
    m, n, k = (source.length(d) for d in step.sizes)
    source.line(
        f"gemm_{suffix}({left}, {right}, {m}, {n}, {k}, {scale}, {a}, {a_at}, {_leading(source, lda)}, "
        f"{b}, {b_at}, {_leading(source, ldb)}, {keep}, {c}, {c_at}, {_leading(source, count([width]))})"
        f"{source.aside(step.node, always=True)}"
    )


def _write_vector_call(source: Source, step: MatMul, places: list[tuple[str, str]]) -> None:
    height, width, inner = step.sizes
    out, left, right = places
    if height == 1:  # out = b.T @ a, entry by entry
        (x, x_at), stride, (a, a_at) = left, step.a.strides[1], right
        lies, lda = layout(step.b, (inner, width))
        trans, shape = 1 - lies, (width, inner) if lies else (inner, width)
    else:
        (a, a_at), (x, x_at), stride = left, right, step.b.strides[0]
        trans, lda = layout(step.a, (height, inner))
        shape = (inner, height) if trans else (height, inner)
    keep = source.literal(0 if step.into is None else 1, step.node.dtype)
    m, n = (source.length(d) for d in shape)
    source.line(
        f"gemv_{rows.SUFFIX[step.node.dtype]}({trans}, {m}, {n}, {_scale(source, step)}, {a}, {a_at}, "
        f"{_leading(source, lda)}, {x}, {x_at}, {source.size(stride)}, {keep}, {out[0]}, {out[1]}, 1)"
        f"{source.aside(step.node, always=True)}"
    )


def accumulates(step: MatMul) -> bool:
    """Whether the library is to add a product to the array that it updates: where that array fills many cache lines."""
    height, width, _ = step.sizes
    large = isinstance(height, int) and isinstance(width, int) and width > 1 and height * width >= _UPDATED
    return large and step.node.dtype in rows.SUFFIX


def _scale(source: Source, step: MatMul) -> str:
    """By what the product is multiplied."""
    return source.literal(1, step.node.dtype) if step.into is None else number(source, step.into.scale)


def _write_loops(source: Source, step: MatMul, places: list[tuple[str, str]], depth: int) -> None:
    height, width, inner = (count([d]) for d in step.sizes)
    i, j, k = (source.index(depth + n) for n in range(3))
    if not source.is_annotated:
        source.line(f"# {source.about(step.node)}")
    dtype = step.node.dtype
    total = _entry(source, places[0], step.out, i, j)
    left, right = _value(source, places[1], step.a, i, k), _value(source, places[2], step.b, k, j)
    product = rows.multiplied(left, right, dtype)
    add, start = rows.combine("sum", dtype), source.literal(rows.start_of("sum", dtype), dtype)
    with source.loops([(i, height)]):
        if step.b.strides[1] == ONE and width.is_literal and width.factor >= _WIDE and dtype in rows.SUFFIX:
            if step.into is None:
                with source.loops([(j, width)]):
                    source.line(f"{total} = {start}")
            term = product if step.into is None else f"{_scale(source, step)} * ({product})"
            with source.loops([(k, inner), (j, width)]):
                source.line(f"{total} = {total} + {term}")
            return
        with source.loops([(j, width)]):
            running = source.local()
            source.line(f"{running} = {start}")
            with source.loops([(k, inner)]):
                source.line(f"{running} = {add(running, product)}")
            sum_ = running if step.into is None else f"{total} + {_scale(source, step)} * {running}"
            source.line(f"{total} = {sum_}")


def _entry(source: Source, place: tuple[str, str], matrix: Matrix, row: str, column: str) -> str:
    pointer, start = place
    terms = [] if start == "0" else [start]
    for index, stride in zip((row, column), matrix.strides, strict=True):
        if stride.factor:
            terms.append(source.steps(index, stride))
    return f"{pointer}[{' + '.join(terms) or '0'}]"


def _value(source: Source, place: tuple[str, str], matrix: Matrix, row: str, column: str) -> str:
    text = _entry(source, place, matrix, row, column)
    if matrix.buffer.dtype == "bool":
        return f"({text} != 0)"
    return f"int64({text})" if matrix.buffer.dtype == "uint8" else text
