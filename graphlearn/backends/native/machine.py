"""Values of one floating-point format as LLVM instructions, with Python's operators: formulas read like arithmetic.

A formula of `vector_math` receives a `Machine` and returns a `Value`; running it writes straight-line instructions
(no branch, no call), which LLVM vectorises once they are inlined into a loop. `Machine.unless` alone branches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from graphlearn.backends.native.width import fuses_products

# Products may be fused with the sum that uses them where the target has the instruction. Never more than that here:
# "reassoc" would cancel (x + magic) - magic, "nnan" and "ninf" would drop the selects that catch NaN and infinity.
CONTRACT = ("contract",)
# For instructions that must stay as they are. Numba gives the flags of the whole function to those that bear none; this
# one allows a division to become a product with a reciprocal, so it says nothing about sums and products.
EXACT = ("arcp",)


@dataclass(frozen=True)
class FloatFormat:
    """An IEEE 754 binary format.

    Args:
        name: the suffix of function names, ``"f32"`` or ``"f64"``.
        width: bits of a value.
        mantissa: stored bits of the significand.
    """

    name: str
    width: int
    mantissa: int

    @property
    def bias(self) -> int:
        """The exponent field of 1.0."""
        return (1 << (self.width - self.mantissa - 2)) - 1

    @property
    def dtype(self) -> str:
        """The name that NumPy and Numba give to the format."""
        return f"float{self.width}"


FLOAT32 = FloatFormat("f32", 32, 23)
FLOAT64 = FloatFormat("f64", 64, 52)
FORMATS = (FLOAT32, FLOAT64)


class Value:
    """A float or an integer of the machine's width.

    Operators take another `Value` of the same kind or a Python number. Integer ``>>`` is logical.
    """

    __slots__ = ("_machine", "raw")

    def __init__(self, machine: Machine, raw: Any) -> None:
        self._machine = machine
        self.raw = raw

    def __add__(self, other: Value | float) -> Value:
        return self._machine.apply("add", self, other)

    def __radd__(self, other: float) -> Value:
        return self._machine.apply("add", self, other)

    def __sub__(self, other: Value | float) -> Value:
        return self._machine.apply("sub", self, other)

    def __rsub__(self, other: float) -> Value:
        return self._machine.apply("sub", self._machine.like(self, other), self)

    def __mul__(self, other: Value | float) -> Value:
        return self._machine.apply("mul", self, other)

    def __rmul__(self, other: float) -> Value:
        return self._machine.apply("mul", self, other)

    def __truediv__(self, other: Value | float) -> Value:
        return self._machine.apply("div", self, other)

    def __rtruediv__(self, other: float) -> Value:
        return self._machine.apply("div", self._machine.like(self, other), self)

    def __and__(self, other: Value | int) -> Value:
        return self._machine.apply("and", self, other)

    def __or__(self, other: Value | int) -> Value:
        return self._machine.apply("or", self, other)

    def __xor__(self, other: Value | int) -> Value:
        return self._machine.apply("xor", self, other)

    def __lshift__(self, count: int) -> Value:
        return self._machine.apply("shl", self, count)

    def __rshift__(self, count: int) -> Value:
        return self._machine.apply("shr", self, count)

    def __neg__(self) -> Value:
        return Value(self._machine, self._machine.builder.fneg(self.raw))


# operator -> (builder method for floats, builder method for integers); a row says which kinds the operator has
_INSTRUCTIONS: dict[str, tuple[str | None, str | None]] = {
    "add": ("fadd", "add"),
    "sub": ("fsub", "sub"),
    "mul": ("fmul", "mul"),
    "div": ("fdiv", None),
    "and": (None, "and_"),
    "or": (None, "or_"),
    "xor": (None, "xor"),
    "shl": (None, "shl"),
    "shr": (None, "lshr"),
}


class Machine:
    """Writes the instructions of one formula through an LLVM builder.

    Args:
        builder: an ``llvmlite.ir.IRBuilder``, placed where the instructions go.
        format: the floating-point format of every value.
        lanes: how many numbers a value holds side by side; 0: one, and no LLVM vector.
    """

    def __init__(self, builder: Any, format: FloatFormat, lanes: int = 0) -> None:
        from llvmlite import ir

        self.builder = builder
        self.format = format
        self.lanes = lanes
        number = ir.FloatType() if format.width == 32 else ir.DoubleType()
        self.float_type = ir.VectorType(number, lanes) if lanes else number
        self.int_type = ir.VectorType(ir.IntType(format.width), lanes) if lanes else ir.IntType(format.width)
        self._new_constant: Callable[[Any, Any], Any] = ir.Constant
        self._function: Callable[..., Any] = ir.Function
        self._function_type: Callable[..., Any] = ir.FunctionType
        self._integer: Callable[[int], Any] = ir.IntType

    def _constant(self, kind: Any, value: float) -> Any:
        return self._new_constant(kind, [value] * self.lanes if self.lanes else value)

    def number(self, value: float) -> Value:
        """A float constant, rounded to the format."""
        return Value(self, self._constant(self.float_type, float(value)))

    def like(self, model: Value, value: Value | float) -> Value:
        """``value`` itself, or a Python number as a constant of the kind of ``model``."""
        return value if isinstance(value, Value) else Value(self, self._constant(model.raw.type, value))

    def apply(self, operator: str, left: Value, right: Value | float) -> Value:
        """The instruction of an operator; both operands of the kind of ``left``."""
        floats, integers = _INSTRUCTIONS[operator]
        other = self.like(left, right).raw
        if left.raw.type == self.float_type and floats is not None:
            return Value(self, getattr(self.builder, floats)(left.raw, other, flags=CONTRACT))
        if left.raw.type == self.int_type and integers is not None:
            return Value(self, getattr(self.builder, integers)(left.raw, other))
        raise TypeError(f"{operator} is not defined for a value of type {left.raw.type}")

    def rounded(self, operator: str, left: Value, right: Value | float) -> Value:
        """A sum, difference or product of floats, never fused with another: its rounding error is known."""
        return Value(self, getattr(self.builder, f"f{operator}")(left.raw, self.like(left, right).raw, flags=EXACT))

    def product(self, a: Value, b: Value) -> tuple[Value, Value]:
        """``a b`` rounded, and the error, exactly: Dekker's product where no instruction yields it."""
        high = self.rounded("mul", a, b)
        if fuses_products():
            return high, self.call("llvm.fma", a, b, -high)
        (a1, a2), (b1, b2) = self.halves(a), self.halves(b)
        rest = self.rounded("sub", self.rounded("mul", a1, b1), high)
        rest = self.rounded("add", rest, self.rounded("mul", a1, b2))
        rest = self.rounded("add", rest, self.rounded("mul", a2, b1))
        return high, self.rounded("add", rest, self.rounded("mul", a2, b2))

    def halves(self, x: Value) -> tuple[Value, Value]:
        """``x`` as a number with the upper half of its bits, and the rest: products of halves are exact."""
        high = self.from_bits(self.bits(x) & -(1 << (self.format.mantissa + 2) // 2))
        return high, self.rounded("sub", x, high)

    def total(self, a: Value, b: Value) -> tuple[Value, Value]:
        """``a + b`` rounded, and the error, exactly; ``a`` must not be the smaller one (Dekker's fast sum)."""
        high = self.rounded("add", a, b)
        return high, self.rounded("sub", b, self.rounded("sub", high, a))

    def wide(self) -> Machine:
        """This machine, in float64."""
        return Machine(self.builder, FLOAT64, self.lanes)

    def widened(self, x: Value) -> Value:
        """A value in float64, of `wide`."""
        wide = self.wide()
        return Value(wide, self.builder.fpext(x.raw, wide.float_type)) if self.format.width == 32 else x

    def narrowed(self, x: Value) -> Value:
        """A value of `wide`, rounded to this format."""
        return Value(self, self.builder.fptrunc(x.raw, self.float_type)) if self.format.width == 32 else x

    def unless(self, rare: Value, usual: Value, other: Callable[[], Value]) -> Value:
        """``usual`` where the condition holds in no lane; else, lane by lane, what ``other`` writes behind a branch."""
        builder, before = self.builder, self.builder.block
        found = rare.raw
        if self.lanes:
            pattern = builder.bitcast(found, self._integer(self.lanes))
            found = builder.icmp_unsigned("!=", pattern, pattern.type(0))
        with builder.if_then(found, likely=False):
            mended = self.select(rare, other(), usual).raw
            end = builder.block
        result = builder.phi(self.float_type)
        result.add_incoming(usual.raw, before)
        result.add_incoming(mended, end)
        return Value(self, result)

    def one_by_one(self, name: str, formula: Callable[[Machine, Value], Value], x: Value) -> Value:
        """A formula of a single float64 as a function of its own, called for each lane: for what is rare and long."""
        function = self.builder.module.globals.get(name) or self._write_apart(name, formula)
        if not self.lanes:
            return Value(self, self.builder.call(function, [x.raw]))
        result = x.raw
        for k in range(self.lanes):
            at = self._integer(32)(k)
            lane = self.builder.call(function, [self.builder.extract_element(x.raw, at)])
            result = self.builder.insert_element(result, lane, at)
        return Value(self, result)

    def _write_apart(self, name: str, formula: Callable[[Machine, Value], Value]) -> Any:
        double = Machine(self.builder, FLOAT64).float_type
        function = self._function(self.builder.module, self._function_type(double, [double]), name)
        function.linkage = "internal"
        for attribute in ("noinline", "readnone", "nounwind", "cold"):
            function.attributes.add(attribute)
        inside = Machine(type(self.builder)(function.append_basic_block()), FLOAT64)
        inside.builder.ret(formula(inside, Value(inside, function.args[0])).raw)
        return function

    def bits(self, x: Value) -> Value:
        """The bit pattern of a float, as an integer."""
        return Value(self, self.builder.bitcast(x.raw, self.int_type))

    def from_bits(self, pattern: Value) -> Value:
        """The float of a bit pattern."""
        return Value(self, self.builder.bitcast(pattern.raw, self.float_type))

    def less(self, a: Value, b: Value | float) -> Value:
        """``a < b``; false where either is NaN."""
        return Value(self, self.builder.fcmp_ordered("<", a.raw, self.like(a, b).raw))

    def equal(self, a: Value, b: Value | float) -> Value:
        """``a == b``; false where either is NaN."""
        return Value(self, self.builder.fcmp_ordered("==", a.raw, self.like(a, b).raw))

    def is_nan(self, a: Value) -> Value:
        """Whether ``a`` is NaN."""
        return Value(self, self.builder.fcmp_unordered("uno", a.raw, a.raw))

    def select(self, condition: Value, a: Value, b: Value | float) -> Value:
        """``a`` where the condition holds, else ``b``; both are evaluated."""
        return Value(self, self.builder.select(condition.raw, a.raw, self.like(a, b).raw))

    def at_least(self, x: Value, low: float) -> Value:
        """``x``, or ``low`` where it is smaller; NaN stays NaN, because no comparison with it holds."""
        return self.select(self.less(x, low), self.number(low), x)

    def at_most(self, x: Value, high: float) -> Value:
        """``x``, or ``high`` where it is larger; NaN stays NaN."""
        return self.select(self.less(self.number(high), x), self.number(high), x)

    def clamp(self, x: Value, low: float, high: float) -> Value:
        """``x`` within ``[low, high]``; NaN stays NaN."""
        return self.at_most(self.at_least(x, low), high)

    def magnitude(self, x: Value) -> Value:
        """``x`` without its sign."""
        return self.call("llvm.fabs", x)

    def with_sign(self, magnitude: Value, sign: Value) -> Value:
        """The magnitude of the first with the sign bit of the second."""
        return self.call("llvm.copysign", magnitude, sign)

    def call(self, intrinsic: str, *arguments: Value) -> Value:
        """A call of an LLVM intrinsic whose operands and result have this format."""
        name = f"{intrinsic}.{f'v{self.lanes}' if self.lanes else ''}{self.format.name}"
        known = self.builder.module.globals.get(name)
        if known is None:
            kind = self._function_type(self.float_type, [self.float_type] * len(arguments))
            known = self._function(self.builder.module, kind, name)
        return Value(self, self.builder.call(known, [a.raw for a in arguments]))

    def polynomial(self, x: Value, coefficients: Sequence[float]) -> Value:
        """``c0 + c1 x + c2 x^2 + ...`` by Estrin's scheme: a tree, so that the chain of dependent products is short.

        High powers of small numbers would be subnormal, which takes the processor a hundred times as long. Three terms
        are nested, which is as short and needs one power less; what is added to powers from the fourth on keeps them
        normal, costs nothing where products are fused with sums, and is far below the last place.
        """
        terms: list[Value | float] = list(coefficients)
        power, normal = x, 0.0
        while len(terms) > 1:
            if len(terms) == 3:
                terms = [terms[0], power * terms[2] + terms[1]]
            pairs = [terms[i : i + 2] for i in range(0, len(terms), 2)]
            terms = [power * pair[1] + pair[0] if len(pair) == 2 else pair[0] for pair in pairs]
            if len(terms) > 1:
                power = power * power + normal if normal else power * power
                normal = 2.0 ** (23 - self.format.bias)
        return self.like(x, terms[0])
