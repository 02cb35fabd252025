"""Optimizers: graphs of the next parameters, over state leaves. No backend knows any of them by name."""

from __future__ import annotations

import math
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from graphlearn.calculus.reverse import differentiate
from graphlearn.errors import OptionError
from graphlearn.graph.leaves import constant, input, state
from graphlearn.graph.node import Node
from graphlearn.graph.options import check_flag
from graphlearn.graph.origin import remember_derivatives
from graphlearn.graph.scope import no_scope, scope
from graphlearn.graph.traverse import topological
from graphlearn.learn.batches import Begun
from graphlearn.ops.activations import square
from graphlearn.ops.intrinsics import expm1, log, sqrt
from graphlearn.ops.shape import cast

__all__ = ["SGD", "Adam", "Momentum", "Optimizer", "Updates", "state_like"]


class Updates(Mapping[Node, Node]):
    """One step of an optimizer as a graph: a mapping from parameter or state to its next value.

    Args:
        nodes: parameter or state -> its next value; all read the values at the beginning of the step.
        gradients: parameter -> derivative of the loss by it.
        hyperparameters: name -> scalar input that stands for it, whose value is given at run time.
        settings: name -> the optimizer's own value, which `gl.draw` and `gl.derive` take where ``at`` gives no other.
        adjoints: node of the loss -> derivative of the loss by it.
    """

    def __init__(
        self,
        nodes: Mapping[Node, Node],
        gradients: Mapping[Node, Node],
        hyperparameters: Mapping[str, Node],
        settings: Mapping[str, float],
        adjoints: Mapping[Node, Node] | None = None,
    ) -> None:
        self.nodes = nodes
        self.gradients = gradients
        self.hyperparameters = hyperparameters
        self.settings = settings
        self.adjoints = adjoints or {}

    def default_values(self) -> dict[Node, float]:
        """Input of a hyperparameter -> the optimizer's own value."""
        return {leaf: self.settings[name] for name, leaf in self.hyperparameters.items()}

    def __getitem__(self, leaf: Node) -> Node:
        return self.nodes[leaf]

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    @property
    def states(self) -> tuple[Node, ...]:
        """The optimizer's own state leaves."""
        return tuple(leaf for leaf in self.nodes if leaf.op.name == "state")


class Optimizer(ABC):
    """A rule that changes parameters by the gradient of a loss; to write one, give `hyperparameters` and `rule`.

    An optimizer object carries its state from one `fit` to the next: fit(5) and fit(5) again is fit(10). The
    hyperparameters are plain attributes; changing one, between two fits or in a callback, recompiles nothing. Only a
    momentum or beta of 0 is a rule of its own, without velocities or corrections, which is compiled by itself.
    """

    label: str  # scope of the inputs and states

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the state, as a new object would be."""
        self.steps = 0
        self.epochs = 0  # whole ones
        self.begun: Begun | None = None  # the kind of an epoch that was not finished, and its steps that were made
        self.state: dict[str, np.ndarray] = {}
        self._owner: weakref.ref[object] | None = None

    @property
    @abstractmethod
    def hyperparameters(self) -> dict[str, float]:
        """Run-time scalars by name, checked."""

    @property
    def structure(self) -> tuple[object, ...]:
        """What the update graph depends on beyond loss and parameters; equal structures share compiled code."""
        return (type(self), *self.hyperparameters)

    def updates(self, loss: Node, parameters: Sequence[Node]) -> Updates:
        """One step as a graph.

        Args:
            loss: scalar node.
            parameters: parameters that it depends on.

        Returns:
            A mapping from each parameter and state to its next value; `gl.draw(loss, updates=...)` shows it.

        Raises:
            ShapeError: the loss is not a scalar.
            DisconnectedError: a parameter does not influence the loss.
        """
        order = topological([loss])
        trace = differentiate(loss, parameters, record=False, order=order)
        gradients = trace.gradients
        remember_derivatives(loss, gradients, order)
        with no_scope(), scope(self.label):
            inputs = {name: input(name) for name in self.hyperparameters}
            nodes = self.rule(tuple(parameters), gradients, inputs)
        typed = {leaf: _typed(node, leaf) for leaf, node in nodes.items()}
        return Updates(typed, gradients, inputs, self.hyperparameters, trace.adjoints)

    @abstractmethod
    def rule(
        self, parameters: Sequence[Node], gradients: Mapping[Node, Node], inputs: Mapping[str, Node]
    ) -> dict[Node, Node]:
        """The next value of every parameter and state.

        Args:
            parameters: what is trained.
            gradients: parameter -> derivative of the loss.
            inputs: hyperparameter -> scalar input.
        """

    def bind(self, model: object) -> None:
        """Tie the state to a model.

        Raises:
            OptionError: the optimizer carries the state of another model.
        """
        if self.steps and self._owner is not None and self._owner() is not model:
            raise OptionError(
                f"fit needs an optimizer of its own for each model; this {type(self).__name__} carries the state of "
                f"another model after {self.steps} steps. Make a new one, or call its reset()."
            )
        self._owner = weakref.ref(model)

    def __repr__(self) -> str:
        numbers = ", ".join(f"{name}={value:g}" for name, value in self.hyperparameters.items())
        return f"{type(self).__name__}({numbers})"


class SGD(Optimizer):
    """Stochastic gradient descent, plain or with momentum.

    Plain: ``p = p - r g``. With momentum: ``v = m v + g`` and ``p = p - r v``; by Nesterov ``p = p - r (g + m v)``.

    Args:
        learning_rate: r, 0 or more.
        momentum: m, from 0 to below 1; 0 keeps no velocity.
        nesterov: look ahead along the velocity; needs a momentum.

    Raises:
        OptionError: a number out of its range.

    Source: Sutskever, Martens, Dahl and Hinton (2013), On the importance of initialization and momentum in deep
    learning, ICML, with the learning rate outside the velocity, as PyTorch has it.
    """

    label = "sgd"

    def __init__(self, learning_rate: float, momentum: float = 0.0, nesterov: bool = False) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.nesterov = check_flag(nesterov, "nesterov")
        self.structure  # noqa: B018  # checks the numbers

    @property
    def hyperparameters(self) -> dict[str, float]:
        """Learning rate, and momentum where there is one."""
        found = {"learning_rate": _number("learning_rate", self.learning_rate)}
        if _number("momentum", self.momentum, below=1):
            found["momentum"] = float(self.momentum)
        return found

    @property
    def structure(self) -> tuple[object, ...]:
        """Also whether it is Nesterov's rule."""
        if self.nesterov and not self.momentum:
            raise OptionError("Nesterov's rule needs a momentum; got momentum=0. Give e.g. momentum=0.9.")
        return (SGD, *self.hyperparameters, self.nesterov)

    def rule(
        self, parameters: Sequence[Node], gradients: Mapping[Node, Node], inputs: Mapping[str, Node]
    ) -> dict[Node, Node]:
        """Next parameters, then next velocities."""
        rate, m = inputs["learning_rate"], inputs.get("momentum")
        nodes: dict[Node, Node] = {}
        velocities: dict[Node, Node] = {}
        for p in parameters:
            direction = gradients[p]
            if m is not None:
                old = state_like("velocity", p)
                velocities[old] = v = m * old + gradients[p]
                direction = gradients[p] + m * v if self.nesterov else v
            nodes[p] = p - rate * direction
        return {**nodes, **velocities}


class Momentum(SGD):
    """`SGD` with a momentum of 0.9.

    Args:
        learning_rate: 0 or more.
        momentum: from 0 to below 1.
        nesterov: look ahead along the velocity.
    """

    def __init__(self, learning_rate: float, momentum: float = 0.9, nesterov: bool = False) -> None:
        super().__init__(learning_rate, momentum, nesterov)


class Adam(Optimizer):
    """Steps scaled by running means of the gradient and of its square, both corrected for their start at 0.

    ``m = b1 m + (1 - b1) g``, ``v = b2 v + (1 - b2) g**2``, ``p = p - r m' / (sqrt(v') + eps)`` with
    ``m' = m / (1 - b1**t)`` and ``v' = v / (1 - b2**t)``, as in PyTorch.

    Args:
        learning_rate: r, 0 or more.
        beta1: b1, from 0 to below 1.
        beta2: b2, from 0 to below 1.
        eps: added to the root, above 0.

    Raises:
        OptionError: a number out of its range.

    Source: Kingma and Ba (2015), Adam: a method for stochastic optimization, arXiv:1412.6980, Algorithm 1, in the order
    of computation that the end of their section 2 gives (two scalars per step instead of two more divisions per entry).
    """

    label = "adam"

    def __init__(
        self, learning_rate: float = 1e-3, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8
    ) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.beta1 = beta1
        self.beta2 = beta2
        self.eps = eps
        self.structure  # noqa: B018  # checks the numbers

    @property
    def hyperparameters(self) -> dict[str, float]:
        """Learning rate, both betas and eps."""
        if _number("eps", self.eps) == 0:
            raise OptionError(
                "Adam needs eps above 0, else a gradient of 0 gives 0 / 0; got eps=0. The usual value is 1e-8."
            )
        return {
            "learning_rate": _number("learning_rate", self.learning_rate),
            "beta1": _number("beta1", self.beta1, below=1),
            "beta2": _number("beta2", self.beta2, below=1),
            "eps": float(self.eps),
        }

    @property
    def structure(self) -> tuple[object, ...]:
        """Also whether a beta is 0, which needs no correction."""
        return (Adam, *self.hyperparameters, self.beta1 == 0, self.beta2 == 0)

    def rule(
        self, parameters: Sequence[Node], gradients: Mapping[Node, Node], inputs: Mapping[str, Node]
    ) -> dict[Node, Node]:
        """Next parameters, then next moments, then the counter."""
        b1, b2 = inputs["beta1"], inputs["beta2"]
        # A whole number: it stays exact, where a float32 counter would stand still at 2**24.
        counter = state("step", (), 0, "int64")
        count = counter + 1
        left1 = _one_minus_power(b1, count).named("correction1") if self.beta1 else constant(1.0)
        left2 = sqrt(_one_minus_power(b2, count).named("correction2")) if self.beta2 else constant(1.0)
        rate, floor = (inputs["learning_rate"] * left2 / left1).named("rate"), (inputs["eps"] * left2).named("floor")
        nodes: dict[Node, Node] = {}
        moments: dict[Node, Node] = {}
        for p in parameters:
            g, first, second = gradients[p], state_like("m", p), state_like("v", p)
            moments[first] = m = b1 * first + (1 - b1) * g
            moments[second] = v = b2 * second + (1 - b2) * square(g)
            nodes[p] = p - rate * m / (sqrt(v) + floor)
        return {**nodes, **moments, counter: count}


def state_like(kind: str, parameter: Node) -> Node:
    """A state of zeros in the shape and dtype of a parameter, called ``<scope>/<kind>/<parameter>``."""
    place = f"{kind}/{parameter.scope}" if parameter.scope else kind
    with scope(place):
        return state(parameter.name, parameter.type.shape, 0.0, parameter.dtype)  # type: ignore[arg-type]  # fixed dims


def _one_minus_power(beta: Node, count: Node) -> Node:
    """``1 - beta**count`` without cancellation: in float32, 1 - 0.999**2 would keep five digits."""
    # A whole number times a float32 is a float64, which a GPU computes 32 times slower. As a float32 the count is exact
    # up to 2**24 steps, and off by 6e-8 at most beyond, where beta**count has long vanished for any usual beta.
    return -expm1(cast(count, "float32") * log(beta))


def _typed(node: Node, leaf: Node) -> Node:
    return node if node.dtype == leaf.dtype else cast(node, leaf.dtype)


def _number(name: str, value: object, below: float = math.inf) -> float:
    """A finite number from 0 to below a limit.

    Raises:
        OptionError: anything else.
    """
    real = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not real or not 0 <= float(value) < below:  # type: ignore[arg-type]  # a number, as just checked
        limit = "a finite number of 0 or more" if below == math.inf else f"a number from 0 to below {below:g}"
        raise OptionError(f"an optimizer needs {limit} as {name}; got {value!r}.")
    return float(value)  # type: ignore[arg-type]


def __dir__() -> list[str]:
    return sorted(__all__)
