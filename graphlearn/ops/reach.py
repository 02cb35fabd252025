"""Which entries of its operands an operation needs for some entries of its result: the kinds that several ops share.

Operations are applied by name here, since the records of all of them say what they reach.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphlearn.graph.leaves import typed_constant
from graphlearn.graph.node import Node, apply
from graphlearn.graph.op import Reach


def any_over(condition: Node, axes: Sequence[int]) -> Node:
    """Whether a condition holds somewhere along axes, which stay with length 1."""
    long = tuple(k for k in sorted(axes) if condition.shape[k] != 1)
    return apply("any", condition, axis=long, keepdims=True) if long else condition


def padded(condition: Node, rank: int) -> Node:
    """A condition with leading axes of length 1, up to a rank."""
    missing = rank - condition.ndim
    return apply("reshape", condition, shape=(1,) * missing + condition.shape) if missing else condition


def _by_adjoint(node: Node, condition: Node) -> list[Node | None]:
    """Where the adjoint of the condition is not 0, which holds 1 or True where it is True."""
    whole = condition if condition.shape == node.shape else apply("broadcast_to", condition, shape=node.shape)
    return _nonzero(node, whole)


def _by_ones(node: Node, condition: Node) -> list[Node | None]:
    """The same for a product: the adjoint with ones for the operands, which no sign and no zero can cancel."""
    ones = [apply("broadcast_to", typed_constant(1, x.dtype), shape=x.shape) for x in node.inputs]
    whole = condition if condition.shape == node.shape else apply("broadcast_to", condition, shape=node.shape)
    return _nonzero(apply(node.op, *ones, **dict(node.attrs)), apply("cast", whole, dtype=node.dtype))


def _nonzero(node: Node, upstream: Node) -> list[Node | None]:
    shares = () if node.op.adjoint is None else node.op.adjoint(node, upstream)
    return [s if s is None or s.dtype == "bool" else apply("not_equal", s, 0) for s in shares]


def _along_lines(node: Node, condition: Node) -> list[Node | None]:
    """Each entry of a line along the axes needs the whole line."""
    given = node.attr("axis")
    axes = (given,) if isinstance(given, int) else given
    full = padded(condition, node.ndim)
    if node.ndim == node.inputs[0].ndim:
        lines = any_over(full, axes)
    else:
        rest = iter(full.shape)
        lines = apply("reshape", full, shape=tuple(1 if k in axes else next(rest) for k in range(node.inputs[0].ndim)))
    return [lines for _ in node.inputs]


def _over_matrices(node: Node, condition: Node) -> list[Node | None]:
    """Each entry of a result needs the whole matrix; the leading axes number the matrices."""
    lead = node.inputs[0].ndim - 2
    found = any_over(padded(condition, node.ndim), range(lead, node.ndim))
    return [apply("reshape", found, shape=found.shape[:lead] + (1,) * (x.ndim - lead)) for x in node.inputs]


# Entries are moved, repeated, left out or added up.
MOVES = Reach(_by_adjoint, "numbers")
# Sums of products of an entry of each operand.
PRODUCTS = Reach(_by_ones, "operands")
LINES = Reach(_along_lines)
MATRICES = Reach(_over_matrices)
