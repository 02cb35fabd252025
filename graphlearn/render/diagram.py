"""`Diagram`: a drawn graph that a person saves or a notebook shows, and how a `Scene` becomes one."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

from graphlearn.errors import OptionError
from graphlearn.render.arrows import scene_arrows
from graphlearn.render.cards import scene_cards
from graphlearn.render.dot import Direction, DotEdge, DotGraph, DotNode
from graphlearn.render.engine import Rendered, render_svg
from graphlearn.render.mermaid import to_mermaid
from graphlearn.render.palette import BORDERS
from graphlearn.render.phrases import Phrases, phrases
from graphlearn.render.png import render_png
from graphlearn.render.scene import Scene


class Diagram:
    """A drawn graph. Save it, or let a notebook show it.

    Args:
        graph: the cards and arrows.
        title: what it is a picture of, for screen readers.
        description: what it holds, in a sentence.
        language: of its words, such as ``"en"``.
    """

    def __init__(self, graph: DotGraph, title: str, description: str, language: str) -> None:
        self.graph = graph
        self.title = title
        self.description = description
        self.language = language

    def to_dot(self) -> str:
        """DOT source; equal graphs give equal text."""
        return self.graph.to_dot()

    def to_svg(self) -> str:
        """A complete SVG element.

        Raises:
            EngineError: neither `dot` nor graphviz-pure is installed.
        """
        return self._rendered.svg

    def to_png(self, scale: float = 2.0) -> bytes:
        """A PNG picture.

        Args:
            scale: pixels per CSS pixel.

        Raises:
            EngineError: no engine; or no font for the letters of the diagram, such as Hangul.
        """
        return render_png(self.to_svg(), scale)

    def to_mermaid(self) -> str:
        """Mermaid source, for Markdown that draws ```` ```mermaid ```` blocks."""
        return to_mermaid(self.graph)

    @property
    def engine(self) -> str:
        """The program that drew the picture, such as ``"dot 14.1.1"``."""
        return f"{self._rendered.engine_name} {self._rendered.engine_version}"

    @cached_property
    def _rendered(self) -> Rendered:
        return render_svg(self.to_dot(), title=self.title, description=self.description, language=self.language)

    def save(self, path: str | pathlib.Path) -> pathlib.Path:
        """Write a file in the format of its suffix: ``.svg``, ``.png``, ``.dot`` or ``.mmd`` (Mermaid).

        Returns:
            The path.

        Raises:
            OptionError: another suffix, or a place where no file can be written.
            EngineError: as `to_svg` and `to_png`; no file is begun then.
        """
        target = pathlib.Path(path)
        writers: dict[str, Callable[[], bytes]] = {
            ".svg": lambda: self.to_svg().encode(),
            ".png": self.to_png,
            ".dot": lambda: self.to_dot().encode(),
            ".mmd": lambda: self.to_mermaid().encode(),
        }
        if target.suffix not in writers:
            raise OptionError(f"save needs a name that ends with {', '.join(writers)}; got {target.name!r}. Rename it.")
        content = writers[target.suffix]()
        try:
            target.write_bytes(content)
        except OSError as error:
            raise OptionError(
                f"save needs a place where files can be written; got {str(target)!r}: {error.strerror}. Name another."
            ) from error
        return target

    def _repr_svg_(self) -> str:
        return self.to_svg()

    def __repr__(self) -> str:
        return f"<Diagram: {self.title}, {len(self.graph.nodes)} cards>"


def draw_scene(scene: Scene, *, direction: Direction = "LR", language: str = "en") -> Diagram:
    """Turn a scene into a diagram.

    Args:
        scene: what to show.
        direction: where the values flow: ``"LR"``, ``"TB"``, ``"RL"`` or ``"BT"``.
        language: ``"en"`` or ``"ko"``.

    Raises:
        OptionError: an unknown direction or language.
    """
    words = phrases(language)
    cards, arrows = scene_cards(scene, words), scene_arrows(scene)
    graph = DotGraph(cards, arrows, direction, legend=_legend(cards, arrows, words), caption=_caption(scene, words))
    if scene.problem is not None:
        title = scene.problem.kind
    else:
        title = _said(words, "diagram", output=", ".join(scene.names[root] for root in scene.roots))
    return Diagram(graph, title, _description(scene, graph, words), language)


def _said(words: Phrases, key: str, **places: str) -> str:
    return "".join(map(str, words.say(key, **places)))


def _legend(cards: Iterable[DotNode], arrows: Sequence[DotEdge], words: Phrases) -> list[tuple[str, str]]:
    kinds = {card.kind for card in cards} - {"fault"}
    legend = [(kind, words.word(kind)) for kind in BORDERS if kind in kinds]
    if any(arrow.backward for arrow in arrows):
        legend += [(kind, words.word(f"legend.{kind}")) for kind in ("forward", "backward")]
    if any(arrow.update for arrow in arrows):
        legend.append(("assign", words.word("legend.update")))
    return legend


def _caption(scene: Scene, words: Phrases) -> list[str]:
    lines = scene.problem.message.splitlines() if scene.problem is not None else []
    if not scene.values and scene.problem is None:
        lines.append(words.word("no.values"))
    folded = len(set(scene.folds.values()))
    if folded:
        lines.append(_said(words, "fold.caption", scopes=str(folded), cards=str(len(scene.folds))))
    return lines


def _description(scene: Scene, graph: DotGraph, words: Phrases) -> str:
    kinds = [node.op.name for node in scene.nodes]
    counts = words.say(
        "diagram.description", nodes=str(len(graph.nodes)), edges=str(sum(not e.backward for e in graph.edges)),
        inputs=str(kinds.count("input")), parameters=str(kinds.count("parameter")),
    )  # fmt: skip
    return " ".join(["".join(map(str, counts)), *graph.caption])
