"""A GPU in one thread of Python: a kernel becomes a generator that stops at every barrier.

Between two barriers the threads of a block run one after the other, first to last or last to first. A kernel in which a
barrier is missing gives another result in one of the orders, and a watch names the entry that two threads raced for.
Threads that part ways at a barrier are refused.
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


class Watch:
    """Who touched which entry since the last barrier; two threads, of which one writes, are a race."""

    def __init__(self) -> None:
        self.thread = 0
        self._readers: dict[Any, set[int]] = {}
        self._writers: dict[Any, set[int]] = {}

    def barrier(self) -> None:
        self._readers.clear()
        self._writers.clear()

    def touch(self, entry: Any, writes: bool) -> None:
        others = self._writers.get(entry, set()) | (self._readers.get(entry, set()) if writes else set())
        assert others <= {self.thread}, f"a race for entry {entry[1]} between threads {others} and {self.thread}"
        (self._writers if writes else self._readers).setdefault(entry, set()).add(self.thread)


class Watched:
    """An array whose entries are watched."""

    def __init__(self, array: np.ndarray, watch: Watch) -> None:
        self._array = array
        self._watch = watch

    def __getitem__(self, place: Any) -> Any:
        self._watch.touch((id(self._array), place), False)
        return self._array[place]

    def __setitem__(self, place: Any, value: Any) -> None:
        self._watch.touch((id(self._array), place), True)
        self._array[place] = value


class Thread:
    """What a kernel sees of its thread under the name ``cuda``."""

    def __init__(
        self, thread: int, threads: int, block: int, blocks: int, shared: list[np.ndarray], watch: Watch | None
    ) -> None:
        self.threadIdx, self.blockDim = SimpleNamespace(x=thread), SimpleNamespace(x=threads)
        self.blockIdx, self.gridDim = SimpleNamespace(x=block), SimpleNamespace(x=blocks)
        self.shared = SimpleNamespace(array=self._array)
        self._shared = shared
        self._watch = watch
        self._made = 0

    def _array(self, shape: Any, dtype: Any) -> Any:
        if self._made == len(self._shared):
            self._shared.append(np.full(shape, 77, dtype))
        self._made += 1
        array = self._shared[self._made - 1]
        return array if self._watch is None else Watched(array, self._watch)

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
        watched: whether races are looked for, entry by entry.
    """

    def __init__(self, reverse: bool = False, watched: bool = False) -> None:
        self.reverse = reverse
        self._watch = Watch() if watched else None

    def load(self, kernel: Kernel) -> Callable[[int, int, tuple[Any, ...]], None]:
        text = kernel.source.replace("cuda.syncthreads()", "yield")
        code = compile(text + "    yield 'end'\n", f"<{kernel.name}>", "exec")

        def launch(blocks: int, threads: int, arguments: tuple[Any, ...]) -> None:
            assert len(arguments) == len(kernel.parameters)
            for kind, given in zip(kernel.parameters, arguments, strict=True):
                assert kind == (f"{given.dtype}[::1]" if isinstance(given, np.ndarray) else "int64")
            for block in range(blocks):
                shared: list[np.ndarray] = []
                running = {
                    t: self._start(code, kernel, Thread(t, threads, block, blocks, shared, self._watch), arguments)
                    for t in range(threads)
                }
                self._run(dict(reversed(running.items())) if self.reverse else running)

        return launch

    def _start(self, code: Any, kernel: Kernel, thread: Thread, arguments: tuple[Any, ...]) -> Iterator[str | None]:
        names: dict[str, Any] = {"cuda": thread, "math": MATH, **NUMBERS}
        exec(code, names)
        watch = self._watch
        if watch is not None:
            arguments = tuple(Watched(a, watch) if isinstance(a, np.ndarray) else a for a in arguments)
        return iter(names[kernel.name](*arguments))

    def _run(self, running: dict[int, Iterator[str | None]]) -> None:
        stops: set[str | None] = set()
        while stops != {"end"}:
            stops = set()
            with np.errstate(all="ignore"):
                for number, thread in running.items():
                    if self._watch is not None:
                        self._watch.thread = number
                    stops.add(next(thread))
            assert len(stops) == 1, "some threads wait at a barrier that others never reach"
            if self._watch is not None:
                self._watch.barrier()
