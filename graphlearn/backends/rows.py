"""One row per intrinsic: the Python expression for one entry, on the CPU; a GPU has these rows with overrides.

Operands are locals or literals of the row's dtype. In the source a bool is a bool, uint8 is an int64 from 0 to 255, and
every other dtype is itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from graphlearn.errors import UnsupportedOp

SUFFIX = {"float32": "f32", "float64": "f64"}
ARENAS = {"float32": "f32", "float64": "f64", "int64": "i64", "int32": "i32", "uint8": "u8"}
_LOWEST = {"int64": -(2**63), "int32": -(2**31), "uint8": 0}

_NUMBERS = {"zero": 0, "one": 1, "two": 2, "half": 0.5, "third": 1 / 3, "inf": math.inf}  # that a row may mention

_WRAPPED = ("add", "sub", "mul", "neg", "pow", "abs", "floor_divide")  # of whole numbers, may be out of range
# How the text of a constant of a dtype is got.
Constant = Callable[[float, str], str]

# intrinsics that are functions of compiled code under their own names
_ALIKE = (
    "exp", "expm1", "exp2", "log", "log1p", "log2", "log10", "sqrt", "cbrt", "sin", "cos", "tan", "asin", "acos",
    "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc", "floor", "ceil",
)  # fmt: skip
# {0}, {1}, {2}: operands; {s}: suffix of the float format
FLOAT = {
    "add": "({0} + {1})",
    "sub": "({0} - {1})",
    "mul": "({0} * {1})",
    "div": "({0} / {1})",
    "neg": "(-{0})",
    "pow": "fpow_{s}({0}, {1})",
    "abs": "abs({0})",
    "sign": "({one} if {0} > {zero} else (-{one} if {0} < {zero} else ({zero} if {0} == {zero} else {0})))",
    "maximum": "fmax_{s}({0}, {1})",
    "minimum": "fmin_{s}({0}, {1})",
    "where": "({1} if {0} else {2})",
    **{name: f"f{name}_{{s}}({{0}})" for name in _ALIKE},
    "atan2": "fatan2_{s}({0}, {1})",
    "round": "frint_{s}({0})",
    "mod": "({0} % {1})",
    "floor_divide": "({0} // {1})",
}
INTEGER = {
    "add": "({0} + {1})",
    "sub": "({0} - {1})",
    "mul": "({0} * {1})",
    "neg": "(-{0})",
    "pow": "({0} ** {1})",
    "abs": "abs({0})",
    "sign": "(1 if {0} > 0 else (-1 if {0} < 0 else 0))",
    "maximum": "max({0}, {1})",
    "minimum": "min({0}, {1})",
    "where": "({1} if {0} else {2})",
    **dict.fromkeys(("floor", "ceil", "round"), "{0}"),
    "mod": "(0 if {1} == 0 else {0} % {1})",
    # by -1 without a division, which has no answer for the lowest number
    "floor_divide": "(0 if {1} == 0 else (-{0} if {1} == -1 else {0} // {1}))",
}
BOOLEAN = {
    "add": "({0} | {1})",
    "mul": "({0} & {1})",
    "maximum": "({0} | {1})",
    "minimum": "({0} & {1})",
    **dict.fromkeys(("abs", "floor", "ceil", "round"), "{0}"),
    "where": "({1} if {0} else {2})",
    "less": "({0} < {1})",
    "less_equal": "({0} <= {1})",
    "greater": "({0} > {1})",
    "greater_equal": "({0} >= {1})",
    "equal": "({0} == {1})",
    "not_equal": "({0} != {1})",
    "logical_not": "(not {0})",
    "logical_and": "({0} & {1})",
    "logical_or": "({0} | {1})",
}


class Rows(NamedTuple):
    """The rows of one target: a table per kind of result, and other targets to turn to where a row is missing."""

    backend: str
    floating: Mapping[str, str]
    integer: Mapping[str, str]
    boolean: Mapping[str, str]
    others: tuple[Rows, ...] = ()

    def of(self, dtype: str) -> Mapping[str, str]:
        """The table for results of a dtype."""
        return self.floating if dtype in SUFFIX else self.boolean if dtype == "bool" else self.integer


CPU = Rows("numba", FLOAT, INTEGER, BOOLEAN)


def expression(op: str, dtype: str, operands: list[str], constant: Constant, target: Rows = CPU) -> str:
    """The text that computes an intrinsic whose result has this dtype.

    Raises:
        UnsupportedOp: there is no row; the message names the backends that have one.
    """
    row = target.of(dtype).get(op)
    if row is None:
        able = [other.backend for other in target.others if op in other.of(dtype)]
        instead = " or ".join(f'backend="{name}"' for name in (*able, "numpy"))
        raise UnsupportedOp(
            f"the backend {target.backend!r} has no row for {op!r} on {dtype}. Pass {instead}, which has."
        )
    if dtype in SUFFIX:
        named = {name: constant(value, dtype) for name, value in _NUMBERS.items() if f"{{{name}}}" in row}
        return row.format(*operands, s=SUFFIX[dtype], **named)
    text = row.format(*operands)
    return wrapped(text, dtype) if op in _WRAPPED else text


def wrapped(text: str, dtype: str) -> str:
    """An integer expression brought back into its dtype's range, as NumPy's overflow does."""
    return {"uint8": f"({text} & 255)", "int32": f"int32({text})"}.get(dtype, text)


def added(a: str, b: str, dtype: str) -> str:
    """The text of a sum, as NumPy adds: truths are true where one of them is."""
    return f"({a} | {b})" if dtype == "bool" else wrapped(f"({a} + {b})", dtype)


def multiplied(a: str, b: str, dtype: str) -> str:
    """The text of a product within a sum that is wrapped as a whole: truths are true where both are."""
    return f"{a} & {b}" if dtype == "bool" else f"{a} * {b}"


def literal(value: float, dtype: str) -> str:
    """A constant that carries its dtype."""
    if dtype == "bool":
        return str(bool(value))
    if dtype not in SUFFIX:
        return str(int(value))
    number = float(value)
    text = (
        repr(number) if math.isfinite(number) else "math.nan" if math.isnan(number) else f"{'-' * (number < 0)}math.inf"
    )
    return f"{dtype}({text})"


def convert(text: str, source: str, target: str, constant: Constant) -> str:
    """The text that turns a value of one dtype into another, as NumPy's astype."""
    if source == target:
        return text
    if target == "bool":
        return f"({text} != {constant(0, source)})"
    if source == "bool":
        return f"({constant(1, target)} if {text} else {constant(0, target)})"
    if target == "uint8":
        return f"(int64({text}) & 255)"
    if target == "int32":
        return f"int32(int64({text}))"
    return f"{target}({text})"


def truth(text: str, dtype: str, constant: Constant) -> str:
    """The text that asks whether a value is not zero."""
    return text if dtype == "bool" else f"({text} != {constant(0, dtype)})"


def combine(op: str, dtype: str) -> Callable[[str, str], str]:
    """How a reduction adds a value to what it has."""
    if dtype == "bool":
        return lambda total, value: f"({total} | {value})"
    if dtype in SUFFIX:
        name = "radd" if op == "sum" else "rmax"
        return lambda total, value: f"{name}_{SUFFIX[dtype]}({total}, {value})"
    if op == "sum":
        return lambda total, value: wrapped(f"({total} + {value})", dtype)
    return lambda total, value: f"max({total}, {value})"


def start_of(op: str, dtype: str) -> float:
    """The value of a reduction over nothing."""
    if op == "sum" or dtype == "bool":
        return 0
    return -math.inf if dtype in SUFFIX else _LOWEST[dtype]
