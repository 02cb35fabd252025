"""`Scene`: all that a diagram of a graph shows, as data, and how it names what it shows. `graphlearn.teach` fills it.

Rule: a card says what a row of the derivation says, in the same names. Only the names of a card's own scope are written
without that scope, since the frame around the card says it already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from graphlearn.graph.node import Node
from graphlearn.graph.op import Opening
from graphlearn.render.adjoints import partial_symbol
from graphlearn.render.document import Math
from graphlearn.render.names import name_math
from graphlearn.render.notation import Writer
from graphlearn.render.story import Group

_PRIME = "′"  # the next value of W is written W′


@dataclass(frozen=True)
class Slopes:
    """What a diagram shows of the backward pass.

    Args:
        output: the scalar that was differentiated.
        active: shown nodes that have an adjoint, opened inner nodes included.
        adjoints: node of an adjoint -> the forward node that it belongs to.
        groups: forward node -> how its adjoint comes about, for formulas where there are no values.
        flows: (node, consumer) for each use of the chain rule.
        values: shown node -> value of its adjoint; empty without values.
    """

    output: Node
    active: frozenset[Node]
    adjoints: Mapping[Node, Node]
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
        nodes: shown nodes in topological order, opened inner nodes and the leaves of updates included.
        names: shown node -> full name.
        openings: opened operation -> its textbook graph.
        values: shown node -> value; empty without values.
        slopes: the backward pass, if there is any.
        updates: leaf -> its next value.
        between: shown nodes that only the updates use.
        folds: shown node, or next value -> the scope whose card it is drawn in.
        problem: an error that the graph broke with.
    """

    roots: tuple[Node, ...]
    nodes: tuple[Node, ...]
    names: Mapping[Node, str]
    openings: Mapping[Node, Opening] = field(default_factory=dict)
    values: Mapping[Node, np.ndarray] = field(default_factory=dict)
    slopes: Slopes | None = None
    updates: Mapping[Node, Node] = field(default_factory=dict)
    between: frozenset[Node] = frozenset()
    folds: Mapping[Node, str] = field(default_factory=dict)
    problem: Problem | None = None

    # --- what uses what -----------------------------------------------------------------------------------------------

    @cached_property
    def uses(self) -> dict[Node, tuple[Node, ...]]:
        """Shown node -> the shown nodes that its formula names."""
        return {node: self.sources(node) for node in self.nodes}

    @cached_property
    def users(self) -> dict[Node, list[Node]]:
        """Shown node -> the shown nodes whose formulas name it."""
        found: dict[Node, list[Node]] = {}
        for node, sources in self.uses.items():
            for source in sources:
                found.setdefault(source, []).append(node)
        return found

    def sources(self, node: Node) -> tuple[Node, ...]:
        """What the formula of a node names: shown nodes, and in updates also adjoints and other next values."""
        if node in self._shown and node not in self.between:
            return self._walk(node)[0]
        return self._walk(node, {*self.leaf_of, *(self.slopes.adjoints if self.slopes else ())})[0]

    def carries_adjoint(self, source: Node, node: Node) -> bool:
        """Whether the chain rule leads from a shown node back to one that its formula names."""
        slopes = self.slopes
        if slopes is None or source not in slopes.active or node not in slopes.active:
            return False
        hidden = {node, *self._walk(node)[1]}
        # Through a loss whose inner function is shown, the one step of the chain rule is drawn as two.
        inside = {op for op in hidden if op in self.openings}
        if any(self.openings[op].inner is source for op in inside):
            return True
        through = hidden | {op for op, opening in self.openings.items() if opening.inner is node}
        return any((source, consumer) in slopes.flows for consumer in through)

    def _walk(self, node: Node, also: frozenset[Node] | set[Node] = frozenset()) -> tuple[tuple[Node, ...], list[Node]]:
        """The shown nodes that a formula names, and the operations that it spells out."""
        found: dict[Node, None] = {}
        hidden: list[Node] = []
        seen: set[Node] = set()
        stack = [*self._operands(node)[::-1]]
        while stack:
            inner = stack.pop()
            if inner in seen:
                continue
            seen.add(inner)
            if inner in self._shown or inner in also:
                found[inner] = None
            else:
                hidden.append(inner)
                stack.extend(self._operands(inner)[::-1])
        return tuple(found), hidden

    def _operands(self, node: Node) -> tuple[Node, ...]:
        return self.openings[node].graph.inputs if node in self.openings else node.inputs

    @cached_property
    def _shown(self) -> frozenset[Node]:
        return frozenset(self.nodes)

    @cached_property
    def leaf_of(self) -> dict[Node, Node]:
        """Next value -> the leaf that it is for."""
        return {node: leaf for leaf, node in self.updates.items()}

    # --- names --------------------------------------------------------------------------------------------------------

    def key(self, node: Node) -> str:
        """The card that a shown node is drawn in; a folded scope's ends with a slash, as no node's does."""
        return f"{self.folds[node]}/" if node in self.folds else self.names[node]

    def update_key(self, leaf: Node) -> str:
        """The card of a leaf's next value, or of the folded scope that holds it."""
        fold = self.folds.get(self.updates[leaf])
        return f"{self.names[leaf]}{_PRIME}" if fold is None else f"{fold}/"

    def name(self, node: Node, scope: str) -> Math:
        """How a shown node is called on a card of a scope."""
        return self._local(scope).get(node) or self._names[node]

    def adjoint_name(self, node: Node, scope: str) -> Math:
        """How the adjoint of a shown node is called on a card of a scope.

        Args:
            node: a node of ``slopes.active``.
            scope: of the card.
        """
        top = self.roots[0] if self.slopes is None else self.slopes.output
        return partial_symbol(self._names[top], self.name(node, scope))

    def update_name(self, leaf: Node, scope: str) -> Math:
        """How the next value of a leaf is called on a card of a scope: ``W′``."""
        name = self.name(leaf, scope)
        return Math(name.text + _PRIME, name.latex + "'")

    def writer(self, scope: str) -> Writer:
        """Writes formulas for the cards of a scope."""
        return Writer(self._table(scope), {node: opening.graph for node, opening in self.openings.items()})

    def update_writer(self, scope: str, own: Node) -> Writer:
        """The same for the next value ``own``, which is spelled out; other next values are called by name."""
        table = dict(self._table(scope))
        table |= {node: self.update_name(leaf, scope) for node, leaf in self.leaf_of.items() if node not in table}
        if own not in self._names and (self.slopes is None or own not in self.slopes.adjoints):
            table.pop(own, None)
        return Writer(table)

    @cached_property
    def _names(self) -> dict[Node, Math]:
        return {node: name_math(name) for node, name in self.names.items()}

    @cached_property
    def _by_scope(self) -> dict[str, dict[Node, Math]]:
        """For each scope the names of what lies in it, without the scope."""
        near: dict[str, dict[Node, Math]] = {}
        for node, name in self.names.items():
            parts = node.scope.split("/") if node.scope else []
            for depth in range(1, len(parts) + 1):
                scope = "/".join(parts[:depth])
                if name.startswith(scope + "/"):
                    near.setdefault(scope, {})[node] = name_math(name[len(scope) + 1 :])
        return near

    def _local(self, scope: str) -> Mapping[Node, Math]:
        return self._by_scope.get(scope, {})

    def _table(self, scope: str) -> Mapping[Node, Math]:
        if scope not in self._tables:
            local = self._local(scope)
            slopes = self.slopes
            adjoints = {} if slopes is None else {a: self.adjoint_name(n, scope) for a, n in slopes.adjoints.items()}
            self._tables[scope] = {**adjoints, **self._names, **local}
        return self._tables[scope]

    @cached_property
    def _tables(self) -> dict[str, dict[Node, Math]]:
        return {}
