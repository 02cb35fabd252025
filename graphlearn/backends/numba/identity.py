"""What decides a training loop's code, as one text: equal texts, equal code, so that no plan and no source is needed.

The text tells the whole step (operations, attributes, constants' values, names, types, the order of updates), what is
asked for, and the files of the generator. Versions, CPU and Numba's settings are added by `backends.native`.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphlearn.backends.native import fingerprint
from graphlearn.backends.registry import IMPORTED, PLAIN, Speed
from graphlearn.graph.traverse import topological
from graphlearn.program.canonical import Telling, Untold, foreign_ops
from graphlearn.program.training import TrainingStep

# Whatever plans a graph and writes its source, from the package's own folder.
GENERATOR = ("graph", "ops", "program", "backends", "backends/numba", "types.py")
_PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


# A step costs a tape 1 ns per operation, compiled code 0.45 ns, and compiling takes 0.5 ms for each: the compiled code
# is ahead from 900,000 steps on. Before that stands a wait of 1.5 s at so many operations, and of a minute at 40,000.
HUGE = 3000


class Request(NamedTuple):
    """What a training loop is asked for.

    Args:
        precision: what every float64 becomes.
        rows: of the largest batch.
        full: whether all batches have that many.
        gather: whether rows are taken by number; else every step reads all rows where they are.
        sizes: lengths of all free axes but that of the batch.
        speed: what may be done for speed.
        cores: that are available, where threads are asked for.
        in_file: whether data lie in a file, of which no copy is made.
    """

    precision: str
    rows: int
    full: bool
    gather: bool
    sizes: Mapping[str, int]
    speed: Speed = PLAIN
    cores: int = 1
    in_file: bool = False


# The graph that the planner makes of a step, where an operation's name does not say what it is.
Expand = Callable[[TrainingStep, Request], Sequence[Any]]


def may_be_tape(step: TrainingStep) -> bool:
    """Whether a step has so many operations that a tape is asked for; told without a look at what they are."""
    return len(topological(step.roots)) > HUGE


def identify_training(step: TrainingStep, request: Request, expand: Expand) -> tuple[str, Telling] | None:
    """The text that stands for a loop's code, and the numbers of the step's nodes in it.

    Args:
        step: one step of training.
        request: what is asked for.
        expand: tells the operations that do not come with graphlearn; called only where there are any.

    Returns:
        None where the step cannot be told, or graphlearn's files have changed since they were imported.
    """
    generator = fingerprint(_PACKAGE, GENERATOR, IMPORTED)
    if not generator:
        return None
    foreign = foreign_ops(step.roots)
    leaves = (*step.updates, *step.data, *step.scalars)
    try:
        telling = Telling(step.roots, leaves, foreign)
        parts = {field.name: telling.tell(getattr(step, field.name)) for field in dataclasses.fields(step)}
        expanded = list(expand(step, request)) if foreign else []
        asked = telling.tell(request)
    except Untold:
        return None
    text = [telling.graph, parts, asked, expanded, generator, np.__version__]
    return json.dumps(text, sort_keys=True), telling
