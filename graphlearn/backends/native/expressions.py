"""The expressions of generated source as LLVM instructions: what each operator does to each kind of value.

Kinds are Numba's for what generated source writes; a mix of kinds that it does not write is not guessed at.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from graphlearn.backends.native.kinds import (
    BOOL,
    FLOAT32,
    FLOAT64,
    INT64,
    Call,
    Intrinsic,
    Kind,
    Mismatch,
    llvm_type,
)
from graphlearn.backends.native.lanes import lane_operation
from graphlearn.backends.native.machine import FORMATS, Machine, Value
from graphlearn.backends.native.whole import divide_floats, divide_integers, raise_integer

CASTS = ("float32", "float64", "int32", "int64")
_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "truediv", ast.BitAnd: "and_", ast.BitOr: "or_",
    ast.FloorDiv: "floordiv", ast.Mod: "mod", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge", ast.Eq: "eq",
    ast.BitXor: "xor", ast.LShift: "shl", ast.RShift: "ashr", ast.NotEq: "ne", ast.USub: "neg",
    ast.Invert: "invert", ast.Not: "not_", ast.Pow: "pow",
}  # fmt: skip
_SIGNS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
_FLOATS = {"add": "fadd", "sub": "fsub", "mul": "fmul", "truediv": "fdiv"}
_INTEGERS = {"add": "add", "sub": "sub", "mul": "mul", "and_": "and_", "or_": "or_", "xor": "xor"}
_SHIFTS = ("shl", "ashr")


class Unknown(Exception):
    """The text holds something that this front end does not know; the message says what."""


class Typed(NamedTuple):
    """A value: its kind, LLVM's value, and the number where the text has a literal."""

    kind: Kind
    raw: Any
    literal: float | None = None


def constant(kind: Kind, value: float) -> Typed:
    """A number known from the text, rounded to its kind."""
    if kind.is_float:
        import numpy as np

        with np.errstate(over="ignore"):
            value = float(np.dtype(kind.name).type(value))
    return Typed(kind, llvm_type(kind)(value), value)


class Expressions:
    """Writes expressions.

    Args:
        builder: where instructions go.
        flags: of floating-point arithmetic on single numbers.
        intrinsics: the functions of ours that may be called.
        read: gives the value of a local variable or a parameter; None where there is none.
    """

    def __init__(
        self,
        builder: Any,
        flags: tuple[str, ...],
        intrinsics: Mapping[str, Intrinsic],
        read: Callable[[str], Typed | None],
    ) -> None:
        self._builder = builder
        self._flags = flags
        self._intrinsics = intrinsics
        self._read = read
        self._calls: dict[tuple[str, tuple[Kind, ...]], Call] = {}
        self._writers: dict[type[ast.AST], Callable[[Any], Typed]] = {
            ast.Constant: self._constant, ast.Name: self._name, ast.BinOp: self._binary, ast.UnaryOp: self._unary,
            ast.Compare: self._comparison, ast.IfExp: self._choice, ast.Call: self._call,
            ast.Subscript: self._entry, ast.Attribute: self._attribute, ast.BoolOp: self._junction,
        }  # fmt: skip

    def value(self, node: ast.expr) -> Typed:
        """Write an expression that has a value."""
        found = self.any(node)
        if found.raw is None:
            raise Unknown(f"{ast.unparse(node)} has no value")
        return found

    def any(self, node: ast.expr) -> Typed:
        """Write an expression, which may have no value."""
        writer = self._writers.get(type(node))
        if writer is None:
            raise Unknown(f"the expression {ast.unparse(node)}")
        return writer(node)

    # --- numbers -----------------------------------------------------------------------------------------------------

    def fitted(self, given: Typed, kind: Kind, what: str) -> Any:
        """A value as another kind where nothing has to be guessed: whole numbers, truths, and literals as floats."""
        if given.kind == kind:
            return given.raw
        if kind.is_integer and (given.kind.is_integer or given.kind == BOOL) and not given.kind.lanes | kind.lanes:
            return self._converted(given, kind)
        if kind in (FLOAT32, FLOAT64) and given.literal is not None:
            return constant(kind, given.literal).raw
        raise Unknown(f"{given.kind} where {what} needs {kind}")

    def _converted(self, given: Typed, kind: Kind) -> Any:
        """A number as one of another kind, as C converts it."""
        source, builder, target = given.kind, self._builder, llvm_type(kind)
        if source.pointer or source.lanes:
            raise Unknown(f"{kind}({source})")
        if source == kind:
            return given.raw
        if source.is_float and kind.is_float:
            return (builder.fpext if source.bits < kind.bits else builder.fptrunc)(given.raw, target)
        signed = source.name.startswith("int")
        if kind.is_float:
            return (builder.sitofp if signed else builder.uitofp)(given.raw, target)
        if source.is_float:
            return builder.fptosi(given.raw, target)
        if source.bits == kind.bits:
            return given.raw
        if source.bits > kind.bits:
            return builder.trunc(given.raw, target)
        return (builder.sext if signed else builder.zext)(given.raw, target)

    def truth(self, given: Typed) -> Any:
        """Whether a value counts as true."""
        if given.kind == BOOL:
            return given.raw
        if given.kind.is_integer and not given.kind.lanes:
            return self._builder.icmp_signed("!=", given.raw, given.raw.type(0))
        raise Unknown(f"the truth of a {given.kind}")

    def _integers(self, *given: Typed) -> list[Any]:
        """Whole numbers as int64, which Numba computes in unless all are unsigned."""
        numbers = all(v.kind.is_integer and not v.kind.lanes for v in given)
        names = [v.kind.name for v in given]
        if numbers and "uint64" not in names and any(name.startswith("int") for name in names):
            return [self._converted(v, INT64) for v in given]
        raise Unknown(f"{' and '.join(str(v.kind) for v in given)} together")

    # --- names and places --------------------------------------------------------------------------------------------

    def _constant(self, node: ast.Constant) -> Typed:
        value = node.value
        if isinstance(value, bool):
            return constant(BOOL, value)
        if isinstance(value, int) and -(2**63) <= value < 2**63:
            return constant(INT64, value)
        if isinstance(value, float):
            return constant(FLOAT64, value)
        raise Unknown(f"the constant {value!r}")

    def _name(self, node: ast.Name) -> Typed:
        found = self._read(node.id)
        if found is None:
            raise Unknown(f"the name {node.id}")
        return found

    def _attribute(self, node: ast.Attribute) -> Typed:
        known = {"math.inf": math.inf, "math.nan": math.nan}.get(ast.unparse(node))
        if known is None:
            raise Unknown(ast.unparse(node))
        return constant(FLOAT64, known)

    def place(self, node: ast.Subscript) -> tuple[Kind, Any]:
        """The kind of an entry of an array, and its address."""
        array, at = self.value(node.value), self.value(node.slice)
        if not array.kind.pointer:
            raise Unknown(f"an entry of a {array.kind}")
        return Kind(array.kind.name), self._builder.gep(array.raw, [self.fitted(at, INT64, "an index")])

    def _entry(self, node: ast.Subscript) -> Typed:
        kind, address = self.place(node)
        return Typed(kind, self._builder.load(address))

    # --- operators ---------------------------------------------------------------------------------------------------

    def _binary(self, node: ast.BinOp) -> Typed:
        """A chain of operators: long sums lean to the left, and must not need as many calls within calls."""
        chain: list[ast.BinOp] = []
        first: ast.expr = node
        while isinstance(first, ast.BinOp):
            chain.append(first)
            first = first.left
        found = self.value(first)
        for link in reversed(chain):
            found = self.operation(link.op, found, self.value(link.right))
        return found

    def operation(self, operator: ast.operator, a: Typed, b: Typed) -> Typed:
        """An operator of two operands."""
        name = _OPERATORS.get(type(operator), type(operator).__name__)
        if a.kind.lanes or b.kind.lanes:
            return self._on_lanes(name, a, b)
        if a.kind == b.kind and a.kind.is_float and name in _FLOATS:
            return Typed(a.kind, getattr(self._builder, _FLOATS[name])(a.raw, b.raw, flags=self._flags))
        if a.kind == b.kind and a.kind.is_float and name in ("floordiv", "mod"):
            return Typed(a.kind, divide_floats(self._builder, name, a.raw, b.raw, self._floor))
        if a.kind == b.kind == BOOL and name in ("and_", "or_"):
            return Typed(BOOL, getattr(self._builder, name)(a.raw, b.raw))
        if not (a.kind.is_integer and b.kind.is_integer):
            raise Unknown(f"{name} of {a.kind} and {b.kind}")
        left, right = self._integers(a, b)
        if name in _INTEGERS:
            return Typed(INT64, getattr(self._builder, _INTEGERS[name])(left, right))
        if name == "pow":
            return Typed(INT64, raise_integer(self._builder, left, right))
        if name == "truediv":
            floats = [self._builder.sitofp(v, llvm_type(FLOAT64)) for v in (left, right)]
            return Typed(FLOAT64, self._builder.fdiv(*floats, flags=self._flags))
        if name in _SHIFTS and b.literal is not None and 0 <= b.literal < 64:
            return Typed(INT64, getattr(self._builder, name)(left, right))
        if name in ("floordiv", "mod"):
            return Typed(INT64, divide_integers(self._builder, name, left, right, b.literal))
        raise Unknown(f"{name} of {a.kind} and {b.kind}")

    def _floor(self, raw: Any) -> Any:
        kind = FLOAT32 if raw.type == llvm_type(FLOAT32) else FLOAT64
        return self._of_float("ffloor", Typed(kind, raw)).raw

    def _on_lanes(self, name: str, *given: Typed) -> Typed:
        try:
            call = lane_operation(name, *(v.kind for v in given))
        except Mismatch as error:
            raise Unknown(str(error)) from error
        return Typed(call.result, call.emit(self._builder, *(v.raw for v in given)))

    def _unary(self, node: ast.UnaryOp) -> Typed:
        if isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant) and node.operand.value == 2**63:
            return constant(INT64, -(2**63))  # the lowest number, whose opposite does not exist
        given, name = self.value(node.operand), _OPERATORS.get(type(node.op), "")
        if name == "not_":
            return Typed(BOOL, self._builder.not_(self.truth(given)))
        if name == "neg" and given.literal is not None and given.kind != BOOL:
            return constant(given.kind, -given.literal)
        if given.kind.lanes and (given.kind.is_float if name == "neg" else name == "invert"):
            return self._on_lanes(name, given)
        if name == "neg" and given.kind in (FLOAT32, FLOAT64):
            return Typed(given.kind, self._builder.fneg(given.raw))
        if name == "neg":
            return Typed(INT64, self._builder.neg(*self._integers(given)))
        raise Unknown(f"{ast.unparse(node)} of a {given.kind}")

    def _comparison(self, node: ast.Compare) -> Typed:
        if len(node.ops) != 1:
            raise Unknown(ast.unparse(node))
        a, b = self.value(node.left), self.value(node.comparators[0])
        name = _OPERATORS.get(type(node.ops[0]), "")
        if name not in _SIGNS:
            raise Unknown(ast.unparse(node))
        if a.kind.lanes or b.kind.lanes:
            return self._on_lanes(name, a, b)
        a, b = _beside_float(a, b), _beside_float(b, a)
        if a.kind == b.kind and a.kind.is_float:
            compare = self._builder.fcmp_unordered if name == "ne" else self._builder.fcmp_ordered
            return Typed(BOOL, compare(_SIGNS[name], a.raw, b.raw))
        if a.kind == b.kind == BOOL:
            return Typed(BOOL, self._builder.icmp_unsigned(_SIGNS[name], a.raw, b.raw))
        return Typed(BOOL, self._builder.icmp_signed(_SIGNS[name], *self._integers(a, b)))

    # --- choices -----------------------------------------------------------------------------------------------------

    def _choice(self, node: ast.IfExp) -> Typed:
        condition = self.truth(self.value(node.test))
        if all(_is_plain(arm) for arm in (node.body, node.orelse)):
            a, b = self._alike(self.value(node.body), self.value(node.orelse))
            return Typed(a.kind, self._builder.select(condition, a.raw, b.raw))
        return self._branches(condition, lambda: self.value(node.body), lambda: self.value(node.orelse))

    def _alike(self, a: Typed, b: Typed) -> tuple[Typed, Typed]:
        if a.kind == b.kind:
            return a, b
        left, right = self._integers(a, b)
        return Typed(INT64, left), Typed(INT64, right)

    def _branches(self, condition: Any, yes: Callable[[], Typed], no: Callable[[], Typed]) -> Typed:
        """One of two values, of which only that one is computed."""
        builder, arms = self._builder, []
        with builder.if_else(condition) as (then, otherwise):
            with then:
                arms.append((yes(), builder.block))
            with otherwise:
                arms.append((no(), builder.block))
        (a, at), (b, other) = arms
        if a.kind != b.kind:
            raise Unknown(f"a choice between {a.kind} and {b.kind}")
        phi = builder.phi(llvm_type(a.kind))
        phi.add_incoming(a.raw, at)
        phi.add_incoming(b.raw, other)
        return Typed(a.kind, phi)

    def _junction(self, node: ast.BoolOp) -> Typed:
        """``and`` and ``or`` of truths; what stands behind is only computed where it decides."""
        first, *rest = node.values
        found = self.value(first)
        for other in rest:
            if found.kind != BOOL:
                raise Unknown(f"{ast.unparse(node)} of a {found.kind}")
            known, last = found, other
            both = isinstance(node.op, ast.And)
            arms = (lambda: self.value(last)), (lambda: constant(BOOL, not both))  # noqa: B023 called at once
            found = self._branches(known.raw, *(arms if both else reversed(arms)))
        return found

    # --- calls -------------------------------------------------------------------------------------------------------

    def _call(self, node: ast.Call) -> Typed:
        given = [self.value(a) for a in node.args]
        if isinstance(node.func, ast.Attribute) and len(given) == 1:
            return self._of_library(ast.unparse(node.func), given[0])
        if not isinstance(node.func, ast.Name) or node.keywords or self._read(node.func.id) is not None:
            raise Unknown(f"the call {ast.unparse(node)}")
        name = node.func.id
        if name in CASTS and len(given) == 1:
            return self._cast(given[0], Kind(name))
        if name == "abs" and len(given) == 1:
            return self._magnitude(given[0])
        if name in ("min", "max") and len(given) == 2:
            return self._extreme("<" if name == "min" else ">", *given)
        intrinsic = self._intrinsics.get(name)
        if intrinsic is None or len(given) != intrinsic.parameters:
            raise Unknown(f"the call {ast.unparse(node)}")
        return self._intrinsic(intrinsic, given)

    def _cast(self, given: Typed, kind: Kind) -> Typed:
        if given.literal is not None and kind.is_float and given.kind != BOOL:
            return constant(kind, given.literal)
        return Typed(kind, self._converted(given, kind))

    def _intrinsic(self, intrinsic: Intrinsic, given: list[Typed]) -> Typed:
        kinds = tuple(v.kind for v in given)
        call = self._calls.get((intrinsic.name, kinds))
        if call is None:
            try:
                call = self._calls[intrinsic.name, kinds] = intrinsic.rule(*kinds)
            except Mismatch as error:
                raise Unknown(str(error)) from error
        raw = [self.fitted(v, kind, intrinsic.name) for v, kind in zip(given, call.parameters, strict=True)]
        return Typed(call.result, call.emit(self._builder, *raw))

    def _of_float(self, name: str, given: Typed) -> Typed:
        """A function of ours by the name that it has without the format."""
        if given.kind not in (FLOAT32, FLOAT64):
            raise Unknown(f"{name} of a {given.kind}")
        return self._intrinsic(self._intrinsics[f"{name}_f{given.kind.bits}"], [given])

    def _of_library(self, name: str, given: Typed) -> Typed:
        """A function of Python's ``math``: of these, generated source knows the two that are LLVM's too."""
        form = next((form for form in FORMATS if Kind(form.dtype) == given.kind), None)
        if form is None or name not in ("math.sqrt", "math.log"):
            raise Unknown(f"the call {name}({given.kind})")
        machine = Machine(self._builder, form)
        return Typed(given.kind, machine.call(name.replace("math", "llvm"), Value(machine, given.raw)).raw)

    def _magnitude(self, given: Typed) -> Typed:
        builder = self._builder
        if given.kind in (FLOAT32, FLOAT64):
            return self._of_float("fabs", given)
        (raw,) = self._integers(given)
        return Typed(INT64, builder.select(builder.icmp_signed("<", raw, raw.type(0)), builder.neg(raw), raw))

    def _extreme(self, sign: str, a: Typed, b: Typed) -> Typed:
        """The smaller or larger of two whole numbers; for floats there are functions that say what NaN does."""
        left, right = self._integers(a, b)
        return Typed(INT64, self._builder.select(self._builder.icmp_signed(sign, left, right), left, right))


def _beside_float(given: Typed, other: Typed) -> Typed:
    """A small whole number of the text that is compared with a float, as a float: no rounding changes it."""
    small = given.kind == INT64 and given.literal is not None and abs(given.literal) <= 2**24
    return constant(other.kind, given.literal or 0.0) if small and other.kind in (FLOAT32, FLOAT64) else given


def _is_plain(node: ast.expr) -> bool:
    """Whether to compute a value costs nothing and cannot fail."""
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.USub) and _is_plain(node.operand)
    return isinstance(node, ast.Name | ast.Constant | ast.Attribute)
