"""Python's whole numbers beyond a dtype: beyond int64 they count as real ones; else they are refused, as NumPy does."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

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
    """Operands in which real numbers stand for whole ones beyond int64; the others are within their dtype.

    Args:
        operands: nodes, numbers and arrays.
        op: what is applied to them.
        types: of the operands, if the numbers were small.

    Raises:
        DTypeError: the operation is one of whole numbers here, of a dtype that does not hold a number; or a number is
            beyond float64 too.
    """
    if not any(map(is_beyond, operands)):
        return _within_dtype(operands, op, types)
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


def is_wide(value: Any) -> bool:
    """Whether this is a whole number of Python's that some dtype of whole numbers does not hold."""
    return type(value) is int and not 0 <= value < 256


def _within_dtype(operands: tuple[Any, ...], op: Op, types: tuple[ArrayType, ...]) -> tuple[Any, ...]:
    """Operands of which whole numbers are in the range of the dtype that they take; bounds of clip are brought into it.

    Raises:
        DTypeError: a number is out of that range, where NumPy has no value either.
    """
    if op.name in _COMPARISONS or op.name == "where" or not op.is_elementwise:
        return operands
    dtype = op.infer(types).dtype
    if dtype not in _WHOLE:
        return operands
    low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    if op.name == "clip" and not is_wide(operands[0]):  # a bound that no entry reaches bounds nothing
        below, above = operands[1:]
        below = low if is_wide(below) and below < low else below
        above = high if is_wide(above) and above > high else above
        operands = (operands[0], below, above)
    for place, value in enumerate(operands):
        if op.name == "pow" and place == 1 and is_wide(value) and value < 0:
            continue  # which says so itself
        if is_wide(value) and not low <= value <= high:
            raise DTypeError(
                f"{op.name} of {dtype} needs whole numbers from {low} to {high}; got {value}. Make the others wider "
                "first, with node.astype('int64')."
            )
    return operands
