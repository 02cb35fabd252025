"""Algebras: what a formula ``lambda m, x: m.log(1 + m.exp(x))`` runs over. This file holds the graph's and NumPy's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphlearn.errors import UnsupportedOp
from graphlearn.graph.op import OPS


class GraphAlgebra:
    """Formulas over this algebra build nodes; the functions of elementwise operations are its attributes."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)  # Python itself asks, e.g. hasattr(m, "__wrapped__"); no formula does
        raise UnsupportedOp(
            f"a formula used m.{name}, which is no elementwise operation. There are: {', '.join(sorted(FUNCTIONS))}."
        )


class NumpyAlgebra:
    """Formulas over this algebra compute arrays, by each op's reference."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)  # Python itself asks, e.g. hasattr(m, "__wrapped__"); no formula does
        op = OPS.get(name)
        if op is None or op.reference is None:
            raise UnsupportedOp(
                f"a formula used m.{name}, which has no NumPy reference. There are: {', '.join(sorted(OPS))}."
            )
        return op.reference


GRAPH = GraphAlgebra()
# Public functions of elementwise operations by name, filled by `graphlearn.ops.elementwise`.
FUNCTIONS: dict[str, Callable[..., Any]] = vars(GRAPH)
NUMPY = NumpyAlgebra()
