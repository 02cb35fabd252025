"""`Failure`: where a training stopped being finite, found by the reference interpreter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from graphlearn.backends.numpy.interpreter import first_non_finite, interpret
from graphlearn.errors import NonFiniteError
from graphlearn.graph.binding import Binding
from graphlearn.graph.names import Names
from graphlearn.graph.node import Node
from graphlearn.ops.targets import demands
from graphlearn.program.training import TrainingStep
from graphlearn.types import format_shape

_LOGARITHMS = ("log", "log1p")
_BOUNDED = (*_LOGARITHMS, "sqrt", "div", "pow")  # operations that are not finite for some finite operands


class Failure(NamedTuple):
    """A training that stopped being finite.

    Args:
        step: the step at which ``node`` was computed, counted from 0, as in ``History.losses``.
        epoch: the epoch of that step, counted from 1.
        node: the first node in topological order whose value is not finite.
        name: its name in the graph of the training step.
        value: what its value was, in words.
        loss: the loss that was not finite; NaN where training ended before it was computed.
        last_loss: the loss at the values that the model keeps; None where the first loss was not finite.
        kept: steps of this fit whose work the model keeps, as many as ``History.losses`` has entries. The step that
            made ``node`` what it is comes after them, and its loss was ``last_loss``.
    """

    step: int
    epoch: int
    node: Node
    name: str
    value: str
    loss: float
    last_loss: float | None
    kept: int

    def error(self, advice: str) -> NonFiniteError:
        """The error that `fit` raises."""
        kept = "the values that it had before this fit"
        if self.kept:
            kept = f"the values after {self.kept} step{'s' * (self.kept != 1)}, the last with a finite loss"
        loss = "" if self.last_loss is None else f"; their loss is {self.last_loss:.6g}"
        record = " model.history holds these steps, with the loss before each." if self.kept else ""
        return NonFiniteError(
            f"training stopped at step {self.step} (counted from 0, in epoch {self.epoch}): {self.name} "
            f"{self.value}. The loss became {self.loss:g}. The model keeps {kept}{loss}.{record} {advice}",
            nodes=(self.node,),
            failure=self,
        )


def find_culprit(
    step: TrainingStep, roots: Sequence[Node], arrays: Mapping[Node, np.ndarray], rows: int, precision: str
) -> tuple[Node, str, str] | None:
    """The first node of some roots that is not finite, its name and its value in words; None where all are finite.

    Args:
        step: the training step that the roots belong to.
        roots: the loss, or the loss and all next values.
        arrays: leaf -> array, of one batch.
        rows: length of the batch.
        precision: that of the training.
    """
    binding = Binding(dict(arrays), {step.axis: rows} if step.axis else {})
    values = interpret(roots, binding, precision=precision, keep=True)
    node = first_non_finite(roots, values)
    if node is None:
        return None
    names = Names(step.roots)
    of = ", ".join(names.get(n, "constant") for n in node.inputs)
    name = names.get(node, node.op.name) + (f" = {node.op.name}({of})" if of else "")
    return node, name, describe(np.asarray(values[node]))


def advise(node: Node, loss: Node, rate: float | None, made: int) -> str:
    """What to try, by what was not finite and when.

    Args:
        node: the culprit.
        loss: of the training.
        rate: the learning rate, if there is one.
        made: steps that were made before.
    """
    name = node.op.name
    logits = ", or a loss from logits" if name in _LOGARITHMS and demands([loss]) else ""
    if not made:
        cure = "give smaller initial values, or inputs of mean 0 and deviation 1"
        if name in _BOUNDED:
            cure = f"keep the operands of {name} where it is finite"
        return f"No step was made yet, so the initial values and the data are the cause: {cure}{logits}."
    smaller = f"a learning rate smaller than {rate:g}" if rate else "smaller steps"
    return f"Try {smaller}, or inputs of mean 0 and deviation 1{logits}."


def describe(value: np.ndarray) -> str:
    """What is wrong with an array, in words.

    >>> import numpy as np
    >>> describe(np.array([1.0, np.inf, np.nan]))
    'has 1 nan and 1 inf among its 3 entries, shape (3,)'
    """
    if value.shape == ():
        return f"is {value}"
    counts = {"nan": np.isnan(value).sum(), "inf": np.isposinf(value).sum(), "-inf": np.isneginf(value).sum()}
    found = " and ".join(f"{n} {name}" for name, n in counts.items() if n)
    return f"has {found} among its {value.size} entries, shape {format_shape(value.shape)}"
