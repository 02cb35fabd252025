"""Roots and quotients of 512-bit vectors from the machine's estimates: within 2 ULP, in a quarter of the time.

`vsqrtps` and `vdivps` hold one unit for 20 and 16 cycles; an estimate of 14 bits and Newton's steps are a dozen
instructions of which two start in each cycle.
"""

from __future__ import annotations

import functools
import os
import re
from typing import Any

from graphlearn.backends.native.kinds import LANE_KINDS, Intrinsic, Kind, simple
from graphlearn.backends.native.width import vector_bytes

_NAME = re.compile(r"\b(root|quotient)_(f32x16|f64x8)\b")
_TYPES = {"f32": ("ps", 16), "f64": ("pd", 8)}
# An estimate is right to 14 bits, and each of Newton's steps doubles them.
_STEPS = {"f32": 1, "f64": 2}


def has_near(kind: str) -> bool:
    """Whether `root` and `quotient` exist for lanes of a kind: on machines with AVX-512, unless Numba is told another.

    Args:
        kind: such as ``"f32x16"``.
    """
    told = "NUMBA_CPU_NAME" in os.environ or "NUMBA_CPU_FEATURES" in os.environ
    return _NAME.fullmatch(f"root_{kind}") is not None and vector_bytes() == 64 and not told


def near_intrinsics(source: str) -> dict[str, Intrinsic]:
    """The functions of this module that a source mentions, by name."""
    return {match.group(0): _VERBS[match.group(1)](*match.groups()) for match in _NAME.finditer(source)}


def _estimate(builder: Any, what: str, kind: str, value: Any) -> Any:
    """The machine's estimate, relative error at most 2**-14."""
    from llvmlite import ir

    form, count = _TYPES[kind]
    mask = ir.IntType(count)
    function = ir.FunctionType(value.type, [value.type, value.type, mask])
    call = builder.module.declare_intrinsic(f"llvm.x86.avx512.{what}14.{form}.512", (), function)
    return builder.call(call, [value, ir.Constant(value.type, ir.Undefined), mask(-1)])


def _fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """``a * b + c``, rounded once."""
    from llvmlite import ir

    function = ir.FunctionType(a.type, [a.type] * 3)
    name = f"llvm.fma.v{a.type.count}{'f32' if a.type.count == 16 else 'f64'}"
    return builder.call(builder.module.declare_intrinsic(name, (), function), [a, b, c])


def _splat(value: Any, number: float) -> Any:
    from llvmlite import ir

    return ir.Constant(value.type, [value.type.element(number)] * value.type.count)


@functools.cache
def _root(verb: str, kind: str) -> Intrinsic:
    """``root(v)``: the square root; 0, infinity and NaN as they should be, NaN for negative numbers."""
    name, count = kind.split("x")

    def emit(builder: Any, value: Any) -> Any:
        inverse = _estimate(builder, "rsqrt", name, value)
        root, half = builder.fmul(value, inverse), builder.fmul(inverse, _splat(value, 0.5))
        for step in range(_STEPS[name]):
            miss = _fma(builder, builder.fneg(root), half, _splat(value, 0.5))
            root = _fma(builder, root, miss, root)
            if step + 1 < _STEPS[name]:
                half = _fma(builder, half, miss, half)
        ends = [builder.fcmp_ordered("==", value, _splat(value, end)) for end in (0.0, float("inf"))]
        return builder.select(builder.or_(*ends), value, root)

    lanes = Kind(LANE_KINDS[name], int(count))
    return simple(f"{verb}_{kind}", (lanes,), lanes, emit)


@functools.cache
def _quotient(verb: str, kind: str) -> Intrinsic:
    """``quotient(a, b)``: 0, infinity and NaN as they should be; a subnormal divisor counts as 0."""
    name, count = kind.split("x")

    def emit(builder: Any, a: Any, b: Any) -> Any:
        inverse = _estimate(builder, "rcp", name, b)
        minus = builder.fneg(b)
        for _ in range(_STEPS[name] - 1):
            better = _fma(builder, _fma(builder, minus, inverse, _splat(b, 1.0)), inverse, inverse)
            inverse = builder.select(builder.fcmp_unordered("uno", better, better), inverse, better)
        quotient = builder.fmul(a, inverse)
        better = _fma(builder, _fma(builder, minus, quotient, a), inverse, quotient)
        # Where a divisor is 0 or infinite, or the quotient is, the correction is infinity less infinity.
        return builder.select(builder.fcmp_unordered("uno", better, better), quotient, better)

    lanes = Kind(LANE_KINDS[name], int(count))
    return simple(f"{verb}_{kind}", (lanes, lanes), lanes, emit)


_VERBS = {"root": _root, "quotient": _quotient}
