"""Local rewriting on the way into a program. Every rule gives the same floating-point numbers.

`build` makes a node and applies the rules of its op; a rule gets the operands and gives a replacement or None.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphlearn.errors import UnsupportedOp
from graphlearn.graph.leaves import constant_array, typed_constant
from graphlearn.graph.node import Node, as_node, make
from graphlearn.graph.op import ATOM, Attrs, Notation, Op, find_op
from graphlearn.graph.rewrite import rewrite
from graphlearn.graph.traverse import topological
from graphlearn.program.access import VIEWS
from graphlearn.program.routines import ROUTINES
from graphlearn.types import ArrayType, promote

# The identity, as an entry-by-entry copy: gives a view an array of its own, and an output a place to be written.
# ``output`` numbers the outputs, so that one value that is wanted twice is written to two places.
COPY = Op(
    "copy", "intrinsic", lambda types, output=None: types[0], Notation("{0}", "{0}", ATOM),
    reference=lambda x, output=None: np.array(x),
)  # fmt: skip
# Truths drawn at once, where random words are only compared with a number: an eighth of the memory, and loops that
# read them count no entry of 8 bytes. The attributes are those of the words, and the number.
BELOW = Op(
    "random_below", "structural", lambda types, shape, **attrs: ArrayType(shape, "bool"),
    Notation("{0}", "{0}", ATOM),
)  # fmt: skip
# What programs have and graphs do not.
OWN = frozenset([COPY, BELOW])

Rule = Callable[[Sequence[Node], Attrs], Node | None]


def build(op: str | Op, inputs: Sequence[Node], attrs: Attrs = ()) -> Node:
    """The node of an intrinsic or structural op after the rules."""
    record = find_op(op) if isinstance(op, str) else op
    folded = _fold(record, inputs, attrs) if record.is_elementwise else None
    if folded is not None:
        return folded
    if record.name in ROUTINES:
        return make(record, _row_by_row(record, inputs, attrs), attrs, scope="")
    rule = _RULES.get(record.name)
    replacement = rule(inputs, attrs) if rule is not None else None
    if replacement is not None:
        return replacement
    if record.is_elementwise:
        return _without_broadcasts(record, inputs, attrs)
    if record.name not in _PLAIN:
        raise UnsupportedOp(
            f'compiled code has no place for the operation {record.name!r}. Pass backend="numpy", which has.'
        )
    return make(record, tuple(inputs), attrs, scope="")


def number(node: Node) -> float | None:
    """The value of a scalar constant."""
    array = constant_array(node)
    return array.item() if array is not None and array.shape == () else None


def _fold(op: Op, inputs: Sequence[Node], attrs: Attrs) -> Node | None:
    """Scalar constants computed now, by the reference."""
    arrays = [constant_array(n) for n in inputs]
    if op.reference is None or any(a is None or a.shape != () for a in arrays):
        return None
    kind = make(op, tuple(inputs), attrs, scope="").type
    values = [a.item() if n.type.weak else a for n, a in zip(inputs, arrays, strict=True) if a is not None]
    with np.errstate(all="ignore"):
        result = np.asarray(op.reference(*values, **dict(attrs)), kind.dtype)
    return as_node(result.item()) if kind.weak else typed_constant(result, kind.dtype)


def _without_broadcasts(op: Op, inputs: Sequence[Node], attrs: Attrs) -> Node:
    """Elementwise ops broadcast by themselves; what was repeated before is computed once and repeated after."""
    full = make(op, tuple(inputs), attrs, scope="")
    bare = [n.inputs[0] if n.op.name == "broadcast_to" else n for n in inputs]
    if all(a is b for a, b in zip(bare, inputs, strict=True)):
        return full
    small = build(op, bare, attrs)
    return small if small.shape == full.shape else build("broadcast_to", [small], (("shape", full.shape),))


def _same(node: Node, inputs: Sequence[Node]) -> bool:
    """Whether a node has the dtype of the operation on these inputs and the shape of all of them."""
    dtype, weak = promote([n.type for n in inputs])
    return node.dtype == dtype and node.type.weak == weak and all(n.shape in ((), node.shape) for n in inputs)


def _mul(inputs: Sequence[Node], attrs: Attrs) -> Node | None:
    for x, other in (inputs, inputs[::-1]):
        factor = number(other)
        if factor is not None and _same(x, inputs) and x.type.is_float:
            if factor == 1:
                return x
            if factor == -1:
                return build("neg", [x])
    return None


def _sub(inputs: Sequence[Node], attrs: Attrs) -> Node | None:
    x, y = inputs
    zero = number(y)
    # x - 0 is x also for x = -0.0; x - (-0.0) is not
    return x if zero == 0 and math.copysign(1, zero) > 0 and _same(x, inputs) else None


def _div(inputs: Sequence[Node], attrs: Attrs) -> Node | None:
    x, y = inputs
    divisor = number(y)
    if divisor is None or not x.type.is_float or not _same(x, inputs) or not math.isfinite(divisor) or divisor == 0:
        return None
    mantissa, exponent = math.frexp(divisor)
    if abs(mantissa) == 0.5 and abs(exponent) < 100:  # by a power of two, whose reciprocal is exact
        return build("mul", [x, as_node(1.0 / divisor)])
    return None


def _neg(inputs: Sequence[Node], attrs: Attrs) -> Node | None:
    (x,) = inputs
    return x.inputs[0] if x.op.name == "neg" and x.dtype == x.inputs[0].dtype else None


def _abs(inputs: Sequence[Node], attrs: Attrs) -> Node | None:
    (x,) = inputs
    if x.op.name == "neg" and x.dtype == x.inputs[0].dtype:
        return build("abs", [x.inputs[0]])
    return x if x.op.name == "abs" else None


def _pow(inputs: Sequence[Node], attrs: Attrs) -> Node | None:
    x, y = inputs
    exponent = number(y)
    if exponent is None or not _same(x, inputs) or x.dtype == "bool":
        return None
    if exponent in (1, 2, 3):
        return x if exponent == 1 else _product(x, int(exponent))
    if x.type.is_float and exponent in (-1, -2):
        # The product of reciprocals: of a large x the reciprocal of the product is 0 where it should be subnormal.
        return _product(build("div", [as_node(1.0), x]), int(-exponent))
    if x.type.is_float and exponent == 0.5:
        # pow(-0.0, 0.5) is 0 and pow(-inf, 0.5) is inf
        root = build("sqrt", [build("add", [x, as_node(0.0)])])
        return build("where", [build("equal", [x, as_node(-math.inf)]), as_node(math.inf), root])
    return None


def _product(x: Node, times: int) -> Node:
    result = x
    for _ in range(times - 1):
        result = build("mul", [result, x])
    return result


def _where(inputs: Sequence[Node], attrs: Attrs) -> Node | None:
    """What a constant condition chooses."""
    condition = number(inputs[0])
    chosen = inputs[1 if condition else 2]
    return chosen if condition is not None and _same(chosen, inputs[1:]) else None


def _less(inputs: Sequence[Node], attrs: Attrs) -> Node | None:
    """Random words below a number are truths of their own."""
    words, bound = inputs
    limit = number(bound)
    if words.op.name != "random" or words.dtype != "int64" or bound.dtype != "int64" or limit is None:
        return None
    return build(BELOW, words.inputs, (*words.attrs, ("below", int(limit))))


def _cast(inputs: Sequence[Node], attrs: Attrs) -> Node | None:
    (x,) = inputs
    dtype = dict(attrs)["dtype"]
    value = constant_array(x)
    if value is not None:
        return typed_constant(value.astype(dtype), dtype)
    if x.op.name == "broadcast_to":
        return build("broadcast_to", [build("cast", x.inputs, attrs)], x.attrs)
    return x if x.dtype == dtype and not x.type.weak else None


def _broadcast_to(inputs: Sequence[Node], attrs: Attrs) -> Node | None:
    (x,) = inputs
    if x.shape == dict(attrs)["shape"]:
        return x
    return build("broadcast_to", x.inputs, attrs) if x.op.name == "broadcast_to" else None


def _transpose(inputs: Sequence[Node], attrs: Attrs) -> Node | None:
    (x,) = inputs
    axes: tuple[int, ...] = dict(attrs)["axes"]
    if x.op.name == "transpose":
        inner = x.attr("axes")
        return build("transpose", x.inputs, (("axes", tuple(inner[a] for a in axes)),))
    return x if axes == tuple(range(x.ndim)) else None


def _reshape(inputs: Sequence[Node], attrs: Attrs) -> Node | None:
    (x,) = inputs
    shape = dict(attrs)["shape"]
    if x.shape == shape:
        return x
    if x.op.name == "reshape":
        return build("reshape", x.inputs, attrs)
    if _long(x.shape) != _long(shape) and x.op.name in VIEWS:
        return build("reshape", [make(COPY, (x,), scope="")], attrs)
    return None


def _long(shape: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(d for d in shape if d != 1)


def _matmul(inputs: Sequence[Node], attrs: Attrs) -> Node | None:
    """Operands of the result's dtype, each with entries side by side along one of its last two axes."""
    dtype, _ = promote([n.type for n in inputs])
    ready = [_plain(build("cast", [n], (("dtype", dtype),))) for n in inputs]
    return make(find_op("matmul"), tuple(ready), attrs, scope="")


def _plain(x: Node) -> Node:
    source = x
    while source.op.name in VIEWS:
        swapped = (*range(source.ndim - 2), source.ndim - 1, source.ndim - 2)
        regular = source.op.name == "reshape" or (source.op.name == "transpose" and source.attr("axes") == swapped)
        if not regular:
            return make(COPY, (x,), scope="")
        source = source.inputs[0]
    return x


def _row_by_row(op: Op, inputs: Sequence[Node], attrs: Attrs) -> tuple[Node, ...]:
    """Operands of a routine as arrays of their own; those of real numbers in the dtype of a result of real numbers."""
    kind = make(op, tuple(inputs), attrs, scope="").type
    ready = [build("cast", [n], (("dtype", kind.dtype),)) if n.type.is_float and kind.is_float else n for n in inputs]
    return tuple([n if _is_array(n) else make(COPY, (n,), scope="") for n in ready])


def _is_array(node: Node) -> bool:
    """Whether a node's entries lie in memory in their order."""
    while node.op.name == "reshape":
        node = node.inputs[0]
    return node.op.name not in (*VIEWS, "axis_size")


# Structural operations that a program has a step or a view for; the others are routines.
_PLAIN = (*VIEWS, "axis_size", "cast", "concatenate", "inlay", "sum", "max", "matmul")

_RULES: dict[str, Rule] = {
    "mul": _mul, "sub": _sub, "div": _div, "neg": _neg, "abs": _abs, "pow": _pow, "cast": _cast,
    "where": _where, "less": _less,
    "broadcast_to": _broadcast_to, "transpose": _transpose, "reshape": _reshape, "matmul": _matmul,
}  # fmt: skip


def relu_masks(roots: Sequence[Node]) -> dict[Node, Node]:
    """``x > 0`` becomes ``max(x, 0) > 0`` where the graph has the maximum: its operand need not be kept for the mask.

    NaN stays NaN in the maximum, so both are false there.
    """
    found = {
        node.inputs[0]: node
        for node in topological(roots)
        if node.op.name == "maximum" and number(node.inputs[1]) == 0 and node.inputs[0].shape == node.shape
    }

    def rule(node: Node) -> Node | None:
        if node.op.name == "greater" and number(node.inputs[1]) == 0 and node.inputs[0] in found:
            return make(node.op, (found[node.inputs[0]], node.inputs[1]), node.attrs, scope="")
        return None

    return rewrite(roots, rule)
