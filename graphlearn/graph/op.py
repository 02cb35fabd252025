"""What an operation is: one record of its formula, its shape rule, its derivative, its notation and its reference.

This module knows no particular operation; `graphlearn.ops` fills the registry.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from graphlearn.errors import UnsupportedOp
from graphlearn.graph.interning import Table
from graphlearn.types import ArrayType

if TYPE_CHECKING:
    from graphlearn.graph.node import Node

# Binding strengths, weakest first: an operand that binds weaker than its place needs parentheses.
RELATION, SUM, PRODUCT, PREFIX, POWER, CALL, ATOM = 10, 20, 30, 40, 50, 90, 100

Attrs = tuple[tuple[str, Any], ...]
FREE_ATTRIBUTES = ("shape", "axis_name")  # in which the name of a free axis may stand
ULPS = (2.0, 8.0)  # largest errors of an elementwise operation that says nothing else: by the reference, compiled


class Notation(NamedTuple):
    """How an operation is written.

    Args:
        latex: template over ``{0}``, ``{1}``, ... and attribute names; or a function of the node that returns one.
        text: the same for Unicode text.
        binds: binding strength of the whole expression.
        needs: binding strength that each operand must have to stand without parentheses; operands beyond the end need
            none (they stand inside brackets of the template's own); or a function of the node.
        latex_binds: binding strength in LaTeX where it differs: a fraction holds together by its line.
        latex_needs: the operands' needs in LaTeX where they differ.
    """

    latex: str | Callable[[Node], str]
    text: str | Callable[[Node], str]
    binds: int = CALL
    needs: tuple[int, ...] | Callable[[Node], tuple[int, ...]] = ()
    latex_binds: int | None = None
    latex_needs: tuple[int, ...] | None = None


class Opening(NamedTuple):
    """The textbook graph behind an operation, as a derivation shows it.

    Args:
        graph: the same value as the operation, written with ``inner``.
        inner: the node that gets a name of its own, such as ``p = sigmoid(z)``.
        name: that name.
        partial: derivative of ``graph`` by ``inner``, entry by entry, as textbooks write it.
    """

    graph: Node
    inner: Node
    name: str
    partial: Node


class Reach(NamedTuple):
    """Which entries of its operands an operation needs for some entries of its result.

    Args:
        needed: ``needed(node, condition)``: a bool node that broadcasts to the result -> for each operand the entries
            that the result depends on where it holds, as a bool node that broadcasts to the operand (or to a shape that
            the operand was repeated to); None for an operand without derivative.
        factors: what the adjoint multiplies its upstream by: ``"numbers"`` of its own, which no value of an operand
            changes; ``"operands"``: it is linear in each operand, and reads the others; ``"values"``: anything.
    """

    needed: Callable[[Node, Node], Sequence[Node | None]]
    factors: str = "values"


@dataclass(frozen=True, eq=False)
class Op:
    """One operation, defined once.

    Args:
        name: key in the registry.
        kind: ``"leaf"``, ``"intrinsic"``, ``"defined"`` (elementwise from a formula), ``"structural"`` or
            ``"compound"`` (a graph over other ops).
        infer: ``infer(types, **attrs)`` gives the type of the result or raises `ShapeError` or `DTypeError`.
        notation: how it is written.
        reference: ``reference(*arrays, **attrs)`` in NumPy: the meaning of the op.
        partials: elementwise ops: one function ``(m, *inputs, output)`` per input, over an algebra; None where the op
            has no derivative (a condition).
        textbook: elementwise ops: the partials as textbooks write them, where the computed ones differ (equal in exact
            arithmetic; shown in derivations).
        adjoint: other ops: ``adjoint(node, upstream)`` gives one node per input (None: no derivative).
        textbook_adjoint: other ops: the adjoint as textbooks write it, where the computed one differs: without what
            guards it against overflow, zeros and ties; shown in derivations.
        reach: other ops: which entries of the operands some entries of the result need; None: all of them.
        edges: other ops: whether finite operands can have a value or a derivative that is not finite. (Of elementwise
            ops that is found out by trying.)
        formula: elementwise ops: the textbook formula over an algebra.
        kernel: defined ops: what is computed over an algebra: the formula, or another one where that is not accurate
            everywhere.
        expand: compound ops: ``expand(node)`` gives the graph that backends run.
        open: ``open(node)`` gives the textbook graph that derivations show in the node's place.
        inference: what a node of the op becomes once training is over: dropout becomes its operand.
        doc: one sentence that says what it is.
        source: book, paper or equation.
        kink: convention where the derivative does not exist, printed as a footnote.
        kink_where: whether the convention can matter at a node; default: always.
        domain: ``(low, high)`` of inputs for which the op is real and smooth enough to be checked numerically.
        ulps: elementwise ops: the largest errors by the reference and by compiled code, in units in the last place.
        terms: elementwise ops whose terms cancel: the sum of the terms' sizes, over an algebra, of which the errors are
            counted then.
        plain: the nodes of the op that live and have neither attributes nor a name nor a scope, by their operands.
    """

    name: str
    kind: str
    infer: Callable[..., ArrayType]
    notation: Notation
    reference: Callable[..., Any] | None = None
    partials: tuple[Callable[..., Any] | None, ...] = ()
    textbook: tuple[Callable[..., Any] | None, ...] = ()
    adjoint: Callable[[Node, Node], Sequence[Node | None]] | None = None
    textbook_adjoint: Callable[[Node, Node], Sequence[Node | None]] | None = None
    reach: Reach | None = None
    edges: bool = False
    formula: Callable[..., Any] | None = None
    kernel: Callable[..., Any] | None = None
    expand: Callable[[Node], Node] | None = None
    open: Callable[[Node], Opening] | None = None
    inference: Callable[[Node], Node] | None = None
    doc: str = ""
    source: str = ""
    kink: str = ""
    kink_where: Callable[[Node], bool] | None = None
    domain: tuple[float, float] = (-2.0, 2.0)
    ulps: tuple[float, float] = ULPS
    terms: Callable[..., Any] | None = None
    plain: Table = field(default_factory=Table, init=False)

    def __repr__(self) -> str:
        return f"<Op {self.name}>"

    def __reduce__(self) -> tuple[Callable[[str], Op], tuple[str]]:
        return find_op, (self.name,)

    def has_kink(self, node: Node) -> bool:
        """Whether a convention decides some derivative of a node of this op."""
        return bool(self.kink) and (self.kink_where is None or self.kink_where(node))

    def adjoint_rule(self, textbook: bool) -> Callable[[Node, Node], Sequence[Node | None]] | None:
        """The adjoint that is computed, or the one that is read where the op has both.

        Args:
            textbook: take the one that is read.
        """
        return self.textbook_adjoint if textbook and self.textbook_adjoint is not None else self.adjoint

    @cached_property
    def is_elementwise(self) -> bool:
        """Whether the op maps entries to entries, with broadcasting."""
        return self.kind in ("intrinsic", "defined")


OPS: dict[str, Op] = {}
# What NumPy functions and ufuncs build, by the NumPy object; filled by `graphlearn.ops`.
NUMPY_BUILDERS: dict[Any, Callable[..., Node]] = {}
# What to write in place of a NumPy function that has no operation, by its name; filled by `graphlearn.ops`.
NUMPY_CURES: dict[str, str] = {}
# The operations that come with graphlearn, by name; nobody may define these anew. Filled by `graphlearn.ops`.
BUILT_IN: dict[str, Op] = {}


def numpy_name(function: Any) -> str:
    """How a NumPy function is written: ``np.linalg.norm``."""
    module = getattr(function, "__module__", None) or "numpy"
    return f"np{module.removeprefix('numpy') if module in ('numpy.linalg', 'numpy.fft') else ''}.{function.__name__}"


def register(op: Op) -> Op:
    """Put an op into the registry; a second definition of a name serves the nodes made after it."""
    OPS[op.name] = op
    return op


def find_op(name: str) -> Op:
    """The op of this name.

    Raises:
        UnsupportedOp: no such op.
    """
    try:
        return OPS[name]
    except KeyError:
        raise UnsupportedOp(
            f"there is no operation {name!r}. Define it with gl.elementwise({name!r}, formula=...), or compose it from "
            f"{', '.join(sorted(OPS))}."
        ) from None
