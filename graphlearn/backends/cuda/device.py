"""The device: a GPU through its driver, or Numba's simulator of one, which runs kernels as Python threads."""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
from numba import config, cuda, types

from graphlearn.backends.cuda.source import THREADS, Kernel
from graphlearn.errors import EngineError

_SIMULATED_THREADS = 8  # every one is a thread of Python
_DTYPES = ("float32", "float64", "int32", "int64", "uint8")
_NUMBERS = {dtype: getattr(np, dtype) for dtype in _DTYPES}
# Python's math raises where a GPU gives NaN or infinity, and computes float32 in float64.
_SIMULATED_MATH = SimpleNamespace(
    inf=math.inf, nan=math.nan, erf=math.erf, erfc=math.erfc,
    **{name: getattr(np, name) for name in ("exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "floor", "ceil")},
    **{name: getattr(np, name) for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "copysign", "fmod")},
    **{f"a{name}": getattr(np, f"arc{name}") for name in ("sin", "cos", "tan", "tan2", "sinh", "cosh", "tanh")},
)  # fmt: skip
_SIMULATED = """
def {name}_simulated(*arguments):
    with alone_at_first(), errstate(all="ignore"):
        {name}(*arguments)
"""
_ALONE = threading.Lock()


@contextmanager
def _alone_at_first() -> Iterator[None]:
    """Let a simulated thread run alone up to its first barrier.

    Before it, it gets its shared arrays. The simulator looks for an array and then makes it, and would make two of one
    if two threads asked at once.
    """
    thread: Any = threading.current_thread()
    wait = thread.syncthreads
    leaving = ExitStack()

    def first_barrier() -> None:
        thread.syncthreads = wait
        leaving.close()
        wait()

    _ALONE.acquire()
    leaving.callback(_ALONE.release)
    thread.syncthreads = first_barrier
    with leaving:
        yield


def is_simulated() -> bool:
    """Whether kernels run on Numba's simulator."""
    return bool(config.ENABLE_CUDASIM)


def require_device() -> None:
    """Make sure that kernels can run.

    Raises:
        EngineError: there is no GPU; says what is needed.
    """
    if not cuda.is_available():
        raise EngineError(
            'backend="cuda" needs an NVIDIA GPU with driver 580 or newer and pip install "graphlearn[cuda]"; none was '
            'found here. Pass backend="numba" to run on this CPU. For tests, Numba\'s simulator runs the same kernels '
            "without a GPU: set the environment variable NUMBA_ENABLE_CUDASIM=1 before Python starts."
        )


def python_function(kernel: Kernel, mathematics: Any = math) -> Any:
    """The function of a kernel's text."""
    names: dict[str, Any] = {"cuda": cuda, "math": mathematics, **_NUMBERS}
    exec(compile(kernel.source, f"<graphlearn kernel {kernel.name}>", "exec"), names)
    if mathematics is not math:
        names |= {"alone_at_first": _alone_at_first, "errstate": np.errstate}
        exec(_SIMULATED.format(name=kernel.name), names)
        return names[f"{kernel.name}_simulated"]
    return names[kernel.name]


def signature(kernel: Kernel) -> Any:
    """The kernel's parameters as Numba writes them."""
    kinds = {**{d: getattr(types, d) for d in _DTYPES}, **{f"{d}[::1]": getattr(types, d)[::1] for d in _DTYPES}}
    return types.void(*(kinds[p] for p in kernel.parameters))


def load(kernel: Kernel) -> Callable[[int, int, tuple[Any, ...]], None]:
    """Compile a kernel for the device.

    Returns:
        ``launch(blocks, threads, arguments)``; it does not wait for the device.
    """
    if is_simulated():
        compiled = cuda.jit(python_function(kernel, _SIMULATED_MATH))
    else:
        compiled = cuda.jit(signature(kernel))(python_function(kernel))

    def launch(blocks: int, threads: int, arguments: tuple[Any, ...]) -> None:
        with warnings.catch_warnings():
            # One block for a whole training run is meant.
            warnings.filterwarnings("ignore", message="Grid size .* under-utilization")
            compiled[blocks, threads](*arguments)

    return launch


def most_training_threads() -> int:
    """The most threads that a training block may have."""
    return _SIMULATED_THREADS if is_simulated() else THREADS


def function_threads(needed: int | None) -> int:
    """Threads of a block of a function's kernel, ``needed`` where it works with no other number."""
    return needed or (_SIMULATED_THREADS if is_simulated() else THREADS)


def upload(array: np.ndarray) -> Any:
    """A copy on the device, flat, never empty."""
    flat = np.ascontiguousarray(array).reshape(-1)
    return cuda.to_device(flat if flat.size else np.zeros(1, flat.dtype))


def allocate(elements: int, dtype: str) -> Any:
    """Memory on the device, never empty."""
    return cuda.device_array(max(elements, 1), dtype)
