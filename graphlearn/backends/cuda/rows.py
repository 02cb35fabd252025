"""The rows of the CPU backend with what a GPU has of its own in their place. Tables only.

The elementary functions are ``math``'s: a GPU has no vectors for which they would have to be written anew. The names
``max`` and ``min`` would be nested functions, which cannot be compiled without a driver.
"""

from __future__ import annotations

from collections.abc import Callable

from graphlearn.backends import rows as cpu
from graphlearn.backends.rows import Rows

# NaN if either is NaN: a comparison with NaN is false, and NaN alone differs from itself.
_MAXIMUM = "({0} if {0} >= {1} or {0} != {0} else {1})"
_MINIMUM = "({0} if {0} <= {1} or {0} != {0} else {1})"
_MATH = ("exp", "expm1", "log", "log1p", "sqrt", "tanh")

GPU = Rows(
    "cuda",
    {
        **cpu.FLOAT,
        **{name: f"math.{name}({{0}})" for name in _MATH},
        "maximum": _MAXIMUM,
        "minimum": _MINIMUM,
    },
    {
        **cpu.INTEGER,
        "maximum": "({0} if {0} >= {1} else {1})",
        "minimum": "({0} if {0} <= {1} else {1})",
    },
    cpu.BOOLEAN,
    others=(cpu.CPU,),
)


def combine(op: str, dtype: str) -> Callable[[str, str], str]:
    """How a reduction adds a value to what it has; both are names."""
    if dtype == "bool":
        return cpu.combine(op, dtype)
    if op == "sum":
        return lambda total, value: cpu.wrapped(f"({total} + {value})", dtype)
    return lambda total, value: _MAXIMUM.format(total, value)
