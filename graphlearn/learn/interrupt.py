"""Ctrl-C between two chunks instead of inside one, so that values, states and history always belong together."""

from __future__ import annotations

import threading
from types import FrameType, TracebackType
from typing import Any


class Interrupt:
    """Hold back Ctrl-C while a chunk runs; `check` lets it through. A second Ctrl-C is not held back.

    Outside the main thread, where Python delivers no signals, this does nothing.
    """

    def __init__(self) -> None:
        import signal  # 2 ms, which only training should cost

        self._signal = signal
        self._waiting = False
        self._before: Any = None  # the handler to put back; None while this one is not installed

    def __enter__(self) -> Interrupt:
        before = self._signal.getsignal(self._signal.SIGINT)
        if threading.current_thread() is threading.main_thread() and callable(before):
            self._signal.signal(self._signal.SIGINT, self._hold)
            self._before = before
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()
        if kind is None and self._waiting:
            self._signal.raise_signal(self._signal.SIGINT)

    def check(self) -> None:
        """Hand a Ctrl-C that came meanwhile to whoever handles it; by default that raises `KeyboardInterrupt`."""
        if self._waiting:
            self._waiting = False
            self._restore()
            self._signal.raise_signal(self._signal.SIGINT)
            self.__enter__()

    def _hold(self, number: int, frame: FrameType | None) -> None:
        if self._waiting:
            self._restore()
            self._signal.raise_signal(self._signal.SIGINT)
        self._waiting = True

    def _restore(self) -> None:
        if self._before is not None:
            self._signal.signal(self._signal.SIGINT, self._before)
            self._before = None
