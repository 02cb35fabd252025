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
from graphlearn.backends.native.kinds import INT64, VOID, Call, Intrinsic, Kind, llvm_type, pointer_to, require
from graphlearn.backends.native.lanes import widened
from graphlearn.backends.native.machine import FORMATS, FloatFormat, Machine, Value
from graphlearn.backends.native.vector_math import APART, FORMULAS
from graphlearn.backends.native.width import lanes_for


@functools.cache
def intrinsics() -> dict[str, Intrinsic]:
    """The functions that generated source may use besides those on lanes, by name."""
    found = []
    for form in FORMATS:
        found += [_formula(f"{name}_{form.name}", formula, form) for name, formula in FORMULAS.items()]
        found += [_reassociable_sum(form), _reduction(form, "llvm.maximum"), _reduction(form, "llvm.minimum")]
        found += [_bit_cast(form, to_integer=True), _bit_cast(form, to_integer=False), _gemm(form), _gemv(form)]
    return {intrinsic.name: intrinsic for intrinsic in found}


def _formula(name: str, formula: Callable[..., Value], form: FloatFormat) -> Intrinsic:
    """An intrinsic that calls a private function holding the formula, written once per module.

    It takes numbers, or lanes beside which a number stands in all of them.
    """
    number = Kind(form.dtype)

    def rule(*given: Kind) -> Call:
        laned = [kind for kind in given if kind.lanes and kind.name == form.dtype]
        require(name, number, tuple(kind for kind in given if kind not in laned[:1]))
        kind = laned[0] if laned else number

        def emit(builder: Any, *values: Any) -> Any:
            raw = [widened(builder, kind, *pair) for pair in zip(given, values, strict=True)]
            apart = name.split("_")[0] in APART and not kind.lanes
            symbol = f"{PREFIX}{name}{f'x{kind.lanes}' if kind.lanes else ''}"
            function = builder.module.globals.get(symbol)
            if function is None:
                function = _write_formula(builder, symbol, formula, form, kind.lanes, inline=not apart)
                if apart:
                    _add_vector_form(builder, function, formula, form)
            return builder.call(function, raw)

        return Call(given, kind, emit)

    return Intrinsic(name, len(inspect.signature(formula).parameters) - 1, rule)


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


def _reassociable_sum(form: FloatFormat) -> Intrinsic:
    """``a + b`` in any order: only this addition carries the flag, so a loop of it becomes a sum of vectors."""

    def emit(builder: Any, a: Any, b: Any) -> Any:
        return builder.fadd(a, b, flags=("reassoc", "contract"))

    return _exact(f"radd_{form.name}", 2, Kind(form.dtype), Kind(form.dtype), emit)


def _reduction(form: FloatFormat, instruction: str) -> Intrinsic:
    """The larger or smaller of two, NaN if either is NaN: LLVM's own operation, which it vectorises as a reduction."""

    def emit(builder: Any, a: Any, b: Any) -> Any:
        machine = Machine(builder, form)
        return machine.call(instruction, Value(machine, a), Value(machine, b)).raw

    return _exact(f"r{instruction[-7:-4]}_{form.name}", 2, Kind(form.dtype), Kind(form.dtype), emit)


def _bit_cast(form: FloatFormat, *, to_integer: bool) -> Intrinsic:
    real, integer = Kind(form.dtype), Kind(f"int{form.width}")
    source, target = (real, integer) if to_integer else (integer, real)

    def emit(builder: Any, value: Any) -> Any:
        return builder.bitcast(value, llvm_type(target))

    return _exact(f"bits_{form.name}" if to_integer else f"from_bits_{form.name}", 1, source, target, emit)


def _exact(name: str, parameters: int, kind: Kind, result: Kind, emit: Callable[..., Any]) -> Intrinsic:
    """An intrinsic whose arguments must be of one kind."""

    def rule(*given: Kind) -> Call:
        require(name, kind, given)
        return Call(given, result, emit)

    return Intrinsic(name, parameters, rule)


class _Fortran:
    """Calls a BLAS routine: every argument goes by address, integers have 32 bits, matrices are stored by columns."""

    def __init__(self, builder: Any, form: FloatFormat) -> None:
        from llvmlite import ir

        self._builder = builder
        self._ir = ir
        self._number = ir.FloatType() if form.width == 32 else ir.DoubleType()

    def _by_address(self, value: Any) -> Any:
        with self._builder.goto_entry_block():  # a loop must not grow the stack
            place = self._builder.alloca(value.type)
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
        module, symbol = self._builder.module, PREFIX + routine
        function = module.globals.get(symbol)
        if function is None:
            kind = self._ir.FunctionType(self._ir.VoidType(), [a.type for a in arguments])
            function = self._ir.Function(module, kind, symbol)
        self._builder.call(function, arguments)


def _blas_intrinsic(
    form: FloatFormat, routine: str, shape: str, arrange: Callable[[_Fortran, list[Any]], list[Any]]
) -> Intrinsic:
    """An intrinsic for a routine. ``shape`` has a letter per parameter: ``i`` integer, ``s`` scalar, ``p`` pointer."""
    number = Kind(form.dtype)
    kinds = {"i": INT64, "s": number, "p": pointer_to(number)}
    expected = tuple(kinds[letter] for letter in shape)
    name = f"{routine[1:]}_{form.name}"

    def emit(builder: Any, *values: Any) -> None:
        fortran = _Fortran(builder, form)
        fortran.call(routine, arrange(fortran, list(values)))

    def rule(*given: Kind) -> Call:
        for letter, kind, argument in zip(shape, expected, given, strict=True):
            if letter == "p":
                require(name, kind, (argument,))
        return Call(expected, VOID, emit)

    return Intrinsic(name, len(shape), rule)


def _gemm(form: FloatFormat) -> Intrinsic:
    """``gemm(trans_a, trans_b, m, n, k, alpha, A, a_offset, lda, B, b_offset, ldb, beta, C, c_offset, ldc)``.

    Row-major ``C[m, n] = alpha op(A)[m, k] op(B)[k, n] + beta C``; offsets and leading dimensions in elements. Stored
    by columns it is the transposed product: the operands change places.
    """

    def arrange(f: _Fortran, given: list[Any]) -> list[Any]:
        trans_a, trans_b, m, n, k, alpha, a, a_at, lda, b, b_at, ldb, beta, c, c_at, ldc = given
        sizes = [f.integer(n), f.integer(m), f.integer(k)]
        left, right = [f.array(b, b_at), f.integer(ldb)], [f.array(a, a_at), f.integer(lda)]
        result = [f.scalar(beta), f.array(c, c_at), f.integer(ldc)]
        return [f.transposition(trans_b), f.transposition(trans_a), *sizes, f.scalar(alpha), *left, *right, *result]

    return _blas_intrinsic(form, "sgemm" if form.width == 32 else "dgemm", "iiiiispiipiispii", arrange)


def _gemv(form: FloatFormat) -> Intrinsic:
    """``gemv(trans, m, n, alpha, A, a_offset, lda, x, x_offset, x_stride, beta, y, y_offset, y_stride)``.

    Row-major ``y = alpha op(A) x + beta y`` with ``A[m, n]`` as stored; ``x`` has ``n`` elements and ``y`` has ``m``;
    the other way round where ``trans`` is not 0.
    """

    def arrange(f: _Fortran, given: list[Any]) -> list[Any]:
        trans, m, n, alpha, a, a_at, lda, x, x_at, x_stride, beta, y, y_at, y_stride = given
        matrix = [f.scalar(alpha), f.array(a, a_at), f.integer(lda)]
        source = [f.array(x, x_at), f.integer(x_stride)]
        result = [f.scalar(beta), f.array(y, y_at), f.integer(y_stride)]
        return [f.transposition(trans, yes="N", no="T"), f.integer(n), f.integer(m), *matrix, *source, *result]

    return _blas_intrinsic(form, "sgemv" if form.width == 32 else "dgemv", "iiispiipiispii", arrange)
