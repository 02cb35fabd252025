"""Our intrinsics and lanes as Numba knows them: what generated source means where Numba compiles it."""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable
from typing import Any

from graphlearn.backends.native.intrinsics import intrinsics
from graphlearn.backends.native.kinds import Call, Intrinsic, Kind, Mismatch, llvm_type
from graphlearn.backends.native.laned import laned_names
from graphlearn.backends.native.lanes import LANE_OPERATORS, lane_operation

# what Numba calls to lower an operation; it hands over its own objects
Lowering = Callable[[Any, Any, Any, Any], Any]


def numba_names(source: str) -> dict[str, Any]:
    """The names that a source may use, with their values. Imports Numba."""
    lanes = laned_names(source)
    if lanes:
        install_operators()
    return {**_common_names(), **{name: _of_numba(intrinsic) for name, intrinsic in lanes.items()}}


@functools.cache
def _common_names() -> dict[str, Any]:
    import math

    from numba import types

    names: dict[str, Any] = {"math": math}
    for kind in ("float32", "float64", "int32", "int64", "uint32", "uint64"):
        names[kind] = getattr(types, kind)
    return {**names, **{name: _of_numba(intrinsic) for name, intrinsic in intrinsics().items()}}


# --- kinds as Numba's types ------------------------------------------------------------------------------------------


@functools.cache
def _lane_type() -> type[Any]:
    """The class of Numba types of lanes."""
    from numba import types
    from numba.extending import models, register_model

    class Lanes(types.Type):  # type: ignore[misc]
        def __init__(self, kind: Kind) -> None:
            self.kind = kind
            super().__init__(str(kind))

    @register_model(Lanes)
    class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
        def __init__(self, manager: Any, lanes: Any) -> None:
            super().__init__(manager, lanes, llvm_type(lanes.kind))

    return Lanes


@functools.cache
def type_of(kind: Kind) -> Any:
    """Numba's type of a kind."""
    from numba import types

    if kind.lanes:
        return _lane_type()(kind)
    number = getattr(types, {"bool": "boolean"}.get(kind.name, kind.name))
    return types.CPointer(number) if kind.pointer else number


def kind_of(given: Any) -> Kind:
    """The kind of values of a Numba type.

    Raises:
        Mismatch: there is none.
    """
    from numba import types

    if isinstance(given, _lane_type()):
        return given.kind  # type: ignore[no-any-return]
    if isinstance(given, types.CPointer):
        return Kind(kind_of(given.dtype).name, pointer=True)
    given = types.unliteral(given)
    if isinstance(given, types.Boolean):
        return Kind("bool")
    if not isinstance(given, types.Integer | types.Float):
        raise Mismatch(f"a number, an address or lanes are needed; got {given}.")
    return Kind(given.name)


# --- intrinsics and operators ----------------------------------------------------------------------------------------


@functools.cache
def _of_numba(intrinsic: Intrinsic) -> Any:
    """An intrinsic as one of Numba's, which insists on reading the names of the arguments."""
    from numba import extending
    from numba.core.errors import TypingError

    def variadic(context: Any, *arguments: Any) -> Any:
        try:
            call = intrinsic.rule(*map(kind_of, arguments))
        except Mismatch as error:
            raise TypingError(str(error)) from error
        return type_of(call.result)(*map(type_of, call.parameters)), _lowering(call)

    variadic.__name__ = intrinsic.name
    names = ["context", *(f"a{i}" for i in range(intrinsic.parameters))]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    variadic.__signature__ = inspect.Signature([inspect.Parameter(n, kind) for n in names])  # type: ignore[attr-defined]
    return extending.intrinsic(variadic)


def _lowering(call: Call) -> Lowering:
    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = call.emit(builder, *arguments)
        return context.get_dummy_value() if value is None else value

    return lower


@functools.cache
def install_operators() -> None:
    """Teach Numba Python's operators on lanes; once per process."""
    for name, arity in LANE_OPERATORS.items():
        _install(name, getattr(operator, name), arity)


def _install(name: str, symbol: Any, arity: int) -> None:
    from numba.core import types
    from numba.core.typing.templates import AbstractTemplate, infer_global, signature
    from numba.extending import lower_builtin

    lanes = _lane_type()

    class Template(AbstractTemplate):  # type: ignore[misc]
        key = symbol

        def generic(self, arguments: Any, keywords: Any) -> Any:
            if len(arguments) != arity or not any(isinstance(a, lanes) for a in arguments):
                return None
            try:
                call = lane_operation(name, *map(kind_of, arguments))
            except Mismatch:
                return None
            return signature(type_of(call.result), *arguments)

    infer_global(symbol)(Template)

    def lower(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        return lane_operation(name, *map(kind_of, sig.args)).emit(builder, *arguments)

    single = (types.Number, types.Boolean)
    mixed = [pattern for kind in single for pattern in ((lanes, kind), (kind, lanes))]
    for pattern in [(lanes,)] if arity == 1 else [(lanes, lanes), *mixed]:
        lower_builtin(symbol, *pattern)(lower)
