"""A graph computed more widely than it declares: in float64 whatever its dtypes, or over complex numbers."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphlearn.backends.numpy.interpreter import resolve
from graphlearn.errors import NonFiniteError, UnsupportedOp
from graphlearn.graph.binding import Binding
from graphlearn.graph.leaves import INPUT
from graphlearn.graph.node import Node, make, new_node
from graphlearn.graph.op import OPS, Op
from graphlearn.graph.streams import Stream, number_streams
from graphlearn.graph.traverse import topological


def _widened(value: Any) -> Any:
    """Real arrays as float64; Python numbers, bools, whole and complex numbers as they are."""
    return (
        value.astype(np.float64) if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind == "f" else value
    )


def evaluate_wide(roots: Sequence[Node], binding: Binding) -> dict[Node, Any]:
    """Every node of a graph, in float64 where it is real.

    Args:
        roots: outputs.
        binding: arrays for the leaves and lengths of free axes.
    """
    values: dict[Node, Any] = {}
    order = topological(roots)
    streams = number_streams(order)
    with np.errstate(all="ignore"):
        for node in order:
            if node.is_leaf and node.op.name != "constant":
                values[node] = _widened(binding.arrays[node])
            else:
                values[node] = compute_wide(node, [values[n] for n in node.inputs], binding.sizes, streams)
    return values


def compute_wide(
    node: Node, operands: Sequence[Any], sizes: Mapping[str, int], streams: Mapping[Stream, int] | None = None
) -> Any:
    """One node by its reference; a cast between real dtypes rounds nothing.

    Args:
        node: the node.
        operands: values of its inputs.
        sizes: lengths of free axes.
        streams: numbers of the random streams, for a node that draws.

    Raises:
        UnsupportedOp: the operation has no reference.
    """
    if node.op.name == "constant":
        frozen = node.attr("value")
        return frozen.array.item() if frozen.weak else _widened(frozen.array)
    if node.op.name == "cast" and node.type.is_float and node.inputs[0].type.is_float:
        return operands[0]
    if node.op.reference is None:
        raise UnsupportedOp(
            f"the operation {node.op.name!r} has no NumPy reference, so it has no value.", nodes=(node,)
        )
    return _widened(node.op.reference(*operands, **resolve(node.attrs, sizes, streams)))


# --- over complex numbers ---------------------------------------------------------------------------------------------


def _largest(x: Any, axis: Any, keepdims: bool) -> Any:
    top = np.real(x) == np.max(np.real(x), axis=axis, keepdims=True)
    total = np.sum(np.where(top, x, 0), axis=axis, keepdims=keepdims)
    return total / np.sum(top, axis=axis, keepdims=keepdims)


def _by_real_part(name: str) -> Callable[..., Any]:
    return lambda *operands: OPS[name].reference(*[np.real(x) for x in operands])  # type: ignore[misc]


_RELATIONS = ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "sign")
_REAL = (
    "floor",
    "ceil",
    "round",
    "mod",
    "floor_divide",
    "atan2",
    "cbrt",
    "cholesky",
    "detsign",
)  # of which NumPy has no complex function
_LOGIC = ("logical_not", "logical_and", "logical_or")
# What is not analytic. Inside the expansion of a compound, such as the shift of softmax, it chooses by the real part:
# the compound is analytic although its parts are not.
_CHOICES: dict[str, Callable[..., Any]] = {
    **{name: _by_real_part(name) for name in (*_RELATIONS, *_LOGIC, *_REAL)},
    "abs": lambda x: np.where(np.real(x) < 0, -x, x),
    "maximum": lambda x, y: np.where(np.real(x) >= np.real(y), x, y),
    "minimum": lambda x, y: np.where(np.real(x) <= np.real(y), x, y),
    "where": lambda condition, x, y: np.where(np.real(condition) != 0, x, y),
    "max": _largest,
}


class ComplexAlgebra:
    """Formulas over this algebra compute complex arrays; ``m.sigmoid`` runs sigmoid's own formula.

    Args:
        caller: the operation whose formula runs, for messages.

    ``left`` is true at the entries where something on the way was not finite or left the real numbers.
    """

    def __init__(self, caller: Op) -> None:
        self._caller = caller
        self.left: Any = False

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)  # Python itself asks, e.g. hasattr(m, "__wrapped__"); no formula does
        op = OPS.get(name)
        if op is not None and op.kind == "defined" and op.formula is not None:
            return functools.partial(op.formula, self)
        if op is None or op.reference is None:
            raise UnsupportedOp(f"a formula used m.{name}, which has no NumPy reference.")
        return functools.partial(self._apply, op)

    def _apply(self, op: Op, *operands: Any) -> Any:
        result = _analytic(op, self._caller, *operands)
        if np.iscomplexobj(result):
            real = op.reference(*map(_real_part, operands)) if op.reference is not None else result
            self.left = self.left | ~np.isfinite(result) | np.isnan(real)
        return result


def _real_part(x: Any) -> Any:
    return np.real(x) if np.iscomplexobj(x) else x


def _analytic(op: Op, caller: Op, *operands: Any, **attrs: Any) -> Any:
    """Apply an operation if it is analytic in the operands that are complex."""
    deciding = operands[:1] if op.name == "where" else operands
    if op.name in _CHOICES and any(np.iscomplexobj(x) for x in deciding):
        through = "" if op is caller else f" (in the formula of {caller.name})"
        raise UnsupportedOp(
            f"the complex step needs analytic operations; got {op.name}{through}, which is not. Use method='central'."
        )
    if op.reference is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        try:
            return op.reference(*operands, **attrs)
        except np.exceptions.ComplexWarning:
            raise UnsupportedOp(
                f"the complex step needs operations that keep imaginary parts; got {op.name}, which drops them. Use "
                "method='central'."
            ) from None


def compute_complex(node: Node, operands: Sequence[Any], sizes: Mapping[str, int]) -> Any:
    """One node over complex numbers, by its textbook formula.

    The real part is what the node's reference gives for the real parts of the operands, so that only slopes hang on the
    formula; both parts are NaN where the reference has no value, and the imaginary one where it is infinite.

    Raises:
        UnsupportedOp: the operation is not analytic.
        NonFiniteError: the formula overflows or leaves the real numbers where the reference has a finite value.
    """
    op = node.op
    left: Any = False
    if op.formula is not None:
        algebra = ComplexAlgebra(op)
        result = op.formula(algebra, *operands)
        result = np.broadcast_to(result, np.broadcast_shapes(*map(np.shape, (result, *operands))))  # also of one unread
        left = algebra.left
    elif op.name == "cast":
        return _cast(node, operands[0])
    elif op.expand is not None:
        result = _expanded(node, operands, sizes)
    else:
        result = _analytic(op, op, *operands, **resolve(node.attrs, sizes))
    return _settled(node, result, [_real_part(x) for x in operands], sizes, left) if np.iscomplexobj(result) else result


def _settled(node: Node, result: Any, operands: Sequence[Any], sizes: Mapping[str, int], left: Any) -> Any:
    """A complex result over the real value of the node; refused where only the real value is finite."""
    real = np.broadcast_to(compute_wide(node, operands, sizes), np.shape(result))
    lost = np.isfinite(real) & (left | ~np.isfinite(result))
    if np.any(lost):
        place = tuple(int(k) for k in np.argwhere(lost)[0])
        where = f" at {list(place)}" if place else ""
        raise NonFiniteError(
            f"the complex step runs textbook formulas, and that of {node.op.name} overflows or leaves the real numbers "
            f"here, where the function itself is finite: {float(real[place]):.6g}{where}. Use method='central' or "
            "'ridders'.",
            nodes=(node,),
        )
    settled = np.empty(real.shape, np.complex128)
    # A 0 keeps the square of the step, if any: below a root it tells a kink, as in sqrt(x * x).
    settled.real = np.where((real == 0) & np.isfinite(result), np.real(result), real)
    settled.imag = np.where(np.isfinite(real), np.imag(result), np.nan)
    return settled


def _cast(node: Node, operand: Any) -> Any:
    if node.type.is_float:
        return operand
    raise UnsupportedOp(
        f"the complex step needs analytic operations; got a cast to {node.dtype}, which is not. Use method='central'.",
        nodes=(node,),
    )


def _expanded(node: Node, operands: Sequence[Any], sizes: Mapping[str, int]) -> Any:
    """A compound by its expansion, in which what is not analytic chooses by the real part."""
    slots = tuple(new_node(INPUT, (), (), n.type, f"x{k}", "") for k, n in enumerate(node.inputs))
    fresh = make(node.op, slots, node.attrs)
    if node.op.expand is None:
        raise UnsupportedOp(f"{node.op.name} has no expansion.", nodes=(node,))
    graph = node.op.expand(fresh)
    values: dict[Node, Any] = dict(zip(slots, operands, strict=True))
    for inner in topological([graph]):
        if inner in values:
            continue
        inputs = [values[n] for n in inner.inputs]
        choice = _CHOICES.get(inner.op.name)
        if choice is not None:
            values[inner] = choice(*inputs, **resolve(inner.attrs, sizes))
        elif inner.is_leaf or not inner.inputs:
            values[inner] = compute_wide(inner, inputs, sizes)
        else:
            values[inner] = compute_complex(inner, inputs, sizes)
    return values[graph]
