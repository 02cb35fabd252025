"""From outputs, or from a training step, to a `Program`: expand, schedule, fuse, plan."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from graphlearn.graph.leaves import constant_array
from graphlearn.graph.names import Names, names_of_function
from graphlearn.graph.node import Node, make, new_node
from graphlearn.graph.traverse import depends_on_axis, topological
from graphlearn.program.accumulate import accumulate
from graphlearn.program.arena import plan_arenas
from graphlearn.program.blocking import Blocking, block_products
from graphlearn.program.expand import Expanded, expand
from graphlearn.program.fuse import fuse
from graphlearn.program.order import by_section
from graphlearn.program.program import Program
from graphlearn.program.row_passes import Lanes, gather_passes
from graphlearn.program.rules import COPY
from graphlearn.program.schedule import schedule
from graphlearn.program.steps import Buffer, Copy, FusedLoop, Gather, Load, MatMul, Step, Store, Tile
from graphlearn.program.tiling import gather_tile
from graphlearn.program.together import WORTH, Block, put_together
from graphlearn.program.training import TrainingStep
from graphlearn.program.uses import reads_of, writes_of
from graphlearn.types import ArrayType, Shape


def build_function(
    outputs: Sequence[Node],
    leaves: Sequence[Node],
    precision: str,
    *,
    blocking: Blocking | None = None,
    passes: Lanes | None = None,
    in_place: bool = False,
) -> Program:
    """The program that computes outputs from leaves; free axes have their length at the call.

    Args:
        outputs: nodes.
        leaves: inputs, parameters and states in the order in which they are given.
        precision: what every float64 becomes.
        blocking: which products are computed block by block; None: none is.
        passes: how loops over the same rows are written as one pass; None: they are not.
        in_place: whether a loop may write over what it alone still reads.
    """
    graph = expand(outputs, precision, {})
    roots = [_root(node, k) for k, node in enumerate(graph.roots)]
    table = _Buffers(graph, names_of_function(outputs), leaves, precision)
    results = []
    for number, (root, wanted) in enumerate(zip(roots, outputs, strict=True)):
        dtype = precision if wanted.dtype == "float64" else wanted.dtype
        results.append(table.enter(root, f"output{number}", "output", dtype))
    order = topological(roots)
    plan = schedule(order, dict.fromkeys(roots, 0), frozenset(order))
    steps = [step for _, step in fuse(plan, table.of, table.room)]
    remarks: tuple[str, ...] = ()
    if blocking:
        steps, _, remarks = block_products(steps, len(steps), blocking, table.room)
    if passes:
        steps, _ = gather_passes(steps, passes)
    return Program(
        steps=tuple(steps),
        sections=("forward",) * len(steps),
        buffers=table.used(steps),
        slots=plan_arenas(steps, (), {}, in_place=in_place),
        given=table.given,
        outputs=tuple(results),
        loss=None,
        axes=_axes([*leaves, *order]),
        capacity={},
        names=table.names,
        origin=graph.origin,
        nonempty=_nonempty(order),
        remarks=remarks,
    )


def _axes(nodes: Sequence[Node]) -> tuple[str, ...]:
    """The free axes of these nodes, those included whose length alone is asked for."""
    asked = [node.attr("axis_name") for node in nodes if node.op.name == "axis_size"]
    return tuple(dict.fromkeys([*depends_on_axis(nodes), *asked]))


@dataclass(frozen=True)
class Batching:
    """How a training loop gets its rows.

    Args:
        rows: the length of every batch, or the largest length where ``fixed`` is false.
        fixed: whether all batches have that length, so that loops have known bounds.
        gather: whether rows are taken by number; else every step reads all rows where they are.
        sizes: lengths of all other free axes.
        together: whether updates of the same form become one loop over arrays that lie side by side.
        tiles: where steps over rows of the batch are to become one `Tile`: says what is wrong with a tile, or nothing.
        accumulates: whether a product is written into the array that it updates; None: no product is.
        blocking: which products are computed block by block; None: none is.
        passes: how loops over the same rows are written as one pass; None: they are not.
        in_place: whether a loop may write over what it alone still reads.
        unrolled: says of the steps and the free axes whether they are written without loops, so that there is no pass.
    """

    rows: int
    fixed: bool
    gather: bool
    sizes: Mapping[str, int]
    together: bool = False
    tiles: Callable[[Tile], str] | None = None
    accumulates: Callable[[MatMul], bool] | None = None
    blocking: Blocking | None = None
    passes: Lanes | None = None
    in_place: bool = False
    unrolled: Callable[[Sequence[Step], Sequence[str]], bool] = lambda steps, axes: False


def build_training(step: TrainingStep, precision: str, batching: Batching) -> Program:
    """The program of one training step, for a loop around it.

    With ``tiles``, the batch axis stays free: a tile asks how many rows there are. Where there can be no tile, the
    program is the one without, and a remark says why.
    """
    known = dict(batching.sizes)
    tiles = batching.tiles if step.axis else None
    if batching.fixed and step.axis and tiles is None:
        known[step.axis] = batching.rows
    graph = expand(step.roots, precision, known)
    roots = [_root(node, k) for k, node in enumerate(graph.roots)]
    leaves = tuple(dict.fromkeys([*graph.leaves, *step.updates]))
    table = _Buffers(graph, Names(step.roots, step.names), leaves, precision, kept=set(leaves) - set(step.data))
    gathers = table.gather(step.data) if batching.gather else []
    loss = table.enter(roots[0], "loss", "value", graph.roots[0].dtype)
    targets = {root: table.given[leaf] for root, leaf in zip(roots[1:], step.updates, strict=True)}
    for root, target in targets.items():
        table.place(root, target)
    order = topological(roots)
    last = {**dict.fromkeys(roots[1:], 0), roots[0]: -1}
    forward = frozenset(topological(roots[:1]))
    plan = schedule(order, last, forward)
    levelled = fuse(plan, table.of, table.room)
    body = [s for _, s in levelled]
    first_update = next((k for k, (level, _) in enumerate(levelled) if level == 0), len(body))
    body, delayed = _delay(body, table)
    axes = () if known.keys() >= {step.axis} or not step.axis else (step.axis,)
    body, first_update, remarks = _arrange(body, first_update, forward, batching if tiles is None else None, table)
    if batching.passes and tiles is None and not batching.unrolled([*gathers, *body, *delayed], axes):
        body, first_update = gather_passes(body, batching.passes, first_update)
    blocks: list[Block] = []
    if batching.together:
        body, blocks = put_together(body, first_update, worth=WORTH if tiles is None else 0)
    steps = [*gathers, *body, *delayed]
    updates = set(steps[len(gathers) + first_update :])
    names = _sections(steps, updates, forward)
    if tiles is not None:
        tiled = _with_tile(steps, updates, step.axis, tiles)
        if isinstance(tiled, str):
            without = build_training(step, precision, replace(batching, tiles=None))
            return replace(without, remarks=(f"rows are not taken in tiles: {tiled}", *without.remarks))
        steps, names = tiled, _sections(tiled, updates, forward)
    return Program(
        steps=tuple(steps),
        sections=tuple(names),
        buffers=table.used(steps),
        slots=plan_arenas(steps, table.kept_buffers(), _capacity(step, batching), blocks, in_place=batching.in_place),
        given=table.given,
        outputs=(),
        loss=loss,
        axes=axes,
        capacity=_capacity(step, batching),
        names=table.names,
        origin=graph.origin,
        nonempty=_nonempty(order),
        remarks=remarks,
    )


def _arrange(
    body: list[Step], first_update: int, forward: Collection[Node], batching: Batching | None, table: _Buffers
) -> tuple[list[Step], int, tuple[str, ...]]:
    """Products as they are computed, and all steps in the order of sections; None: rows come in a tile, as they are."""
    remarks: tuple[str, ...] = ()
    if batching and batching.accumulates:
        body, first_update = accumulate(body, first_update, batching.accumulates)
    if batching and batching.blocking:
        body, first_update, remarks = block_products(body, first_update, batching.blocking, table.room)
    return *by_section(body, first_update, forward), remarks


def _with_tile(
    steps: Sequence[Step], updates: Collection[Step], axis: str, tiles: Callable[[Tile], str]
) -> list[Step] | str:
    """The steps with those over rows as one tile; or why not."""
    arranged = gather_tile(steps, axis, updates)
    if isinstance(arranged, str):
        return arranged
    return tiles(next(step for step in arranged if isinstance(step, Tile))) or arranged


def _capacity(step: TrainingStep, batching: Batching) -> dict[str, int]:
    return {step.axis: batching.rows} if step.axis else {}


def _root(node: Node, number: int) -> Node:
    """A copy of an output of its own, which is where the output is written."""
    return make(COPY, (node,), (("output", number),), scope="")


def _nonempty(order: Sequence[Node]) -> tuple[str, ...]:
    strict = [n for n in order if n.op.name == "max" and not dict(n.attrs).get("empty")]
    dims = [n.inputs[0].shape[k] for n in strict for k in n.attr("axis")]
    return tuple(dict.fromkeys(d for d in dims if isinstance(d, str)))


def _sections(steps: Sequence[Step], updates: Collection[Step], forward: Collection[Node]) -> list[str]:
    names = []
    for step in steps:
        if step in updates:
            names.append("update")
        elif isinstance(step, Tile):
            names.append("rows")
        else:
            names.append("forward" if all(n in forward for n in step.nodes) else "backward")
    return names


def _delay(body: list[Step], table: _Buffers) -> tuple[list[Step], list[Step]]:
    """Updates read the values of the step's beginning: where a later step reads the old one, a temporary is written."""
    delayed: list[Step] = []
    for number, step in enumerate(body):
        if not isinstance(step, FusedLoop):
            continue
        stores = list(step.stores)
        for k, store in enumerate(stores):
            if store.buffer.role == "kept" and _still_read(store, step, body[number + 1 :]):
                temporary = table.temporary(store.buffer)
                stores[k] = replace(store, buffer=temporary)
                delayed.append(Copy(temporary, store.buffer))
        body[number] = FusedLoop(step.axes, step.body, tuple(stores), step.reductions, step.nodes)
    return body, delayed


def _still_read(store: Store, step: FusedLoop, after: Sequence[Step]) -> bool:
    place = (store.strides, store.offset)
    reads = [v for v in step.body if isinstance(v, Load) and v.buffer is store.buffer]
    own = any((v.strides, v.offset) != place for v in reads)
    return own or any(store.buffer in reads_of(later) for later in after)


class _Buffers:
    """The buffer of every node that has one, made when it is first asked for."""

    def __init__(
        self, graph: Expanded, names: Names, leaves: Sequence[Node], precision: str, kept: set[Node] | None = None
    ) -> None:
        self.names = {new: name for new, old in graph.origin.items() if (name := _first_name(names, old))}
        self.given: dict[Node, Buffer] = {}
        self._of: dict[Node, Buffer] = {}
        self._taken: set[str] = set()
        self._arguments = kept is None
        for leaf in leaves:
            stand_in = graph.leaves[leaf] if leaf in graph.leaves else _lowered_leaf(leaf, precision)
            role = "kept" if kept is not None and leaf in kept else "given"
            self.given[leaf] = self.enter(stand_in, leaf.full_name, role, stand_in.dtype)

    def enter(self, node: Node, name: str, role: str, dtype: str, shape: Shape | None = None) -> Buffer:
        """Make the buffer of a node."""
        buffer = Buffer(self._unique(name), dtype, node.shape if shape is None else shape, role, node)
        self._of[node] = buffer
        return buffer

    def place(self, node: Node, buffer: Buffer) -> None:
        """Let a node be written to a buffer that exists."""
        self._of[node] = buffer

    def gather(self, data: Sequence[Node]) -> list[Step]:
        """Batches in the arena instead of the data where they are."""
        steps: list[Step] = []
        for leaf in data:
            if leaf in self.given:
                source = self.given[leaf]
                batch = self.enter(source.node, f"{source.name}_batch", "value", source.dtype)
                steps.append(Gather(source, batch))
        return steps

    def temporary(self, target: Buffer) -> Buffer:
        """Scratch of the size of a buffer."""
        return Buffer(self._unique(f"next_{target.name}"), target.dtype, target.shape, "value", target.node)

    def room(self, node: Node, shape: Shape) -> Buffer:
        """Scratch of a shape, in a node's dtype."""
        return Buffer(self._unique(f"room_{self.names.get(node, node.op.name)}"), node.dtype, shape, "value", node)

    def of(self, node: Node) -> Buffer:
        """The buffer of a leaf, of a constant array or of a stored node."""
        known = self._of.get(node)
        if known is None:
            name = self.names.get(node, node.op.name)
            known = self.enter(node, name, "value" if constant_array(node) is None else "kept", node.dtype)
        return known

    def kept_buffers(self) -> list[Buffer]:
        """Buffers that keep their values from call to call."""
        return list(dict.fromkeys(b for b in [*self.given.values(), *self._of.values()] if b.role == "kept"))

    def used(self, steps: Sequence[Step]) -> tuple[Buffer, ...]:
        """All buffers, those that steps made last."""
        made = [b for step in steps for b in (*reads_of(step), *writes_of(step))]
        return tuple(dict.fromkeys([*self.given.values(), *made]))

    def _unique(self, name: str) -> str:
        stem = re.sub(r"\W", "_", name, flags=re.ASCII)
        stem = f"v_{stem}" if not stem[:1].isalpha() else stem
        unique, number = stem, 2
        while unique in self._taken:
            unique, number = f"{stem}_{number}", number + 1
        self._taken.add(unique)
        return unique


def _first_name(names: Names, nodes: Sequence[Node]) -> str:
    given = [n.full_name for n in nodes if n.full_name]
    return given[0] if given else next((names[n] for n in nodes if n in names), "")


def _lowered_leaf(leaf: Node, precision: str) -> Node:
    """The stand-in of a leaf that the graph does not read."""
    dtype = precision if leaf.dtype == "float64" else leaf.dtype
    return (
        leaf
        if dtype == leaf.dtype
        else new_node(leaf.op, (), leaf.attrs, ArrayType(leaf.shape, dtype), leaf.name, leaf.scope)
    )
