"""Reverse mode: graph in, graph out. Un-broadcasting and accumulation are done here, once, and in no rule."""

from __future__ import annotations

from collections.abc import Sequence

from graphlearn.calculus.masks import NONE, Mask, Masks
from graphlearn.calculus.partials import Local, local_partial, scale
from graphlearn.calculus.trace import Step, Trace
from graphlearn.errors import DisconnectedError, DTypeError, ShapeError
from graphlearn.graph.interning import quiet_collector
from graphlearn.graph.kin import kin
from graphlearn.graph.leaves import typed_constant
from graphlearn.graph.node import Node, as_node
from graphlearn.graph.options import check_choice
from graphlearn.graph.origin import was_made_from
from graphlearn.graph.scope import no_scope
from graphlearn.graph.streams import remember_streams
from graphlearn.graph.traverse import influenced, topological
from graphlearn.ops.reductions import sum_
from graphlearn.ops.shape import broadcast_to, cast, reshape
from graphlearn.types import ArrayType, Shape


def differentiate(
    output: Node,
    wrt: Sequence[Node],
    *,
    seed: Node | None = None,
    disconnected: str = "raise",
    record: bool = True,
    textbook: bool = False,
    order: Sequence[Node] | None = None,
) -> Trace:
    """Differentiate by reverse mode, as a new graph.

    Args:
        output: node of shape ``()``, or of any shape when ``seed`` is given; in any unit ``u``.
        wrt: nodes of a real dtype that ``output`` depends on; any shapes.
        seed: cotangent of ``output``, of its shape; default 1.
        disconnected: ``"raise"``, or ``"zero"``: a node that does not influence the output has a gradient of zeros.
        record: whether to record the steps; gradients are the same without.
        textbook: use the local derivatives that are read instead of those that are computed: equal in exact arithmetic.
        order: the output's topological order, where it is known.

    Returns:
        A `Trace`. ``gradients[w]`` has the shape and dtype of ``w`` and the unit ``u / unit(w)``.

    Raises:
        ShapeError: ``output`` is not a scalar and there is no seed. Reduce it with `sum` or `mean`.
        DisconnectedError: some ``w`` does not influence ``output``.
        DTypeError: the output or some ``w`` is not real.

    Source: Baur and Strassen (1983), The complexity of partial derivatives, doi:10.1016/0304-3975(83)90110-X.
    """
    _require_real([output, *wrt])
    if seed is None:
        _require_scalar(output)
    with quiet_collector(), no_scope():
        order = topological([output]) if order is None else order
        _require_ancestors(order, output, wrt, disconnected)
        active = influenced(order, wrt)
        tape = Tape(output, seed, active, record, textbook, Masks(order))
        for node in reversed(order):
            if node in tape.totals:
                tape.push(node)
        return tape.close(output, tuple(wrt), order)


_REAL = ("float32", "float64")


class Tape:
    """The adjoints found so far, and the steps that found them.

    The adjoint of a node is complete, and its steps are written, when the node is pushed: all that use it came before.
    """

    def __init__(
        self, output: Node, seed: Node | None, active: set[Node], record: bool, textbook: bool, masks: Masks
    ) -> None:
        self.masks = masks
        whole = [node for node in active if node.type.dtype not in _REAL]
        self.active = active.difference(whole) if whole else active
        self.record = record
        self.textbook = textbook
        self.adjoints: dict[Node, Node] = {}
        self.steps: list[Step] = []
        # node -> the sum of what reached it so far; where steps are recorded, also these parts, and their steps
        self.totals: dict[Node, Node] = {}
        self._parts: dict[Node, list[Node]] = {}
        self._notes: dict[Node, list[Step]] = {}
        if output in self.active:
            start = broadcast_to(typed_constant(1, output.dtype), output.shape) if seed is None else seed
            self._give(output, start, None, None, None, None)

    def push(self, node: Node) -> None:
        """Complete the adjoint of a node, then hand its shares to the node's operands."""
        upstream = self.adjoints[node] = self.totals.pop(node)
        if self.record:
            self._write(node)
        watched = self.masks.any and self.masks.watches(node)
        if node.op.is_elementwise:
            self._push_elementwise(node, upstream, watched)
            return
        adjoint = node.op.adjoint_rule(self.textbook)
        if adjoint is None:
            return
        if watched:
            for k, found in enumerate(self.masks.shares(node, upstream, adjoint)):
                if found is not None and node.inputs[k] in self.active:
                    self._give(node.inputs[k], found[0], node, k, upstream, None, found[1])
        else:
            for k, share in enumerate(adjoint(node, upstream)):
                operand = node.inputs[k]
                if share is not None and operand in self.active:
                    self._give(operand, share, node, k, upstream, None)

    def _push_elementwise(self, node: Node, upstream: Node, watched: bool) -> None:
        active, totals, plain = self.active, self.totals, not (self.record or self.masks.any)
        for k, operand in enumerate(node.inputs):
            if operand in active:
                local = local_partial(node, k, self.textbook)
                share, mask = scale(upstream, local), NONE
                if share is None:
                    continue
                if plain and share.type == operand.type:  # what `_give` does with most, without the call
                    known = totals.get(operand)
                    totals[operand] = share if known is None else known + share
                    continue
                if watched:
                    share, mask = self.masks.product(node, upstream, local, share)
                self._give(operand, share, node, k, upstream, local, mask)

    def _give(
        self,
        node: Node,
        share: Node,
        consumer: Node | None,
        argument: int | None,
        upstream: Node | None,
        local: Local,
        mask: Mask = NONE,
    ) -> None:
        """Add a share to the adjoint of a node, in the node's type."""
        kind = node.type
        part = share
        self.masks.arrive(node, share, mask)
        if share.type != kind:
            summed = share if share.type.shape == kind.shape else sum_to(share, kind.shape)
            part = summed if summed.type.dtype == kind.dtype else cast(summed, kind.dtype)
        if self.record:
            self._note(node, share, consumer, argument, upstream, local, mask.added)
            self._parts.setdefault(node, []).append(part)
        known = self.totals.get(node)
        self.totals[node] = part if known is None else known + part

    def _note(
        self,
        node: Node,
        share: Node,
        consumer: Node | None,
        argument: int | None,
        upstream: Node | None,
        local: Local,
        masked: bool,
    ) -> None:
        """Record the chain step and the un-broadcasting."""
        notes = self._notes.setdefault(node, [])
        rule = "seed" if consumer is None else f"chain.{consumer.op.name}"
        entering = () if upstream is None else (upstream,)
        read = None if local is None else as_node(local)
        notes.append(Step(rule, node, consumer, argument, entering, read, share, masked))
        if share.shape != node.shape:
            summed = sum_to(share, node.shape)
            notes.append(Step("unbroadcast", node, consumer, argument, (share,), None, summed))

    def _write(self, node: Node) -> None:
        """The steps of a node whose adjoint is complete."""
        self.steps.extend(self._notes.pop(node))
        parts = self._parts.pop(node)
        if len(parts) > 1:
            self.steps.append(Step("accumulate", node, None, None, tuple(parts), None, self.adjoints[node]))

    def close(self, output: Node, wrt: tuple[Node, ...], order: Sequence[Node]) -> Trace:
        """The finished trace."""
        found = [self.adjoints[w] if w in self.adjoints else zeros_of(w.type) for w in wrt]
        gradients = dict(zip(wrt, remember_streams(found, order), strict=True))
        return Trace(output, wrt, gradients, self.adjoints, tuple(self.steps))


def sum_to(share: Node, shape: Shape) -> Node:
    """Undo broadcasting: sum over the axes along which ``shape`` was repeated; repeat what is too small."""
    if share.shape == shape:
        return share
    if share.ndim < len(shape) or any(
        s == 1 and d != 1 for s, d in zip(share.shape[-len(shape) :], shape, strict=False) if shape
    ):
        return sum_to(broadcast_to(share, _wider(share.shape, shape)), shape)
    extra = share.ndim - len(shape)
    axes = tuple(range(extra)) + tuple(
        k + extra for k, dim in enumerate(shape) if dim == 1 and share.shape[k + extra] != 1
    )
    return reshape(sum_(share, axes), shape)


def _wider(share: Shape, shape: Shape) -> Shape:
    rank = max(len(share), len(shape))
    left = (1,) * (rank - len(share)) + tuple(share)
    right = (1,) * (rank - len(shape)) + tuple(shape)
    return tuple(b if a == 1 else a for a, b in zip(left, right, strict=True))


def zeros_of(kind: ArrayType) -> Node:
    """Zeros of a type, as a graph."""
    return broadcast_to(typed_constant(0, kind.dtype), kind.shape)


def _require_scalar(output: Node) -> None:
    if output.shape != ():
        raise ShapeError(
            f"a gradient needs a scalar output; got {output!r}. Reduce it with gl.sum or gl.mean first, or give a "
            "cotangent to gl.vjp.",
            nodes=(output,),
        )


def _require_real(nodes: Sequence[Node]) -> None:
    for node in nodes:
        if not isinstance(node, Node):
            raise DTypeError(
                f"a gradient needs nodes; got {node!r}. Give the leaf itself, e.g. from gl.symbols(output)."
            )
        if not node.type.is_float:
            raise DTypeError(
                f"a gradient needs real nodes; got {node!r} of dtype {node.dtype}. Cast it to float64 first.",
                nodes=(node,),
            )


def _require_ancestors(order: Sequence[Node], output: Node, wrt: Sequence[Node], disconnected: str) -> None:
    check_choice(disconnected, ("raise", "zero"), "disconnected")
    if disconnected == "zero":
        return
    lost = set(wrt).difference(order)
    for w in wrt:
        if w in lost and not was_made_from(order, output, w):
            entries = [n for n in order if (family := kin(n)) is not None and w in family.ancestors]
            cure = (
                f"It stands there as {', '.join(n.full_name for n in entries[:3])}{', ...' * (len(entries) > 3)}; "
                "differentiate by these, which gl.symbols(output) has by name."
                if entries
                else "Drop it from wrt, connect it, or pass disconnected='zero' to get zeros."
            )
            raise DisconnectedError(
                f"{w.full_name or w!r} does not influence {output.full_name or output!r}. {cure}", nodes=(output, w)
            )
