"""How many threads the matrix products of a program get: more than one only where that was measured to be faster.

Everything else runs on one thread. Measured with ``python tools/threads.py`` on two cores: on a product of the library
of 2**21 multiplications two threads take 0.7 to 0.96 of the time of one, at 2**22 0.65 to 0.76, at 2**24 0.51 to 0.7.
A training step has our own products on one thread, so that two of the library win later: at 2**22 they take 0.92 to
1.27 of the time, at 2**24 0.7 to 0.8 (float32, once 1.04) and 0.73 (float64). That holds where a core is free for each:
beside busy programs they take 2 to 500 times as long, which no rule foresees.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from graphlearn.backends import rows
from graphlearn.backends.native import require_control
from graphlearn.backends.registry import Speed
from graphlearn.program.program import Program
from graphlearn.program.steps import MatMul

SHARE = 2**21  # multiplications that a thread must find in a product of a function
TRAINED_SHARE = 2**23  # the same in a training step, which one thread does with products of our own


def threads_for(program: Program, wanted: int, sizes: Mapping[str, int], cores: int) -> tuple[int, str]:
    """How many threads, and why, as a line for `Program.describe`; 1 and no line where one was asked for.

    The products that are large enough must hold most of the work: the library shares out middle ones too, which lose.

    Args:
        program: of a function or of a training step.
        wanted: the most that may be used.
        sizes: lengths of its free axes.
        cores: that are available.
    """
    if wanted == 1:
        return 1, ""
    share = SHARE if program.loss is None else TRAINED_SHARE
    lengths = {**program.capacity, **sizes}
    work = [_multiplications(step, lengths) for step in program.steps if isinstance(step, MatMul)]
    large = [n for n in work if n >= 2 * share]
    asked = f"threads={wanted}: matrix products use"
    if not large:
        most = f"the largest takes {max(work):,} multiplications" if work else "there are none that a library computes"
        return 1, f"{asked} one; {most}, and two are faster from {2 * share:,} on."
    if 2 * sum(large) < sum(work):
        return 1, f"{asked} one; those of {2 * share:,} multiplications and more hold less than half of the work."
    count = min(wanted, cores, min(large) // share)
    limit = f"; {cores} cores are available" if count == cores < wanted else ""
    return count, f"{asked} {count}; the smallest large one takes {min(large):,} multiplications{limit}."


def remarked(program: Program, speed: Speed, cores: int) -> Program:
    """The program with a line for each thing that it does for the sake of speed, or cannot do.

    Raises:
        EngineError: the matrix products' library has no control of its threads.
    """
    remarks = ["fast=True: sums and products may be computed in another order."] if speed.fast else []
    if speed.threads > 1:
        require_control()
        free = f"threads={speed.threads}: how many are used is said by the lengths of each call"
        known = set(program.axes) <= set(program.capacity)
        remarks.append(
            threads_for(program, speed.threads, {}, cores)[1] if known else f"{free}; with one, products are our own."
        )
    return replace(program, remarks=(*program.remarks, *remarks)) if remarks else program


def _multiplications(step: MatMul, lengths: Mapping[str, int]) -> int:
    if step.node.dtype not in rows.SUFFIX:
        return 0  # whole numbers are multiplied by loops
    return math.prod(lengths[d] if isinstance(d, str) else d for d in step.sizes)
