"""The table of nodes that live, so that equal unnamed subexpressions are one object.

A dictionary of weak references, since `weakref.WeakValueDictionary` takes twice as long for each node.
"""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

Key = tuple[Any, ...]
Interned = TypeVar("Interned")


class _Entry(weakref.ref[Any]):
    """A weak reference that knows its place in the table."""

    __slots__ = ("key",)
    key: Key


TABLE: dict[Key, _Entry] = {}
# Reentrant: an object may die, and `_forget` run, wherever Python collects garbage, also inside `enter`.
_LOCK = threading.RLock()


def enter(key: Key, fresh: Interned) -> Interned:
    """Put an object into the table; returns the one that another thread may have entered meanwhile.

    Args:
        key: what makes two objects equal; hashable.
        fresh: the object, which the table does not keep alive.
    """
    entry = _Entry(fresh, _forget)
    entry.key = key
    # One step of Python's own, so no other thread comes between: it never takes an entry away, not even a dead one.
    if TABLE.setdefault(key, entry) is entry:
        return fresh
    with _LOCK:
        first: Interned | None = TABLE.setdefault(key, entry)()
        if first is None:
            TABLE[key] = entry
            return fresh
        return first


def _forget(entry: _Entry) -> None:
    with _LOCK:
        # A younger object may stand in the dead one's place.
        if TABLE.get(entry.key) is entry:
            del TABLE[entry.key]


@contextmanager
def quiet_collector() -> Iterator[None]:
    """Pause the cyclic garbage collector: a graph has no cycles, and scanning its nodes costs more than making them."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
