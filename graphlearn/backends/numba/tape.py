"""Huge scalar graphs without a compile for each: a tape of instructions, run by one loop that is compiled once.

Its rule: no operation is named here. Every scalar row of `rows` is an instruction, so that the loop knows what the
generated code knows.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from graphlearn.backends import rows
from graphlearn.backends.native import NativeFunction, Signature, compile_native
from graphlearn.backends.steps import write_out
from graphlearn.graph.interning import quiet_collector
from graphlearn.graph.leaves import constant_array
from graphlearn.graph.node import Node
from graphlearn.graph.op import Op
from graphlearn.graph.traverse import topological
from graphlearn.program.expand import expand
from graphlearn.types import ArrayType

# Compiling takes 0.5 ms per operation and a step of the loop 5 ns, so that 100 calls of a thousand operations cost less
# than compiling them once; with their number grows the time for each.
LEAST = 1000
_WIDTH = 4  # an instruction: its number, and the places of up to three operands
_NONE = (0,) * (_WIDTH - 1)


@dataclass(frozen=True)
class Tape:
    """A scalar graph as instructions, in order; the value of each goes to the place after that of the one before.

    Args:
        code: int32 (instructions, 4): number of the instruction, places of its operands (0 where there is none).
        constants: the values that are known; they take the first places.
        given: place of each leaf, in the order of the leaves.
        outputs: place of each output.
        dtypes: dtype of each output.
        precision: in which everything is computed; truths are 1 and 0.
    """

    code: np.ndarray
    constants: np.ndarray
    given: tuple[int, ...]
    outputs: tuple[int, ...]
    dtypes: tuple[str, ...]
    precision: str

    @property
    def start(self) -> int:
        """Place of the first instruction's value."""
        return len(self.constants) + len(self.given)

    def describe(self) -> str:
        """What it consists of, and why it is one."""
        names = instructions()
        counts = np.bincount(self.code[:, 0], minlength=len(names))
        most = sorted(((int(n), name) for n, (_, name) in zip(counts, names, strict=True) if n), reverse=True)
        size = self.code.nbytes + (self.start + len(self.code)) * self.constants.itemsize
        return "\n".join(
            [
                f"tape of {len(self.code):,} instructions in {self.precision}: a scalar graph of more than {LEAST:,} "
                "operations runs through one",
                "loop that is compiled once, since compiling the operations themselves takes 0.1 to 0.6 ms for each",
                f"in all: {len(self.code):,} operations on numbers",
                f"{len(self.given):,} leaves, {len(self.constants):,} constants, {len(self.outputs):,} outputs, "
                f"{size:,} bytes",
                *(f"  {name:14} {count:,}" for count, name in most),
            ]
        )


@functools.cache
def instructions() -> tuple[tuple[str, str], ...]:
    """Kind of result, ``"real"`` or ``"truth"``, and operation of every instruction, by its number."""
    truths = [name for name in rows.BOOLEAN if name != "where"]  # a choice between truths is one between 1 and 0
    return (("real", "copy"), ("truth", "copy"), *(("real", n) for n in rows.FLOAT), *(("truth", n) for n in truths))


@functools.cache
def _numbers() -> Mapping[tuple[str, str], int]:
    return {key: number for number, key in enumerate(instructions())}


def record_tape(outputs: Sequence[Node], leaves: Sequence[Node], precision: str) -> Tape | str:
    """The tape of a graph; or, in words, why one of its size has none; empty where it is small or one of arrays.

    Args:
        outputs: nodes.
        leaves: inputs, parameters and states in the order in which they are given.
        precision: what every float64 becomes.
    """
    graph = topological(outputs)
    if len(graph) <= LEAST:
        return ""
    array = next((node for node in graph if node.shape != ()), None)
    if array is not None:
        scalars = sum(node.shape == () and bool(node.inputs) for node in graph)
        return _refusal(scalars, f"{typed(array)}, and a tape has no arrays") if scalars > LEAST else ""
    with quiet_collector():
        return _recorded(outputs, leaves, precision)


def _refusal(scalars: int, reason: str) -> str:
    return f"{scalars:,} are on single numbers, but {reason}"


def typed(node: Node) -> str:
    """A node and its type, in words."""
    return f"{node.full_name or f'the result of {node.op.name}'} is {node.type}"


def _recorded(outputs: Sequence[Node], leaves: Sequence[Node], precision: str) -> Tape | str:
    expanded = expand(outputs, precision, {})
    order = topological(expanded.roots)
    computed = [node for node in order if node.inputs]
    stands = [expanded.leaves.get(leaf, leaf) for leaf in leaves]
    if len(computed) <= LEAST:
        return ""
    other = next((n for n in (*stands, *computed) if n.dtype not in (precision, "bool")), None)
    if other is not None:
        return _refusal(len(computed), f"{typed(other)}, and a tape takes {precision} and bool alone")
    known = {node: array for node in order if (array := constant_array(node)) is not None}
    places = {node: number for number, node in enumerate((*known, *stands))}
    numbers: dict[tuple[Op, ArrayType, ArrayType], int | None] = {}
    code: list[int] = []  # a list grows faster than an array is filled entry by entry
    for place, node in enumerate(computed, len(known) + len(stands)):
        kind = (node.op, node.type, node.inputs[0].type)
        if kind not in numbers:
            numbers[kind] = _number_of(node)
        number = numbers[kind]
        if number is None:
            of = f"{node.op.name} of {node.inputs[0].dtype}"
            return _refusal(len(computed), f"a tape has no instruction for {of}")
        code.append(number)
        code += [places[operand] for operand in node.inputs]
        code += _NONE[len(node.inputs) :]
        places[node] = place
    constants = np.array([array.item() for array in known.values()], precision)
    given = tuple(range(len(known), len(known) + len(stands)))
    return Tape(
        np.array(code, np.int32).reshape(-1, _WIDTH), constants, given, tuple(places[root] for root in expanded.roots),
        tuple(root.dtype for root in expanded.roots), precision,
    )  # fmt: skip


def _number_of(node: Node) -> int | None:
    """The instruction of a node; None where there is none."""
    name = node.op.name
    kind = "truth" if node.dtype == "bool" and name not in ("where", "cast") else "real"
    if name == "cast":
        source = node.inputs[0].dtype
        if node.dtype == "bool":
            kind = "truth"
        elif source not in (node.dtype, "bool"):
            return None
        name = "copy"
    elif len(node.inputs) >= _WIDTH or (kind == "real" and name not in ("where",) and not node.type.is_float):
        return None
    return _numbers().get((kind, name))


# --- the loop --------------------------------------------------------------------------------------------------------


@functools.cache
def loop(precision: str) -> NativeFunction:
    """The loop that runs tapes of a precision."""
    pointer = f"{precision}*"
    signature = Signature(("const int32*", pointer, "int64", "int64"))
    return compile_native(loop_source(precision), "run_tape", signature)


@functools.cache
def loop_source(precision: str) -> str:
    """The text of the loop: one branch for each row of `rows`, which the compiler turns into a table of jumps."""
    lines = []
    for number, (kind, name) in enumerate(instructions()):
        lines.append(f"        {'if' if not number else 'elif'} number == {number}:  # {name}")
        lines.append(f"            value = {branch(kind, name, precision)}")
    return "\n".join(
        [
            "def run_tape(code, values, start, count):",
            f"    zero, one = {precision}(0.0), {precision}(1.0)",
            "    for k in range(count):",
            f"        number = code[{_WIDTH} * k]",
            f"        x = values[code[{_WIDTH} * k + 1]]",
            f"        y = values[code[{_WIDTH} * k + 2]]",
            f"        z = values[code[{_WIDTH} * k + 3]]",
            *lines,
            "        else:",
            f"            value = {precision}(math.nan)",
            "        values[start + k] = value",
            "    return",
            "",
        ]
    )


def branch(kind: str, name: str, precision: str) -> str:
    """The text that computes an instruction of the locals x, y and z."""
    if name == "copy":
        return "x" if kind == "real" else "one if x != zero else zero"
    reals = ["x", "y", "z"]
    truths = [rows.truth(text, precision, rows.literal) for text in reals]
    if kind == "real":
        operands = [truths[0], *reals[1:]] if name == "where" else reals
        return rows.expression(name, precision, operands, rows.literal)
    of_truths = name not in COMPARISONS
    text = rows.expression(name, "bool", truths if of_truths else reals, rows.literal)
    return f"one if {text} else zero"


COMPARISONS = ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal")


class TapeFunction:
    """Outputs of a huge scalar graph; may be called from several threads."""

    def __init__(self, tape: Tape, leaves: Sequence[Node]) -> None:
        self.program = tape
        self._leaves = tuple(leaves)
        self._code = np.ascontiguousarray(tape.code)
        self._run = loop(tape.precision)
        self.source = f"# {tape.describe()}".replace("\n", "\n# ") + f"\n{loop_source(tape.precision)}"

    def __call__(
        self, arrays: Mapping[Node, np.ndarray], sizes: Mapping[str, int], out: Sequence[np.ndarray] | None = None
    ) -> tuple[np.ndarray, ...]:
        """Compute the outputs from one checked array per leaf."""
        tape = self.program
        values = np.empty(tape.start + len(self._code), tape.precision)
        values[: len(tape.constants)] = tape.constants
        for place, leaf in zip(tape.given, self._leaves, strict=True):
            values[place] = arrays[leaf]
        self._run(self._code, values, tape.start, len(self._code))
        found = tuple(np.asarray(values[p], dtype) for p, dtype in zip(tape.outputs, tape.dtypes, strict=True))
        return found if out is None else write_out(found, out)
