"""Blocks of a matrix product in registers, as intrinsics: one private function for each form of block in a module.

``sums_f32x16_8_2(terms, A, a, row, step, B, b, stride, C, c, line)`` multiplies 8 rows of A, whose entries lie at
``a + i row + p step``, by two vectors of columns of B, at ``b + p stride``, and stores the sums at ``c + i line``.
A last number, as in ``_8_2_5``, says how many lanes of the last vector count: nothing beside them is read or written.
``adds_...(..., scale)`` adds the sums times a number to what is there.
"""

from __future__ import annotations

import functools
import re
from typing import Any, NamedTuple

from graphlearn.backends.native.blas import PREFIX
from graphlearn.backends.native.kinds import (
    INT64,
    LANE_KINDS,
    VOID,
    Intrinsic,
    Kind,
    llvm_type,
    pointer_to,
    simple,
)  # fmt: skip
from graphlearn.backends.native.lanes import splat
from graphlearn.backends.native.machine import CONTRACT
from graphlearn.backends.native.squares import load_part, store_part

_NAME = re.compile(r"\b(sums|adds)_(f32|f64)x(\d+)_(\d+)_(\d+)(?:_(\d+))?\b")


def sum_intrinsics(source: str) -> dict[str, Intrinsic]:
    """The functions of this module that a source mentions, by name."""
    return {match.group(0): _function(match.group(0), *match.groups()) for match in _NAME.finditer(source)}


class _Form(NamedTuple):
    """A form of block: its vectors, how many rows and how many vectors, and the lanes of the last that count."""

    kind: Kind
    rows: int
    vectors: int
    last: int
    adds: bool


@functools.cache
def _function(name: str, verb: str, kind: str, lanes: str, rows: str, vectors: str, last: str | None) -> Intrinsic:
    form = _Form(Kind(LANE_KINDS[kind], int(lanes)), int(rows), int(vectors), int(last or lanes), verb == "adds")
    array = pointer_to(form.kind)
    left, right, out = (array, INT64, INT64, INT64), (array, INT64, INT64), (array, INT64, INT64)
    parameters = (INT64, *left, *right, *out, *([form.kind.single] if form.adds else []))

    def emit(builder: Any, *values: Any) -> None:
        symbol = f"{PREFIX}{name}"
        function = builder.module.globals.get(symbol) or _write(builder.module, symbol, parameters, form)
        builder.call(function, values)

    return simple(name, parameters, VOID, emit)


def _write(module: Any, symbol: str, parameters: tuple[Kind, ...], form: _Form) -> Any:
    """The function: sums in registers over a loop of the terms, then stores."""
    from llvmlite import ir

    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [llvm_type(p) for p in parameters]), symbol)
    function.linkage = "internal"
    for attribute in ("noinline", "nounwind"):
        function.attributes.add(attribute)
    terms, a, first, row, step, b, column, stride, c, target, line, *scale = function.args
    entry, loop, end = (function.append_basic_block(name) for name in ("entry", "terms", "end"))
    builder = ir.IRBuilder(entry)
    starts = [builder.gep(a, [builder.add(first, builder.mul(row, row.type(r)))]) for r in range(form.rows)]
    columns = builder.gep(b, [column])
    zero = ir.Constant(llvm_type(form.kind), [0.0] * form.kind.lanes)
    builder.cbranch(builder.icmp_signed(">", terms, terms.type(0)), loop, end)
    builder.position_at_end(loop)
    number = _grows(builder, entry, terms.type(0))
    sums = [[_grows(builder, entry, zero) for _ in range(form.vectors)] for _ in range(form.rows)]
    rights = [_vector(builder, form, columns, builder.mul(number, stride), v) for v in range(form.vectors)]
    at = builder.mul(number, step)
    grown = []
    for start, row_sums in zip(starts, sums, strict=True):
        left = splat(builder, builder.load(builder.gep(start, [at])), form.kind.lanes)
        products = [builder.fmul(left, right, flags=CONTRACT) for right in rights]
        grown.append([builder.fadd(s, p, flags=CONTRACT) for s, p in zip(row_sums, products, strict=True)])
    following = builder.add(number, number.type(1))
    number.add_incoming(following, loop)
    for phis, values in zip(sums, grown, strict=True):
        for phi, new in zip(phis, values, strict=True):
            phi.add_incoming(new, loop)
    builder.cbranch(builder.icmp_signed("<", following, terms), loop, end)
    builder.position_at_end(end)
    totals = [[builder.phi(zero.type) for _ in values] for values in grown]
    for r, (values, found) in enumerate(zip(grown, totals, strict=True)):
        place = builder.gep(c, [builder.add(target, builder.mul(line, line.type(r)))])
        for v, (value, total) in enumerate(zip(values, found, strict=True)):
            total.add_incoming(zero, entry)
            total.add_incoming(value, loop)
            _put(builder, form, place, v, total, scale)
    builder.ret_void()
    return function


def _grows(builder: Any, entry: Any, start: Any) -> Any:
    phi = builder.phi(start.type)
    phi.add_incoming(start, entry)
    return phi


def _width(form: _Form, v: int) -> int:
    """How many lanes of a vector count."""
    return form.last if v + 1 == form.vectors else form.kind.lanes


def _vector(builder: Any, form: _Form, start: Any, at: Any, v: int) -> Any:
    return load_part(
        builder, form.kind, builder.gep(start, [builder.add(at, at.type(v * form.kind.lanes))]), _width(form, v)
    )


def _put(builder: Any, form: _Form, place: Any, v: int, value: Any, scale: list[Any]) -> None:
    from llvmlite import ir

    address = builder.gep(place, [ir.Constant(ir.IntType(64), v * form.kind.lanes)])
    if scale:
        before = load_part(builder, form.kind, address, _width(form, v))
        scaled = builder.fmul(splat(builder, scale[0], form.kind.lanes), value, flags=CONTRACT)
        value = builder.fadd(before, scaled, flags=CONTRACT)
    store_part(builder, form.kind, address, _width(form, v), value)
