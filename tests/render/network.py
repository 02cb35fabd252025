"""A small network as a diagram, for the tests of the DOT builder and the engines."""

from __future__ import annotations

from graphlearn.render.dot import DotEdge, DotGraph, DotNode
from graphlearn.render.palette import LIGHT, Palette

LEGEND = {
    "en": ("input", "parameter", "operation", "loss", "value", "gradient"),
    "ko": ("입력", "파라미터", "연산", "손실", "값", "기울기"),
}


def network(language: str = "en", palette: Palette = LIGHT, backward: bool = True, direction: str = "LR") -> DotGraph:
    """Return the diagram of the XOR network."""
    one, two = ("hidden",), ("output",)
    nodes = [
        DotNode("x", "input", value="[ 0  0 │ 0  1 │ 1  0 │ 1  1 ]"),
        DotNode(
            "hidden/W1",
            "parameter",
            "W₁",
            "",
            "[ 0.5000  −0.3000 │ 0.2000  0.8000 ]",
            "∂L [ 0.0129  −0.0197 │ −0.0219  −0.0189 ]",
            one,
        ),
        DotNode("hidden/b1", "parameter", "b₁", "", "[ 0.1000  −0.1000 ]", "∂L [ 0.0269  −0.0416 ]", one),
        DotNode(
            "z1",
            "operation",
            "z₁",
            "= x W₁ + b₁",
            "[ 0.1000  −0.1000 │ 0.3000  0.7000 │ … ]",
            "∂L [ 0.0935  −0.0534 │ −0.0796  0.0315 │ … ]",
            one,
        ),
        DotNode(
            "h",
            "operation",
            "h",
            "= tanh(z₁)",
            "[ 0.0997  −0.0997 │ 0.2913  0.6044 │ … ]",
            "∂L [ 0.0945  −0.0540 │ −0.0870  0.0497 │ … ]",
            one,
        ),
        DotNode("output/W2", "parameter", "W₂", "", "[ 0.7000 │ −0.4000 ]", "∂L [ 0.0269 │ 0.0016 ]", two),
        DotNode("output/b2", "parameter", "b₂", "", "[ 0.0500 ]", "∂L [ 0.0683 ]", two),
        DotNode(
            "z2",
            "operation",
            "z₂",
            "= h W₂ + b₂",
            "[ 0.1596 │ 0.0122 │ 0.5779 │ 0.3628 ]",
            "∂L [ 0.1350 │ −0.1242 │ −0.0899 │ 0.1474 ]",
            two,
        ),
        DotNode(
            "p",
            "operation",
            "p",
            "= σ(z₂)",
            "[ 0.5398 │ 0.5030 │ 0.6406 │ 0.5897 ]",
            "∂L [ 0.5434 │ −0.4970 │ −0.3903 │ 0.6093 ]",
            two,
        ),
        DotNode("t", "input", value="[ 0 │ 1 │ 1 │ 0 ]"),
        DotNode("L", "loss", "L", "= mean BCE(p, t)", "0.699884", "∂L 1"),
    ]
    links = [
        ("x", "z1", "(N,2)"),
        ("hidden/W1", "z1", "(2,2)"),
        ("hidden/b1", "z1", "(2,)"),
        ("z1", "h", "(N,2)"),
        ("h", "z2", "(N,2)"),
        ("output/W2", "z2", "(2,1)"),
        ("output/b2", "z2", "(1,)"),
        ("z2", "p", "(N,1)"),
        ("p", "L", "(N,1)"),
        ("t", "L", "(N,1)"),
    ]
    edges = [DotEdge(a, b, label) for a, b, label in links]
    if backward:
        edges += [DotEdge(a, b, backward=True) for a, b, _ in links if a not in ("x", "t")]
    kinds = ("input", "parameter", "operation", "loss", "forward", "backward")
    return DotGraph(nodes, edges, direction, palette, list(zip(kinds, LEGEND[language], strict=True)))
