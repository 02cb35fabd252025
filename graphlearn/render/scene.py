"""`Scene`: all that a diagram shows, as data, and how it becomes cards and arrows. `graphlearn.teach` fills it.

Rule: a card says what a row of the derivation says, in the same names; only the names of a card's own scope are written
without it, since the frame around the card says it already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from graphlearn.graph.node import Node
from graphlearn.graph.op import Opening
from graphlearn.render.document import Math
from graphlearn.render.story import Group

_WIDTH = 42  # display cells of a line of a card
_LONGEST = 60  # names and operations up to which a formula is written on a card
_PRIME = "′"


@dataclass(frozen=True)
class Slopes:
    """What a diagram shows of the backward pass.

    Args:
        output: the scalar that was differentiated.
        adjoints: shown nodes on a path from ``wrt``, opened inner nodes included.
        names: adjoint node -> how it is called.
        groups: how each adjoint comes about, for formulas where there are no values.
        flows: (node, consumer) where an adjoint flows from the consumer to the node.
        values: shown node -> value of its adjoint; empty without values.
    """

    output: Node
    adjoints: frozenset[Node]
    names: Mapping[Node, Math]
    groups: Mapping[Node, Group]
    flows: frozenset[tuple[Node, Node]]
    values: Mapping[Node, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Problem:
    """An error that a diagram shows.

    Args:
        kind: name of the error's class.
        message: what it says.
        nodes: what it is about.
    """

    kind: str
    message: str
    nodes: frozenset[Node]


@dataclass(frozen=True)
class Scene:
    """All that a diagram shows.

    Args:
        roots: outputs of the graph.
        nodes: shown nodes in topological order, opened inner nodes and those of updates included.
        names: shown node -> full name.
        openings: opened operation -> its textbook graph.
        values: shown node -> value; empty without values.
        slopes: the backward pass, if there is any.
        updates: leaf -> its next value.
        update_names: node of an update -> how it is called in updates, such as an adjoint.
        folds: shown node -> title of the group that it is drawn in.
        problem: an error that the graph broke with.
        notes: keys of phrases for the caption, each with what stands in its places.
    """

    roots: tuple[Node, ...]
    nodes: tuple[Node, ...]
    names: Mapping[Node, str]
    openings: Mapping[Node, Opening] = field(default_factory=dict)
    values: Mapping[Node, np.ndarray] = field(default_factory=dict)
    slopes: Slopes | None = None
    updates: Mapping[Node, Node] = field(default_factory=dict)
    folds: Mapping[Node, str] = field(default_factory=dict)
    problem: Problem | None = None
    notes: tuple[tuple[str, Mapping[str, str]], ...] = ()


def scene_graph(
    scene: Scene, words: Phrases, *, direction: Direction = "LR", palette: Palette = LIGHT, prefix: str = ""
) -> DotGraph:
    """Turn a scene into cards and arrows.

    Args:
        scene: what to show.
        words: of the legend and the caption.
        direction: where the values flow.
        palette: the colours.
        prefix: put before each id.
    """
    draft = _Draft(scene)
    nodes = [*draft.update_cards(), *draft.cards(words), *draft.fault_card()]
    edges = [*draft.value_arrows(), *draft.adjoint_arrows(), *draft.update_arrows(), *draft.fault_arrows()]
    caption = ["".join(map(str, words.say(key, **places))) for key, places in scene.notes]
    if scene.problem is not None:
        caption = [*scene.problem.message.splitlines(), *caption]
    return DotGraph(nodes, edges, direction, palette, _legend(nodes, edges, words), prefix, caption)


def _legend(nodes: Iterable[DotNode], edges: Sequence[DotEdge], words: Phrases) -> list[tuple[str, str]]:
    kinds = {node.kind for node in nodes}
    legend = [(kind, words.word(kind)) for kind in BORDERS if kind in kinds]
    if any(edge.backward for edge in edges):
        legend += [(kind, words.word(f"legend.{kind}")) for kind in ("forward", "backward")]
    return legend


class _Draft:
    """A scene on its way to cards and arrows: names by scope, and what each formula uses."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._names = {node: name_math(name) for node, name in scene.names.items()}
        self._near = self._names_near()
        self._spelled = {node: opening.graph for node, opening in scene.openings.items()}
        self._inner = {opening.inner: node for node, opening in scene.openings.items()}
        self._shown = frozenset(scene.nodes)
        self._next = {node: self._new_value(leaf) for leaf, node in scene.updates.items()}
        self._uses = {node: list(dict.fromkeys(self._frontier(node))) for node in scene.nodes}
        self._members: dict[str, list[Node]] = {}
        for node in scene.nodes:
            self._members.setdefault(self._key(node), []).append(node)

    # --- names --------------------------------------------------------------------------------------------------------

    def _names_near(self) -> dict[str, dict[Node, Math]]:
        """For each scope the names of what lies in it, without the scope."""
        near: dict[str, dict[Node, Math]] = {}
        for node, name in self.scene.names.items():
            for depth in range(1, node.scope.count("/") + 2 if node.scope else 1):
                scope = "/".join(node.scope.split("/")[:depth])
                if name.startswith(scope + "/"):
                    near.setdefault(scope, {})[node] = name_math(name[len(scope) + 1 :])
        return near

    def _new_value(self, leaf: Node) -> Math:
        name = name_math(leaf.full_name)
        return Math(name.text + _PRIME, name.latex + "'")

    def _name(self, node: Node, scope: str) -> Math:
        return self._near.get(scope, {}).get(node) or self._names[node]

    def _writer(self, scope: str, extra: Mapping[Node, Math] | None = None) -> Writer:
        names = ChainMap(self._near.get(scope, {}), dict(extra or {}), self._names)
        return Writer(names, self._spelled)

    def _key(self, node: Node) -> str:
        """The name of the card that a node is drawn in; a group's ends with a slash, as no node's does."""
        fold = self.scene.folds.get(node)
        return self.scene.names[node] if fold is None else fold + "/"

    # --- cards --------------------------------------------------------------------------------------------------------

    def cards(self, words: Phrases) -> Iterator[DotNode]:
        """The card of each node and of each group, in order."""
        for key, members in self._members.items():
            if members[0] in self.scene.folds:
                yield self._group(key, members, words)
            else:
                yield self._card(key, members[0])

    def _card(self, key: str, node: Node) -> DotNode:
        scope = node.scope
        definition = "" if node.is_leaf else self._definition(node, scope)
        return DotNode(
            key,
            self._kind(node),
            self._name(node, scope).text,
            definition,
            self._value(node),
            self._gradient(node, scope),
            tuple(scope.split("/")) if scope else (),
            f"{shape_math(node.shape).text} {node.dtype}",
            self.scene.problem is not None and node in self.scene.problem.nodes,
        )

    def _kind(self, node: Node) -> str:
        if node.is_leaf:
            return node.op.name
        trained = self.scene.slopes is not None or any(n.op.name == "parameter" for n in self.scene.nodes)
        return "loss" if node in self.scene.roots and node.shape == () and trained else "operation"

    def _definition(self, node: Node, scope: str) -> str:
        writer = self._writer(scope, self._symbols())
        formula = self.scene.openings[node].graph if node in self.scene.openings else node
        inner = Writer({n: m for n, m in writer.names.items() if n is not node}, self._spelled)
        return f"= {inner.write(formula).text}" if inner.size(formula) <= _LONGEST else ""
