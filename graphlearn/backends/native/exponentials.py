"""exp, log, tanh and their kin as straight-line formulas that LLVM vectorises; within 3 ULP, subnormals included."""

from __future__ import annotations

from dataclasses import dataclass

from graphlearn.backends.native.machine import Machine, Value

LOG2_E = 1.4426950408889634
LN_2 = 0.6931471805599453
LOG10_E = 0.4342944819032518
LOG10_2 = {  # with few enough bits that its product with every exponent is exact, and the rest
    "f32": (0.301025390625, 4.605038981195214e-06),
    "f64": (0.301029995663157, 8.241712586023572e-13),
}
INFINITY = float("inf")
NAN = float("nan")


@dataclass(frozen=True)
class Constants:
    """The numbers that depend on the format.

    Args:
        ln2_high: ln 2 with enough trailing zero bits that ``n * ln2_high`` is exact for every exponent ``n``.
        ln2_low: the rest of ln 2.
        expm1: ``(exp(r) - 1 - r) / r^2`` on ``|r| <= ln 2 / 2``.
        log_split: significands are taken in ``[log_split, 2 log_split)``.
        log: see `_log_of_parts`.
        exp_range: beyond it ``exp`` is 0 or infinite.
        expm1_low: below it ``expm1`` rounds to -1.
        tanh_limit: beyond it ``tanh`` is 1.
        tiny: below it ``expm1(x)`` and ``log1p(x)`` round to ``x``.
    """

    ln2_high: float
    ln2_low: float
    expm1: tuple[float, ...]
    log_split: int
    log: tuple[float, ...]
    exp_range: tuple[float, float]
    expm1_low: float
    tanh_limit: float
    tiny: float


CONSTANTS = {
    "f32": Constants(
        ln2_high=float.fromhex("0x1.62e4p-1"),
        ln2_low=float.fromhex("0x1.7f7d1cf79abcap-20"),
        expm1=(
            0.50000000618907171,
            0.16666542924145171,
            0.041666281864037912,
            0.0083665981017080400,
            0.0013946471894433025,
        ),
        log_split=0x3F2AAAAB,  # 2/3
        log=(
            0.33333215882739330071,
            -0.24999797501007063919,
            0.20010412667242556121,
            -0.16680496256076389688,
            0.14005744682246616074,
            -0.12184121229063818232,
            0.139851093247122729,
            -0.12892363855682468391,
        ),
        exp_range=(-104.5, 89.0),
        expm1_low=-18.0,
        tanh_limit=10.0,
        tiny=2.0**-30,
    ),
    "f64": Constants(
        ln2_high=float.fromhex("0x1.62e42fefap-1"),
        ln2_low=float.fromhex("0x1.cf79abc9e3b39p-40"),
        expm1=(
            0.50000000000000055157,
            0.16666666666666685972,
            0.041666666666573804458,
            0.0083333333333145914426,
            0.0013888888932360159528,
            0.00019841269903061419509,
            0.000024801504437221832687,
            2.7557227903452274683e-6,
            2.7626338978389612169e-7,
            2.5114495274700321577e-8,
        ),
        log_split=0x3FE6A09E667F3BCD,  # sqrt(1/2)
        log=(
            0.66666666666667344014,
            0.39999999999414215794,
            0.28571428742573249031,
            0.22222198547450093276,
            0.18183565956243393637,
            0.1531400227358633201,
            0.14796492063372194562,
        ),
        exp_range=(-746.0, 710.0),
        expm1_low=-38.0,
        tanh_limit=20.0,
        tiny=2.0**-60,
    ),
}


def round_to_power(m: Machine, x: Value, scale: float) -> tuple[Value, Value]:
    """The integer ``n`` nearest to ``x scale``: ``n + 2 bias`` as an integer in the low bits, and ``n`` as a float.

    Adding ``1.5 * 2^mantissa`` rounds to an integer and leaves it in the low bits: no conversion, undefined for NaN.
    """
    shift = 1.5 * 2.0**m.format.mantissa + 2 * m.format.bias
    rounded = x * scale + shift
    return m.bits(rounded), rounded - shift


def reduced(m: Machine, x: Value) -> tuple[Value, Value]:
    """``x = n ln 2 + r`` with ``|r| <= ln 2 / 2``: ``n + 2 bias`` as an integer, and ``r``."""
    c = CONSTANTS[m.format.name]
    biased, n = round_to_power(m, x, LOG2_E)
    return biased, (x - n * c.ln2_high) - n * c.ln2_low


def expm1_of_remainder(m: Machine, r: Value) -> Value:
    """``exp(r) - 1`` with ``|r| <= ln 2 / 2``."""
    return r + r * r * m.polynomial(r, CONSTANTS[m.format.name].expm1)


def power_of_two(m: Machine, biased: Value) -> Value:
    """``2^(biased - bias)``; the bits of ``biased`` above the exponent's are shifted out."""
    return m.from_bits(biased << m.format.mantissa)


def exp_between(m: Machine, x: Value) -> Value:
    """Exp of a clamped argument. The power of two comes in two halves, so that only the last product rounds."""
    biased, r = reduced(m, x)
    half = biased >> 1
    first = power_of_two(m, half)
    return (expm1_of_remainder(m, r) * first + first) * power_of_two(m, biased - half)


def exp_times(m: Machine, x: Value, low: Value, factor: Value) -> Value:
    """``exp(x + low) factor`` of a clamped argument and a small rest, with two roundings after the factor's own."""
    biased, r = reduced(m, x)
    half = biased >> 1
    y = expm1_of_remainder(m, r + low) * factor + factor
    return y * power_of_two(m, half) * power_of_two(m, biased - half)


def exp(m: Machine, x: Value) -> Value:
    """The exponential function.

    Largest error: 1.09 ULP in float32, 1.10 in float64.
    """
    return exp_between(m, m.clamp(x, *CONSTANTS[m.format.name].exp_range))


def sigmoid(m: Machine, x: Value) -> Value:
    """``1 / (1 + exp(-x))``, as ``exp(x) / (1 + exp(x))`` for negative ``x``: small results keep their digits.

    Largest error: 2.41 ULP in float32, 2.28 in float64.
    """
    low, _ = CONSTANTS[m.format.name].exp_range
    e = exp_between(m, m.at_least(-m.magnitude(x), low))
    return m.select(m.less(x, 0.0), e, 1.0) / (e + 1.0)


def exp2(m: Machine, x: Value) -> Value:
    """2 to the power of ``x``.

    Largest error: 1.08 ULP in float32, 1.13 in float64.
    """
    x = m.clamp(x, -2.0 * m.format.bias, m.format.bias + 2.0)
    biased, n = round_to_power(m, x, 1.0)
    half = biased >> 1
    first = power_of_two(m, half)
    return (expm1_of_remainder(m, (x - n) * LN_2) * first + first) * power_of_two(m, biased - half)


def half_expm1(m: Machine, biased: Value, r: Value) -> Value:
    """``(exp(x) - 1) / 2 = 2^(n-1) p + (2^(n-1) - 1/2)`` of a reduced argument; halved: ``2^1024`` overflows."""
    half_power = power_of_two(m, biased - (m.format.bias + 1))
    return half_power * expm1_of_remainder(m, r) + (half_power - 0.5)


def expm1(m: Machine, x: Value) -> Value:
    """``exp(x) - 1``, accurate near 0.

    Largest error: 1.80 ULP in float32, 2.25 in float64.
    """
    c = CONSTANTS[m.format.name]
    y = half_expm1(m, *reduced(m, m.clamp(x, c.expm1_low, c.exp_range[1]))) * 2.0
    return m.select(m.less(m.magnitude(x), c.tiny), x, y)


def tanh(m: Machine, x: Value) -> Value:
    """Hyperbolic tangent: ``g / (g + 1)`` with ``g = (exp(2|x|) - 1) / 2``.

    ln 2 is subtracted in one piece: what that costs is damped by the quotient, and the chain of dependent instructions,
    which bounds a tiny network, is two shorter.

    Largest error: 2.60 ULP in float32, 2.65 in float64.
    """
    size = m.at_most(m.magnitude(x), CONSTANTS[m.format.name].tanh_limit)
    biased, n = round_to_power(m, size, 2.0 * LOG2_E)
    g = half_expm1(m, biased, (size + size) - n * LN_2)
    return m.with_sign(g / (g + 1.0), x)


def parts(m: Machine, x: Value) -> tuple[Value, Value]:
    """``x = (1 + f) 2^k``, ``x`` positive and normal: ``k + bias`` as an integer, and ``f``."""
    split = CONSTANTS[m.format.name].log_split
    one = m.format.bias << m.format.mantissa
    moved = m.bits(x) + (one - split)
    significand = (moved & ((1 << m.format.mantissa) - 1)) + split
    return moved >> m.format.mantissa, m.from_bits(significand) - 1.0


def float_of(m: Machine, biased: Value) -> Value:
    """The float ``biased - bias`` of an integer below ``2^mantissa``, put into the significand of ``2^mantissa``."""
    unit = 2.0**m.format.mantissa
    pattern = (m.format.bias + m.format.mantissa) << m.format.mantissa
    return m.from_bits(biased | pattern) - (unit + m.format.bias)


def _log_of_parts(m: Machine, k: Value, f: Value, correction: Value | float) -> Value:
    """``k ln 2 + log(1 + f) + correction``.

    In float32 ``log(1 + f) = f - f^2/2 + f^3 R(f)``. In float64 ``f - (f^2/2 - s (f^2/2 + z G(z)))`` with
    ``s = f / (2 + f)`` and ``z = s^2``, where the remainder ``G`` is short enough to pay for the division.
    """
    c = CONSTANTS[m.format.name]
    low = k * c.ln2_low + correction
    if m.format.width == 32:
        return k * c.ln2_high + (f + (low + f * f * (f * m.polynomial(f, c.log) - 0.5)))
    half_square = 0.5 * f * f
    s = f / (f + 2.0)
    z = s * s
    remainder = z * m.polynomial(z, c.log)
    return k * c.ln2_high - ((half_square - (s * (half_square + remainder) + low)) - f)


def _log_edges(m: Machine, distance: Value, y: Value) -> Value:
    """``y`` where the distance from the pole is positive and finite; -inf at the pole, NaN below, inf at inf."""
    at_pole = m.select(m.equal(distance, 0.0), m.number(-INFINITY), NAN)
    y = m.select(m.less(m.number(0.0), distance), y, at_pole)
    return m.select(m.equal(distance, INFINITY), distance, y)


def log(m: Machine, x: Value) -> Value:
    """Natural logarithm.

    Largest error: 0.95 ULP in float32, 0.82 in float64.
    """
    scale = m.format.mantissa + 2
    subnormal = m.less(x, 2.0 ** (1 - m.format.bias))
    exponent, f = parts(m, m.select(subnormal, x * 2.0**scale, x))
    k = float_of(m, exponent) - m.select(subnormal, m.number(scale), 0.0)
    return _log_edges(m, x, _log_of_parts(m, k, f, 0.0))


def _log_to_base(m: Machine, x: Value, high: float, low: float, factor: float) -> Value:
    """``factor log(x)``, where ``high + low`` is ``factor log 2``; multiples of ``high`` are exact."""
    scale = m.format.mantissa + 2
    subnormal = m.less(x, 2.0 ** (1 - m.format.bias))
    exponent, f = parts(m, m.select(subnormal, x * 2.0**scale, x))
    k = float_of(m, exponent) - m.select(subnormal, m.number(scale), 0.0)
    rest = _log_of_parts(m, m.number(0.0), f, 0.0) * factor
    return _log_edges(m, x, k * high + (rest + k * low))


def log2(m: Machine, x: Value) -> Value:
    """Logarithm to base 2; of a power of 2 exact.

    Largest error: 2.40 ULP in float32, 1.90 in float64.
    """
    return _log_to_base(m, x, 1.0, 0.0, LOG2_E)


def log10(m: Machine, x: Value) -> Value:
    """Logarithm to base 10.

    Largest error: 2.50 ULP in float32, 1.90 in float64.
    """
    return _log_to_base(m, x, *LOG10_2[m.format.name], LOG10_E)


def log1p(m: Machine, x: Value) -> Value:
    """``log(1 + x)``, accurate near 0: the rounding error of ``1 + x`` is found exactly and enters as a correction.

    Largest error: 0.96 ULP in float32, 0.88 in float64.
    """
    c = CONSTANTS[m.format.name]
    u = x + 1.0
    back = u - 1.0
    error = (1.0 - (u - back)) + (x - back)
    exponent, f = parts(m, u)
    # From 2^(mantissa + 3) the error counts for nothing, and 2^-k would leave the format.
    scaled = m.select(m.less(x, 2.0 ** (m.format.mantissa + 3)), error * power_of_two(m, _negated(m, exponent)), 0.0)
    correction = scaled * (1.0 - f + f * f)  # 1 / (1 + f), as near as a half ULP needs
    y = _log_edges(m, u, _log_of_parts(m, float_of(m, exponent), f, correction))
    return m.select(m.less(m.magnitude(x), c.tiny), x, y)


def _negated(m: Machine, biased: Value) -> Value:
    """The integer ``bias - k`` of ``bias + k``."""
    return (biased * -1) + 2 * m.format.bias


def cbrt(m: Machine, x: Value) -> Value:
    """Cube root: of the significand a line, two steps of Halley and one of Newton; a third of the exponent.

    Largest error: 0.75 ULP in float32, 0.75 in float64.
    """
    scale = m.format.mantissa + 4 - (m.format.mantissa + 4) % 3  # a subnormal number times 2^scale is normal
    size = m.magnitude(x)
    subnormal = m.less(size, 2.0 ** (1 - m.format.bias))
    exponent, f = parts(m, m.select(subnormal, size * 2.0**scale, size))
    k = float_of(m, exponent)
    biased, n = round_to_power(m, k, 1.0 / 3.0)
    rest = k - n * 3.0  # -1, 0 or 1
    a = (f + 1.0) * (rest * (rest * 0.25 + 0.75) + 1.0)  # times 2^rest: from 1/3 to 2.83
    y = a * 0.32 + 0.6
    for _ in range(2):
        cube = y * y * y
        y = y * (cube + 2.0 * a) / (2.0 * cube + a)
    y = y - (y - a / (y * y)) * (1.0 / 3.0)
    root = y * power_of_two(m, biased - m.format.bias)
    root = m.with_sign(m.select(subnormal, root * 2.0 ** (-scale // 3), root), x)
    finite = m.select(m.less(size, INFINITY), root, x)
    return m.select(m.less(m.number(0.0), size), finite, x)
