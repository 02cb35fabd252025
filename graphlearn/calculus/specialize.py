"""`specialize`: the same graph with lengths in place of its free axes."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

from graphlearn.errors import ShapeError, UnknownNameError
from graphlearn.graph.kin import with_lengths
from graphlearn.graph.node import Node, as_node, make
from graphlearn.graph.op import FREE_ATTRIBUTES, Attrs
from graphlearn.graph.streams import carry_streams
from graphlearn.graph.traverse import require_nodes, symbols, topological
from graphlearn.types import Shape

_Sizes = Mapping[str, int]


def specialize(outputs: Node | Sequence[Node], **sizes: int) -> Any:
    """The same graph with lengths in place of free axes; what needs a length, such as a part of an axis, can follow.

    Args:
        outputs: a node, or several that are to share their leaves.
        **sizes: name of a free axis -> its length; axes that are left out stay free.

    Returns:
        A node, or a tuple of nodes for several. Names and scopes are kept; an input gets a fixed shape, and takes the
        values that are given for the one that it was made from.

    Raises:
        UnknownNameError: an axis that the graph does not have.
        ShapeError: a length that is no whole number from 0 on, or that does not fit.

    Example:
        >>> import graphlearn as gl
        >>> x = gl.input("x", ("batch", 2))
        >>> gl.specialize(gl.sum(x, axis=1), batch=4)[1:3]
        <slice float64[2]>
    """
    new = specialize_all(require_nodes(outputs, "specialize"), sizes, "specialize")
    return new[0] if isinstance(outputs, Node) else new


def specialize_all(roots: Sequence[Node], sizes: Mapping[str, object], what: str) -> tuple[Node, ...]:
    """`specialize` for several nodes.

    Args:
        roots: nodes.
        sizes: name of a free axis -> its length, as the caller wrote it.
        what: who asks, for messages.
    """
    symbols(*roots)
    order = topological(roots)
    lengths = check_lengths(sizes, order, what)
    new: dict[Node, Node] = {}
    for node in order:
        new[node] = _with_lengths(node, tuple([new[n] for n in node.inputs]), lengths)
    carry_streams(new, roots)
    return tuple(new[root] for root in roots)


def free_axes(order: Sequence[Node]) -> tuple[str, ...]:
    """Names of the free axes that these nodes have or ask for the length of, in order of appearance."""
    found: dict[str, None] = {}
    for node in order:
        found.update(dict.fromkeys(node.type.axis_names))
        for key, value in node.attrs:
            if key in FREE_ATTRIBUTES:
                parts = value if isinstance(value, tuple) else (value,)
                found.update(dict.fromkeys(part for part in parts if isinstance(part, str)))
    return tuple(found)


def check_lengths(sizes: Mapping[str, object], order: Sequence[Node], what: str) -> _Sizes:
    """Lengths of free axes as the caller wrote them, checked.

    Args:
        sizes: name -> length.
        order: nodes of the graph.
        what: who asks, for messages.

    Raises:
        UnknownNameError: an axis that the graph does not have.
        ShapeError: a length that is no whole number from 0 on.
    """
    axes = free_axes(order)
    lengths = {}
    for name, length in sizes.items():
        if name not in axes:
            raise UnknownNameError(
                f"{what} names the axis {name!r}, which the graph does not have. Its free axes are: "
                f"{', '.join(axes) or '(none)'}."
            )
        try:
            lengths[name] = -1 if isinstance(length, bool) else operator.index(length)  # type: ignore[arg-type]
        except TypeError:
            lengths[name] = -1
        if lengths[name] < 0:
            raise ShapeError(
                f"{what} needs a whole number from 0 on as the length of {name!r}; got {length!r}. Write "
                f"{name}=4, for instance."
            )
    return lengths


def _with_lengths(node: Node, inputs: tuple[Node, ...], lengths: _Sizes) -> Node:
    if node.is_leaf:
        return node if node.op.name == "constant" else with_lengths(node, _fixed(node.shape, lengths))
    if node.op.name == "axis_size" and node.attr("axis_name") in lengths:
        length = as_node(lengths[node.attr("axis_name")])
        return make(length.op, (), length.attrs, name=node.name, scope=node.scope) if node.name else length
    attrs = _attrs(node.attrs, lengths)
    if inputs == node.inputs and attrs == node.attrs:
        return node
    return make(node.op, inputs, attrs, name=node.name, scope=node.scope, line=node.line)


def _attrs(attrs: Attrs, lengths: _Sizes) -> Attrs:
    return tuple((k, _fixed(v, lengths) if k in FREE_ATTRIBUTES and isinstance(v, tuple) else v) for k, v in attrs)


def _fixed(shape: Shape, lengths: _Sizes) -> Shape:
    return tuple([lengths.get(d, d) if isinstance(d, str) else d for d in shape])
