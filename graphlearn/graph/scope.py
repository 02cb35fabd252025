"""The scope in force: a path of names under which nodes are made; scopes become clusters in diagrams."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from graphlearn.errors import GraphUseError
from graphlearn.graph.lines import unrecorded

_SCOPE: ContextVar[str] = ContextVar("graphlearn_scope", default="")

current_scope = _SCOPE.get


@contextmanager
def scope(name: str) -> Iterator[str]:
    """Group the nodes made inside ``with gl.scope(name):``; scopes nest, and the full name is ``outer/inner/name``.

    Args:
        name: of the scope; ``"outer/inner"`` is two of them, one inside the other.

    Raises:
        GraphUseError: a name that is empty or not printable.
    """
    if not isinstance(name, str) or not name.isprintable() or not all(part.strip() for part in name.split("/")):
        raise GraphUseError(
            f"a scope needs a printable, non-empty name, or several with / between; got {name!r}. E.g. 'hidden1'."
        )
    outer = _SCOPE.get()
    token = _SCOPE.set(f"{outer}/{name}" if outer else name)
    try:
        yield _SCOPE.get()
    finally:
        _SCOPE.reset(token)


@contextmanager
def no_scope() -> Iterator[None]:
    """Make nodes that belong to no scope and to no line of the user's code, as calculus does."""
    token = _SCOPE.set("")
    try:
        with unrecorded():
            yield
    finally:
        _SCOPE.reset(token)
