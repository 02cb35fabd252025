"""Builds the `Story` of a derivation: which nodes get a row, how they are called, what is simplified."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from graphlearn.calculus.reverse import differentiate
from graphlearn.calculus.simplify import rewrite_graph
from graphlearn.calculus.trace import Step, Trace
from graphlearn.graph.names import Names
from graphlearn.graph.node import Node
from graphlearn.graph.op import Opening
from graphlearn.graph.scope import no_scope
from graphlearn.graph.traverse import consumers, topological
from graphlearn.render.adjoints import partial_symbol
from graphlearn.render.document import Math
from graphlearn.render.names import name_math
from graphlearn.render.story import Group, Share

_INLINE_DEPTH = 6  # unnamed operations that one formula may nest before it is cut by a name


@dataclass(frozen=True)
class Outline:
    """The part of a story that needs no values.

    Args:
        computed: the trace whose gradients are computed and checked.
        reading: the same with textbook partials, whose formulas are read.
        names: display names of shown forward nodes and of opened inner nodes.
        adjoint_names: display names of adjoints in ``reading``.
        shown: forward nodes that have a row, opened inner nodes included.
        groups: adjoints in the order of the backward pass.
        closed_forms: w -> gradient over forward names.
        openings: opened operation -> its textbook graph.
    """

    computed: Trace
    reading: Trace
    names: dict[Node, Math]
    adjoint_names: dict[Node, Math]
    shown: tuple[Node, ...]
    groups: tuple[Group, ...]
    closed_forms: dict[Node, Node]
    openings: dict[Node, Opening]


def outline(output: Node, wrt: Sequence[Node], simplify: bool) -> Outline:
    """Differentiate twice, to compute and to read, and decide what gets a row."""
    computed = differentiate(output, wrt)
    reading = differentiate(output, wrt, textbook=True)
    order = topological([output])
    openings = _open(order) if simplify else {}
    shown = _shown(output, order, reading, openings)
    names = _display_names(Names([output]), shown, openings)
    adjoint_names = _adjoint_names(output, shown, reading, names)
    groups = _groups(output, shown, reading, names, adjoint_names, simplify)
    closed = _closed_forms(reading, shown, simplify)
    return Outline(computed, reading, names, adjoint_names, tuple(shown), groups, closed, openings)


def _open(order: Iterable[Node]) -> dict[Node, Opening]:
    with no_scope():
        return {node: node.op.open(node) for node in order if node.op.open is not None}


def _shown(output: Node, order: Sequence[Node], trace: Trace, openings: Mapping[Node, Opening]) -> list[Node]:
    uses = consumers(order)
    depth: dict[Node, int] = {}
    shown: list[Node] = []
    for node in order:
        opening = openings.get(node)
        if opening is not None and opening.inner not in shown:
            shown.append(opening.inner)
        if node.op.name == "constant":
            continue
        nested = 1 + max((depth.get(n, 0) for n in node.inputs), default=0)
        if _stands_inside(node, output, uses[node], trace) and nested < _INLINE_DEPTH:
            depth[node] = nested
        elif node not in shown:
            shown.append(node)
    return shown


def _stands_inside(node: Node, output: Node, uses: Sequence[tuple[Node, int]], trace: Trace) -> bool:
    """Whether a node is written inside the formula of its only consumer: unnamed, and its adjoint says nothing new."""
    if node.op.name == "axis_size":
        return True
    if node is output or node.is_leaf or node.full_name or len(uses) != 1:
        return False
    adjoint = trace.adjoints.get(node)
    return adjoint is None or adjoint is trace.adjoints.get(uses[0][0]) or is_plain_number(adjoint)


def is_plain_number(node: Node) -> bool:
    """Whether a node is made of constants and axis lengths alone, such as 1/N."""
    return all(n.inputs or n.op.name in ("constant", "axis_size") for n in topological([node]))


def _display_names(table: Names, shown: Sequence[Node], openings: Mapping[Node, Opening]) -> dict[Node, Math]:
    taken = {table[node] for node in table}
    inner = {opening.inner: opening.name for opening in openings.values()}
    names: dict[Node, Math] = {}
    for node in shown:
        # A node of the user's own that computes the same as an opened inner node keeps its name.
        name = table.get(node) or _free_name(inner[node], taken)
        taken.add(name)
        names[node] = name_math(name)
    return names


def _free_name(name: str, taken: set[str]) -> str:
    candidates = [name, *(f"{name}{k}" for k in range(2, len(taken) + 3))]
    return next(candidate for candidate in candidates if candidate not in taken)


def _adjoint_names(output: Node, shown: Sequence[Node], trace: Trace, names: Mapping[Node, Math]) -> dict[Node, Math]:
    found: dict[Node, Math] = {}
    for node in reversed(shown):
        adjoint = trace.adjoints.get(node)
        if adjoint is not None and adjoint not in names and not is_plain_number(adjoint):
            found.setdefault(adjoint, partial_symbol(names[output], names[node]))
    return found


def _groups(
    output: Node,
    shown: Sequence[Node],
    trace: Trace,
    names: Mapping[Node, Math],
    adjoint_names: Mapping[Node, Math],
    simplify: bool,
) -> tuple[Group, ...]:
    steps: dict[Node, list[Step]] = {}
    for step in trace.steps:
        steps.setdefault(step.node, []).append(step)
    keep = {*names, *adjoint_names}
    groups = []
    for node in reversed(shown):
        if node in trace.adjoints and node is not output:
            # An adjoint stays whole inside the rows of others and is spelled out in its own.
            own = (
                {trace.adjoints[node]}
                if adjoint_names.get(trace.adjoints[node]) == partial_symbol(names[output], names[node])
                else set()
            )
            groups.append(Group(node, tuple(_shares(steps[node], keep - own, simplify))))
    return tuple(groups)


def _shares(steps: Sequence[Step], keep: set[Node], simplify: bool) -> Iterable[Share]:
    for k, step in enumerate(steps):
        if not step.rule.startswith("chain."):
            continue
        following = steps[k + 1] if k + 1 < len(steps) else None
        summed = following.result if following is not None and following.rule == "unbroadcast" else None
        if not simplify:
            yield Share(step, step.result, step.result, (), summed)
            continue
        simplified = rewrite_graph([step.result], keep=keep)
        rules = tuple(dict.fromkeys(rewrite.rule for rewrite in simplified.rewrites))
        yield Share(step, step.result, simplified.mapping[step.result], rules, summed)


def _closed_forms(trace: Trace, shown: Sequence[Node], simplify: bool) -> dict[Node, Node]:
    if not simplify:
        return dict(trace.gradients)
    mapping = rewrite_graph(trace.gradients.values(), keep=shown).mapping
    return {w: mapping[gradient] for w, gradient in trace.gradients.items()}
