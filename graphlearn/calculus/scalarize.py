"""`scalarize`: the graph of numbers behind a graph of arrays, one node per entry: the view of single neurons.

Elementwise operations are applied entry by entry, compounds by their expansions. An operation that moves entries is
found out by running its reference on the numbers of the entries, a linear one by running it on unit vectors, so that
neither needs a row; the table (`entry_rows`) holds the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphlearn.calculus.entries import Entries, Place, array_of, fitted, lengths_of
from graphlearn.calculus.entry_choices import chosen
from graphlearn.calculus.entry_rows import ROWS
from graphlearn.calculus.probing import linear, moved
from graphlearn.calculus.specialize import free_axes, specialize_all
from graphlearn.errors import ShapeError, UnsupportedOp
from graphlearn.graph.kin import entry_of
from graphlearn.graph.leaves import constant_array, typed_constant
from graphlearn.graph.node import Node, as_node, make
from graphlearn.graph.streams import RUN, share_streams
from graphlearn.graph.traverse import require_nodes, symbols, topological, topological_above


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
        or for entries. The values are those of the graph up to the order of sums; an index that is computed and out of
        range takes NaN (0 of whole numbers) and adds nothing, as in compiled code.

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
    nodes = specialize_all(roots, sizes, "scalarize")
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
    for root in nodes:
        share_streams([made[root].item()] if root.shape == () else made[root].ravel().tolist(), made)
    found = tuple(made[n].item() if n.shape == () else made[n].copy() for n in nodes)
    return found[0] if isinstance(outputs, Node) else found


def _entries(node: Node, operands: Sequence[Entries]) -> Entries:
    """The entries of a node, each of its dtype and under its name."""
    if node.is_leaf:
        return _leaf_entries(node)
    raw = _written_out(node, operands, Place(node.scope, node.line))
    return array_of([_named(fitted(entry, node), node, place) for place, entry in _listed(raw)], raw.shape)


def _listed(entries: Entries) -> list[tuple[tuple[int, ...], Node]]:
    return list(zip(np.ndindex(entries.shape), entries.ravel().tolist(), strict=True))


def _leaf_entries(node: Node) -> Entries:
    if node.op is RUN:
        return array_of([node], ())
    value = constant_array(node)
    places = list(np.ndindex(*lengths_of(node)))
    if value is None:
        return array_of([entry_of(node, place) for place in places], node.shape)
    if node.shape == ():
        return array_of([node], ())
    return array_of([_named(typed_constant(value[p], node.dtype), node, p) for p in places], node.shape)


def _named(entry: Node, node: Node, place: tuple[int, ...]) -> Node:
    """The entry under the name of its array; one that has a name already, such as a leaf of a reshape, keeps it."""
    if not node.name or entry.name or (entry.is_leaf and not node.is_leaf):
        return entry
    name = f"{node.name}[{','.join(map(str, place))}]" if place else node.name
    return make(entry.op, entry.inputs, entry.attrs, name=name, scope=node.scope, line=node.line)


def _written_out(node: Node, operands: Sequence[Entries], at: Place) -> Entries:
    if node.op.is_elementwise:
        wide = [np.broadcast_to(a, lengths_of(node)).ravel() for a in operands]
        return array_of([at.apply(node.op, *row, attrs=node.attrs) for row in zip(*wide, strict=True)], node.shape)
    rule = ROWS.get(node.op.name)
    if rule is not None:
        return rule(node, operands, at)
    if node.op.expand is not None:
        return _expanded(node, operands)
    if node.shape == () and all(a.shape == () for a in operands):
        return array_of([at.apply(node.op, *(a.item() for a in operands), attrs=node.attrs)], ())
    found = moved(node, operands)
    found = linear(node, operands, at) if found is None else found
    found = chosen(node, operands, at) if found is None else found
    if found is None:
        raise UnsupportedOp(
            f"scalarize has no way to write out {node!r}: it neither moves nor adds entries. Compute it before, and "
            "give its result as an input.",
            nodes=(node,),
        )
    return found


def _expanded(node: Node, operands: Sequence[Entries]) -> Entries:
    """A compound by the graph that stands behind it, whose nodes belong where the compound does."""
    made = dict(zip(node.inputs, operands, strict=True))
    graph = as_node(node.op.expand(node)) if node.op.expand is not None else node
    for inner in topological_above([graph], set(made)):
        if inner not in made:
            if inner.inputs:
                inner_at = Place(node.scope, node.line)
                raw = _written_out(inner, [made[n] for n in inner.inputs], inner_at)
                made[inner] = array_of([fitted(e, inner) for e in raw.ravel().tolist()], raw.shape)
            else:
                made[inner] = _leaf_entries(inner)
    return made[graph]
