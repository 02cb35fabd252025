"""What a graph costs: floating-point operations and bytes of every node, by the conventions that stand here.

- An elementwise operation takes one operation for each entry of its result and each ``+ - * /``, comparison, choice or
  function (exp, tanh, ...) in its formula.
- A product of (m, k) and (k, n) takes ``2 m k n``: a multiplication and an addition each. A sum or a maximum of n
  entries takes ``n - 1``.
- A random number takes one; what works on matrices of n rows takes the ``n**3`` of elimination.
- What moves entries takes none; a compound takes what its expansion does.
- A result takes bytes, but for views: ``broadcast_to``, ``reshape``, ``transpose`` and slices show another array.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from graphlearn.errors import UnsupportedOp
from graphlearn.graph.node import Node, as_node
from graphlearn.graph.op import Op
from graphlearn.graph.traverse import topological, topological_above
from graphlearn.ops.algebra import GRAPH
from graphlearn.ops.formulas import kinds_of_operands, placeholders
from graphlearn.types import Dim

Sizes = Mapping[str, int]
VIEWS = ("broadcast_to", "reshape", "transpose", "slice")


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
    return tuple(NodeCost(n, 0 if n.is_leaf else flops(n, sizes), _bytes(n, sizes, precision)) for n in order)


def entries(shape: Sequence[Dim], sizes: Sizes) -> int:
    """Number of entries of a shape."""
    return math.prod(sizes[d] if isinstance(d, str) else d for d in shape)


def _bytes(node: Node, sizes: Sizes, precision: str) -> int:
    if node.op.name in VIEWS:
        return 0
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
    inner = topological_above([graph], set(node.inputs))
    return sum(flops(n, sizes) for n in inner if n not in node.inputs and not n.is_leaf)


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
         "transpose", "windows"), _none,
    ),
    **dict.fromkeys(("sum", "max", "prod", "argmax", "argmin"), _reduced),
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
