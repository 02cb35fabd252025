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
    """Yield (source, node) where the formula of a shown node names the source on another card."""
    for node, sources in scene.uses.items():
        for source in sources:
            if scene.key(source) != scene.key(node):
                yield source, node


def _update_arrows(scene: Scene) -> Iterator[DotEdge]:
    """Yield for each next value what it is made of, and then the bold arrow to its leaf."""
    adjoints = {} if scene.slopes is None else scene.slopes.adjoints
    leaf_of = {node: leaf for leaf, node in scene.updates.items()}
    for leaf, node in scene.updates.items():
        if leaf in scene.folds:
            continue
        own = scene.update_key(leaf)
        for source in scene.update_uses(node):
            if source in leaf_of and leaf_of[source] not in scene.folds:
                yield DotEdge(scene.update_key(leaf_of[source]), own)
            elif source in adjoints:
                yield DotEdge(own, scene.key(adjoints[source]), backward=True)
            elif source is not leaf and source in scene.names:
                yield DotEdge(scene.key(source), own)
        yield DotEdge(own, scene.key(leaf), update=True)


def _fault_arrows(scene: Scene) -> Iterator[DotEdge]:
    if scene.problem is not None:
        for node in scene.nodes:
            if node in scene.problem.nodes:
                yield DotEdge(scene.key(node), FAULT, shape_math(node.shape).text)
