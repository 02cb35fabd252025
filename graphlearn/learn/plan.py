"""From a loss and an optimizer to one step of training that a backend can run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np

from graphlearn.calculus.blocked import warn_of_zeros
from graphlearn.calculus.simplify import Rewrite, rewrite_graph
from graphlearn.errors import DisconnectedError, DTypeError, OptionError, ShapeError
from graphlearn.graph.leaves import input, state
from graphlearn.graph.names import Names
from graphlearn.graph.node import Node
from graphlearn.graph.rewrite import substitute
from graphlearn.graph.scope import no_scope, scope
from graphlearn.graph.streams import SEED, STEP, bind_run
from graphlearn.graph.traverse import leaves, symbols, topological
from graphlearn.learn.data import Layout
from graphlearn.learn.optim import Optimizer, Updates
from graphlearn.program.training import TrainingStep
from graphlearn.types import format_shape


class Plan(NamedTuple):
    """One step of training.

    Args:
        step: what the backend runs.
        updates: the optimizer's part of it.
        layout: how the loss uses its inputs.
        carriers: input of fixed shape -> the state that holds it during training.
        loss: the model's loss in the form that is computed, over the model's own leaves.
        drawn: leaf of a run -> the input or state that holds it during training; empty where nothing is drawn.
        structure: of the optimizers whose step this is.
        given: the model's loss as it was given.
        parameters: what is trained.
        rewrites: what made ``loss`` of ``given``.
    """

    step: TrainingStep
    updates: Updates
    layout: Layout
    carriers: Mapping[Node, Node]
    loss: Node
    drawn: Mapping[Node, Node]
    structure: tuple[object, ...]
    given: Node
    parameters: tuple[Node, ...]
    rewrites: tuple[Rewrite, ...]

    def run_values(self, seed: int, step: int) -> dict[Node, np.ndarray]:
        """Values for the leaves of a run: nothing where nothing is drawn.

        Args:
            seed: of the training.
            step: its first.
        """
        arrays: dict[Node, np.ndarray] = {}
        bind_run(self.drawn, arrays, seed, step)
        return {self.drawn[leaf]: array for leaf, array in arrays.items()}


def make_plan(loss: Node, layout: Layout, parameters: Sequence[Node], optimizer: Optimizer) -> Plan:
    """Join loss, gradients and updates to one graph.

    The loss is first brought into the form that loses no digits, by the rules of `graphlearn.calculus` that are called
    stabilising; ``rewrites`` holds which.

    An input of a fixed shape stays the same from step to step, so that it is handed over as a state without update: its
    value then changes without compiling anew. The step of random numbers becomes a state that counts itself.

    Raises:
        DisconnectedError: a parameter does not influence the loss.
        NameClashError: the optimizer's leaves bear names that the model's graph has.
    """
    require_influence(loss, parameters)
    stable = rewrite_graph([loss], kinds=("stabilising",))
    computed = stable.mapping[loss]
    carriers = {leaf: _carrier(leaf) for leaf in layout.fixed}
    drawn = _drawn() if leaves([computed], "run") else {}
    moved = substitute([computed], {**carriers, **drawn}) if carriers or drawn else {}
    target = moved.get(computed, computed)
    updates = optimizer.updates(target, parameters)
    warn_of_zeros(target, updates.gradients, cure="make it a gl.constant or a gl.state, which fit does not train")
    scalars = (*layout.scalars, *updates.hyperparameters.values())
    nodes = {**updates}
    if drawn:
        scalars = (*scalars, drawn[SEED])
        nodes[drawn[STEP]] = drawn[STEP] + 1
    names = {} if target is loss else _kept_names(loss, {o: moved.get(n, n) for o, n in stable.mapping.items()})
    names |= _adjoint_names(target, nodes, updates.adjoints, names)
    step = TrainingStep(target, nodes, layout.batched, scalars, layout.axis, names)
    symbols(*step.roots)
    return Plan(
        step, updates, layout, carriers, computed, drawn, optimizer.structure, loss, tuple(parameters), stable.rewrites
    )


def _kept_names(loss: Node, became: Mapping[Node, Node]) -> dict[Node, str]:
    """Unnamed node of the graph that is trained -> its name in the loss as it was given."""
    names = Names([loss])
    kept: dict[Node, str] = {}
    for old, new in became.items():
        if old in names and not new.full_name and new.op.name != "constant":
            kept.setdefault(new, names[old])
    return kept


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


def _drawn() -> dict[Node, Node]:
    with no_scope(), scope(SEED.scope):
        return {SEED: input(SEED.name, (), SEED.dtype), STEP: state(STEP.name, (), 0, STEP.dtype)}


def _carrier(leaf: Node) -> Node:
    with no_scope(), scope(leaf.scope) if leaf.scope else nullcontext():
        return state(leaf.name, leaf.shape, 0, leaf.dtype)  # type: ignore[arg-type]  # the shape is fixed


def _adjoint_names(
    loss: Node, updates: Mapping[Node, Node], adjoints: Mapping[Node, Node], known: Mapping[Node, str]
) -> dict[Node, str]:
    """Node that is a derivative -> ``d_h`` for that by ``h``; a derivative by several nodes has the last one's name."""
    forward = Names([loss], known)
    taken = {*symbols(loss, *updates.values()), *(forward[node] for node in forward)}
    names: dict[Node, str] = {}
    for node in reversed(topological([loss])):
        adjoint, name = adjoints.get(node), f"d_{forward.get(node)}"
        if adjoint is None or not adjoint.inputs or adjoint.full_name or adjoint in forward:
            continue
        if adjoint not in names and name not in taken:
            names[adjoint] = name
            taken.add(name)
    return names
