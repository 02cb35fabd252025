"""The functions that generated source may call besides Python's own, each lowered to LLVM instructions.

For each format (``_f32``, ``_f64``): the formulas of `vector_math`; ``radd``, a sum whose order LLVM may choose;
``bits`` and ``from_bits``, the bit pattern as an integer and back; ``gemm`` and ``gemv``, BLAS called by name.
Arguments must have exactly the format's type, so that a stray float64 literal is an error and not a slow conversion.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from graphlearn.backends.native.blas import PREFIX
from graphlearn.backends.native.lanes import lane_type, widened
from graphlearn.backends.native.machine import FORMATS, FloatFormat, Machine, Value
from graphlearn.backends.native.variadic import intrinsic_of
from graphlearn.backends.native.vector_math import APART, FORMULAS
from graphlearn.backends.native.width import lanes_for

# typing function -> what Numba calls to lower; both are handed Numba's own objects
Lowering = Callable[[Any, Any, Any, Any], Any]


@functools.cache
def namespace() -> dict[str, Any]:
    """The names that generated source may use, with their values. Imports Numba."""
    import math

    from numba import types

    names: dict[str, Any] = {"math": math}
    for kind in ("float32", "float64", "int32", "int64", "uint32", "uint64"):
        names[kind] = getattr(types, kind)
    for form in FORMATS:
        for name, formula in FORMULAS.items():
            names[f"{name}_{form.name}"] = _formula(f"{name}_{form.name}", formula, form)
        names[f"radd_{form.name}"] = _reassociable_sum(form)
        names[f"rmax_{form.name}"] = _reduction(form, "llvm.maximum")
        names[f"rmin_{form.name}"] = _reduction(form, "llvm.minimum")
        names[f"bits_{form.name}"] = _bit_cast(form, to_integer=True)
        names[f"from_bits_{form.name}"] = _bit_cast(form, to_integer=False)
        names[f"gemm_{form.name}"] = _gemm(form)
        names[f"gemv_{form.name}"] = _gemv(form)
    return names


def _float_type(form: FloatFormat) -> Any:
    from numba import types

    return getattr(types, form.dtype)


def _require(name: str, expected: Any, arguments: tuple[Any, ...]) -> None:
    from numba.core.errors import TypingError

    for argument in arguments:
        if argument != expected:
            raise TypingError(f"{name} needs {expected}; got {argument}. Convert with {expected}(...).")


def _formula(name: str, formula: Callable[..., Value], form: FloatFormat) -> Any:
    """An intrinsic that calls a private, always inlined function holding the formula, written once per module.

    It takes numbers, or lanes beside which a number stands in all of them.
    """
    parameters = len(inspect.signature(formula).parameters) - 1
    number = _float_type(form)

    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.return_type
        lanes = 0 if kind == number else kind.count
        raw = (
            [widened(builder, kind, *pair) for pair in zip(signature.args, arguments, strict=True)]
            if lanes
            else arguments
        )
        apart = name.split("_")[0] in APART and not lanes
        symbol = f"{PREFIX}{name}{f'x{lanes}' if lanes else ''}"
        function = builder.module.globals.get(symbol)
        if function is None:
            function = _write_formula(builder, symbol, formula, form, lanes, inline=not apart)
            if apart:
                _add_vector_form(builder, function, formula, form)
        return builder.call(function, raw)

    def typer(*arguments: Any) -> Any:
        given = [a for a in arguments if isinstance(a, lane_type()) and a.kind == form.name]
        _require(name, number, tuple(a for a in arguments if a not in given[:1]))
        return (given[0] if given else number)(*arguments), lower

    return intrinsic_of(name, parameters, typer)


def _write_formula(
    builder: Any, symbol: str, formula: Callable[..., Value], form: FloatFormat, lanes: int, *, inline: bool
) -> Any:
    from llvmlite import ir

    kind = Machine(builder, form, lanes).float_type
    parameters = len(inspect.signature(formula).parameters) - 1
    function = ir.Function(builder.module, ir.FunctionType(kind, [kind] * parameters), symbol)
    function.linkage = "internal"
    for attribute in ("alwaysinline",) if inline else ("noinline", "nounwind", "readnone"):
        function.attributes.add(attribute)
    inside = ir.IRBuilder(function.append_basic_block())
    machine = Machine(inside, form, lanes)
    inside.ret(formula(machine, *(Value(machine, a) for a in function.args)).raw)
    return function


def _add_vector_form(builder: Any, function: Any, formula: Callable[..., Value], form: FloatFormat) -> None:
    """Give a function of single numbers a form for lanes, which LLVM's loop vectoriser calls in its place.

    The name of the form is an attribute, as LLVM's LangRef has it ("vector-function-abi-variant"), whose values
    llvmlite does not know; the list of used symbols keeps the form until loops have been looked at.
    """
    lanes = lanes_for(form.dtype)
    symbol = f"{function.name}_of_{lanes}"
    vector = _write_formula(builder, symbol, formula, form, lanes, inline=False)
    variant = f"_ZGV_LLVM_N{lanes}{'v' * len(function.args)}_{function.name}({symbol})"
    set.add(function.attributes, f'"vector-function-abi-variant"="{variant}"')
    _keep(builder.module, vector)


def _keep(module: Any, function: Any) -> None:
    """Put a function on the module's list of symbols that count as used."""
    from llvmlite import ir

    address = ir.IntType(8).as_pointer()
    used = module.globals.get("llvm.compiler.used")
    kept = [*(used.initializer.constant if used else ()), function.bitcast(address)]
    kind = ir.ArrayType(address, len(kept))
    if used is None:
        used = ir.GlobalVariable(module, kind, "llvm.compiler.used")
        used.linkage, used.section = "appending", "llvm.metadata"
    used.value_type, used.type = kind, kind.as_pointer()
    used.initializer = ir.Constant(kind, kept)


def _reassociable_sum(form: FloatFormat) -> Any:
    """``a + b`` in any order: only this addition carries the flag, so a loop of it becomes a sum of vectors."""
    kind = _float_type(form)
    name = f"radd_{form.name}"

    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fadd(*arguments, flags=("reassoc", "contract"))

    def typer(*arguments: Any) -> Any:
        _require(name, kind, arguments)
        return kind(*arguments), lower

    return intrinsic_of(name, 2, typer)


def _reduction(form: FloatFormat, instruction: str) -> Any:
    """The larger or smaller of two, NaN if either is NaN: LLVM's own operation, which it vectorises as a reduction."""
    kind = _float_type(form)
    name = f"r{instruction[-7:-4]}_{form.name}"

    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        machine = Machine(builder, form)
        return machine.call(instruction, *(Value(machine, a) for a in arguments)).raw

    def typer(*arguments: Any) -> Any:
        _require(name, kind, arguments)
        return kind(*arguments), lower

    return intrinsic_of(name, 2, typer)


def _bit_cast(form: FloatFormat, *, to_integer: bool) -> Any:
    from numba import types

    real, integer = _float_type(form), getattr(types, f"int{form.width}")
    source, target = (real, integer) if to_integer else (integer, real)
    name = f"bits_{form.name}" if to_integer else f"from_bits_{form.name}"

    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(target))

    def typer(*arguments: Any) -> Any:
        _require(name, source, arguments)
        return target(*arguments), lower

    return intrinsic_of(name, 1, typer)


class _Fortran:
    """Calls a BLAS routine: every argument goes by address, integers have 32 bits, matrices are stored by columns."""

    def __init__(self, builder: Any, form: FloatFormat) -> None:
        from llvmlite import ir

        self._builder = builder
        self._ir = ir
        self._number = ir.FloatType() if form.width == 32 else ir.DoubleType()

    def _by_address(self, value: Any) -> Any:
        from numba.core import cgutils

        place = cgutils.alloca_once(self._builder, value.type)  # in the entry block: a loop must not grow the stack
        self._builder.store(value, place)
        return place

    def integer(self, value: Any) -> Any:
        """A length or a stride."""
        return self._by_address(self._builder.trunc(value, self._ir.IntType(32)))

    def scalar(self, value: Any) -> Any:
        """A factor."""
        return self._by_address(value)

    def transposition(self, flag: Any, yes: str = "T", no: str = "N") -> Any:
        """``"T"`` where the flag is not 0."""
        char = self._ir.IntType(8)
        nonzero = self._builder.icmp_signed("!=", flag, self._ir.Constant(flag.type, 0))
        letters = [self._ir.Constant(char, ord(letter)) for letter in (yes, no)]
        return self._by_address(self._builder.select(nonzero, *letters))

    def array(self, pointer: Any, offset: Any) -> Any:
        """An array that begins some elements after a pointer."""
        return self._builder.gep(pointer, [offset])

    def call(self, routine: str, arguments: list[Any]) -> None:
        """The call itself."""
        from numba.core import cgutils

        kind = self._ir.FunctionType(self._ir.VoidType(), [a.type for a in arguments])
        function = cgutils.get_or_insert_function(self._builder.module, kind, PREFIX + routine)
        self._builder.call(function, arguments)


def _blas_intrinsic(
    form: FloatFormat, routine: str, shape: str, emit: Callable[[_Fortran, list[Any]], list[Any]]
) -> Any:
    """An intrinsic for a routine. ``shape`` has a letter per parameter: ``i`` integer, ``s`` scalar, ``p`` pointer."""
    from numba import types

    number = _float_type(form)
    kinds = {"i": types.int64, "s": number, "p": types.CPointer(number)}
    expected = [kinds[letter] for letter in shape]
    name = f"{routine[1:]}_{form.name}"

    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        fortran = _Fortran(builder, form)
        fortran.call(routine, emit(fortran, list(arguments)))
        return context.get_dummy_value()

    def typer(*arguments: Any) -> Any:
        for letter, kind, argument in zip(shape, expected, arguments, strict=True):
            if letter == "p":
                _require(name, kind, (argument,))
        return types.void(*expected), lower

    return intrinsic_of(name, len(shape), typer)


def _gemm(form: FloatFormat) -> Any:
    """``gemm(trans_a, trans_b, m, n, k, alpha, A, a_offset, lda, B, b_offset, ldb, beta, C, c_offset, ldc)``.

    Row-major ``C[m, n] = alpha op(A)[m, k] op(B)[k, n] + beta C``; offsets and leading dimensions in elements. Stored
    by columns it is the transposed product: the operands change places.
    """

    def emit(f: _Fortran, given: list[Any]) -> list[Any]:
        trans_a, trans_b, m, n, k, alpha, a, a_at, lda, b, b_at, ldb, beta, c, c_at, ldc = given
        sizes = [f.integer(n), f.integer(m), f.integer(k)]
        left, right = [f.array(b, b_at), f.integer(ldb)], [f.array(a, a_at), f.integer(lda)]
        result = [f.scalar(beta), f.array(c, c_at), f.integer(ldc)]
        return [f.transposition(trans_b), f.transposition(trans_a), *sizes, f.scalar(alpha), *left, *right, *result]

    return _blas_intrinsic(form, "sgemm" if form.width == 32 else "dgemm", "iiiiispiipiispii", emit)


def _gemv(form: FloatFormat) -> Any:
    """``gemv(trans, m, n, alpha, A, a_offset, lda, x, x_offset, x_stride, beta, y, y_offset, y_stride)``.

    Row-major ``y = alpha op(A) x + beta y`` with ``A[m, n]`` as stored; ``x`` has ``n`` elements and ``y`` has ``m``;
    the other way round where ``trans`` is not 0.
    """

    def emit(f: _Fortran, given: list[Any]) -> list[Any]:
        trans, m, n, alpha, a, a_at, lda, x, x_at, x_stride, beta, y, y_at, y_stride = given
        matrix = [f.scalar(alpha), f.array(a, a_at), f.integer(lda)]
        source = [f.array(x, x_at), f.integer(x_stride)]
        result = [f.scalar(beta), f.array(y, y_at), f.integer(y_stride)]
        return [f.transposition(trans, yes="N", no="T"), f.integer(n), f.integer(m), *matrix, *source, *result]

    return _blas_intrinsic(form, "sgemv" if form.width == 32 else "dgemv", "iiispiipiispii", emit)
