"""Outlines a derivation: the trace that is computed, the one that is read, and what each row of the latter says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from graphlearn.calculus.reverse import differentiate
from graphlearn.calculus.simplify import rewrite_graph
from graphlearn.calculus.trace import Step, Trace
from graphlearn.graph.names import Names
from graphlearn.graph.node import Node
from graphlearn.graph.op import Opening
from graphlearn.render.adjoints import partial_symbol
from graphlearn.render.document import Math
from graphlearn.render.names import name_math
from graphlearn.render.story import Group, Share
from graphlearn.teach.shown import Shown, choose_shown, plain_numbers


@dataclass(frozen=True)
class Outline:
    """The part of a story that needs no values.

    Args:
        computed: the trace whose gradients are computed and checked.
        reading: the same with textbook partials, whose formulas are read.
        shown: forward nodes that have a row, with their full names.
        names: display names of shown forward nodes and of opened inner nodes.
        adjoint_names: display names of adjoints in ``reading``.
        groups: adjoints in the order of the backward pass.
        closed_forms: w -> gradient over forward names.
    """

    computed: Trace
    reading: Trace
    shown: Shown
    names: dict[Node, Math]
    adjoint_names: dict[Node, Math]
    groups: tuple[Group, ...]
    closed_forms: dict[Node, Node]

    @property
    def openings(self) -> dict[Node, Opening]:
        """Opened operation -> the textbook graph behind it."""
        return self.shown.openings


def outline(output: Node, wrt: Sequence[Node], simplify: bool, *, every: bool = False) -> Outline:
    """Differentiate twice, to compute and to read, and decide what gets a row.

    Args:
        output: scalar node.
        wrt: what to differentiate by.
        simplify: lead each row to its textbook form.
        every: give a row to every operation, and open none.
    """
    computed = differentiate(output, wrt)
    reading = differentiate(output, wrt, textbook=True)
    shown = choose_shown([output], Names([output]), [reading.adjoints], opened=simplify, every=every)
    names = {node: name_math(name) for node, name in shown.names.items()}
    adjoint_names = _adjoint_names(output, shown.nodes, reading, names)
    groups = _groups(output, shown.nodes, reading, names, adjoint_names, simplify)
    closed = _closed_forms(reading, set(shown.nodes), simplify)
    return Outline(computed, reading, shown, names, adjoint_names, groups, closed)


def _adjoint_names(output: Node, shown: Sequence[Node], trace: Trace, names: Mapping[Node, Math]) -> dict[Node, Math]:
    adjoints = [trace.adjoints[node] for node in shown if node in trace.adjoints]
    plain = plain_numbers(adjoints)
    found: dict[Node, Math] = {}
    for node in reversed(shown):
        adjoint = trace.adjoints.get(node)
        if adjoint is not None and adjoint not in names and adjoint not in plain:
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
        adjoint = trace.adjoints.get(node)
        if adjoint is None or node is output:
            continue
        # An adjoint stays whole inside the rows of others and is spelled out in its own.
        own = adjoint in keep and adjoint_names.get(adjoint) == partial_symbol(names[output], names[node])
        if own:
            keep.remove(adjoint)
        groups.append(Group(node, tuple(_shares(steps[node], keep, simplify))))
        if own:
            keep.add(adjoint)
    return tuple(groups)


def _shares(steps: Sequence[Step], keep: AbstractSet[Node], simplify: bool) -> Iterable[Share]:
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


def _closed_forms(trace: Trace, shown: AbstractSet[Node], simplify: bool) -> dict[Node, Node]:
    if not simplify:
        return dict(trace.gradients)
    mapping = rewrite_graph(trace.gradients.values(), keep=shown).mapping
    return {w: mapping[gradient] for w, gradient in trace.gradients.items()}
