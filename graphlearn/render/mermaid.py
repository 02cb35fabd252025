"""Mermaid source of a diagram, for Markdown pages that draw such blocks by themselves.

Rule: node ids are numbers, so that no name of the user's needs to be an id; every label goes through one escape.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphlearn.render.dot import DotEdge, DotGraph, DotNode
from graphlearn.render.escape import printable
from graphlearn.render.palette import BORDERS

# What Mermaid, or the HTML and Markdown in its labels, would read as more than a sign.
_SPECIAL = '&<>"#`*_~[](){}|\\;'
_SHAPES = {"loss": ("([", "])"), "input": ("[/", "/]"), "fault": ("{{", "}}")}


def to_mermaid(graph: DotGraph) -> str:
    """Return a Mermaid flowchart of the same cards and arrows.

    Args:
        graph: the diagram.
    """
    ids = {node.name: f"n{k}" for k, node in enumerate(graph.nodes)}
    lines = [f"flowchart {graph.direction}"]
    opened: tuple[str, ...] = ()
    for node in sorted(graph.nodes, key=lambda n: _place(n, graph)):
        path = tuple(node.scope)
        shared = _common(opened, path)
        lines += ["  " * (depth + 1) + "end" for depth in reversed(range(shared, len(opened)))]
        for depth in range(shared, len(path)):
            number = _scope_number(path[: depth + 1], graph)
            lines.append(f'{"  " * (depth + 1)}subgraph s{number}["{_escape(path[depth])}"]')
        opened = path
        lines.append("  " * (len(path) + 1) + _node(node, ids[node.name]))
    lines += ["  " * (depth + 1) + "end" for depth in reversed(range(len(opened)))]
    lines += [f"  {_edge(edge, ids)}" for edge in graph.edges]
    return "\n".join([*lines, *_styles(graph), ""])


def _scopes(graph: DotGraph) -> list[tuple[str, ...]]:
    """Every scope with what lies around it, in order of appearance."""
    paths = (tuple(node.scope)[:depth] for node in graph.nodes for depth in range(1, len(node.scope) + 1))
    return list(dict.fromkeys(paths))


def _scope_number(path: tuple[str, ...], graph: DotGraph) -> int:
    return _scopes(graph).index(path)


def _place(node: DotNode, graph: DotGraph) -> tuple[int, ...]:
    """Sort key that keeps the cards of a scope together: a subgraph can be opened once only."""
    return tuple(_scope_number(tuple(node.scope)[:depth], graph) for depth in range(1, len(node.scope) + 1))


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((k for k, (a, b) in pairs if a != b), min(len(one), len(other)))


def _node(node: DotNode, name: str) -> str:
    first = " ".join(filter(None, [node.title or node.name, node.definition]))
    label = "<br/>".join(_escape(line) for line in (first, node.value, node.gradient) if line)
    start, end = _SHAPES.get(node.kind, ("[", "]") if not BORDERS[node.kind].rounded else ("(", ")"))
    return f'{name}{start}"{label}"{end}:::{node.kind}'


def _edge(edge: DotEdge, ids: dict[str, str]) -> str:
    source, target = ids[edge.source], ids[edge.target]
    if edge.backward:
        return f"{target} -.-> {source}"
    arrow = "==>" if edge.update else "-->"
    label = f'|"{_escape(edge.label)}"|' if edge.label else ""
    return f"{source} {arrow}{label} {target}"


def _styles(graph: DotGraph) -> Iterator[str]:
    for kind in dict.fromkeys(node.kind for node in graph.nodes):
        fill, line = graph.palette.kinds[kind]
        border = BORDERS[kind]
        dash = {"": "", "dashed": ",stroke-dasharray:6 3", "dotted": ",stroke-dasharray:2 2"}[border.line]
        yield (
            f"  classDef {kind} fill:{fill},stroke:{line},color:{graph.palette.text}"
            f",stroke-width:{border.width + border.double}px{dash}"
        )
    red = [str(k) for k, edge in enumerate(graph.edges) if edge.backward]
    if red:
        yield f"  linkStyle {','.join(red)} stroke:{graph.palette.backward}"


def _escape(text: str) -> str:
    return "".join(f"#{ord(c)};" if c in _SPECIAL else c for c in printable(text))
