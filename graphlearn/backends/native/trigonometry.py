"""sin, cos and tan: the angle less quarter turns, and two polynomials; huge angles by whole numbers of 256 bits.

Up to `FAR` the multiple of pi / 2 is subtracted in pieces, whose products with it are exact (Cody and Waite). Beyond, a
window of the digits of 1 / pi is multiplied with the whole significand (Payne and Hanek): that is rare, and stands
behind a branch in a function of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from graphlearn.backends.native.machine import Machine, Value

# pi / 2 in pieces: their products with whole numbers up to 2^17 (float32, in float64) and 2^14 (float64) are exact
_PIECES = {
    "f32": (float.fromhex("0x1.921fb5444p+0"), float.fromhex("0x1.68c234c4c6629p-39")),
    "f64": (
        float.fromhex("0x1.921fb54440p+0"),
        float.fromhex("0x1.68c234c4c4p-39"),
        float.fromhex("0x1.3145c06e0e689p-78"),
    ),
}
FAR = {"f32": 200_000.0, "f64": 25_000.0}
_TINY = {"f32": 2.0**-13, "f64": 2.0**-28}  # below, sin(x) and tan(x) round to x, but for an error of 1/6 ULP
HALF_PI_LOW = float.fromhex("0x1.1a62633145c07p-54")  # pi / 2 less its float64
# (sin(r) - r) / r^3 and (cos(r) - 1 + r^2 / 2) / r^4 in powers of r^2, |r| <= 1.02 pi / 4
SINE = {
    "f32": (-0.16666653471899103251, 0.008332083487847586399, -0.00019504320255372813163),
    "f64": (
        -0.16666666666666622812,
        0.0083333333333200416811,
        -0.00019841269827856268845,
        2.7557312999847143337e-6,
        -2.5050647814068496114e-8,
        1.5890309371724079228e-10,
    ),
}
COSINE = {
    "f32": (0.041666644380767018193, -0.0013887242840536523422, 0.000024423898317243285016),
    "f64": (
        0.041666666666666581678,
        -0.0013888888888870927427,
        0.000024801587287426754714,
        -2.7557313744252626456e-7,
        2.0875638989609612185e-9,
        -1.1355213272987226285e-11,
    ),
}
_LAST = 126  # bytes from the window of the largest float64 to that of the smallest far one
INVERSE_PI = int(  # floor(2^1223 / pi)
    "28be60db9391054a7f09d5f47d4d377036d8a5664f10e4107f9458eaf7aef1586dc91b8e909374b801924bba827464873f877a"
    "c72c4a69cfba208d7d4baed1213a671c09ad17df904e64758e60d4ce7d272117e2ef7e4a0ec7fe25fff7816603fbcbc462d682"
    "9b47db4d9fb3c9f2c26dd3d18fd9a797fa8b5d49eeb1faf97c5ecf41ce7de294a4ba9afed7ec47e357421580cc11bf1edaeafc",
    16,
)


def _reduced(m: Machine, x: Value, *, exact: bool = True) -> tuple[Value, Value, Value]:
    """``x = n pi / 2 + r + low`` with ``|r| <= pi / 4``: ``n`` in the last bits of a whole number, ``r`` and ``low``.

    Unless it must be exact, ``low`` is 0 in float32, for speed: half a ULP of ``r`` is what is lost.
    """
    shift = 1.5 * 2.0**m.format.mantissa
    moved = x * (2 / math.pi) + shift
    rest, multiple = m.widened(x), m.widened(moved - shift)
    *first, last = _PIECES[m.format.name]
    for piece in first:
        rest = rest - multiple * piece
    r = rest - multiple * last
    if m.format.width == 64:
        return m.bits(moved), r, (rest - r) - multiple * last
    near = m.narrowed(r)
    return m.bits(moved), near, m.narrowed(r - m.widened(near)) if exact else m.number(0.0)


def _sine(m: Machine, r: Value, low: Value) -> Value:
    square = r * r
    return r + (low + r * (square * m.polynomial(square, SINE[m.format.name])))


def _cosine(m: Machine, r: Value, low: Value) -> Value:
    square = r * r
    return (1.0 - square * 0.5) + (square * square * m.polynomial(square, COSINE[m.format.name]) - r * low)


def _of_quarters(m: Machine, quarters: Value, r: Value, low: Value) -> Value:
    """``sin(quarters pi / 2 + r)``: by the last bit the sine or the cosine, by the one before its opposite."""
    y = m.select(_even(m, quarters), _sine(m, r, low), _cosine(m, r, low))
    return m.from_bits(m.bits(y) ^ ((quarters & 2) << (m.format.width - 2)))


def _even(m: Machine, quarters: Value) -> Value:
    return Value(m, m.builder.icmp_unsigned("==", (quarters & 1).raw, m.like(quarters, 0).raw))


def sin(m: Machine, x: Value) -> Value:
    """Sine of an angle in radians.

    Largest error: 1.60 ULP in float32, 1.60 in float64.
    """
    size = m.magnitude(x)
    near = m.select(m.less(size, _TINY[m.format.name]), x, _of_quarters(m, *_reduced(m, x, exact=False)))
    return _or_far(m, x, near, "sine", _far_sine)


def cos(m: Machine, x: Value) -> Value:
    """Cosine of an angle in radians.

    Largest error: 1.60 ULP in float32, 1.60 in float64.
    """
    quarters, r, low = _reduced(m, x, exact=False)
    return _or_far(m, x, _of_quarters(m, quarters + 1, r, low), "cosine", _far_cosine)


def tan(m: Machine, x: Value) -> Value:
    """Tangent of an angle in radians.

    Largest error: 3.20 ULP in float32, 3.80 in float64.
    """
    quarters, r, low = _reduced(m, x)
    even = _even(m, quarters)
    s, c = _sine(m, r, low), _cosine(m, r, low)
    near = m.select(even, s, -c) / m.select(even, c, s)
    near = m.select(m.less(m.magnitude(x), _TINY[m.format.name]), x, near)
    return _or_far(m, x, near, "tangent", _far_tangent)


def _or_far(m: Machine, x: Value, near: Value, name: str, formula: Callable[[Machine, Value], Value]) -> Value:
    """``near``, and where the angle is far, the formula for a single float64."""
    far = m.less(m.number(FAR[m.format.name]), m.magnitude(x))
    name = f"graphlearn_far_{name}"
    return m.unless(far, near, lambda: m.narrowed(m.wide().one_by_one(name, formula, m.widened(x))))


def _far_sine(m: Machine, x: Value) -> Value:
    y = _of_quarters(m, *_far_reduced(m, x))
    return m.select(m.less(x, 0.0), -y, y)


def _far_cosine(m: Machine, x: Value) -> Value:
    quarters, r, low = _far_reduced(m, x)
    return _of_quarters(m, quarters + 1, r, low)


def _far_tangent(m: Machine, x: Value) -> Value:
    return _far_sine(m, x) / _far_cosine(m, x)


def _far_reduced(m: Machine, x: Value) -> tuple[Value, Value, Value]:
    """`_reduced` of the size of a single float64 beyond 2^13; NaN of infinity.

    ``|x| = M 2^e 2^(8 q - 40)`` with ``M 2^e < 2^60``. The window of the digits holds ``2^(8 q - 40) / pi`` modulo 2,
    with 255 bits behind the point; what is cut off makes even multiples. So the product is ``|x| / pi`` modulo 2, and
    with one bit more before the point, quarter turns modulo 4.
    """
    from llvmlite import ir

    b, long, word = m.builder, ir.IntType(256), ir.IntType(64)
    pattern = m.bits(m.magnitude(x))
    field = b.sub((pattern >> 52).raw, word(1035))
    field = b.select(b.icmp_signed("<", field, word(0)), word(0), field)
    significand = ((pattern & (2**52 - 1)) | 2**52).raw
    shifted = b.zext(b.shl(significand, b.and_(field, word(7))), long)
    turns = b.mul(shifted, _window(m, b.lshr(field, word(3))))
    quarters = b.trunc(b.lshr(b.add(turns, long(2**253)), long(254)), word)
    r, low = _angle(m, b.shl(turns, long(2)))
    return Value(m, quarters), m.select(m.less(m.magnitude(x), math.inf), r, math.nan), low


def _window(m: Machine, steps: Any) -> Any:
    """The 256 bits of the digits of 1 / pi that begin so many bytes behind the first."""
    from llvmlite import ir

    name, b = "graphlearn_inverse_pi", m.builder
    size = _LAST + 32
    table = b.module.globals.get(name)
    if table is None:
        table = ir.GlobalVariable(b.module, ir.ArrayType(ir.IntType(8), size), name)
        table.linkage, table.global_constant = "internal", True
        table.initializer = ir.Constant(table.value_type, bytearray(INVERSE_PI.to_bytes(size, "little")))
    zero = ir.IntType(64)(0)
    place = b.gep(table, [zero, b.sub(zero.type(_LAST), steps)])
    window = b.load(b.bitcast(place, ir.IntType(256).as_pointer()))
    window.align = 1
    return window


def _angle(m: Machine, part: Any) -> tuple[Value, Value]:
    """The angle of a signed 256-bit share of pi / 2, however small, and what it lacks."""
    from llvmlite import ir

    b, wide, word = m.builder, ir.IntType(128), ir.IntType(64)
    below = b.icmp_signed("<", part, part.type(0))
    size = b.select(below, b.neg(part), part)
    top = b.trunc(b.lshr(size, part.type(128)), wide)
    zeros = b.ctlz(top, ir.IntType(1)(0))
    digits = b.trunc(b.lshr(b.shl(top, zeros), wide(64)), word)
    high, low = (Value(m, b.uitofp(b.and_(digits, word(mask)), m.float_type)) for mask in (-(1 << 11), (1 << 11) - 1))
    scale = m.from_bits(Value(m, b.sub(word(m.format.bias - 64), b.trunc(zeros, word))) << m.format.mantissa)
    scale = m.select(Value(m, below), -scale, scale)
    angle, rest = m.product(high, m.number(math.pi / 2))
    return angle * scale, (rest + high * HALF_PI_LOW + low * (math.pi / 2)) * scale
