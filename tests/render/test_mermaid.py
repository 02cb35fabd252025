"""Mermaid source: no name of the user's can leave its label, and each scope is opened once."""

from __future__ import annotations

import re

from graphlearn.render.dot import DotEdge, DotGraph, DotNode
from graphlearn.render.mermaid import to_mermaid
from tests.render.network import network

HOSTILE = 'a"|b]--> c\n#quot; <b> `end` {x}; %% //'
LINE = re.compile(
    r"""flowchart\ LR | \s*end | \s*subgraph\ s\d+\["[^"|\n<>`\[\]]*"\]
    | \s*n\d+[(\[/{]+"(?:[^"|\n<>`\[\]{}]|<br/>)*"[)\]/}]+:::\w+ | \s*n\d+\ -\.->\ n\d+
    | \s*n\d+\ (?:-->|==>)(?:\|"[^"|\n]*"\|)?\ n\d+ | \s*classDef\ \w+\ [\w:#,\ -]+
    | \s*linkStyle\ [\d,]+\ stroke:\#\w+""",
    re.VERBOSE,
)


def test_hostile_names_stay_inside_their_labels() -> None:
    nodes = [DotNode(HOSTILE, "input", value=HOSTILE, scope=(HOSTILE,)), DotNode("b", "loss", HOSTILE, HOSTILE)]
    edges = [DotEdge(HOSTILE, "b", HOSTILE), DotEdge(HOSTILE, "b", backward=True), DotEdge("b", HOSTILE, update=True)]
    for line in to_mermaid(DotGraph(nodes, edges)).splitlines():
        assert LINE.fullmatch(line), line


def test_scopes_that_alternate_are_opened_once_and_closed() -> None:
    nodes = [
        DotNode("a/x", "input", scope=("a",)),
        DotNode("y", "input"),
        DotNode("a/b/z", "operation", scope=("a", "b")),
        DotNode("c/u", "operation", scope=("c",)),
        DotNode("a/v", "operation", scope=("a",)),
    ]
    lines = to_mermaid(DotGraph(nodes)).splitlines()
    assert sum("subgraph" in line for line in lines) == 3
    assert [line.strip() for line in lines].count("end") == 3
    depth = 0
    inside = {}
    for line in lines:
        depth += ("subgraph" in line) - (line.strip() == "end")
        if match := re.match(r"\s*n(\d)[\[(/]", line):
            inside[int(match[1])] = depth
    assert inside == {0: 1, 1: 0, 2: 2, 3: 1, 4: 1}


def test_red_is_for_the_arrows_that_lead_back() -> None:
    graph = network()
    lines = to_mermaid(graph).splitlines()
    numbers = [k for k, edge in enumerate(graph.edges) if edge.backward]
    assert f"  linkStyle {','.join(map(str, numbers))} stroke:{graph.palette.backward}" in lines
    assert sum("-.->" in line for line in lines) == len(numbers)
