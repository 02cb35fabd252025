"""The matrix-product library behind generated code: found, opened and made known to LLVM by name.

SciPy's bundled OpenBLAS is opened with ctypes, without importing SciPy (6 ms against 0.2 s). Where SciPy has no library
of its own (a distribution's build, Accelerate on macOS), the addresses come from ``scipy.linalg.cython_blas``. Both
take 32-bit integers.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import importlib.util
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphlearn.errors import EngineError, OptionError

# the routines, in BLAS's own names; generated code calls PREFIX + routine
ROUTINES = ("sgemm", "dgemm", "sgemv", "dgemv")
PREFIX = "graphlearn_"
SYMBOLS = frozenset(PREFIX + routine for routine in ROUTINES)


@dataclass(frozen=True)
class Blas:
    """An opened library.

    Args:
        name: where it comes from, for messages.
        addresses: routine -> address.
        get_threads: the number of threads that it uses, or None where it does not say.
        set_threads: sets that number.
        handle: keeps the library open.
    """

    name: str
    addresses: Mapping[str, int]
    get_threads: Callable[[], int] | None
    set_threads: Callable[[int], None] | None
    handle: Any


def bundled_libraries() -> list[Path]:
    """The OpenBLAS files of SciPy's wheel, beside it on Linux and Windows, inside it on macOS; imports no SciPy."""
    spec = importlib.util.find_spec("scipy")
    if spec is None or spec.origin is None:
        return []
    package = Path(spec.origin).parent
    folders = (package.parent / "scipy.libs", package / ".dylibs")
    return sorted(path for folder in folders for path in folder.glob("libscipy_openblas*"))


def open_bundled(path: Path) -> Blas | None:
    """Open one of them; None where it lacks a routine (a build with 64-bit integers has other names)."""
    try:
        handle = ctypes.CDLL(str(path))
        routines = {name: getattr(handle, f"scipy_{name}_") for name in ROUTINES}
        get_threads, set_threads = handle.scipy_openblas_get_num_threads, handle.scipy_openblas_set_num_threads
    except (OSError, AttributeError):
        return None
    addresses = {name: int(ctypes.cast(routine, ctypes.c_void_p).value or 0) for name, routine in routines.items()}
    set_threads.restype = None
    return Blas(f"OpenBLAS of SciPy ({path.name})", addresses, get_threads, set_threads, handle)


def open_cython() -> Blas:
    """The library that SciPy itself is linked with.

    Raises:
        EngineError: SciPy is not installed; install it.
    """
    try:
        module = importlib.import_module("scipy.linalg.cython_blas")
    except ImportError as error:
        raise EngineError("matrix products need SciPy, which could not be imported. Run: pip install scipy") from error
    name_of, pointer_of = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    name_of.argtypes, name_of.restype = [ctypes.py_object], ctypes.c_char_p
    pointer_of.argtypes, pointer_of.restype = [ctypes.py_object, ctypes.c_char_p], ctypes.c_void_p
    capsules = module.__pyx_capi__
    addresses = {name: int(pointer_of(capsules[name], name_of(capsules[name]))) for name in ROUTINES}
    return Blas("scipy.linalg.cython_blas", addresses, None, None, module)


@functools.cache
def library() -> Blas:
    """The library that this process uses; opened once."""
    return next((blas for path in bundled_libraries() if (blas := open_bundled(path))), None) or open_cython()


@functools.cache
def register() -> Blas:
    """Make the routines known to LLVM under `SYMBOLS`; once per process."""
    import llvmlite.binding

    blas = library()
    for name, address in blas.addresses.items():
        llvmlite.binding.add_symbol(PREFIX + name, address)
    return blas


class _Threads:
    """How many threads our calls use. SciPy shares the library, so its own number is put back after each call."""

    def __init__(self) -> None:
        self.wanted = 1
        self._idle = threading.Condition()
        self._depth = 0
        self._count = 1
        self._before = 1
        self._restore = False

    def enter(self, blas: Blas, count: int | None = None) -> None:
        """Begin a call: the library uses so many threads until the last of several concurrent calls ends.

        Calls that want another number wait for each other: the number is the library's, and bits depend on it.

        Args:
            blas: the library.
            count: threads of this call; None: `wanted`.
        """
        count = self.wanted if count is None else count
        with self._idle:
            self._idle.wait_for(lambda: not self._depth or self._count == count)
            self._depth += 1
            if self._depth > 1:
                return
            self._count = count
            if blas.get_threads is not None and blas.set_threads is not None:
                self._before = blas.get_threads()
                self._restore = self._before != count
                if self._restore:
                    blas.set_threads(count)

    def leave(self, blas: Blas) -> None:
        """End a call."""
        with self._idle:
            self._depth -= 1
            if self._depth:
                return
            if self._restore and blas.set_threads is not None:
                blas.set_threads(self._before)
            self._idle.notify_all()


THREADS = _Threads()


def blas_threads(count: int | None = None) -> int:
    """Read or set how many threads a matrix product inside compiled code uses; 1 unless set, because small ones lose.

    Args:
        count: the new number, at least 1; None only reads.

    Returns:
        The number before the call.

    Raises:
        OptionError: the number is below 1.
        EngineError: the library has no control of its threads; set its own environment variable before the start.
    """
    before = THREADS.wanted
    if count is None:
        return before
    if count < 1:
        raise OptionError(f"blas_threads needs a number of threads from 1; got {count}.")
    require_control()
    THREADS.wanted = count
    return before


def require_control() -> None:
    """Refuse to set threads where the library has no way to.

    Raises:
        EngineError: set its own environment variable before the start.
    """
    blas = library()
    if blas.set_threads is None:
        raise EngineError(
            f"{blas.name} has no control of its threads. Set OPENBLAS_NUM_THREADS, VECLIB_MAXIMUM_THREADS or "
            "MKL_NUM_THREADS before Python starts."
        )
