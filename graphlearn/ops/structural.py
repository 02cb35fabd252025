"""How structural and compound operations are registered, and the helpers that their rules share."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from graphlearn.errors import GraphUseError
from graphlearn.graph.node import Node, as_node, make
from graphlearn.graph.op import CALL, NUMPY_BUILDERS, Notation, Op, Opening, Reach, numpy_name, register
from graphlearn.types import ArrayType

Adjoint = Callable[[Node, Node], Sequence[Node | None]]
# Options of NumPy's functions that say nothing of a graph, with the values that they may have.
_IDLE: dict[str, tuple[Any, ...]] = {
    "out": (None,),
    "order": ("C", "K", "A"),
    "subok": (True, False),
    "copy": (True, False, None),
    "casting": ("same_kind",),
    "device": (None, "cpu"),
    "optimize": (True, False, "greedy", "optimal"),
    "dtype": (None,),
    "where": (True,),
    "shape": (None,),
    "returned": (False,),
}


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
    """Let a NumPy function on nodes build ``function``.

    Arguments are read as NumPy's own signature places them: the third of `numpy.sum` is its dtype. Options that
    ``function`` lacks are refused by name, but for a default written out, as ``out=None``.

    Args:
        target: NumPy's function.
        function: takes some of its arguments, by NumPy's names.
    """

    @cache  # when it is first called: for some functions NumPy's signature is found by a tokenizer, which takes 3 ms
    def signatures() -> tuple[inspect.Signature, inspect.Signature | None]:
        return inspect.signature(function), _numpy_signature(target)

    def call(*args: Any, **kwargs: Any) -> Any:
        signature, places = signatures()
        accepted = frozenset(signature.parameters)
        if len(args) > 1 and places is not None:
            args, kwargs = (), _placed(target, places, args, kwargs)
        if not accepted.issuperset(kwargs):
            kwargs = _without_defaults(target, accepted, kwargs)
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise GraphUseError(
                f"{numpy_name(target)} on a node needs the arguments {signature}; got others: {error}. Write them in "
                "NumPy's order, or by name."
            ) from None
        return function(*bound.args, **bound.kwargs)

    call.__dict__["__wrapped__"] = function  # whose signature it has
    NUMPY_BUILDERS[target] = call


def _numpy_signature(target: Any) -> inspect.Signature | None:
    """How NumPy places a function's arguments; None where it takes any number of them, or does not say."""
    if isinstance(target, np.ufunc):
        return None
    try:
        found = inspect.signature(target)
    except ValueError:
        return None
    return None if any(p.kind is p.VAR_POSITIONAL for p in found.parameters.values()) else found


def _placed(target: Any, places: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Arguments by NumPy's names."""
    try:
        given = places.bind(*args, **kwargs).arguments
    except TypeError as error:
        raise GraphUseError(f"{numpy_name(target)} needs the arguments {places}; got others: {error}.") from None
    others = next((p.name for p in places.parameters.values() if p.kind is p.VAR_KEYWORD), "")
    return {**{name: value for name, value in given.items() if name != others}, **given.get(others, {})}


def _without_defaults(target: Any, accepted: frozenset[str], kwargs: dict[str, Any]) -> dict[str, Any]:
    """What a builder takes of the arguments given to a NumPy function."""
    idle = {
        name
        for name, value in kwargs.items()
        if any(value is default or (isinstance(value, str) and value == default) for default in _IDLE.get(name, ()))
    }
    extra = sorted(set(kwargs) - accepted - idle)
    if extra:
        raise GraphUseError(
            f"{numpy_name(target)} on a node does not take {', '.join(extra)}; it takes {', '.join(sorted(accepted))}. "
            "Drop it, or compose the result from operations that there are."
        )
    return {name: value for name, value in kwargs.items() if name in accepted}


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
