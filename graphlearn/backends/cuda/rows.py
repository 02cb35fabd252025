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
# Half to even: up from the floor where the rest is above a half, or where it is a half and the floor is odd.
_FLOOR, _REST = "math.floor({0})", "({0} - math.floor({0}))"
_UP = f"({_REST} > {{half}} or ({_REST} == {{half}} and math.floor({_FLOOR} * {{half}}) != {_FLOOR} * {{half}}))"
_ROUND = f"math.copysign(({_FLOOR} + {{one}} if {_UP} else {_FLOOR}), {{0}})"
# A power, and one step of Newton for the digits that 1/3 has not.
_POWER = "(abs({0}) ** {third})"
_CBRT = f"math.copysign({_POWER} - ({_POWER} - abs({{0}}) / ({_POWER} * {_POWER})) * {{third}}, {{0}})"
_FMOD = "math.fmod({0}, {1})"
# The quotient without its rest, and 1 less where the rest has not the divisor's sign: a whole number but for rounding.
_OTHER_SIGN = f"{_FMOD} != {{zero}} and ({_FMOD} < {{zero}}) != ({{1}} < {{zero}})"
_NEAR = f"(({{0}} - {_FMOD}) / {{1}} - ({{one}} if {_OTHER_SIGN} else {{zero}}))"
_WHOLE = f"(math.floor({_NEAR}) + ({{one}} if {_NEAR} - math.floor({_NEAR}) > {{half}} else {{zero}}))"
_ZERO = "math.copysign({zero}, {0} / {1})"
_MATH = (
    "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "sinh",
    "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc",
)  # fmt: skip

GPU = Rows(
    "cuda",
    {
        **cpu.FLOAT,
        **{name: f"math.{name}({{0}})" for name in _MATH},
        "pow": "({0} ** {1})",
        "atan2": "math.atan2({0}, {1})",
        "maximum": _MAXIMUM,
        "minimum": _MINIMUM,
        "exp2": "({two} ** {0})",
        "cbrt": f"({_CBRT} if {{0}} != {{zero}} and abs({{0}}) < {{inf}} else {{0}})",
        "floor": _FLOOR,
        "ceil": "math.ceil({0})",
        "round": _ROUND,
        # of the sign of the divisor
        "mod": f"({_FMOD} if {_FMOD} == {{zero}} or ({_FMOD} < {{zero}}) == ({{1}} < {{zero}}) else {_FMOD} + {{1}})",
        "floor_divide": f"({{0}} / {{1}} if {{1}} == {{zero}} else ({_ZERO} if {_NEAR} == {{zero}} else {_WHOLE}))",
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
