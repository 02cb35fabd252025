"""`scalarize`: the graph of numbers behind a graph of arrays, one node per entry: the view of single neurons.

Elementwise operations are applied entry by entry, compounds by their expansions. An operation that moves entries is
found out by running its reference on the numbers of the entries, a linear one by running it on unit vectors, so that
neither needs a row here; the table holds the others.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphlearn.calculus.specialize import free_axes, specialize
from graphlearn.errors import GraphLearnError, ShapeError, UnsupportedOp
from graphlearn.graph.kin import entry_of
from graphlearn.graph.leaves import INPUT, constant_array, typed_constant
from graphlearn.graph.lines import Line
from graphlearn.graph.node import Node, as_node, make, new_node
from graphlearn.graph.op import Attrs, Op, find_op
from graphlearn.graph.traverse import require_nodes, symbols, topological, topological_above
from graphlearn.ops.entries import cross_entropy_of, extreme_of, log_softmax_entry, logsumexp_of, softmax_entry

Entries = NDArray[np.object_]  # of nodes of shape (), in the shape of the array that they are the entries of


def scalarize(outputs: Node | Sequence[Node], **sizes: int) -> Any:
    """The graph of numbers behind a graph of arrays: one node per entry, as for single neurons.

    Args:
        outputs: a node, or several that are to share their entries. Every operation on arrays is written out, so the
            graph grows with their sizes: a product of (m, k) and (k, n) becomes m n (2 k - 1) nodes.
        **sizes: name of a free axis -> its length; every free axis needs one.

    Returns:
        For a node of shape ``()`` a node, for another an array of dtype object of its shape, whose entries are nodes of
        shape ``()``; a tuple of these for several. The entries of ``h1`` are named ``h1[0,2]``, and so are leaves:
        ``w[1,2]`` is a parameter of shape ``()``. Values may be given for the arrays as before (``at={"w": array}``),
        or for entries. The values are those of the graph up to the order of sums.

    Raises:
        ShapeError: a free axis without a length.
        UnknownNameError: an axis that the graph does not have.
        UnsupportedOp: an operation that is neither elementwise nor linear, and has no row here.

    Example:
        >>> import graphlearn as gl
        >>> x, w = gl.input("x", 2), gl.parameter("w", (2, 3))
        >>> gl.scalarize(gl.tanh(x @ w).named("h"))[0]
        <tanh h[0] float64[]>
    """
    roots = require_nodes(outputs, "scalarize")
    symbols(*roots)
    nodes = specialize(roots, **sizes)
    free = free_axes(topological(nodes))
    if free:
        lengths = ", ".join(f"{name}=4" for name in free)
        raise ShapeError(
            f"scalarize needs the length of every free axis; got none for {', '.join(map(repr, free))}. Write "
            f"gl.scalarize(node, {lengths}), for instance.",
            nodes=nodes,
        )
    made: dict[Node, Entries] = {}
    for node in topological(nodes):
        made[node] = _entries(node, [made[n] for n in node.inputs])
    found = tuple(made[n].item() if n.shape == () else made[n].copy() for n in nodes)
    return found[0] if isinstance(outputs, Node) else found


def _array(items: Sequence[Node], shape: Sequence[Any]) -> Entries:
    array = np.empty(len(items), object)
    for k, item in enumerate(items):
        array[k] = item
    return array.reshape(tuple(shape))


def _lengths(node: Node) -> tuple[int, ...]:
    return tuple(int(d) for d in node.shape)  # every axis has a length by now


def _entries(node: Node, operands: Sequence[Entries]) -> Entries:
    """The entries of a node, each of its dtype and under its name."""
    if node.is_leaf:
        return _leaf_entries(node)
    raw = _written_out(node, operands, _Place(node.scope, node.line))
    fitted = [_named(_fitted(entry, node), node, place) for place, entry in _listed(raw)]
    return _array(fitted, raw.shape)


def _listed(entries: Entries) -> list[tuple[tuple[int, ...], Node]]:
    return list(zip(np.ndindex(entries.shape), entries.ravel().tolist(), strict=True))


def _leaf_entries(node: Node) -> Entries:
    value = constant_array(node)
    places = list(np.ndindex(*_lengths(node)))
    if value is None:
        return _array([entry_of(node, place) for place in places], node.shape)
    if node.shape == ():
        return _array([node], ())
    return _array([_named(typed_constant(value[p], node.dtype), node, p) for p in places], node.shape)


def _fitted(entry: Node, node: Node) -> Node:
    """An entry in the dtype of its array: a weak number takes that of the array that it is repeated in."""
    if entry.dtype == node.dtype and entry.type.weak == node.type.weak:
        return entry
    value = constant_array(entry)
    if value is not None:
        return typed_constant(value, node.dtype)
    return make(find_op("cast"), (entry,), (("dtype", node.dtype),), scope=node.scope, line=node.line)


def _named(entry: Node, node: Node, place: tuple[int, ...]) -> Node:
    """The entry under the name of its array; one that has a name already, such as a leaf of a reshape, keeps it."""
    if not node.name or entry.name or (entry.is_leaf and not node.is_leaf):
        return entry
    name = f"{node.name}[{','.join(map(str, place))}]" if place else node.name
    return make(entry.op, entry.inputs, entry.attrs, name=name, scope=node.scope, line=node.line)


@dataclass(frozen=True)
class _Place:
    """Where the nodes of one operation belong, and the few operations that they are made of."""

    scope: str
    line: Line | None

    def apply(self, op: Op | str, *operands: Node, attrs: Attrs = ()) -> Node:
        """The node of an operation on numbers."""
        record = find_op(op) if isinstance(op, str) else op
        return make(record, operands, attrs, scope=self.scope, line=self.line)

    def chain(self, op: str, terms: Sequence[Node]) -> Node:
        """``a + b + c``, from left to right."""
        return functools.reduce(lambda x, y: self.apply(op, x, y), terms)


def _written_out(node: Node, operands: Sequence[Entries], at: _Place) -> Entries:
    if node.op.is_elementwise:
        wide = [np.broadcast_to(a, _lengths(node)).ravel() for a in operands]
        return _array([at.apply(node.op, *row, attrs=node.attrs) for row in zip(*wide, strict=True)], node.shape)
    rule = _ROWS.get(node.op.name)
    if rule is not None:
        return rule(node, operands, at)
    if node.op.expand is not None:
        return _expanded(node, operands)
    found = _moved(node, operands)
    found = _linear(node, operands, at) if found is None else found
    if found is None:
        raise _no_way(node)
    return found


def _no_way(node: Node) -> UnsupportedOp:
    places = [n for n in node.inputs if not n.type.is_float and constant_array(n) is None]
    why, cure = "it neither moves nor adds entries", "Compute it before, and give its result as an input"
    if places and any(n.type.is_float for n in node.inputs):
        why = f"{places[0]!r} decides at run time which entries it takes"
        cure = "Put a constant in its place, gl.constant(array)"
    return UnsupportedOp(
        f"scalarize has no way to write out {node!r}: {why}. {cure}.", nodes=(*places, node) if places else (node,)
    )


def _expanded(node: Node, operands: Sequence[Entries]) -> Entries:
    """A compound by the graph that stands behind it, whose nodes belong where the compound does."""
    made = dict(zip(node.inputs, operands, strict=True))
    graph = as_node(node.op.expand(node)) if node.op.expand is not None else node
    for inner in topological_above([graph], set(made)):
        if inner not in made:
            if inner.inputs:
                inner_at = _Place(node.scope, node.line)
                raw = _written_out(inner, [made[n] for n in inner.inputs], inner_at)
                made[inner] = _array([_fitted(e, inner) for e in raw.ravel().tolist()], raw.shape)
            else:
                made[inner] = _leaf_entries(inner)
    return made[graph]


# --- what moves, and what is linear: found out by running the reference -----------------------------------------------


def _places_known(node: Node) -> list[np.ndarray | None]:
    """For each operand its array where that is a constant of whole numbers, which may say where entries go."""
    arrays = [constant_array(n) for n in node.inputs]
    return [None if a is None or n.type.is_float else a for a, n in zip(arrays, node.inputs, strict=True)]


def _run(node: Node, arrays: Sequence[Any]) -> np.ndarray | None:
    """The reference on other arrays; None where it does not take them."""
    if node.op.reference is None:
        return None
    try:
        with np.errstate(all="ignore"):
            result = np.asarray(node.op.reference(*arrays, **dict(node.attrs)))
    except (GraphLearnError, ArithmeticError, LookupError, TypeError, ValueError):
        return None
    return result if result.shape == node.shape else None


def _moved(node: Node, operands: Sequence[Entries]) -> Entries | None:
    """The entries of an operation that only moves them; None for any other.

    The reference runs on the entries' numbers from 1 on, where 0 is a zero of its own, and once more on other numbers:
    what is moved is the same in both.
    """
    known = _places_known(node)
    for given in dict.fromkeys([(None,) * len(known), tuple(None if a is None else k for k, a in enumerate(known))]):
        labels, count = list[Any](), 1
        for k, entries in enumerate(operands):
            if given[k] is not None:
                labels.append(known[k])
                continue
            labels.append(np.arange(count, count + entries.size, dtype=np.int64).reshape(entries.shape))
            count += entries.size
        # Numbers in no order, far apart, so that sums and places are found out.
        other = np.concatenate([[0], np.random.Generator(np.random.Philox(count)).permutation(count - 1) * 7919 + 7919])
        first = _run(node, labels)
        second = _run(node, [a if given[k] is not None else other[a] for k, a in enumerate(labels)])
        if first is None or second is None or first.dtype.kind != "i" or not np.all((first >= 0) & (first < count)):
            continue
        if np.array_equal(other[first], second):
            zero = typed_constant(0, node.dtype)
            pool = [zero, *(e for k, a in enumerate(operands) if given[k] is None for e in a.ravel().tolist())]
            return _array([pool[k] for k in first.ravel().tolist()], node.shape)
    return None


def _linear(node: Node, operands: Sequence[Entries], at: _Place) -> Entries | None:
    """The entries of a linear operation, each as a sum of entries with numbers before them; None for any other."""
    known = _places_known(node)
    free = [k for k, a in enumerate(known) if a is None]
    if not node.type.is_float or not free or not all(node.inputs[k].type.is_float for k in free):
        return None
    if not _is_linear(node, free):
        return None
    sums: list[list[Node]] = [[] for _ in np.ndindex(*_lengths(node))]
    for k in free:
        for j, entry in enumerate(operands[k].ravel().tolist()):
            unit = np.zeros(operands[k].shape)
            unit.flat[j] = 1
            column = _run(node, [_probe(known[i], operands[i], unit if i == k else None) for i in range(len(known))])
            if column is None:
                return None
            for place in np.flatnonzero(column):
                sums[place].append(_times(float(column.flat[place]), entry, node, at))
    zero = typed_constant(0, node.dtype)
    return _array([at.chain("add", terms) if terms else zero for terms in sums], node.shape)


def _probe(known: np.ndarray | None, entries: Entries, unit: np.ndarray | None) -> np.ndarray:
    return unit if unit is not None else np.zeros(entries.shape) if known is None else known


def _times(number: float, entry: Node, node: Node, at: _Place) -> Node:
    if number == 1:
        return entry
    return at.apply("neg", entry) if number == -1 else at.apply("mul", typed_constant(number, node.dtype), entry)


def _is_linear(node: Node, free: Sequence[int]) -> bool:
    """Whether no adjoint depends on the operands: the derivative is then the same everywhere."""
    if node.op.adjoint is None:
        return False
    upstream = new_node(INPUT, (), (), node.type, "upstream", "")
    adjoints = node.op.adjoint(node, upstream)
    if any(adjoints[k] is None for k in free):
        return False
    below = set(topological([a for a in adjoints if a is not None]))
    return below.isdisjoint([*(node.inputs[k] for k in free), node])


# --- the table: what is neither ---------------------------------------------------------------------------------------

_Row = Callable[[Node, Sequence[Entries], _Place], Entries]


def _lines(node: Node, entries: Entries) -> list[list[Node]]:
    """The entries along the reduced axes, one list for each entry of the result."""
    axis = node.attr("axis")
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    last = np.moveaxis(entries, axes, range(entries.ndim - len(axes), entries.ndim)) if axes else entries
    kept = last.shape[: entries.ndim - len(axes)]
    rows: list[list[Node]] = last.reshape((int(np.prod(kept)), -1) if last.size else (int(np.prod(kept)), 0)).tolist()
    return rows


def _sum(node: Node, operands: Sequence[Entries], at: _Place) -> Entries:
    zero = typed_constant(0, node.dtype)
    rows = _lines(node, operands[0])
    return _array([at.chain("add", [_fitted(e, node) for e in row]) if row else zero for row in rows], node.shape)


def _extreme(name: str) -> _Row:
    def row(node: Node, operands: Sequence[Entries], at: _Place) -> Entries:
        lines = _lines(node, operands[0])
        return _array([_extreme_of(name, line, at) for line in lines], node.shape)

    return row


def _extreme_of(name: str, line: Sequence[Node], at: _Place) -> Node:
    if len(line) < 3:
        return at.chain(name, line)
    return at.apply(extreme_of(name, len(line)), *line)


def _logic(name: str) -> _Row:
    def row(node: Node, operands: Sequence[Entries], at: _Place) -> Entries:
        nothing = typed_constant(name == "logical_and", "bool")
        lines = _lines(node, operands[0])
        zeros = [typed_constant(0, e.dtype) for e in operands[0].ravel().tolist()[:1]]
        truths = [[e if e.dtype == "bool" else at.apply("not_equal", e, zeros[0]) for e in line] for line in lines]
        return _array([at.chain(name, line) if line else nothing for line in truths], node.shape)

    return row


def _matmul(node: Node, operands: Sequence[Entries], at: _Place) -> Entries:
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
    return _array(found, node.shape)


def _cast(node: Node, operands: Sequence[Entries], at: _Place) -> Entries:
    (entries,) = operands
    casts = [
        e if e.dtype == node.dtype and not e.type.weak else at.apply("cast", e, attrs=node.attrs)
        for e in entries.ravel().tolist()
    ]
    return _array(casts, node.shape)


def _real(entries: Entries, node: Node) -> list[Node]:
    return [_fitted(e, node) if not e.type.is_float else e for e in entries.tolist()]


def _softmax(maker: Callable[[int, int], Op]) -> _Row:
    def row(node: Node, operands: Sequence[Entries], at: _Place) -> Entries:
        axis = node.attr("axis")
        result = np.empty(operands[0].shape, object)
        across = np.moveaxis(result, axis, -1)  # a view: what is written there stands in the result
        for place in np.ndindex(across.shape[:-1]):
            line = _real(np.moveaxis(operands[0], axis, -1)[place], node)
            for k in range(len(line)):
                across[(*place, k)] = at.apply(maker(len(line), k), *line)
        return result

    return row


def _logsumexp(node: Node, operands: Sequence[Entries], at: _Place) -> Entries:
    across = np.moveaxis(operands[0], node.attr("axis"), -1)
    rows = [_real(across[place], node) for place in np.ndindex(across.shape[:-1])]
    return _array([at.apply(logsumexp_of(len(row)), *row) for row in rows], node.shape)


def _cross_entropy(node: Node, operands: Sequence[Entries], at: _Place) -> Entries:
    axis = node.attr("axis")
    z = np.moveaxis(operands[0], axis, -1)
    t = np.broadcast_to(np.moveaxis(operands[1], axis, -1), z.shape)
    op = cross_entropy_of(z.shape[-1], node.attr("normalized"))
    rows = [at.apply(op, *_real(z[p], node), *_real(t[p], node)) for p in np.ndindex(z.shape[:-1])]
    return _array(rows, node.shape)


_ROWS: dict[str, _Row] = {
    "sum": _sum,
    "max": _extreme("maximum"),
    "min": _extreme("minimum"),
    "any": _logic("logical_or"),
    "all": _logic("logical_and"),
    "matmul": _matmul,
    "cast": _cast,
    "softmax": _softmax(softmax_entry),
    "log_softmax": _softmax(log_softmax_entry),
    "logsumexp": _logsumexp,
    "cross_entropy": _cross_entropy,
}
