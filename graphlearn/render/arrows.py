"""From a `Scene` to the arrows of a diagram: values forward, adjoints back, next values to their leaves."""

from __future__ import annotations

from collections.abc import Iterator

from graphlearn.graph.node import Node
from graphlearn.render.cards import FAULT
from graphlearn.render.dot import DotEdge
from graphlearn.render.notation import shape_math
from graphlearn.render.scene import Scene


def scene_arrows(scene: Scene) -> list[DotEdge]:
    """The arrows of a scene; cards that several nodes share are joined once."""
    return [*_value_arrows(scene), *_adjoint_arrows(scene), *_update_arrows(scene), *_fault_arrows(scene)]


def _value_arrows(scene: Scene) -> Iterator[DotEdge]:
    labels: dict[tuple[str, str], dict[str, None]] = {}
    for source, node in _links(scene):
        label = shape_math(source.shape).text if source.shape else ""
        labels.setdefault((scene.key(source), scene.key(node)), {})[label] = None
    for (start, end), shapes in labels.items():
        # Between folded scopes several values may flow; no single shape is true of all.
        yield DotEdge(start, end, next(iter(shapes)) if len(shapes) == 1 else "")


def _adjoint_arrows(scene: Scene) -> Iterator[DotEdge]:
    if scene.slopes is None:
        return
    drawn = dict.fromkeys(
        (scene.key(source), scene.key(node)) for source, node in _links(scene) if scene.carries_adjoint(source, node)
    )
    for start, end in drawn:
        yield DotEdge(start, end, backward=True)


def _links(scene: Scene) -> Iterator[tuple[Node, Node]]:
    """Yield (source, node) where the formula of a forward node names the source on another card."""
    for node, sources in scene.uses.items():
        for source in () if node in scene.between else sources:
            if scene.key(source) != scene.key(node):
                yield source, node


def _update_arrows(scene: Scene) -> Iterator[DotEdge]:
    """Yield what each next value is made of, and the bold arrow to its leaf."""
    drawn: dict[DotEdge, None] = {}
    for node in scene.between:
        drawn |= dict.fromkeys(_into_update(scene, node, scene.key(node)))
    for leaf, node in scene.updates.items():
        own = scene.update_key(leaf)
        drawn |= dict.fromkeys(_into_update(scene, node, own))
        if own != scene.key(leaf):
            drawn[DotEdge(own, scene.key(leaf), update=True)] = None
    yield from drawn


def _into_update(scene: Scene, node: Node, own: str) -> Iterator[DotEdge]:
    adjoints = {} if scene.slopes is None else scene.slopes.adjoints
    for source in scene.sources(node):
        if source in scene.leaf_of and source not in scene.names:
            start = scene.update_key(scene.leaf_of[source])
        elif source in adjoints and source not in scene.names:
            yield DotEdge(own, scene.key(adjoints[source]), backward=True)
            continue
        elif scene.updates.get(source) is node:
            continue  # the bold arrow says already where the old value stands
        else:
            start = scene.key(source)
        if start != own:
            yield DotEdge(start, own)


def _fault_arrows(scene: Scene) -> Iterator[DotEdge]:
    if scene.problem is not None:
        for node in scene.nodes:
            if node in scene.problem.nodes:
                yield DotEdge(scene.key(node), FAULT, shape_math(node.shape).text)
