"""From a `Scene` to the cards of a diagram: name and definition, value, gradient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from rich.cells import cell_len

from graphlearn.graph.node import Node
from graphlearn.render.backward import group_formula
from graphlearn.render.dot import DotNode
from graphlearn.render.notation import Writer, shape_math
from graphlearn.render.numbers import array_math
from graphlearn.render.phrases import Phrases
from graphlearn.render.scene import Scene

_WIDTH = 42  # display cells of a line of a card
_LONGEST = 60  # names, numbers and operations up to which a formula is written on a card
FAULT = "//fault"  # name of the card that says what went wrong


def scene_cards(scene: Scene, words: Phrases) -> list[DotNode]:
    """The cards of a scene: next values first, so that they stand before what they change.

    Args:
        scene: what to show.
        words: for groups that have no formula.
    """
    members: dict[str, list[Node]] = {}
    for node in (*scene.nodes, *(n for n in scene.updates.values() if n in scene.folds)):
        members.setdefault(scene.key(node), []).append(node)
    cards = [_update_card(scene, leaf, node) for leaf, node in scene.updates.items() if node not in scene.folds]
    for key, nodes in members.items():
        folded = nodes[0] in scene.folds
        cards.append(_group_card(scene, key, nodes, words) if folded else _card(scene, nodes[0]))
    return [*cards, *_fault_card(scene)]


def _card(scene: Scene, node: Node) -> DotNode:
    return DotNode(
        scene.key(node),
        _kind(scene, node),
        scene.name(node, node.scope).text,
        _definition(scene.writer(node.scope), node),
        _value(scene.values, node),
        _gradient(scene, node, node.scope),
        _path(node.scope),
        f"{shape_math(node.shape).text} {node.dtype}",
        scene.problem is not None and node in scene.problem.nodes,
    )


def _path(scope: str) -> tuple[str, ...]:
    return tuple(scope.split("/")) if scope else ()


def _kind(scene: Scene, node: Node) -> str:
    if node.is_leaf:
        return node.op.name
    trained = scene.slopes is not None or any(n.op.name == "parameter" for n in scene.nodes)
    return "loss" if trained and node.shape == () and node in scene.roots else "operation"


def _definition(writer: Writer, node: Node) -> str:
    if node.is_leaf or writer.size(node, spell=True) > _LONGEST:
        return ""
    return f"= {writer.definition(node).text}"


def _value(values: Mapping[Node, np.ndarray], node: Node) -> str:
    return _array("", values[node]) if node in values else ""


def _array(lead: str, array: Any) -> str:
    return lead + array_math(array, width=_WIDTH - cell_len(lead)).text


def _gradient(scene: Scene, node: Node, scope: str) -> str:
    """The gradient's value, or without values how it comes about; empty off the path."""
    slopes = scene.slopes
    if slopes is None or node not in slopes.active:
        return ""
    symbol = scene.adjoint_name(node, scope)
    if node in slopes.values:
        return _array(f"{symbol.text} = ", slopes.values[node])
    if node is slopes.output:
        return f"{symbol.text} = 1"
    if node not in slopes.groups:
        return symbol.text
    writer = scene.writer(scope)
    size = sum(writer.size(share.simplified, spell=True) for share in slopes.groups[node].shares)
    formula = group_formula(slopes.groups[node], writer, symbol).text if size <= _LONGEST else ""
    return f"{symbol.text} = {formula}" if formula else symbol.text


# --- groups, next values, errors ----------------------------------------------------------------------------------------


def _group_card(scene: Scene, key: str, nodes: list[Node], words: Phrases) -> DotNode:
    """The card of a group: where one node leaves it, what that node is; else how much it holds."""
    scope = key[:-1]
    inside = {*nodes}
    leaving = [n for n in nodes if n in scene.roots or not _only_inside(scene, n, inside)]
    held = "".join(map(str, words.say("group.holds", count=str(len(nodes)))))
    path = _path(scope.rpartition("/")[0]) if any(n.scope.startswith(scope) for n in nodes) else ()
    if len(leaving) != 1:
        return DotNode(key, "group", scope.rpartition("/")[2], "", held, "", path)
    node = leaving[0]
    names = {n: m for n, m in scene.writer(scope).names.items() if n not in inside or n.is_leaf}
    writer = Writer(names, {n: o.graph for n, o in scene.openings.items()})
    formula = writer.definition(node).text if not node.is_leaf and writer.size(node, spell=True) <= _LONGEST else ""
    fits = formula and cell_len(formula) <= _WIDTH
    return DotNode(
        key,
        "group",
        scope.rpartition("/")[2],
        f"{scene.name(node, scope).text} = {formula}" if fits else held,
        _value(scene.values, node),
        _gradient(scene, node, scope),
        path,
        "" if not fits else held,
    )


def _only_inside(scene: Scene, node: Node, inside: set[Node]) -> bool:
    return all(user in inside for user in scene.users.get(node, ()))


def _update_card(scene: Scene, leaf: Node, node: Node) -> DotNode:
    """The card of a next value: ``W₁ ← W₁ − η · ∂L/∂W₁``."""
    writer = scene.writer(node.scope)
    named = node in scene.names
    size = writer.size(node, spell=not named)
    formula = (writer.write(node) if named else writer.definition(node)).text if size <= _LONGEST else "…"
    title = f"{scene.update_name(leaf, node.scope).text} ← {formula}"
    lead, _, rest = title.partition(" ← ")
    return DotNode(
        scene.update_key(leaf), "update", f"{lead} ←", rest, _value(scene.values, node), "", _path(node.scope),
        f"{shape_math(leaf.shape).text} {leaf.dtype}",
    )  # fmt: skip


def _fault_card(scene: Scene) -> Iterator[DotNode]:
    if scene.problem is not None:
        yield DotNode(FAULT, "fault", f"✗ {scene.problem.kind}")
