"""What the comments of a source say, and what the derivation says, to be compared."""

from __future__ import annotations

from collections.abc import Sequence

import graphlearn as gl
from graphlearn.render.document import Formula, Step


def comments(source: str) -> str:
    """All comments as one text, each on one line."""
    lines = [line.strip()[2:] for line in source.splitlines() if line.strip().startswith("# ")]
    return "\n".join(lines).replace("\n    ", " ")


def steps_of(output: gl.Node, wrt: gl.Node | Sequence[gl.Node]) -> dict[int, set[str]]:
    """Number of each step of the derivation -> its equations."""
    found: dict[int, set[str]] = {}
    for block in gl.derive(output, wrt).document().blocks:
        if isinstance(block, Step):
            left = ""
            for row in [row for part in block.blocks if isinstance(part, Formula) for row in part.rows]:
                left = left if row.left is None else row.left.text
                found.setdefault(block.number, set()).add(f"{left} = {row.right.text}")
    return found
