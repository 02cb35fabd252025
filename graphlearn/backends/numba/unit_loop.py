"""The loop over the rows of a tile that makes sums with units in lanes; see `graphlearn.backends.numba.units`."""

from __future__ import annotations

from collections.abc import Callable

from graphlearn.backends.numba.lanes import LaneWriter, Text, lanes_of
from graphlearn.backends.numba.units import UnitPlan, UnitSum, phase_of, value_of, values_of
from graphlearn.backends.source import Source
from graphlearn.program.counts import ONE
from graphlearn.program.steps import Buffer, Compute, FusedLoop, Gather, Literal, Load, MatMul, Step, Tile, Value


class UnitLoop:
    """The sums of a plan while they are written.

    Args:
        source: where they are written.
        tile: the steps of which they are a part.
        plan: the sums.
        lanes: what writes expressions.
        dtype: of the sums.
        padded: rows of each column of the data; 0: rows are taken by number.
        entry: gives the rows of an entry in lanes.
    """

    def __init__(
        self,
        source: Source,
        tile: Tile,
        plan: UnitPlan,
        lanes: LaneWriter,
        dtype: str,
        padded: int,
        entry: Callable[[Buffer, int], Text],
    ) -> None:
        self._source = source
        self._tile = tile
        self._plan = plan
        self._lanes = lanes
        self._kind = lanes_of(dtype, lanes.count)
        self._padded = padded
        self._entry = entry
        self._gathered = {s.out: s.data for s in tile.steps if isinstance(s, Gather)}
        self._makers = {b: s for s in tile.steps for b in _made(s)}
        self._room = source.unique("room")
        self._index = source.index(0)
        self._head: list[str] = []  # what is read and kept before the loop
        self._body: list[str] = []
        self._fixed: dict[str, str] = {}  # text -> name of what is the same for all rows
        self._numbers: dict[tuple[Buffer, int], str] = {}
        self._vectors: dict[tuple[Buffer | Value, int], str] = {}
        self._starts: dict[Buffer, str] = {}
        self._kept: list[Text] = []
        self._first = "0"

    def write(self, sums: dict[tuple[Buffer, int], str], first: str, length: str) -> None:
        """Write the loop over the rows of a tile.

        Args:
            sums: the names of `names`, by array and number.
            first: the first row.
            length: how many rows there are in the batch.
        """
        source, count = self._source, self._lanes.count
        self._first = first
        for target in self._plan.sums:
            self._add(target, sums)
        whole = f"min({count}, {length} - {first})" if first != "0" else length
        source.line("# row after row, the entries of a layer side by side in lanes: what is summed needs no folding")
        if self._kept:
            source.line(f"{self._room} = room_{self._kind}_{len(self._kept) * count}()")
        for k, text in enumerate(self._kept):
            source.line(f"store_{self._kind}({self._room}, {k * count}, {text.text})")
        for line in self._head:
            source.line(line)
        with source.block(f"for {self._index} in range({whole}):"):
            for line in self._body:
                source.line(line)

    def results(self, target: UnitSum, sums: dict[tuple[Buffer, int], str]) -> list[str]:
        """The vectors of an array of sums, in its order, as texts."""
        chunks = target.length // self._lanes.count
        number = max(1, len(target.factors))
        names = [[sums[target.buffer, i * chunks + c] for i in range(number)] for c in range(chunks)]
        if not target.down:
            return [names[c][i] for i in range(number) for c in range(chunks)]
        if number == 1:
            return [row[0] for row in names]
        return [f"weave_{self._kind}_{k}_{number}({', '.join(row)})" for row in names for k in range(number)]

    # --- the body ----------------------------------------------------------------------------------------------------

    def _add(self, target: UnitSum, sums: dict[tuple[Buffer, int], str]) -> None:
        chunks = target.length // self._lanes.count
        for c in range(chunks):
            if isinstance(target.vector, Buffer):
                vector = self._vector(target.vector, c)
            else:
                vector = self._value(target.vector, c)
            if not target.factors:
                self._body.append(f"{sums[target.buffer, c]} = {sums[target.buffer, c]} + {vector}")
            for i, (buffer, entry) in enumerate(target.factors):
                name = sums[target.buffer, i * chunks + c]
                self._body.append(f"{name} = {name} + {self._number(buffer, entry)} * {vector}")

    def _named(self, text: str, stem: str) -> str:
        name = self._source.unique(stem)
        self._body.append(f"{name} = {text}")
        return name

    def _once(self, text: str) -> str:
        """What is the same for all rows, read before the loop."""
        if text not in self._fixed:
            self._fixed[text] = self._source.local()
            self._head.append(f"{self._fixed[text]} = {text}")
        return self._fixed[text]

    def _number(self, buffer: Buffer, entry: int) -> str:
        """An entry of the row."""
        if (buffer, entry) not in self._numbers:
            self._numbers[buffer, entry] = self._named(self._read(buffer, entry), f"{buffer.name}_of_row_{entry}")
        return self._numbers[buffer, entry]

    def _read(self, buffer: Buffer, entry: int) -> str:
        source = self._source
        row = self._index if self._first == "0" else f"({self._first} + {self._index})"
        if buffer in self._gathered:
            if buffer not in self._starts:
                width = buffer.count.factor
                self._starts[buffer] = self._named(f"order[row + {row}]*{width}", f"start_of_{buffer.name}")
            return f"{source.name_of(self._gathered[buffer])}[{self._starts[buffer]} + {entry}]"
        if buffer not in self._makers:
            return f"{source.name_of(buffer)}[{entry * self._padded} + {row}]"
        self._kept.append(self._entry(buffer, entry))
        return f"{self._room}[{(len(self._kept) - 1) * self._lanes.count} + {self._index}]"

    def _vector(self, buffer: Buffer, chunk: int) -> str:
        """Entries of the row of a buffer, side by side."""
        if (buffer, chunk) not in self._vectors:
            step = self._makers[buffer]
            value = value_of(step, buffer)
            if value is not None:
                name = self._value(value, chunk)
            elif isinstance(step, MatMul):
                name = self._named(self._product(step, chunk), f"{buffer.name}_of_row_{chunk}")
            else:
                raise TypeError(f"{buffer.name} is made by a {type(step).__name__}, which has no lanes of units")
            self._vectors[buffer, chunk] = name
        return self._vectors[buffer, chunk]

    def _product(self, step: MatMul, chunk: int) -> str:
        terms = []
        for k in range(int(step.sizes[2])):
            number = self._number(step.a.buffer, step.a.strides[1].factor * k)
            terms.append(Text(f"{number} * {self._factor(step, k, chunk)}", True))
        return self._lanes.combine("sum", step.node.dtype, terms).text

    def _factor(self, step: MatMul, k: int, chunk: int) -> str:
        """Row ``k`` of the second factor of a product."""
        buffer, apart = step.b.buffer, phase_of(step)
        at = step.b.strides[0].factor * k
        pointer = self._source.place(buffer)[0]
        if apart == 1:
            return self._once(f"load_{self._kind}({pointer}, {buffer.start + at + chunk * self._lanes.count})")
        begin = buffer.start + chunk * self._lanes.count * (apart or 1)
        return self._once(f"every_{self._kind}_{apart}_{at}({pointer}, {begin})")

    def _value(self, value: Value, chunk: int) -> str:
        texts: dict[Value, Text] = {}
        for v in values_of(value):
            known = self._vectors.get((v, chunk))
            texts[v] = Text(known, True) if known else self._expression(v, texts, chunk)
            if isinstance(v, Compute) and not known and texts[v].laned:
                name = self._named(texts[v].text, self._source.local())
                texts[v] = Text(name, True)
                self._vectors[v, chunk] = name
        return self._lanes.laned(texts[value], value.dtype)

    def _expression(self, value: Value, texts: dict[Value, Text], chunk: int) -> Text:
        source = self._source
        if isinstance(value, Literal):
            return Text(source.literal(value.value, value.dtype), False)
        if isinstance(value, Compute):
            return self._lanes.compute(value, [texts[v] for v in value.operands])
        if not isinstance(value, Load):
            raise TypeError(f"a {type(value).__name__} has no lanes of units")
        buffer, along = value.buffer, value.strides[1] == ONE
        if self._tile.axis in buffer.shape:
            return Text(self._vector(buffer, chunk), True) if along else Text(self._number(buffer, 0), False)
        if not along:
            return Text(source.load(buffer, (ONE,), ["0"]), False)
        pointer = source.place(buffer)[0]
        return Text(self._once(f"load_{self._kind}({pointer}, {buffer.start + chunk * self._lanes.count})"), True)


def _made(step: Step) -> list[Buffer]:
    if isinstance(step, FusedLoop):
        return [s.buffer for s in step.stores] + [r.buffer for r in step.reductions]
    return [step.out.buffer] if isinstance(step, MatMul) else []
