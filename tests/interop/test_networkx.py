"""networkx: vertices bear the names that everything else uses; edges know the argument."""

import json

import networkx
import pytest

from graphlearn.errors import NameClashError
from graphlearn.graph.leaves import constant, input, parameter
from graphlearn.graph.scope import scope
from graphlearn.interop.networkx_graph import to_networkx
from graphlearn.ops.algebra import GRAPH
from graphlearn.ops.linear import matmul

x = input("x", ("N", 2))
w = parameter("w", (2, 3))
h = GRAPH.tanh(matmul(x, w) * 0.5).named("h")


def test_vertices_and_their_attributes():
    graph = to_networkx(h)
    assert isinstance(graph, networkx.DiGraph)
    assert list(graph) == ["x", "w", "t1", "c1", "t2", "h"]
    assert graph.nodes["x"] == {"name": "x", "op": "input", "shape": ("N", 2), "dtype": "float64"}
    assert graph.nodes["c1"] == {"name": "c1", "op": "constant", "shape": (), "dtype": "float64", "value": 0.5}
    assert graph.nodes["h"]["op"] == "tanh"
    assert list(networkx.topological_sort(graph))[-1] == "h"
    assert networkx.is_directed_acyclic_graph(graph)


def test_edges_know_the_argument_and_two_uses_are_two_edges():
    graph = to_networkx(h)
    assert sorted((a, b, d["argument"]) for a, b, d in graph.edges(data=True)) == [
        ("c1", "t2", 1), ("t1", "t2", 0), ("t2", "h", 0), ("w", "t1", 1), ("x", "t1", 0),
    ]  # fmt: skip
    twice = to_networkx((x * x).named("square"))
    assert [d["argument"] for _, _, d in twice.edges(data=True)] == [0, 1]


def test_names_are_unique_and_scopes_are_kept():
    c1 = input("c1")
    with scope("layer"):
        inner = parameter("w", ())
    graph = to_networkx(c1 * 2.0 + inner * constant([1.0, 2.0]))
    assert {"c1", "c2", "c3", "layer/w"} <= set(graph)
    assert "value" not in graph.nodes["c3"]
    with pytest.raises(NameClashError):
        to_networkx(input("x") + input("x"))


def test_the_graph_can_be_written_by_networkx():
    data = networkx.node_link_data(to_networkx(h), edges="links")
    assert json.loads(json.dumps(data))["nodes"][0]["id"] == "x"
    assert "".join(networkx.generate_gml(to_networkx(GRAPH.sin(input("s"))), stringizer=str)).startswith("graph")
