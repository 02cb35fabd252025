"""Training runs of tapes: parameters, states and data in the loop's two arenas."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import numpy as np

from graphlearn.backends.forms import Form
from graphlearn.backends.native import aligned_zeros
from graphlearn.backends.numba.step_tape import Given, StepTape
from graphlearn.backends.numba.tape_loop import ENTRY, HEAD, training_loop, training_signature, training_source
from graphlearn.backends.registry import PLAIN, Speed, lowered
from graphlearn.backends.steps import check_steps
from graphlearn.errors import DataError
from graphlearn.graph.node import Node
from graphlearn.program.narration import Notes

_CARRIED = ("parameter", "state")
_MOST = 2**31 - 1  # places are int32
_LINE = 16  # columns begin at whole vectors


class TapeRun:
    """A training loop over a tape, with its data, parameters and states in place. One call at a time.

    Args:
        tape: of the step.
        data: whole arrays, checked.
        capacity: rows of the largest batch.
        speed: what may be done for speed.
    """

    def __init__(self, tape: StepTape, data: Mapping[Node, np.ndarray], capacity: int, speed: Speed = PLAIN) -> None:
        self.program = tape
        self._lock = threading.Lock()
        self._fast = speed.fast
        self._capacity = capacity
        self._rows = len(next(iter(data.values()))) if data else None
        by_rows = bool(tape.axis)
        self._text = training_source(tape.precision, by_rows)
        self._run = training_loop(tape.precision, by_rows, speed.fast)
        self._data = {kind: self._columns(kind, data) for kind in ("real", "whole")}
        self._gather = False
        self._lay_out(min(capacity, self._rows or capacity) if by_rows else 1)
        for place, kind, value in tape.constants:
            self._arenas[kind][place] = value

    @property
    def source(self) -> str:
        """What the tape consists of, and the text of the loop."""
        return f"# {self.program.describe()}".replace("\n", "\n# ") + f"\n{self._text}"

    def explain(self, notes: Notes) -> str:
        """The same: the text is that of every tape, so that there is nothing in it to note."""
        return self.source

    # --- memory -------------------------------------------------------------------------------------------------------

    def _columns(self, kind: str, data: Mapping[Node, np.ndarray]) -> np.ndarray:
        """The data of a kind, column after column."""
        dtype = self._dtype(kind)
        tables = [
            np.asarray(data[given.leaf], dtype).reshape(self._rows or 0, -1).T
            for given in self.program.data
            if given.kind == kind
        ]
        return np.ascontiguousarray(np.concatenate(tables)).ravel() if tables else np.zeros(1, dtype)

    def _dtype(self, kind: str) -> str:
        return "int64" if kind == "whole" else self.program.precision

    def _lay_out(self, width: int) -> None:
        """Arenas for batches of this many rows; what lies in single places stays."""
        tape = self.program
        stride = -(-width // _LINE) * _LINE
        first = -(-tape.ones // _LINE) * _LINE
        size = first + tape.columns * stride
        if size > _MOST:
            raise DataError(
                f"a tape of {tape.columns:,} values per row needs batches of at most {_MOST // tape.columns:,} rows; "
                f"got {width:,}. Give fewer rows a step."
            )
        self._width, self._stride, self._first = width, stride, first
        before = getattr(self, "_arenas", None)
        self._arenas = {kind: aligned_zeros(size, self._dtype(kind)) for kind in ("real", "whole")}
        if before is not None:
            for kind, arena in self._arenas.items():
                arena[: tape.ones] = before[kind][: tape.ones]
        moves = np.array([(m.target, m.source, m.kind == "whole") for m in tape.moves]).reshape(-1, 3)
        columns = np.array([(self._at(p), c, k) for p, c, k in self._taken()]).reshape(-1, 3)
        parts = [self._at(tape.code), tape.runs, moves, columns]
        starts = np.cumsum([0, *(part.size for part in parts)])
        self._code = np.concatenate([part.ravel() for part in parts]).astype(np.int32)
        known = {
            "runs": len(tape.runs), "first_run": starts[1], "moves": len(moves), "first_move": starts[2],
            "loss": tape.loss, "length": tape.length, "columns": len(columns), "first_column": starts[3],
            "total": self._rows or 0, "gather": 0,
        }  # fmt: skip
        self._head = np.array([known[name] for name in HEAD], np.int64)

    def _at(self, places: np.ndarray) -> np.ndarray:
        """Places as they are in the arenas: columns after single numbers."""
        found: np.ndarray = np.where(places < 0, self._first + (-1 - places) * self._stride, places)
        return found

    def _taken(self) -> list[tuple[np.ndarray, int, int]]:
        """For each column of the data its place, its number among those of its kind, and whether it is whole."""
        found: list[tuple[np.ndarray, int, int]] = []
        for kind in ("real", "whole"):
            places = [p for given in self.program.data if given.kind == kind for p in given.places]
            found += [(place, number, int(kind == "whole")) for number, place in enumerate(places)]
        return found

    # --- the run ------------------------------------------------------------------------------------------------------

    def load(self, values: Mapping[Node, np.ndarray]) -> None:
        """Write parameters, states and scalars."""
        with self._lock:
            for given in self.program.given:
                if given.leaf in values:
                    self._arenas[given.kind][given.places] = np.ravel(values[given.leaf])

    def read(self) -> dict[Node, np.ndarray]:
        """Copies of the current parameters and states."""
        with self._lock:
            return {g.leaf: self._value(g) for g in self.program.given if g.leaf.op.name in _CARRIED}

    def _value(self, given: Given) -> np.ndarray:
        found = self._arenas[given.kind][given.places].astype(lowered(given.leaf.dtype, self.program.precision))
        return np.asarray(found.reshape(_lengths(given.leaf)))

    def run(self, counts: np.ndarray, order: np.ndarray | None, losses: np.ndarray) -> int:
        """Take one step per entry of ``counts``; see `TrainingRun.run`."""
        with self._lock:
            check_steps(counts, order, losses, rows=self._rows, capacity=self._capacity)
            counts = np.ascontiguousarray(counts, np.int64)
            order = None if order is None else np.ascontiguousarray(order, np.int64)
            if self.program.axis and len(counts) and counts.max() > self._width:
                self._lay_out(int(counts.max()))
            self._gather = self._rows is not None and order is not None
            self._head[HEAD.index("gather")] = self._gather
            taken = counts if order is None else order  # not read where all rows are taken
            arenas = *self._arenas.values(), self._code, self._head, *self._data.values()
            return int(self._run(*arenas, taken, counts, len(counts), losses))

    def forms(self, notes: Notes) -> tuple[Form, ...]:
        """The loop and its tape with all that is needed to run them alone; the data are constants, by columns."""
        tape = self.program
        arenas = {
            "values": self._arenas["real"], "whole": self._arenas["whole"], "code": self._code, "head": self._head,
            "data": self._data["real"], "whole_data": self._data["whole"],
        }  # fmt: skip
        names = {"real": "values", "whole": "whole"}
        constants = {f"{ENTRY}/{name}": arenas[name] for name in ("code", "head", "data", "whole_data")}
        places = {f"{ENTRY}/{name}": (name, 0, arenas[name].shape) for name in ("code", "head", "data", "whole_data")}
        for place, kind, value in tape.constants:
            constants[f"{ENTRY}/{place}"] = np.array(value, self._dtype(kind))
            places[f"{ENTRY}/{place}"] = (names[kind], place, ())
        for given in tape.given:
            first = int(given.places[0])
            places[given.leaf.full_name] = (names[given.kind], first, _lengths(given.leaf))
        return (
            Form(
                entry=ENTRY, source=self.source, parameters=training_signature(tape.precision).parameters,
                options={"fast": self._fast}, threads=1,
                arenas={name: (str(array.dtype), len(array)) for name, array in arenas.items()},
                places=places, carried=tuple(g.leaf.full_name for g in tape.given if g.leaf.op.name in _CARRIED),
                data=(), columns=0, constants=constants,
            ),
        )  # fmt: skip


def _lengths(leaf: Node) -> tuple[int, ...]:
    return tuple(int(d) for d in leaf.shape)
