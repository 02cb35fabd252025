"""The registry of backends: what each offers, and the one place where they are loaded, on first use."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

import numpy as np

from graphlearn.errors import OptionError
from graphlearn.graph.node import Node
from graphlearn.graph.options import check_choice, check_flag
from graphlearn.program.narration import Notes
from graphlearn.program.training import TrainingStep

if TYPE_CHECKING:
    from graphlearn.backends.forms import Form

# When the modules that plan and write code were imported: files that changed later are not those that run.
IMPORTED = time.time()

# Imported on first use: Numba takes 0.3 s, and a student who only derives never needs it.
_MODULES = {
    "numpy": "graphlearn.backends.numpy.backend",
    "numba": "graphlearn.backends.numba.backend",
    "cuda": "graphlearn.backends.cuda.backend",
}


class Speed(NamedTuple):
    """What may be done for speed.

    Args:
        fast: whether sums and products may be computed in another order.
        threads: the most that a matrix product may use.
    """

    fast: bool = False
    threads: int = 1


PLAIN = Speed()


class CompiledFunction(Protocol):
    """A graph that runs."""

    source: str
    program: Any

    def __call__(
        self, arrays: Mapping[Node, np.ndarray], sizes: Mapping[str, int], out: Sequence[np.ndarray] | None = None
    ) -> tuple[np.ndarray, ...]:
        """Compute the outputs from one checked array per leaf (see `graphlearn.graph.binding`).

        Args:
            arrays: leaf -> C-ordered array of its dtype, lowered to the function's precision or not.
            sizes: lengths of the free axes.
            out: C-ordered arrays in the outputs' shapes and dtypes, to be written and returned; None: new ones.
        """
        ...


class TrainingRun(Protocol):
    """A training loop with the data and the current values of parameters and states in place."""

    source: str
    program: Any

    def load(self, values: Mapping[Node, np.ndarray]) -> None:
        """Write parameters, states and scalars."""
        ...

    def read(self) -> dict[Node, np.ndarray]:
        """Copies of the current parameters and states, in their declared dtype lowered to the run's precision."""
        ...

    def run(self, counts: np.ndarray, order: np.ndarray | None, losses: np.ndarray) -> int:
        """Take one step per entry of ``counts``.

        Args:
            counts: int64 (steps,), rows in each step's batch.
            order: int64 row numbers, batch after batch, ``counts.sum()`` of them; None: every step takes all rows in
                their own order.
            losses: float64 (steps,), filled with the loss at the beginning of each step.

        Returns:
            The number of steps whose updates were made. It is smaller than ``len(counts)`` when a loss was not finite:
            that step's loss is written, its updates are not made, and the run stops.
        """
        ...

    def forms(self, notes: Notes) -> Sequence[Form]:
        """The text with all that is needed to run it alone; empty where the backend's code needs the backend."""
        ...

    def explain(self, notes: Notes) -> str:
        """``source`` with these notes on the step's nodes in its comments, where the backend has a program."""
        ...


class Backend(Protocol):
    """What a backend's module offers."""

    def compile_function(
        self, outputs: Sequence[Node], leaves: Sequence[Node], precision: str, speed: Speed = PLAIN
    ) -> CompiledFunction:
        """Compile outputs as a function of the leaves."""
        ...

    def open_training(
        self,
        step: TrainingStep,
        data: Mapping[Node, np.ndarray],
        precision: str,
        capacity: int,
        speed: Speed = PLAIN,
    ) -> TrainingRun:
        """Compile a training loop over ``data`` (whole arrays, checked) with batches of at most ``capacity`` rows."""
        ...


def load_backend(name: str) -> Backend:
    """The backend of this name: ``"numba"``, ``"numpy"`` or ``"cuda"``.

    Raises:
        OptionError: no such backend.
    """
    return cast(Backend, importlib.import_module(_MODULES[check_choice(name, sorted(_MODULES), "backend")]))


def load_planner() -> Any:
    """What plans, writes and compiles for Numba: imported only where nothing is kept of an earlier process (30 ms)."""
    return importlib.import_module("graphlearn.backends.numba.planner")


def load_batching() -> Any:
    """What cuts a function into batches of rows, on the programs of the planner (14 ms)."""
    return importlib.import_module("graphlearn.program.batching")


def load_saver() -> Any:
    """What writes generated code as files: imported where somebody asks for one."""
    return importlib.import_module("graphlearn.backends.saved")


def check_precision(precision: str) -> str:
    """``"float32"`` or ``"float64"``.

    Raises:
        OptionError: anything else.
    """
    return check_choice(precision, ("float32", "float64"), "precision")


def available() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_speed(fast: object, threads: object, backend: str) -> Speed:
    """What a caller allows for the sake of speed.

    Args:
        fast: True or False. What a backend does not reorder, it computes in the order of the graph.
        threads: a whole number from 1.
        backend: its name.

    Raises:
        OptionError: something else, or threads for a backend that has none to share out.
    """
    count = threads if isinstance(threads, (int, np.integer)) and not isinstance(threads, bool) else 0
    if count < 1:
        raise OptionError(f"threads needs a whole number from 1; got {threads!r}. Write threads=2.")
    if count > 1 and backend != "numba":
        raise OptionError(
            f"threads are those of compiled matrix products, so threads={count} needs backend='numba'; got "
            f"{backend!r}. Leave threads out, or change the backend."
        )
    return Speed(check_flag(fast, "fast"), int(count))


def lowered(dtype: str, precision: str) -> str:
    """The dtype in which a leaf of ``dtype`` is stored at a precision: every float64 becomes the precision."""
    return precision if dtype == "float64" else dtype
