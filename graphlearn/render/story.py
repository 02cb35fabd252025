"""`Story`: all that a derivation tells, as data. `graphlearn.teach` fills it; `explain` turns it into a `Document`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from graphlearn.calculus.trace import Step
from graphlearn.graph.node import Node
from graphlearn.graph.op import Opening
from graphlearn.render.document import Math
from graphlearn.render.notation import Writer


@dataclass(frozen=True)
class Check:
    """What a comparison with finite differences found.

    Args:
        error: largest difference, relative to the larger of 1 and the size of the gradient.
        ok: whether it is within tolerance.
        projected: whether one random direction was used instead of every entry.
        entries: how many numbers were compared.
        kink: the comparison was not made, because the function is not smooth near these values.
    """

    error: float
    ok: bool
    projected: bool
    entries: int
    kink: bool = False


@dataclass(frozen=True)
class Share:
    """The contribution of one consumer to an adjoint.

    Args:
        step: the chain step.
        expression: what it is, over the names of other adjoints and of forward nodes.
        simplified: the same after simplification.
        rules: the rules that were used for it.
        summed: the result of un-broadcasting, if there was any.
    """

    step: Step
    expression: Node
    simplified: Node
    rules: tuple[str, ...]
    summed: Node | None


@dataclass(frozen=True)
class Group:
    """How the adjoint of one node comes about."""

    node: Node
    shares: tuple[Share, ...]


@dataclass(frozen=True)
class Story:
    """All that a derivation tells.

    Args:
        output: the scalar that was differentiated.
        wrt: what it was differentiated by.
        names: how forward nodes that have a row, and opened inner nodes, are called.
        adjoint_names: how adjoints are called.
        shown: forward nodes that have a row, in order.
        groups: adjoints in the order of the backward pass.
        closed_forms: w -> its gradient over forward names alone.
        openings: opened operation -> the textbook graph behind it.
        values: forward values, opened inner nodes included; empty without ``at``.
        adjoints: forward node -> value of its adjoint; empty without ``at``.
        checks: forward node -> what the comparison with finite differences found.
        random_values: the checks ran at random values because none were given.
        judged: operations whose local derivative SymPy confirmed.
        kinks: operations with a convention that this graph uses.
        updates: leaf -> next value, and its value where values are given.
        sizes: lengths of free axes.
        adjoint_values: named adjoint node -> its value, for formulas with numbers.
        axis_lengths: node of an axis length -> its value, likewise.
        detail: ``"summary"`` or ``"full"``.
    """

    output: Node
    wrt: tuple[Node, ...]
    names: Mapping[Node, Math]
    adjoint_names: Mapping[Node, Math]
    shown: tuple[Node, ...]
    groups: tuple[Group, ...]
    closed_forms: Mapping[Node, Node]
    openings: Mapping[Node, Opening]
    values: Mapping[Node, np.ndarray]
    adjoints: Mapping[Node, np.ndarray]
    checks: Mapping[Node, Check]
    random_values: bool
    judged: tuple[str, ...]
    kinks: tuple[str, ...]
    updates: Mapping[Node, Node] = field(default_factory=dict)
    update_values: Mapping[Node, np.ndarray] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    adjoint_values: Mapping[Node, np.ndarray] = field(default_factory=dict)
    axis_lengths: Mapping[Node, np.ndarray] = field(default_factory=dict)
    detail: str = "full"

    def writer(self, *, adjoints: bool = True) -> Writer:
        """Writes formulas over this story's names; opened operations are spelled as their textbook graph."""
        spelled = {node: opening.graph for node, opening in self.openings.items()}
        return Writer({**self.adjoint_names, **self.names} if adjoints else self.names, spelled)
