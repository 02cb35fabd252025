"""`draw`: the computation graph as a picture, with values and gradients where they are known."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Sequence

import numpy as np

from graphlearn.backends.numpy.interpreter import interpret
from graphlearn.calculus.reverse import differentiate
from graphlearn.errors import OptionError
from graphlearn.graph.binding import At, bind
from graphlearn.graph.names import Names
from graphlearn.graph.node import Node
from graphlearn.graph.traverse import topological
from graphlearn.render.dot import Direction, DotEdge, DotGraph, DotNode
from graphlearn.render.engine import Rendered, render_svg
from graphlearn.render.names import name_math
from graphlearn.render.notation import Writer, shape_math
from graphlearn.render.numbers import format_array
from graphlearn.render.phrases import phrases
from graphlearn.render.png import render_png

_WIDTH = 40  # display cells of a value on a card
_KINDS = ("input", "parameter", "state")


class Diagram:
    """A drawn graph. Save it, or let a notebook show it."""

    def __init__(self, graph: DotGraph, title: str, description: str, language: str) -> None:
        self._graph = graph
        self._title = title
        self._description = description
        self._language = language

    def to_dot(self) -> str:
        """DOT source; equal graphs give equal text."""
        return self._graph.to_dot()

    def _rendered(self) -> Rendered:
        return render_svg(self.to_dot(), title=self._title, description=self._description, language=self._language)

    def to_svg(self) -> str:
        """A complete SVG element."""
        return self._rendered().svg

    def to_png(self) -> bytes:
        """A PNG picture at twice the screen's resolution."""
        return render_png(self.to_svg())

    def save(self, path: str | pathlib.Path) -> pathlib.Path:
        """Write a file in the format of its suffix: ``.svg``, ``.png`` or ``.dot``.

        Raises:
            OptionError: another suffix.
        """
        target = pathlib.Path(path)
        writers: dict[str, Callable[[], bytes]] = {
            ".svg": lambda: self.to_svg().encode(),
            ".png": self.to_png,
            ".dot": lambda: self.to_dot().encode(),
        }
        if target.suffix not in writers:
            raise OptionError(f"save needs a name that ends with {', '.join(writers)}; got {target.name!r}. Rename it.")
        target.write_bytes(writers[target.suffix]())
        return target

    def _repr_svg_(self) -> str:
        return self.to_svg()

    def __repr__(self) -> str:
        return f"<Diagram of {len(self._graph.nodes)} nodes>"


def draw(
    output: Node,
    *,
    at: At | None = None,
    wrt: Node | Sequence[Node] | None = None,
    style: str = "graph",
    direction: Direction = "LR",
    language: str = "en",
) -> Diagram:
    """Draw the computation graph of a node.

    Args:
        output: the node, such as a loss.
        at: leaf or name -> array-like, or a model; puts values on the cards.
        wrt: node or nodes; puts the gradient on every card on a path to them, with red edges back.
        style: ``"graph"``.
        direction: where values flow: ``"LR"``, ``"TB"``, ``"RL"`` or ``"BT"``.
        language: ``"en"`` or ``"ko"``.

    Raises:
        OptionError: an unknown style, direction or language.
    """
    if style != "graph":
        raise OptionError(f"style needs to be 'graph'; got {style!r}.")
    words = phrases(language)
    targets = () if wrt is None else (wrt,) if isinstance(wrt, Node) else tuple(wrt)
    names = Names([output])
    adjoints = dict(differentiate(output, targets, record=False).adjoints) if targets else {}
    values: dict[Node, np.ndarray] = {}
    if at is not None:
        values = interpret([output, *adjoints.values()], bind([output], at), keep=True)
    cards = [n for n in topological([output]) if n.op.name not in ("constant", "axis_size")]
    writer = Writer({n: name_math(names[n]) for n in names})
    nodes = [_card(n, output, names, writer, values, adjoints) for n in cards]
    edges = [e for n in cards for e in _edges(n, names, adjoints)]
    kinds = {n.kind for n in nodes}
    legend = [(k, words.word(k)) for k in (*_KINDS, "operation", "loss") if k in kinds]
    legend += [("forward", words.word("legend.forward"))]
    legend += [("backward", words.word("legend.backward"))] if adjoints else []
    title = "".join(str(p) for p in words.say("diagram", output=names[output]))
    count = {kind: str(sum(n.op.name == kind for n in cards)) for kind in ("input", "parameter")}
    said = words.say(
        "diagram.description", nodes=str(len(nodes)), edges=str(len(edges)), inputs=count["input"],
        parameters=count["parameter"],
    )  # fmt: skip
    return Diagram(DotGraph(nodes, edges, direction, legend=legend), title, "".join(str(p) for p in said), language)


def _card(
    node: Node,
    output: Node,
    names: Names,
    writer: Writer,
    values: dict[Node, np.ndarray],
    adjoints: dict[Node, Node],
) -> DotNode:
    kind = node.op.name if node.op.name in _KINDS else "loss" if node is output else "operation"
    name = name_math(names[node]).text
    adjoint = adjoints.get(node)
    return DotNode(
        name=names[node],
        kind=kind,
        title=name,
        definition="" if node.is_leaf else f"= {writer.definition(node).text}",
        value=format_array(values[node], width=_WIDTH) if node in values else "",
        gradient=format_array(values[adjoint], width=_WIDTH) if adjoint is not None and adjoint in values else "",
        scope=tuple(node.scope.split("/")) if node.scope else (),
    )


def _edges(node: Node, names: Names, adjoints: dict[Node, Node]) -> list[DotEdge]:
    edges = []
    for source in dict.fromkeys(node.inputs):
        if source.op.name not in ("constant", "axis_size"):
            edges.append(DotEdge(names[source], names[node], shape_math(source.shape).text if source.shape else ""))
            if source in adjoints and node in adjoints:
                edges.append(DotEdge(names[source], names[node], backward=True))
    return edges
