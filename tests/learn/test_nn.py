from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.errors import DTypeError, GraphUseError, NameClashError, OptionError, ShapeError
from graphlearn.graph.leaves import input
from graphlearn.graph.names import Names
from graphlearn.graph.node import Node
from graphlearn.graph.scope import scope
from graphlearn.graph.traverse import symbols
from graphlearn.learn import Model, init, nn
from graphlearn.ops.activations import ACTIVATIONS, square


@pytest.fixture
def x() -> Node:
    return input("x", ("batch", 2))


def test_dense_is_a_product_a_bias_and_an_activation(x: Node) -> None:
    layer = nn.Dense(3, "tanh", name="hidden")
    h = layer(x)
    rows = np.array([[1.0, 2.0], [3.0, -4.0]])
    w, b = np.arange(6.0).reshape(2, 3) / 10, np.array([0.1, 0.2, 0.3])
    given = {x: rows, layer.parameters[0]: w, layer.parameters[1]: b}
    assert np.allclose(evaluate(h, given), np.tanh(rows @ w + b))
    assert h.shape == ("batch", 3)


def test_roles_name_the_inner_nodes(x: Node) -> None:
    y = nn.MLP([3, 4, 1], "tanh", "sigmoid")(x)
    names = [Names([y])[n] for n in Names([y]) if "/" in Names([y])[n]]
    assert set(names) == {
        f"{layer}/{role}" for layer in ("hidden1", "hidden2", "output") for role in ("W", "b", "z", "h")
    }
    assert y.full_name == "output/h"


def test_a_linear_layer_ends_in_z(x: Node) -> None:
    assert nn.MLP([3, 1])(x).full_name == "output/z"
    assert nn.Dense(1, bias=False, name="d")(x).full_name == "d/z"


def test_without_bias_there_is_no_b(x: Node) -> None:
    assert list(symbols(nn.Dense(1, bias=False, name="d")(x))) == ["x", "d/W"]


def test_sequential_numbers_its_layers(x: Node) -> None:
    net = nn.Sequential([nn.Dense(3), "relu", nn.Dense(4, name="middle"), nn.Activation("tanh"), nn.Dense(1)])
    y = net(x)
    assert list(symbols(y)) == ["x", "layer1/W", "layer1/b", "middle/W", "middle/b", "layer5/W", "layer5/b"]
    assert [p.full_name for p in net.parameters] == list(symbols(y))[1:]
    assert "layer2/h" in [Names([y])[n] for n in Names([y])]


def test_a_named_container_is_a_scope(x: Node) -> None:
    y = nn.Sequential([nn.Dense(3), nn.MLP([2, 1], name="head")], name="net")(x)
    assert "net/head/hidden1/W" in symbols(y)
    with scope("outer"):
        assert "outer/d/W" in symbols(nn.Dense(1, name="d")(x))


def test_a_second_call_shares_parameters_and_clashes_with_nothing(x: Node) -> None:
    layer = nn.Dense(2, "tanh", name="step")
    once = layer(x)
    twice = layer(once)
    thrice = layer(twice)
    assert [n.full_name for n in (once, twice, thrice)] == ["step/h", "step_2/h", "step_3/h"]
    assert list(symbols(thrice)) == ["x", "step/W", "step/b"]
    Names([once, twice, thrice])
    w, b = np.array([[0.5, -1.0], [2.0, 0.1]]), np.array([0.1, -0.2])
    rows = np.array([[1.0, 2.0]])
    h = np.tanh(rows @ w + b)
    assert np.allclose(evaluate(twice, {"x": rows, "step/W": w, "step/b": b}), np.tanh(h @ w + b))


def test_a_shared_network(x: Node) -> None:
    net = nn.MLP([3, 1])
    other = input("other", ("batch", 2))
    difference = net(x) - net(other)
    assert len([n for n in symbols(difference) if n.endswith("/W")]) == 2
    Names([difference])


def test_two_unnamed_containers_in_one_graph_are_refused(x: Node) -> None:
    with pytest.raises(NameClashError, match="hidden1/W"):
        Model(nn.MLP([3, 1])(x) + nn.MLP([3, 1])(x))


def test_an_initializer_is_used_for_the_weights(x: Node) -> None:
    model = Model(nn.Dense(2, init=init.constant(0.25), name="d")(x))
    assert (model.values["d/W"] == 0.25).all() and (model.values["d/b"] == 0).all()


def test_activations_by_name_by_function_and_over_rows(x: Node) -> None:
    rows = np.array([[0.5, -1.0]])
    assert np.allclose(evaluate(nn.Activation("relu", name="a")(x), {"x": rows}), [[0.5, 0.0]])
    assert np.allclose(evaluate(nn.Activation(square, name="a")(x), {"x": rows}), rows**2)
    assert np.allclose(evaluate(nn.Activation(lambda z: z * 2, name="a")(x), {"x": rows}), rows * 2)
    p = evaluate(nn.Activation("softmax", name="a")(x), {"x": rows})
    assert np.allclose(p.sum(axis=-1), 1)


def test_float32_inputs_have_float32_parameters() -> None:
    y = nn.Dense(2, name="d")(input("x", ("batch", 3), dtype="float32"))
    assert y.dtype == "float32" == symbols(y)["d/W"].dtype


def test_whole_numbers_may_be_inputs() -> None:
    assert nn.Dense(2, name="d")(input("n", ("batch", 3), dtype="int64")).dtype == "float64"


def test_a_failed_call_leaves_the_layer_as_it_was(x: Node) -> None:
    layer = nn.Dense(2, lambda z: z @ z, name="d")
    for _ in range(2):
        with pytest.raises(ShapeError):
            layer(x)
    layer.activation = None
    assert layer(x).full_name == "d/z"


BAD = {
    "no name": (lambda x: nn.Dense(3)(x), GraphUseError, r"needs a name.*name='hidden'"),
    "an array": (lambda x: nn.Dense(3, name="d")(np.ones((2, 2))), GraphUseError, "needs a node"),
    "free width": (lambda x: nn.Dense(3, name="d")(input("u", ("a", "b"))), ShapeError, "fixed width"),
    "a scalar": (lambda x: nn.Dense(3, name="d")(input("u")), ShapeError, "fixed width"),
    "truth values": (lambda x: nn.Dense(3, name="d")(input("u", (2, 2), "bool")), DTypeError, "Cast it"),
    "no units": (lambda x: nn.Dense(0, name="d"), OptionError, "whole number above 0"),
    "half a unit": (lambda x: nn.Dense(1.5, name="d"), OptionError, "whole number above 0"),
    "an activation's name": (lambda x: nn.Dense(1, "tangent"), OptionError, "sigmoid.*got 'tangent'"),
    "a binary activation": (lambda x: nn.Dense(1, "maximum"), OptionError, "got 'maximum'"),
    "an empty container": (lambda x: nn.Sequential([]), OptionError, "at least one"),
    "no layer": (lambda x: nn.Sequential([3]), OptionError, "needs layers"),
    "no sizes": (lambda x: nn.MLP([]), OptionError, "output layer"),
    "a bad name": (lambda x: nn.Dense(1, name="a/b"), GraphUseError, "gl.scope"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_says_the_cure(case: str, x: Node) -> None:
    make, error, message = BAD[case]
    with pytest.raises(error, match=message):
        make(x)  # type: ignore[no-untyped-call]


def test_another_width_on_a_later_call(x: Node) -> None:
    layer = nn.Dense(3, name="d")
    layer(x)
    with pytest.raises(ShapeError, match=r"made for inputs of width 2; got .* of width 5"):
        layer(input("u", ("batch", 5)))


@pytest.mark.parametrize("sizes", [3, "31", None, []])
def test_sizes_need_to_be_a_list(sizes: Any) -> None:
    with pytest.raises(OptionError, match=r"MLP needs a list of units.*got .*E\.g\. MLP\(\[3, 1\]\)"):
        nn.MLP(sizes)


@pytest.mark.parametrize("name", ["log", "logical_not", "sech2", "abs", "erf", "nothing"])
def test_only_activations_are_offered(name: str) -> None:
    with pytest.raises(OptionError) as caught:
        nn.Dense(3, name)
    offered = str(caught.value).split(";")[0]
    assert offered == f"activation needs a function of one node, or one of {', '.join(ACTIVATIONS)}"
    assert list(ACTIVATIONS) == sorted(ACTIVATIONS)
    assert ("Any function will do as well" in str(caught.value)) == (name != "nothing")
    for activation in offered.split(" one of ")[1].split(", "):
        nn.Dense(3, activation)
