"""The tables of nodes that live, so that equal unnamed subexpressions are one object.

Dictionaries of weak references, since `weakref.WeakValueDictionary` takes twice as long for each node. Most nodes are
an operation on operands and nothing else: these lie in a table of their operation, by the tuple of operands that they
hold anyway. A key of their own would be one object more for each, which the garbage collector visits again and again.
"""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

Key = Hashable
Interned = TypeVar("Interned")


class _Entry(weakref.ref[Any]):
    """A weak reference that knows its place in the table."""

    __slots__ = ("key",)
    key: Key


# Reentrant: an object may die, and be forgotten, wherever Python collects garbage, also inside `enter`.
_LOCK = threading.RLock()


class Table(dict[Key, _Entry]):
    """Objects that live, by what makes them equal; it does not keep them alive."""

    __slots__ = ("_forget",)

    def __init__(self) -> None:
        super().__init__()
        self._forget = self._drop  # once: made anew it would be an object for each entry

    def enter(self, key: Key, fresh: Interned) -> Interned:
        """Put an object into the table; returns the one that another thread may have entered meanwhile.

        Args:
            key: what makes two objects equal; hashable.
            fresh: the object.
        """
        entry = _Entry(fresh, self._forget)
        entry.key = key
        # One step of Python's own, so no other thread comes between: it never takes an entry away, not even a dead one.
        if self.setdefault(key, entry) is entry:
            return fresh
        with _LOCK:
            first: Interned | None = self.setdefault(key, entry)()
            if first is None:
                self[key] = entry
                return fresh
            return first

    def _drop(self, entry: _Entry, lock: Any = _LOCK) -> None:
        # The lock is an argument: where objects outlive the modules, at the end of a process, globals are None.
        with lock:
            # A younger object may stand in the dead one's place.
            if self.get(entry.key) is entry:
                del self[entry.key]


TABLE = Table()  # of nodes with attributes, a name or a scope, and of leaves made from leaves


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
