"""Warns of gradients that are zero everywhere, because all ways lead through operations that have no derivative."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

from graphlearn.calculus.partials import local_partial
from graphlearn.calculus.reverse import zeros_of
from graphlearn.errors import ZeroGradientWarning
from graphlearn.graph.leaves import INPUT
from graphlearn.graph.lines import calls_to_user
from graphlearn.graph.node import Node, new_node
from graphlearn.graph.scope import no_scope
from graphlearn.graph.traverse import consumers, topological

_NAMED = 3  # operations and outputs that a warning names
# What to do where zeros are meant and no option says so.
IGNORE = "write warnings.simplefilter('ignore', gl.ZeroGradientWarning)"
# What may stand in the place of an operation without derivative.
_CURES = {
    "argmax": "gl.softmax", "argmin": "gl.softmax of minus the array", "sign": "gl.tanh",
    "greater": "gl.sigmoid of the difference", "greater_equal": "gl.sigmoid of the difference",
    "less": "gl.sigmoid of the difference", "less_equal": "gl.sigmoid of the difference",
}  # fmt: skip


def warn_of_zeros(output: Node, gradients: Mapping[Node, Node], *, cure: str) -> None:
    """Warn of each node by which the whole gradient is zero, although it influences the output.

    Args:
        output: what was differentiated.
        gradients: node -> gradient by it.
        cure: what to do where zeros are meant.
    """
    zero = [w for w, gradient in gradients.items() if gradient is zeros_of(w.type)]
    if zero:
        warn_of_blocked([output], zero, what="gradient", cure=cure)


def warn_of_blocked(outputs: Sequence[Node], zero: Sequence[Node], *, what: str, cure: str) -> None:
    """Warn of each node by which all derivatives are zero, although it influences an output.

    Args:
        outputs: what was differentiated.
        zero: nodes by which the whole derivative is zeros.
        what: the name of the derivative.
        cure: what to do where zeros are meant.
    """
    order = topological(outputs)
    present = set(order)
    uses = consumers(order) if zero else {}
    for w in zero:
        ends = ends_of_influence(order, w) if w in present and w not in outputs else []
        ends = [node for node in ends if not _is_derived(node, [use for use, _ in uses[node]])]
        if ends:
            said = ZeroGradientWarning(_message(outputs, w, ends, what, cure), nodes=(*outputs, *ends, w))
            warnings.warn(said, stacklevel=calls_to_user())


def _is_derived(end: Node, uses: Sequence[Node]) -> bool:
    """Whether differentiation made an operation, or made a mask of a comparison: its zeros are the truth.

    The second derivative of relu is 0 by no convention: its first one is flat. What nobody wrote has no line.
    """
    return end.line is None or (end.dtype == "bool" and bool(uses) and all(use.line is None for use in uses))


def _message(outputs: Sequence[Node], w: Node, ends: Sequence[Node], what: str, cure: str) -> str:
    name = w.full_name or repr(w)
    whole = ", ".join(output.full_name or repr(output) for output in outputs[:_NAMED])
    through = ", ".join(_place(node) for node in ends[:_NAMED]) + (", ..." if len(ends) > _NAMED else "")
    cures = list(dict.fromkeys(_CURES[node.op.name] for node in ends if node.op.name in _CURES))
    smooth = f", such as {', '.join(cures)}" if cures else ""
    return (
        f"the {what} of {whole}{', ...' if len(outputs) > _NAMED else ''} by {name!r} is zero everywhere: it has "
        f"influence only through {through}, whose derivative is 0 by convention. Put a smooth operation in its "
        f"place{smooth}; or where zeros are meant, {cure}."
    )


def _place(node: Node) -> str:
    name = f" {node.full_name!r}" if node.full_name else ""
    return f"{node.op.name}{name}{f' ({node.made_at})' if node.made_at else ''}"


def ends_of_influence(order: Sequence[Node], w: Node) -> list[Node]:
    """The operations at which the influence of a node ends for derivatives.

    Args:
        order: a graph, in topological order.
        w: a node of it.
    """
    alive = {w}
    ends = []
    with no_scope():
        for node in order:
            moved = [k for k, operand in enumerate(node.inputs) if operand in alive]
            if moved and node is not w:
                if node.type.is_float and _passes(node, moved):
                    alive.add(node)
                else:
                    ends.append(node)
    return ends


def _passes(node: Node, places: Sequence[int]) -> bool:
    """Whether a derivative goes through an operation to one of these operands."""
    if node.op.is_elementwise:
        return any(not _is_nothing(local_partial(node, k)) for k in places)
    if node.op.adjoint is None:
        return False
    shares = node.op.adjoint(node, new_node(INPUT, (), (), node.type, "", ""))
    return any(shares[k] is not None for k in places)


def _is_nothing(local: Node | float | int | None) -> bool:
    return local is None or (not isinstance(local, Node) and local == 0)
