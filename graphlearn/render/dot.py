"""DOT source in the look of the house, from plain data: nodes are cards of up to three lines, scopes are clusters.

Rule: every text is escaped here, whatever it holds; what tells two kinds of node apart is never colour alone, but also
the border, so that the diagram reads in greyscale and for colour-blind readers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias
from urllib.parse import quote

from rich.cells import cell_len, chop_cells

from graphlearn.errors import NameClashError, OptionError, UnknownNameError
from graphlearn.graph.options import check_choice
from graphlearn.render.escape import dot_html, dot_label, dot_name, dot_tooltip
from graphlearn.render.font import FAMILIES, text_width
from graphlearn.render.palette import BORDERS, LIGHT, Palette
from graphlearn.render.svg import LINE_CLASS

Direction: TypeAlias = Literal["LR", "TB", "RL", "BT"]
DIRECTIONS: tuple[Direction, ...] = ("LR", "TB", "RL", "BT")
LARGE = 400  # from here on, edges are straight and the layout is cut short: 2000 nodes then take 5 s instead of 12
_LONGEST = 66  # display cells of a line; the rest of a longer one is in the tooltip
_NAME_SIZE, _LINE_SIZE, _LABEL_SIZE, _ARROW_SIZE = 13, 11, 10, 15
_SWATCH = '<TR><TD WIDTH="20" HEIGHT="13"></TD></TR>'
_AIR = '<TR><TD HEIGHT="2" COLSPAN="3"></TD></TR>'  # above and below the lines of a card
_SWATCH_WIDTH = 43  # of a swatch and the air around it
_CARD_MARGIN, _CELL_PADDING = 6, 2


@dataclass(frozen=True, slots=True)
class DotNode:
    """A card.

    Args:
        name: full name, unique in the diagram; ids and edges use it.
        kind: one of `palette.BORDERS`, such as ``"input"``, ``"parameter"``, ``"operation"``, ``"loss"``.
        title: first line, ready to show; the name when empty.
        definition: set after the title in lighter letters, such as ``"= x W₁ + b₁"``; may be empty.
        value: second line; may be empty.
        gradient: third line; may be empty.
        scope: names of the clusters that hold the card, outermost first.
        tooltip: shown by browsers in addition to the name; may be empty.
        marked: framed twice in the colour of warning, for what an error is about.
    """

    name: str
    kind: str
    title: str = ""
    definition: str = ""
    value: str = ""
    gradient: str = ""
    scope: Sequence[str] = ()
    tooltip: str = ""
    marked: bool = False


@dataclass(frozen=True, slots=True)
class DotEdge:
    """An arrow.

    Args:
        source: name of the node whose value is used.
        target: name of the node that uses it.
        label: such as the shape that flows; may be empty.
        backward: drawn red, dashed and pointing at ``source``, for the adjoint that flows back.
        update: drawn bold in the colour of updates, for a new value on its way to its leaf.
    """

    source: str
    target: str
    label: str = ""
    backward: bool = False
    update: bool = False


@dataclass(frozen=True, slots=True)
class DotGraph:
    """A diagram as data.

    Args:
        nodes: in drawing order; the order decides ties in the layout.
        edges: between these nodes.
        direction: where the values flow: ``"LR"``, ``"TB"``, ``"RL"`` or ``"BT"``.
        palette: the colours; `palette.LIGHT` or `palette.DARK`.
        legend: pairs of a kind of node or arrow (``"forward"``, ``"backward"``, ``"assign"``) and the words for it.
        caption: lines below the legend.
        prefix: put before each id, where several diagrams share a page.

    Raises:
        OptionError: an unknown direction or kind.
        NameClashError: two nodes bear one name.
        UnknownNameError: an edge names a node that is not there.
    """

    nodes: Sequence[DotNode]
    edges: Sequence[DotEdge] = ()
    direction: Direction = "LR"
    palette: Palette = field(default=LIGHT)
    legend: Sequence[tuple[str, str]] = ()
    prefix: str = ""
    caption: Sequence[str] = ()

    def __post_init__(self) -> None:
        check_choice(self.direction, DIRECTIONS, "direction")
        arrows = ("forward", "backward", "assign")
        for kind in [node.kind for node in self.nodes] + [kind for kind, _ in self.legend if kind not in arrows]:
            if kind not in BORDERS:
                raise OptionError(f"a node needs a kind among {', '.join(BORDERS)}; got {kind!r}.")
        names: set[str] = set()
        for node in self.nodes:
            if node.name in names:
                raise NameClashError(f'two nodes of the diagram are named "{node.name}"; rename one of them.')
            names.add(node.name)
        for end in (end for edge in self.edges for end in (edge.source, edge.target)):
            if end not in names:
                raise UnknownNameError(f'an edge needs nodes of the diagram; got "{end}". Add the node first.')

    def to_dot(self) -> str:
        """Return DOT source; equal diagrams give equal text."""
        lines = ["digraph {", *_defaults(self), *_clusters(self), *_edges(self)]
        if self.legend or self.caption:
            lines.append(f"  label=<{_below(self)}> labelloc=b labeljust=l")
        return "\n".join([*lines, "}", ""])


def node_id(name: str) -> str:
    """Return the SVG id of a node: different names have different ids, and no id needs escaping.

    Args:
        name: the node's full name.
    """
    return "node-" + quote(name, safe="/", errors="surrogatepass")


def edge_id(source: str, target: str, backward: bool = False, update: bool = False) -> str:
    """Return the SVG id of an edge; a second edge between the same nodes has ``-2`` behind it, and so on.

    Args:
        source: full name of the node whose value is used.
        target: full name of the node that uses it.
        backward: the edge of the adjoint.
        update: the edge of a new value.
    """
    ends = "--".join(quote(name, safe="/", errors="surrogatepass") for name in (source, target))
    return ("adjoint-" if backward else "update-" if update else "edge-") + ends


def _defaults(graph: DotGraph) -> list[str]:
    colors = graph.palette
    font = f'fontname="{",".join(FAMILIES)}"'
    speed = " splines=line nslimit=1 nslimit1=1 mclimit=0.2" if len(graph.nodes) >= LARGE else ""
    return [
        f'  graph [id="{graph.prefix}diagram" rankdir={graph.direction} bgcolor="{colors.background}" pad=0.15'
        f' nodesep=0.22 ranksep=0.6{speed} {font} fontsize={_LABEL_SIZE} fontcolor="{colors.muted}"]',
        f'  node [shape=plain {font} fontsize={_LINE_SIZE} fontcolor="{colors.text}"]',
        f'  edge [{font} fontsize={_LABEL_SIZE} fontcolor="{colors.muted}" color="{colors.forward}" penwidth=1.2'
        f" arrowsize=0.7]",
    ]


def _clusters(graph: DotGraph) -> Iterator[str]:
    """Yield the nodes, each scope's in one cluster, scopes in order of their first node."""
    grouped: dict[tuple[str, ...], list[DotNode]] = {(): []}
    for node in graph.nodes:
        path = tuple(node.scope)
        for depth in range(1, len(path) + 1):
            grouped.setdefault(path[:depth], [])
        grouped[path].append(node)
    yield from _cluster((), grouped, graph)


def _cluster(path: tuple[str, ...], grouped: dict[tuple[str, ...], list[DotNode]], graph: DotGraph) -> Iterator[str]:
    indent = "  " * (len(path) + 1)
    if path:
        name = quote("/".join(path), safe="/", errors="surrogatepass")
        colors = graph.palette
        yield f'{indent[2:]}subgraph "cluster-{name}" {{'
        yield (
            f'{indent}graph [id="{graph.prefix}scope-{name}" label="{dot_label(path[-1])}" labeljust=l style=rounded'
            f' color="{colors.cluster_border}" bgcolor="{colors.cluster_fill}" penwidth=1 margin=10]'
        )
    for node in grouped[path]:
        yield indent + _node(node, graph)
    for inner in grouped:
        if len(inner) == len(path) + 1 and inner[: len(path)] == path:
            yield from _cluster(inner, grouped, graph)
    if path:
        yield f"{indent[2:]}}}"


def _node(node: DotNode, graph: DotGraph) -> str:
    lines = {
        "name": node.title or node.name,
        "definition": node.definition,
        "value": node.value,
        "gradient": node.gradient,
    }
    shown = {role: _clip(text) for role, text in lines.items() if text}
    classes = " ".join([node.kind, *(LINE_CLASS + role for role in shown)])
    cut = [text for role, text in lines.items() if text and shown[role] != text]
    tooltip = " · ".join(part for part in (node.name, node.tooltip, *cut) if part)
    return (
        f'"{dot_name(node.name)}" [id="{graph.prefix}{node_id(node.name)}" class="{classes}"'
        f' tooltip="{dot_tooltip(tooltip)}" label=<{_card(shown, node, graph.palette)}>]'
    )


def _clip(text: str) -> str:
    return text if cell_len(text) <= _LONGEST else chop_cells(text, _LONGEST - 1)[0] + "…"


def _card(lines: dict[str, str], node: DotNode, palette: Palette) -> str:
    """Return the HTML-like table of a card: the title and its definition, the value, the gradient."""
    title = _cell([(lines["name"], palette.text, _NAME_SIZE, True)])
    if "definition" in lines:
        # One cell for both: in two columns they would stand far apart beside a long value.
        spaced = f" {lines['definition']}"
        title = _cell([(lines["name"], palette.text, _NAME_SIZE, True), (spaced, palette.muted, _LINE_SIZE, False)])
    rows = {"name": title}
    for role, color in (("value", palette.text), ("gradient", palette.gradient)):
        if role in lines:
            rows[role] = _cell([(lines[role], color, _LINE_SIZE, False)])
    body = "".join(_ported(role, cell) for role, cell in rows.items())
    card = _frame(_AIR + body + _AIR, node.kind, palette)
    if not node.marked:
        return card
    return _table(f'<TR><TD CELLPADDING="3">{card}</TD></TR>', f'BORDER="3" COLOR="{palette.backward}"')


def _ported(role: str, cell: str) -> str:
    """Return a row whose margins are ports, so that value arrows meet the value and gradient arrows the gradient."""
    margins = [f'<TD PORT="{role}-{side}" WIDTH="{_CARD_MARGIN}"></TD>' for side in ("in", "out")]
    return f"<TR>{margins[0]}{cell}{margins[1]}</TR>"


def _cell(runs: Sequence[tuple[str, str, int, bool]]) -> str:
    """Return a cell of text runs, each with its color, its size and whether it is bold."""
    # The width comes from the font that the picture is drawn with: one engine measures Hangul as blanks.
    width = math.ceil(sum(text_width(text, size, bold) for text, _, size, bold in runs)) + 2 * _CELL_PADDING
    body = "".join(
        f'<FONT COLOR="{color}" POINT-SIZE="{size}">{f"<B>{dot_html(text)}</B>" if bold else dot_html(text)}</FONT>'
        for text, color, size, bold in runs
    )
    return f'<TD ALIGN="LEFT" CELLPADDING="{_CELL_PADDING}" WIDTH="{width}">{body}</TD>'


def _frame(rows: str, kind: str, palette: Palette) -> str:
    """Return a table whose border and fill tell the kind."""
    border = BORDERS[kind]
    fill, line = palette.kinds[kind]
    style = ",".join(filter(None, ["rounded" if border.rounded else "", border.line])) or "solid"
    look = f'STYLE="{style}" COLOR="{line}" BGCOLOR="{fill}"'
    if not border.double:
        return _table(rows, f'BORDER="{border.width}" {look}')
    inner = _table(rows, f'BORDER="{border.width}" {look}')
    return _table(f'<TR><TD CELLPADDING="2">{inner}</TD></TR>', f'BORDER="1" {look}')


def _table(rows: str, attributes: str) -> str:
    return f'<TABLE CELLBORDER="0" CELLSPACING="0" CELLPADDING="0" {attributes}>{rows}</TABLE>'


def _edges(graph: DotGraph) -> Iterator[str]:
    seen: dict[str, int] = {}
    sources: dict[str, set[str]] = {}
    for edge in graph.edges:
        sources.setdefault(edge.target, set()).add(edge.source)
    cards = {node.name: node for node in graph.nodes}
    color = graph.palette.backward
    for edge in graph.edges:
        name = edge_id(edge.source, edge.target, edge.backward, edge.update)
        seen[name] = seen.get(name, 0) + 1
        suffix = f"-{seen[name]}" if seen[name] > 1 else ""
        kind = "backward" if edge.backward else "update" if edge.update else "forward"
        attributes = [f'id="{graph.prefix}{name}{suffix}"', f"class={kind}"]
        if edge.label:
            attributes.append(f'label="{dot_label(f" {edge.label} ")}"')
        if edge.backward:
            attributes.append(f'dir=back style=dashed color="{color}" fontcolor="{color}" penwidth=1.4')
        elif edge.update:
            attributes.append(f'style=bold color="{graph.palette.kinds["update"][1]}" penwidth=2.4 arrowhead=vee')
        elif cards[edge.target].kind == "fault":
            attributes.append(f'color="{color}" penwidth=2')
        tail = _end(cards[edge.source], edge.backward, "out", graph.direction)
        head = _end(cards[edge.target], edge.backward, "in", graph.direction)
        if len(sources[edge.target]) > 1:
            head = f'"{dot_name(edge.target)}"'  # many arrows into one point would be a knot
        yield f"  {tail} -> {head} [{' '.join(attributes)}]"


def _end(node: DotNode, backward: bool, side: str, direction: Direction) -> str:
    """Return the end of an edge, at the line of the card that it is about where the flow is horizontal."""
    name = f'"{dot_name(node.name)}"'
    if direction not in ("LR", "RL"):
        return name
    lines = (("gradient", node.gradient), ("value", node.value)) if backward else (("value", node.value),)
    # The bold arrow leaves an update at its value; the gradient comes in above, so that they do not cover each other.
    line = "name" if backward and node.kind == "update" else next((role for role, text in lines if text), "name")
    east = (side == "out") == (direction == "LR")
    # The margins are drawn left and right; which of them is the way in depends on the direction.
    return f'{name}:"{line}-{"out" if east else "in"}":{"e" if east else "w"}'


def _below(graph: DotGraph) -> str:
    """Return what stands below the diagram: the legend, then the caption."""
    rows = [f'<TR><TD ALIGN="LEFT">{_legend(graph)}</TD></TR>'] if graph.legend else []
    if not graph.caption:
        return _legend(graph)
    muted = graph.palette.muted
    rows += [f"<TR>{_cell([(line, muted, _LABEL_SIZE, False)])}</TR>" for line in graph.caption]
    return _table("".join(rows), 'BORDER="0"')


def _legend(graph: DotGraph) -> str:
    """Return the legend as one row: a small card or arrow, then its words."""
    palette = graph.palette
    arrows = {
        "forward": ("⟶", palette.forward),
        "backward": ("⇠", palette.backward),
        "assign": ("➞", palette.kinds["update"][1]),
    }
    cells = []
    for kind, words in graph.legend:
        if kind in BORDERS:
            swatch = f"<TD>{_frame(_SWATCH, kind, palette)}</TD>"
        else:
            swatch = _cell([(*arrows[kind], _ARROW_SIZE, kind == "assign")])
        cells.append(
            f'{swatch}<TD WIDTH="3"></TD>{_cell([(words, palette.muted, _LABEL_SIZE, False)])}<TD WIDTH="12"></TD>'
        )
    return _table(f"<TR>{''.join(cells)}{_filler(graph)}</TR>", 'BORDER="0"')


def _filler(graph: DotGraph) -> str:
    """Return a cell that takes what a longer caption leaves of the line: engines would spread the legend over it."""
    caption = max((text_width(line, _LABEL_SIZE) for line in graph.caption), default=0)
    own = sum(_SWATCH_WIDTH + text_width(words, _LABEL_SIZE) for _, words in graph.legend)
    return f'<TD WIDTH="{math.ceil(caption - own)}"></TD>' if caption > own else ""
