"""Which nodes of a graph a person gets to see, and by which name: the rows of a derivation are the cards of a diagram.

Rule: an unnamed node that is used once stands inside the formula of what uses it, as long as its adjoint says nothing
new there. The decision needs adjoints, and so the parameters are differentiated by where nobody said by what.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from graphlearn.calculus.reverse import differentiate
from graphlearn.graph.leaves import INPUT
from graphlearn.graph.names import Names
from graphlearn.graph.node import Node, new_node
from graphlearn.graph.op import Opening
from graphlearn.graph.rewrite import substitute
from graphlearn.graph.scope import no_scope
from graphlearn.graph.traverse import consumers, leaves, topological

_INLINE_DEPTH = 6  # unnamed operations that one formula may nest before it is cut by a name

Adjoints = Mapping[Node, Node]


@dataclass(frozen=True)
class Shown:
    """What is shown of a graph.

    Args:
        nodes: in topological order, opened inner nodes included.
        names: shown node -> full name.
        openings: opened operation -> its textbook graph.
    """

    nodes: tuple[Node, ...]
    names: dict[Node, str]
    openings: dict[Node, Opening]


def choose_shown(
    roots: Sequence[Node], names: Names, adjoints: Sequence[Adjoints], *, opened: bool = True, every: bool = False
) -> Shown:
    """Decide what is shown.

    Args:
        roots: outputs.
        names: the names of the graph.
        adjoints: forward node -> adjoint, for each output; see `reading_adjoints`.
        opened: show the textbook graph behind an operation that has one, and its inner node.
        every: show every operation by itself; nothing is opened.
    """
    order = topological(roots)
    openings = _readable(open_operations(order), adjoints) if opened and not every else {}
    nodes = (
        tuple(n for n in order if n in names and not is_unwritten(n))
        if every
        else _choose(roots, order, adjoints, openings)
    )
    return Shown(nodes, _name(names, nodes, openings), openings)


def reading_adjoints(roots: Iterable[Node]) -> list[Adjoints]:
    """Adjoints of each real output by the parameters, or by the real inputs where there are none."""
    return [
        differentiate(root, wrt, seed=seed, textbook=True, record=False).adjoints for root, wrt, seed in _slopes(roots)
    ]


def _slopes(roots: Iterable[Node]) -> Iterable[tuple[Node, tuple[Node, ...], Node | None]]:
    for root in roots:
        real = [leaf for leaf in leaves([root]) if leaf.type.is_float]
        wrt = tuple([n for n in real if n.op.name == "parameter"] or real)
        if root.type.is_float and wrt:
            yield root, wrt, None if root.shape == () else new_node(INPUT, (), (), root.type, "cotangent", "")


def open_operations(order: Iterable[Node]) -> dict[Node, Opening]:
    """The textbook graphs behind operations; an inner node that the graph has already is not made twice."""
    found: dict[Node, Opening] = {}
    present = {(n.op, n.inputs, n.attrs): n for n in order if n.inputs}
    with no_scope():
        for node in order:
            if node.op.open is not None:
                opening = node.op.open(node)
                inner = opening.inner
                own = present.get((inner.op, inner.inputs, inner.attrs), inner)
                found[node] = opening if own is inner else _with_inner(opening, own)
    return found


def _readable(openings: Mapping[Node, Opening], adjoints: Sequence[Adjoints]) -> dict[Node, Opening]:
    """Those whose inner node is used by nothing else that counts: ``∂L/∂p`` must not mean two things."""
    return {
        node: opening for node, opening in openings.items() if not any(opening.inner in table for table in adjoints)
    }


def _with_inner(opening: Opening, own: Node) -> Opening:
    new = substitute([opening.graph, opening.partial], {opening.inner: own})
    return Opening(new[opening.graph], own, opening.name, new[opening.partial])


def _choose(
    roots: Sequence[Node], order: Sequence[Node], adjoints: Sequence[Adjoints], openings: Mapping[Node, Opening]
) -> tuple[Node, ...]:
    uses = consumers(order)
    plain = plain_numbers(a for table in adjoints for a in table.values())
    outputs = set(roots)
    # The targets of an opened loss, such as one-hot rows, stand in several of its formulas: they get a name.
    targets = {operand for node in openings for operand in node.inputs[1:]}
    depth: dict[Node, int] = {}
    shown: dict[Node, None] = {}
    for node in order:
        opening = openings.get(node)
        if opening is not None:
            shown.setdefault(opening.inner)
        if is_unwritten(node) or (node.op.name == "constant" and not node.full_name):
            continue
        nested = 1 + max((depth.get(n, 0) for n in node.inputs), default=0)
        inner = node not in outputs and not node.is_leaf and node not in targets
        alone = inner and not node.full_name and len(uses[node]) == 1 and not _is_drawn(node)
        if alone and nested < _INLINE_DEPTH and _says_nothing_new(node, uses[node][0][0], adjoints, plain):
            depth[node] = nested
        else:
            shown.setdefault(node)
    return tuple(shown)


def is_unwritten(node: Node) -> bool:
    """Whether a node has no row or card: the length of an axis, and what a run gives beside its data."""
    return node.op.name in ("axis_size", "run")


def _is_drawn(node: Node) -> bool:
    """Whether a value is drawn, so that no reader can work it out; words, which truths are made of, are left out."""
    return node.dtype != "int64" and any(_is_of_run(n) for n in node.inputs)


def _is_of_run(node: Node) -> bool:
    return node.op.name == "run" or (node.dtype == "int64" and any(n.op.name == "run" for n in node.inputs))


def _says_nothing_new(node: Node, consumer: Node, adjoints: Sequence[Adjoints], plain: Collection[Node]) -> bool:
    """Whether each adjoint of a node is none, that of its consumer, or a number such as 1/N."""
    for table in adjoints:
        adjoint = table.get(node)
        if adjoint is not None and adjoint is not table.get(consumer) and adjoint not in plain:
            return False
    return True


def plain_numbers(nodes: Iterable[Node]) -> set[Node]:
    """Those nodes of a graph that are made of constants and axis lengths alone, such as 1/N."""
    found: set[Node] = set()
    for node in topological(nodes):
        made = all(n in found for n in node.inputs) if node.inputs else node.op.name in ("constant", "axis_size")
        if made:
            found.add(node)
    return found


def _name(table: Names, nodes: Iterable[Node], openings: Mapping[Node, Opening]) -> dict[Node, str]:
    taken = {table[node] for node in table}
    inner = {opening.inner: opening.name for opening in openings.values()}
    names: dict[Node, str] = {}
    for node in nodes:
        # A node of the user's own that computes the same as an opened inner node keeps its name.
        names[node] = table.get(node) or _free_name(inner[node], taken)
        taken.add(names[node])
    return names


def _free_name(name: str, taken: Collection[str]) -> str:
    candidates = [name, *(f"{name}{k}" for k in range(2, len(taken) + 3))]
    return next(candidate for candidate in candidates if candidate not in taken)
