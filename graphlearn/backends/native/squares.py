"""Parts of rows and squares of entries: what a matrix product on lanes needs beside loads and stores, as intrinsics.

Names say on what they work, as those of `lanes` do, and are made when a source mentions them (`square_intrinsics`).
"""

from __future__ import annotations

import functools
import re
from typing import Any

from graphlearn.backends.native.kinds import INT64, LANE_KINDS, VOID, Intrinsic, Kind, llvm_type, pointer_to, simple

_NAME = re.compile(r"\b(part|turn)_(f32|f64)x(\d+)(?:_(\d+))?(?:_(\d+))?\b")


def square_intrinsics(source: str) -> dict[str, Intrinsic]:
    """The functions of this module that a source mentions, by name."""
    found = {match.group(0): match for match in _NAME.finditer(source)}
    return {name: _function(name, *match.groups()) for name, match in found.items()}


def _function(name: str, verb: str, kind: str, count: str, first: str | None, second: str | None) -> Intrinsic:
    lanes = Kind(LANE_KINDS[kind], int(count))
    if verb == "part":
        return _part(name, lanes, int(first or count))
    return _turn(name, lanes, int(first or count), int(second or count))


@functools.cache
def _part(name: str, kind: Kind, number: int) -> Intrinsic:
    """``part_number(p, at)``: so many entries side by side, and zeros in the other lanes; nothing else is read."""

    def emit(builder: Any, pointer: Any, at: Any) -> Any:
        return load_part(builder, kind, builder.gep(pointer, [at]), number)

    return simple(name, (pointer_to(kind), INT64), kind, emit)


def load_part(builder: Any, kind: Kind, address: Any, number: int) -> Any:
    """So many entries from an address on, and zeros in the other lanes."""
    from llvmlite import ir

    if number == 1:  # not a vector of one lane, on which some of LLVM's passes stumble
        first = builder.load(address)
        return builder.insert_element(ir.Constant(llvm_type(kind), [0.0] * kind.lanes), first, ir.IntType(32)(0))
    short = llvm_type(Kind(kind.name, number))
    load = builder.load(builder.bitcast(address, short.as_pointer()))
    load.align = kind.bits // 8
    if number == kind.lanes:
        return load
    picks = [k if k < number else number for k in range(kind.lanes)]
    zeros = ir.Constant(short, [0.0] * number)
    return builder.shuffle_vector(load, zeros, ir.Constant(ir.VectorType(ir.IntType(32), kind.lanes), picks))


def store_part(builder: Any, kind: Kind, address: Any, number: int, value: Any) -> None:
    """The first lanes, stored from an address on."""
    from llvmlite import ir

    if number == 1:
        builder.store(builder.extract_element(value, ir.IntType(32)(0)), address)
        return
    if number < kind.lanes:
        first = ir.Constant(ir.VectorType(ir.IntType(32), number), list(range(number)))
        value = builder.shuffle_vector(value, value, first)
    builder.store(value, builder.bitcast(address, value.type.as_pointer())).align = kind.bits // 8


@functools.cache
def _turn(name: str, kind: Kind, height: int, width: int) -> Intrinsic:
    """``turn_height_width(p, at, step, q, to, stride)``: a block of at most a square, written transposed.

    Row ``i`` is read from ``p[at + i step]`` on, and column ``j`` written from ``q[to + j stride]`` on; no other entry
    is touched. Without lengths both are as many as there are lanes. The first half of the rows is interleaved with the
    second, log2(n) times; then entry ``(i, j)`` stands at ``(j, i)``.
    """

    def emit(builder: Any, pointer: Any, at: Any, step: Any, target: Any, to: Any, stride: Any) -> None:
        from llvmlite import ir

        rows = [load_part(builder, kind, _entry(builder, pointer, at, step, k), width) for k in range(height)]
        rows += [ir.Constant(llvm_type(kind), ir.Undefined)] * (kind.lanes - height)
        for _ in range(kind.lanes.bit_length() - 1):
            rows = _interleaved(builder, kind, rows)
        for k, row in enumerate(rows[:width]):
            store_part(builder, kind, _entry(builder, target, to, stride, k), height, row)

    whole = pointer_to(kind)
    return simple(name, (whole, INT64, INT64, whole, INT64, INT64), VOID, emit)


def _entry(builder: Any, pointer: Any, at: Any, step: Any, number: int) -> Any:
    return builder.gep(pointer, [builder.add(at, builder.mul(step, step.type(number)))])


def _interleaved(builder: Any, kind: Kind, rows: list[Any]) -> list[Any]:
    from llvmlite import ir

    half, lanes = len(rows) // 2, kind.lanes
    numbers = ir.VectorType(ir.IntType(32), lanes)
    picks = [[first + k // 2 + k % 2 * lanes for k in range(lanes)] for first in (0, lanes // 2)]
    pairs = [(rows[i], rows[i + half], chosen) for i in range(half) for chosen in picks]
    return [builder.shuffle_vector(a, b, ir.Constant(numbers, chosen)) for a, b, chosen in pairs]
