"""What a formula computes: in a form that loses no digits, of operands that are real and operands that are truths."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphlearn.errors import GraphLearnError
from graphlearn.graph.leaves import INPUT
from graphlearn.graph.node import Node, as_node, new_node
from graphlearn.graph.op import BUILT_IN
from graphlearn.graph.scope import no_scope
from graphlearn.graph.traverse import topological
from graphlearn.ops.algebra import GRAPH, NUMPY
from graphlearn.ops.entrywise import type_of
from graphlearn.types import ArrayType, promote

# What brings a formula's graph into a form that loses no digits; filled by `graphlearn.calculus.simplify`.
STABILISERS: list[Callable[[Node], Node]] = []
_REAL, _TRUTH = ArrayType(()), ArrayType((), "bool")


def placeholders(types: tuple[ArrayType, ...]) -> tuple[Node, ...]:
    """Inputs ``x0, x1, ...`` of these types, for a formula's operands."""
    return tuple(new_node(INPUT, (), (), kind, f"x{k}", "") for k, kind in enumerate(types))


@functools.lru_cache(maxsize=1024)
def kinds_of_operands(formula: Callable[..., Any], arity: int) -> tuple[ArrayType, ...]:
    """The kind of number that a formula takes for each operand: real, or a truth where it asks for no less.

    A formula asks for a truth where it combines an operand with truths, as in ``c & (x > 0)``.

    Args:
        formula: over an algebra and the operands.
        arity: number of operands.

    Returns:
        A scalar type for each operand, float64 or bool.
    """
    kinds = [_REAL] * arity
    if _takes(formula, kinds) or not _takes(formula, [_TRUTH] * arity):
        return tuple(kinds)
    kinds = [_TRUTH] * arity
    for k in range(arity):
        kinds[k] = _REAL
        if not _takes(formula, kinds):
            kinds[k] = _TRUTH
    return tuple(kinds)


def _takes(formula: Callable[..., Any], kinds: list[ArrayType]) -> bool:
    """Whether a formula can be written of operands of these kinds."""
    try:
        with no_scope():
            formula(GRAPH, *placeholders(tuple(kinds)))
    except GraphLearnError:
        return False
    return True


class Stable:
    """A formula in the form that loses no digits, which is found when it is computed first.

    Over NumPy's arrays its operators are those of graphs too: NumPy has no difference of truths, as in
    ``(x > 0) - (x < 0)``. Operations of graphlearn's own say themselves what they compute.

    Args:
        name: of the operation.
        formula: as it is written.
        as_written: the formula is the kernel of an operation, of which no better form is sought.
    """

    def __init__(self, name: str, formula: Callable[..., Any], as_written: bool = False) -> None:
        self._formula = formula
        self._rules = [] if as_written else STABILISERS
        self._built_in = not BUILT_IN or name in BUILT_IN  # while graphlearn is being imported, or defined anew by it
        self._found: dict[int, tuple[tuple[Node, ...], list[Node], bool]] = {}

    def __call__(self, m: Any, *operands: Any) -> Any:
        """What the formula gives over an algebra."""
        if self._built_in:
            return self._formula(m, *operands)
        if len(operands) not in self._found:
            self._found[len(operands)] = stable_graph(self._formula, len(operands), self._rules)
        slots, order, better = self._found[len(operands)]
        if not order or not (better or m is NUMPY):
            return self._formula(m, *operands)
        values = dict(zip(slots, operands, strict=True))
        for node in order:
            if node.op.name == "constant":
                array = node.attr("value").array
                values[node] = array.item() if node.type.weak else array
            elif node not in values:
                values[node] = getattr(m, node.op.name)(*[values[n] for n in node.inputs])
        return values[order[-1]]


def stable_graph(
    formula: Callable[..., Any], arity: int, rules: Sequence[Callable[[Node], Node]] = STABILISERS
) -> tuple[tuple[Node, ...], list[Node], bool]:
    """The graph of a formula that loses no digits, over placeholders, in topological order.

    Returns:
        The placeholders; the nodes, none where some are no elementwise operations; whether the rules changed anything.
    """
    slots = placeholders(kinds_of_operands(formula, arity))
    with no_scope():
        written = as_node(formula(GRAPH, *slots))
        result = written
        for stabilise in rules:
            result = stabilise(result)
    for found in (result, written):
        order = topological([found])
        if all(n.is_leaf or n.op.is_elementwise for n in order):
            return slots, order, found is not written
    return slots, [], False


@functools.lru_cache(maxsize=4096)
def infer_by_formula(compute: Callable[..., Any], types: tuple[ArrayType, ...]) -> ArrayType:
    """The type that the formula has on operands of these types."""
    slots = placeholders(types)
    with no_scope():
        result = as_node(compute(GRAPH, *slots))
    return result.type


def compute_real(asking: Callable[..., Any], compute: Callable[..., Any], m: Any, *operands: Any) -> Any:
    """A real function takes whole numbers as reals: -x of uint8 would wrap around, and exp(-x) with it.

    Args:
        asking: the formula as it is written, which says what stays a truth.
        compute: what is computed, which is equal.
        m: the algebra, of graphs or of NumPy.
        operands: nodes, or arrays and Python numbers.
    """
    types = [t for t in map(type_of, operands) if t is not None]
    real = [t for t in types if t.is_float]
    if len(real) == len(types) or not infer_by_formula(compute, tuple(types)).is_float:
        return compute(m, *operands)
    dtype, weak = promote(real) if real else ("float64", True)
    one = 1.0 if weak else np.ones((), dtype)
    kinds = kinds_of_operands(asking, len(operands))
    stays = [t.is_float or t.dtype == kind.dtype for t, kind in zip(types, kinds, strict=True)]
    return compute(m, *[x if stay else m.mul(x, one) for x, stay in zip(operands, stays, strict=True)])
