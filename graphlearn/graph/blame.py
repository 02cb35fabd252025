"""Errors that say whose operands did not fit: names, types, and the line of the user's code."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from graphlearn.errors import GraphLearnError
from graphlearn.graph.lines import user_location

if TYPE_CHECKING:
    from graphlearn.graph.node import Node

_LISTED = "\n  operands of "


def blame(error: GraphLearnError, what: str, operands: tuple[Node, ...]) -> GraphLearnError:
    """The same error with the operands' names and types, and the line of the user's code.

    Where the operation is made of others, what one of those listed gives way: its operands are not the user's.

    Args:
        error: says what was needed and what came.
        what: the operation.
        operands: what it was applied to; they are added to the error's nodes.
    """
    said = error.message.split(_LISTED)[0]
    listed = ", ".join(f"{n.full_name or 'unnamed ' + n.op.name}: {n.type}" for n in operands)
    place = user_location()
    text = f"{said}{_LISTED}{what}: {listed}{place}" if operands else "\n  ".join(filter(None, [said, place[2:]]))
    return type(error)(text, nodes=(*error.nodes, *operands))


class blaming:  # reads as `with blaming("reshape", x):`
    """A block whose errors name the operands; for checks that come before a node is made.

    Args:
        what: the operation.
        operands: what it is applied to.
    """

    __slots__ = ("_operands", "_what")

    def __init__(self, what: str, *operands: Node) -> None:
        self._what = what
        self._operands = operands

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, GraphLearnError):
            raise blame(error, self._what, self._operands) from None
