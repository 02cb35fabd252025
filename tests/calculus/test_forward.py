"""jvp: directions, Hessian-vector products, inner nodes, bad input."""

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.graph.traverse import topological
from tests.laws.random_graphs import random_graph


@pytest.mark.parametrize("seed", range(20))
def test_forward_and_reverse_agree_on_random_graphs(seed):
    graph = random_graph(seed)
    generator = np.random.default_rng(seed)
    wrt = list(graph.wrt)
    directions = [generator.standard_normal(np.shape(graph.at[w])) for w in wrt]
    along = gl.jvp(graph.output, wrt, [gl.input(f"d{k}", w.shape) for k, w in enumerate(wrt)])
    at = {**graph.at, **{f"d{k}": d for k, d in enumerate(directions)}}
    gradients = gl.evaluate(gl.grad(graph.output, wrt), graph.at)
    expected = sum(np.sum(g * d) for g, d in zip(gradients, directions, strict=True))
    assert float(gl.evaluate(along, at)) == pytest.approx(expected, rel=1e-10, abs=1e-12)


def test_a_hessian_times_a_vector_without_the_hessian():
    w = gl.parameter("w", value=[0.3, -0.7, 1.1])
    loss = gl.sum(gl.tanh(w)) * gl.sum(gl.exp(w))
    v = np.array([1.0, 2.0, -1.0])
    product = gl.evaluate(gl.jvp(gl.grad(loss, w), w, v), {})
    step = 1e-5
    slope = [gl.evaluate(gl.grad(loss, w), {w: [0.3, -0.7, 1.1] + s * step * v}) for s in (-1, 1)]
    np.testing.assert_allclose(product, (slope[1] - slope[0]) / (2 * step), rtol=1e-8)


def test_several_outputs_share_one_sweep():
    x = gl.input("x", ("batch", 2))
    y, z = gl.jvp([gl.sin(x), gl.sum(x)], x, gl.input("v", ("batch", 2)))
    at = {"x": np.ones((3, 2)), "v": np.full((3, 2), 2.0)}
    first, second = gl.evaluate([y, z], at)
    np.testing.assert_allclose(first, 2 * np.cos(np.ones((3, 2))))
    assert second == 12


def test_an_inner_node_moves_by_itself_and_with_what_it_depends_on():
    x = gl.input("x")
    h = gl.square(x).named("h")
    y = 3 * h
    assert gl.evaluate(gl.jvp(y, h, 1.0), {x: 2.0}) == 3
    assert gl.evaluate(gl.jvp(y, [x, h], [1.0, 1.0]), {x: 2.0}) == 3 * (4 + 1)


def test_a_branch_not_taken_makes_no_nan():
    x = gl.input("x")
    y = gl.where(x > 0, gl.log(x), 0.0)
    assert gl.evaluate(gl.jvp(y, x, 1.0), {x: 0.0}) == 0


def test_what_nothing_influences_does_not_move():
    x, y = gl.input("x", (2,)), gl.input("y")
    np.testing.assert_array_equal(gl.evaluate(gl.jvp(gl.exp(x), y, 1.0), {x: [1.0, 2.0], y: 0.0}), [0, 0])


def test_a_sweep_is_linear_in_the_graph():
    x = gl.input("x")
    sizes = []
    for length in (500, 1000):
        y = x
        for _ in range(length):
            y = gl.sin(y) * 1.01
        sizes.append(len(topological([gl.jvp(y, x, 1.0)])))
    assert sizes[1] < 2.1 * sizes[0]


def test_bad_input_is_named():
    x = gl.input("x", (2,))
    with pytest.raises(gl.errors.ShapeError, match="one tangent for each node of wrt; got 2 for 1"):
        gl.jvp(gl.exp(x), [x], [x, x])
    with pytest.raises(gl.errors.ShapeError, match="a tangent of the shape of its node"):
        gl.jvp(gl.exp(x), x, 1.0)
    with pytest.raises(gl.errors.DTypeError, match="jvp needs real nodes"):
        gl.jvp(x > 0, x, x)
