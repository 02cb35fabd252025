"""Python's whole numbers beyond int64: they count as real ones, or are refused, as NumPy does."""

from __future__ import annotations

import math
from typing import Any

from graphlearn.errors import DTypeError
from graphlearn.graph.op import Op
from graphlearn.types import ArrayType

_COMPARISONS = ("equal", "greater", "greater_equal", "less", "less_equal", "not_equal")
_WHOLE = ("uint8", "int32", "int64")


def is_beyond(value: Any) -> bool:
    """Whether this is a whole number of Python's that int64 does not hold."""
    return type(value) is int and not -(2**63) <= value < 2**63


def fitting(value: float) -> float:
    """A Python number; as a real one where it is a whole one beyond int64.

    Raises:
        DTypeError: it is beyond float64 too.
    """
    try:
        return float(value) if is_beyond(value) else value
    except OverflowError:
        raise DTypeError(
            f"a number needs to be within float64, up to 1.8e308; got a whole number of {int(value).bit_length()} bits."
            " Use its logarithm, or write math.inf."
        ) from None


def within_reach(operands: tuple[Any, ...], op: Op, types: tuple[ArrayType, ...]) -> tuple[Any, ...]:
    """Operands in which real numbers stand for whole ones beyond int64.

    Args:
        operands: nodes, numbers and arrays.
        op: what is applied to them.
        types: of the operands, if the numbers were small.

    Raises:
        DTypeError: the operation is one of whole numbers here, or a number is beyond float64 too.
    """
    if op.name in _COMPARISONS and not any(t.is_float for t in types):
        # No whole number of a graph reaches them, but as a real number the largest would equal 2.0**63.
        return tuple([(math.inf if x > 0 else -math.inf) if is_beyond(x) else x for x in operands])
    if op.infer(types).dtype in _WHOLE:
        bits = next(x.bit_length() for x in operands if is_beyond(x))
        raise DTypeError(
            f"{op.name} of whole numbers needs them within int64, from -2**63 to 2**63 - 1; got one of {bits} bits. "
            "Make the others real first, with node.astype('float64')."
        )
    return tuple([fitting(x) if is_beyond(x) else x for x in operands])
