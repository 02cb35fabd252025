"""One row per routine: the text that computes one item, on the CPU and on a GPU alike."""

from __future__ import annotations

from graphlearn.backends.cofactors import COFACTORS
from graphlearn.backends.gathers import GATHERS
from graphlearn.backends.items import Writer
from graphlearn.backends.lines import LINES
from graphlearn.backends.matrices import MATRICES
from graphlearn.backends.overlap import write_overlap
from graphlearn.backends.philox import write_random
from graphlearn.backends.source import Source
from graphlearn.errors import UnsupportedOp
from graphlearn.program.steps import Routine


def write_routine(source: Source, step: Routine, item: str) -> None:
    """Write what is done for one item.

    Args:
        source: where it is written, in a loop over the items.
        step: the routine.
        item: text of the number of the item.

    Raises:
        UnsupportedOp: there is no row.
    """
    writer = WRITERS.get(step.node.op.name)
    if writer is None:
        raise UnsupportedOp(
            f'compiled code has no row for the operation {step.node.op.name!r}. Pass backend="numpy", which has.'
        )
    writer(source, step, item)


WRITERS: dict[str, Writer] = {
    **LINES,
    **MATRICES,
    **COFACTORS,
    **GATHERS,
    "overlap_add": write_overlap,
    **dict.fromkeys(("random", "random_below"), write_random),
}
