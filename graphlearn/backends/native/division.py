"""Division as Python has it: quotients rounded down, remainders with the divisor's sign, and NumPy's answers to 0."""

from __future__ import annotations

from typing import Any


def divide_integers(builder: Any, name: str, a: Any, b: Any, known: float | None) -> Any:
    """``a // b`` or ``a % b``: 0 where the divisor is 0; by -1 without a trap for the lowest number.

    Args:
        builder: where instructions go.
        name: ``"floordiv"`` or ``"mod"``.
        a: the dividend.
        b: the divisor.
        known: the divisor where the text says it.
    """
    zero, one = a.type(0), a.type(1)
    none, minus = builder.icmp_signed("==", b, zero), builder.icmp_signed("==", b, a.type(-1))
    safe = bool(known and known > 0)
    divisor = b if safe else builder.select(builder.or_(none, minus), one, b)
    quotient, rest = builder.sdiv(a, divisor), builder.srem(a, divisor)
    opposite = builder.icmp_signed("<", builder.xor(a, divisor), zero)
    uneven = builder.and_(builder.icmp_signed("!=", rest, zero), opposite)
    if name == "mod":
        down = builder.select(uneven, builder.add(rest, divisor), rest)
        return down if safe else builder.select(builder.or_(none, minus), zero, down)
    down = builder.select(uneven, builder.sub(quotient, one), quotient)
    return down if safe else builder.select(none, zero, builder.select(minus, builder.neg(a), down))


def divide_floats(builder: Any, name: str, a: Any, b: Any, floor: Any) -> Any:
    """``a // b`` or ``a % b``, step by step as CPython's ``float_divmod``, but by 0 as C divides.

    Args:
        builder: where instructions go.
        name: ``"floordiv"`` or ``"mod"``.
        a: the dividend.
        b: the divisor.
        floor: ``floor(value)`` writes the largest whole number that is not above.
    """
    zero, one, half = a.type(0.0), a.type(1.0), a.type(0.5)
    rest = builder.frem(a, b)
    negative = builder.fcmp_ordered("<", b, zero)
    uneven = builder.fcmp_unordered("!=", rest, zero)
    other_sign = builder.xor(negative, builder.fcmp_ordered("<", rest, zero))
    shifted = builder.and_(uneven, other_sign)
    if name == "mod":
        even = builder.select(negative, a.type(-0.0), zero)
        return builder.select(shifted, builder.fadd(rest, b), builder.select(uneven, rest, even))
    quotient = builder.fdiv(builder.fsub(a, rest), b)
    quotient = builder.select(shifted, builder.fsub(quotient, one), quotient)
    whole = floor(quotient)
    above = builder.fcmp_ordered(">", builder.fsub(quotient, whole), half)
    whole = builder.select(above, builder.fadd(whole, one), whole)
    signed_zero = builder.fdiv(builder.fmul(builder.fmul(quotient, quotient), a), b)
    down = builder.select(builder.fcmp_ordered("!=", quotient, zero), whole, signed_zero)
    return builder.select(builder.fcmp_ordered("==", b, zero), builder.fdiv(a, b), down)
