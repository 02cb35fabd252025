"""What was done to a loss before its training, in words: the top floor says who writes them; they load when read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphlearn.calculus.simplify import Rewrite
from graphlearn.graph.node import Node

# what was rewritten, and the outputs that give the nodes their names -> a line for each
Teller = Callable[[Sequence[Rewrite], Sequence[Node]], tuple[str, ...]]

_INSTALLED: list[Teller] = []


def install_teller(teller: Teller) -> None:
    """Say who tells what was rewritten."""
    _INSTALLED[:] = [teller]


def tell(rewrites: Sequence[Rewrite], loss: Node) -> tuple[str, ...]:
    """A line for each rewrite of a loss."""
    (teller,) = _INSTALLED
    return teller(rewrites, [loss])
