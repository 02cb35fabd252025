"""What the user called: the function whose work an error ends, and the nodes that it was given.

An operation is often made of others, and its operands are checked by helpers. The call is found on the stack when
something went wrong, so that nothing has to be handed down, and calls that go well pay nothing.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

from graphlearn.graph.lines import is_ours
from graphlearn.graph.methods import ArrayMethods
from graphlearn.graph.op import NUMPY_BUILDERS

if TYPE_CHECKING:
    from graphlearn.graph.node import Node

_PACKAGE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
_BUILDERS = (os.path.join(_PACKAGE, "graph"), os.path.join(_PACKAGE, "ops"))
_PROTOCOLS = {"__array_ufunc__": "ufunc", "__array_function__": "function"}  # their parameter for NumPy's function
_OPERATORS = {"truediv": "div", "getitem": "indexing"}
_REFLECTED = ("add", "sub", "mul", "truediv", "pow", "mod", "matmul")
_INNER = (
    "apply",
    "as_node",
    "blame",
    "blame_value",
    "build",
    "call",
    "make",
)  # what functions of operations are made of
_DEPTH = 3  # sequences within sequences that are looked through for nodes


class Call(NamedTuple):
    """A call of the user's.

    Args:
        name: what was called, as the user knows it.
        nodes: the nodes among its arguments.
        builds: whether it only puts nodes together: a function of ``ops/``, or an operator.
    """

    name: str
    nodes: tuple[Node, ...]
    builds: bool


def user_call() -> Call | None:
    """The outermost public function of this package between the user's code and here; None where there is none."""
    frame: FrameType | None = sys._getframe(1)
    found: tuple[str, FrameType] | None = None
    builds = True
    while frame is not None and is_ours(frame.f_code.co_filename):
        name = _name_of(frame)
        if name:
            found = name, frame
        builds = builds and frame.f_code.co_filename.startswith((*_BUILDERS, "<"))
        frame = frame.f_back
    return None if found is None else Call(found[0], tuple(_nodes(_arguments(found[1]).values(), _DEPTH)), builds)


def _name_of(frame: FrameType) -> str:
    """What the user calls the function of a frame; empty for one of no name or of ours alone."""
    name = frame.f_code.co_name
    if name == "function" and "op" in frame.f_locals:  # of an elementwise operation: all are one piece of code
        return str(frame.f_locals["op"].name)
    if name in _PROTOCOLS:
        function = frame.f_locals[_PROTOCOLS[name]]
        op = getattr(NUMPY_BUILDERS.get(function), "op", None)  # an operation has one name, whatever NumPy calls it
        return str(function.__name__ if op is None else op.name)
    if name.startswith("__") and isinstance(frame.f_locals.get("self"), ArrayMethods):
        plain = name.strip("_")
        plain = plain[1:] if plain[1:] in _REFLECTED else plain
        return _OPERATORS.get(plain, plain)
    return "" if name.startswith(("_", "<")) or name in _INNER else name.rstrip("_")


def _arguments(frame: FrameType) -> Mapping[str, Any]:
    """What the call was given, by parameter; of NumPy's protocols only what NumPy's function was given."""
    given = inspect.getargvalues(frame)
    if frame.f_code.co_name in _PROTOCOLS:
        return {name: given.locals[name] for name in ("inputs", "args", "kwargs") if name in given.locals}
    names = [*given.args, *filter(None, (given.varargs, given.keywords))]
    return {name: given.locals[name] for name in names if name in given.locals}


def _nodes(values: Iterable[Any], depth: int) -> Iterator[Node]:
    for value in values:
        if isinstance(value, ArrayMethods):
            yield value  # type: ignore[misc]  # of which nodes are the only ones
        elif isinstance(value, (list, tuple)) and depth:
            yield from _nodes(value, depth - 1)
        elif isinstance(value, Mapping) and depth:
            yield from _nodes(value.values(), depth - 1)
