"""Huge training steps on single numbers as tapes: forward, backward and all next values as instructions.

A value is one number, or with a batch one for each of its rows. Real numbers and truths (1 and 0) have their places in
one arena, whole numbers, which count steps and rows, in another that is as long.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from graphlearn.backends import rows
from graphlearn.backends.numba.identity import HUGE, may_be_tape
from graphlearn.backends.numba.step_tape import Given, Move, StepTape, training_instructions
from graphlearn.backends.numba.tape import COMPARISONS, typed
from graphlearn.graph.interning import quiet_collector
from graphlearn.graph.leaves import constant_array
from graphlearn.graph.node import Node
from graphlearn.graph.traverse import topological
from graphlearn.ops.slicing import numpy_index
from graphlearn.program.expand import expand
from graphlearn.program.training import TrainingStep
from graphlearn.types import Dim

_MOVES = ("cast", "broadcast_to", "reshape", "transpose", "slice")  # compute nothing
LARGEST = 2**27  # numbers that a batch may take: 1 GiB in float64


@functools.cache
def _numbers() -> Mapping[tuple[str, str], int]:
    return {key: number for number, key in enumerate(training_instructions())}


def record_training(step: TrainingStep, precision: str, capacity: int, in_file: bool) -> StepTape | str:
    """The tape of a training step; or, in words, why one of its size has none; empty where it is small or of arrays.

    Args:
        step: one step.
        precision: what every float64 becomes.
        capacity: rows of a batch.
        in_file: whether the data lie in a file, of which no copy is made.
    """
    if not may_be_tape(step):
        return ""
    with quiet_collector():
        recorder = _Recorder(step, precision)
        if recorder.single <= HUGE:
            return ""
        reason = recorder.record()
        if not reason and in_file and step.data:
            reason = "the data lie in a file, and a tape takes a copy by columns"
        taken = recorder.columns * capacity
        if not reason and taken > LARGEST:
            reason = f"{recorder.columns:,} of them for {capacity:,} rows are {taken:,} numbers, and a tape keeps at "
            reason += f"most {LARGEST:,}; give a smaller batch_size"
        per_row = f", or one per entry of {step.axis!r}" if step.axis else ""
        return f"{recorder.single:,} are on single numbers{per_row}, but {reason}" if reason else recorder.tape()


class _Refused(Exception):
    """An operation, a dtype or a shape that a tape does not have."""


class _Value(NamedTuple):
    place: int  # below 0: a column
    kind: str  # "real" or "whole"


class _Recorder:
    """The state of a recording: what each node became, and the instructions so far."""

    def __init__(self, step: TrainingStep, precision: str) -> None:
        self._step = step
        self._precision = precision
        self._graph = expand(step.roots, precision, {})
        self._order = topological(self._graph.roots)
        self.single = sum(bool(n.inputs) and self._is_column(n.shape) is not None for n in self._order)
        self.columns = 0
        self._ones = 0
        self._values: dict[Node, _Value] = {}
        self._entries: dict[Node, np.ndarray] = {}  # leaf or part of one -> the place of each entry
        self._constants: dict[tuple[str, str], int] = {}
        self._known: list[tuple[int, str, float]] = []  # place, kind and value of each constant
        self._converted: dict[tuple[int, str], int] = {}  # what a value became, and how -> its place
        self._code: list[int] = []
        self._done_by: list[int] = []  # number of each instruction
        self._levels: list[int] = []  # how many instructions must be done before each
        self._level_of: dict[int, int] = {}
        self._given: list[Given] = []
        self._data: list[Given] = []
        self._moves: list[Move] = []
        self._length = self._new(False)
        self._loss = 0

    # --- places and instructions --------------------------------------------------------------------------------------

    def _is_column(self, shape: Sequence[Dim]) -> bool | None:
        """Whether there is one number per row; None where there are more than that, or than one."""
        if not shape:
            return False
        free = [d for d in shape if d != 1]
        return bool(free) if not free or free == [self._step.axis] else None

    def _new(self, column: bool) -> int:
        if column:
            self.columns += 1
            return -self.columns
        self._ones += 1
        return self._ones - 1

    def _emit(self, kind: str, name: str, operands: Sequence[int], column: bool) -> int:
        number = _numbers().get((kind, name))
        if number is None or len(operands) > 3:
            raise _Refused(f"a tape has no instruction for {name} of {kind} numbers")
        target = self._new(column)
        self._code += (target, *operands, *(0,) * (3 - len(operands)))
        self._done_by.append(-1 - number if column and kind != "filled" else number)
        level = 1 + max([self._level_of.get(p, 0) for p in operands])
        self._levels.append(level)
        self._level_of[target] = level
        return target

    def _constant(self, value: float, kind: str) -> int:
        key = (float(value).hex() if kind == "real" else str(int(value)), kind)  # the text tells 0 from -0
        if key not in self._constants:
            place = self._constants[key] = self._new(False)
            self._known.append((place, kind, value))
        return self._constants[key]

    def _operand(self, node: Node, kind: str, column: bool) -> int:
        """The place of a node's value as a ``"real"``, ``"whole"`` or ``"truth"``, one for each row where asked."""
        wanted = "whole" if kind == "whole" else "real"
        array = constant_array(node)
        if node not in self._values and (array is None or array.size != 1):
            raise _Refused(f"{typed(node)}, and a tape has no arrays")
        place, held = self._values[node] if array is None else (self._constant(array.item(), wanted), wanted)
        if kind == "truth" and held == "whole":
            zero = self._constant(0, "whole")
            place = self._once(place, "truth", lambda p: self._asked(p, zero))
        elif held != wanted:
            place = self._once(place, f"to {wanted}", lambda p: self._emit("to", wanted, [p], p < 0))
        if column and place >= 0:
            place = self._filled(place, wanted)
        return place

    def _filled(self, place: int, kind: str) -> int:
        return self._once(place, f"filled {kind}", lambda p: self._emit("filled", kind, [p], True))

    def _asked(self, place: int, zero: int) -> int:
        if place < 0:
            zero = self._filled(zero, "whole")
        return self._emit("compared", "not_equal", [place, zero], place < 0)

    def _once(self, place: int, what: str, make: Callable[[int], int]) -> int:
        key = (place, what)
        if key not in self._converted:
            self._converted[key] = make(place)
        return self._converted[key]

    # --- leaves -------------------------------------------------------------------------------------------------------

    def _enter_leaves(self) -> None:
        step, stand_ins = self._step, self._graph.leaves
        for leaf in dict.fromkeys([*step.data, *step.scalars, *stand_ins, *step.updates]):
            stand_in = stand_ins.get(leaf, leaf)
            kind = self._kind(stand_in)
            column = leaf in step.data
            shape = stand_in.shape[1:] if column else stand_in.shape
            lengths = [d for d in shape if isinstance(d, int)]
            many = math.prod(lengths) != 1
            if len(lengths) < len(shape) or (many and leaf.op.name != "input"):
                raise _Refused(f"{typed(stand_in)}, and a tape has no arrays")
            places = np.array([self._new(column) for _ in range(math.prod(lengths))], np.int64)
            (self._data if column else self._given).append(Given(leaf, kind, places))
            self._entries[stand_in] = places.reshape((1, *lengths) if column else lengths)
            if not many:
                self._values[stand_in] = _Value(int(places[0]), kind)

    def _kind(self, node: Node) -> str:
        dtype = self._precision if node.is_leaf and node.dtype == "float64" else node.dtype
        kept = dtype == "float32" and (node.is_leaf or node.op.name in _MOVES)  # nothing is computed in it
        if not kept and dtype not in (self._precision, "bool", "int64"):
            raise _Refused(f"{typed(node)}, and a tape takes {self._precision}, int64 and bool alone")
        return "whole" if dtype == "int64" else "real"

    # --- operations ---------------------------------------------------------------------------------------------------

    def record(self) -> str:
        """Record the step; what came in the way, in words."""
        try:
            self._enter_leaves()
            for node in self._order:
                if node not in self._entries and constant_array(node) is None:
                    self._record(node)
            loss, *following = self._graph.roots
            self._loss = self._operand(loss, "real", False)
            for leaf, node in zip(self._step.updates, following, strict=True):
                self._move(leaf, node)
        except _Refused as refusal:
            return str(refusal)
        return ""

    def _move(self, leaf: Node, node: Node) -> None:
        """All read the values at the beginning of the step, so what is no instruction's result is copied."""
        stand_in = self._graph.leaves.get(leaf, leaf)
        target, kind = self._values[stand_in]
        source = self._operand(node, kind, False)
        if source not in self._level_of:
            source = self._emit(kind, "copy", [source], False)
        self._moves.append(Move(kind, target, source))

    def _record(self, node: Node) -> None:
        name = node.op.name
        if name == "slice" and node.inputs[0] in self._entries:
            self._slice(node)
            return
        column = self._is_column(node.shape)
        if column is None:
            raise _Refused(f"{typed(node)}, and a tape has no arrays")
        kind = self._kind(node)
        if name == "axis_size":
            self._values[node] = _Value(self._length, "whole")
        elif name == "cast":
            self._values[node] = self._cast(node, kind)
        elif name in _MOVES and name != "slice":
            self._values[node] = _Value(self._operand(node.inputs[0], kind, False), kind)
        elif name in ("sum", "max"):
            self._values[node] = self._reduced(node, kind)
        elif name == "matmul":
            self._values[node] = self._product(node, kind, column)
        else:
            self._values[node] = self._entrywise(node, kind, column)

    def _cast(self, node: Node, kind: str) -> _Value:
        (operand,) = node.inputs
        place = self._operand(operand, "truth" if node.dtype == "bool" else kind, False)
        if node.dtype == "bool" and operand.type.is_float:
            place = self._emit("truth", "copy", [place], place < 0)
        elif node.dtype == "float32" != self._precision:
            place = self._emit("to", "single", [place], place < 0)
        return _Value(place, kind)

    def _slice(self, node: Node) -> None:
        region = node.attr("region")
        if node.inputs[0].shape[:1] == (self._step.axis,) and region[0] is not None:
            raise _Refused(f"{typed(node)} takes some rows of the batch, and a tape takes all")
        self._entries[node] = part = self._entries[node.inputs[0]][numpy_index(region)]
        if part.size == 1:
            self._values[node] = _Value(int(part.item()), self._kind(node))

    def _reduced(self, node: Node, kind: str) -> _Value:
        (operand,) = node.inputs
        if self._step.axis not in [operand.shape[k] for k in node.attr("axis")]:
            return _Value(self._operand(operand, kind, False), kind)
        place = self._operand(operand, kind, True)
        how = "max" if node.dtype == "bool" else node.op.name  # truths are true where one of them is
        return _Value(self._emit(how, kind, [place], False), kind)

    def _product(self, node: Node, kind: str, column: bool) -> _Value:
        left, right = node.inputs
        over_rows = left.shape[-1] == self._step.axis
        wide = column or over_rows
        place = self._emit(kind, "mul", [self._operand(n, kind, wide) for n in (left, right)], wide)
        return _Value(self._emit("sum", kind, [place], False) if over_rows else place, kind)

    def _entrywise(self, node: Node, kind: str, column: bool) -> _Value:
        name = node.op.name
        known = name in (rows.BOOLEAN if node.dtype == "bool" else rows.INTEGER if kind == "whole" else rows.FLOAT)
        if not known:
            raise _Refused(f"a tape has no instruction for {name} of {node.inputs[0].dtype}")
        taken = [kind] * len(node.inputs)
        made = kind
        if name == "where":
            taken[0] = "truth"
        elif node.dtype == "bool":
            made = "truth"
            whole = name in COMPARISONS and any(n.dtype == "int64" for n in node.inputs)
            if whole and not any(n.type.is_float for n in node.inputs):
                made, taken = "compared", ["whole"] * len(node.inputs)
            elif name not in COMPARISONS:
                taken = ["truth"] * len(node.inputs)
        places = [self._operand(n, k, column) for n, k in zip(node.inputs, taken, strict=True)]
        return _Value(self._emit(made, name, places, column), kind)

    # --- the tape -----------------------------------------------------------------------------------------------------

    def tape(self) -> StepTape:
        """What was recorded."""
        numbers = np.array(self._done_by, np.int32)
        code = np.array(self._code, np.int32).reshape(-1, 4)
        moves, loss = self._moves, self._loss
        if not self.columns:
            # Independent instructions of one kind stand together, so that the processor foresees what comes; their
            # results, one after the other.
            order = np.lexsort((numbers, np.array(self._levels)))
            numbers, code = numbers[order], code[order]
            renumbered = np.arange(self._ones, dtype=np.int32)
            renumbered[code[:, 0]] = np.sort(code[:, 0])
            code, loss = renumbered[code], int(renumbered[loss])
            moves = [Move(kind, target, int(renumbered[source])) for kind, target, source in moves]
        first = np.flatnonzero(np.r_[True, numbers[1:] != numbers[:-1]])
        runs = np.stack([numbers[first], first, np.r_[first[1:], len(numbers)]], 1).astype(np.int32)
        return StepTape(
            code, runs, tuple(self._known), tuple(self._given), tuple(self._data), tuple(moves), loss,
            self._length, self._ones, self.columns, self._precision, self._step.axis,
        )  # fmt: skip
