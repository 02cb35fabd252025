"""From a `Scene` to the cards of a diagram: name and definition, value, gradient."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from rich.cells import cell_len

from graphlearn.graph.node import Node
from graphlearn.render.backward import group_formula, outer_partial
from graphlearn.render.document import Math
from graphlearn.render.dot import DotNode
from graphlearn.render.notation import Writer, shape_math
from graphlearn.render.numbers import array_math
from graphlearn.render.phrases import Phrases
from graphlearn.render.scene import Scene
from graphlearn.render.story import Group

FAULT = "//fault"  # key of the card that says what went wrong
_WIDTH = 64  # display cells of a line of a card
_LONGEST = 60  # names, numbers and operations up to which a formula is written on a card


def scene_cards(scene: Scene, words: Phrases) -> list[DotNode]:
    """The cards of a scene: next values first, so that they stand before the leaves that they change.

    Args:
        scene: what to show.
        words: for folded scopes.
    """
    members: dict[str, list[Node]] = {}
    for node in scene.nodes:
        members.setdefault(scene.key(node), []).append(node)
    for leaf, node in scene.updates.items():
        if node in scene.folds:
            members.setdefault(scene.update_key(leaf), []).append(node)
    cards = [_update_card(scene, leaf, node) for leaf, node in scene.updates.items() if node not in scene.folds]
    for key, nodes in members.items():
        folded = nodes[0] in scene.folds
        cards.append(_folded_card(scene, key, nodes, words) if folded else _card(scene, nodes[0]))
    return [*cards, *_fault_card(scene)]


def _card(scene: Scene, node: Node) -> DotNode:
    return DotNode(
        scene.key(node),
        _kind(scene, node),
        scene.name(node, node.scope).text,
        _definition(scene.update_writer(node.scope, node) if node in scene.between else scene.writer(node.scope), node),
        _value(scene.values, node),
        _gradient(scene, node, node.scope),
        _path(node.scope),
        _type(node),
        scene.problem is not None and node in scene.problem.nodes,
    )


def _path(scope: str) -> tuple[str, ...]:
    return tuple(scope.split("/")) if scope else ()


def _type(node: Node) -> str:
    return f"{shape_math(node.shape).text} {node.dtype}"


def _kind(scene: Scene, node: Node) -> str:
    if node.is_leaf:
        return node.op.name
    trained = any(n.op.name == "parameter" for n in scene.nodes)
    return "loss" if trained and node.shape == () and node in scene.roots else "operation"


def _definition(writer: Writer, node: Node) -> str:
    if node.is_leaf or writer.size(node, spell=True) > _LONGEST:
        return ""
    return f"= {writer.definition(node).text}"


def _value(values: Mapping[Node, np.ndarray], node: Node) -> str:
    return _array("", values[node]) if node in values else ""


def _array(lead: str, array: Any) -> str:
    """An array on one line: whole with fewer decimals rather than in part with more."""
    room = _WIDTH - cell_len(lead)
    texts = [_squeezed(array_math(array, digits, 2 * room).text) for digits in (4, 3, 2)]
    fitting = (text for text in texts if cell_len(text) <= room)
    whole = next((text for text in fitting if "…" not in text), None)
    return lead + (whole or _part(array, room))


def _part(array: Any, room: int) -> str:
    """Corner entries that fit, or of rows that are too long for that the shortest form, which will be clipped."""
    texts = [_squeezed(array_math(array, digits, width).text) for digits in (4, 3, 2) for width in (room, 1)]
    return next((text for text in texts if cell_len(text) <= room), min(texts, key=cell_len))


def _squeezed(text: str) -> str:
    # Numbers of one line have nothing below them to be aligned with.
    return re.sub(r"(?<=\[) +| {2,}(?=│)|(?<=│) {2,}", " ", re.sub(" {3,}", "  ", text))


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
    formula = _gradient_formula(scene, slopes.groups, node, symbol, scope)
    return f"{symbol.text} = {formula}" if formula else symbol.text


def _gradient_formula(scene: Scene, groups: Mapping[Node, Group], node: Node, symbol: Math, scope: str) -> str:
    writer = scene.writer(scope)
    if node not in groups:
        return _outer_formula(scene, groups, node, writer)
    group = groups[node]
    size = sum(writer.size(share.simplified, spell=True) for share in group.shares)
    return group_formula(group, writer, symbol).text if size <= _LONGEST else ""


def _outer_formula(scene: Scene, groups: Mapping[Node, Group], node: Node, writer: Writer) -> str:
    """The derivative by the inner node of a loss that is opened, such as p."""
    for group in groups.values():
        for share in group.shares:
            opening = None if share.step.consumer is None else scene.openings.get(share.step.consumer)
            if opening is not None and opening.inner is node and writer.size(opening.partial) <= _LONGEST:
                return outer_partial(share, opening, writer).text
    return ""


# --- folded scopes, next values, errors ------------------------------------------------------------------------------


def _folded_card(scene: Scene, key: str, nodes: list[Node], words: Phrases) -> DotNode:
    """The card of a folded scope: the one value that leaves it, if it is one, and how many cards it stands for."""
    scope = key[:-1]
    inside = set(nodes)
    leaving = [
        n for n in nodes if n in scene.roots or n in scene.leaf_of or not inside.issuperset(scene.users.get(n, ()))
    ]
    held = "".join(map(str, words.say("fold.holds", count=str(len(nodes)))))
    outer, _, title = scope.rpartition("/")
    if len(leaving) != 1 or leaving[0] not in scene.names:
        return DotNode(key, "group", title, "", held, "", _path(outer))
    node = leaving[0]
    return DotNode(
        key,
        "group",
        title,
        f"{scene.name(node, scope).text} · {held}",
        _value(scene.values, node),
        _gradient(scene, node, scope),
        _path(outer),
    )


def _update_card(scene: Scene, leaf: Node, node: Node) -> DotNode:
    """The card of a next value: ``W₁′ = W₁ − η ∂L/∂W₁``."""
    writer = scene.update_writer(node.scope, node)
    spell = node not in writer.names
    short = writer.size(node, spell=spell) <= _LONGEST
    return DotNode(
        scene.update_key(leaf),
        "update",
        scene.update_name(leaf, node.scope).text,
        f"= {writer.write(node, spell=spell).text}" if short else "",
        _value(scene.values, node),
        "",
        _path(node.scope),
        _type(leaf),
    )


def _fault_card(scene: Scene) -> Iterator[DotNode]:
    if scene.problem is not None:
        yield DotNode(FAULT, "fault", f"✗ {scene.problem.kind}")
