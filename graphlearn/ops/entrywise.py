"""What a formula has to give: one result for every entry of its operands, of these and of numbers alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphlearn.errors import GraphUseError
from graphlearn.graph.leaves import CONSTANT, constant_array, typed_constant
from graphlearn.graph.node import Node, apply, as_node
from graphlearn.graph.traverse import topological_above
from graphlearn.ops.algebra import GRAPH
from graphlearn.types import DTYPES, ArrayType, broadcast_shapes, promote


def compute_whole(formula: Callable[..., Any], compute: Callable[..., Any], m: Any, *operands: Any) -> Any:
    """A formula's result at every entry of its operands, also of those that it leaves unread.

    Args:
        formula: as it is written.
        compute: what is computed, which is equal.
        m: the algebra, of graphs or of NumPy.
        operands: nodes, or arrays and Python numbers.

    Raises:
        GraphUseError: the formula does not compute entry by entry, or reads a node or an array that is no operand.
    """
    result = compute(m, *operands)
    if m is GRAPH:
        for written in (formula(m, *operands), result):
            _require_entrywise(as_node(written), operands)
        kind = _whole_type(as_node(result).type, tuple([n.type for n in operands]))
        return result if as_node(result).type == kind else _filled(as_node(result), kind)
    shape = np.shape(result)
    if all(np.shape(x) == shape for x in operands):
        return result
    types = [t for t in (type_of(x) for x in (result, *operands)) if t is not None]
    dtype = promote(types)[0] if types and types[0].weak else np.asarray(result).dtype
    return np.broadcast_to(np.asarray(result, dtype), np.broadcast_shapes(shape, *map(np.shape, operands)))


def _whole_type(result: ArrayType, operands: tuple[ArrayType, ...]) -> ArrayType:
    """The type of a formula on operands, from that of its result: a Python number takes the dtype of what it meets."""
    shape = broadcast_shapes([t.shape for t in operands])
    dtype, weak = promote((result, *operands)) if result.weak else (result.dtype, False)
    return ArrayType(shape, dtype, weak)


def _filled(result: Node, kind: ArrayType) -> Node:
    """A node repeated to the shape of a type; a Python number in its dtype."""
    typed = result
    if result.type.weak and not kind.weak:
        array = constant_array(result)
        typed = typed_constant(array, kind.dtype) if array is not None else apply("cast", result, dtype=kind.dtype)
    return typed if typed.shape == kind.shape else apply("broadcast_to", typed, shape=kind.shape)


def _require_entrywise(result: Node, operands: tuple[Any, ...]) -> None:
    for node in topological_above([result], set(operands)):
        if node in operands or node.op.is_elementwise or (node.op is CONSTANT and not node.shape):
            continue
        if node.is_leaf:
            raise GraphUseError(
                f"a formula needs to be of its operands and numbers alone; got {node!r} in it. Make it an operand.",
                nodes=(node,),
            )
        raise GraphUseError(
            f"a formula needs to compute entry by entry; got {node.op.name} in it, which does not. Write it "
            "as a Python function of nodes, without gl.elementwise.",
            nodes=(node,),
        )


def type_of(operand: Any) -> ArrayType | None:
    """The type of a node, array or Python number as far as dtypes go; None for what other algebras compute with."""
    if isinstance(operand, Node):
        return operand.type
    if isinstance(operand, (np.ndarray, np.generic, bool, int, float)):
        dtype = np.asarray(operand).dtype.name
        return ArrayType((), dtype, isinstance(operand, (bool, int, float))) if dtype in DTYPES else None
    return None
