"""A graph as a networkx graph, for its algorithms, layouts and file formats."""

from __future__ import annotations

from itertools import count
from typing import Any

import networkx

from graphlearn.graph.names import Names
from graphlearn.graph.node import Node
from graphlearn.graph.traverse import require_node, topological


def to_networkx(node: Node) -> Any:
    """The graph above a node as a `networkx.MultiDiGraph`.

    Args:
        node: output of any shape.

    Returns:
        A directed graph in topological order whose vertices are names: full names of leaves and named nodes, ``t1``,
        ``t2``, ... for the others, ``c1``, ``c2``, ... for constants. Each vertex has the attributes ``name``, ``op``,
        ``shape`` (tuple) and ``dtype``, and a scalar constant also ``value``. An edge goes from an operand to what uses
        it and has the attribute ``argument``, its place there. It is a *multi*graph (which is a `networkx.DiGraph`
        too), since ``x * x`` uses x twice.

    Raises:
        NameClashError: two different nodes bear the same name.
        GraphUseError: something else than a node.

    Example:
        >>> import graphlearn as gl, networkx as nx
        >>> graph = gl.to_networkx(gl.parse("tanh(w*x + b)").named("h"))
        >>> sorted(nx.ancestors(graph, "h"))
        ['b', 't1', 't2', 'w', 'x']
    """
    root = require_node(node, "to_networkx")
    order = topological([root])
    names = Names([root])
    taken = {names[n] for n in names}
    numbers = (f"c{k}" for k in count(1) if f"c{k}" not in taken)
    graph = networkx.MultiDiGraph()
    vertex: dict[Node, str] = {}
    for inner in order:
        name = names[inner] if inner in names else next(numbers)
        vertex[inner] = name
        graph.add_node(name, name=name, op=inner.op.name, shape=inner.shape, dtype=inner.dtype)
        if inner.op.name == "constant" and inner.shape == ():
            graph.nodes[name]["value"] = inner.attr("value").array.item()
        for argument, source in enumerate(inner.inputs):
            graph.add_edge(vertex[source], name, argument=argument)
    return graph
