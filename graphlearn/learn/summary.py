"""The table of a model's parameters and states, as text."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable

from graphlearn.graph.node import Node
from graphlearn.types import format_shape


def summarize(leaves: Iterable[Node], precision: str) -> str:
    """A table with name, shape and number of entries of each leaf, and their sum.

    Args:
        leaves: parameters and states.
        precision: of the model, for the size in memory.
    """
    # rich takes 50 ms to import: only those who look at a table pay for it.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = [(leaf, math.prod(d for d in leaf.shape if isinstance(d, int))) for leaf in leaves]
    trained = sum(size for leaf, size in rows if leaf.op.name == "parameter")
    table = Table(caption=f"{trained:,} trained numbers in {precision}", caption_justify="left")
    for column, justify in (("name", "left"), ("kind", "left"), ("shape", "left"), ("count", "right")):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]  # rich's literal type
    for leaf, size in rows:
        # Text, since a name such as "[w]" would vanish as markup.
        table.add_row(Text(leaf.full_name), leaf.op.name, format_shape(leaf.shape), f"{size:,}")
    out = io.StringIO()
    Console(file=out, width=100, color_system=None).print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())
