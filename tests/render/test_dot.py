"""The DOT builder: any text is only text, ids are unique, and kinds can be told apart without colour."""

from __future__ import annotations

import itertools
import re
import time
from xml.etree import ElementTree as ET

import pytest

from graphlearn.errors import NameClashError, OptionError, UnknownNameError
from graphlearn.render.dot import DIRECTIONS, LARGE, DotEdge, DotGraph, DotNode, edge_id, node_id
from graphlearn.render.engine import render_svg
from graphlearn.render.escape import printable
from graphlearn.render.font import text_width
from graphlearn.render.palette import BORDERS, DARK, LIGHT, Palette
from graphlearn.render.svg import texts
from tests.render import golden
from tests.render.network import network
from tests.render.test_engine import engine

__all__ = ["engine"]  # the fixture

HOSTILE = [
    '<b>&"\n',
    "a\nb\r\tc",
    "\\N \\G \\E \\l",
    "end\\",
    'quote " and \\"',
    "a:b:c",
    "<TABLE>&amp;&#65;&nbsp;",
    "]]> --> <!-- -->",
    "두 단어 한글",
    "😀 👩‍💻 e\u0301",
    "\x00\x1b[31m\x9b\ufffe\ud800",
    "  two  spaces  ",
    "-> ; { } [ ] digraph node",
    "%s {0} $x",
    "x" * 300,
    "'",
    " ",
]


def shown(text: str) -> str:
    """Return text as it is to be read in a picture: spaces may be unbreakable, a long text is cut."""
    return printable(text).replace("\u00a0", " ")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_labels_are_only_text(text: str, engine: str) -> None:
    nodes = [
        DotNode(text, "input", text, text, text, text, (text, "inner " + text), text),
        DotNode("other" + text, "loss"),
    ]
    graph = DotGraph(nodes, [DotEdge(text, "other" + text, text)], legend=[("input", text)])
    svg = render_svg(graph.to_dot(), engine, title=printable(text)).svg
    root = ET.fromstring(svg)
    drawn = [line.replace("\u00a0", " ") for line in texts(svg)]
    start = shown(text)[:20]
    assert sum(line.strip().startswith(start.strip()) for line in drawn) >= 6, drawn
    assert len([element for element in root.iter() if element.get("class") == "node input"]) == 1
    assert len([element for element in root.iter() if element.get("class") == "edge forward"]) == 1
    if len(text) < 40:
        assert start.strip() in " ".join(drawn)
        tips = [element.text or "" for element in root.iter() if element.tag.endswith("title")]
        assert any(printable(text).strip() in tip for tip in tips), tips
    ids = {element.get("id") for element in root.iter()}
    assert {node_id(text), node_id("other" + text), edge_id(text, "other" + text)} <= ids


def test_ids_of_different_names_differ() -> None:
    names = [*HOSTILE, "a b", "a%20b", "a/b", "a", "b", "a--b", "A"]
    assert len({node_id(name) for name in names}) == len(names)
    assert all(re.fullmatch(r"[!-~]+", node_id(name)) for name in names)
    assert node_id("hidden1/W") == "node-hidden1/W"


def test_parallel_edges_have_ids_of_their_own() -> None:
    nodes = [DotNode("a", "input"), DotNode("b", "operation")]
    source = DotGraph(
        nodes, [DotEdge("a", "b"), DotEdge("a", "b"), DotEdge("a", "b", backward=True)], prefix="p-"
    ).to_dot()
    assert re.findall(r'-> .* \[id="([^"]+)"', source) == ["p-edge-a--b", "p-edge-a--b-2", "p-adjoint-a--b"]


def test_golden_source() -> None:
    golden.check("network.dot", network().to_dot())


def test_the_same_diagram_gives_the_same_source() -> None:
    assert network().to_dot() == network().to_dot()
    assert network() == network()


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_directions(direction: str, engine: str) -> None:
    svg = render_svg(network(direction=direction).to_dot(), engine).svg
    places = {}
    for group in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}g"):
        if group.get("id") in ("node-x", "node-L"):
            text = next(group.iter("{http://www.w3.org/2000/svg}text"))
            places[group.get("id")] = (float(text.get("x", "nan")), float(text.get("y", "nan")))
    axis, sign = {"LR": (0, 1), "RL": (0, -1), "TB": (1, 1), "BT": (1, -1)}[direction]
    assert sign * (places["node-L"][axis] - places["node-x"][axis]) > 100


def test_scopes_are_nested_clusters(engine: str) -> None:
    nodes = [DotNode("a", "input", scope=("one", "two")), DotNode("b", "input", scope=("one",)), DotNode("c", "input")]
    svg = render_svg(DotGraph(nodes).to_dot(), engine).svg
    root = ET.fromstring(svg)
    clusters = [element.get("id") for element in root.iter() if "cluster" in (element.get("class") or "")]
    assert clusters == ["scope-one", "scope-one/two"]
    assert {"one", "two"} <= set(texts(svg))


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("kind", BORDERS)
def test_texts_fit_their_cards(kind: str, language: str, engine: str) -> None:
    value = "기울기의 값은 이것입니다" if language == "ko" else "[ 0.1000 −0.2000 │ WWWW ]"
    svg = render_svg(DotGraph([DotNode("W1", kind, "W₁", "= x W + b", value)]).to_dot(), engine).svg
    root = ET.fromstring(svg)
    corners = [
        float(x) for shape in re.findall(r' (?:d|points)="([^"]+)"', svg) for x in re.findall(r"(-?[\d.]+),", shape)
    ]
    for text in root.iter("{http://www.w3.org/2000/svg}text"):
        x = float(text.get("x", "nan"))
        wide = sum(
            text_width("".join(part.itertext()), float(part.get("font-size", 0)), part.get("font-weight") == "bold")
            for part in (list(text) or [text])
        )
        assert min(corners) + 3 < x and x + wide < max(corners) - 3


def luminance(color: str) -> float:
    """Return the relative luminance of ``#rrggbb`` after WCAG 2.1."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours after WCAG 2.1."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_palettes_can_be_read(palette: Palette) -> None:
    assert set(palette.kinds) == set(BORDERS)
    for fill, border in palette.kinds.values():
        for letters in (palette.text, palette.muted, palette.gradient):
            assert contrast(letters, fill) >= 4.5, (letters, fill)
        assert contrast(border, fill) >= 2.5 and contrast(border, palette.background) >= 2.5
    for ground in (palette.background, palette.cluster_fill):
        assert contrast(palette.muted, ground) >= 4.5
        assert contrast(palette.forward, ground) >= 3 and contrast(palette.backward, ground) >= 3


def test_kinds_differ_without_colour() -> None:
    assert all(one != other for one, other in itertools.combinations(BORDERS.values(), 2))
    source = network().to_dot()
    assert all("style=dashed" in line for line in source.splitlines() if "class=backward" in line)


def test_long_lines_are_cut_and_told_in_the_tooltip() -> None:
    graph = DotGraph([DotNode("a", "input", value="가" * 100)])
    svg = render_svg(graph.to_dot(), "graphviz-pure").svg
    assert list(texts(svg)) == ["a", "가" * 32 + "…"]
    assert "가" * 100 in svg


def test_mistakes_are_named() -> None:
    a = DotNode("a", "input")
    with pytest.raises(NameClashError, match='named "a"'):
        DotGraph([a, a])
    with pytest.raises(UnknownNameError, match='got "b"'):
        DotGraph([a], [DotEdge("a", "b")])
    with pytest.raises(OptionError, match=r"kind among input, .* got 'neuron'"):
        DotGraph([DotNode("a", "neuron")])
    with pytest.raises(OptionError, match="kind among"):
        DotGraph([DotNode("a", "forward")])
    with pytest.raises(OptionError, match="LR, TB, RL, BT; got 'up'"):
        DotGraph([a], direction="up")  # type: ignore[arg-type]


def test_large_diagrams_are_laid_out_in_seconds(engine: str) -> None:
    nodes = [DotNode(f"n{i}", "operation", value="0.1") for i in range(2 * LARGE)]
    edges = [DotEdge(f"n{i - step}", f"n{i}") for i in range(2 * LARGE) for step in (1, 5) if i >= step]
    started = time.perf_counter()
    svg = render_svg(DotGraph(nodes, edges).to_dot(), engine).svg
    assert svg.count('class="node operation"') == 2 * LARGE
    assert time.perf_counter() - started < 20  # some 1 s here
