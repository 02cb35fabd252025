"""Decides which scopes of a diagram are folded to one card each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphlearn.errors import OptionError, UnknownNameError
from graphlearn.graph.node import Node

MANY = 200  # cards up to which a diagram is drawn whole: beyond that nobody reads them, and layout takes seconds

Collapse = bool | str | Sequence[str] | None


def choose_folds(nodes: Sequence[Node], collapse: Collapse) -> dict[Node, str]:
    """The nodes that are drawn inside the card of a scope.

    Args:
        nodes: shown nodes.
        collapse: None folds scopes where there would be more than 200 cards, as few as it takes; True folds every
            outermost scope; False none; a name or several fold those scopes.

    Returns:
        node -> the folded scope.

    Raises:
        UnknownNameError: no shown node lies in a scope of this name.
        OptionError: ``collapse`` is something else.
    """
    if collapse is None:
        return _as_few_as_needed(nodes)
    if isinstance(collapse, bool):
        return _at_depth(nodes, 1) if collapse else {}
    wanted = [collapse] if isinstance(collapse, str) else collapse
    if not isinstance(wanted, Iterable) or not all(isinstance(scope, str) for scope in wanted):
        raise OptionError(f"collapse needs True, False, None, or names of scopes; got {collapse!r}.")
    known = dict.fromkeys(scope for node in nodes for scope in _around(node))
    for scope in wanted:
        if scope not in known:
            raise UnknownNameError(
                f"collapse names the scope {scope!r}, which the graph does not have. "
                f"Its scopes are: {', '.join(known) or '(none)'}."
            )
    folds: dict[Node, str] = {}
    for node in nodes:
        # Of two nested scopes the outer one holds the card.
        inside = [scope for scope in _around(node) if scope in wanted]
        if inside:
            folds[node] = inside[0]
    return folds


def _around(node: Node) -> list[str]:
    """The scopes around a node, outermost first."""
    parts = node.scope.split("/") if node.scope else []
    return ["/".join(parts[: k + 1]) for k in range(len(parts))]


def _at_depth(nodes: Iterable[Node], depth: int) -> dict[Node, str]:
    return {node: scopes[depth - 1] for node in nodes if len(scopes := _around(node)) >= depth}


def _as_few_as_needed(nodes: Sequence[Node]) -> dict[Node, str]:
    """Fold the innermost scopes first, until few enough cards are left."""
    folds: dict[Node, str] = {}
    for depth in range(max((len(_around(n)) for n in nodes), default=0), 0, -1):
        if len(nodes) - len(folds) + len(set(folds.values())) <= MANY:
            break
        folds = _at_depth(nodes, depth)
    return folds
