"""From a schedule to steps: one loop for the nodes of one level and one space, one step for each matrix product."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphlearn.graph.leaves import constant_array
from graphlearn.graph.node import Node
from graphlearn.program.access import (
    Access,
    is_assembly,
    is_entrywise,
    is_reduction,
    lanes_of,
    loop_axes,
    loop_space,
    part_places,
    space,
)
from graphlearn.program.counts import ZERO, Count, count, row_major
from graphlearn.program.merge import merged_rows
from graphlearn.program.routines import ROUTINES, is_routine
from graphlearn.program.schedule import Schedule
from graphlearn.program.steps import (
    Buffer,
    Compute,
    FusedLoop,
    Length,
    Literal,
    Load,
    MatMul,
    Matrix,
    Reduce,
    Routine,
    Step,
    Store,
    Value,
)
from graphlearn.types import Dim, Shape, promote

# Ops whose operands are compared or tested in a dtype of their own, not in that of the result.
_COMPARISONS = ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal")
_TESTS = ("logical_not", "logical_and", "logical_or")


def fuse(
    plan: Schedule, buffer_of: Callable[[Node], Buffer], room_for: Callable[[Node, Shape], Buffer]
) -> list[tuple[int, Step]]:
    """Steps with their levels, in the order in which they run.

    Args:
        plan: levels, accesses and what is stored.
        buffer_of: the buffer of a leaf, of a constant array or of a stored node; a root's is where it is written.
        room_for: a scratch buffer of a shape for a node.
    """
    position = {node: k for k, node in enumerate(plan.order)}
    groups: dict[tuple[int, Shape], list[Node]] = {}
    steps: list[tuple[int, int, Step]] = []
    for node in plan.order:
        level = plan.level[node]
        if node.op.name == "matmul":
            steps.append((level, position[node], _matmul(node, plan, buffer_of)))
        elif is_routine(node):
            steps.append((level, position[node], _routine(node, plan, buffer_of, room_for)))
        elif is_assembly(node):
            steps += [(level, position[node], loop) for loop in _assembled(node, plan, buffer_of)]
        else:
            groups.setdefault((level, loop_space(node)), []).append(node)
    for (level, axes), members in groups.items():
        step = _Loop(axes, plan, buffer_of).build(members)
        if step is not None:
            steps.append((level, position[step.nodes[0]], step))
    return [(level, step) for level, _, step in sorted(steps, key=lambda entry: entry[:2])]


class _Loop:
    """One fused loop while it is built."""

    def __init__(self, axes: Shape, plan: Schedule, buffer_of: Callable[[Node], Buffer]) -> None:
        self._axes = axes
        self._plan = plan
        self._buffer_of = buffer_of
        self._own: dict[Node, None] = {}  # in order: an iteration over a set would follow addresses
        self._values: dict[Node, Value] = {}
        self._loads: dict[tuple[Buffer, tuple[Count, ...], tuple[Count, ...]], Load] = {}
        self._literals: dict[tuple[str, str], Literal] = {}
        self._casts: dict[tuple[Value, str], Compute] = {}
        self._body: list[Value] = []

    def build(self, members: Sequence[Node]) -> FusedLoop | None:
        """The loop for these nodes, in topological order; None where nothing of it is stored."""
        self._own = dict.fromkeys(members)
        stores: list[Store] = []
        reductions: list[Reduce] = []
        made: list[Node] = []
        for node in members:
            if is_reduction(node):
                reductions.append(self._reduction(node))
                made.append(node)
            elif node in self._plan.stored:
                stores.append(self._store(node))
                made.append(node)
        if not made:
            return None
        return FusedLoop(self._axes, tuple(self._body), tuple(stores), tuple(reductions), tuple(made))

    def lay(self, node: Node, part: Access | None, place: Access) -> FusedLoop:
        """The loop that writes a part of an assembly to its place; zeros where there is no part."""
        buffer = self._buffer_of(node)
        value = self._literal(0, buffer.dtype) if part is None else self._from_memory(part)
        store = Store(buffer, place.strides(len(self._axes)), self._as(value, buffer.dtype, node), place.offset)
        return FusedLoop(self._axes, tuple(self._body), (store,), (), (node,))

    def _store(self, node: Node) -> Store:
        buffer = self._buffer_of(node)
        return Store(buffer, row_major(self._axes), self._as(self._value(node), buffer.dtype))

    def _reduction(self, node: Node) -> Reduce:
        access = self._plan.reads[node][0]
        value = self._as(self._read(node, access), node.dtype)
        shape = node.inputs[0].shape
        numbers = iter(range(len(self._axes)))
        axes = [None if d == 1 else next(numbers) for d in shape]
        kept = tuple(a for k, a in enumerate(axes) if a is not None and k not in node.attr("axis"))
        strides = [ZERO] * len(self._axes)
        for axis, stride in zip(kept, row_major([self._axes[a] for a in kept]), strict=True):
            strides[axis] = stride
        return Reduce(node.op.name, self._buffer_of(node), kept, tuple(strides), value, node)

    def _value(self, root: Node) -> Value:
        """The value of an entrywise node in this loop; operands first, without recursion."""
        stack = [root]
        while stack:
            node = stack[-1]
            if node in self._values:
                stack.pop()
                continue
            waiting = [a.base for a in self._plan.reads[node] if self._is_local(a) and a.base not in self._values]
            if waiting:
                stack.extend(reversed(waiting))
            else:
                stack.pop()
                self._values[node] = self._computed(node)
        return self._values[root]

    def _is_local(self, access: Access) -> bool:
        base = access.base
        if base not in self._plan.reads or not is_entrywise(base) or not access.matches(self._axes):
            return False
        return base in self._own or base not in self._plan.stored

    def _read(self, node: Node, access: Access) -> Value:
        return self._value(access.base) if self._is_local(access) else self._from_memory(access)

    def _from_memory(self, access: Access) -> Value:
        base = access.base
        array = constant_array(base)
        if array is not None and array.size == 1:
            return self._literal(array.item(), base.dtype)
        if base.op.name == "axis_size":
            return self._values.setdefault(base, self._entered(Length(base.attr("axis_name"))))
        buffer, strides = self._buffer_of(base), access.strides(len(self._axes))
        key = (buffer, strides, access.offset)
        known = self._loads.get(key)
        if known is None:
            known = self._loads[key] = Load(*key)
            self._body.append(known)
        return known

    def _entered(self, value: Value) -> Value:
        self._body.append(value)
        return value

    def _literal(self, value: float, dtype: str) -> Literal:
        key = (repr(value), dtype)
        known = self._literals.get(key)
        if known is None:
            known = self._literals[key] = Literal(value, dtype)
            self._body.append(known)
        return known

    def _computed(self, node: Node) -> Value:
        values = [self._read(node, access) for access in self._plan.reads[node]]
        if node.op.name == "copy":
            return values[0]
        if node.op.name == "cast":
            return self._as(values[0], node.dtype, node)
        wanted = _operand_dtypes(node)
        ready = tuple(
            v if d is None else self._as(v, d, None if isinstance(v, Compute) else node)
            for v, d in zip(values, wanted, strict=True)
        )
        made = Compute(node.op.name, ready, node.dtype, node)
        self._body.append(made)
        return made

    def _as(self, value: Value, dtype: str, node: Node | None = None) -> Value:
        """The value in another dtype."""
        if value.dtype == dtype:
            return value
        if isinstance(value, Literal):
            return self._literal(value.value, dtype)
        known = self._casts.get((value, dtype))
        if known is None:
            if node is None:  # a node has no truth value, so no `or` here
                node = value.node if isinstance(value, Compute) else next(iter(self._own))
            known = self._casts[value, dtype] = Compute("cast", (value,), dtype, node)
            self._body.append(known)
        return known


def _assembled(node: Node, plan: Schedule, buffer_of: Callable[[Node], Buffer]) -> list[FusedLoop]:
    """An array that is written part by part, one loop for each part that has entries."""
    loops = []
    if node.op.name == "inlay":
        whole = Access(node, node.shape, lanes_of(loop_axes(node.shape)))
        loops.append(_Loop(space(node.shape), plan, buffer_of).lay(node, None, whole))
    for part, access, place in zip(node.inputs, plan.reads[node], part_places(node), strict=True):
        if count(part.shape) != ZERO:
            loops.append(_Loop(space(part.shape), plan, buffer_of).lay(node, access, place))
    return loops


def _routine(
    node: Node, plan: Schedule, buffer_of: Callable[[Node], Buffer], room_for: Callable[[Node, Shape], Buffer]
) -> Routine:
    record = ROUTINES[node.op.name]
    scratch = None if record.scratch is None else room_for(node, record.scratch(node))
    given = tuple([buffer_of(access.base) for access in plan.reads[node]])
    return Routine(buffer_of(node), given, count(record.items(node)), scratch, node)


def _operand_dtypes(node: Node) -> tuple[str | None, ...]:
    """The dtype in which each operand enters the computation; None: its own."""
    if node.op.name in _COMPARISONS:
        dtype, _ = promote([n.type for n in node.inputs])
        return (dtype,) * len(node.inputs)
    if node.op.name in _TESTS:
        return (None,) * len(node.inputs)
    if node.op.name == "where":
        return ("bool", node.dtype, node.dtype)
    return (node.dtype,) * len(node.inputs)


def _matmul(node: Node, plan: Schedule, buffer_of: Callable[[Node], Buffer]) -> MatMul:
    a, b = node.inputs
    left = a.shape if a.ndim > 1 else (1, *a.shape)
    right = b.shape if b.ndim > 1 else (*b.shape, 1)
    rows, inner, columns = left[-2], left[-1], right[-1]
    batch = node.shape[: max(a.ndim, b.ndim, 2) - 2] if max(a.ndim, b.ndim) > 2 else ()
    out_shape = (*batch, rows, columns)
    reads = plan.reads[node]
    return merged_rows(
        MatMul(
            _matrix(buffer_of(node), out_shape, row_major(out_shape), batch),
            _operand(reads[0], a, left, True, batch, buffer_of),
            _operand(reads[1], b, right, False, batch, buffer_of),
            (rows, columns, inner),
            batch,
            node,
        )
    )


def _operand(
    access: Access, node: Node, shape: Shape, is_row: bool, batch: Shape, buffer_of: Callable[[Node], Buffer]
) -> Matrix:
    """The operand as matrices of ``shape``: a vector has got an axis of length 1 in front or behind."""
    by_loop = iter(access.strides(len(space(node.shape))))
    own = [ZERO if d == 1 else next(by_loop) for d in node.shape]
    if node.ndim == 1:
        own = [ZERO, *own] if is_row else [*own, ZERO]
    return _matrix(buffer_of(access.base), shape, own, batch)


def _matrix(buffer: Buffer, shape: Shape, strides: Sequence[Count], batch: tuple[Dim, ...]) -> Matrix:
    own = shape[:-2]
    steps = [ZERO] * (len(batch) - len(own)) + [
        ZERO if d == 1 else s for d, s in zip(own, strides[: len(own)], strict=True)
    ]
    return Matrix(buffer, (strides[-2], strides[-1]), tuple(steps))
