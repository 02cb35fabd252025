"""What a graph costs: floating-point operations and bytes of every node, by the conventions that stand here.

- An elementwise operation takes one operation for each entry of its result and each ``+ - * /``, comparison, choice or
  function (exp, tanh, ...) in its textbook formula.
- A product of (m, k) and (k, n) takes ``2 m k n``: a multiplication and an addition each. A sum or a maximum of n
  entries takes ``n - 1``.
- A random number takes one; what works on matrices of n rows takes the ``n**3`` of elimination.
- What moves entries, or sets some to 0, takes none; a compound takes what its expansion does: softmax of n entries
  ``5 n - 2``, a norm ``2 n``, a variance ``4 n``.
- What a kernel does besides, so that nothing overflows and no digits are lost, is not counted: choices that are hardly
  ever taken, and what they choose.
- A result takes bytes, but for what is a view in NumPy: ``broadcast_to``, ``transpose`` and slices show another array,
  and so does a reshape of entries that lie one after the other; of others (a transpose, a repeated array) it is a copy.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from graphlearn.errors import UnsupportedOp
from graphlearn.graph.node import Node, as_node
from graphlearn.graph.op import Op
from graphlearn.graph.traverse import topological
from graphlearn.ops.algebra import GRAPH
from graphlearn.ops.formulas import kinds_of_operands, placeholders
from graphlearn.program.layouts import Layouts
from graphlearn.types import Dim

Sizes = Mapping[str, int]


class NodeCost(NamedTuple):
    """What one node costs.

    Args:
        node: an operation or a leaf.
        flops: floating-point operations; 0 for a leaf.
        bytes: of its result; 0 for a view.
    """

    node: Node
    flops: int
    bytes: int


def count_costs(order: Iterable[Node], sizes: Sizes, precision: str) -> tuple[NodeCost, ...]:
    """The cost of each node.

    Args:
        order: nodes.
        sizes: length of every free axis.
        precision: what float64 is computed in.
    """
    layouts = Layouts(sizes)
    return tuple(
        NodeCost(n, 0 if n.is_leaf else flops(n, sizes), 0 if layouts.is_view(n) else _bytes(n, sizes, precision))
        for n in order
    )


def entries(shape: Sequence[Dim], sizes: Sizes) -> int:
    """Number of entries of a shape."""
    return math.prod(sizes[d] if isinstance(d, str) else d for d in shape)


def _bytes(node: Node, sizes: Sizes, precision: str) -> int:
    dtype = precision if node.dtype == "float64" else node.dtype
    return entries(node.shape, sizes) * np.dtype(dtype).itemsize


def flops(node: Node, sizes: Sizes) -> int:
    """Floating-point operations of one node.

    Args:
        node: an operation.
        sizes: length of every free axis.

    Raises:
        UnsupportedOp: an operation that has no row here.
    """
    if node.op.is_elementwise:
        return formula_size(node.op, len(node.inputs)) * entries(node.shape, sizes)
    rule = _ROWS.get(node.op.name)
    if rule is not None:
        return rule(node, sizes)
    if node.op.expand is None:
        raise UnsupportedOp(
            f"cost has no row for the operation {node.op.name!r}: {node!r}. It counts elementwise operations, "
            f"compounds and {', '.join(sorted(_ROWS))}.",
            nodes=(node,),
        )
    graph = as_node(node.op.expand(node))
    return sum(flops(n, sizes) for n in without_guards([graph], set(node.inputs)) if not n.is_leaf)


def without_guards(roots: Iterable[Node], known: Collection[Node]) -> tuple[Node, ...]:
    """The nodes that roots are made of, but for known ones and for what only guards digits or keeps from overflow.

    Args:
        roots: nodes.
        known: where the search ends.
    """
    found: dict[Node, None] = {}
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node in found or node in known:
            continue
        if node.op.name == "guarded":
            stack.append(node.inputs[2])
            continue
        found[node] = None
        stack.extend(node.inputs)
    return tuple(found)


@functools.lru_cache(maxsize=1024)
def formula_size(op: Op, arity: int) -> int:
    """Operations in the formula of an elementwise operation; 1 for one that is no formula of others."""
    if op.kind == "intrinsic" or op.formula is None:
        return 1
    graph = as_node(op.formula(GRAPH, *placeholders(kinds_of_operands(op.formula, arity))))
    return sum(formula_size(n.op, len(n.inputs)) for n in topological([graph]) if n.inputs)


# --- the table --------------------------------------------------------------------------------------------------------

_Row = Callable[[Node, Sizes], int]


def _none(node: Node, sizes: Sizes) -> int:
    return 0


def _reduced(node: Node, sizes: Sizes) -> int:
    return max(entries(node.inputs[0].shape, sizes) - entries(node.shape, sizes), 0)


def _along(each: int) -> _Row:
    """So many operations for each entry but the first ones along an axis."""

    def row(node: Node, sizes: Sizes) -> int:
        axis = node.attr("axis")
        first = node.shape[:axis] + node.shape[axis + 1 :]
        return each * max(entries(node.shape, sizes) - entries(first, sizes), 0)

    return row


def _added(node: Node, sizes: Sizes) -> int:
    """One addition for each entry that is put somewhere."""
    return sum(entries(n.shape, sizes) for n in node.inputs if n.type.is_float)


def _drawn(node: Node, sizes: Sizes) -> int:
    """One product that brings a word between 0 and 1; the word itself is made of whole numbers."""
    return entries(node.shape, sizes) if node.type.is_float else 0


def _lines(each: int, per_line: int) -> _Row:
    """So many operations for each entry of the operand, and so many for each line that becomes one number."""

    def row(node: Node, sizes: Sizes) -> int:
        x = node.inputs[0].shape
        axis = node.attr("axis")
        axes = {axis} if isinstance(axis, int) else set(axis)
        lines = entries([d for k, d in enumerate(x) if k not in axes], sizes)
        return max(each * entries(x, sizes) + per_line * lines, 0)

    return row


def _matmul(node: Node, sizes: Sizes) -> int:
    return 2 * entries(node.shape, sizes) * entries(node.inputs[0].shape[-1:], sizes)


def _cubic(numerator: int, denominator: int, per_column: int = 0) -> _Row:
    """``n**3`` for each matrix times a fraction, and ``n**2`` times a number for each column of a right-hand side."""

    def row(node: Node, sizes: Sizes) -> int:
        matrix = node.inputs[0].shape
        n, many = entries(matrix[-1:], sizes), entries(matrix[:-2], sizes)
        columns = entries(node.shape, sizes) // max(n, 1) if per_column else 0
        return numerator * many * n**3 // denominator + per_column * n**2 * columns

    return row


def _cofactor_along(node: Node, sizes: Sizes) -> int:
    """Elimination, two triangles for each direction and for the result, and a product added for each choice of rows."""
    n, many, order = int(node.shape[-1]), entries(node.shape[:-2], sizes), len(node.inputs) - 1
    return many * (2 * (3 * order + 4) * n**3 // 3 + 2 * (order + 1) * math.perm(n, order + 1))


_ROWS: dict[str, _Row] = {
    **dict.fromkeys(
        ("axis_size", "broadcast_to", "cast", "concatenate", "inlay", "reshape", "slice", "take", "take_along_axis",
         "transpose", "tril", "triu", "diag", "windows"), _none,
    ),
    **dict.fromkeys(("sum", "max", "min", "prod", "argmax", "argmin"), _reduced),
    # Largest, difference, exp, sum, quotient or logarithm; an entry times its target; squares, sum, root.
    "softmax": _lines(5, -2),
    "log_softmax": _lines(5, -1),
    "logsumexp": _lines(4, 0),
    "cross_entropy": _lines(7, -1),
    "norm": _lines(2, 0),
    "cumsum": _along(1),
    "products_before": _along(1),
    "recurrence": _along(2),
    **dict.fromkeys(("scatter_add", "scatter_along_axis", "overlap_add"), _added),
    "matmul": _matmul,
    "random": _drawn,
    # By Gaussian elimination, or Cholesky's half of it.
    "solve": _cubic(2, 3, 2),
    "inverse": _cubic(2, 1),
    "cofactor": _cubic(2, 1),
    "cofactor_along": _cofactor_along,
    **dict.fromkeys(("det", "detsign", "logabsdet"), _cubic(2, 3)),
    "cholesky": _cubic(1, 3),
}  # fmt: skip
