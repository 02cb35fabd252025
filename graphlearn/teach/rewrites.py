"""`rewrites`: what `simplify` does to a graph, rule by rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphlearn.calculus.rules import KINDS
from graphlearn.calculus.simplify import Rewrite, rewrite_graph, simplify
from graphlearn.graph.node import Node
from graphlearn.render.rewriting import tell_rewrites


@dataclass(frozen=True)
class Rewrites:
    """What simplification did to a graph. Printed, it is a line for each rewrite.

    Args:
        before: the node as it was given.
        after: what `simplify` makes of it.
        steps: every application of a rule, in order: ``rule``, ``kind``, ``old`` and ``new``.
    """

    before: Node
    after: Node
    steps: tuple[Rewrite, ...]

    def __iter__(self) -> Iterator[Rewrite]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    def to_text(self, language: str = "en") -> str:
        """One line per rewrite.

        Args:
            language: ``"en"`` or ``"ko"``.

        Raises:
            OptionError: another language.
        """
        return "\n".join(tell_rewrites(self.steps, [self.before], language=language))

    def __str__(self) -> str:
        return self.to_text()


def rewrites(node: Node, *, kinds: Sequence[str] = KINDS) -> Rewrites:
    """What `simplify` does to a graph and by which rules.

    Args:
        node: output of any shape.
        kinds: which rules, as in `simplify`.

    Returns:
        A `Rewrites`.

    Raises:
        OptionError: no such kind.
        GraphUseError: something else than a node.

    Example:
        >>> import graphlearn as gl
        >>> z = gl.input("z")
        >>> print(gl.rewrites(gl.log(1 / (1 + gl.exp(-z)))))
        1 / (1 + exp(−x)), at t₄: 1 / (1 + exp(−z)) becomes σ(z)
        log of sigmoid, at t₅: log(σ(z)) becomes log σ(z)
    """
    simplify(node, kinds=kinds)  # says what cannot be simplified
    found = rewrite_graph([node], kinds=kinds)
    return Rewrites(node, found.mapping[node], found.rewrites)
