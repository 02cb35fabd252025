"""Values of several lanes, one number in each: the explicit vectors of generated source, as a Numba type.

A name says what it does and on what: ``load_f32x16`` reads sixteen float32. Names are made when a source mentions them
(`lane_names`). Arithmetic and comparisons are Python's operators; a single number beside lanes stands in all of them.
Nothing here depends on how wide the machine's vectors are: LLVM splits what is too wide.
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

from graphlearn.backends.native.machine import CONTRACT, FORMATS
from graphlearn.backends.native.variadic import intrinsic_of

_NAME = re.compile(
    r"\b(load|store|put|lane|splat|rows|take|live|select|total|real)_(f32|f64|i64|i1)x(\d+)((?:_\d+)*)\b"
)
_WIDTHS = {form.name: form for form in FORMATS}


def lane_names(source: str) -> dict[str, Any]:
    """The functions of this module that a source mentions, by name. Imports Numba."""
    found = {match.group(0): match for match in _NAME.finditer(source)}
    if found:
        install_operators()
    return {name: _function(*match.groups()) for name, match in found.items()}


@functools.cache
def lane_type() -> type[Any]:
    """The class of Numba types of lanes: ``kind`` is ``"f32"``, ``"f64"``, ``"i64"`` or ``"i1"``."""
    from llvmlite import ir
    from numba import types
    from numba.extending import models, register_model

    class Lanes(types.Type):  # type: ignore[misc]
        def __init__(self, kind: str, count: int) -> None:
            self.kind, self.count = kind, count
            super().__init__(f"{kind}x{count}")

    @register_model(Lanes)
    class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
        def __init__(self, manager: Any, kind: Any) -> None:
            super().__init__(manager, kind, ir.VectorType(_element(kind.kind), kind.count))

    return Lanes


def _element(kind: str) -> Any:
    from llvmlite import ir

    if kind in _WIDTHS:
        return ir.FloatType() if kind == "f32" else ir.DoubleType()
    return ir.IntType(int(kind[1:]))


def scalar_of(kind: str) -> Any:
    """Numba's type of one lane."""
    from numba import types

    return {"f32": types.float32, "f64": types.float64, "i64": types.int64, "i1": types.boolean}[kind]


def splat(builder: Any, value: Any, count: int) -> Any:
    """A number in all lanes."""
    from llvmlite import ir

    kind = ir.VectorType(value.type, count)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    return _shuffle(builder, first, first, [0] * count)


def widened(builder: Any, kind: Any, given: Any, value: Any) -> Any:
    """A value of Numba type ``given`` as lanes of type ``kind``."""
    if isinstance(given, lane_type()):
        return value
    if kind.kind == "i1" and value.type.width != 1:
        value = builder.icmp_signed("!=", value, value.type(0))
    return splat(builder, value, kind.count)


def _shuffle(builder: Any, a: Any, b: Any, picks: Sequence[int]) -> Any:
    from llvmlite import ir

    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), len(picks)), list(picks)))


# --- operators -------------------------------------------------------------------------------------------------------

_ARITHMETIC = {operator.add: "add", operator.sub: "sub", operator.mul: "mul", operator.truediv: "div"}
_COMPARISONS = {
    operator.lt: "<",
    operator.le: "<=",
    operator.gt: ">",
    operator.ge: ">=",
    operator.eq: "==",
    operator.ne: "!=",
}
_LOGIC = {operator.and_: "and_", operator.or_: "or_"}


@functools.cache
def install_operators() -> None:
    """Teach Numba Python's operators on lanes; once per process."""
    for symbol, name in _ARITHMETIC.items():
        _install(symbol, 2, lambda kind: kind, functools.partial(_arithmetic, name))
    for symbol, sign in _COMPARISONS.items():
        _install(symbol, 2, lambda kind: lane_type()("i1", kind.count), functools.partial(_comparison, sign))
    for symbol, name in _LOGIC.items():
        _install(symbol, 2, lambda kind: kind, functools.partial(_logic, name))
    _install(operator.neg, 1, lambda kind: kind, lambda builder, kind, a: builder.fneg(a))
    _install(operator.invert, 1, lambda kind: kind, lambda builder, kind, a: builder.not_(a))


def _install(symbol: Any, arity: int, result: Callable[[Any], Any], emit: Callable[..., Any]) -> None:
    from numba.core import types
    from numba.core.typing.templates import AbstractTemplate, infer_global, signature
    from numba.extending import lower_builtin

    lanes = lane_type()

    class Template(AbstractTemplate):  # type: ignore[misc]
        key = symbol

        def generic(self, arguments: Any, keywords: Any) -> Any:
            kinds = [a for a in arguments if isinstance(a, lanes)]
            if len(arguments) != arity or not kinds:
                return None
            kind = kinds[0]
            fits = all(a == kind or a == scalar_of(kind.kind) for a in arguments)
            return signature(result(kind), *arguments) if fits else None

    infer_global(symbol)(Template)

    def lower(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        kind = next(a for a in sig.args if isinstance(a, lanes))
        raw = [widened(builder, kind, given, value) for given, value in zip(sig.args, arguments, strict=True)]
        return emit(builder, kind, *raw)

    single = (types.Number, types.Boolean)
    mixed = [pattern for kind in single for pattern in ((lanes, kind), (kind, lanes))]
    for pattern in [(lanes,)] if arity == 1 else [(lanes, lanes), *mixed]:
        lower_builtin(symbol, *pattern)(lower)


def _arithmetic(name: str, builder: Any, kind: Any, a: Any, b: Any) -> Any:
    if kind.kind in _WIDTHS:
        return getattr(builder, f"f{name}")(a, b, flags=CONTRACT)
    return getattr(builder, name)(a, b)


def _comparison(sign: str, builder: Any, kind: Any, a: Any, b: Any) -> Any:
    if kind.kind in _WIDTHS:
        return builder.fcmp_unordered(sign, a, b) if sign == "!=" else builder.fcmp_ordered(sign, a, b)
    return builder.icmp_signed(sign, a, b)


def _logic(name: str, builder: Any, kind: Any, a: Any, b: Any) -> Any:
    return getattr(builder, name)(a, b)


# --- functions -------------------------------------------------------------------------------------------------------


def _function(verb: str, kind: str, count: str, rest: str) -> Any:
    numbers = [int(text) for text in rest.split("_") if text]
    name = f"{verb}_{kind}x{count}{rest}"
    return _VERBS[verb](name, kind, int(count), *numbers)


@functools.cache
def _load(name: str, kind: str, count: int) -> Any:
    """``load(p, at)``: entries side by side."""
    from numba import types

    parameters = (types.CPointer(scalar_of(kind)), types.int64)

    def emit(builder: Any, pointer: Any, at: Any) -> Any:
        return _read(builder, pointer, at, kind, count)

    return simple(name, parameters, lane_type()(kind, count), emit)


def _place(builder: Any, pointer: Any, at: Any, kind: str, count: int) -> Any:
    from llvmlite import ir

    return builder.bitcast(builder.gep(pointer, [at]), ir.VectorType(_element(kind), count).as_pointer())


def _read(builder: Any, pointer: Any, at: Any, kind: str, count: int) -> Any:
    result = builder.load(_place(builder, pointer, at, kind, count))
    result.align = _element_size(kind)
    return result


def _element_size(kind: str) -> int:
    return int(kind[1:]) // 8


@functools.cache
def _store(name: str, kind: str, count: int) -> Any:
    """``store(p, at, v)``: all lanes, side by side."""
    return _put(name, kind, count, 0, count)


@functools.cache
def _put(name: str, kind: str, count: int, first: int, number: int) -> Any:
    """``put_first_number(p, at, v)``: so many lanes from ``first`` on."""
    from numba import types

    parameters = (types.CPointer(scalar_of(kind)), types.int64, lane_type()(kind, count))

    def emit(builder: Any, pointer: Any, at: Any, value: Any) -> None:
        part = value if number == count else _shuffle(builder, value, value, range(first, first + number))
        builder.store(part, _place(builder, pointer, at, kind, number)).align = _element_size(kind)

    return simple(name, parameters, types.void, emit)


@functools.cache
def _lane(name: str, kind: str, count: int, number: int) -> Any:
    """``lane_k(v)``: the number in a lane."""
    from llvmlite import ir

    def emit(builder: Any, value: Any) -> Any:
        return builder.extract_element(value, ir.Constant(ir.IntType(32), number))

    return simple(name, (lane_type()(kind, count),), scalar_of(kind), emit)


@functools.cache
def _splat(name: str, kind: str, count: int) -> Any:
    """``splat(x)``: a number in all lanes."""
    result = lane_type()(kind, count)

    def emit(builder: Any, value: Any) -> Any:
        return widened(builder, result, scalar_of(kind), value)

    return simple(name, (scalar_of(kind),), result, emit)


@functools.cache
def _rows(name: str, kind: str, count: int) -> Any:
    """``rows(order, first, last, width)``: where the rows ``order[first]``, ... begin; none is read beyond ``last``."""
    from llvmlite import ir
    from numba import types

    integer = types.int64
    result = lane_type()("i64", count)

    def emit(builder: Any, order: Any, first: Any, last: Any, width: Any) -> Any:
        lanes = ir.Constant(ir.VectorType(ir.IntType(64), count), ir.Undefined)
        for k in range(count):
            at = builder.add(first, first.type(k))
            at = builder.select(builder.icmp_signed("<", at, last), at, last)
            row = builder.mul(builder.load(builder.gep(order, [at])), width)
            lanes = builder.insert_element(lanes, row, ir.Constant(ir.IntType(32), k))
        return lanes

    return simple(name, (types.CPointer(integer), integer, integer, integer), result, emit)


@functools.cache
def _take(name: str, kind: str, count: int) -> Any:
    """``take(p, where, j)``: the entries ``p[where[k] + j]``, one by one: faster than a gather instruction."""
    from llvmlite import ir
    from numba import types

    parameters = (types.CPointer(scalar_of(kind)), lane_type()("i64", count), types.int64)

    def emit(builder: Any, pointer: Any, where: Any, column: Any) -> Any:
        lanes = ir.Constant(ir.VectorType(_element(kind), count), ir.Undefined)
        for k in range(count):
            index = ir.Constant(ir.IntType(32), k)
            at = builder.add(builder.extract_element(where, index), column)
            lanes = builder.insert_element(lanes, builder.load(builder.gep(pointer, [at])), index)
        return lanes

    return simple(name, parameters, lane_type()(kind, count), emit)


@functools.cache
def _live(name: str, kind: str, count: int) -> Any:
    """``live_i1(n)``: true in the first ``n`` lanes."""
    from llvmlite import ir
    from numba import types

    def emit(builder: Any, number: Any) -> Any:
        numbers = ir.Constant(ir.VectorType(ir.IntType(64), count), list(range(count)))
        return builder.icmp_signed("<", numbers, splat(builder, number, count))

    return simple(name, (types.int64,), lane_type()("i1", count), emit)


@functools.cache
def _select(name: str, kind: str, count: int) -> Any:
    """``select(c, a, b)``: lane by lane ``a`` where the condition holds, else ``b``; each may be one number."""
    mask, result = lane_type()("i1", count), lane_type()(kind, count)

    def typer(*given: Any) -> Any:
        kinds = (mask, result, result)
        if not all(g == k or g == scalar_of(k.kind) for g, k in zip(given, kinds, strict=True)):
            return None

        def lower(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
            parts = zip(kinds, sig.args, arguments, strict=True)
            return builder.select(*(widened(builder, kind, shown, value) for kind, shown, value in parts))

        return result(*given), lower

    return intrinsic_of(name, 3, typer)


@functools.cache
def _real(name: str, kind: str, count: int) -> Any:
    """``real(v)``: whole numbers, or floats of the other format, as floats."""
    from llvmlite import ir

    result, vector = lane_type()(kind, count), ir.VectorType(_element(kind), count)

    def typer(given: Any) -> Any:
        if not isinstance(given, lane_type()) or given.count != count or given.kind == "i1":
            return None
        convert = "sitofp" if given.kind == "i64" else "fptrunc" if kind == "f32" else "fpext"

        def lower(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
            same = given.kind == kind
            return arguments[0] if same else getattr(builder, convert)(arguments[0], vector)

        return result(given), lower

    return intrinsic_of(name, 1, typer)


@functools.cache
def _total(name: str, kind: str, count: int, number: int) -> Any:
    """``total_n(v1, ..., vn)``: the sums over the lanes of up to ``count`` values, one after the other in the lanes.

    Pairs are folded into one value with half of the lanes each, as long as there are pairs: a blend, a shuffle and a
    sum per value instead of log2(count) * 2.
    """
    lanes = lane_type()(kind, count)

    def emit(builder: Any, *values: Any) -> Any:
        return _fold(builder, [*values], count)

    return simple(name, (lanes,) * number, lanes, emit)


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


def simple(name: str, parameters: tuple[Any, ...], result: Any, emit: Callable[..., Any]) -> Any:
    """An intrinsic of fixed types; a literal integer counts as an integer."""
    from numba import types

    def lower(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        value = emit(builder, *arguments)
        return context.get_dummy_value() if result == types.void else value

    def typer(*given: Any) -> Any:
        return result(*parameters), lower

    return intrinsic_of(name, len(parameters), typer)


_VERBS: dict[str, Callable[..., Any]] = {
    "load": _load, "store": _store, "put": _put, "lane": _lane, "splat": _splat, "rows": _rows, "take": _take,
    "live": _live, "select": _select, "real": _real, "total": _total,
}  # fmt: skip
