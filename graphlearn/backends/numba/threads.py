"""How many threads the matrix products of a program get: more than one only where that was measured to be faster.

Everything else runs on one thread. Measured with ``python tools/threads.py`` on two cores: on a product of 2**21
multiplications two threads take 0.75 to 1.09 of the time of one, at 2**22 0.78 to 0.83, at 2**24 0.57 to 0.75. That
holds where a core is free for each: beside busy programs they take 2 to 500 times as long, which no rule foresees.
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

SHARE = 2**21  # multiplications that a thread must find in a product


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
    lengths = {**program.capacity, **sizes}
    work = [_multiplications(step, lengths) for step in program.steps if isinstance(step, MatMul)]
    large = [n for n in work if n >= 2 * SHARE]
    asked = f"threads={wanted}: matrix products use"
    if not large:
        most = f"the largest takes {max(work):,} multiplications" if work else "there are none that a library computes"
        return 1, f"{asked} one; {most}, and two are faster from {2 * SHARE:,} on."
    if 2 * sum(large) < sum(work):
        return 1, f"{asked} one; those of {2 * SHARE:,} multiplications and more hold less than half of the work."
    count = min(wanted, cores, min(large) // SHARE)
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
        free = f"threads={speed.threads}: how many are used is said by the lengths of each call."
        known = set(program.axes) <= set(program.capacity)
        remarks.append(threads_for(program, speed.threads, {}, cores)[1] if known else free)
    return replace(program, remarks=(*program.remarks, *remarks)) if remarks else program


def _multiplications(step: MatMul, lengths: Mapping[str, int]) -> int:
    if step.node.dtype not in rows.SUFFIX:
        return 0  # whole numbers are multiplied by loops
    return math.prod(lengths[d] if isinstance(d, str) else d for d in step.sizes)
