"""Compiled functions: random graphs, several free axes, long chains, threads."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.backends.registry import load_backend
from graphlearn.calculus.reverse import differentiate
from graphlearn.errors import ShapeError, UnsupportedOp
from graphlearn.graph.leaves import INPUT
from graphlearn.graph.node import Node, new_node
from graphlearn.graph.op import CALL, Notation, Op
from graphlearn.graph.traverse import leaves
from graphlearn.types import ArrayType
from tests.laws.random_graphs import SIZES, random_graph


def compiled(outputs, precision="float64"):
    inputs = leaves(outputs)
    function = load_backend("numba").compile_function(outputs, inputs, precision)
    return lambda at, sizes: function({x: np.asarray(at[x]) for x in inputs}, sizes)


@pytest.mark.parametrize("seed", range(12))
def test_random_graphs_and_their_gradients(seed):
    graph = random_graph(seed)
    gradients = differentiate(graph.output, graph.wrt, disconnected="zero", record=False).gradients
    outputs = [graph.output, *(gradients[w] for w in graph.wrt)]
    got = compiled(outputs)(graph.at, SIZES)
    wanted = evaluate(outputs, graph.at, sizes=SIZES)
    for g, w in zip(got, wanted, strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-10, atol=1e-12)


def test_one_function_serves_all_lengths_of_several_axes():
    x, y = gl.input("x", ("n", "k")), gl.input("y", ("k", "m"))
    outputs = [
        gl.tanh(x @ y), gl.sum(x, 0), gl.mean(y, 1), gl.transpose(x) * 2.0, gl.sum(gl.exp(y)),
        gl.axis_size("m") * gl.sum(x),
        gl.reshape(gl.transpose(gl.reshape(x, ("n", 1, "k"))), ("k", "n")),
    ]  # fmt: skip
    function = compiled(outputs)
    generator = np.random.default_rng(0)
    for n, k, m in [(2, 3, 4), (1, 1, 1), (17, 5, 40), (0, 3, 2), (3, 0, 2), (2, 3, 0), (64, 33, 70)]:
        at = {x: generator.normal(size=(n, k)), y: generator.normal(size=(k, m))}
        with np.errstate(invalid="ignore"), pytest.MonkeyPatch.context():
            wanted = evaluate(outputs, at) if m else None
        got = function(at, {"n": n, "k": k, "m": m})
        for g, w in zip(got, wanted or got, strict=True):
            np.testing.assert_allclose(g, w, rtol=1e-11, atol=1e-12)


def test_parts_of_views_and_arrays_put_together():
    x, n = gl.input("x", (4, 5)), gl.input("n", ("n", 2, 3))
    flat = gl.reshape(x[::-1, 1:], 16)
    outputs = [
        x[::2][::-1, 1:][:, 0], x.T[1:, ::-2], x[1:] @ x[:3].T, flat[::3], gl.reshape(x, (2, 10))[:, 7:1:-2],
        gl.broadcast_to(x[:, :1], (4, 5))[1:, ::-1] * x[1:], gl.sum(x[:, ::-1] * x[0], 0), x[1, 2] * x[3],
        n[:, 1, ::-1], gl.transpose(n, (1, 2, 0))[1, 2], gl.sum(n[:, 0] @ x[:3, :2], 0),
        gl.concatenate([gl.tanh(n[:, 0]), n[:, 1, 1:]], 1)[:, ::-1], gl.stack([n[:, 0], n[:, 1]], 2),
        gl.concatenate([x[:, 1:3].T, x[:, :0].T, gl.constant(np.ones((5, 4)))], 0),
        gl.pad(n[:, :, 1], ((0, 0), (2, 1)), constant_values=7.0), gl.reshape(gl.pad(x, 1)[::2], -1),
        gl.concatenate([x[:2] > 1, x[2:] < 3]), gl.concatenate([x, gl.constant(np.arange(5).reshape(1, 5))]),
    ]  # fmt: skip
    loss = gl.sum(outputs[11] ** 3) + gl.sum(outputs[12][:, 0] * outputs[14][:, :2])
    outputs += [gl.grad(loss, n), gl.grad(gl.sum(gl.tanh(outputs[0]) * flat[2:4]), x)]
    function = compiled(outputs)
    generator = np.random.default_rng(0)
    for rows in (0, 1, 17):
        at = {x: generator.normal(size=(4, 5)), n: generator.normal(size=(rows, 2, 3))}
        for got, wanted in zip(function(at, {"n": rows}), evaluate(outputs, at), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-11, atol=1e-12)


def test_arrays_without_entries_are_put_together():
    x = gl.input("x", (2, 0, 3))
    joined = np.vstack([x, x])
    value, whole = gl.compile([gl.sum(joined), joined])(x=np.zeros((2, 0, 3)))
    assert value == 0
    assert whole.shape == (4, 0, 3)


def test_an_output_may_be_a_leaf_a_constant_a_view_or_wanted_twice():
    x = gl.input("x", (2, 3))
    outputs = [
        x,
        gl.constant(np.arange(3.0)),
        gl.transpose(x),
        gl.broadcast_to(x, (4, 2, 3)),
        gl.constant(2.5),
        gl.tanh(x),
        gl.tanh(x),
    ]
    at = {x: np.arange(6.0).reshape(2, 3)}
    got = compiled(outputs)(at, {})
    for g, w in zip(got, evaluate(outputs, at), strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-14)
    assert got[0] is not at[x]
    assert not np.shares_memory(got[0], at[x])


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_results_are_arrays_of_their_own(backend):
    """None shares memory with what was given, with a constant or with another result, and all may be written to."""
    x, fixed = gl.input("x", (2, 3)), gl.constant(np.ones((2, 3)))
    nodes = [x, x.T, gl.reshape(x, (6,)), x[0], x[:, ::2], gl.broadcast_to(x, (4, 2, 3)), fixed, fixed.T, x + 0.0]
    given = np.arange(6.0).reshape(2, 3)
    function = gl.compile(nodes, backend=backend)
    before = [np.array(found) for found in function(x=given)]
    results = function(x=given)
    for k, found in enumerate(results):
        assert found.flags.writeable and not np.shares_memory(found, given)
        assert not any(np.shares_memory(found, other) for other in results[:k])
        found[...] = -7
    for found, wanted in zip(function(x=given), before, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_a_maximum_over_no_rows_is_refused():
    x = gl.input("x", ("n", 2))
    with pytest.raises(ShapeError, match="'n'"):
        compiled([gl.max(x, 0)])({x: np.zeros((0, 2))}, {"n": 0})


def test_an_op_without_a_row_names_the_backend_that_has_it():
    odd = Op("odd_one", "intrinsic", lambda types: types[0], Notation("{0}", "{0}", CALL), reference=np.cbrt)
    x = new_node(INPUT, (), (), ArrayType((3,)), "x", "")
    node = new_node(odd, (x,), (), ArrayType((3,)), "", "")
    with pytest.raises(UnsupportedOp, match=r"odd_one.*numpy"):
        compiled([node])


@pytest.mark.parametrize("length", [30, 500])
def test_a_long_scalar_chain_and_its_gradient(length):
    x = gl.input("x")
    node: Node = x
    for k in range(length):
        node = gl.sin(node) * 1.01 + 0.1 if k % 3 else node * node * 0.3 + x
    outputs = [node, differentiate(node, [x], record=False).gradients[x]]
    got = compiled(outputs)({x: 0.7}, {})
    for g, w in zip(got, evaluate(outputs, {x: 0.7}), strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-6)


def test_calls_from_several_threads_do_not_meet():
    x = gl.input("x", ("n", 8))
    function = compiled([gl.sum(gl.softmax(x @ gl.transpose(x)) @ gl.tanh(x), 1)])
    generator = np.random.default_rng(1)
    batches = [generator.normal(size=(50 + k, 8)) for k in range(8)]
    wanted = [function({x: b}, {"n": len(b)})[0] for b in batches]
    wrong = []

    def work(k):
        for _ in range(30):
            if not np.array_equal(function({x: batches[k]}, {"n": len(batches[k])})[0], wanted[k]):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
