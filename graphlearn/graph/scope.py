"""The scope in force: a path of names under which nodes are made; scopes become clusters in diagrams."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from graphlearn.errors import GraphUseError

_SCOPE: ContextVar[str] = ContextVar("graphlearn_scope", default="")
_PACKAGE = str(pathlib.Path(__file__).resolve().parents[1])

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
    """Make nodes that belong to no scope, as calculus does."""
    token = _SCOPE.set("")
    try:
        yield
    finally:
        _SCOPE.reset(token)


def user_location() -> str:
    """``, at file.py:12`` for the innermost frame outside this package; empty when there is none."""
    frame = sys._getframe(1)
    while frame is not None:
        filename = frame.f_code.co_filename
        if not filename.startswith(_PACKAGE) and not filename.startswith("<"):
            return f", at {pathlib.Path(filename).name}:{frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]  # ends with None
    return ""
