"""From a loss and an optimizer to one step of training that a backend can run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from graphlearn.calculus.simplify import rewrite_graph
from graphlearn.errors import DisconnectedError, DTypeError, OptionError, ShapeError
from graphlearn.graph.leaves import state
from graphlearn.graph.node import Node
from graphlearn.graph.rewrite import substitute
from graphlearn.graph.scope import no_scope, scope
from graphlearn.graph.traverse import symbols, topological
from graphlearn.learn.data import Layout
from graphlearn.learn.optim import Optimizer, Updates
from graphlearn.program.training import TrainingStep
from graphlearn.render.rewriting import tell_rewrites
from graphlearn.types import format_shape


@dataclass(frozen=True)
class Plan:
    """One step of training.

    Args:
        step: what the backend runs.
        updates: the optimizer's part of it.
        layout: how the loss uses its inputs.
        carriers: input of fixed shape -> the state that holds it during training.
        loss: the model's loss in the form that is computed, over the model's own leaves.
    """

    step: TrainingStep
    updates: Updates
    layout: Layout
    carriers: Mapping[Node, Node]
    loss: Node


def make_plan(loss: Node, layout: Layout, parameters: Sequence[Node], optimizer: Optimizer) -> Plan:
    """Join loss, gradients and updates to one graph.

    The loss is first brought into the form that loses no digits, by the rules of `graphlearn.calculus` that are called
    stabilising; the step's remarks say which.

    An input of a fixed shape stays the same from step to step, so that it is handed over as a state without update: its
    value then changes without compiling anew.

    Raises:
        DisconnectedError: a parameter does not influence the loss.
        NameClashError: the optimizer's leaves bear names that the model's graph has.
    """
    require_influence(loss, parameters)
    stable = rewrite_graph([loss], kinds=("stabilising",))
    computed = stable.mapping[loss]
    carriers = {leaf: _carrier(leaf) for leaf in layout.fixed}
    target = substitute([computed], carriers)[computed] if carriers else computed
    updates = optimizer.updates(target, parameters)
    scalars = (*layout.scalars, *updates.hyperparameters.values())
    remarks = tell_rewrites(stable.rewrites, [loss])
    step = TrainingStep(target, updates, layout.batched, scalars, layout.axis, remarks)
    symbols(*step.roots)
    return Plan(step, updates, layout, carriers, computed)


def require_loss(loss: Node | None) -> Node:
    """A loss that can be made small.

    Raises:
        OptionError: there is none.
        ShapeError: it is not a scalar.
        DTypeError: it is not real.
    """
    if loss is None:
        raise OptionError(
            "fit needs a loss to make small; the model has none. Give one: gl.Model(output, "
            "loss=gl.losses.mse(output, target))."
        )
    if loss.shape != ():
        raise ShapeError(
            f"fit needs a loss of shape (); got {loss!r} of shape {format_shape(loss.shape)}. Reduce it with gl.mean "
            "or gl.sum, or use reduction='mean'.",
            nodes=(loss,),
        )
    if not loss.type.is_float:
        raise DTypeError(f"fit needs a real loss; got {loss!r} of dtype {loss.dtype}.", nodes=(loss,))
    return loss


def require_influence(loss: Node, parameters: Sequence[Node]) -> None:
    """Refuse parameters that training could not move.

    Raises:
        DisconnectedError: names them.
        OptionError: there is nothing to train.
    """
    if not parameters:
        raise OptionError(
            "fit needs parameters to train; the model has none. Make them with gl.parameter or gl.nn.Dense."
        )
    reached = set(topological([loss]))
    idle = [p for p in parameters if p not in reached]
    if idle:
        names = ", ".join(repr(p.full_name) for p in idle)
        raise DisconnectedError(
            f"fit trains every parameter of the model, but {names} does not influence the loss. Connect it to the "
            "loss, or leave what needs it out of the model's output.",
            nodes=(loss, *idle),
        )


def _carrier(leaf: Node) -> Node:
    with no_scope(), scope(leaf.scope) if leaf.scope else nullcontext():
        return state(leaf.name, leaf.shape, 0, leaf.dtype)  # type: ignore[arg-type]  # the shape is fixed
