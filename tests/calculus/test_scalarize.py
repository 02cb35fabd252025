"""The view of single neurons: names, values given for arrays, derivations, and what is refused."""

import numpy as np
import pytest

from graphlearn.backends.function import compile_graph
from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.calculus.gradient import grad
from graphlearn.calculus.scalarize import scalarize
from graphlearn.errors import DTypeError, ShapeError, UnknownNameError, UnsupportedOp
from graphlearn.graph.leaves import constant, input, parameter, state
from graphlearn.graph.op import CALL, Notation, Op
from graphlearn.graph.scope import scope
from graphlearn.graph.traverse import symbols, topological
from graphlearn.learn.model import Model
from graphlearn.ops.activations import sigmoid
from graphlearn.ops.gathering import scatter_add, take
from graphlearn.ops.intrinsics import equal, tanh
from graphlearn.ops.normalised import log_softmax, logsumexp, softmax, softmax_cross_entropy
from graphlearn.ops.reductions import argmax, argmin, max_, mean
from graphlearn.ops.shape import reshape, transpose
from graphlearn.ops.structural import build
from graphlearn.teach.derivation import derive

RNG = np.random.Generator(np.random.Philox(7))
AT = {"x": RNG.normal(size=(2, 2)), "t": np.ones((2, 1)), "w1": RNG.normal(size=(2, 3)), "w2": RNG.normal(size=(3, 1))}


@pytest.fixture
def network():
    x, t = input("x", ("batch", 2)), input("t", ("batch", 1))
    w1, w2 = parameter("w1", (2, 3)), parameter("w2", (3, 1))
    with scope("hidden"):
        h = tanh(x @ w1).named("h1")
    y = sigmoid(h @ w2).named("y")
    return x, w1, h, mean((y - t) ** 2).named("loss")


def test_entries_are_named_as_their_arrays(network):
    _, _, h, loss = network
    entries = scalarize(h, batch=2)
    assert entries.shape == (2, 3) and entries.dtype == object
    assert entries[1, 2].full_name == "hidden/h1[1,2]" and entries[1, 2].made_at == h.made_at
    assert list(symbols(entries[1, 2])) == ["x[1,0]", "w1[0,2]", "x[1,1]", "w1[1,2]"]
    assert symbols(entries[1, 2])["w1[0,2]"].op.name == "parameter"
    scalar = scalarize(loss, batch=2)
    assert scalar.name == "loss" and all(n.shape == () for n in topological([scalar]))


def test_values_are_given_for_arrays_for_entries_or_by_a_model(network):
    _, w1, _, loss = network
    scalar = scalarize(loss, batch=2)
    wanted = evaluate(loss, AT)
    assert evaluate(scalar, AT) == pytest.approx(float(wanted), rel=1e-14)
    assert evaluate(scalar, {**AT, w1: AT["w1"], "w1": AT["w1"]}) == evaluate(scalar, AT)
    changed = {**AT, "w1": np.where(np.arange(6).reshape(2, 3) == 4, 2.0, AT["w1"])}
    assert evaluate(scalar, {**AT, "w1[1,1]": 2.0}) == evaluate(scalar, changed)
    model = Model(network[3], precision="float64")
    assert evaluate(scalar, model.at({"x": AT["x"], "t": AT["t"]})) == pytest.approx(
        float(evaluate(loss, model.at({"x": AT["x"], "t": AT["t"]}))), rel=1e-14
    )


def test_a_model_of_entries_begins_as_the_model_of_arrays(network):
    scalar = Model(scalarize(network[3], batch=2), seed=3)
    assert scalar.values["w1[1,2]"] == Model(network[3], seed=3).values["w1"][1, 2] != 0


def test_literal_values_are_taken_apart():
    w, s = parameter("w", value=[[1.0, 2.0], [3.0, 4.0]]), state("s", (2,), [5.0, 6.0])
    entries = scalarize(w * s)
    assert [[float(evaluate(n)) for n in row] for row in entries.tolist()] == [[5.0, 12.0], [15.0, 24.0]]


def test_an_array_that_does_not_fit_is_refused(network):
    scalar = scalarize(network[3], batch=2)
    with pytest.raises(ShapeError, match=r"at\['x'\] needs shape \(2, 2\); got \(3, 2\)"):
        evaluate(scalar, {**AT, "x": np.zeros((3, 2))})
    with pytest.raises(DTypeError, match=r"at\['w1'\] needs numbers"):
        evaluate(scalar, {**AT, "w1": [["a"] * 3] * 2})
    with pytest.raises(UnknownNameError, match="at names 'w3'"):
        evaluate(scalar, {**AT, "w3": 1.0})


def test_a_derivation_of_entries_sums_over_the_uses(network):
    scalar = scalarize(network[3], batch=2)
    weight = symbols(scalar)["w1[0,1]"]
    text = derive(scalar, weight, at=AT).to_text(width=120)
    assert "sum over all uses" in text and "∂loss/∂z" not in text
    assert "share₁" in text and "·x[1,0]" in text and "hidden/h₁[0,1]" in text
    assert derive(scalar, weight, at=AT).check().ok
    assert evaluate(grad(scalar, weight), AT) == pytest.approx(
        float(evaluate(grad(network[3], network[1]), AT)[0, 1]), rel=1e-12
    )


def test_moved_entries_stay_the_same_nodes():
    w = parameter("w", (2, 3))
    entries = scalarize(w)
    np.testing.assert_array_equal(scalarize(transpose(w).named("v")), entries.T)
    np.testing.assert_array_equal(scalarize(reshape(w, (3, 2))[::-1, 0]), entries.reshape(3, 2)[::-1, 0])
    assert [n.full_name for n in scalarize((transpose(w) * 2).named("v"))[1]] == ["v[1,0]", "v[1,1]"]


@pytest.mark.parametrize("size", [1.0, 1e4])
def test_entries_of_softmax_neither_overflow_nor_cancel(size):
    z = input("z", 3)
    at = {z: np.array([0.0, 1.0, -1.0]) * size}
    for array in (softmax(z), log_softmax(z)):
        entries = scalarize(array)
        np.testing.assert_allclose([evaluate(n, at) for n in entries], evaluate(array, at), rtol=1e-14)
        slopes = [evaluate(grad(entries[1], symbols(entries[1])[f"z[{k}]"]), at) for k in range(3)]
        np.testing.assert_allclose(slopes, evaluate(grad(array[1], z), at), rtol=1e-12, atol=1e-16)
    one_hot = constant([0.0, 1.0, 0.0])
    for row in (logsumexp(z), softmax_cross_entropy(z, one_hot, normalized=True), max_(z)):
        scalar = scalarize(row)
        assert evaluate(scalar, at) == pytest.approx(float(evaluate(row, at)), rel=1e-14)
        slopes = [evaluate(grad(scalar, symbols(scalar)[f"z[{k}]"]), at) for k in range(3)]
        np.testing.assert_allclose(slopes, evaluate(grad(row, z), at), rtol=1e-12, atol=1e-16)


def test_entries_that_tie_share_equally():
    z = input("z", 4)
    largest = scalarize(max_(z))
    slopes = [evaluate(grad(largest, leaf), {z: [2.0, 1.0, 2.0, 2.0]}) for leaf in symbols(largest).values()]
    np.testing.assert_allclose(slopes, [1 / 3, 0, 1 / 3, 1 / 3])


def test_scalar_graphs_run_compiled_and_are_derived_with_softmax():
    z, t = input("z", ("n", 3)), input("t", ("n", 3))
    loss = scalarize(mean(softmax_cross_entropy(z, t, normalized=True)), n=2)
    at = {"z": RNG.normal(size=(2, 3)), "t": np.eye(3)[:2]}
    leaf = symbols(loss)["z[0,1]"]
    names = {name: float(at[name[0]][int(name[2]), int(name[4])]) for name in symbols(loss)}
    assert float(compile_graph(loss)(**names)) == pytest.approx(float(evaluate(loss, at)), rel=1e-14)
    derivation = derive(loss, leaf, at=at)
    assert derivation.check().ok and "softmax(z[0,0], z[0,1], z[0,2])[1] − t[0,1]" in str(derivation)


def test_what_has_a_free_axis_or_no_way_is_refused(network):
    with pytest.raises(ShapeError, match=r"got none for 'batch'. Write gl.scalarize\(node, batch=4\)"):
        scalarize(network[3])
    squares = Op(
        "squares_of_all", "structural", lambda types: types[0], Notation("", "squares({0})", CALL),
        reference=lambda x: np.square(x), adjoint=lambda node, g: (2 * node.inputs[0] * g,),
    )  # fmt: skip
    with pytest.raises(UnsupportedOp, match="no way to write out <squares_of_all float64"):
        scalarize(build(squares, [input("x", 2)]))


def test_entries_that_are_chosen_at_run_time_are_choices_among_all():
    x, rows = input("x", 3), input("rows", 4, "int64")
    entries = scalarize(take(x, constant([2, 0, 2])))
    assert [n.full_name for n in entries] == ["x[2]", "x[0]", "x[2]"]
    chosen = scalarize(take(x, rows))
    at = {x: [1.0, 2.0, 3.0], rows: [2, -3, 3, -4]}
    np.testing.assert_array_equal(
        evaluate(chosen, at), [3.0, 1.0, np.nan, np.nan]
    )  # as compiled code: no place, no entry
    added = scalarize(scatter_add((2,), rows, x[:1]))
    np.testing.assert_array_equal(evaluate(added, at | {rows: [1, -2, 2, 1]}), [1.0, 2.0])


def test_the_place_of_an_extreme_is_the_first_or_that_of_nan():
    x = input("x", 4)
    both = [scalarize(argmax(x)), scalarize(argmin(x))]
    for values, largest, smallest in (
        ([1.0, 3, 3, 1], 1, 0),
        ([5, np.nan, 9, np.nan], 1, 1),
        ([-0.0, 0, 0, -0.0], 0, 0),
    ):
        assert evaluate(both, {x: values}) == (largest, smallest)
    hot = scalarize(equal(np.arange(4), argmax(x)))
    assert evaluate(hot, {x: [0.0, 5, 5, 5]}).tolist() == [False, True, False, False]


def test_an_array_of_nodes_is_evaluated_and_compiled_as_an_array():
    x = input("x", (2, 2))
    grid, data = scalarize(x * 2), np.array([[1.0, 2], [3, 4]])
    for found in (evaluate(grid, {x: data}), compile_graph(grid)(x=data)):
        np.testing.assert_array_equal(found, 2 * data)
    first, second = evaluate([grid, grid[0, 1]], {x: data})
    np.testing.assert_array_equal(first, 2 * data)
    assert second == 4
    first, second = evaluate((n for n in (x, grid)), {x: data})
    np.testing.assert_array_equal(second, 2 * first)  # what is given for x is given for its entries too
    np.testing.assert_array_equal(evaluate([x, grid], {"x": data})[1], second)
    assert evaluate(scalarize(input("empty", (0, 3)))).shape == (0, 3)


def test_a_linear_operation_without_a_row_is_written_as_sums():
    mixed = Op(
        "mixed", "structural", lambda types: types[0], Notation("", "mixed({0})", CALL),
        reference=lambda x: np.cumsum(x) - 0.5 * x[::-1], adjoint=lambda node, g: (g,),
    )  # fmt: skip
    x = input("x", 3)
    at = {x: [1.0, 10.0, 100.0]}
    entries = scalarize(build(mixed, [x]))
    assert [float(evaluate(n, at)) for n in entries] == [1 - 50, 11 - 5, 111 - 0.5]


def test_sizes_of_zero_and_one():
    x = input("x", ("n", 2))
    assert scalarize(x * 2, n=0).shape == (0, 2)
    assert float(evaluate(scalarize(mean(x), n=1), {x: [[1.0, 3.0]]})) == 2
    assert float(evaluate(scalarize((x.T @ x)[0, 0], n=0))) == 0
