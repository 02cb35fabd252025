"""Ctrl-C between two chunks instead of inside one, so that values, states and history always belong together."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any


class Interrupt:
    """Hold back every Ctrl-C, however often it is pressed; `check` lets it through.

    A chunk takes 10 to 50 ms, and so does Ctrl-C; a single step that takes longer is finished first. In what others
    have written (`guests`), which may never end, the second Ctrl-C is let through at once.
    Outside the main thread, where Python delivers no signals, this does nothing.
    """

    def __init__(self) -> None:
        import signal  # 2 ms, which only training should cost

        self._signal = signal
        self._waiting: tuple[int, FrameType | None] | None = None  # the latest Ctrl-C that was held back
        self._before: Any = None  # the handler to put back; None while this one is not installed
        self._guests = False

    def __enter__(self) -> Interrupt:
        before = self._signal.getsignal(self._signal.SIGINT)
        main = threading.current_thread() is threading.main_thread()
        if main and callable(before) and before != self._hold:
            self._before = before
            self._signal.signal(self._signal.SIGINT, self._hold)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is None:
            return
        waiting, self._waiting = self._waiting, None
        if self._signal.getsignal(self._signal.SIGINT) == self._hold:  # and not what a callback has installed
            self._signal.signal(self._signal.SIGINT, self._before)
        if kind is None and waiting is not None:
            self._before(*waiting)

    def check(self) -> None:
        """Hand a Ctrl-C that came meanwhile to whoever handles it; by default that raises `KeyboardInterrupt`.

        What comes after it, until the training has put everything in order, is held back as before.
        """
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            try:
                self._before(*waiting)
            finally:
                self.__enter__()  # it may have installed another handler

    @contextmanager
    def guests(self) -> Iterator[None]:
        """While a callback or a display runs."""
        self._guests = True
        try:
            yield
        finally:
            self._guests = False

    def _hold(self, number: int, frame: FrameType | None) -> None:
        again = self._waiting is not None
        self._waiting = (number, frame)
        if again and self._guests:
            self.check()
