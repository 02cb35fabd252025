"""Values of several lanes, one number in each: the explicit vectors of generated source, as intrinsics and operators.

A name says what it does and on what: ``load_f32x16`` reads sixteen float32. Names are made when a source mentions them
(`lane_intrinsics`). Arithmetic and comparisons are Python's operators; a number beside lanes stands in all of them.
Nothing here depends on how wide the machine's vectors are: LLVM splits what is too wide.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

from graphlearn.backends.native.kinds import (
    INT64,
    LANE_KINDS,
    VOID,
    Call,
    Intrinsic,
    Kind,
    Mismatch,
    llvm_type,
    pointer_to,
    simple,
)
from graphlearn.backends.native.machine import CONTRACT

_NAME = re.compile(
    r"\b(load|store|put|lane|splat|rows|take|live|select|total|real|every|weave|room)_(f32|f64|i64|i1)x(\d+)((?:_\d+)*)\b"
)


def lane_intrinsics(source: str) -> dict[str, Intrinsic]:
    """The functions of this module that a source mentions, by name."""
    found = {match.group(0): match for match in _NAME.finditer(source)}
    return {name: _function(*match.groups()) for name, match in found.items()}


def splat(builder: Any, value: Any, count: int) -> Any:
    """A number in all lanes."""
    from llvmlite import ir

    kind = ir.VectorType(value.type, count)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    return _shuffle(builder, first, first, [0] * count)


def widened(builder: Any, kind: Kind, given: Kind, value: Any) -> Any:
    """A value of kind ``given`` as one of ``kind``: a number beside lanes stands in all of them."""
    if given.lanes or not kind.lanes:
        return value
    if kind.name == "bool" and value.type.width != 1:
        value = builder.icmp_signed("!=", value, value.type(0))
    return splat(builder, value, kind.lanes)


def _shuffle(builder: Any, a: Any, b: Any, picks: Sequence[int]) -> Any:
    from llvmlite import ir

    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), len(picks)), list(picks)))


# --- operators -------------------------------------------------------------------------------------------------------

_ARITHMETIC = {"add": "add", "sub": "sub", "mul": "mul", "truediv": "div"}
_COMPARISONS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
_LOGIC = ("and_", "or_")
# name in Python's module `operator` -> operands
LANE_OPERATORS = {**dict.fromkeys([*_ARITHMETIC, *_COMPARISONS, *_LOGIC], 2), "neg": 1, "invert": 1}


def lane_operation(name: str, *given: Kind) -> Call:
    """What an operator does on lanes, beside which a number stands in all of them.

    Args:
        name: a key of `LANE_OPERATORS`.
        *given: the kinds of the operands, of which one at least has lanes.

    Raises:
        Mismatch: the kinds do not fit together.
    """
    kind = next(k for k in given if k.lanes)
    if not all(k in (kind, kind.single) for k in given):
        raise Mismatch(f"{name} has no meaning for {' and '.join(map(str, given))}.")

    def emit(builder: Any, *values: Any) -> Any:
        raw = [widened(builder, kind, *pair) for pair in zip(given, values, strict=True)]
        if name in _ARITHMETIC:
            return _arithmetic(_ARITHMETIC[name], builder, kind, *raw)
        if name in _COMPARISONS:
            return _comparison(_COMPARISONS[name], builder, kind, *raw)
        return getattr(builder, {"neg": "fneg", "invert": "not_"}.get(name, name))(*raw)

    return Call(given, Kind("bool", kind.lanes) if name in _COMPARISONS else kind, emit)


def _arithmetic(name: str, builder: Any, kind: Kind, a: Any, b: Any) -> Any:
    if kind.is_float:
        return getattr(builder, f"f{name}")(a, b, flags=CONTRACT)
    return getattr(builder, name)(a, b)


def _comparison(sign: str, builder: Any, kind: Kind, a: Any, b: Any) -> Any:
    if kind.is_float:
        return builder.fcmp_unordered(sign, a, b) if sign == "!=" else builder.fcmp_ordered(sign, a, b)
    return builder.icmp_signed(sign, a, b)


# --- functions -------------------------------------------------------------------------------------------------------


def _function(verb: str, kind: str, count: str, rest: str) -> Intrinsic:
    numbers = [int(text) for text in rest.split("_") if text]
    name = f"{verb}_{kind}x{count}{rest}"
    return _VERBS[verb](name, Kind(LANE_KINDS[kind], int(count)), *numbers)


@functools.cache
def _load(name: str, kind: Kind) -> Intrinsic:
    """``load(p, at)``: entries side by side."""

    def emit(builder: Any, pointer: Any, at: Any) -> Any:
        result = builder.load(_place(builder, pointer, at, kind))
        result.align = kind.bits // 8
        return result

    return simple(name, (pointer_to(kind), INT64), kind, emit)


def _place(builder: Any, pointer: Any, at: Any, kind: Kind) -> Any:
    return builder.bitcast(builder.gep(pointer, [at]), llvm_type(kind).as_pointer())


@functools.cache
def _store(name: str, kind: Kind) -> Intrinsic:
    """``store(p, at, v)``: all lanes, side by side."""
    return _put(name, kind, 0, kind.lanes)


@functools.cache
def _put(name: str, kind: Kind, first: int, number: int) -> Intrinsic:
    """``put_first_number(p, at, v)``: so many lanes from ``first`` on."""

    def emit(builder: Any, pointer: Any, at: Any, value: Any) -> None:
        if number == 1:  # not a vector of one lane, on which some of LLVM's passes stumble
            builder.store(builder.extract_element(value, _index(first)), builder.gep(pointer, [at]))
            return
        part = value if number == kind.lanes else _shuffle(builder, value, value, range(first, first + number))
        builder.store(part, _place(builder, pointer, at, Kind(kind.name, number))).align = kind.bits // 8

    return simple(name, (pointer_to(kind), INT64, kind), VOID, emit)


@functools.cache
def _lane(name: str, kind: Kind, number: int) -> Intrinsic:
    """``lane_k(v)``: the number in a lane."""

    def emit(builder: Any, value: Any) -> Any:
        return builder.extract_element(value, _index(number))

    return simple(name, (kind,), kind.single, emit)


def _index(number: int) -> Any:
    from llvmlite import ir

    return ir.Constant(ir.IntType(32), number)


def _undefined(kind: Kind) -> Any:
    from llvmlite import ir

    return ir.Constant(llvm_type(kind), ir.Undefined)


@functools.cache
def _splat(name: str, kind: Kind) -> Intrinsic:
    """``splat(x)``: a number in all lanes."""

    def emit(builder: Any, value: Any) -> Any:
        return widened(builder, kind, kind.single, value)

    return simple(name, (kind.single,), kind, emit)


@functools.cache
def _rows(name: str, kind: Kind) -> Intrinsic:
    """``rows(order, first, last, width)``: where the rows ``order[first]``, ... begin; none is read beyond ``last``."""
    result = Kind("int64", kind.lanes)

    def emit(builder: Any, order: Any, first: Any, last: Any, width: Any) -> Any:
        lanes = _undefined(result)
        for k in range(kind.lanes):
            at = builder.add(first, first.type(k))
            at = builder.select(builder.icmp_signed("<", at, last), at, last)
            row = builder.mul(builder.load(builder.gep(order, [at])), width)
            lanes = builder.insert_element(lanes, row, _index(k))
        return lanes

    return simple(name, (pointer_to(INT64), INT64, INT64, INT64), result, emit)


@functools.cache
def _take(name: str, kind: Kind, number: int | None = None) -> Intrinsic:
    """``take(p, where, j)``: the entries ``p[where[k] + j]``, one by one: faster than a gather instruction.

    ``take_i(p, where, j)``: the entries ``p[where[k] + j + i]``, where each row is read as a block of four from ``j``
    on: what is read for one of the four serves for all, since LLVM reads nothing twice.
    """

    def emit(builder: Any, pointer: Any, where: Any, column: Any) -> Any:
        parts, read = [], Kind(kind.name, 4)
        for k in range(kind.lanes):
            at = builder.add(builder.extract_element(where, _index(k)), column)
            if number is None:
                parts.append(builder.load(builder.gep(pointer, [at])))
            else:
                parts.append(builder.load(_place(builder, pointer, at, read)))
                parts[-1].align = kind.bits // 8
        if number is not None:
            return _column(builder, [_joined(builder, parts[i::4]) for i in range(4)], kind.lanes, number)
        lanes = _undefined(kind)
        for k, part in enumerate(parts):
            lanes = builder.insert_element(lanes, part, _index(k))
        return lanes

    return simple(name, (pointer_to(kind), Kind("int64", kind.lanes), INT64), kind, emit)


def _joined(builder: Any, parts: list[Any]) -> Any:
    """Vectors one behind the other, as many as a power of two."""
    while len(parts) > 1:
        both = [*range(2 * parts[0].type.count)]
        parts = [_shuffle(builder, a, b, both) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    return parts[0]


def _column(builder: Any, tables: list[Any], lanes: int, number: int) -> Any:
    """Column ``number`` of square blocks of 4 by 4, of which ``tables[i]`` holds row ``i`` of each, block by block."""
    blocks, half, sides = range(0, lanes, 4), number // 2 * 2, (0, lanes)
    picks = [base + k + side for base in blocks for k in (half, half + 1) for side in sides]
    upper, lower = (
        _shuffle(builder, tables[i], tables[i + 1], picks) for i in (0, 2)
    )  # half of the columns of two rows
    first = number % 2 * 2
    picks = [base + k + side for base in blocks for side in sides for k in (first, first + 1)]
    return _shuffle(builder, upper, lower, picks)


@functools.cache
def _every(name: str, kind: Kind, apart: int, first: int) -> Intrinsic:
    """``every_apart_first(p, at)``: the entries ``p[at + first]``, ``p[at + first + apart]``, ...; all are read."""

    def emit(builder: Any, pointer: Any, at: Any) -> Any:
        together = builder.load(_place(builder, pointer, at, Kind(kind.name, kind.lanes * apart)))
        together.align = kind.bits // 8
        return _shuffle(builder, together, together, [*range(first, kind.lanes * apart, apart)])

    return simple(name, (pointer_to(kind), INT64), kind, emit)


@functools.cache
def _weave(name: str, kind: Kind, part: int, number: int) -> Intrinsic:
    """``weave_part_n(v1, ..., vn)``: lane 0 of all values, then lane 1, ...; of that vector number ``part``."""
    places = [divmod(part * kind.lanes + lane, number) for lane in range(kind.lanes)]  # lane and value

    def emit(builder: Any, *values: Any) -> Any:
        woven = values[0]
        for k in range(1, number):
            first = k == 1  # so far nothing is where it belongs
            picks = [
                lane + kind.lanes if value == k else lane if first else i for i, (lane, value) in enumerate(places)
            ]
            woven = _shuffle(builder, woven, values[k], picks)
        return woven

    return simple(name, (kind,) * number, kind, emit)


@functools.cache
def _room(name: str, kind: Kind, number: int) -> Intrinsic:
    """``room_n()``: the address of ``n`` numbers that live as long as the function runs."""

    def emit(builder: Any) -> Any:
        with builder.goto_entry_block():
            place = builder.alloca(llvm_type(kind.single), number)
            place.align = 64
        return place

    return simple(name, (), pointer_to(kind), emit)


@functools.cache
def _live(name: str, kind: Kind) -> Intrinsic:
    """``live_i1(n)``: true in the first ``n`` lanes."""

    def emit(builder: Any, number: Any) -> Any:
        from llvmlite import ir

        numbers = ir.Constant(llvm_type(Kind("int64", kind.lanes)), list(range(kind.lanes)))
        return builder.icmp_signed("<", numbers, splat(builder, number, kind.lanes))

    return simple(name, (INT64,), Kind("bool", kind.lanes), emit)


@functools.cache
def _select(name: str, kind: Kind) -> Intrinsic:
    """``select(c, a, b)``: lane by lane ``a`` where the condition holds, else ``b``; each may be one number."""
    kinds = (Kind("bool", kind.lanes), kind, kind)

    def rule(*given: Kind) -> Call:
        if not all(g in (k, k.single) for g, k in zip(given, kinds, strict=True)):
            raise Mismatch(f"{name} needs {', '.join(map(str, kinds))}; got {', '.join(map(str, given))}.")

        def emit(builder: Any, *values: Any) -> Any:
            parts = zip(kinds, given, values, strict=True)
            return builder.select(*(widened(builder, k, shown, value) for k, shown, value in parts))

        return Call(given, kind, emit)

    return Intrinsic(name, 3, rule)


@functools.cache
def _real(name: str, kind: Kind) -> Intrinsic:
    """``real(v)``: whole numbers, or floats of the other format, as floats."""

    def rule(given: Kind) -> Call:
        if given.lanes != kind.lanes or given.name == "bool":
            raise Mismatch(f"{name} needs {kind.lanes} lanes of numbers; got {given}.")
        convert = "sitofp" if given.is_integer else "fptrunc" if kind.bits == 32 else "fpext"

        def emit(builder: Any, value: Any) -> Any:
            return value if given == kind else getattr(builder, convert)(value, llvm_type(kind))

        return Call((given,), kind, emit)

    return Intrinsic(name, 1, rule)


@functools.cache
def _total(name: str, kind: Kind, number: int) -> Intrinsic:
    """``total_n(v1, ..., vn)``: the sums over the lanes of up to ``count`` values, one after the other in the lanes.

    Pairs are folded into one value with half of the lanes each, as long as there are pairs: a blend, a shuffle and a
    sum per value instead of log2(count) * 2.
    """

    def emit(builder: Any, *values: Any) -> Any:
        return _fold(builder, [*values], kind.lanes)

    return simple(name, (kind,) * number, kind, emit)


def _fold(builder: Any, values: list[Any], count: int) -> Any:
    """Sum the lanes of values; sum number ``i`` comes to lane ``i``.

    After a level, a value holds 2, 4, ... sums in turn, in groups of lanes that are yet to be added.
    """
    width = 1  # sums in a value, which repeat with this period
    while width < count:
        values = [_fold_pair(builder, values[i : i + 2], count, width) for i in range(0, len(values), 2)]
        width *= 2
    return values[0]


def _fold_pair(builder: Any, pair: list[Any], count: int, width: int) -> Any:
    """``width`` sums of each of two values side by side; alone, a value is folded with itself."""
    groups = [(g, k) for g in range(0, count, 2 * width) for k in (*range(width), *range(width, 2 * width))]
    near = [g + k + (count if k >= width else 0) for g, k in groups]  # every lane stays where it is: no shuffle
    far = [g + k + width if k < width else g + k - width + count for g, k in groups]
    return builder.fadd(_shuffle(builder, pair[0], pair[-1], near), _shuffle(builder, pair[0], pair[-1], far))


_VERBS: dict[str, Callable[..., Intrinsic]] = {
    "load": _load, "store": _store, "put": _put, "lane": _lane, "splat": _splat, "rows": _rows, "take": _take,
    "live": _live, "select": _select, "real": _real, "total": _total, "every": _every,
    "weave": _weave, "room": _room,
}  # fmt: skip
