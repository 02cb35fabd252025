"""Which nodes may be infinite or NaN, or have such a derivative, although all leaves are finite numbers.

Elementwise operations are tried at a few numbers by their references; what the others do is in their records.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np

from graphlearn.calculus.partials import local_partial
from graphlearn.graph.leaves import INPUT, constant_array, typed_constant
from graphlearn.graph.node import Node, make, new_node
from graphlearn.graph.op import Op
from graphlearn.graph.traverse import topological
from graphlearn.types import ArrayType

_SIZES = (1e-3, 0.5, 1.0, 2.0, 30.0, 1e4)
# Where operations end: zeros of both signs, 1, -1, and what exponentials overflow at.
_TRIED = (0.0, -0.0, *_SIZES, *(-size for size in _SIZES))
_MOST = 10_000  # combinations of numbers that are tried
_Operand = tuple[str, tuple[float, ...]]  # dtype, and the numbers that it may be


def unsafe_nodes(order: Sequence[Node]) -> set[Node]:
    """The nodes of a graph that may be infinite or NaN, or have such a derivative, at finite leaves.

    Args:
        order: topological order.

    Returns:
        Operations with an edge such as log, div and solve, and all that depends on one in real numbers.
    """
    found: set[Node] = set()
    for node in order:
        if node.type.is_float and (any(n in found for n in node.inputs) or _has_edge(node)):
            found.add(node)
    return found


def _has_edge(node: Node) -> bool:
    if node.op.is_elementwise:
        return _tried(node.op, tuple([_operand(n) for n in node.inputs]))
    if node.op.name == "constant":
        return not np.isfinite(node.attr("value").array).all()
    return node.op.edges


def _operand(node: Node) -> _Operand:
    """What an operand may be; of a large constant the smallest, the largest and those nearest to 0."""
    dtype = node.dtype if node.dtype in ("bool", "float32") else "float64"
    array = constant_array(node)
    if array is None or not array.size:
        return (dtype, (0.0, 1.0) if dtype == "bool" else _TRIED)
    values = array.astype(np.float64)
    sizes = np.abs(values)
    below, above = values[values <= 0], values[values >= 0]
    ends = [values.min(), values.max(), *(side[np.abs(side).argmin()] for side in (below, above) if side.size)]
    return (dtype, tuple(sorted({float(end) for end in ends}))) if np.isfinite(sizes).all() else (dtype, (np.inf,))


@functools.lru_cache(maxsize=4096)
def _tried(op: Op, operands: tuple[_Operand, ...]) -> bool:
    """Whether the value or a derivative is not finite for some of these operands; said of more than can be tried."""
    if math.prod(len(values) for _, values in operands) > _MOST:
        return True
    slots = [_slot(dtype, values) for dtype, values in operands]
    node = make(op, tuple(slots))
    local = [local_partial(node, k) for k, slot in enumerate(slots) if slot.op is INPUT and slot.type.is_float]
    grid = np.meshgrid(*[np.array(values, dtype) for dtype, values in operands], indexing="ij", sparse=True)
    results = [node, *(n for n in local if isinstance(n, Node))]
    known = dict(zip(slots, grid, strict=True))
    return not all(np.isfinite(array).all() for array in _values(results, known))


def _slot(dtype: str, values: tuple[float, ...]) -> Node:
    # A single number stays one: powers have other derivatives then.
    return (
        typed_constant(values[0], dtype) if len(values) == 1 else new_node(INPUT, (), (), ArrayType((), dtype), "", "")
    )


def _values(nodes: Sequence[Node], known: dict[Node, np.ndarray]) -> list[np.ndarray]:
    """The values of elementwise expressions, by the references of their operations."""
    arrays = dict(known)
    with np.errstate(all="ignore"):
        for node in topological(nodes):
            if node not in arrays:
                constant = constant_array(node)
                reference = node.op.reference
                if constant is not None:
                    arrays[node] = constant
                elif reference is not None:
                    arrays[node] = np.asarray(reference(*[arrays[n] for n in node.inputs], **dict(node.attrs)))
    return [arrays[node] for node in nodes]
