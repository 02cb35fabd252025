"""The reference interpreter: every op by its own NumPy reference, one node after the other.

It shares no lowering with the fast backends, and is what they are tested against.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from graphlearn.backends.steps import lengths_of
from graphlearn.errors import GraphLearnError, NonFiniteError, UnsupportedOp
from graphlearn.graph.binding import At, Binding, at_place, bind, entry
from graphlearn.graph.blame import blame
from graphlearn.graph.names import Names
from graphlearn.graph.node import Node
from graphlearn.graph.op import FREE_ATTRIBUTES
from graphlearn.graph.streams import Stream, number_streams
from graphlearn.graph.traverse import formed_as, leaves, require_nodes, topological
from graphlearn.ops.places import check_places, indexed_length, is_whole_power, require_whole_power
from graphlearn.ops.targets import Demand, check_target, demands
from graphlearn.types import format_shape


def resolve(
    attrs: Iterable[tuple[str, Any]], sizes: Mapping[str, int], streams: Mapping[Stream, int] | None = None
) -> dict[str, Any]:
    """Attributes with the lengths of free axes put in place of their names, and the numbers of random streams."""
    return {key: _resolved(key, value, sizes, streams or {}) for key, value in attrs}


def _resolved(key: str, value: Any, sizes: Mapping[str, int], streams: Mapping[Stream, int]) -> Any:
    if isinstance(value, Stream):
        return streams[value]
    if key not in FREE_ATTRIBUTES:
        return value
    if isinstance(value, tuple):
        return tuple(_length(d, sizes) if isinstance(d, str) else d for d in value)
    return _length(value, sizes) if isinstance(value, str) else value


def _length(axis: str, sizes: Mapping[str, int]) -> int:
    return lengths_of([axis], sizes)[0]


def interpret(
    roots: Sequence[Node], binding: Binding, *, precision: str | None = None, keep: bool = False
) -> dict[Node, np.ndarray]:
    """Compute every node of a graph.

    Args:
        roots: outputs.
        binding: arrays for the leaves and lengths of free axes.
        precision: compute every float64 in this precision instead; None keeps the declared dtypes.
        keep: keep the values of all nodes; else only those of the roots (memory follows the live values).

    Returns:
        node -> array of the node's shape and dtype.
    """
    order = topological(roots)
    uses = {node: 0 for node in order}
    for node in order:
        for source in node.inputs:
            uses[source] += 1
    for root in roots:
        uses[root] += 1
    values: dict[Node, np.ndarray] = {}
    streams = number_streams(order)
    with np.errstate(all="ignore"):
        for node in order:
            values[node] = _compute(node, values, binding, precision, streams)
            if keep:
                continue
            for source in node.inputs:
                uses[source] -= 1
                if not uses[source]:
                    del values[source]
    return values


def _compute(
    node: Node,
    values: Mapping[Node, np.ndarray],
    binding: Binding,
    precision: str | None,
    streams: Mapping[Stream, int],
) -> np.ndarray:
    dtype = precision if precision and node.dtype == "float64" and not _is_explicit(node) else node.dtype
    if node.op.name == "constant":
        frozen = node.attr("value")
        # A weak scalar stays a Python number, so that NumPy's own promotion is the reference.
        return frozen.array.item() if frozen.weak else np.asarray(frozen.array, dtype)
    if node.is_leaf:
        return np.asarray(binding.arrays[node], dtype)
    reference = node.op.reference
    if reference is None:
        raise UnsupportedOp(
            f"the operation {node.op.name!r} has no NumPy reference, so it cannot be evaluated.", nodes=(node,)
        )
    attrs = resolve(node.attrs, binding.sizes, streams)
    if "precision" in attrs:  # of an op that makes real numbers of none
        attrs["precision"] = dtype
    try:
        result = reference(*[values[n] for n in node.inputs], **attrs)
    except GraphLearnError as error:  # values that the operation refuses, such as an index out of range
        raise blame(error, node.full_name or node.op.name, node.inputs) from None
    if node.type.weak:
        return result.item() if isinstance(result, np.generic) else result  # type: ignore[no-any-return]
    return np.asarray(result, dtype)


def _is_explicit(node: Node) -> bool:
    return node.op.name == "cast"


def evaluate(
    outputs: Any,
    at: At | None = None,
    *,
    seed: int = 0,
    step: int = 0,
    check_finite: bool = False,
    sizes: Mapping[str, int] | None = None,
) -> Any:
    """Compute outputs with NumPy: the reference for every backend.

    Args:
        outputs: a node, or a sequence of nodes; an array of nodes, as of `gl.scalarize`, counts as one.
        at: leaf or full name -> array-like, or a model.
        seed: of the random numbers that the graph draws, as of `fit`.
        step: of the training whose random numbers are drawn, from 0 on.
        check_finite: raise at the first node that is not finite. All of the graph is computed, so that the logarithm in
            a branch that ``where`` does not take counts too: `where(x > 0, log(x), 0)` at -1 stops at the logarithm.
        sizes: lengths of free axes that no given array shows.

    Returns:
        An array (a NumPy scalar array for shape ``()``), or a tuple of arrays; for an array of nodes one of its shape.

    Raises:
        MissingValueError, UnknownNameError, ShapeError, DTypeError: ``at`` does not fit the graph.
        DataError: a class number that the prediction has no class for.
        OptionError: no seed or step.
        NonFiniteError: with ``check_finite``, names the first node whose value is not finite, the line of code that
            made it and the ranges of its operands.
    """
    outputs = tuple(outputs) if isinstance(outputs, Iterator) else outputs
    roots = require_nodes(outputs, "evaluate")
    binding = bind(roots, at, sizes=sizes, seed=seed, step=step)
    for demand in demands(roots):
        if demand.classes:  # a probability out of range has a value, if not a sensible one; a class has none
            check_demand(demand, binding, "at")
    values = interpret(roots, binding, keep=check_finite)
    if check_finite:
        require_finite(roots, values)
    # Copies: a view of the caller's own array, such as a transpose, would be changed along with the result.
    return formed_as(outputs, [np.array(values[root], root.dtype) for root in roots])


def check_demand(demand: Demand, binding: Binding, what: str) -> None:
    """Check a target that data alone decide; others are passed over.

    Args:
        demand: what a loss demands of it.
        binding: arrays for the leaves.
        what: the argument's name, for messages.

    Raises:
        DataError: names the entry and the cure.
    """
    target = demand.target
    below = leaves([target], "input", "parameter", "state")
    if all(leaf.op.name == "input" for leaf in below):
        value = np.asarray(interpret([target], binding)[target])
        given = " and ".join(entry(what, leaf) for leaf in below) or "a constant"
        check_target(demand, value, given if target.is_leaf else f"the target that is computed from {given}")


def check_indices(node: Node, binding: Binding, what: str) -> None:
    """Check the indices or exponents of one of the `gathers` of a graph, as far as the length of their axis is known.

    Args:
        node: what takes entries by number, or adds to them, or a power of whole numbers.
        binding: arrays for the leaves of the second operand, and lengths of free axes.
        what: the argument's name, for messages.

    Raises:
        DataError: names the number, where it stands and the cure.
    """
    indices = node.inputs[1]
    if is_whole_power(node):
        given = " and ".join(entry(what, leaf) for leaf in leaves([indices]))
        power = f"pow of whole numbers, with exponents from {given}," if given else "pow of whole numbers"
        require_whole_power(node.dtype, interpret([indices], binding)[indices], power)
        return
    dim = indexed_length(node)
    length = binding.sizes.get(dim) if isinstance(dim, str) else dim
    if length is not None:
        below = leaves([indices], "input")
        given = " and ".join(entry(what, leaf) for leaf in below) or "the constant index"
        computed = "" if indices.is_leaf else "what is computed from "
        check_places(interpret([indices], binding)[indices], length, f"{computed}{given}")


def first_non_finite(roots: Sequence[Node], values: Mapping[Node, np.ndarray]) -> Node | None:
    """The first node in topological order whose value holds NaN or infinity; None if all are finite.

    A comparison with an infinite constant is no failure, so constants are passed over.
    """
    for node in topological(roots):
        if node.op.name != "constant" and node.type.is_float and not np.all(np.isfinite(values[node])):
            return node
    return None


def require_finite(roots: Sequence[Node], values: Mapping[Node, np.ndarray]) -> None:
    """Raise `NonFiniteError` for the first node that is not finite."""
    node = first_non_finite(roots, values)
    if node is None:
        return
    names = Names(roots)
    operands = ", ".join(names.get(n, "constant") for n in node.inputs)
    what = names.get(node, node.op.name) + ("" if node.is_leaf else f" = {node.op.name}({operands})")
    value = np.asarray(values[node])
    place = tuple(int(k) for k in np.argwhere(~np.isfinite(value))[0])
    cure = "Mend the array given for it." if node.is_leaf else f"Keep its operands where {node.op.name} is finite."
    line = f", made at {node.made_at}" if node.line is not None else ""
    ranges = "".join(
        f"\n  {names.get(n, 'constant')}: {_range(np.asarray(values[n]))}" for n in dict.fromkeys(node.inputs)
    )
    raise NonFiniteError(
        f"evaluate with check_finite needs finite values; the first that is not is {what}, with "
        f"{value[place]}{at_place(place)}{line}. {cure}{ranges}",
        nodes=(*node.inputs, node),
    )


def _range(value: np.ndarray) -> str:
    """``from -0.5 to 2, shape (4, 3)``."""
    shape = f", shape {format_shape(value.shape)}" if value.shape else ""
    if not value.size:
        return f"no entries{shape}"
    finite = value[np.isfinite(value)]
    odd = [str(v) for v in (np.nan, np.inf, -np.inf) if np.any(value == v) or (v != v and np.any(np.isnan(value)))]
    if not finite.size:
        return " and ".join(odd) + shape
    low, high = finite.min(), finite.max()
    span = f"from {low:.6g} to {high:.6g}" if value.size > 1 else f"{low:.6g}"
    return span + (f" and {' and '.join(odd)}" if odd else "") + shape
