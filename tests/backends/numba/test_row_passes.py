"""Loops over the same rows in one pass, on lanes and row by row, beside the reference."""

from __future__ import annotations

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.backends.native import lanes_for
from graphlearn.graph.traverse import leaves
from graphlearn.program.steps import FusedLoop, MatMul, RowPass

BOUND = {"float32": 2e-5, "float64": 1e-13}


def cross_entropy(z, b, t):
    loss = gl.losses.cross_entropy(z + b, t)
    return [loss, gl.grad(loss, z), gl.grad(loss, b)]


def softmax(z, b, t):
    p = gl.softmax(z * b)
    return [p, gl.max(p, 1), gl.sum(p * gl.log(p + 1e-3), 1)]


def layer_norm(z, b, t):
    centred = z - gl.mean(z, 1, keepdims=True)
    y = centred / gl.sqrt(gl.mean(centred**2, 1, keepdims=True) + 1e-5) * b
    loss = gl.sum(gl.sin(y))
    return [y, gl.grad(loss, z), gl.grad(loss, b)]


def scaled(z, b, t):
    y = gl.where(z > b, z / gl.sqrt(gl.sum(z * z, 1, keepdims=True) + 1.0), b)
    return [y, gl.mean(y, 0), gl.grad(gl.sum(y * y), z)]


def picked(z, b, t):
    """Whole numbers and truths of each row."""
    largest = gl.max(z, 1, keepdims=True)
    return [gl.sum(gl.where(z == largest, z - b, 0.0), 1), gl.where(t > 1, gl.sum(z, 1), 0.0)]


GRAPHS = {f.__name__: f for f in (cross_entropy, softmax, layer_norm, scaled, picked)}


def graph(name, width):
    z, b, t = gl.input("z", ("N", width)), gl.input("b", (width,)), gl.input("t", ("N",), dtype="int64")
    return GRAPHS[name](z, b, t)


def data(width, rows, seed=0):
    random = np.random.default_rng(seed)
    return {
        "z": 3 * random.normal(size=(rows, width)),
        "b": random.normal(size=width),
        "t": random.integers(0, width, rows),
    }


def both(outputs, values, precision):
    function = gl.compile(outputs, precision=precision)
    taken = {leaf.name: values[leaf.name] for leaf in leaves(outputs)}
    return function, function(**taken), gl.compile(outputs, backend="numpy")(**taken)


def agree(got, wanted, precision):
    for one, other in zip(got, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=BOUND[precision] * max(np.abs(other).max(), 1))


def passes_of(program):
    return [step for step in program.steps if isinstance(step, RowPass)]


@pytest.mark.parametrize("precision", BOUND)
@pytest.mark.parametrize("width", [2, 3, 10, 16, 17, 40])
@pytest.mark.parametrize("name", GRAPHS)
def test_a_pass_gives_what_the_reference_gives(name, width, precision):
    outputs = graph(name, width)
    for rows in (1, 2 * lanes_for(precision), 2 * lanes_for(precision) + 3):
        function, got, wanted = both(outputs, data(width, rows), precision)
        agree(got, wanted, precision)
    found = passes_of(function.program)
    if name != "picked":
        assert [step.lanes for step in found] == [lanes_for(precision)]
        assert f"{lanes_for(precision)} at a time" in function.program.describe()


def test_class_numbers_and_the_largest_entry_of_each_row_are_one_pass():
    function, _, _ = both(graph("picked", 10), data(10, 40), "float32")
    assert len(passes_of(function.program)) == 1


def test_a_long_row_is_done_alone():
    outputs = graph("softmax", 3000)
    function, got, wanted = both(outputs, data(3000, 5), "float64")
    agree(got, wanted, "float64")
    (step,) = passes_of(function.program)
    assert step.lanes == 0
    assert "1 at a time" in function.program.describe()


def test_rows_of_several_axes_are_done_one_by_one_where_they_are_long():
    x = gl.input("x", ("B", 3, 80))
    y = gl.softmax(x, axis=2)
    random = np.random.default_rng(1).normal(size=(4, 3, 80))
    function = gl.compile([y], precision="float64")
    np.testing.assert_allclose(function(x=random)[0], gl.evaluate(y, {x: random}), rtol=1e-13)
    (step,) = passes_of(function.program)
    assert (step.axes, step.lanes) == (("B", 3), 0)


def test_sums_over_many_rows_lose_no_digits():
    """A running sum of 200,000 terms in float32 would lose three digits."""
    z, t = gl.input("z", ("N", 3)), gl.input("t", ("N",), dtype="int64")
    loss = gl.losses.cross_entropy(z, t)
    random = np.random.default_rng(2)
    values = {"z": random.normal(size=(200_003, 3)), "t": random.integers(0, 3, 200_003)}
    got = gl.compile(loss, precision="float32")(**values)
    assert abs(got / gl.compile(loss, backend="numpy", precision="float64")(**values) - 1) < 1e-6


def test_infinite_logits_stay_right():
    z = gl.input("z", ("N", 4))
    values = np.zeros((20, 4))
    values[3, 1], values[17, 2], values[18] = np.inf, -np.inf, [np.inf, np.inf, 0, np.nan]
    for precision in BOUND:
        got = gl.compile([gl.softmax(z), gl.log_softmax(z)], precision=precision)(z=values)
        wanted = gl.compile([gl.softmax(z), gl.log_softmax(z)], backend="numpy", precision=precision)(z=values)
        for one, other in zip(got, wanted, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5)


@pytest.mark.parametrize("precision", BOUND)
def test_a_row_that_is_written_in_part_keeps_its_zeros(precision):
    """The derivative of a slice: zeros are there before the pass that writes the rest."""
    y, e = gl.input("y", ("N", 3)), gl.input("e", ("N", 1))
    loss = gl.mean(gl.tanh(gl.maximum(y, e))) + gl.mean(gl.tanh(y[:, 0:1]))
    function = gl.compile(gl.grad(loss, y), precision=precision)
    random = np.random.default_rng(5)
    for rows in (16, 40):
        values = {"y": random.normal(size=(rows, 3)), "e": random.normal(size=(rows, 1))}
        zeros = (values["y"] < values["e"])[:, 1:]
        assert zeros.any()
        assert not function(**values)[:, 1:][zeros].any()


@pytest.mark.parametrize("precision", BOUND)
def test_a_maximum_along_inner_axes_begins_anew_in_rows_that_fill_no_vector(precision):
    x = gl.input("x", ("N", 6, 6, 2))
    pooled = gl.sum(gl.max_pool2d(gl.tanh(x) - gl.mean(x, (1, 2, 3), keepdims=True), 2), 3)
    function = gl.compile(pooled, precision=precision)
    values = np.random.default_rng(6).normal(size=(2 * lanes_for(precision) + 5, 6, 6, 2))
    for rows in (len(values), 3, 1):
        for _ in range(2):  # the second call finds what the first has left in memory
            agree([function(x=values[:rows])], [gl.evaluate(pooled, {x: values[:rows]})], precision)


# --- trainings -------------------------------------------------------------------------------------------------------


def trained(rows, batch, precision, backend="numba", classes=10):
    x, t = gl.input("x", ("batch", 40)), gl.input("t", ("batch",), dtype="int64")
    z = gl.nn.MLP([40, 48, classes], activation="tanh")(x)
    model = gl.Model(z, loss=gl.losses.cross_entropy(z, t), precision=precision)
    random = np.random.default_rng(0)
    values = {"x": random.normal(size=(rows, 40)), "t": random.integers(0, classes, rows)}
    model.fit(values, optimizer=gl.optim.SGD(0.1), epochs=2, batch_size=batch, backend=backend, progress=False)
    return model


@pytest.mark.parametrize("precision", BOUND)
@pytest.mark.parametrize(("rows", "batch"), [(64, 32), (70, 32), (67, 20), (53, None), (30, 7)])
def test_a_training_with_batches_of_any_length(rows, batch, precision):
    one, other = trained(rows, batch, precision), trained(rows, batch, "float64", "numpy")
    for name, value in one.values.items():
        scale = np.abs(other.values[name]).max()
        np.testing.assert_allclose(value, other.values[name], rtol=0, atol=BOUND[precision] * scale, err_msg=name)
    program = one._trainer._latest[2].program
    lanes = lanes_for(precision) if (batch or rows) >= lanes_for(precision) else 0
    assert [step.lanes for step in passes_of(program)] == ([lanes] if lanes else [])


def test_softmax_cross_entropy_and_its_derivative_are_one_pass():
    program = trained(64, 32, "float32")._trainer._latest[2].program
    (step,) = passes_of(program)
    made = {program.names.get(node, node.op.name) for node in step.nodes}
    assert {"max", "exp", "log"} <= made
    assert any(name.startswith("d_") for name in made)
    others = [s for s in program.steps if isinstance(s, FusedLoop) and s.axes and s.axes[0] == 32]
    assert not [s for s in others if "exp" in {n.op.name for n in s.nodes}]


def test_the_scalar_text_takes_row_after_row():
    source = trained(64, 32, "float32").source
    first, second = source.split("# What runs", 1)
    assert "forward and backward in one pass" in first
    assert "x16" not in first.split("def train_scalar")[1]
    assert f"turn_f32x{lanes_for('float32')}" in second


def test_steps_stand_in_the_order_of_their_sections():
    program = trained(64, 32, "float32")._trainer._latest[2].program
    order = [program.sections.index(name) for name in ("forward", "backward", "update")]
    assert order == sorted(order)
    products = [s for s in program.steps if isinstance(s, MatMul)]
    forward = [name for s, name in zip(program.steps, program.sections, strict=True) if s in products]
    assert forward == sorted(forward, key=("forward", "backward", "update").index)
    gone = [k for k, name in enumerate(program.sections) if name == "update"]
    assert gone == [*range(gone[0], len(program.steps))]


def test_rows_are_predicted_the_same_whichever_others_are_with_them():
    x = gl.input("x", ("N", 12))
    p = gl.softmax(gl.nn.MLP([12, 20, 5], activation="relu")(x))
    model = gl.Model(p, seed=1)
    rows = np.random.default_rng(3).normal(size=(50, 12))
    whole = model.predict({"x": rows})
    np.testing.assert_allclose(model.predict({"x": rows}, batch_size=7), whole, rtol=1e-6)


# --- in place --------------------------------------------------------------------------------------------------------


def test_what_dies_in_a_loop_is_written_over():
    x = gl.input("x", ("N", 3))  # rows that fill no vector: their products are the library's
    hidden = x
    for k in range(4):
        hidden = gl.tanh(hidden @ gl.parameter(f"W{k}", (3, 3)) + gl.parameter(f"b{k}", (3,)))
    program = gl.compile(hidden).program
    values = [b for b in program.buffers if b.role == "value" and b.slot]
    assert len({b.slot for b in values}) == 2  # the product that is read and the one that is written, none beside
