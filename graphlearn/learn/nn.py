"""Layers: functions from node to node that own named parameters.

A layer makes its parameters on its first call and shares them on every other. A container names its layers by number; a
layer on its own needs a name. To write a layer, give `build`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from inspect import signature
from typing import Any

import numpy as np

from graphlearn.errors import DTypeError, GraphUseError, OptionError, ShapeError
from graphlearn.graph.leaves import parameter
from graphlearn.graph.node import Node, check_name
from graphlearn.graph.op import BUILT_IN
from graphlearn.graph.scope import scope
from graphlearn.ops.activations import ACTIVATIONS
from graphlearn.ops.algebra import FUNCTIONS
from graphlearn.ops.normalised import log_softmax, softmax
from graphlearn.ops.random import bernoulli, check_rate, drop
from graphlearn.types import format_shape

__all__ = ["MLP", "Activation", "Dense", "Dropout", "Layer", "Sequential", "find_activation"]

Function = Callable[[Any], Node]


class Layer(ABC):
    """A function from node to node with parameters of its own.

    Args:
        name: scope of its nodes and parameters; a container gives one to a layer that has none.
    """

    def __init__(self, name: str | None = None) -> None:
        self.name = name if name is None else check_name(name)
        self._calls = 0

    def __call__(self, x: Node) -> Node:
        """Apply the layer.

        Args:
            x: ``(..., width)``, rows are samples.

        Returns:
            A node named under the layer's scope. From the second call on the scope is ``name_2``, ``name_3``, ...; the
            parameters stay the same.

        Raises:
            GraphUseError: the layer has no name.
        """
        if self.name is None:
            kind = type(self).__name__
            raise GraphUseError(
                f"a layer on its own needs a name for its parameters; got a {kind} without one. Write {kind}(..., "
                "name='hidden'), or put it into nn.Sequential, which numbers its layers."
            )
        if not isinstance(x, Node):
            raise GraphUseError(
                f"the layer {self.name!r} needs a node, e.g. gl.input('x', ('batch', 2)); got {type(x).__name__}."
            )
        label = self.name if self._calls == 0 else f"{self.name}_{self._calls + 1}"
        with scope(label):
            result = self.build(x)
        self._calls += 1
        return result

    @abstractmethod
    def build(self, x: Node) -> Node:
        """The layer's graph on ``x``, inside the layer's scope."""

    @property
    def parameters(self) -> tuple[Node, ...]:
        """The parameters made so far, in the order of making."""
        return ()


class Dense(Layer):
    """Every output a weighted sum of all inputs: ``h = activation(x @ W + b)``.

    Args:
        units: number of outputs.
        activation: name such as ``"relu"`` or ``"softmax"``, or of an operation that you defined with `gl.elementwise`;
            a function from node to node; or None.
        init: initializer of ``W``; default Glorot uniform. ``b`` starts at zero.
        bias: whether there is a ``b``.
        name: scope, e.g. ``"hidden1"``; may be left out inside a container.

    The parameters are ``W`` of shape (width of x, units) and ``b`` of shape (units,). The node before the activation is
    called ``z``, the one after it ``h``.

    Raises:
        OptionError: units is not a whole number above 0, or no such activation.

    Example:
        >>> import graphlearn as gl
        >>> gl.nn.Dense(3, "tanh", name="hidden")(gl.input("x", ("batch", 2)))
        <tanh hidden/h float64[batch,3]>
    """

    def __init__(
        self,
        units: int,
        activation: str | Function | None = None,
        init: Any = None,
        bias: bool = True,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        self.units = _whole(units, "Dense needs a number of units")
        self.activation = None if activation is None else find_activation(activation)
        self._init = init
        self._bias = bool(bias)
        self._parameters: tuple[Node, ...] = ()

    @property
    def parameters(self) -> tuple[Node, ...]:
        """``(W, b)``, or ``(W,)`` without bias; empty before the first call."""
        return self._parameters

    def build(self, x: Node) -> Node:
        """``activation(x @ W + b)``."""
        width = self._width(x)
        if not self._parameters:
            self._parameters = self._make(width, "float32" if x.dtype == "float32" else "float64")
        z = x @ self._parameters[0]
        if self._bias:
            z = z + self._parameters[1]
        z = z.named("z")
        return z if self.activation is None else self.activation(z).named("h")

    def _make(self, width: int, dtype: str) -> tuple[Node, ...]:
        weights = parameter("W", (width, self.units), init=self._init, dtype=dtype)
        return (weights, parameter("b", (self.units,), dtype=dtype)) if self._bias else (weights,)

    def _width(self, x: Node) -> int:
        what = f"the layer {self.name!r}"
        if x.ndim < 1 or isinstance(x.shape[-1], str):
            raise ShapeError(
                f"{what} needs rows of a fixed width, (..., width); got {x!r} of shape {format_shape(x.shape)}. "
                "Declare the input as ('batch', width), or reshape.",
                nodes=(x,),
            )
        if x.dtype == "bool":
            raise DTypeError(f"{what} needs numbers; got {x!r}. Cast it first: gl.cast(x, 'float64').", nodes=(x,))
        width = int(x.shape[-1])
        if self._parameters and self._parameters[0].shape[0] != width:
            raise ShapeError(
                f"{what} was made for inputs of width {self._parameters[0].shape[0]}; got {x!r} of width {width}. Use "
                "a new layer for another width.",
                nodes=(x,),
            )
        return width


class Activation(Layer):
    """A function of every entry (or softmax) as a layer; its node is called ``h``.

    Args:
        function: name such as ``"relu"`` or ``"softmax"``, or a function from node to node.
        name: scope; may be left out inside a container.
    """

    def __init__(self, function: str | Function, name: str | None = None) -> None:
        super().__init__(name)
        self.function = find_activation(function)

    def build(self, x: Node) -> Node:
        """The function of ``x``."""
        return self.function(x).named("h")


class Dropout(Layer):
    """Entries set to 0 by chance during training, the others divided by ``1 - rate``; nothing is done afterwards.

    `Model.fit` drops anew in each step; `Model.predict` and `Model.evaluate` do not drop: see `gl.inference`. The
    truths that say what is kept are called ``keep``, the node after it ``h``.

    Args:
        rate: probability that an entry is set to 0, from 0 to below 1.
        name: scope; may be left out inside a container.

    Raises:
        OptionError: another rate.

    Source: Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov (2014), Dropout: a simple way to prevent neural
    networks from overfitting, JMLR 15; divided in training, as its section 10 has it, instead of multiplied afterwards.

    Example:
        >>> import graphlearn as gl
        >>> net = gl.nn.Sequential([gl.nn.Dense(3, "tanh"), gl.nn.Dropout(0.2), gl.nn.Dense(1)])
        >>> net(gl.input("x", ("batch", 2)))
        <add layer3/z float64[batch,1]>
    """

    def __init__(self, rate: float = 0.5, name: str | None = None) -> None:
        super().__init__(name)
        self.rate = check_rate(rate)

    def build(self, x: Node) -> Node:
        """``x`` where ``keep`` holds, divided by ``1 - rate``, else 0."""
        if self.rate == 0:
            return x
        return drop(x, bernoulli(x.shape, 1 - self.rate).named("keep"), self.rate).named("h")


class Sequential(Layer):
    """Layers one after the other.

    Args:
        layers: layers, or names of activations; those without a name are called ``layer1``, ``layer2``, ...
        name: scope around all of them; without one they stand at the top: ``layer1/W``.

    Example:
        >>> import graphlearn as gl
        >>> net = gl.nn.Sequential([gl.nn.Dense(3), "relu", gl.nn.Dense(1)])
        >>> net(gl.input("x", ("batch", 2)))
        <add layer3/z float64[batch,1]>
    """

    def __init__(self, layers: Sequence[Layer | str], name: str | None = None) -> None:
        super().__init__(name)
        given = layers if isinstance(layers, Iterable) and not isinstance(layers, str) else ()
        made = [Activation(layer) if isinstance(layer, str) else layer for layer in given]
        if not made or not all(isinstance(layer, Layer) for layer in made):
            raise OptionError(
                f"{type(self).__name__} needs layers, at least one; got {layers!r}. E.g. [nn.Dense(3), 'tanh', "
                "nn.Dense(1)]."
            )
        self.layers = tuple(made)
        for number, layer in enumerate(self.layers, start=1):
            layer.name = layer.name or self._label(number)

    def _label(self, number: int) -> str:
        return f"layer{number}"

    def __call__(self, x: Node) -> Node:
        """Apply the layers in order; without a name the container adds no scope."""
        return self.build(x) if self.name is None else super().__call__(x)

    def build(self, x: Node) -> Node:
        """The layers, each on the result of the one before."""
        for layer in self.layers:
            x = layer(x)
        return x

    @property
    def parameters(self) -> tuple[Node, ...]:
        """The parameters of all layers, each once."""
        return tuple(dict.fromkeys(leaf for layer in self.layers for leaf in layer.parameters))


class MLP(Sequential):
    """A multilayer perceptron: dense layers called ``hidden1``, ``hidden2``, ... and ``output``.

    Args:
        sizes: units of each layer, the output last; the width of the input is taken from the node. ``MLP([3, 1])`` on
            two inputs is the 2-3-1 network.
        activation: of the hidden layers.
        output: activation of the output layer; None leaves it linear, as losses from logits want it.
        init: initializer of the weights; default Glorot uniform.
        name: scope around all layers; may be left out.

    Example:
        >>> import graphlearn as gl
        >>> gl.nn.MLP([3, 1], "tanh")(gl.input("x", ("batch", 2)))
        <add output/z float64[batch,1]>
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str | Function = "tanh",
        output: str | Function | None = None,
        init: Any = None,
        name: str | None = None,
    ) -> None:
        units = list(sizes) if isinstance(sizes, Iterable) and not isinstance(sizes, str) else []
        if not units:
            raise OptionError(
                f"MLP needs a list of units, at least those of the output layer; got {sizes!r}. E.g. MLP([3, 1])."
            )
        self._count = len(units)
        super().__init__(
            [*(Dense(n, activation, init) for n in units[:-1]), Dense(units[-1], output, init)],
            name,
        )

    def _label(self, number: int) -> str:
        return "output" if number == self._count else f"hidden{number}"


def find_activation(activation: str | Function) -> Function:
    """The function of an activation's name.

    Args:
        activation: a name of `ACTIVATIONS`, that of an operation of one operand of your own, or a function.

    Raises:
        OptionError: no such name; the message lists them.
    """
    if callable(activation):
        return activation
    single = {name: function for name, function in FUNCTIONS.items() if _required_operands(function) == 1}
    known = {**single, "softmax": softmax, "log_softmax": log_softmax}
    names = [*ACTIVATIONS, *(name for name in single if name not in BUILT_IN)]
    name = activation if isinstance(activation, str) else ""
    if name not in names:
        advice = f" Any function will do as well, such as gl.{name} itself." if name in known else ""
        raise OptionError(
            f"activation needs a function of one node, or one of {', '.join(names)}; got {activation!r}.{advice}"
        )
    return known[name]


def _required_operands(function: Function) -> int:
    """How many operands have no default: that of leaky_relu's slope is one."""
    return sum(p.default is p.empty for p in signature(function).parameters.values())


def _whole(value: object, needs: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise OptionError(f"{needs}, a whole number above 0; got {value!r}.")
    return int(value)


def __dir__() -> list[str]:
    return sorted(__all__)
