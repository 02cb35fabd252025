"""Lengths in place of free axes: the graph keeps its names, its lines and its values."""

import numpy as np
import pytest

from graphlearn.backends.function import compile_graph
from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.calculus.gradient import grad
from graphlearn.calculus.specialize import specialize
from graphlearn.errors import GraphUseError, MissingValueError, ShapeError, UnknownNameError
from graphlearn.graph.kin import kin
from graphlearn.graph.leaves import input, parameter
from graphlearn.graph.scope import scope
from graphlearn.graph.traverse import symbols, topological
from graphlearn.ops.intrinsics import tanh
from graphlearn.ops.joining import flip
from graphlearn.ops.reductions import mean, sum_
from graphlearn.ops.shape import axis_size

X = np.arange(8.0).reshape(4, 2) / 8


@pytest.fixture
def graph():
    x, w = input("x", ("batch", 2)), parameter("w", (2, 3))
    with scope("layer"):
        h = tanh(x @ w).named("h")
    return x, w, mean(h**2).named("loss")


def test_names_scopes_lines_and_values_stay(graph):
    x, w, loss = graph
    four = specialize(loss, batch=4)
    assert four.type.axis_names == () and list(symbols(four)) == ["x", "w"]
    assert symbols(four)["x"].shape == (4, 2) and symbols(four)["w"] is w
    assert [n.full_name for n in topological([four]) if n.name] == ["x", "w", "layer/h", "loss"]
    assert four.made_at == loss.made_at
    at = {x: X, w: np.ones((2, 3))}
    assert evaluate(four, at) == evaluate(loss, at) == evaluate(four, {"x": X, "w": np.ones((2, 3))})
    assert float(compile_graph(four)(x=X, w=np.ones((2, 3)))) == pytest.approx(float(evaluate(loss, at)))
    assert axis_size("batch") not in topological([four])


def test_what_needs_a_length_can_follow(graph):
    x = graph[0]
    with pytest.raises(ShapeError, match="whole of a free axis"):
        x[1:]
    four = specialize(x * 2, batch=4)
    np.testing.assert_array_equal(evaluate(flip(four[1:], 0), {x: X}), 2 * X[:0:-1])


def test_a_loss_and_its_gradient_share_their_leaves(graph):
    x, w, loss = graph
    four, by_w = specialize(loss, batch=4), specialize(grad(loss, w), batch=4)
    assert symbols(four, by_w)["x"] is symbols(four)["x"]
    assert specialize((loss, w), batch=4) == (four, w)
    assert kin(symbols(four)["x"]).ancestors == (x,)
    assert grad(four, w).shape == by_w.shape


def test_axes_may_stay_free_and_lengths_may_be_zero():
    x = input("x", ("n", "m"))
    two = specialize(sum_(x, axis=0), m=2)
    assert two.shape == (2,) and symbols(two)["x"].shape == ("n", 2)
    again = specialize(two, n=0)
    np.testing.assert_array_equal(evaluate(again, {x: np.zeros((0, 2))}), [0, 0])
    assert kin(symbols(again)["x"]).ancestors == (symbols(two)["x"], x)
    assert specialize(axis_size("n").named("N") * x, n=3, m=1).inputs[0].full_name == "N"
    assert specialize(input("y", 3)) is not None


def test_a_graph_without_that_axis_is_refused(graph):
    with pytest.raises(UnknownNameError, match=r"names the axis 'n', which the graph does not have. Its free axes are"):
        specialize(graph[2], n=4)
    with pytest.raises(UnknownNameError, match=r"free axes are: \(none\)"):
        specialize(graph[1], batch=4)


@pytest.mark.parametrize("length", [-1, 2.5, "4", None, True], ids=str)
def test_lengths_are_whole_numbers(graph, length):
    with pytest.raises(ShapeError, match="whole number from 0 on as the length of 'batch'"):
        specialize(graph[2], batch=length)
    with pytest.raises(GraphUseError, match="specialize needs a node"):
        specialize("loss", batch=4)


def test_other_lengths_of_the_data_are_refused(graph):
    x, w, loss = graph
    with pytest.raises(ShapeError, match=r"at\['x'\] needs shape \(4, 2\); got \(3, 2\)"):
        evaluate(specialize(loss, batch=4), {x: X[:3], w: np.ones((2, 3))})
    with pytest.raises(MissingValueError):
        evaluate(specialize(loss, batch=4), {specialize(x, batch=3): X[:3], w: np.ones((2, 3))})
