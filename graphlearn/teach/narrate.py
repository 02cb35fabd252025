"""Outlines a derivation: the trace that is computed, the one that is read, and what each row of the latter says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from graphlearn.calculus.partials import local_partial
from graphlearn.calculus.reverse import differentiate
from graphlearn.calculus.simplify import rewrite_graph
from graphlearn.calculus.trace import Step, Trace
from graphlearn.graph.names import Names
from graphlearn.graph.node import Node, make
from graphlearn.graph.op import Opening
from graphlearn.graph.rewrite import substitute
from graphlearn.graph.scope import no_scope
from graphlearn.render.adjoints import partial_symbol
from graphlearn.render.document import Math
from graphlearn.render.names import name_math
from graphlearn.render.story import Group, Product, Share
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


def outline(
    output: Node, wrt: Sequence[Node], simplify: bool, *, every: bool = False, known: Mapping[Node, str] | None = None
) -> Outline:
    """Differentiate twice, to compute and to read, and decide what gets a row.

    Args:
        output: scalar node.
        wrt: what to differentiate by.
        simplify: lead each row to its textbook form.
        every: give a row to every operation, and open none.
        known: names that unnamed nodes have already.
    """
    computed = differentiate(output, wrt)
    reading = differentiate(output, wrt, textbook=True)
    shown = choose_shown([output], Names([output], known), [reading.adjoints], opened=simplify, every=every)
    names = {node: name_math(name) for node, name in shown.names.items()}
    names |= {w: name_math(w.full_name) for w in wrt if w not in names and w.full_name}
    adjoint_names = _adjoint_names(output, shown.nodes, reading, names)
    groups = _Reader(output, shown, reading, computed, names, adjoint_names, simplify).groups()
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


@dataclass(frozen=True)
class _Reader:
    """Reads a trace row by row; arguments as in `Outline`."""

    output: Node
    shown: Shown
    reading: Trace
    computed: Trace
    names: Mapping[Node, Math]
    adjoint_names: Mapping[Node, Math]
    simplify: bool

    def groups(self) -> tuple[Group, ...]:
        """How the adjoint of each shown node comes about, in the order of the backward pass."""
        steps: dict[Node, list[Step]] = {}
        for step in self.reading.steps:
            steps.setdefault(step.node, []).append(step)
        computed = _contributions(self.computed.steps)
        keep = {*self.names, *self.adjoint_names}
        groups = []
        for node in reversed(self.shown.nodes):
            adjoint = self.reading.adjoints.get(node)
            if adjoint is None or node is self.output:
                continue
            # An adjoint stays whole inside the rows of others and is spelled out in its own.
            symbol = partial_symbol(self.names[self.output], self.names[node])
            own = adjoint in keep and self.adjoint_names.get(adjoint) == symbol
            if own:
                keep.remove(adjoint)
            groups.append(Group(node, tuple(self._shares(steps[node], computed, keep))))
            if own:
                keep.add(adjoint)
        return tuple(groups)

    def _shares(self, steps: Sequence[Step], computed: Contributions, keep: AbstractSet[Node]) -> Iterable[Share]:
        read = _contributions(steps)
        for step in steps:
            if not step.rule.startswith("chain."):
                continue
            place = (step.node, step.consumer, step.argument)
            summed = read[place] if read[place] is not step.result else None
            if not self.simplify:
                yield Share(step, step.result, step.result, (), summed, computed[place])
                continue
            simplified, rules = _simplified(step.result, keep)
            product = self._product(step, simplified, keep) if summed is None else None
            yield Share(step, step.result, simplified, rules, summed, computed[place], product)

    def _product(self, step: Step, simplified: Node, keep: AbstractSet[Node]) -> Product | None:
        """The product of the two derivatives through an opened operation, if it simplifies to the same."""
        opening = self.shown.openings.get(step.consumer) if step.consumer is not None else None
        if opening is None or step.argument != 0 or not opening.inner.op.is_elementwise:
            return None
        with no_scope():
            local = local_partial(opening.inner, 0, textbook=True)
            product = step.contributions[0] * (opening.partial * local)
            # The operation's own derivative holds the inner function without the name that it may have.
            unnamed = make(opening.inner.op, opening.inner.inputs, opening.inner.attrs)
        result, rules = _simplified(product, keep)
        same = substitute([simplified], {unnamed: opening.inner})[simplified]
        return Product(product, rules) if result is same else None


Contributions = Mapping[tuple[Node, Node | None, int | None], Node]


def _contributions(steps: Sequence[Step]) -> Contributions:
    """What each use of a node contributes to its adjoint, after un-broadcasting: by node, consumer and argument."""
    found = {}
    for step in steps:
        if step.rule.startswith("chain.") or step.rule == "unbroadcast":
            found[step.node, step.consumer, step.argument] = step.result
    return found


def _simplified(node: Node, keep: AbstractSet[Node]) -> tuple[Node, tuple[str, ...]]:
    """A node in the form that is read, and the rules that led there."""
    found = rewrite_graph([node], keep=keep)
    return found.mapping[node], tuple(dict.fromkeys(rewrite.rule for rewrite in found.rewrites))


def _closed_forms(trace: Trace, shown: AbstractSet[Node], simplify: bool) -> dict[Node, Node]:
    if not simplify:
        return dict(trace.gradients)
    mapping = rewrite_graph(trace.gradients.values(), keep=shown).mapping
    return {w: mapping[gradient] for w, gradient in trace.gradients.items()}
