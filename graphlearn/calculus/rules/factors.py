"""Rules of linear operations: what they share is written once, outside; products of weights come first. All exact."""

from __future__ import annotations

from graphlearn.calculus.rules.patterns import Rule, both_ways, is_op, needs_data, unspread
from graphlearn.graph.node import Node, apply, make
from graphlearn.ops.linear import matmul

_LINEAR = ("sum", "mean", "reshape", "transpose", "matmul")


def _common_factor(node: Node) -> Node | None:
    """``a * x + a * y`` is ``a * (x + y)``; differences, quotients by one divisor and matrix products likewise."""
    first, second = node.inputs
    if first.op is not second.op:
        return None
    name = node.op.name
    if is_op(first, "mul"):
        for factor, x in both_ways(first):
            for other, y in both_ways(second):
                if factor is other:
                    return factor * apply(name, x, y)
    elif is_op(first, "div") and first.inputs[1] is second.inputs[1]:
        return apply(name, first.inputs[0], second.inputs[0]) / first.inputs[1]
    elif is_op(first, "matmul"):
        return _common_matrix(name, first, second)
    return None


def _common_matrix(name: str, first: Node, second: Node) -> Node | None:
    (a, x), (b, y) = first.inputs, second.inputs
    if a is b and x.shape == y.shape:
        return matmul(a, apply(name, x, y))
    return matmul(apply(name, a, b), x) if x is y and a.shape == b.shape else None


def _outwards(node: Node) -> Node | None:
    """A sign, or a number that multiplies or divides everything, goes before: ``sum(a * x)`` is ``a * sum(x)``."""
    for k, operand in enumerate(node.inputs):
        inner = operand.inputs[0] if operand.inputs else operand
        if is_op(operand, "neg"):
            return -_with(node, k, inner)
        if is_op(operand, "div") and _is_single(operand.inputs[1]) and inner.shape == operand.shape:
            return _with(node, k, inner) / unspread(operand.inputs[1])
        if is_op(operand, "mul"):
            for factor, rest in both_ways(operand):
                if _is_single(factor) and rest.shape == operand.shape and not _is_single(rest):
                    return unspread(factor) * _with(node, k, rest)
    return None


def _with(node: Node, place: int, operand: Node) -> Node:
    """The operation on another operand."""
    return make(node.op, (*node.inputs[:place], operand, *node.inputs[place + 1 :]), node.attrs)


def _is_single(node: Node) -> bool:
    """Whether all entries are one number, which may be known only at run time."""
    return unspread(node).shape == ()


# --- affine maps one after the other ----------------------------------------------------------------------------------


def _collapse(node: Node) -> Node | None:
    """``(x @ A + b) @ C`` is ``x @ (A @ C) + b @ C``, and ``C @ (A @ x + b)`` is ``(C @ A) @ x + C @ b``.

    Where A, b and C need no data and x does, so that their product is known before the data comes; and where it makes
    no larger a matrix than the two had together.
    """
    left, right = node.inputs
    if left.ndim != 2 and right.ndim != 2:
        return None
    rows = _collapse_rows(left, right)
    return _collapse_columns(left, right) if rows is None else rows


def _collapse_rows(inner: Node, last: Node) -> Node | None:
    found = _inner_map(inner, last, 1)
    if found is None:
        return None
    x, first, shift = found
    if not _pays(first.shape, last.shape):
        return None
    straight = matmul(x, matmul(first, last))
    if shift is None:
        return straight
    fits = shift.ndim > 0 and shift.shape[-1] == first.shape[1] and not needs_data(shift)
    return straight + matmul(shift, last) if fits else None


def _collapse_columns(last: Node, inner: Node) -> Node | None:
    found = _inner_map(inner, last, 0)
    if found is None:
        return None
    x, first, shift = found
    if not _pays(last.shape, first.shape):
        return None
    straight = matmul(matmul(last, first), x)
    if shift is None:
        return straight
    fits = shift.ndim == x.ndim and shift.shape[0] == first.shape[0] and not needs_data(shift)
    return straight + matmul(last, shift) if fits else None


def _inner_map(inner: Node, last: Node, side: int) -> tuple[Node, Node, Node | None] | None:
    """What an affine map is applied to, its matrix and its shift, where only the first needs data.

    Args:
        inner: the map, applied.
        last: the matrix of the map that comes after it.
        side: of the product on which its own matrix stands: 0 on the left, 1 on the right.
    """
    product, shift = _affine(inner)
    if product is None or last.ndim != 2:
        return None
    x, first = product.inputs[1 - side], product.inputs[side]
    fits = first.ndim == 2 and x.ndim <= 2 and needs_data(x) and not needs_data(first) and not needs_data(last)
    return (x, first, shift) if fits else None


def _affine(node: Node) -> tuple[Node | None, Node | None]:
    """A node as matrix product plus shift, of which the shift may be missing."""
    if is_op(node, "matmul"):
        return node, None
    if is_op(node, "add"):
        for product, shift in both_ways(node):
            if is_op(product, "matmul") and product.shape == node.shape:
                return product, unspread(shift)
    return None, None


def _pays(left: tuple[object, ...], right: tuple[object, ...]) -> bool:
    """Whether the product of two matrices has no more entries than both together."""
    rows, inner, columns = left[0], left[1], right[1]
    if not (isinstance(rows, int) and isinstance(inner, int) and isinstance(columns, int)):
        return False
    return rows * columns <= inner * (rows + columns)


def _constants_together(node: Node) -> Node | None:
    """``(x @ A + b) + c`` is ``x @ A + (b + c)``, where b and c need no data."""
    for inner, last in both_ways(node):
        product, shift = _affine(inner)
        if product is None or shift is None or needs_data(shift) or needs_data(last):
            continue
        if needs_data(product) and shift.ndim == last.ndim:
            return product + (shift + last)
    return None


FACTORS: tuple[Rule, ...] = (
    Rule("common_factor", "exact", ("add", "sub"), _common_factor),
    Rule("outwards", "exact", _LINEAR, _outwards),
    Rule("linear_collapse", "exact", ("matmul",), _collapse),
    Rule("constants_together", "exact", ("add",), _constants_together),
)
