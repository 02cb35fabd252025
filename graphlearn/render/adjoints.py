"""How adjoints are called and how small a bound is said: shared by the parts of a derivation."""

from __future__ import annotations

import numpy as np

from graphlearn.graph.node import Node
from graphlearn.render.document import Math
from graphlearn.render.story import Story


def partial_symbol(top: Math, bottom: Math) -> Math:
    """``∂L/∂W``; a name with a path is put in brackets."""
    brackets = "/" in bottom.text or " " in bottom.text
    below = f"({bottom.text})" if brackets else bottom.text
    return Math(f"∂{top.text}/∂{below}", rf"\frac{{\partial {top.latex}}}{{\partial {bottom.latex}}}")


def adjoint_name(story: Story, node: Node) -> Math:
    """The adjoint of a node by name."""
    return partial_symbol(story.names[story.output], story.names[node])


def bound_text(error: float) -> str:
    """An upper bound that does not depend on the machine: ``< 1e-9``."""
    for exponent in range(-9, 0):
        if error < 10.0**exponent:
            return f"< 1e{exponent}"
    return f"= {error:.1e}" if np.isfinite(error) else "= NaN"
