"""Recorded simplification: a new graph, and which rule made which node of which."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from graphlearn.calculus.rules import KINDS, RULES, Rule
from graphlearn.graph.leaves import INPUT
from graphlearn.graph.node import Node, new_node, rebuild
from graphlearn.graph.options import check_choice, check_sequence
from graphlearn.graph.origin import remember_origin
from graphlearn.graph.rewrite import substitute
from graphlearn.graph.scope import no_scope
from graphlearn.graph.streams import carry_streams
from graphlearn.graph.traverse import require_node, topological, topological_above
from graphlearn.ops.formulas import STABILISERS

_PASSES = 32  # applications of rules at one node; each makes the expression smaller, so few are ever needed


class Rewrite(NamedTuple):
    """One application of a rule: ``rule`` made ``new`` of ``old``.

    Args:
        rule: its name.
        kind: ``"exact"`` or ``"stabilising"``.
        old: the node before; what lies below it is simplified already.
        new: what took its place, itself perhaps simplified further by the next rewrite.
        source: the node of the given graph that was being simplified.
    """

    rule: str
    kind: str
    old: Node
    new: Node
    source: Node


class Simplified(NamedTuple):
    """A simplified graph.

    Args:
        mapping: old node -> new node.
        rewrites: every application of a rule, in order.
    """

    mapping: dict[Node, Node]
    rewrites: tuple[Rewrite, ...]


def rewrite_graph(roots: Iterable[Node], *, kinds: Sequence[str] = KINDS, keep: Iterable[Node] = ()) -> Simplified:
    """Simplify a graph, inputs first, until no rule applies.

    Args:
        roots: outputs.
        kinds: which rules may be used.
        keep: nodes that stay as they are, such as those that a derivation refers to by name; what lies below them is
            not visited, and no rule sees what they are made of.

    Returns:
        The new graph and how it came about. Every new node has the shape and dtype of the old one.
    """
    top = tuple(roots)
    fixed = keep if isinstance(keep, (set, frozenset)) else set(keep)  # a large set is not copied for each small graph
    rewriting = _Rewriting(_rules_by_op(tuple(kinds)), fixed)
    mapping: dict[Node, Node] = {}
    with no_scope():
        for node in topological_above(top, fixed):
            if node in fixed:
                mapping[node] = rewriting.close(node)
                continue
            fresh = rebuild(node, tuple([mapping[n] for n in node.inputs]))
            mapping[node] = fresh if fresh.is_leaf else rewriting.settle(fresh, node)
        done = rewriting.finish(mapping)
    if not fixed:
        carry_streams(done.mapping, top)
    return done


@functools.cache
def _rules_by_op(kinds: tuple[str, ...]) -> dict[str, tuple[Rule, ...]]:
    """The rules that may apply at each operation, in the order of the table; at others those of ``"*"``."""
    rules = [rule for rule in RULES if rule.kind in kinds]
    names = {name for rule in rules for name in rule.ops}
    return {name: tuple(rule for rule in rules if {name, "*"} & set(rule.ops)) for name in names | {"*"}}


class _Rewriting:
    """The state of one simplification.

    Args:
        rules: by operation.
        kept: nodes that stay as they are.
    """

    def __init__(self, rules: dict[str, tuple[Rule, ...]], kept: Collection[Node]) -> None:
        self._rules = rules
        self._kept = kept
        self._done: dict[Node, Node] = {}
        self._rewrites: list[Rewrite] = []
        self._opened: dict[Node, Node] = {}  # leaf -> the kept node that it stands for

    def close(self, node: Node) -> Node:
        """A leaf in the place of a kept node, so that no rule sees what it is made of; a leaf stays."""
        if node.is_leaf:
            return node
        if node not in self._done:
            leaf = new_node(INPUT, (), (), node.type, "", "")
            self._opened[leaf] = node
            self._done[node] = self._done[leaf] = leaf
        return self._done[node]

    def settle(self, node: Node, source: Node) -> Node:
        """Apply rules at one node, and at the nodes that they make, until none applies."""
        start = node
        for _ in range(_PASSES):
            if node in self._done or node in self._kept:
                break
            found = self._apply_one(node)
            if found is None:
                break
            rule, new = found
            self._rewrites.append(Rewrite(rule.name, rule.kind, node, new, source))
            # A replacement may hold new nodes below its top, to which rules apply as well.
            settled = tuple([n if n.is_leaf or n in self._done else self.settle(n, source) for n in new.inputs])
            node = new if new in self._kept else rebuild(new, settled)
        if node in self._kept:
            node = self.close(node)
        elif node in self._done:
            node = self._done[node]
        self._done[start] = self._done[node] = node
        return node

    def _apply_one(self, node: Node) -> tuple[Rule, Node] | None:
        for rule in self._rules.get(node.op.name, self._rules["*"]):
            new = rule.apply(node)
            if new is not None:
                return rule, new
        return None

    def finish(self, mapping: dict[Node, Node]) -> Simplified:
        """The result, with the kept nodes themselves in the place of the leaves that stood for them."""
        rewrites = tuple(self._rewrites)
        if not self._opened:
            return Simplified(mapping, rewrites)
        nodes = [*mapping.values(), *(n for rewrite in rewrites for n in (rewrite.old, rewrite.new))]
        back = substitute(nodes, self._opened)
        recorded = tuple(Rewrite(r.rule, r.kind, back[r.old], back[r.new], r.source) for r in rewrites)
        return Simplified({old: back[new] for old, new in mapping.items()}, recorded)


def simplify(node: Node, *, kinds: Sequence[str] = KINDS) -> Node:
    """An equal graph (in exact arithmetic) that is shorter to read, and that computes no less accurately.

    Args:
        node: output of any shape.
        kinds: which rules: ``"exact"`` ones are equal in exact arithmetic, where both forms are defined;
            ``"stabilising"`` ones are also at least as accurate in floating point, up to 4 units in the last place.
            `Model.fit` applies the latter.

    Returns:
        A node of the same shape and dtype. `gl.rewrites` also tells which rules were used.

    Raises:
        OptionError: no such kind.
        GraphUseError: something else than a node.

    Example:
        >>> import graphlearn as gl
        >>> z = gl.input("z", 3)
        >>> gl.simplify(gl.log(gl.exp(z) / gl.sum(gl.exp(z))))
        <log_softmax float64[3]>
    """
    output = require_node(node, "simplify")
    for kind in check_sequence(kinds, "simplify with kinds=", f"Write kinds={KINDS}, or one of these."):
        check_choice(kind, KINDS, "each of kinds")
    short = rewrite_graph([output], kinds=kinds).mapping[output]
    remember_origin([short], topological([output]))  # whoever binds by name need not know what dropped out
    return short


def _stable(node: Node) -> Node:
    return rewrite_graph([node], kinds=("stabilising",)).mapping[node]


STABILISERS.append(_stable)
