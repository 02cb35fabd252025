"""What a value of generated code is: a number, a truth, lanes of these, or an address; for both front ends alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

LANE_KINDS = {"f32": "float32", "f64": "float64", "i64": "int64", "i1": "bool"}
_SHORT = {name: short for short, name in LANE_KINDS.items()}


class Kind(NamedTuple):
    """The kind of a value.

    Args:
        name: a dtype, ``"bool"`` or ``"void"``.
        lanes: how many stand side by side; 0: one, and no vector.
        pointer: whether it is the address of an array of these.
    """

    name: str
    lanes: int = 0
    pointer: bool = False

    def __str__(self) -> str:
        return f"{_SHORT[self.name]}x{self.lanes}" if self.lanes else f"{self.name}{'*' * self.pointer}"

    @property
    def single(self) -> Kind:
        """The kind of one lane."""
        return Kind(self.name)

    @property
    def is_float(self) -> bool:
        """Whether it is a floating-point number, or lanes of these."""
        return self.name.startswith("float") and not self.pointer

    @property
    def is_integer(self) -> bool:
        """Whether it is a whole number, or lanes of these."""
        return "int" in self.name and not self.pointer

    @property
    def bits(self) -> int:
        """Bits of a number in memory and in a register; a truth has one."""
        return 1 if self.name == "bool" else int(self.name.lstrip("uintfloa"))


FLOAT32, FLOAT64, INT64, BOOL, VOID = (Kind(name) for name in ("float32", "float64", "int64", "bool", "void"))


def pointer_to(kind: Kind) -> Kind:
    """The address of numbers of a kind."""
    return Kind(kind.name, pointer=True)


def llvm_type(kind: Kind) -> Any:
    """The type that LLVM gives to values of a kind."""
    from llvmlite import ir

    if kind == VOID:
        return ir.VoidType()
    number = {"float32": ir.FloatType, "float64": ir.DoubleType}.get(kind.name, lambda: ir.IntType(kind.bits))()
    return ir.VectorType(number, kind.lanes) if kind.lanes else number.as_pointer() if kind.pointer else number


class Mismatch(Exception):
    """An intrinsic does not take what it was given; the message says what it needs."""


class Call(NamedTuple):
    """One call of an intrinsic.

    Args:
        parameters: the kinds that it is handed, to which numbers may have to be converted.
        result: the kind of what it gives.
        emit: ``emit(builder, *values)`` writes the instructions and returns LLVM's value; nothing for ``VOID``.
    """

    parameters: tuple[Kind, ...]
    result: Kind
    emit: Callable[..., Any]


@dataclass(frozen=True)
class Intrinsic:
    """A function that generated source may call.

    Args:
        name: under which it is called.
        parameters: how many arguments it takes.
        rule: ``rule(*kinds)`` gives the `Call` for arguments of these kinds, or raises `Mismatch`.
    """

    name: str
    parameters: int
    rule: Callable[..., Call]


def simple(name: str, parameters: tuple[Kind, ...], result: Kind, emit: Callable[..., Any]) -> Intrinsic:
    """An intrinsic of fixed kinds; a literal integer counts as an integer."""
    call = Call(parameters, result, emit)
    return Intrinsic(name, len(parameters), lambda *given: call)


def require(name: str, expected: Kind, given: tuple[Kind, ...]) -> None:
    """Refuse arguments of another kind.

    Raises:
        Mismatch: one has.
    """
    for kind in given:
        if kind != expected:
            raise Mismatch(f"{name} needs {expected}; got {kind}. Convert with {expected}(...).")
