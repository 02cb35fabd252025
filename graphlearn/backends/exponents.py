"""Products that neither overflow nor vanish on the way: numbers with a power of two beside them.

A number stands for ``x * unit**k`` with a whole number ``k`` and ``x`` within the square root of the unit, 2**512 or
2**64, of 1. Scaling rounds nothing, and what is of such a size to begin with is left as it is.
"""

from __future__ import annotations

from graphlearn.backends.source import Source

_HALF = {"float64": 256, "float32": 32}  # of the exponent of the unit: two factors of its root's size are in range


def bring_near_one(source: Source, x: str, k: str, dtype: str) -> None:
    """Move powers of the unit from a variable to its exponent; 0, infinities and NaN stay as they are."""
    half = _HALF[dtype]
    zero, endless = source.literal(0, dtype), source.literal(float("inf"), dtype)
    with source.block(f"while abs({x}) > {source.literal(2.0**half, dtype)} and abs({x}) < {endless}:"):
        source.line(f"{x} = {x}*{source.literal(2.0 ** (-2 * half), dtype)}")
        source.line(f"{k} = {k} + 1")
    with source.block(f"while abs({x}) < {source.literal(2.0**-half, dtype)} and {x} != {zero}:"):
        source.line(f"{x} = {x}*{source.literal(2.0 ** (2 * half), dtype)}")
        source.line(f"{k} = {k} - 1")


def multiply(source: Source, x: str, k: str, factor: str, dtype: str) -> None:
    """Multiply a variable that is near 1, with its exponent, by any number; it is near 1 again."""
    f = source.local()
    source.line(f"{f} = {factor}")
    bring_near_one(source, f, k, dtype)
    source.line(f"{x} = {x}*{f}")
    bring_near_one(source, x, k, dtype)


def bring_back(source: Source, x: str, k: str, dtype: str) -> None:
    """Multiply a variable by a power of the unit; ``k`` is any text."""
    half, left = _HALF[dtype], source.local()
    source.line(f"{left} = {k}")
    with source.block(f"while {left} > 0:"):
        source.line(f"{x} = {x}*{source.literal(2.0 ** (2 * half), dtype)}")
        source.line(f"{left} = {left} - 1")
    with source.block(f"while {left} < 0:"):
        source.line(f"{x} = {x}*{source.literal(2.0 ** (-2 * half), dtype)}")
        source.line(f"{left} = {left} + 1")
