"""`Story`: all that a derivation tells, as data. `graphlearn.teach` fills it; `explain` turns it into a `Document`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from graphlearn.calculus.trace import Step
from graphlearn.graph.node import Node
from graphlearn.graph.op import Opening
from graphlearn.render.document import Math
from graphlearn.render.notation import Writer, scalar_math
from graphlearn.render.numbers import array_math

NUMERIC_WIDTH = 240  # display cells up to which a formula is repeated with numbers in place of names
_ARRAY_WIDTH = 130  # of one array in it; a longer one is shown by its corners, and the formula is left out


@dataclass(frozen=True)
class Check:
    """What a comparison with finite differences found.

    Args:
        error: largest difference, as a part of the size of the gradient; NaN where a number is not finite.
        ok: whether it is within tolerance.
        projected: whether one random direction was used instead of every entry.
        entries: how many numbers were compared.
        kink: the function bends here; the adjoint lies between its slopes on both sides.
        step: whether the step that gives this adjoint is right by itself; if not, an error enters here.
        alone: only the step was compared, and not the adjoint with the output.
        edge: the function has no value on one side; nothing was compared.
    """

    error: float
    ok: bool
    projected: bool
    entries: int
    kink: bool = False
    step: bool = True
    alone: bool = False
    edge: bool = False


@dataclass(frozen=True)
class Product:
    """The derivative through an opened operation as the product of two, and how it becomes the textbook form.

    Args:
        expression: the product as the chain rule gives it.
        rules: the rules that turn it into the share's simplified form.
    """

    expression: Node
    rules: tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """What one entry of a gradient means, borne out by evaluation: a step of the entry changes the output so much.

    Args:
        index: the entry.
        step: by how much it is moved, above 0.
        change: gradient times step; 0 where the output does not change to first order.
    """

    index: tuple[int, ...]
    step: float
    change: float


@dataclass(frozen=True)
class Share:
    """The contribution of one consumer to an adjoint.

    Args:
        step: the chain step.
        expression: what it is, over the names of other adjoints and of forward nodes.
        simplified: the same after simplification.
        rules: the rules that were used for it.
        summed: the result of un-broadcasting, if there was any.
        computed: the contribution as it is computed, after un-broadcasting.
        product: for an opened operation, where recorded simplification leads from the product of its two derivatives to
            ``simplified``.
    """

    step: Step
    expression: Node
    simplified: Node
    rules: tuple[str, ...]
    summed: Node | None
    computed: Node
    product: Product | None = None

    @property
    def read(self) -> Node:
        """The contribution as it is read, after un-broadcasting."""
        return self.step.result if self.summed is None else self.summed


@dataclass(frozen=True)
class Group:
    """How the adjoint of one node comes about."""

    node: Node
    shares: tuple[Share, ...]


@dataclass(frozen=True)
class UpdateRow:
    """One line of an update: the next value of a leaf, or a named value on the way to it."""

    name: Math
    node: Node


@dataclass(frozen=True)
class Story:
    """All that a derivation tells.

    Args:
        output: the scalar that was differentiated.
        wrt: what it was differentiated by.
        full_names: forward nodes that have a row, and opened inner nodes, by the names that the whole house uses.
        names: how the same are written.
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
        refuted: operations whose local derivative SymPy contradicts.
        kinks: operation -> the convention that this graph uses at its kink.
        blocked: what was differentiated by without any derivative -> the operations at which its influence ends.
        updates: the rows of one step of training, each after those that it uses.
        update_names: how leaves, gradients and other rows are called in them.
        sizes: lengths of free axes.
        adjoint_values: named adjoint node -> its value, for formulas with numbers.
        axis_lengths: node of an axis length -> its value, likewise.
        detail: ``"summary"`` or ``"full"``.
        readings: what was differentiated by -> what its largest entry means; none at kinks and singular points.
    """

    output: Node
    wrt: tuple[Node, ...]
    full_names: Mapping[Node, str]
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
    refuted: tuple[str, ...]
    kinks: Mapping[str, str]
    blocked: Mapping[Node, Sequence[Node]] = field(default_factory=dict)
    updates: tuple[UpdateRow, ...] = ()
    update_names: Mapping[Node, Math] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    adjoint_values: Mapping[Node, np.ndarray] = field(default_factory=dict)
    axis_lengths: Mapping[Node, np.ndarray] = field(default_factory=dict)
    detail: str = "full"
    readings: Mapping[Node, Reading] = field(default_factory=dict)

    @cached_property
    def writer(self) -> Writer:
        """Writes formulas over this story's names; opened operations are spelled as their textbook graph."""
        return Writer({**self.adjoint_names, **self.names}, self._spelled)

    @cached_property
    def forward_writer(self) -> Writer:
        """The same without the names of adjoints, which are spelled out."""
        return Writer(self.names, self._spelled)

    @cached_property
    def numeric_writer(self) -> Writer:
        """Writes formulas with numbers in place of names; axis lengths are numbers too."""
        named = {node: self.values[node] for node in self.names if node in self.values}
        return Writer(Numbers({**self.adjoint_values, **named, **self.axis_lengths}))

    @cached_property
    def update_writer(self) -> Writer:
        """Writes updates: leaves, gradients and other rows by name."""
        return Writer(self.update_names)

    @cached_property
    def update_numeric_writer(self) -> Writer:
        """The same with numbers in place of names."""
        return Writer(Numbers({**{node: self.values[node] for node in self.update_names}, **self.axis_lengths}))

    @property
    def _spelled(self) -> dict[Node, Node]:
        return {node: opening.graph for node, opening in self.openings.items()}


def _number(array: np.ndarray) -> Math:
    """An array as it stands in a formula; a single number without the zeros behind it, if it is just that number."""
    if array.shape == () and array.dtype.kind == "f" and float(f"{array:.4g}") == array and 1e-4 <= abs(array) < 1e6:
        return scalar_math(float(array))
    return array_math(array, width=_ARRAY_WIDTH)


class Numbers(Mapping[Node, Math]):
    """Arrays as formulas, each written when it is asked for: a row needs few of them."""

    def __init__(self, arrays: Mapping[Node, np.ndarray]) -> None:
        self._arrays = arrays
        self._written: dict[Node, Math] = {}

    def __getitem__(self, node: Node) -> Math:
        if node not in self._written:
            self._written[node] = _number(np.asarray(self._arrays[node]))
        return self._written[node]

    def __contains__(self, node: object) -> bool:
        return node in self._arrays

    def __iter__(self) -> Iterator[Node]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)
