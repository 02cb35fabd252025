"""Products that are added to the array that they update: ``p - rate * (a @ b)`` in one pass over ``p``.

A library writes ``p + scale * (a @ b)`` into ``p``. Where the gradient of a parameter is a product that nothing but its
update reads, the gradient needs no array and the update no loop. ``keep * p + ...`` is left alone: the library walks
through ``p`` first to multiply it, which costs what it saves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from graphlearn.program.counts import ZERO, row_major
from graphlearn.program.steps import Accumulation, Buffer, Compute, FusedLoop, Literal, Load, MatMul, Step, Store, Value
from graphlearn.program.uses import reads_of, same_entries, writes_of


def accumulate(steps: Sequence[Step], first_update: int, worth: Callable[[MatMul], bool]) -> tuple[list[Step], int]:
    """Let products write into the arrays that they update.

    Args:
        steps: of a training program; each value is written once, each parameter and state by one update.
        first_update: where the updates begin.
        worth: whether a product is one that a library computes, in place where it is asked to.

    Returns:
        The steps, and where the updates begin.
    """
    result = list(steps)
    for product in [step for step in steps[:first_update] if isinstance(step, MatMul) and worth(step)]:
        users = [step for step in result if product.out.buffer in reads_of(step)]
        if len(users) == 1 and isinstance(users[0], FusedLoop) and result.index(users[0]) >= first_update:
            found = _joined(product, users[0], result[first_update:])
            if found:
                result.remove(product)
                first_update -= 1
                at = result.index(users[0])
                result[at : at + 1] = found
    return result, first_update


def _joined(product: MatMul, update: FusedLoop, updates: Sequence[Step]) -> list[Step]:
    """The product as an update of its own, and what is left of the loop; empty where it cannot be."""
    gradient = product.out.buffer
    written = {b for step in updates for b in writes_of(step)}
    plain = not product.batch and (*product.out.strides,) == row_major(gradient.shape)
    if not plain or update.reductions or not written.isdisjoint({product.a.buffer, product.b.buffer}):
        return []
    for store in update.stores:
        target = store.buffer
        scale = _scale(store.value, target, gradient) if _fits(store, target, gradient, update) else None
        if scale is None:
            continue
        rest = _without(update, store)
        left = [v for v in (rest.body if rest else ()) if isinstance(v, Load)]
        if any(v.buffer is gradient or (v.buffer is target and v in update.body) for v in left):
            continue  # something else needs the gradient, or the value of the beginning
        node = update.nodes[update.stores.index(store)] if len(update.nodes) == len(update.stores) else product.node
        matrix = replace(product.out, buffer=target)
        into = Accumulation(scale, node)
        return [replace(product, out=matrix, into=into), *([rest] if rest else [])]
    return []


def _fits(store: Store, target: Buffer, gradient: Buffer, update: FusedLoop) -> bool:
    """Whether a loop goes through target and gradient entry by entry."""
    straight = target.role == "kept" and target.shape == gradient.shape and target.dtype == gradient.dtype
    places = [(store.strides, store.offset)]
    places += [(v.strides, v.offset) for v in update.body if isinstance(v, Load) and v.buffer in (target, gradient)]
    return straight and all(not offset and same_entries(strides, target, update.axes) for strides, offset in places)


def _scale(value: Value, target: Buffer, gradient: Buffer) -> Value | None:
    """``scale`` of ``target + scale * gradient``, where the value is that."""
    if not isinstance(value, Compute) or value.op not in ("add", "sub"):
        return None
    first, second = value.operands
    if value.op == "add" and _is_load(second, target):
        first, second = second, first
    scale = _factor(second, gradient, value) if _is_load(first, target) else None
    return _negative(scale, value) if scale is not None and value.op == "sub" else scale


def _is_load(value: Value, array: Buffer) -> bool:
    return isinstance(value, Load) and value.buffer is array


def _factor(value: Value, array: Buffer, whole: Compute) -> Value | None:
    """The number by which a value is the array; None where it is not that."""
    if _is_load(value, array):
        return Literal(1.0, whole.dtype)
    if not isinstance(value, Compute) or value.dtype != whole.dtype:
        return None
    if value.op == "neg":
        inner = _factor(value.operands[0], array, whole)
        return None if inner is None else _negative(inner, whole)
    if value.op == "mul":
        for number, rest in (value.operands, value.operands[::-1]):
            inner = _factor(rest, array, whole) if _is_number(number) else None
            if inner is not None:
                unit = isinstance(inner, Literal) and inner.value == 1.0
                return number if unit else Compute("mul", (number, inner), whole.dtype, value.node)
    return None


def _is_number(value: Value) -> bool:
    """Whether a value is the same for all entries."""
    if isinstance(value, Load):
        return all(s == ZERO for s in value.strides)
    return all(_is_number(v) for v in value.operands) if isinstance(value, Compute) else True


def _negative(value: Value, whole: Compute) -> Value:
    if isinstance(value, Literal):
        return Literal(-value.value, value.dtype)
    return Compute("neg", (value,), whole.dtype, whole.node)


def _without(update: FusedLoop, store: Store) -> FusedLoop | None:
    """The loop after one of its stores has been made: it reads the new value; None where nothing is left."""
    stores = [s for s in update.stores if s is not store]
    if not stores:
        return None
    made: dict[Value, Value] = {store.value: Load(store.buffer, store.strides)}
    body: list[Value] = []
    for value in update.body:
        if value is store.value:
            body.append(made[value])
        elif isinstance(value, Compute) and any(v in made for v in value.operands):
            made[value] = replace(value, operands=tuple(made.get(v, v) for v in value.operands))
            body.append(made[value])
        else:
            body.append(value)
    left = tuple(replace(s, value=made.get(s.value, s.value)) for s in stores)
    needed: set[Value] = {s.value for s in left}
    for value in reversed(body):
        if value in needed and isinstance(value, Compute):
            needed.update(value.operands)
    nodes = tuple(n for s, n in zip(update.stores, update.nodes, strict=False) if s is not store)
    return replace(update, body=tuple(v for v in body if v in needed), stores=left, nodes=nodes)
