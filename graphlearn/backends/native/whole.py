"""What Python's ``//``, ``%`` and ``**`` are in instructions, with NumPy's answers where Python raises."""

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


def raise_integer(builder: Any, a: Any, b: Any) -> Any:
    """``a ** b`` of int64 by squaring, modulo 2**64; a negative power of 1 and -1 is one of these, of others 0."""
    module = builder.module
    function = module.globals.get(_POWER)
    if function is None:
        from llvmlite import ir

        function = ir.Function(module, ir.FunctionType(a.type, [a.type] * 2), _POWER)
        function.linkage = "internal"
        _write_power(ir.IRBuilder(function.append_basic_block()), *function.args)
    return builder.call(function, [a, b])


_POWER = "graphlearn_integer_power"


def _write_power(builder: Any, base: Any, exponent: Any) -> None:
    """A loop over the bits of the exponent; the lowest one alone says what a negative power of -1 is."""
    zero, one = base.type(0), base.type(1)
    negative = builder.icmp_signed("<", exponent, zero)
    unit = builder.or_(builder.icmp_signed("==", base, one), builder.icmp_signed("==", base, base.type(-1)))
    bits = builder.select(negative, builder.and_(exponent, one), exponent)
    start = builder.select(builder.and_(negative, builder.not_(unit)), zero, one)
    before, body, end = builder.block, builder.append_basic_block(), builder.append_basic_block()
    builder.cbranch(builder.icmp_signed("==", bits, zero), end, body)
    builder.position_at_end(body)
    result, square, rest = (builder.phi(base.type) for _ in range(3))
    odd = builder.icmp_signed("!=", builder.and_(rest, one), zero)
    product = builder.select(odd, builder.mul(result, square), result)
    shorter = builder.lshr(rest, one)
    for phi, first, following in (
        (result, start, product),
        (square, base, builder.mul(square, square)),
        (rest, bits, shorter),
    ):
        phi.add_incoming(first, before)
        phi.add_incoming(following, body)
    builder.cbranch(builder.icmp_signed("==", shorter, zero), end, body)
    builder.position_at_end(end)
    found = builder.phi(base.type)
    found.add_incoming(start, before)
    found.add_incoming(product, body)
    builder.ret(found)
