"""How elementwise operations are made: intrinsics from a NumPy function, all others from a formula alone."""

from __future__ import annotations

import functools
import inspect
import keyword
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphlearn.errors import GraphLearnError, GraphUseError
from graphlearn.graph.node import Node, apply, check_name, make
from graphlearn.graph.op import BUILT_IN, CALL, NUMPY_BUILDERS, ULPS, Notation, Op, Opening, register
from graphlearn.ops.algebra import FUNCTIONS, NUMPY
from graphlearn.ops.entrywise import compute_whole
from graphlearn.ops.formulas import Stable, compute_real, infer_by_formula
from graphlearn.types import ArrayType, broadcast_shapes, promote, to_float

Partial = Callable[..., Any] | None


@functools.lru_cache(maxsize=4096)
def infer_same(types: tuple[ArrayType, ...]) -> ArrayType:
    """Broadcast shape, promoted dtype."""
    dtype, weak = promote(types)
    return ArrayType(broadcast_shapes([t.shape for t in types]), dtype, weak)


@functools.lru_cache(maxsize=4096)
def infer_float(types: tuple[ArrayType, ...]) -> ArrayType:
    """Broadcast shape, promoted dtype, at least float."""
    same = infer_same(types)
    return same if same.is_float else ArrayType(same.shape, to_float(same.dtype), same.weak)


@functools.lru_cache(maxsize=4096)
def infer_number(types: tuple[ArrayType, ...]) -> ArrayType:
    """Broadcast shape, promoted dtype; bools alone count as int64."""
    same = infer_same(types)
    return ArrayType(same.shape, "int64") if same.dtype == "bool" else same


@functools.lru_cache(maxsize=4096)
def infer_bool(types: tuple[ArrayType, ...]) -> ArrayType:
    """Broadcast shape, dtype bool."""
    return ArrayType(broadcast_shapes([t.shape for t in types]), "bool")


def intrinsic(
    name: str,
    function: Callable[..., Any],
    *,
    partials: Sequence[Partial],
    notation: Notation,
    infer: Callable[..., ArrayType] = infer_float,
    numpy: Sequence[Any] = (),
    textbook: Sequence[Partial] = (),
    doc: str,
    source: str = "",
    kink: str = "",
    kink_where: Callable[[Node], bool] | None = None,
    domain: tuple[float, float] = (-2.0, 2.0),
    ulps: tuple[float, float] = ULPS,
) -> Callable[..., Node]:
    """Register an operation that every backend has a row for; returns its public function."""
    reference = functools.partial(_on_reals, function) if infer is infer_float else function
    op = Op(
        name, "intrinsic", infer, notation, reference=reference, partials=tuple(partials), textbook=tuple(textbook),
        formula=lambda m, *inputs: getattr(m, name)(*inputs), doc=doc, source=source, kink=kink,
        kink_where=kink_where, domain=domain, ulps=ulps,
    )  # fmt: skip
    return publish(register(op), len(op.partials), numpy)


def elementwise(
    name: str,
    *,
    formula: Callable[..., Any],
    partials: Sequence[Partial] | None = None,
    kernel: Callable[..., Any] | None = None,
    notation: Notation | None = None,
    doc: str = "",
    source: str = "",
    textbook: Sequence[Partial] = (),
    open: Callable[[Node], Opening] | None = None,  # the record's field
    kink: str = "",
    domain: tuple[float, float] = (-2.0, 2.0),
    ulps: tuple[float, float] = ULPS,
    terms: Callable[..., Any] | None = None,
) -> Callable[..., Node]:
    """Define an operation on entries from a formula alone.

    Args:
        name: an identifier, none of graphlearn's own. Defining your own name again serves the nodes made after it.
        formula: ``lambda m, x: x / (1 + m.exp(-x))`` with ``m`` the algebra, of operands and numbers alone. They
            broadcast; one with a default, ``slope=0.01``, may be left out, or given by name. A bool is 0 or 1, but for
            a formula that asks for a truth: ``lambda m, c, x: m.where(c & (x > 0), x * x, 0)``.
        partials: one function ``(m, *inputs, output)`` per input; default: the graph derivative of the formula. Write
            ``m.guarded(c, a, d)`` for a derivative ``d`` that is computed as ``a`` where ``c`` holds.
        kernel: the formula that is computed, where the textbook one overflows or cancels. Default: the formula (as are
            default partials) after the stabilising rules of `gl.simplify`, which know sigmoid, softplus,
            ``x / (1 + exp(-x))``, ``exp(x) - 1``, ``log(1 + x)``, ``sqrt(x**2)`` and their like. All else is computed
            as written: ``(1 - exp(-x)) / (1 + exp(-x))`` is NaN at -1000 unless you give kernel and partials.
        notation: how it is written; default ``name(x)``.
        doc: one sentence that says what it is.
        source: book, paper or equation.
        textbook: partials as they are read, where ``partials`` are written for accuracy.
        open: the graph that a derivation shows in place of the operation.
        kink: convention where the derivative does not exist.
        domain: interval of inputs on which numerical checks run.
        ulps: largest errors by the reference and by compiled code, in units in the last place.
        terms: ``(m, *inputs)``: the sum of the sizes of terms that may cancel, of which errors are counted.

    Returns:
        The function that builds nodes, e.g. ``swish(x)``.

    Raises:
        GraphUseError: a name built in or no identifier; no operands, or not one partial each; not entry by entry.

    Example:
        >>> import graphlearn as gl
        >>> swish = gl.elementwise("swish", formula=lambda m, x: x / (1 + m.exp(-x)))
        >>> swish(gl.input("x", 3))
        <swish float64[3]>
    """
    arity = _arity(name, formula, partials)
    compute = _computed(name, formula, kernel)
    op = Op(
        name, "defined", functools.partial(infer_by_formula, compute), notation or _called(name, arity),
        reference=functools.partial(compute, NUMPY), partials=tuple(partials or ()), textbook=tuple(textbook),
        formula=formula, kernel=compute, open=open, doc=doc, source=source, kink=kink, domain=domain, terms=terms,
        ulps=ulps,
    )  # fmt: skip
    return publish(register(op), arity, (), _with_defaults(formula))


def _computed(name: str, formula: Callable[..., Any], kernel: Callable[..., Any] | None) -> Callable[..., Any]:
    """What an operation computes over the algebras of graphs and of NumPy."""
    computed = Stable(name, kernel or formula, as_written=kernel is not None)
    real = functools.partial(compute_real, kernel or formula, computed)
    return functools.partial(compute_whole, formula, real)


def _arity(name: str, formula: Callable[..., Any], partials: Sequence[Partial] | None) -> int:
    """Number of operands, of an operation whose name and functions are checked."""
    _require_own(name)
    if not callable(formula):
        raise GraphUseError(
            f"elementwise {name!r} needs a formula, a function of the algebra and the operands; got {formula!r}. Write "
            "formula=lambda m, x: x / (1 + m.exp(-x)), for instance."
        )
    arity = len(inspect.signature(formula).parameters) - 1
    if arity < 1 or (partials is not None and len(partials) != arity):
        raise GraphUseError(
            f"elementwise {name!r} needs a formula lambda m, x, ...: and one partial per operand; got {arity} operands "
            f"and {'no' if partials is None else len(partials)} partials."
        )
    return arity


def _called(name: str, arity: int) -> Notation:
    operands = ", ".join(f"{{{k}}}" for k in range(arity))
    latex = rf"\operatorname{{{{{name}}}}}\left({operands}\right)".replace("_", r"\_")
    return Notation(latex, f"{name}({operands})", CALL)


def _with_defaults(formula: Callable[..., Any]) -> list[inspect.Parameter]:
    return [p for p in inspect.signature(formula).parameters.values() if p.default is not p.empty]


def _require_own(name: str) -> None:
    if not check_name(name).isidentifier() or keyword.iskeyword(name):
        raise GraphUseError(
            f"elementwise needs an identifier as its name, by which formulas call it; got {name!r}. Write letters, "
            "digits and underscores, as in 'my_swish'."
        )
    if name in BUILT_IN:
        raise GraphUseError(
            f"elementwise needs a name of your own; got {name!r}, an operation of graphlearn that layers and formulas "
            f"rely on. Choose another name, such as 'my_{name}'."
        )


def _on_reals(function: Callable[..., Any], *operands: Any) -> Any:
    """A NumPy function where no array is wider than 8 bits: its half precision would be the reference."""
    if all(isinstance(x, (int, float)) or np.asarray(x).dtype.itemsize == 1 for x in operands):
        return function(*[np.asarray(x, np.float64) for x in operands])
    return function(*operands)


def publish(op: Op, arity: int, numpy: Sequence[Any], options: Sequence[inspect.Parameter] = ()) -> Callable[..., Node]:
    """The public function of an elementwise op, with its documentation; NumPy's functions build it too.

    Args:
        op: an elementwise operation.
        arity: number of its operands.
        numpy: NumPy's functions that build it.
        options: the last operands, where these have defaults.
    """

    def function(*operands: Any, **named: Any) -> Node:
        if arity == 1 and not named and len(operands) == 1 and type(operands[0]) is Node:
            return make(op, operands)
        if named or len(operands) != arity:
            operands = _completed(op, signature, operands, named)
        for x in operands:
            if not isinstance(x, Node):
                return apply(op, *operands)
        return make(op, operands)

    function.__name__ = function.__qualname__ = op.name
    function.__dict__["op"] = op
    names = _operand_names(op, arity)
    function.__doc__ = _documentation(op, names)
    required = [inspect.Parameter(names[k], inspect.Parameter.POSITIONAL_ONLY) for k in range(arity - len(options))]
    signature = inspect.Signature([*required, *options], return_annotation=Node)
    function.__dict__["__signature__"] = signature
    FUNCTIONS[op.name] = function
    for target in numpy:
        NUMPY_BUILDERS[target] = function
    return function


def _operand_names(op: Op, arity: int) -> list[str]:
    """What the record itself calls its operands: in the formula of a defined op, in the partials of an intrinsic."""
    written = [op.formula] if op.kind == "defined" else [p for p in reversed(op.partials) if p is not None]
    for function in written:
        parameters = list(inspect.signature(function).parameters.values())[1 : arity + 1] if function else []
        if len(parameters) == arity and all(p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters):
            return [p.name for p in parameters]
    return list("xyz"[:arity]) if arity <= 3 else [f"x{k}" for k in range(arity)]


def _completed(op: Op, signature: inspect.Signature, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
    """All operands of a call that left some out or named some."""
    try:
        bound = signature.bind(*given, **named)
    except TypeError:
        needed = sum(p.default is p.empty for p in signature.parameters.values())
        options = [f"{p.name}={p.default}" for p in signature.parameters.values() if p.default is not p.empty]
        also = f", and takes {', '.join(options)}" if options else ""
        by_name = f" and {', '.join(named)} by name" if named else ""
        raise GraphUseError(
            f"{op.name} needs {needed} operand{'s' * (needed != 1)}{also}; got {len(given)}{by_name}. Write "
            f"{op.name}({', '.join(signature.parameters)})."
        ) from None
    bound.apply_defaults()
    return bound.args


def _documentation(op: Op, names: Sequence[str]) -> str:
    several = len(names) > 1
    arrays = "nodes, numbers or arrays, whose shapes broadcast" if several else "node, number or array of any shape"
    shape = "their common shape" if several else "the same shape"
    parts = [
        op.doc or f"The operation {op.name}, entry by entry.",
        f"Args:\n    {', '.join(names)}: {arrays}.",
        f"Returns:\n    A node of {shape}. {_dtypes(op, len(names))}",
    ]
    if several:
        parts.append("Raises:\n    ShapeError: the shapes do not broadcast. Reshape an operand.")
    if op.kink:
        parts.append(f"Convention: {op.kink}.")
    if op.ulps != ULPS or op.terms:
        of = " of the sum of its terms' sizes" if op.terms else ""
        parts.append(f"Accuracy: within {op.ulps[0]:g} units in the last place{of}, compiled within {op.ulps[1]:g}.")
    if op.source:
        parts.append(f"Source: {op.source}.")
    return "\n\n".join(parts)


def _dtypes(op: Op, arity: int) -> str:
    """What comes of whole numbers and of bools, which is where a graph may differ from NumPy."""
    if op.kind == "defined":  # its dtypes are those of its formula
        return "Whole numbers and bools give float64, except where sums and products keep them whole."
    names = {dtype: _result_dtype(op, dtype, arity) for dtype in ("float32", "uint8", "bool")}
    if set(names.values()) == {"bool"}:
        return "The result is bool."
    if names["uint8"] == "float64":
        return "Whole numbers and bools give float64, where NumPy gives the smaller ones a shorter dtype."
    bools = {"bool": "of bools bool", "int64": "of bools int64 (NumPy: bool, or an error)"}.get(names["bool"], "")
    return "The result has the common dtype of the operands" + (f", {bools}." if bools else ".")


def _result_dtype(op: Op, dtype: str, arity: int) -> str:
    try:
        return op.infer(tuple([ArrayType((), dtype)] * arity)).dtype
    except GraphLearnError:
        return ""


def without_bools(function: Callable[..., Any]) -> Callable[..., Any]:
    """A NumPy function for which bools alone count as the int64 numbers 0 and 1, where NumPy refuses them."""

    def reference(*operands: Any) -> Any:
        if all(np.asarray(x).dtype == bool for x in operands):
            return function(*[np.asarray(x, np.int64) for x in operands])
        return function(*operands)

    return reference
