"""What a program is made of: buffers in flat arenas, and the steps that read and write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphlearn.graph.node import Node
from graphlearn.program.counts import Count, count
from graphlearn.types import Dim, Shape

ALIGNMENT = 64  # bytes; every slot begins on a cache line
ITEM_SIZE = {"bool": 1, "uint8": 1, "int32": 4, "int64": 8, "float32": 4, "float64": 8}


@dataclass(eq=False)
class Slot:
    """A stretch of an arena that buffers use one after the other.

    Args:
        dtype: of the arena.
        count: elements; grows while it is planned.
        offset: first element where all slots before are of known length, else None.
        number: counts the slots of a program.
    """

    dtype: str
    count: Count
    number: int
    offset: int | None = None


@dataclass(eq=False)
class Buffer:
    """A contiguous array, row by row.

    Args:
        name: how it is called in listings; unique in a program.
        dtype: of its elements.
        shape: ints and names of free axes.
        role: ``"given"`` (an argument), ``"kept"`` (parameter, state, scalar or constant, in the arena from call to
            call), ``"output"`` (an argument that is written) or ``"value"`` (scratch).
        node: what it holds.
        slot: its place in the arena, once planned; None for arguments and for single numbers.
        within: its first element in the slot.
    """

    name: str
    dtype: str
    shape: Shape
    role: str
    node: Node
    slot: Slot | None = None
    within: int = 0

    @property
    def count(self) -> Count:
        """Number of elements."""
        return count(self.shape)

    @property
    def start(self) -> int:
        """Its first element in its arena, where the plan has fixed it."""
        if self.slot is None or self.slot.offset is None:
            raise TypeError(f"{self.name} has no fixed place in an arena")
        return self.slot.offset + self.within

    @property
    def is_number(self) -> bool:
        """Whether this is a single scratch number that the plan gave no place in an arena: a local variable."""
        return self.role == "value" and self.slot is None


# --- what a loop computes --------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Load:
    """An entry of a buffer; ``strides`` in elements for each axis of the loop, from the sum ``offset`` on."""

    buffer: Buffer
    strides: tuple[Count, ...]
    offset: tuple[Count, ...] = ()

    @property
    def dtype(self) -> str:
        """Dtype of the entry."""
        return self.buffer.dtype


@dataclass(frozen=True, eq=False)
class Literal:
    """A number that is known."""

    value: float | int | bool
    dtype: str


@dataclass(frozen=True, eq=False)
class Length:
    """The length of a free axis."""

    axis: str
    dtype: str = "int64"


@dataclass(frozen=True, eq=False)
class Compute:
    """An intrinsic on values of one entry; the operands have the dtype in which it is computed.

    Args:
        op: name of the intrinsic, or ``"cast"``.
        operands: its operands.
        dtype: of the result.
        node: the node of the graph, for its name.
    """

    op: str
    operands: tuple[Value, ...]
    dtype: str
    node: Node


Value = Load | Literal | Length | Compute


@dataclass(frozen=True, eq=False)
class Store:
    """Write a value to an entry of a buffer; places as in `Load`."""

    buffer: Buffer
    strides: tuple[Count, ...]
    value: Value
    offset: tuple[Count, ...] = ()


@dataclass(frozen=True, eq=False)
class Reduce:
    """Combine a value over the loop axes that are not ``kept`` into a buffer.

    Args:
        op: ``"sum"`` or ``"max"``.
        buffer: the result.
        kept: loop axes that the result has, in order.
        strides: of the result, for each loop axis (0 along those that are combined).
        value: what is combined.
        node: the node of the graph.
    """

    op: str
    buffer: Buffer
    kept: tuple[int, ...]
    strides: tuple[Count, ...]
    value: Value
    node: Node


# --- steps -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class FusedLoop:
    """One nest of loops that computes, stores and reduces.

    Args:
        axes: lengths, outermost first; empty for single numbers.
        body: values in the order in which they are computed.
        stores: written in every iteration, after all loads of that iteration.
        reductions: combined over the loop.
        nodes: the nodes that it computes, for names and sections.
    """

    axes: tuple[Dim, ...]
    body: tuple[Value, ...]
    stores: tuple[Store, ...]
    reductions: tuple[Reduce, ...]
    nodes: tuple[Node, ...]


@dataclass(frozen=True, eq=False)
class Matrix:
    """An operand of a matrix product: rows and columns of a buffer.

    Args:
        buffer: where the entries are.
        strides: elements from row to row and from column to column; one of them is 1 unless the axis is trivial.
        batch: elements from one matrix to the next along each batch axis.
    """

    buffer: Buffer
    strides: tuple[Count, Count]
    batch: tuple[Count, ...]


@dataclass(frozen=True, eq=False)
class Accumulation:
    """``out + scale * product`` in place of a product: an update by a gradient that is one.

    Args:
        scale: a number.
        node: what is updated.
    """

    scale: Value
    node: Node


@dataclass(frozen=True, eq=False)
class Blocks:
    """How a product is computed block by block of its entries.

    Args:
        rooms: scratch by name, as the backend that writes it asked for.
        then: what becomes of the entries of a block while they are at hand: a loop over all of them, which alone
            reads the product, so that this has no array. None: they are stored.
    """

    rooms: Mapping[str, Buffer]
    then: FusedLoop | None = None


@dataclass(frozen=True, eq=False)
class MatMul:
    """``out = a @ b`` for every matrix of the batch.

    Args:
        out, a, b: the matrices.
        sizes: rows of ``a``, columns of ``b``, the inner length.
        batch: lengths of the batch axes.
        node: the node of the graph.
        into: what becomes of ``out`` instead, or None.
        blocks: how it is computed block by block; None: by a library or by plain loops.
    """

    out: Matrix
    a: Matrix
    b: Matrix
    sizes: tuple[Dim, Dim, Dim]
    batch: tuple[Dim, ...]
    node: Node
    into: Accumulation | None = None
    blocks: Blocks | None = None

    @property
    def nodes(self) -> tuple[Node, ...]:
        """What it computes."""
        return (self.node, *([self.into.node] if self.into else []), *(self.then.nodes if self.then else []))

    @property
    def then(self) -> FusedLoop | None:
        """What becomes of its entries at once."""
        return self.blocks.then if self.blocks else None


@dataclass(frozen=True, eq=False)
class Routine:
    """An operation with code of its own: item after item, none of which needs another.

    Args:
        out: the result, row by row.
        operands: row by row.
        items: how many there are.
        scratch: room that the items share out, or None.
        node: the node of the graph.
    """

    out: Buffer
    operands: tuple[Buffer, ...]
    items: Count
    scratch: Buffer | None
    node: Node

    @property
    def nodes(self) -> tuple[Node, ...]:
        """What it computes."""
        return (self.node,)


@dataclass(frozen=True, eq=False)
class Gather:
    """Take the rows of the batch out of the data."""

    data: Buffer
    out: Buffer

    @property
    def nodes(self) -> tuple[Node, ...]:
        """What it computes."""
        return ()


@dataclass(frozen=True, eq=False)
class Copy:
    """Copy a whole buffer: the delayed write of an update whose old value was still read."""

    source: Buffer
    target: Buffer

    @property
    def nodes(self) -> tuple[Node, ...]:
        """What it computes."""
        return ()


@dataclass(frozen=True, eq=False)
class Tile:
    """Steps that treat each row of the batch by itself, done for a few rows at a time.

    What has the batch axis among its lengths and is no argument lives only while its rows are worked on.

    Args:
        axis: name of the batch axis.
        steps: in order.
    """

    axis: str
    steps: tuple[Step, ...]

    @property
    def nodes(self) -> tuple[Node, ...]:
        """What it computes."""
        return tuple(node for step in self.steps for node in step.nodes)

    def outer(self, buffers: Sequence[Buffer]) -> list[Buffer]:
        """Those buffers that are there before or after the tile."""
        return [b for b in buffers if b.role != "value" or self.axis not in b.shape]


@dataclass(frozen=True, eq=False)
class RowPass:
    """Loops over the same rows, done row after row in one pass: softmax and cross-entropy with its derivative.

    Args:
        axes: the lengths by which rows are counted: the first axes of every loop.
        loops: in order.
        single: what only these loops need, of which one row is kept instead of all.
        lanes: how many rows are worked on at a time; 0: one.
    """

    axes: tuple[Dim, ...]
    loops: tuple[FusedLoop, ...]
    single: tuple[Buffer, ...]
    lanes: int = 0

    @property
    def nodes(self) -> tuple[Node, ...]:
        """What it computes."""
        return tuple(node for loop in self.loops for node in loop.nodes)


Step = FusedLoop | MatMul | Routine | Gather | Copy | Tile | RowPass


def arena_of(dtype: str) -> str:
    """The arena in which elements of a dtype live: bools are bytes."""
    return "uint8" if dtype == "bool" else dtype


def padded(elements: int, dtype: str) -> int:
    """Elements rounded up so that what follows begins on a cache line."""
    unit = ALIGNMENT // ITEM_SIZE[dtype]
    return -(-elements // unit) * unit
