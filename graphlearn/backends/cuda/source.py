"""The text of a kernel while it is written, and the finished `Kernel`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from graphlearn.backends.rows import ARENAS
from graphlearn.backends.source import Source
from graphlearn.program.counts import ONE, Count, times
from graphlearn.program.notes import Annotations
from graphlearn.program.program import Program
from graphlearn.program.steps import Buffer, arena_of

# Threads of a block in the kernels of functions, and the most that a training block has: 65,536 registers, which every
# GPU since 2014 has for a block, leave each of them 255.
THREADS = 256


@dataclass(frozen=True)
class Kernel:
    """One flat kernel.

    Args:
        name: of its function.
        source: its text.
        parameters: kind of each argument: a dtype for a number, ``dtype[::1]`` for an array.
    """

    name: str
    source: str
    parameters: tuple[str, ...]


class KernelSource(Source):
    """Lines of a kernel. What is a variable on a CPU has a place in memory here, since other threads read it.

    Args:
        program: what is written.
        places: buffer -> its first element in the arena of its dtype; the others are arguments under their names.
        threads: of the one block that runs the kernel, which share out what is to be done; 0: all threads of a grid.
        notes: what comments say; None: nodes and operations alone.
    """

    def __init__(
        self,
        program: Program,
        places: Mapping[Buffer, int] | None = None,
        threads: int = 0,
        notes: Annotations | None = None,
    ) -> None:
        super().__init__(program, notes=notes)
        self._places = places or {}
        self._threads = threads
        self._parts: dict[str, str] = {}

    def is_local(self, buffer: Buffer) -> bool:
        """Never."""
        return False

    def place(self, buffer: Buffer) -> tuple[str, str]:
        """The array and the first element of a buffer; the latter is empty where it is 0."""
        if buffer not in self._places:
            return self.name_of(buffer), ""
        start = self._places[buffer]
        return ARENAS[arena_of(buffer.dtype)], str(start) if start else ""

    def declare_parts(self, dtypes: Iterable[str]) -> None:
        """Shared arrays in which the partial results of these dtypes wait, one entry per thread."""
        for dtype in dict.fromkeys(dtypes):
            self._parts[dtype] = self.unique(f"part_{ARENAS[dtype]}")
            self.line(f"{self._parts[dtype]} = cuda.shared.array({self._threads or THREADS}, {dtype})")

    def part(self, dtype: str) -> str:
        """The shared array for partial results of a dtype."""
        return self._parts[dtype]

    @contextmanager
    def dealt(self, entries: Count, about: str = "") -> Iterator[str]:
        """The block in which every thread does its share of some entries; gives the text of the entry's number."""
        comment = f"  # {about}" if about else ""
        if self._threads and 0 < entries.value(self.program.capacity) <= self._threads:
            with self.block(f"if thread < {self.size(entries)}:{comment}"):
                yield "thread"
        else:
            with self.block(
                f"for entry in range(thread, {self.size(entries)}, {self._threads or 'threads'}):{comment}"
            ):
                yield "entry"

    def barrier(self) -> None:
        """All threads of the block wait for each other, and see what was written."""
        self.line("cuda.syncthreads()")

    def split(self, entry: str, indices: Sequence[str], lengths: Sequence[Count]) -> None:
        """The indices of an entry of an array with these lengths."""
        below = ONE
        for number, (index, length) in reversed(list(enumerate(zip(indices, lengths, strict=True)))):
            text = entry if below == ONE else f"{entry} // {self._divisor(below)}"
            self.line(f"{index} = {text if number == 0 else f'{text} % {self._divisor(length)}'}")
            below = times(below, length)

    def _divisor(self, value: Count) -> str:
        text = self.size(value)
        return f"({text})" if "*" in text else text
