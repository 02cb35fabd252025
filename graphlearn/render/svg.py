"""What is done to the SVG of a Graphviz engine, so that it can stand in a page: one form, and the same bytes each time.

The engines differ in comments, anchors and attribute habits; after `finish_svg` their output has one form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET

from graphlearn.render.font import FAMILIES

_NAMESPACE = "http://www.w3.org/2000/svg"
_XLINK = "{http://www.w3.org/1999/xlink}"
LINE_CLASS = "line-"  # a node's class "line-value" says that its next text is a value; see `dot.DotNode`


def finish_svg(raw: str, title: str = "", description: str = "", language: str = "en") -> str:
    """Turn an engine's SVG document into an element for a page.

    Args:
        raw: the engine's output, XML head and all.
        title: short name of the picture, read out by screen readers.
        description: what the picture shows, in a sentence or two.
        language: language tag of the texts, such as ``"ko"``.

    Returns:
        An ``<svg role="img">`` element whose first children are ``<title>`` and ``<desc>``; ids and classes are kept,
        texts stay texts, and nothing in it depends on the day or the machine.
    """
    root = ET.fromstring(raw)
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{_NAMESPACE}}}")
        _clean(element)
    graph = root.find("g")
    if graph is None:
        raise ValueError("the SVG of a diagram needs a group for the graph; got none. Pass an engine's output.")
    _drop_title(graph)
    background = _take_background(graph)
    _unwrap_anchors(graph)
    for group in graph.iter("g"):
        _name_lines(group)
    return _serialize(root, graph, background, (title, description), language)


def texts(svg: str) -> Iterator[str]:
    """Yield the drawn texts of an SVG element, in order.

    Args:
        svg: a complete element.
    """
    for element in ET.fromstring(svg).iter():
        if element.tag.rpartition("}")[2] == "text":
            yield "".join(element.itertext())


def _clean(element: ET.Element) -> None:
    attributes = dict(element.attrib)
    element.attrib.clear()
    for name, value in attributes.items():
        if name.startswith(_XLINK):
            element.set(name.removeprefix(_XLINK), value)
        elif name in ("{http://www.w3.org/XML/1998/namespace}space", "font-family"):
            continue  # one family list stands on the root
        elif name == "stroke" and value == "transparent":
            element.set(name, "none")  # older engines write a word that only CSS knows
        elif name == "font-size":
            element.set(name, f"{float(value):g}")
        else:
            element.set(name, value)


def _drop_title(group: ET.Element) -> None:
    title = group.find("title")
    if title is not None:
        group.remove(title)


def _take_background(graph: ET.Element) -> ET.Element | None:
    """Return a rectangle in the place of the engine's background, which rounding leaves short of the edges."""
    polygon = graph.find("polygon")
    if polygon is None:
        return None
    graph.remove(polygon)
    return ET.Element(
        "rect", {"class": "background", "width": "100%", "height": "100%", "fill": polygon.get("fill", "")}
    )


def _unwrap_anchors(graph: ET.Element) -> None:
    """Replace the engine's ``<g><a title=...>`` wrappers, which are no links, by a ``<title>`` that browsers show."""
    for group in list(graph.iter("g")):
        wrapper = next((child for child in group.findall("g") if child.find("a") is not None), None)
        anchor = wrapper.find("a") if wrapper is not None else None
        if wrapper is None or anchor is None or group is graph:
            continue
        title = group.find("title")
        if title is not None:
            title.text = anchor.get("title", title.text or "")
        index = list(group).index(wrapper)
        group[index : index + 1] = list(anchor)


def _name_lines(group: ET.Element) -> None:
    """Move the ``line-...`` classes of a node to its texts, in order."""
    classes = group.get("class", "").split()
    lines = [name for name in classes if name.startswith(LINE_CLASS)]
    if not lines:
        return
    group.set("class", " ".join(name for name in classes if not name.startswith(LINE_CLASS)))
    drawn = dict(zip(lines, list(group.iter("text")), strict=False))
    for line, text in drawn.items():
        text.set("class", line)
    name, definition = drawn.get("line-name"), drawn.get("line-definition")
    if name is not None and definition is not None:
        _join(group, name, definition)


def _join(group: ET.Element, name: ET.Element, definition: ET.Element) -> None:
    """Make two texts on one line one text, so that the second starts where the first ends in the reader's font."""
    group.remove(definition)
    line = ET.Element("text", {key: name.attrib[key] for key in ("text-anchor", "x", "y")})
    line.tail = name.tail
    group[list(group).index(name)] = line
    for part in (name, definition):
        part.tag, part.tail = "tspan", None
        for key in ("text-anchor", "x", "y"):
            part.attrib.pop(key, None)
        line.append(part)


def _serialize(
    root: ET.Element, graph: ET.Element, background: ET.Element | None, words: tuple[str, str], language: str
) -> str:
    name = graph.get("id", "diagram")
    graph.tail = "\n"
    result = ET.Element(
        "svg",
        {
            "xmlns": _NAMESPACE,
            "width": root.get("width", ""),
            "height": root.get("height", ""),
            "viewBox": _short_numbers(root.get("viewBox", "")),
            "role": "img",
            "lang": language,
            "font-family": ", ".join(f"'{family}'" if " " in family else family for family in FAMILIES),
            "style": "max-width: 100%; height: auto",
        },
    )
    labels = []
    for tag, text in zip(("title", "desc"), words, strict=True):
        if text:
            labels.append(f"{name}-{tag}")
            child = ET.SubElement(result, tag, {"id": labels[-1]})
            child.text, child.tail = text, "\n"
    if labels:
        result.set("aria-labelledby", " ".join(labels))
    result.text = "\n"
    if background is not None:
        background.tail = "\n"
        result.append(background)
    result.append(graph)
    return ET.tostring(result, encoding="unicode")


def _short_numbers(text: str) -> str:
    return re.sub(r"(\d+)\.00\b", r"\1", text)
