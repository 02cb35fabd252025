"""How operations are written out entry by entry that neither move entries nor are linear. A table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphlearn.calculus.entries import Entries, Place, array_of, fitted, lengths_of
from graphlearn.calculus.entry_choices import extreme_entry, place_of
from graphlearn.calculus.entry_matrices import MATRICES
from graphlearn.graph.leaves import typed_constant
from graphlearn.graph.node import Node
from graphlearn.graph.op import Op
from graphlearn.ops.entries import (
    cross_entropy_of,
    log_softmax_entry,
    logsumexp_of,
    norm_of,
    softmax_entry,
)
from graphlearn.ops.philox import WIDTH

Row = Callable[[Node, Sequence[Entries], Place], Entries]


def _lines(node: Node, entries: Entries) -> list[list[Node]]:
    """The entries along the reduced axes, one list for each entry of the result."""
    axis = node.attr("axis")
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    last = np.moveaxis(entries, axes, range(entries.ndim - len(axes), entries.ndim)) if axes else entries
    kept = last.shape[: entries.ndim - len(axes)]
    rows: list[list[Node]] = last.reshape((int(np.prod(kept)), -1) if last.size else (int(np.prod(kept)), 0)).tolist()
    return rows


def _sum(node: Node, operands: Sequence[Entries], at: Place) -> Entries:
    zero = typed_constant(0, node.dtype)
    rows = _lines(node, operands[0])
    return array_of([at.chain("add", [fitted(e, node) for e in row]) if row else zero for row in rows], node.shape)


def _prod(node: Node, operands: Sequence[Entries], at: Place) -> Entries:
    one = typed_constant(1, node.dtype)
    rows = _lines(node, operands[0])
    return array_of([at.chain("mul", [fitted(e, node) for e in row]) if row else one for row in rows], node.shape)


def _running(step: Callable[[Node, list[Node], Node | None, Place], Node], start: float) -> Row:
    """A row of an operation that goes along an axis: each entry from the operands and the entry before it."""

    def row(node: Node, operands: Sequence[Entries], at: Place) -> Entries:
        order = slice(None, None, -1 if node.attr("reverse") else 1)
        result = np.empty(operands[0].shape, object)
        fronts = [np.moveaxis(a, node.attr("axis"), 0)[order] for a in (result, *operands)]
        for place in np.ndindex(fronts[0].shape[1:]):
            last: Node | None = None
            for k in range(len(fronts[0])):
                before = [fitted(a[(k - 1, *place)], node) for a in fronts[1:]]
                last = step(node, before, last, at) if k else None
                fronts[0][(k, *place)] = typed_constant(start, node.dtype) if last is None else last
        return result

    return row


def _cumsum(node: Node, operands: Sequence[Entries], at: Place) -> Entries:
    result = np.empty(operands[0].shape, object)
    order = slice(None, None, -1 if node.attr("reverse") else 1)
    totals: Any = np.moveaxis(result, node.attr("axis"), 0)[order]
    terms: Any = np.moveaxis(operands[0], node.attr("axis"), 0)[order]
    for place in np.ndindex(terms.shape):
        entry: Any = terms[place]
        term = fitted(entry, node)
        totals[place] = at.apply("add", totals[(place[0] - 1, *place[1:])], term) if place[0] else term
    return result


def _product_step(node: Node, before: list[Node], last: Node | None, at: Place) -> Node:
    return before[0] if last is None else at.apply("mul", last, before[0])


def _recurrence_step(node: Node, before: list[Node], last: Node | None, at: Place) -> Node:
    factor, term = before
    return term if last is None else at.apply("add", term, at.apply("mul", factor, last))


def _norm(node: Node, operands: Sequence[Entries], at: Place) -> Entries:
    zero = typed_constant(0, node.dtype)
    rows = _lines(node, operands[0])
    real = [[fitted(e, node) for e in row] for row in rows]
    return array_of([at.apply(norm_of(len(row)), *row) if row else zero for row in real], node.shape)


def _extreme(name: str) -> Row:
    def row(node: Node, operands: Sequence[Entries], at: Place) -> Entries:
        lines = _lines(node, operands[0])
        return array_of([extreme_entry(name, line, at) for line in lines], node.shape)

    return row


def _logic(name: str) -> Row:
    def row(node: Node, operands: Sequence[Entries], at: Place) -> Entries:
        nothing = typed_constant(name == "logical_and", "bool")
        lines = _lines(node, operands[0])
        zeros = [typed_constant(0, e.dtype) for e in operands[0].ravel().tolist()[:1]]
        truths = [[e if e.dtype == "bool" else at.apply("not_equal", e, zeros[0]) for e in line] for line in lines]
        return array_of([at.chain(name, line) if line else nothing for line in truths], node.shape)

    return row


def _matmul(node: Node, operands: Sequence[Entries], at: Place) -> Entries:
    left, right = operands
    a = left if left.ndim > 1 else left[None, :]
    b = right if right.ndim > 1 else right[:, None]
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = np.broadcast_to(a, batch + a.shape[-2:]), np.broadcast_to(b, batch + b.shape[-2:])
    found = []
    for place in np.ndindex(*batch, a.shape[-2], b.shape[-1]):
        pairs = zip(a[place[:-1]].tolist(), b[(*place[:-2], slice(None), place[-1])].tolist(), strict=True)
        products = [at.apply("mul", x, y) for x, y in pairs]
        found.append(at.chain("add", products) if products else typed_constant(0, node.dtype))
    return array_of(found, node.shape)


def _cast(node: Node, operands: Sequence[Entries], at: Place) -> Entries:
    (entries,) = operands
    casts = [
        e if e.dtype == node.dtype and not e.type.weak else at.apply("cast", e, attrs=node.attrs)
        for e in entries.ravel().tolist()
    ]
    return array_of(casts, node.shape)


def _real(entries: Entries, node: Node) -> list[Node]:
    return [fitted(e, node) if not e.type.is_float else e for e in entries.tolist()]


def _softmax(maker: Callable[[int, int], Op]) -> Row:
    def row(node: Node, operands: Sequence[Entries], at: Place) -> Entries:
        axis = node.attr("axis")
        result = np.empty(operands[0].shape, object)
        across = np.moveaxis(result, axis, -1)  # a view: what is written there stands in the result
        for place in np.ndindex(across.shape[:-1]):
            line = _real(np.moveaxis(operands[0], axis, -1)[place], node)
            for k in range(len(line)):
                across[(*place, k)] = at.apply(maker(len(line), k), *line)
        return result

    return row


def _logsumexp(node: Node, operands: Sequence[Entries], at: Place) -> Entries:
    across = np.moveaxis(operands[0], node.attr("axis"), -1)
    rows = [_real(across[place], node) for place in np.ndindex(across.shape[:-1])]
    return array_of([at.apply(logsumexp_of(len(row)), *row) for row in rows], node.shape)


def _cross_entropy(node: Node, operands: Sequence[Entries], at: Place) -> Entries:
    axis = node.attr("axis")
    z = np.moveaxis(operands[0], axis, -1)
    t = np.broadcast_to(np.moveaxis(operands[1], axis, -1), z.shape)
    op = cross_entropy_of(z.shape[-1], node.attr("normalized"))
    rows = [at.apply(op, *_real(z[p], node), *_real(t[p], node)) for p in np.ndindex(z.shape[:-1])]
    return array_of(rows, node.shape)


def _drawn(node: Node, operands: Sequence[Entries], at: Place) -> Entries:
    """Numbers that are the words of the array at their places; each row of an array begins with a block of its own."""
    last = lengths_of(node)[-1] if node.shape else 1
    width = -(-last // WIDTH) * WIDTH
    attrs = {**dict(node.attrs), "shape": ()}
    seeds = [a.item() for a in operands]
    places = range(int(np.prod(lengths_of(node))))
    made = [attrs | {"first": k // last * width + k % last} for k in places]
    return array_of([at.apply(node.op, *seeds, attrs=tuple(sorted(a.items()))) for a in made], node.shape)


def _each(node: Node, operands: Sequence[Entries], at: Place) -> Entries:
    wide = [np.broadcast_to(a, lengths_of(node)).ravel() for a in operands]
    return array_of([at.apply(node.op, *row, attrs=node.attrs) for row in zip(*wide, strict=True)], node.shape)


ROWS: dict[str, Row] = {
    **dict.fromkeys(("random", "random_normal"), _drawn),
    **dict.fromkeys(("bernoulli", "dropout"), _each),
    "sum": _sum,
    "cumsum": _cumsum,
    "prod": _prod,
    "products_before": _running(_product_step, 1),
    "recurrence": _running(_recurrence_step, 0),
    "norm": _norm,
    "max": _extreme("maximum"),
    "min": _extreme("minimum"),
    "argmax": place_of("maximum"),
    "argmin": place_of("minimum"),
    "any": _logic("logical_or"),
    "all": _logic("logical_and"),
    "matmul": _matmul,
    "cast": _cast,
    "softmax": _softmax(softmax_entry),
    "log_softmax": _softmax(log_softmax_entry),
    "logsumexp": _logsumexp,
    "cross_entropy": _cross_entropy,
    **MATRICES,
}
