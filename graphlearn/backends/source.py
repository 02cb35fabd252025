"""The text of a generated function while it is written: lines, indentation, names, and where buffers lie."""

from __future__ import annotations

import keyword
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from graphlearn.backends.rows import ARENAS, literal
from graphlearn.graph.node import Node
from graphlearn.program.counts import ONE, ZERO, Count
from graphlearn.program.narration import Note
from graphlearn.program.notes import Annotations, nodes_of
from graphlearn.program.program import Program
from graphlearn.program.steps import Buffer, Length, Literal, Step, arena_of
from graphlearn.program.uses import writes_of
from graphlearn.types import Dim

_RESERVED = {
    "math", "range", "abs", "min", "max", "float32", "float64", "int32", "int64", "uint32", "uint64",
    "order", "counts", "steps", "losses", "step", "row", "taken", "first", "live", *ARENAS.values(),
    "cuda", "thread", "threads", "block", "blocks", "entry", "other", "made", "finished",  # names of GPU kernels
    *(f"i{k}" for k in range(32)),
}  # fmt: skip

_WIDTH = 112  # of a comment
_RULE = 80  # of the line over a section


class Source:
    """Lines of a function, and the names that are taken in it.

    Args:
        program: what is written.
        known: lengths of free axes that are nevertheless the same whenever the function runs.
        notes: what is said of the program's nodes; None: comments name nodes and operations alone. Nothing but comments
            depends on it.
        library: whether large matrix products may be calls of a library.
    """

    def __init__(
        self,
        program: Program,
        known: Mapping[str, int] | None = None,
        notes: Annotations | None = None,
        *,
        library: bool = True,
    ) -> None:
        self.program = program
        self.library = library
        self._notes = notes
        self._section = ""
        self._said: set[Note] = set()
        self._several = False  # whether the comment above the lines that are written speaks of several things
        self._lines: list[str] = []
        self._depth = 0
        self._taken = set(_RESERVED) | set(keyword.kwlist)
        self._numbers = 0
        known = known or {}
        self.lengths = {axis: str(known[axis]) if axis in known else self.unique(f"n_{axis}") for axis in program.axes}
        self._names: dict[Buffer, str] = {}
        self._constants: dict[str, str] = {}
        self._shared: dict[str, str] = {}
        self._stable: dict[str, str] = {}
        for buffer in program.buffers:
            if buffer.slot is None:
                self._names[buffer] = self.unique(buffer.name)

    # --- lines -------------------------------------------------------------------------------------------------------

    def line(self, text: str) -> None:
        """Write one line."""
        self._lines.append("    " * self._depth + text if text else "")

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Write a head and indent what follows."""
        self.line(head)
        self._depth += 1
        yield
        self._depth -= 1

    def text(self) -> str:
        """Everything written; typed constants are named once, at the entry: each mention of one costs compile time."""
        named = [f"    {name} = {text}" for text, name in self._constants.items()]
        if named and self._notes is not None:
            named.insert(0, "    # constants, in the precision of the run")
        return "\n".join([self._lines[0], *named, *self._lines[1:]]) + "\n"

    def literal(self, value: float, dtype: str) -> str:
        """A constant that carries its dtype."""
        text = literal(value, dtype)
        if not text.startswith(dtype):
            return text
        if text not in self._constants:
            stem = re.sub(
                r"\W", "_", text[len(dtype) + 1 : -1].replace("math.", "").replace("-", "m").removesuffix(".0")
            )
            self._constants[text] = self.unique(f"c{stem}" if stem[0] in "0123456789m" else stem)
        return self._constants[text]

    def constant(self, value: Literal | Length) -> str:
        """A number that is known beforehand, or the length of an axis."""
        return self.length(value.axis) if isinstance(value, Length) else self.literal(value.value, value.dtype)

    @contextmanager
    def loops(self, axes: Sequence[tuple[str, Count]]) -> Iterator[None]:
        """Nested loops: index and number of iterations of each, outermost first."""
        for index, length in axes:
            self.line(f"for {index} in range({self.size(length)}):")
            self._depth += 1
        yield
        self._depth -= len(axes)

    # --- names -------------------------------------------------------------------------------------------------------

    def unique(self, stem: str) -> str:
        """A name that nothing else has."""
        name, number = stem, 2
        while name in self._taken:
            name, number = f"{stem}_{number}", number + 1
        self._taken.add(name)
        return name

    def local(self) -> str:
        """A short name for an intermediate value."""
        self._numbers += 1
        return self.unique(f"v{self._numbers}")

    def stable(self, stem: str) -> str:
        """A name that nothing else has, and that is the same whenever it is asked for."""
        if stem not in self._stable:
            self._stable[stem] = self.unique(stem)
        return self._stable[stem]

    def name_of(self, buffer: Buffer) -> str:
        """The name of an argument or of a single number."""
        if buffer not in self._names:
            self._names[buffer] = self.unique(buffer.name)
        return self._names[buffer]

    def index(self, number: int) -> str:
        """The index of a loop at a depth."""
        return f"i{number}"

    def about(self, node: Node) -> str:
        """What a node is, in a few words: ``h1 = tanh(z1)``."""
        names = self.program.names
        result = names.get(node)
        operands = ", ".join(names.get(n, n.op.name) for n in node.inputs)
        text = f"{node.op.name}({operands})"
        return f"{result} = {text}" if result else text

    # --- comments ----------------------------------------------------------------------------------------------------

    @property
    def is_annotated(self) -> bool:
        """Whether there are notes on the program."""
        return self._notes is not None

    def section(self, name: str, sign: str = "-") -> None:
        """Write that a section begins, in place of one that has nothing in it."""
        self._section = name
        if self._notes is None:
            self.line(f"# {name}")
            return
        if self._lines[-1].lstrip().startswith("# ----"):
            self._lines.pop()
        self.line(f"# {4 * sign} {name} ".ljust(_RULE - 4 * self._depth, sign))

    def legend(self) -> None:
        """Write where parameters, states and other numbers that stay from call to call have their places."""
        kept = [b for b in self.program.buffers if b.role == "kept"] if self.is_annotated else []
        for buffer in kept:
            pointer, first = self.place(buffer)[0], buffer.start
            shape = "x".join(map(str, buffer.shape)) or "a number"
            last = first + buffer.count.factor
            self.line(f"# {pointer}[{first}:{last}]".ljust(20) + f" {buffer.node.full_name or buffer.name}: {shape}")

    def head(self, step: Step) -> None:
        """Write what a step does, above its lines."""
        if self._notes is None:
            for node in step.nodes:
                self.line(f"# {self.about(node.inputs[0] if node.op.name == 'copy' else node)}")
            return
        found = self._notes.of(nodes_of(step))
        sections = list(dict.fromkeys(note.section for note, _ in found if note not in self._said))
        # In a loop over arrays side by side, each line works for all of them.
        self._several = len(found) > 1 and len(step.nodes) <= len(writes_of(step))
        if len(sections) > 1:
            self.section(f"{' and '.join(sections)} in one pass")
        elif sections and sections[0] != self._section:
            self.section(sections[0])
        for note, whole in found:
            again = "" if note not in self._said else "again: " if whole else "for "
            self._wrapped(f"{again}{note.text}" if whole or again else f"part of {note.text}")
        if not found:
            self._wrapped(", ".join(self.about(node) for node in step.nodes))
        self._said.update(note for note, whole in found if whole)

    def aside(self, node: Node, *, always: bool = False) -> str:
        """What stands behind a line: which of the things that `head` announced it belongs to.

        Args:
            node: what the line computes.
            always: also where there are no notes: the node and its operation.
        """
        if self._notes is None:
            return f"  # {self.about(node)}" if always else ""
        label = self._notes.label(node) if self._several else ""
        return f"  # {label}" if label else ""

    def _wrapped(self, text: str) -> None:
        width = _WIDTH - 4 * self._depth
        for line in textwrap.wrap(
            text, width, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
        ):
            self.line(f"# {line}")

    # --- places ------------------------------------------------------------------------------------------------------

    def length(self, dim: Dim) -> str:
        """Length of an axis as text."""
        return str(dim) if isinstance(dim, int) else self.lengths[dim]

    def size(self, value: Count) -> str:
        """A number of elements as text."""
        if value.is_literal:
            return str(value.factor)
        names = "*".join(self.lengths[axis] for axis in value.axes)
        return names if value.factor == 1 else f"{names}*{value.factor}"

    def steps(self, index: str, stride: Count) -> str:
        """So many strides."""
        return index if stride == ONE else f"{index}*{_factor(self.size(stride))}"

    def place(self, buffer: Buffer) -> tuple[str, str]:
        """The pointer and the first element of a buffer; the latter is empty where it is 0."""
        if buffer.slot is None:
            return self.name_of(buffer), ""
        fixed = buffer.slot.offset is not None
        start = (str(buffer.start) if buffer.start else "") if fixed else f"at_{buffer.slot.number}"
        return ARENAS[arena_of(buffer.dtype)], start

    def entry(
        self, buffer: Buffer, strides: Sequence[Count], indices: Sequence[str], offset: Sequence[Count] = ()
    ) -> str:
        """``pointer[offset + i*stride + j]``."""
        pointer, start = self.place(buffer)
        terms = [start] if start else []
        terms += [self.size(term) for term in offset]
        steps = [(i, self.size(s)) for i, s in zip(indices, strides, strict=True) if s != ZERO]
        terms += [
            index if by == "1" else self._shared.get(f"{index}*{by}", f"{index}*{_factor(by)}") for index, by in steps
        ]
        return f"{pointer}[{' + '.join(terms) or '0'}]"

    @contextmanager
    def sharing(self, products: Sequence[tuple[str, Count]]) -> Iterator[None]:
        """Name products of an index and a stride once, for every access in the block."""
        outer = dict(self._shared)
        for index, stride in products:
            by = self.size(stride)
            if by not in ("0", "1") and f"{index}*{by}" not in self._shared:
                name = self.unique(f"r{len(self._shared) + 1}")
                self.line(f"{name} = {index}*{_factor(by)}")
                self._shared[f"{index}*{by}"] = name
        yield
        self._shared = outer

    def is_local(self, buffer: Buffer) -> bool:
        """Whether a buffer is a variable of the function and has no place in memory."""
        return buffer.is_number

    def load(
        self, buffer: Buffer, strides: Sequence[Count], indices: Sequence[str], offset: Sequence[Count] = ()
    ) -> str:
        """The text that reads an entry as a value."""
        if self.is_local(buffer):
            return self.name_of(buffer)
        text = self.entry(buffer, strides, indices, offset)
        if buffer.dtype == "bool":
            return f"({text} != 0)"
        return f"int64({text})" if buffer.dtype == "uint8" else text

    def store(
        self,
        buffer: Buffer,
        strides: Sequence[Count],
        indices: Sequence[str],
        value: str,
        offset: Sequence[Count] = (),
    ) -> None:
        """Write an entry."""
        if self.is_local(buffer):
            self.line(f"{self.name_of(buffer)} = {value}")
        else:
            entry = self.entry(buffer, strides, indices, offset)
            self.line(f"{entry} = 1 if {value} else 0" if buffer.dtype == "bool" else f"{entry} = {value}")

    def slots(self) -> None:
        """At the entry: the first element of every slot that lies behind one of unknown length."""
        previous: dict[str, tuple[str, Count]] = {}
        for slot in self.program.slots:
            if slot.offset is None:
                start, size = previous[slot.dtype]
                unit = 64 // {"float32": 4, "int32": 4, "uint8": 1}.get(slot.dtype, 8)
                self.line(f"at_{slot.number} = {start} + ({self.size(size)} + {unit - 1}) // {unit} * {unit}")
                previous[slot.dtype] = (f"at_{slot.number}", slot.count)
            else:
                previous[slot.dtype] = (str(slot.offset), slot.count)


def _factor(text: str) -> str:
    return f"({text})" if "*" in text else text
