"""Errors that say whose operands did not fit: names, types, and the line of the user's code."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from graphlearn.errors import GraphLearnError
from graphlearn.graph.caller import user_call
from graphlearn.graph.lines import user_location

if TYPE_CHECKING:
    from graphlearn.graph.node import Node

_LISTED = "\n  operands of "


def blame(error: GraphLearnError, what: str, operands: tuple[Node, ...]) -> GraphLearnError:
    """The same error with the operands' names and types, and the line of the user's code.

    Where the operation is made of others, what one of those listed gives way: its operands are not the user's. So does
    its name, where the user called another function that did nothing but build.

    Args:
        error: says what was needed and what came.
        what: the operation.
        operands: what it was applied to; they are added to the error's nodes.
    """
    said = error.message.split(_LISTED)[0]
    call = user_call()
    if call is not None and call.builds and call.nodes:
        if what.split(".")[-1] != call.name:  # not np.sum, which says more than sum
            said, what = _renamed(said, what, call.name), call.name
        if not operands or any(n.inputs and n not in call.nodes for n in operands):
            operands = call.nodes
    return _with_operands(error, said, what, operands)


def blame_value(error: GraphLearnError, what: str) -> GraphLearnError:
    """The error of a value that no constant can be made of, with the function that was given it and its nodes.

    Args:
        error: says what was needed and what came.
        what: what the error calls that function.
    """
    call = user_call()
    if call is None or call.name == "constant":
        return _with_operands(error, error.message, what, ())
    return _with_operands(error, _renamed(error.message, what, call.name), call.name, call.nodes)


def _renamed(said: str, old: str, new: str) -> str:
    return new + said.removeprefix(old) if said.startswith(f"{old} ") else said


def _with_operands(error: GraphLearnError, said: str, what: str, operands: tuple[Node, ...]) -> GraphLearnError:
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
