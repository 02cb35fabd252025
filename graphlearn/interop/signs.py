"""What the signs of a formula mean: operators with their binding strengths, brackets, constants. Tables."""

from __future__ import annotations

import math
from collections.abc import Callable

from graphlearn.graph.node import Node, apply
from graphlearn.ops.linear import matmul

# operator -> (binding strength, whether it groups from the right, operation); Python's order
BINARY: dict[str, tuple[int, bool, Callable[[Node, Node], Node]]] = {
    "or": (1, False, lambda x, y: apply("logical_or", x, y)),
    "and": (2, False, lambda x, y: apply("logical_and", x, y)),
    "<": (4, False, lambda x, y: x < y),
    "<=": (4, False, lambda x, y: x <= y),
    ">": (4, False, lambda x, y: x > y),
    ">=": (4, False, lambda x, y: x >= y),
    "==": (4, False, lambda x, y: apply("equal", x, y)),
    "!=": (4, False, lambda x, y: apply("not_equal", x, y)),
    "+": (5, False, lambda x, y: x + y),
    "-": (5, False, lambda x, y: x - y),
    "*": (6, False, lambda x, y: x * y),
    "/": (6, False, lambda x, y: x / y),
    "//": (6, False, lambda x, y: x // y),
    "%": (6, False, lambda x, y: x % y),
    "@": (6, False, matmul),
    "**": (8, True, lambda x, y: x**y),
}
COMPARISON = 4
# Signs bind weaker than ** (so -x**2 is -(x**2)) and stronger than *.
PREFIX: dict[str, tuple[int, Callable[[Node], Node]]] = {
    "not": (3, lambda x: apply("logical_not", x)),
    "-": (7, lambda x: -x),
    "+": (7, lambda x: x),
}
# opening bracket -> the closing one, and the operation that they mean
BRACKETS = {"(": (")", ""), "|": ("|", "abs"), "⌊": ("⌋", "floor"), "⌈": ("⌉", "ceil")}
CONSTANTS: dict[str, float] = {"pi": math.pi, "π": math.pi, "inf": math.inf, "nan": math.nan, "∞": math.inf}
WORDS = {"True": True, "False": False, "None": None}
ROOTS = ("√", "∛")
# What other languages write for a constant -> what a formula writes.
FOREIGN = {
    "NaN": "nan", "Nan": "nan", "Inf": "inf", "Infinity": "inf", "infinity": "inf", "true": "True", "false": "False",
}  # fmt: skip
MODULES = ("gl", "graphlearn", "np", "numpy", "math", "torch", "jnp", "tf")  # whose functions need no prefix here
