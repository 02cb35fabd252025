"""`draw`: the computation graph as a picture, with values and gradients where they are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from graphlearn.backends.numpy.interpreter import interpret
from graphlearn.errors import GraphLearnError, GraphUseError, NameClashError, OptionError
from graphlearn.graph.binding import At, Binding, bind, default_values
from graphlearn.graph.names import Names
from graphlearn.graph.node import Node
from graphlearn.graph.op import Opening
from graphlearn.graph.options import check_choice
from graphlearn.graph.traverse import leaves, require_nodes, topological
from graphlearn.render.diagram import Diagram, draw_scene
from graphlearn.render.dot import Direction
from graphlearn.render.scene import Problem, Scene, Slopes
from graphlearn.teach.fold import Collapse, choose_folds
from graphlearn.teach.narrate import Outline, outline
from graphlearn.teach.shown import Shown, choose_shown, is_unwritten, reading_adjoints
from graphlearn.teach.update import require_update

STYLES = ("graph",)


def draw(
    output: Node | Sequence[Node] | GraphLearnError,
    *,
    at: At | None = None,
    wrt: Node | Sequence[Node] | None = None,
    updates: Mapping[Node, Node] | None = None,
    style: str = "graph",
    direction: Direction = "LR",
    collapse: Collapse = None,
    language: str = "en",
    seed: int = 0,
    step: int = 0,
) -> Diagram:
    """Draw the computation graph of a node, in the names and rows of its derivation.

    Args:
        output: the node, such as a loss; or several; or an error of graphlearn, whose graph is drawn up to where it
            broke.
        at: leaf or name -> array-like, or a model; puts values on the cards. Without it the diagram says "no values
            yet", and gradients are formulas.
        wrt: node or nodes; puts the gradient on every card on a path to them, with red arrows back. The output must
            then be one scalar.
        updates: parameter or state -> its next value, such as `optimizer.updates(...)`; draws the training step, with
            the gradients by its parameters, and every node of the step that has a name.
        style: ``"graph"``.
        direction: where values flow: ``"LR"``, ``"TB"``, ``"RL"`` or ``"BT"``.
        collapse: scopes that are folded to one card each: a name, several, True for all, False for none; by default
            as few as keep the diagram within 200 cards.
        language: ``"en"`` or ``"ko"``.
        seed: of the random numbers that the graph draws, as of `fit`.
        step: of the training whose random numbers are drawn, from 0 on.

    Returns:
        A `Diagram`; ``save`` it as SVG, PNG, DOT or Mermaid. Notebooks show it.

    Raises:
        OptionError: an unknown style, direction, language or collapse.
        UnknownNameError, MissingValueError, ShapeError, DTypeError: ``at`` or ``collapse`` do not fit the graph.
        NameClashError: two nodes bear one name; draw the error itself to see them.
        DisconnectedError: a node of ``wrt`` does not influence the output.

    Example:
        >>> import graphlearn as gl
        >>> w, x = gl.parameter("w", ()), gl.input("x")
        >>> gl.draw(gl.square(w * x).named("L"), wrt=w, at={w: 2.0, x: 3.0})
        <Diagram: Computation graph of L, 4 cards>
    """
    check_choice(style, STYLES, "style")
    if isinstance(output, GraphLearnError):
        scene = _broken(output)
    else:
        roots = require_nodes(output, "draw")
        if not roots:
            raise GraphUseError("draw needs a node, several nodes, or an error of graphlearn; got none. Name one.")
        changes = require_update(updates)
        binding = None if at is None else _bind(roots, changes, at, default_values(updates), seed, step)
        scene = _scene(roots, _targets(roots, wrt, changes), changes, binding)
    scene = replace(scene, folds=choose_folds([*scene.nodes, *scene.updates.values()], collapse))
    return draw_scene(scene, direction=direction, language=language)


def _bind(
    roots: Sequence[Node], updates: Mapping[Node, Node], at: At, defaults: Mapping[Node, object], seed: int, step: int
) -> Binding:
    return bind([*roots, *updates, *updates.values()], at, defaults=defaults, seed=seed, step=step)


def _targets(
    roots: Sequence[Node], wrt: Node | Sequence[Node] | None, updates: Mapping[Node, Node]
) -> tuple[Node, ...]:
    """What to differentiate by: what is asked for, else what the updates train."""
    if wrt is not None:
        targets = require_nodes(wrt, "draw by wrt")
    else:
        trained = set(leaves(roots, "parameter")) if roots[0].shape == () else set()
        targets = tuple(leaf for leaf in updates if leaf in trained)
    if targets and len(roots) != 1:
        raise OptionError(f"draw with gradients needs one output; got {len(roots)}. Draw each by itself.")
    return targets


def _scene(
    roots: tuple[Node, ...],
    targets: tuple[Node, ...],
    updates: dict[Node, Node],
    binding: Binding | None,
) -> Scene:
    lines = outline(roots[0], targets, simplify=True) if targets else None
    shown = lines.shown if lines else choose_shown(roots, Names(roots), reading_adjoints(roots))
    everything = (*roots, *updates, *updates.values())
    Names(everything)  # refuses two nodes of one name in loss and updates together
    inside = {*topological(roots), *shown.nodes, *updates.values()}
    extra = [n for n in topological(everything) if n not in inside and n.full_name and not is_unwritten(n)]
    names = {**shown.names, **{node: node.full_name for node in extra}}
    between = frozenset(node for node in extra if not node.is_leaf)
    slopes = _slopes(roots[0], lines) if lines else None
    scene = Scene(roots, (*shown.nodes, *extra), names, shown.openings, slopes=slopes, updates=updates, between=between)
    return scene if binding is None else _with_values(scene, lines, binding)


def _slopes(output: Node, lines: Outline) -> Slopes:
    """The backward pass of an outline. Its adjoints are known as they are read and as they are computed."""
    adjoints: dict[Node, Node] = {}
    for node in reversed(lines.shown.nodes):
        read = lines.reading.adjoints.get(node)
        if read in lines.adjoint_names:
            adjoints.setdefault(read, node)
            adjoints.setdefault(lines.computed.adjoints[node], node)
    active = {node for node in lines.shown.nodes if node in lines.computed.adjoints}
    active |= {opening.inner for op, opening in lines.openings.items() if op in lines.computed.adjoints}
    flows = frozenset((step.node, step.consumer) for step in lines.reading.steps if step.consumer is not None)
    return Slopes(output, frozenset(active), adjoints, {group.node: group for group in lines.groups}, flows)


def _with_values(scene: Scene, lines: Outline | None, binding: Binding) -> Scene:
    updates = scene.updates
    adjoints = dict(lines.computed.adjoints) if lines else {}
    through = {op: opening for op, opening in scene.openings.items() if op in adjoints}
    partials = [opening.partial for opening in through.values()]
    values = interpret(
        [*scene.roots, *scene.nodes, *adjoints.values(), *partials, *updates.values()], binding, keep=True
    )
    if scene.slopes is None:
        return replace(scene, values=values)
    slopes = {node: values[adjoints[node]] for node in scene.slopes.active if node in adjoints}
    for op, opening in through.items():
        # A user's own node that computes the inner function may have an adjoint from other uses as well.
        if opening.inner not in slopes:
            slopes[opening.inner] = _inner_slope(op, opening, values[adjoints[op]], values[opening.partial])
    return replace(scene, values=values, slopes=replace(scene.slopes, values=slopes))


def _inner_slope(op: Node, opening: Opening, upstream: np.ndarray, partial: np.ndarray) -> np.ndarray:
    """The derivative by the inner node of an opened operation, such as that by p of a loss that is given logits."""
    if op.ndim != opening.inner.ndim:
        upstream = np.expand_dims(upstream, op.attr("axis"))
    with np.errstate(all="ignore"):  # at p = 0 the derivative is infinite, and the card says so
        return np.asarray(upstream * partial)


def _broken(error: GraphLearnError) -> Scene:
    """The graph that an error is about, up to where it broke."""
    culprits = tuple(node for node in error.nodes if isinstance(node, Node))
    if not culprits:
        raise GraphUseError(
            f"draw needs an error that names nodes; this {type(error).__name__} names none: {error}"
        ) from error
    names: dict[Node, str] = {}
    for shown in _shown_parts(culprits):
        for node, name in shown.names.items():
            if node not in names:
                names[node] = _free(name, set(names.values()))
    order = tuple(node for node in topological(culprits) if node in names)
    return Scene(culprits, order, names, problem=Problem(type(error).__name__, str(error), frozenset(culprits)))


def _shown_parts(culprits: tuple[Node, ...]) -> list[Shown]:
    """The graphs of the culprits together, or each by itself where their names clash."""
    try:
        return [choose_shown(culprits, Names(culprits), [], opened=False)]
    except NameClashError:
        return [choose_shown([node], Names([node]), [], opened=False) for node in culprits]


def _free(name: str, taken: set[str]) -> str:
    candidates = [name, *(f"{name} ({k})" for k in range(2, len(taken) + 3))]
    return next(candidate for candidate in candidates if candidate not in taken)
