"""Expansion: a graph over any ops becomes one over intrinsics and structural ops, in the dtypes that will run.

Defined ops become their kernels, compounds their expansions. Equal computations become one node whatever their names
and scopes; names are kept in a side table. What is rewritten on the way is exact in floating point (`rules`).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphlearn.errors import UnsupportedOp
from graphlearn.graph.leaves import INPUT, constant_array, typed_constant
from graphlearn.graph.node import Node, as_node, make, new_node
from graphlearn.graph.op import FREE_ATTRIBUTES, Attrs, Op
from graphlearn.graph.scope import no_scope
from graphlearn.graph.streams import Stream, number_streams
from graphlearn.graph.traverse import topological
from graphlearn.ops.algebra import GRAPH
from graphlearn.program.rules import build, relu_masks
from graphlearn.types import ArrayType, Dim

_EXACT_IN_FLOAT32 = ("bool", "uint8")


@dataclass(frozen=True)
class Expanded:
    """A graph that is ready to be planned.

    Args:
        roots: outputs, in the given order.
        leaves: leaf of the given graph -> the leaf that stands for it, in the dtype and shape that will run.
        origin: node -> the nodes of the given graph that it computes, first one first.
    """

    roots: tuple[Node, ...]
    leaves: Mapping[Node, Node]
    origin: Mapping[Node, tuple[Node, ...]]


def expand(roots: Sequence[Node], precision: str, sizes: Mapping[str, int]) -> Expanded:
    """Expand a graph.

    Args:
        roots: outputs.
        precision: what every float64 becomes, leaves included; explicit casts stay.
        sizes: lengths of the free axes that are fixed now; the others stay free.

    Raises:
        UnsupportedOp: an op that has neither kernel nor expansion and is no intrinsic.
    """
    with no_scope():
        return _Expansion(precision, sizes).run(roots)


class _Expansion:
    """The state of one expansion: what each node became."""

    def __init__(self, precision: str, sizes: Mapping[str, int]) -> None:
        self._precision = precision
        self._sizes = sizes
        self._new: dict[Node, Node] = {}
        self._streams: dict[Stream, int] = {}
        self._leaves: dict[Node, Node] = {}

    def run(self, roots: Sequence[Node]) -> Expanded:
        """Expand from the leaves to the roots."""
        order = topological(roots)
        self._streams = number_streams(order)
        for node in order:
            self._new[node] = self._leaf(node) if node.is_leaf else self._lowered(node)
        fresh = relu_masks([self._new[r] for r in roots])
        origin: dict[Node, list[Node]] = {}
        for old, new in self._new.items():
            origin.setdefault(fresh.get(new, new), []).append(old)
        return Expanded(
            tuple(fresh[self._new[r]] for r in roots), self._leaves, {new: tuple(old) for new, old in origin.items()}
        )

    def _leaf(self, node: Node) -> Node:
        dtype = self._precision if node.dtype == "float64" and not node.type.weak else node.dtype
        array = constant_array(node)
        if array is not None:
            return _unnamed(node) if dtype == node.dtype else typed_constant(array, dtype)
        kind = ArrayType(self._fixed(node.shape), dtype)
        new = node if kind == node.type else new_node(node.op, (), node.attrs, kind, node.name, node.scope)
        self._leaves[node] = new
        return new

    def _fixed(self, shape: Sequence[Dim]) -> tuple[Dim, ...]:
        return tuple([self._sizes.get(d, d) if isinstance(d, str) else d for d in shape])

    def _attrs(self, attrs: Attrs) -> Attrs:
        return tuple([(key, self._ready(key, value)) for key, value in attrs]) if attrs else attrs

    def _ready(self, key: str, value: Any) -> Any:
        """An attribute as it will run: lengths that are fixed now, the number of a stream, the run's precision."""
        if isinstance(value, Stream):
            return self._streams[value]
        if key == "precision" and value == "float64":
            return self._precision
        return self._fixed(value) if key in FREE_ATTRIBUTES and isinstance(value, tuple) else value

    def _lowered(self, node: Node) -> Node:
        """The node in the run's precision: what is declared float64 and comes out so is rounded, casts apart."""
        inputs = [self._new[n] for n in node.inputs]
        if node.op.name == "axis_size" and node.attr("axis_name") in self._sizes:
            return as_node(self._sizes[node.attr("axis_name")])
        if node.op.name == "cast":
            return build(node.op, inputs, (("dtype", self._cast_dtype(node.attr("dtype"), inputs[0])),))
        new = instantiate(node.op, inputs, self._attrs(node.attrs))
        rounds = node.dtype == "float64" and not node.type.weak and new.dtype == "float64" != self._precision
        return build("cast", [new], (("dtype", self._precision),)) if rounds else new

    def _cast_dtype(self, dtype: str, operand: Node) -> str:
        exact = dtype == "float64" and operand.dtype in _EXACT_IN_FLOAT32
        return self._precision if exact else dtype


def _unnamed(node: Node) -> Node:
    return make(node.op, (), node.attrs, scope="") if node.full_name else node


def instantiate(op: Op, inputs: Sequence[Node], attrs: Attrs) -> Node:
    """The expansion of an operation on the given nodes.

    Raises:
        UnsupportedOp: it has none.
    """
    if op.kind in ("intrinsic", "structural"):
        return build(op, inputs, attrs)
    slots, order = _template(op, tuple([n.type for n in inputs]), attrs)
    new: dict[Node, Node] = dict(zip(slots, inputs, strict=True))
    for node in order:
        if node not in new:
            new[node] = node if node.is_leaf else instantiate(node.op, [new[n] for n in node.inputs], node.attrs)
    return new[order[-1]]


@functools.lru_cache(maxsize=4096)
def _template(op: Op, types: tuple[ArrayType, ...], attrs: Attrs) -> tuple[tuple[Node, ...], list[Node]]:
    """The expansion over placeholders of these types, in topological order; its last node is the result."""
    slots = tuple(new_node(INPUT, (), (), t, f"x{k}", "") for k, t in enumerate(types))
    result: Any
    if op.kind == "defined":
        compute = op.kernel or op.formula
        result = None if compute is None else compute(GRAPH, *slots)
    else:
        result = None if op.expand is None else op.expand(make(op, slots, attrs, scope=""))
    if result is None:
        raise UnsupportedOp(
            f"the operation {op.name!r} has neither a kernel nor an expansion, so it cannot be compiled. Use "
            'backend="numpy", or give it a formula.'
        )
    return slots, topological([as_node(result)])
