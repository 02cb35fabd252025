"""Writes random scripts. Each line is tried on arrays and on nodes as it is written, so every script runs.

What may stand in a line is told by the records of the operations: by their number of operands and their domain where
they are elementwise, else by the cases of `tests.laws.operands`. `script_lines` adds NumPy's own spellings.
"""

from __future__ import annotations

import functools
import random
from collections import Counter
from collections.abc import Callable

import numpy as np

from graphlearn.errors import GraphLearnError
from graphlearn.graph.node import Node
from graphlearn.graph.op import OPS, Op
from graphlearn.types import DTYPES, Shape
from tests.laws.operands import ALL_OPS, Case, arity, cases, is_condition
from tests.laws.script_lines import SPELLINGS, fitting
from tests.laws.scripts import NUMPY_OF, ON_ARRAYS, ON_NODES, Leaf, Line, Script, compute, input_of

LARGEST = 8.0  # entries beyond are scaled down, so that differences stay accurate at any depth
ENTRIES, RANK = 96, 5
NUDGE = 1e-4  # no kink and no jump lies so near, where scripts are to be smooth
SYMBOLS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "less": "<", "greater": ">", "less_equal": "<="}
_LEAVES: tuple[Shape, ...] = ((), (3,), (4,), (2, 3), (3, 2), (1, 3), (2, 1), (2, 1, 3), (2, 2, 3), ("N", 3), ("N",))
_EMPTY: tuple[Shape, ...] = ((0,), (0, 3), (2, 0), (1, 0, 2))
FREE = {"N": 4}


class Writer:
    """A script that grows.

    Args:
        choose: where its decisions come from.
        smooth: float64 only, and no kink near, so that differences are derivatives; else any dtype, and axes of
            length 0.
    """

    def __init__(self, choose: random.Random, *, smooth: bool) -> None:
        self.choose = choose
        self.smooth = smooth
        self.leaves: list[Leaf] = []
        self.lines: list[Line] = []
        self.nodes: dict[str, Node] = {}
        self.arrays: dict[str, np.ndarray] = {}
        self.refused: Counter[str] = Counter()
        self.values = np.random.Generator(np.random.Philox(choose.getrandbits(32)))

    # --- what is there -----------------------------------------------------------------------------------------------

    def names(self, accept: Callable[[np.ndarray], bool] = lambda array: True) -> list[str]:
        """Names of the values that are accepted, oldest first."""
        return [name for name, array in self.arrays.items() if accept(array)]

    def pick(self, accept: Callable[[np.ndarray], bool] = lambda array: True) -> str:
        """One of the values that are accepted, often a recent one; empty where there is none."""
        found = self.names(accept)
        if found and self.choose.random() < 0.6:
            found = found[-6:]
        return self.choose.choice(found) if found else ""

    def real(self, accept: Callable[[np.ndarray], bool] = lambda array: True) -> str:
        """A real value that is accepted."""
        return self.pick(lambda a: a.dtype.kind == "f" and accept(a))

    def partner(self, name: str, *, real: bool = True) -> str:
        """A value that broadcasts with another one."""
        shape = self.arrays[name].shape
        return self.pick(lambda a: _broadcast(a.shape, shape) and (a.dtype.kind == "f" or not real))

    def within(self, name: str, domain: tuple[float, float]) -> str:
        """A value brought into a domain; itself where it lies there."""
        low, high = domain
        array = self.arrays[name]
        if (low, high) == (-2.0, 2.0) or (array.size and low <= np.min(array) and np.max(array) <= high):
            return name
        middle, half = (low + high) / 2, (high - low) / 2
        return self.write(f"{middle} + {half} * np.sin({name})") or name

    def condition(self, name: str) -> str:
        """Truths that broadcast with a value."""
        known = self.pick(lambda a: a.dtype == bool and _broadcast(a.shape, self.arrays[name].shape))
        if known and self.choose.random() < 0.4:
            return known
        return self.write(f"{name} > {self.number()}")

    def number(self) -> float:
        """A number between -1 and 1 with few digits."""
        return round(self.choose.uniform(-1, 1), 2)

    # --- what is added -----------------------------------------------------------------------------------------------

    def leaf(self, array: np.ndarray, shape: Shape | None = None) -> str:
        """One more input."""
        leaf = Leaf(f"x{len(self.leaves)}", array, array.shape if shape is None else shape)
        self.leaves.append(leaf)
        self.nodes[leaf.name] = input_of(leaf)
        self.arrays[leaf.name] = array
        return leaf.name

    def write(self, text: str) -> str:
        """One more line; the name of its value, or nothing where it is refused or would make the script ill."""
        try:
            array = np.asarray(compute(text, ON_ARRAYS, self.arrays))
        except Exception as error:
            self.refused[f"NumPy: {type(error).__name__}"] += 1
            return ""
        if not self._is_healthy(text, array):
            self.refused["ill"] += 1
            return ""
        try:
            node = compute(text, ON_NODES, self.nodes)
        except GraphLearnError as error:
            self.refused[f"{text.partition('(')[0]}: {str(error).splitlines()[0]}"] += 1
            return ""
        if not isinstance(node, Node):
            return ""
        line = Line(f"v{len(self.lines)}", text)
        self.lines.append(line)
        self.nodes[line.name], self.arrays[line.name] = node, array
        top = float(np.max(np.abs(array), initial=0)) if array.dtype.kind == "f" else 0.0
        return self.write(f"{line.name} * {2.0 ** -np.ceil(np.log2(top / 2))}") if top > LARGEST else line.name

    def _is_healthy(self, text: str, array: np.ndarray) -> bool:
        if array.dtype.name not in DTYPES or array.size > ENTRIES or array.ndim > RANK:
            return False
        if array.dtype == np.float32 and self.smooth:
            return False
        if array.dtype.kind == "f":
            largest = float(np.max(np.abs(array), initial=0))
            if not np.all(np.isfinite(array)) or largest > 1e4:
                return False
        return not self.smooth or self._is_smooth(text, array)

    def _is_smooth(self, text: str, array: np.ndarray) -> bool:
        """Whether nothing jumps and no slope does when every real operand moves a little, in every entry."""
        both = []
        move = {n: self.values.choice([-1.0, 1.0], a.shape) for n, a in self.arrays.items() if a.dtype.kind == "f"}
        for sign in (-NUDGE, NUDGE):
            moved = {n: a + sign * move[n] if n in move else a for n, a in self.arrays.items()}
            try:
                both.append(np.asarray(compute(text, ON_ARRAYS, moved)))
            except GraphLearnError:  # a matrix that has a factor only just, and none a little beside
                return False
        if array.dtype.kind != "f":
            return all(np.array_equal(other, array) for other in both)
        bend = np.abs(both[0] - 2 * array + both[1])
        return bool(np.all(bend <= 3e-6 * (1 + np.abs(array))))


def write_script(choose: random.Random, size: int, *, smooth: bool = True) -> Script:
    """A random script.

    Args:
        choose: equal states give equal scripts and values.
        size: number of lines that are tried; an output that uses all of them is added.
        smooth: see `Writer`.
    """
    return writing(choose, size, smooth=smooth)[0]


def writing(choose: random.Random, size: int, *, smooth: bool) -> tuple[Script, Writer]:
    """A random script, and what wrote it."""
    writer = Writer(choose, smooth=smooth)
    for _ in range(choose.randint(2, 4)):
        _add_leaf(writer)
    for _ in range(size):
        _add_line(writer)
    used = {name for line in writer.lines for name in line.uses}
    parts = []
    for name, array in writer.arrays.items():
        if name not in used or name.startswith("x"):
            number = abs(writer.number()) + 0.1
            parts.append(f"np.mean(np.sin({name} + {number:.2f}))" if array.size else f"np.sum({name} + 0.0)")
    writer.lines.append(Line(f"v{len(writer.lines)}", " + ".join(parts)))
    return Script(tuple(writer.leaves), tuple(writer.lines)), writer


def _add_leaf(writer: Writer) -> None:
    choose = writer.choose
    declared = choose.choice(_LEAVES)
    if not writer.smooth and choose.random() < 0.08:
        declared = choose.choice(_EMPTY)
    shape = tuple(FREE[d] if isinstance(d, str) else d for d in declared)
    dtype = "float64" if writer.smooth else choose.choice(("float64", "float64", "float32", "int64", "int32", "bool"))
    if dtype == "bool":
        array = writer.values.integers(0, 2, shape).astype(bool)
    elif dtype.startswith("int"):
        array = writer.values.integers(-3, 4, shape).astype(dtype)
    else:
        array = writer.values.standard_normal(shape).round(3).astype(dtype)
    writer.leaf(np.asarray(array), declared)


def _add_line(writer: Writer) -> None:
    kind = writer.choose.random()
    if kind < 0.4:
        _elementwise(writer, OPS[writer.choose.choice(_names(True))])
    elif kind < 0.8:
        text = writer.choose.choice(SPELLINGS)(writer)
        if text:
            writer.write(text)
    else:
        _by_record(writer, ALL_OPS[writer.choose.choice(_names(False))])


@functools.cache
def _names(elementwise: bool) -> tuple[str, ...]:
    return tuple(sorted(name for name, op in ALL_OPS.items() if op.is_elementwise == elementwise))


def _elementwise(writer: Writer, op: Op) -> None:
    """A line of an elementwise operation, in NumPy's name or as an operator where it has one."""
    count = arity(op)
    anything = not writer.smooth and op.kind == "intrinsic"
    first = writer.pick() if anything else writer.real()
    if not first:
        return
    operands: list[str] = []
    for k in range(count):
        name = writer.partner(first, real=not anything) if k else first
        if is_condition(op, k):
            name = writer.condition(first)
        elif name and writer.arrays[name].dtype.kind == "f":
            name = writer.within(name, op.domain)
        operands.append(name)
    if not all(operands):
        return
    if count == 2 and writer.choose.random() < 0.15:  # a number that takes the dtype of what it meets
        operands[writer.choose.randrange(2)] = str(abs(writer.number()) + 0.5)
    if op.name == "logical_not" and writer.choose.random() < 0.5:
        writer.write(f"~{operands[0]}")
    symbol = SYMBOLS.get(op.name)
    if symbol and writer.choose.random() < 0.5:
        writer.write(f"{operands[0]} {symbol} {operands[1]}")
    elif op.name in NUMPY_OF:
        writer.write(f"np.{writer.choose.choice(NUMPY_OF[op.name])}({', '.join(operands)})")
    else:
        writer.write(f"m.{op.name}({', '.join(operands)})")


# Of a singular matrix, rounding decides these.
_OF_REGULAR = ("detsign", "logabsdet")


def _is_regular(array: np.ndarray) -> bool:
    return bool((np.linalg.cond(array) < 1e8).all())


@functools.cache
def _cases(name: str) -> tuple[Case, ...]:
    return tuple(cases(ALL_OPS[name]))


def _by_record(writer: Writer, op: Op) -> None:
    """A line of any other operation, on operands that are brought into the shapes of one of its cases."""
    case = writer.choose.choice(_cases(op.name))
    attrs = dict(case.node.attrs)
    if any(isinstance(d, str) for key in ("shape", "axis_name") for d in attrs.get(key) or ()):
        return  # the length of a free axis is no number that a text on arrays could name
    operands = []
    for leaf in case.node.inputs:
        value = case.at[leaf]
        name = writer.leaf(value) if value.dtype.kind != "f" else _fitted(writer, value)
        if attrs.get("normalized") and len(operands) == 1:
            name = writer.write(f"gl.softmax({name}, axis={attrs['axis']!r})") if name else ""
        operands.append(name)
    if op.name in _OF_REGULAR and not all(name and _is_regular(writer.arrays[name]) for name in operands):
        return
    if all(operands):
        given = "".join(f", {key}={value!r}" for key, value in attrs.items())
        writer.write(f"build(find_op({op.name!r}), [{', '.join(operands)}]{given})")


def _fitted(writer: Writer, value: np.ndarray) -> str:
    """A value of this shape: one that is there, brought into it; or this value, moved a little by one that is there."""
    name = writer.real()
    fitted = fitting(writer, name, value.shape) if name else ""
    if fitted and writer.choose.random() < 0.6:
        return fitted
    own = writer.leaf(value)
    return writer.write(f"{own} + 0.05 * np.sin({fitted})") if fitted else own


def _broadcast(left: tuple[int, ...], right: tuple[int, ...]) -> bool:
    return all(a == b or 1 in (a, b) for a, b in zip(left[::-1], right[::-1], strict=False))
