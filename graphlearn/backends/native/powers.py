"""Powers with any real exponents, as C's pow: the logarithm to more digits than the result has.

In float32 all is done in float64. In float64 the logarithm is a pair of numbers: of ``x = (1 + f) 2^k`` it is
``k log 2 + 2 atanh(s)`` with ``s = f / (2 + f)``, where the first two terms of the series keep their rounding errors.
"""

from __future__ import annotations

import math

from graphlearn.backends.native.exponentials import CONSTANTS, exp_times, float_of, parts, power_of_two, round_to_power
from graphlearn.backends.native.machine import Machine, Value

# (2 atanh(s) / s - 2 - 2 z / 3) / z^2 in powers of z = s^2
SERIES = (
    0.39999999999999977987,
    0.28571428571444869018,
    0.22222222217583113502,
    0.18181818865658860466,
    0.1538455713454030188,
    0.13336308884359052186,
    0.11674965888005503325,
    0.11987960922699728313,
)
# log2(1 + f) / f, and 2^r with |r| <= 1 / 2, to the digits that float32 needs
LOG_2 = (
    1.4426950408865628817,
    -0.72134752032717901651,
    0.48089834881073271266,
    -0.36067379322544212062,
    0.28853879491804744957,
    -0.24044642750735242606,
    0.20610715090391598858,
    -0.18043692808015058717,
    0.1602163013382409973,
    -0.14249625465194208862,
    0.13027692980577278454,
    -0.13464244321866937969,
    0.13251580004237226495,
    -0.069723527647443363294,
)
EXP_2 = (
    1.0000000005550572684,
    0.69314720576598261167,
    0.24022646886010943976,
    0.055503287120602276719,
    0.0096184892552081548553,
    0.0013399957774671984763,
    0.00015345786131925008177,
)
_ENOUGH = 2.0**64  # an exponent beyond overflows, or vanishes, for every base but 1


def power(m: Machine, x: Value, y: Value) -> Value:
    """``x ** y``; of a negative base with a whole exponent real, with any other NaN.

    Largest error: 0.54 ULP in float32, 1.30 in float64.
    """
    size = m.magnitude(x)
    whole = m.equal(m.call("llvm.rint", y), y)
    half = y * 0.5
    odd = m.select(whole, m.select(m.equal(m.call("llvm.rint", half), half), m.number(0.0), 1.0), 0.0)
    result = _of_size(m, size, y)
    # Of 0 and infinity it is themselves, or one another.
    other = m.select(m.equal(size, 0.0), m.number(math.inf), 0.0)
    edge = m.select(m.less(y, 0.0), other, size)
    result = m.select(m.equal(size, 0.0), edge, m.select(m.equal(size, math.inf), edge, result))
    # -0 has a sign too: that of 1 / x would cost a division.
    signed = m.select(m.equal(odd, 1.0), m.with_sign(result, x), result)
    undefined = m.select(whole, m.number(0.0), 1.0)
    undefined = m.select(m.less(x, 0.0), m.select(m.less(size, math.inf), undefined, 0.0), 0.0)
    result = m.select(m.equal(undefined, 1.0), m.number(math.nan), signed)
    result = m.select(m.is_nan(x), x, m.select(m.is_nan(y), y, result))
    return m.select(m.equal(y, 0.0), m.number(1.0), m.select(m.equal(x, 1.0), x, result))


def _of_size(m: Machine, size: Value, y: Value) -> Value:
    """``size ** y`` of a positive finite size."""
    wide = m.wide()
    exponent = wide.clamp(m.widened(y), -_ENOUGH, _ENOUGH)
    if m.format.width == 32:
        return m.narrowed(_short_power(wide, m.widened(size), exponent))
    return _long_power(m, size, exponent)


def _short_power(m: Machine, size: Value, y: Value) -> Value:
    """The power of a float64 that is not subnormal, to 29 digits, within 2^-200 and 2^200."""
    k, f = parts(m, size)
    t = m.clamp(y * (float_of(m, k) + f * m.polynomial(f, LOG_2)), -200.0, 200.0)
    biased, n = round_to_power(m, t, 1.0)
    return m.polynomial(t - n, EXP_2) * power_of_two(m, biased - m.format.bias)


def _long_power(m: Machine, size: Value, y: Value) -> Value:
    high, low = _log(m, size)
    t, rest = m.product(y, high)
    bounds = CONSTANTS[m.format.name].exp_range
    within = m.clamp(t, *bounds)
    return exp_times(m, within, m.select(m.equal(t, within), rest + y * low, 0.0), m.number(1.0))


def _log(m: Machine, size: Value) -> tuple[Value, Value]:
    """The logarithm of a positive float64, as a number and what it lacks: 68 digits together."""
    scale = m.format.mantissa + 2
    subnormal = m.less(size, 2.0 ** (1 - m.format.bias))
    exponent, f = parts(m, m.select(subnormal, size * 2.0**scale, size))
    k = float_of(m, exponent) - m.select(subnormal, m.number(scale), 0.0)
    s, s_low = _quotient(m, f)
    high, low = _series(m, s, s_low)
    c = CONSTANTS[m.format.name]
    total, rest = m.total(m.rounded("mul", k, c.ln2_high), high)
    return m.total(total, rest + (low + k * c.ln2_low))


def _quotient(m: Machine, f: Value) -> tuple[Value, Value]:
    """``f / (2 + f)`` and its rest: the remainder of the division, divided once more."""
    divisor, lost = m.total(m.number(2.0), f)
    inverse = 1.0 / divisor
    s = m.rounded("mul", f, inverse)
    product, error = m.product(s, divisor)
    return s, (((m.rounded("sub", f, product)) - error) - s * lost) * inverse


def _series(m: Machine, s: Value, s_low: Value) -> tuple[Value, Value]:
    """``2 s + s z (2 / 3 + z G(z))`` with ``z = s^2``."""
    z, z_low = m.product(s, s)
    z_low = z_low + s * s_low * 2.0
    factor, factor_low = m.total(m.number(2 / 3), m.rounded("mul", z, m.polynomial(z, SERIES)))
    factor_low = factor_low + THIRDS_LOW
    cube, cube_low = m.product(s, z)
    cube_low = cube_low + (s * z_low + s_low * z)
    term, term_low = m.product(cube, factor)
    term_low = term_low + (cube * factor_low + cube_low * factor)
    high, low = m.total(s + s, term)
    return high, low + (term_low + s_low * 2.0)


THIRDS_LOW = 3.700743415417188e-17  # 2 / 3 less its float64
