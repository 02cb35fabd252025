"""Lines of the user's code: where a node was made, found cheaply enough (0.4 us) to be kept for every node."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import CodeType, FrameType

# A piece of code and the offset of an instruction in it: the number of the line is worked out when it is asked for.
Line = tuple[CodeType, int]

_PACKAGE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
_NOT_USERS = ("<frozen", "<__array_function__")
_MOST = 4096  # lines that are kept as one object each; a loop makes many nodes in one line
_OURS: dict[str, bool] = {}
_SEEN: dict[tuple[int, int], Line] = {}
_QUIET: ContextVar[bool] = ContextVar("graphlearn_quiet", default=False)


def caller_line() -> Line | None:
    """The line of the innermost frame outside this package; None where there is none, and inside `unrecorded`."""
    if _QUIET.get():
        return None
    try:
        # Beyond caller, `make` and the function that calls it: a frame that nobody asks for costs nothing.
        frame: FrameType | None = sys._getframe(3)
    except ValueError:
        frame = sys._getframe(2)
    while frame is not None:
        code = frame.f_code
        ours = _OURS.get(code.co_filename)
        if ours is None:
            ours = is_ours(code.co_filename)
        if not ours:
            # By id: the hash of a code object is that of all its constants. What is kept keeps its code alive.
            key = (id(code), frame.f_lasti)
            return _SEEN.get(key) or _kept(key, code)
        frame = frame.f_back
    return None


@contextmanager
def unrecorded() -> Iterator[None]:
    """Make nodes that stand in no line of the user's, such as those of a derivative."""
    token = _QUIET.set(True)
    try:
        yield
    finally:
        _QUIET.reset(token)


def line_text(line: Line | None) -> str:
    """``file.py:12``; empty for None."""
    if line is None:
        return ""
    code, offset = line
    for start, end, number in code.co_lines():
        if start <= offset < end and number is not None:
            return f"{os.path.basename(code.co_filename)}:{number}"
    return f"{os.path.basename(code.co_filename)}:{code.co_firstlineno}"


def user_location() -> str:
    """``, at file.py:12`` for the innermost frame outside this package; empty when there is none."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        filename = frame.f_code.co_filename
        if not is_ours(filename):
            return f", at {os.path.basename(filename)}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


def calls_to_user() -> int:
    """The stacklevel of a warning of its caller that is about the innermost frame outside this package."""
    frame: FrameType | None = sys._getframe(2)
    count = 2
    while frame is not None and is_ours(frame.f_code.co_filename):
        frame, count = frame.f_back, count + 1
    return count


def is_ours(filename: str) -> bool:
    """Whether a file belongs to this package, or to what Python and NumPy put between it and its callers."""
    ours = _OURS[filename] = filename.startswith((_PACKAGE + os.sep, *_NOT_USERS))
    return ours


def _kept(key: tuple[int, int], code: CodeType) -> Line:
    if len(_SEEN) >= _MOST:
        _SEEN.clear()
    line = _SEEN[key] = (code, key[1])
    return line
