"""asin, acos, atan and atan2: an odd polynomial of an argument brought near 0, and eighths of a turn."""

from __future__ import annotations

import math

from graphlearn.backends.native.machine import Machine, Value

# (atan(t) - t) / t^3 in powers of t^2, t <= sqrt(2) - 1
ARC_TANGENT = {
    "f32": (
        -0.33333315351313385042,
        0.19998478999662942999,
        -0.14243635594709234974,
        0.10594321510105793933,
        -0.060789579099713506075,
    ),
    "f64": (
        -0.33333333333333196751,
        0.19999999999953320528,
        -0.14285714280165766651,
        0.11111110781753561498,
        -0.09090897704289958098,
        0.076920591911413975068,
        -0.06663091612664467659,
        0.058477931817152455368,
        -0.050388470559650842195,
        0.038052333201008602282,
        -0.017893187703587653427,
    ),
}
# (asin(t) - t) / t^3 in powers of t^2, t <= 1 / 2
ARC_SINE = {
    "f32": (
        0.16666754917213428806,
        0.074951970979224685798,
        0.045483232339964463813,
        0.024114927192401109129,
        0.042277853814370677551,
    ),
    "f64": (
        0.16666666666666765102,
        0.074999999999694667695,
        0.044642857175932137589,
        0.030381942642471124399,
        0.022372216876012496219,
        0.017351577323878535868,
        0.013981244763088518509,
        0.011395378071590078716,
        0.010800394587162322872,
        0.0036291288475164653905,
        0.021898288092737484928,
        -0.021272995790141117586,
        0.032802292118914263066,
    ),
}
_LOW = {  # pi / 2 less its number in the format
    "f32": -4.371139000186241e-8,
    "f64": 6.123233995736766e-17,
}
_EIGHTH = math.sqrt(2) - 1  # tan(pi / 8)


def _arc_sine(m: Machine, t: Value) -> Value:
    square = t * t
    return t + t * square * m.polynomial(square, ARC_SINE[m.format.name])


def _arc_tangent(m: Machine, t: Value, rest: Value | float) -> Value:
    square = t * t
    return t + (t * square * m.polynomial(square, ARC_TANGENT[m.format.name]) + rest)


def asin(m: Machine, x: Value) -> Value:
    """Inverse sine, in radians; beyond 1 / 2 a quarter turn less twice the arc of half of what is lacking.

    Largest error: 2.50 ULP in float32, 2.40 in float64.
    """
    size = m.magnitude(x)
    small = m.less(size, 0.5)
    arc = _arc_sine(m, m.select(small, size, m.call("llvm.sqrt", (1.0 - size) * 0.5)))
    beyond = math.pi / 2 - (arc + arc - _LOW[m.format.name])
    return m.with_sign(m.select(small, arc, beyond), x)


def acos(m: Machine, x: Value) -> Value:
    """Inverse cosine, in radians.

    Largest error: 1.30 ULP in float32, 1.30 in float64.
    """
    low = _LOW[m.format.name]
    size = m.magnitude(x)
    small = m.less(size, 0.5)
    arc = _arc_sine(m, m.select(small, x, m.call("llvm.sqrt", (1.0 - size) * 0.5)))
    twice = arc + arc
    beyond = m.select(m.less(x, 0.0), math.pi - (twice - 2.0 * low), twice)
    return m.select(small, math.pi / 2 - (arc - low), beyond)


def atan(m: Machine, x: Value) -> Value:
    """Inverse tangent, in radians.

    Largest error: 2.00 ULP in float32, 2.00 in float64.
    """
    return m.with_sign(_angle(m, m.magnitude(x), m.number(1.0)), x)


def atan2(m: Machine, y: Value, x: Value) -> Value:
    """Angle of the point (y, x), from the x axis; with the signs of C's atan2 where both are 0 or infinite.

    Largest error: 2.50 ULP in float32, 2.30 in float64.
    """
    height, width = m.magnitude(y), m.magnitude(x)
    endless = m.select(m.equal(height, math.inf), m.equal(width, math.inf), m.equal(height, math.inf))
    height, width = m.select(endless, m.number(1.0), height), m.select(endless, m.number(1.0), width)
    huge = m.less(m.number(1.0), m.select(m.less(height, width), width, height))
    scale = m.select(huge, m.number(0.25), 1.0)  # the sum of both must not overflow
    angle = _angle(m, height * scale, width * scale)
    backward = m.less(m.with_sign(m.number(1.0), x), 0.0)  # -0 counts
    angle = m.select(backward, math.pi - (angle - 2.0 * _LOW[m.format.name]), angle)
    return m.select(m.is_nan(x), x, m.select(m.is_nan(y), y, m.with_sign(angle, y)))


def _angle(m: Machine, height: Value, width: Value) -> Value:
    """The angle of a point whose coordinates are not negative and not both infinite."""
    steep = m.less(width, height)
    low, high = m.select(steep, width, height), m.select(steep, height, width)
    high = m.select(m.equal(high, 0.0), m.number(1.0), high)
    wide = m.less(high * _EIGHTH, low)
    t = m.select(wide, low - high, low) / m.select(wide, low + high, high)
    arc = _arc_tangent(m, t, m.select(wide, m.number(_LOW[m.format.name] / 2), 0.0))
    arc = m.select(wide, arc + math.pi / 4, arc)
    return m.select(steep, math.pi / 2 - (arc - _LOW[m.format.name]), arc)
