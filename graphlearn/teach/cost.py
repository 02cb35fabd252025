"""`cost`: parameters, floating-point operations and bytes of a graph, for each node and in all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphlearn.calculus.gradient import grad
from graphlearn.calculus.simplify import rewrite_graph
from graphlearn.calculus.specialize import check_lengths, free_axes
from graphlearn.errors import ShapeError
from graphlearn.graph.names import Names
from graphlearn.graph.node import Node
from graphlearn.graph.options import check_choice
from graphlearn.graph.traverse import leaves, require_nodes, topological
from graphlearn.program.cost import NodeCost, count_costs, without_guards
from graphlearn.render.costs import Bill, tell_costs
from graphlearn.render.document import Document
from graphlearn.render.text import write_text


@dataclass(frozen=True)
class Cost:
    """What a graph costs; made by `cost`. ``print`` it.

    Args:
        nodes: the cost of each operation of the forward pass, in order.
        parameters: trained numbers.
        parameter_bytes: bytes that they take.
        flops: floating-point operations of the forward pass.
        backward_flops: those of the gradients beyond it; None where they were not asked for.
        bytes: of all results of the forward pass, which reverse mode keeps; views take none.
        names: node -> its name.
        sizes: length of each free axis.
        precision: what float64 is computed in.
    """

    nodes: tuple[NodeCost, ...]
    parameters: int
    parameter_bytes: int
    flops: int
    backward_flops: int | None
    bytes: int
    names: Mapping[Node, str]
    sizes: Mapping[str, int]
    precision: str

    def __getitem__(self, name: str | Node) -> NodeCost:
        """The cost of a node, by itself or by its name."""
        for row in self.nodes:
            if name is row.node or (isinstance(name, str) and self.names[row.node] == name):
                return row
        raise KeyError(name)

    def document(self, language: str = "en") -> Document:
        """The costs as blocks, which writers turn into formats."""
        rows = [(self.names[row.node], row) for row in self.nodes]
        title = rows[-1][0] if rows else next(iter(self.names.values()), "")
        bill = Bill(
            title, rows, self.parameters, self.parameter_bytes, self.flops, self.backward_flops, self.bytes, self.sizes,
            self.precision,
        )  # fmt: skip
        return tell_costs(bill, language)

    def to_text(self, language: str = "en", *, width: int | None = None) -> str:
        """Unicode text.

        Args:
            language: ``"en"`` or ``"ko"``.
            width: columns to wrap at; default 120, or the terminal's where that is narrower.
        """
        return write_text(self.document(language), width)

    def __str__(self) -> str:
        return self.to_text()


def cost(
    outputs: Node | Sequence[Node],
    *,
    wrt: Node | Sequence[Node] | None = None,
    precision: str = "float64",
    **sizes: int,
) -> Cost:
    """What a graph costs: parameters, floating-point operations and bytes.

    An elementwise operation counts each ``+ - * /``, comparison, choice or function in its textbook formula once for
    each entry (relu 1, sigmoid 4), a product of (m, k) and (k, n) ``2 m k n``, a sum or a maximum of n entries
    ``n - 1``, a softmax of n ``5 n - 2``, a norm ``2 n``, a variance ``4 n``, a solution of n equations ``2 n**3 / 3``;
    what moves entries counts nothing. What kernels do besides against overflow and lost digits is not counted. A result
    takes bytes, unless it is a view in NumPy: ``broadcast_to``, ``transpose``, slices, and a reshape of entries that
    lie one after the other. Nothing is said about time: a tanh takes longer than a sum.

    Args:
        outputs: a node or several.
        wrt: also count the gradients of the one scalar output by these.
        precision: what float64 is computed in, ``"float64"`` or ``"float32"``; for bytes.
        **sizes: name of a free axis -> its length; every free axis needs one.

    Returns:
        `Cost`: ``.parameters``, ``.flops``, ``.backward_flops``, ``.bytes``, ``.nodes``, and a table as ``str()``.

    Raises:
        ShapeError: a free axis without a length.
        UnknownNameError: an axis that the graph does not have.
        UnsupportedOp: an operation whose cost is not known.

    Example:
        >>> import graphlearn as gl
        >>> x, w = gl.input("x", ("batch", 784)), gl.parameter("w", (784, 10))
        >>> gl.cost(gl.relu(x @ w), batch=32).flops
        502080
    """
    check_choice(precision, ("float32", "float64"), "cost with precision")
    roots = require_nodes(outputs, "cost")
    order = topological(roots)
    lengths = _lengths(order, sizes)
    table = count_costs(order, lengths, precision)
    trained = leaves(roots, "parameter")
    count = sum(math.prod(int(d) for d in n.shape) for n in trained)
    names = Names(roots)
    return Cost(
        nodes=tuple(row for row in table if row.node in names and not row.node.is_leaf),
        parameters=count,
        parameter_bytes=sum(row.bytes for row in table if row.node in set(trained)),
        flops=sum(row.flops for row in table),
        backward_flops=None if wrt is None else _backward(roots, wrt, order, lengths, precision),
        bytes=sum(row.bytes for row in table if not row.node.is_leaf),
        names={node: names[node] for node in names},
        sizes=lengths,
        precision=precision,
    )


def _lengths(order: Sequence[Node], sizes: Mapping[str, int]) -> Mapping[str, int]:
    lengths = check_lengths(sizes, order, "cost")
    missing = [axis for axis in free_axes(order) if axis not in lengths]
    if missing:
        raise ShapeError(
            f"cost needs the length of every free axis; got none for {', '.join(map(repr, missing))}. Write "
            f"gl.cost(output, {', '.join(f'{axis}=32' for axis in missing)}), for instance."
        )
    return lengths


def _backward(
    roots: Sequence[Node], wrt: Any, forward: Sequence[Node], sizes: Mapping[str, int], precision: str
) -> int:
    """The gradients' operations beyond those of the forward pass, after what training leaves out, such as times 1."""
    gradients = [g for root in roots for g in grad(root, require_nodes(wrt, "cost by wrt"))]
    known = set(forward)
    short = rewrite_graph(gradients, kinds=("stabilising",), keep=known).mapping
    new = without_guards([short[g] for g in gradients], known)
    return sum(row.flops for row in count_costs(new, sizes, precision))
