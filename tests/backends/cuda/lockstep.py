"""A GPU in one thread of Python: a kernel becomes a generator that stops at every barrier.

Between two barriers the threads of a block run one after the other, first to last or last to first. A kernel in which a
barrier is missing gives another result in one of the orders; one in which threads part ways at a barrier is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from graphlearn.backends.cuda import device
from graphlearn.backends.cuda.source import Kernel

MATH = device._SIMULATED_MATH
NUMBERS = device._NUMBERS


class Memory(np.ndarray):
    """An array on the device."""

    def copy_to_host(self) -> np.ndarray:
        return np.array(self)

    def copy_to_device(self, array: np.ndarray) -> None:
        self[...] = array


def upload(array: np.ndarray) -> Memory:
    flat = np.array(array).reshape(-1)
    return (flat if flat.size else np.zeros(1, flat.dtype)).view(Memory)


def allocate(elements: int, dtype: str) -> Memory:
    # What a kernel forgets to write must show.
    return np.full(max(elements, 1), 77, dtype).view(Memory)


class Thread:
    """What a kernel sees of its thread under the name ``cuda``."""

    def __init__(self, thread: int, threads: int, block: int, blocks: int, shared: list[np.ndarray]) -> None:
        self.threadIdx, self.blockDim = SimpleNamespace(x=thread), SimpleNamespace(x=threads)
        self.blockIdx, self.gridDim = SimpleNamespace(x=block), SimpleNamespace(x=blocks)
        self.shared = SimpleNamespace(array=self._array)
        self._shared = shared
        self._made = 0

    def _array(self, shape: Any, dtype: Any) -> np.ndarray:
        if self._made == len(self._shared):
            self._shared.append(np.full(shape, 77, dtype))
        self._made += 1
        return self._shared[self._made - 1]

    def grid(self, _: int) -> int:
        return int(self.blockIdx.x * self.blockDim.x + self.threadIdx.x)

    def gridsize(self, _: int) -> int:
        return int(self.gridDim.x * self.blockDim.x)

    @staticmethod
    def fma(a: Any, b: Any, c: Any) -> Any:
        return a * b + c


class Lockstep:
    """Takes the place of `device`'s functions.

    Args:
        reverse: whether the last thread runs first.
    """

    def __init__(self, reverse: bool) -> None:
        self.reverse = reverse
        self.barriers = 0

    def load(self, kernel: Kernel) -> Callable[[int, int, tuple[Any, ...]], None]:
        text = kernel.source.replace("cuda.syncthreads()", "yield")
        code = compile(text + "    yield 'end'\n", f"<{kernel.name}>", "exec")

        def launch(blocks: int, threads: int, arguments: tuple[Any, ...]) -> None:
            assert len(arguments) == len(kernel.parameters)
            for kind, given in zip(kernel.parameters, arguments, strict=True):
                assert kind == (f"{given.dtype}[::1]" if isinstance(given, np.ndarray) else "int64")
            for block in range(blocks):
                shared: list[np.ndarray] = []
                running = [
                    self._start(code, kernel, Thread(t, threads, block, blocks, shared), arguments)
                    for t in range(threads)
                ]
                self._run(running[::-1] if self.reverse else running)

        return launch

    @staticmethod
    def _start(code: Any, kernel: Kernel, thread: Thread, arguments: tuple[Any, ...]) -> Iterator[str | None]:
        names: dict[str, Any] = {"cuda": thread, "math": MATH, **NUMBERS}
        exec(code, names)
        return iter(names[kernel.name](*arguments))

    def _run(self, running: list[Iterator[str | None]]) -> None:
        while True:
            with np.errstate(all="ignore"):
                stops = {next(thread) for thread in running}
            assert len(stops) == 1, "some threads wait at a barrier that others never reach"
            if stops == {"end"}:
                return
            self.barriers += 1
