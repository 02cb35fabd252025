"""How structural and compound operations are registered, and the helpers that their rules share."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from graphlearn.errors import GraphUseError
from graphlearn.graph.node import Node, as_node, make
from graphlearn.graph.op import CALL, NUMPY_BUILDERS, Notation, Op, Opening, Reach, register
from graphlearn.types import ArrayType

Adjoint = Callable[[Node, Node], Sequence[Node | None]]


def structural(
    name: str,
    *,
    infer: Callable[..., ArrayType],
    reference: Callable[..., Any],
    adjoint: Adjoint | None,
    notation: Notation,
    doc: str,
    textbook_adjoint: Adjoint | None = None,
    source: str = "",
    kink: str = "",
    reach: Reach | None = None,
    edges: bool = False,
) -> Op:
    """Register an operation that moves or combines entries; every emitting backend has a row for it.

    An ``adjoint`` of None says that the result is no real number, so that there is no derivative.
    """
    return register(
        Op(
            name,
            "structural",
            infer,
            notation,
            reference=reference,
            adjoint=adjoint,
            textbook_adjoint=textbook_adjoint,
            reach=reach,
            edges=edges,
            doc=doc,
            source=source,
            kink=kink,
        )
    )


def compound(
    name: str,
    *,
    infer: Callable[..., ArrayType],
    reference: Callable[..., Any],
    adjoint: Adjoint | None,
    expand: Callable[[Node], Node],
    notation: Notation,
    doc: str,
    textbook_adjoint: Adjoint | None = None,
    open: Callable[[Node], Opening] | None = None,  # the record's field
    inference: Callable[[Node], Node] | None = None,
    source: str = "",
    kink: str = "",
    reach: Reach | None = None,
    edges: bool = False,
) -> Op:
    """Register an operation that is a graph over others, with an adjoint of its own."""
    return register(
        Op(
            name,
            "compound",
            infer,
            notation,
            reference=reference,
            adjoint=adjoint,
            textbook_adjoint=textbook_adjoint,
            expand=expand,
            open=open,
            inference=inference,
            reach=reach,
            edges=edges,
            doc=doc,
            source=source,
            kink=kink,
        )
    )


def build(op: Op, inputs: Sequence[Any], **attrs: Any) -> Node:
    """The node of an op on nodes, numbers or arrays."""
    return make(op, tuple([as_node(x) for x in inputs]), tuple(sorted(attrs.items())))


def numpy_builder(target: Any, function: Callable[..., Any]) -> None:
    """Let a NumPy function on nodes build ``function``; options that it lacks are refused by name."""
    signature = inspect.signature(function)
    accepted = set(signature.parameters)

    def call(*args: Any, **kwargs: Any) -> Any:
        extra = set(kwargs) - accepted
        if extra:
            raise GraphUseError(
                f"np.{target.__name__} on a node does not take {', '.join(sorted(extra))}. It takes "
                f"{', '.join(sorted(accepted))}."
            )
        return function(*args, **kwargs)

    call.__dict__["__signature__"] = signature
    NUMPY_BUILDERS[target] = call


def reduction_notation(name: str, latex: str) -> Notation:
    """``max(x, axis=1)``, and the axes as an index in LaTeX."""
    return Notation(
        lambda n: latex + _latex_axes(n) + r"\left({0}\right)", lambda n: f"{name}({{0}}{axis_text(n)})", CALL
    )


def _latex_axes(node: Node) -> str:
    text = axis_text(node)
    return f"_{{{{\\text{{{{{text[2:]}}}}}}}}}" if text else ""


def axis_text(node: Node) -> str:
    """``, axis=1`` for a reduction that leaves an axis, else nothing."""
    axes = node.attr("axis")
    if isinstance(axes, int):
        return f", axis={axes}"
    if len(axes) == node.inputs[0].ndim:
        return ""
    return f", axis={axes[0] if len(axes) == 1 else axes}"
