"""`paths`: a derivative as the sum over all paths from a number to the output, listed or, where too many, counted."""

from __future__ import annotations

import functools
import operator
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from graphlearn.backends.numpy.interpreter import interpret
from graphlearn.calculus.blocked import IGNORE, warn_of_blocked
from graphlearn.calculus.gradient import grad
from graphlearn.calculus.paths import Edge, Path, Ways, local_derivative
from graphlearn.calculus.reverse import differentiate
from graphlearn.calculus.simplify import rewrite_graph
from graphlearn.errors import OptionError
from graphlearn.graph.binding import At, Binding, bind
from graphlearn.graph.names import Names
from graphlearn.graph.node import Node, as_node
from graphlearn.graph.scope import no_scope
from graphlearn.graph.streams import check_seed, check_step
from graphlearn.graph.traverse import require_node, require_nodes, symbols, topological
from graphlearn.render.document import Document
from graphlearn.render.names import name_math
from graphlearn.render.text import write_text
from graphlearn.render.trails import Tale, Trail, tell_paths
from graphlearn.teach.shown import Shown, choose_shown


class Paths:
    """The paths from one number to another; made by `paths`. ``print`` it.

    Args:
        ways: the paths, counted.
        limit: how many are listed at most.
        at: values of the leaves; None for none.
        seed: of the random numbers that the graph draws.
        step: of the training whose random numbers are drawn.
    """

    def __init__(self, ways: Ways, limit: int, at: At | None, seed: int = 0, step: int = 0) -> None:
        self._ways = ways
        self._limit = limit
        self._at = at
        self._seed = seed
        self._step = step
        self.output = ways.output
        self.wrt = ways.wrt
        self.count = ways.count

    @functools.cached_property
    def paths(self) -> tuple[Path, ...]:
        """Every path with a derivative: its nodes, its factors and their product, as graphs; none beyond the limit."""
        return tuple(self._ways) if self.count <= self._limit else ()

    @property
    def complete(self) -> bool:
        """Whether the paths are listed, and not only counted."""
        return self.count <= self._limit

    @functools.cached_property
    def total(self) -> Node:
        """The derivative: the sum of the products; `gl.grad` where there are too many, zero where there are none."""
        if not self.paths:
            return grad(self.output, self.wrt, disconnected="zero")  # type: ignore[return-value]  # one for one
        with no_scope():
            return functools.reduce(operator.add, [path.product for path in self.paths])

    def values(self, at: At | None = None) -> tuple[np.ndarray, ...]:
        """The numbers behind the paths.

        Args:
            at: leaf or name -> array-like, or a model; default: what `paths` was given.

        Returns:
            For each path the values of its factors, from the node to the output; their product is its contribution.
        """
        roots = [self.output, *(factor for path in self.paths for factor in path.factors)]
        found = interpret(roots, self._bound(roots, self._at if at is None else at))
        return tuple(np.array([float(found[factor]) for factor in path.factors]) for path in self.paths)

    def document(self, language: str = "en") -> Document:
        """The paths as blocks, which writers turn into formats."""
        return tell_paths([self._tale()], language)

    def to_text(self, language: str = "en", *, width: int | None = None) -> str:
        """Unicode text.

        Args:
            language: ``"en"`` or ``"ko"``.
            width: columns to wrap at; default 120, or the terminal's where that is narrower.
        """
        return write_text(self.document(language), width)

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        ends = [node.full_name or node.op.name for node in (self.wrt, self.output)]
        return f"<Paths from {ends[0]} to {ends[1]}: {self.count:,}>"

    # --- what is told --------------------------------------------------------------------------------------------

    def _tale(self) -> Tale:
        shown = self._shown()
        names = {node: name_math(name) for node, name in shown.names.items()}
        values = self._values(shown)
        hops = [_hops(path, set(shown.nodes)) for path in self.paths]
        manifold = _manifold(hops)
        trails = tuple(
            Trail(
                tuple([self.wrt, *(hop[-1].node for hop in way)]),
                tuple([_factor(hop, shown) for hop in way]),
                float(values[path.product]) if values else None,
                manifold.isdisjoint((hop[0].source, hop[-1].node) for hop in way),
            )
            for path, way in zip(self.paths, hops, strict=True)
        )
        total = float(values[self.total]) if values else None
        return Tale(self.output, self.wrt, self.count, trails, self._limit, names, values, total)

    def _shown(self) -> Shown:
        trace = differentiate(self.output, (self.wrt,), textbook=True, disconnected="zero", record=False)
        names = Names([self.output])
        shown = choose_shown([self.output, self.wrt], names, [trace.adjoints], opened=False)
        # Ways that would read alike are told apart by the operations between.
        ways = [_hops(path, set(shown.nodes)) for path in self.paths]
        manifold = _manifold(ways)
        hops = [hop for way in ways for hop in way if (hop[0].source, hop[-1].node) in manifold]
        between = {edge.node for hop in hops for edge in hop[:-1]}
        nodes = tuple(n for n in topological([self.output, self.wrt]) if n in between or n in shown.names)
        return Shown(nodes, {**shown.names, **{n: names[n] for n in between}}, shown.openings)

    def _values(self, shown: Shown) -> Mapping[Node, np.ndarray]:
        if self._at is None:
            return {}
        roots = [self.output, *shown.nodes, *(path.product for path in self.paths), self.total]
        return interpret(roots, self._bound(roots, self._at))

    def _bound(self, roots: Sequence[Node], at: At | None) -> Binding:
        return bind(roots, at, seed=self._seed, step=self._step)


Hop = tuple[Edge, ...]  # the uses between two nodes that are shown


def _hops(path: Path, shown: Collection[Node]) -> list[Hop]:
    hops: list[Hop] = []
    run: list[Edge] = []
    for edge in path.edges:
        run.append(edge)
        if edge.node in shown:
            hops.append(tuple(run))
            run = []
    return hops


def _manifold(ways: Iterable[Sequence[Hop]]) -> set[tuple[Node, Node]]:
    """Pairs of shown nodes with several hops between them: none is the whole derivative of one by the other."""
    found: dict[tuple[Node, Node], set[Hop]] = {}
    for way in ways:
        for hop in way:
            found.setdefault((hop[0].source, hop[-1].node), set()).add(hop)
    return {pair for pair, hops in found.items() if len(hops) > 1}


def _factor(hop: Hop, shown: Shown) -> Node:
    """The local derivatives of a hop, multiplied, as they are read."""
    with no_scope():
        locals_ = [local_derivative(edge, textbook=True) for edge in reversed(hop)]
        whole = functools.reduce(operator.mul, [as_node(1.0 if local is None else local) for local in locals_])
    return rewrite_graph([whole], keep=set(shown.nodes)).mapping[whole]


def paths(
    output: Node,
    wrt: Node | Sequence[Node],
    *,
    at: At | None = None,
    limit: int = 100,
    seed: int = 0,
    step: int = 0,
) -> Any:
    """A derivative as the sum over all paths, each with the product of its local derivatives.

    Args:
        output: real node of shape ``()``, of a graph of numbers; `gl.scalarize` makes one of any graph.
        wrt: a number on which it depends, or several.
        at: values: leaf or name -> array-like, or a model; without them the paths are told in names alone.
        limit: how many paths are listed at most. Where there are more, they are counted (exactly, without going along
            them) and not listed.
        seed: of the random numbers that the graph draws, as of `fit`.
        step: of the training whose random numbers are drawn, from 0 on.

    Returns:
        `Paths`, or a tuple of them for several: ``.count``, ``.paths`` (each with ``.nodes``, ``.factors`` and
        ``.product``, which are nodes), ``.total``, ``.values(at)``, ``.to_text(language)``. A way through an operation
        whose derivative is 0, such as floor, is no path. Where that is every way, the count and the derivative are 0.

    Raises:
        ShapeError: an array lies on the way. Scalarize the graph first.
        DisconnectedError: ``wrt`` does not influence the output.
        DTypeError: a node that is not real.
        OptionError: a limit below 1; no seed or step.

    Warns:
        ZeroGradientWarning: no way has a derivative, as `grad` warns.

    Example:
        >>> import graphlearn as gl
        >>> x = gl.input("x")
        >>> ways = gl.paths(x * gl.sin(x), x)
        >>> ways.count, [len(path.factors) for path in ways.paths]
        (2, [1, 2])
    """
    root = require_node(output, "paths")
    targets = require_nodes(wrt, "paths by wrt")
    symbols(root)
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise OptionError(f"paths needs a limit of 1 or more; got {limit!r}. Leave it out for 100.")
    check_seed(seed)
    check_step(step)
    ways = [Ways(root, target) for target in targets]
    blocked = [way.wrt for way in ways if not way.count]
    warn_of_blocked([root], blocked, what="derivative", cure=IGNORE)
    found = tuple(Paths(way, limit, at, seed, step) for way in ways)
    return found[0] if isinstance(wrt, Node) else found
