"""The steps of a training program that treat each row of the batch by itself, as one step over tiles of rows.

A network without a barrier across the batch computes forward and backward for a few rows at a time, all values of a
tile in registers; only sums over the batch leave the tile.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from graphlearn.program.counts import Count, count
from graphlearn.program.steps import (
    Buffer,
    Compute,
    FusedLoop,
    Gather,
    Length,
    Load,
    MatMul,
    Matrix,
    Reduce,
    Routine,
    RowPass,
    Step,
    Store,
    Tile,
)
from graphlearn.program.uses import operands_first, reads_of, writes_of
from graphlearn.types import Dim


def gather_tile(steps: Sequence[Step], axis: str, updates: Collection[Step]) -> list[Step] | str:
    """Put all steps over rows of the batch into one `Tile`.

    Args:
        steps: of a training program whose batch axis is free.
        axis: that axis.
        updates: those of them that must come after the loss.

    Returns:
        The steps: what needs no row, the tile, and what comes after the sums over rows; or why there can be no tile.
    """
    inside = [step for step in steps if _has_axis(step, axis)]
    obstacle = next(
        filter(None, (_obstacle(step, axis) for step in inside)), "" if inside else "no step goes over rows"
    )
    if obstacle:
        return obstacle
    before, after = list[Step](), list[Step]()
    late = {b for step in inside for b in writes_of(step) if axis not in b.shape}
    for step in (part for whole in steps for part in ([whole] if whole in updates else _apart(whole, axis, late))):
        if _has_axis(step, axis):
            if any(b in late for b in reads_of(step)):
                return "a row needs a sum over all rows"
        elif step not in updates and late.isdisjoint((*reads_of(step), *writes_of(step))):
            before.append(step)
        else:
            after.append(step)
            late.update(writes_of(step))
    return [*before, Tile(axis, tuple(inside)), *after]


def _apart(step: Step, axis: str, late: Collection[Buffer]) -> list[Step]:
    """A loop without rows as two, what needs no sum over rows and what does: a row may need the first alone."""
    if not isinstance(step, FusedLoop) or _has_axis(step, axis):
        return [step]
    needing = {v for v in step.body if isinstance(v, Load) and v.buffer in late}
    results: list[Store | Reduce] = [*step.stores, *step.reductions]
    bound = {r.buffer for r in results if not needing.isdisjoint(operands_first([r.value]))}
    if len(bound) in (0, len({r.buffer for r in results})):
        return [step]
    return [_part(step, {r.buffer for r in results} - bound), _part(step, bound)]


def _part(step: FusedLoop, buffers: Collection[Buffer]) -> FusedLoop:
    """The same loop for some of its results."""
    stores = tuple(s for s in step.stores if s.buffer in buffers)
    reductions = tuple(r for r in step.reductions if r.buffer in buffers)
    needed = set(operands_first([*(s.value for s in stores), *(r.value for r in reductions)]))
    others = {b.node for b in writes_of(step) if b not in buffers}
    return replace(
        step,
        body=tuple(v for v in step.body if v in needed),
        stores=stores,
        reductions=reductions,
        nodes=tuple(node for node in step.nodes if node not in others),
    )


def row_obstacle(steps: Sequence[Step], axis: str) -> str:
    """Why a function cannot be computed for some rows at a time; empty where no row needs another one.

    Args:
        steps: of its program.
        axis: the axis of the rows.
    """
    single = {b for step in steps if isinstance(step, RowPass) for b in step.single}
    for step in _one_after_another(steps):
        if isinstance(step, FusedLoop) and any(isinstance(v, Length) and v.axis == axis for v in step.body):
            return "the number of rows is part of the result"
        if not _has_axis(step, axis):
            continue
        obstacle = _obstacle(step, axis, single)
        if obstacle or any(axis not in b.shape and b not in single for b in writes_of(step)):
            return obstacle or f"{step.nodes[0].op.name} joins the rows"
    return ""


def _one_after_another(steps: Sequence[Step]) -> Iterator[Step]:
    """The same with products and what is joined to them, and with the loops of passes, as they were before."""
    for step in steps:
        if isinstance(step, MatMul) and step.blocks:
            yield replace(step, blocks=None)
            yield from [step.then] if step.then else []
        elif isinstance(step, RowPass):
            yield from step.loops
        else:
            yield step


def _has_axis(step: Step, axis: str) -> bool:
    return any(axis in b.shape for b in (*reads_of(step), *writes_of(step))) or (
        isinstance(step, FusedLoop) and axis in step.axes
    )


def _obstacle(step: Step, axis: str, single: Collection[Buffer] = ()) -> str:
    """Why a step cannot go row by row; empty where it can; ``single`` holds one row already."""
    name = step.nodes[0].op.name if step.nodes else type(step).__name__.lower()
    if isinstance(step, Gather):
        return ""
    if isinstance(step, Routine) or not isinstance(step, FusedLoop | MatMul):
        return f"{name} takes the whole batch"
    if any(b.shape.count(axis) > 1 for b in (*reads_of(step), *writes_of(step))):
        return f"{name} has the batch on two axes"
    return (
        _loop_obstacle(step, axis, name, single) if isinstance(step, FusedLoop) else _product_obstacle(step, axis, name)
    )


def _loop_obstacle(step: FusedLoop, axis: str, name: str, single: Collection[Buffer]) -> str:
    if step.axes.count(axis) != 1:
        return f"{name} has the batch on no axis of its loop, or on two"
    row = step.axes.index(axis)
    places = [(v.buffer, v.strides, v.offset) for v in step.body if isinstance(v, Load)]
    places += [(s.buffer, s.strides, s.offset) for s in step.stores]
    places += [(r.buffer, r.strides, ()) for r in step.reductions]
    if not all(
        _follows(b, axis, strides[row], [*strides[:row], *strides[row + 1 :], *offset]) for b, strides, offset in places
    ):
        return f"{name} goes through the rows in an order of its own"
    if any(axis not in s.buffer.shape and s.buffer not in single for s in step.stores) or any(
        row not in r.kept and r.op != "sum" for r in step.reductions
    ):
        return f"{name} is no sum over the rows"
    return ""


def _product_obstacle(step: MatMul, axis: str, name: str) -> str:
    lengths = [*step.sizes, *step.batch]
    if lengths.count(axis) != 1:
        return f"{name} has the batch on no axis of its product, or on two"
    walks = zip((step.a, step.b, step.out), _lengths(step), strict=True)
    return (
        ""
        if all(_walks(matrix, own, axis) for matrix, own in walks)
        else f"{name} goes through the rows in an order of its own"
    )


def _lengths(step: MatMul) -> list[tuple[Dim, ...]]:
    rows, columns, inner = step.sizes
    return [(*step.batch, rows, inner), (*step.batch, inner, columns), (*step.batch, rows, columns)]


def _walks(matrix: Matrix, lengths: tuple[Dim, ...], axis: str) -> bool:
    strides = (*matrix.batch, *matrix.strides)
    along = [s for s, d in zip(strides, lengths, strict=True) if d == axis]
    others = [s for s, d in zip(strides, lengths, strict=True) if d != axis]
    return _follows(matrix.buffer, axis, along[0] if along else Count(0), others)


def _follows(buffer: Buffer, axis: str, row: Count, others: Sequence[Count]) -> bool:
    """Whether an access takes the entries of one row of a buffer, one row after the other."""
    if axis not in buffer.shape:
        return row == Count(0) and all(s.is_literal for s in others)
    width = count(buffer.shape[buffer.shape.index(axis) + 1 :]).factor
    if row != Count(width):
        return False
    return all(s.is_literal or (s.axes == (axis,) and s.factor % width == 0) for s in others)


def row_size(buffer: Buffer, axis: str) -> int:
    """Entries of one row."""
    return count([d for d in buffer.shape if d != axis]).factor


def operations(tile: Tile) -> int:
    """How many operations on all lanes a tile takes, about."""
    return sum(_operations(step, tile.axis) for step in tile.steps)


def _operations(step: Step, axis: str) -> int:
    if isinstance(step, FusedLoop):
        each = sum(isinstance(v, Compute) for v in step.body) + len(step.stores) + len(step.reductions)
        return each * count([d for d in step.axes if d != axis]).factor
    if isinstance(step, MatMul):
        return count([d for d in (*step.batch, *step.sizes) if d != axis]).factor
    return row_size(step.out, axis) if isinstance(step, Gather) else 0
