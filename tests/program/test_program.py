"""Programs: expansion, rules, schedule, fusion and the memory plan, without any backend."""

from __future__ import annotations

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.calculus.reverse import differentiate
from graphlearn.graph.leaves import constant_array
from graphlearn.graph.traverse import leaves, topological
from graphlearn.program.build import Batching, build_function, build_training
from graphlearn.program.counts import Count, count, row_major
from graphlearn.program.expand import expand
from graphlearn.program.program import Program
from graphlearn.program.rules import build
from graphlearn.program.steps import FusedLoop, Load, MatMul, arena_of, padded
from graphlearn.program.training import TrainingStep
from graphlearn.program.uses import reads_of, writes_of
from tests.laws.random_graphs import random_graph


def network(*widths: int, optimizer: gl.optim.Optimizer | None = None) -> TrainingStep:
    x, y = gl.input("x", ("batch", widths[0])), gl.input("y", ("batch", widths[-1]))
    loss = gl.losses.mse(gl.nn.MLP(widths[1:], activation="tanh")(x), y)
    updates = (optimizer or gl.optim.SGD(0.1)).updates(loss, leaves([loss], "parameter"))
    return TrainingStep(loss, updates, (x, y), tuple(updates.hyperparameters.values()), "batch")


def trained(step: TrainingStep, rows: int = 32, *, fixed: bool = False, together: bool = False) -> Program:
    return build_training(step, "float32", Batching(rows, fixed, True, {}, together))


# --- lengths ---------------------------------------------------------------------------------------------------------


def test_counts_multiply_what_is_known_and_keep_what_is_free():
    assert count((2, "n", 3)) == Count(6, ("n",))
    assert count((0, "n")) == Count(0)
    assert row_major((2, "n", 3)) == (Count(3, ("n",)), Count(3), Count(1))
    assert count(("n", "n")).value({"n": 5}) == 25


# --- expansion -------------------------------------------------------------------------------------------------------


def test_only_intrinsics_and_structural_ops_remain():
    for seed in range(6):
        graph = random_graph(seed)
        for node in topological(expand([graph.output], "float64", {}).roots):
            assert node.op.kind in ("leaf", "intrinsic", "structural")


def test_precision_lowers_every_float64_but_not_what_is_cast():
    x = gl.input("x", (3,))
    low, kept = expand([gl.exp(x) * 2.0, gl.cast(gl.cast(x, "float32"), "float64")], "float32", {}).roots
    assert (low.dtype, kept.dtype) == ("float32", "float64")


def test_equal_computations_are_one_whatever_their_names():
    x = gl.input("x", (3,))
    with gl.scope("other"):
        again = gl.tanh(x).named("b")
    a, b = expand([gl.tanh(x).named("a"), again], "float64", {}).roots
    assert a is b


def test_names_are_kept_beside_the_graph():
    x = gl.input("x", (3,))
    h = gl.tanh(x).named("h")
    expanded = expand([gl.sum(h)], "float32", {})
    assert h in {old for group in expanded.origin.values() for old in group}


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (lambda x: abs(-x), "abs"),
        (lambda x: -(-x), "input"),  # noqa: B002  # twice on purpose
        (lambda x: x * 1.0, "input"),
        (lambda x: x * -1, "neg"),
        (lambda x: x - 0.0, "input"),
        (lambda x: x + 0.0, "add"),  # -0.0 + 0.0 is 0.0
        (lambda x: x**2, "mul"),
        (lambda x: x**-1, "div"),
        (lambda x: x / 4, "mul"),
        (lambda x: x / 3, "div"),
        (lambda x: gl.transpose(gl.transpose(x)), "input"),
        (lambda x: gl.reshape(gl.reshape(x, (6,)), (2, 3)), "input"),
    ],
)
def test_rules(make, wanted):
    x = gl.input("x", (2, 3))
    (root,) = expand([make(x)], "float64", {}).roots
    assert root.op.name == wanted


def test_constants_are_folded():
    root = build("mul", [gl.constant(3.0), gl.constant(4)])
    assert constant_array(root) == 12


def test_what_is_repeated_is_computed_once_before():
    s, x = gl.input("s"), gl.input("x", (4, 5))
    (root,) = expand([gl.exp(gl.broadcast_to(s, (4, 5))) * x], "float64", {}).roots
    assert [n.shape for n in topological([root]) if n.op.name == "exp"] == [()]


def test_a_relu_mask_reads_the_relu():
    x = gl.input("x", (4,))
    h = gl.relu(x)
    gradient = differentiate(gl.sum(h * h), [x], record=False).gradients[x]
    (root,) = expand([gradient], "float64", {}).roots
    assert all(n.inputs[0].op.name == "maximum" for n in topological([root]) if n.op.name == "greater")


# --- schedule and fusion ---------------------------------------------------------------------------------------------


def test_a_bias_gradient_is_summed_in_the_loop_that_computes_its_terms():
    program = trained(network(8, 16, 4))
    loops = [s for s in program.steps if isinstance(s, FusedLoop)]
    assert any(loop.reductions and loop.stores and loop.reductions[0].kept == (1,) for loop in loops)
    assert sum(isinstance(s, MatMul) for s in program.steps) == 5


def test_every_value_is_written_before_it_is_read():
    for seed in range(12):
        graph = random_graph(seed)
        gradients = differentiate(graph.output, graph.wrt, disconnected="zero", record=False).gradients
        outputs = [graph.output, *gradients.values()]
        program = build_function(outputs, leaves(outputs), "float64")
        known = set(program.given.values()) | set(program.constants)
        for step in program.steps:
            assert set(reads_of(step)) <= known
            known |= set(writes_of(step))
        assert known.issuperset(program.outputs)


def test_the_loss_comes_before_the_first_update():
    program = trained(network(8, 16, 4))
    first = program.sections.index("update")
    assert any(program.loss in writes_of(s) for s in program.steps[:first])
    kept = [b for s in program.steps[:first] for b in writes_of(s) if b.role == "kept"]
    assert not kept


# --- the memory plan -------------------------------------------------------------------------------------------------


def lives(program: Program) -> dict:
    found: dict = {}
    for number, step in enumerate(program.steps):
        for b in (*reads_of(step), *writes_of(step)):
            start, _ = found.get(b, (number, number))
            found[b] = (start, number)
    return found


@pytest.mark.parametrize("together", [False, True])
def test_no_two_living_arrays_overlap(together):
    program = trained(network(64, 128, 64, 10, optimizer=gl.optim.Adam(0.01)), together=together)
    placed = [(b, *life) for b, life in lives(program).items() if b.slot is not None]
    wholes = [b for b, *_ in placed if "_to_" in b.name]
    assert bool(wholes) == together
    for i, (a, a_from, a_to) in enumerate(placed):
        for b, b_from, b_to in placed[:i]:
            apart = a_to < b_from or b_to < a_from
            if a.role == b.role == "value" and apart:
                continue
            if a in wholes or b in wholes or arena_of(a.dtype) != arena_of(b.dtype):
                continue
            assert a.start + size(a, program) <= b.start or b.start + size(b, program) <= a.start, (a.name, b.name)


def size(buffer, program):
    return buffer.count.value(program.capacity)


def test_arrays_lie_side_by_side_in_the_same_order():
    program = trained(network(64, 128, 64, 10, optimizer=gl.optim.Adam(0.01)), together=True)
    kept = [b for b in program.buffers if b.role == "kept" and b.count != Count(1)]
    for b in kept:
        assert b.start % (64 // 4) == 0
    loops = [
        s for k, s in zip(program.sections, program.steps, strict=True) if k == "update" and isinstance(s, FusedLoop)
    ]
    assert sum(len(loop.axes) for loop in loops) == 1


def test_what_has_died_makes_room():
    x = gl.input("x", (1000,))
    node = x
    for _ in range(10):
        node = gl.reshape(gl.sin(gl.reshape(node, (10, 100))) @ np.eye(100), (1000,))
    program = build_function([node], [x], "float64")
    scratch = program.arena_sizes()["float64"]
    assert scratch <= 2 * padded(1000, "float64") + padded(100 * 100, "float64")


def test_offsets_are_numbers_where_lengths_are_known():
    program = trained(network(8, 16, 4))
    assert all(slot.offset is not None for slot in program.slots)


def test_describe_lists_buffers_steps_and_bytes():
    text = trained(network(8, 16, 4)).describe()
    assert text.splitlines()[-1].startswith("in all: ") and text.endswith(" bytes")
    assert max(map(len, text.splitlines())) <= 120
    assert "arena:" in text
    assert "MatMul" in text
    assert "flops" in text
    assert "hidden1_W" in text


def test_a_deep_graph_is_planned_without_recursion():
    x = gl.input("x")
    node = x
    for _ in range(20_000):
        node = gl.sin(node) + x
    program = build_function([node], [x], "float64")
    (loop,) = program.steps
    assert isinstance(loop, FusedLoop)
    assert sum(isinstance(v, Load) for v in loop.body) == 1


def test_a_listing_fits_its_columns_whatever_the_names():
    x = gl.input("x", ("batch", 2))
    with gl.scope("a_scope_with_a_name_that_is_longer_than_one_would_like_it_to_be"):
        y = gl.nn.MLP([40, 40, 1])(x)
    text = gl.compile(y).program.describe()
    assert max(map(len, text.splitlines())) <= 120
    assert text.endswith("arena: as large as the call needs")
    assert gl.compile(gl.input("z", (3,)) * 2.0).program.describe().endswith("3 operations on numbers; no arena")


@pytest.mark.parametrize("sizes", [[64, 64, 128, 64, 10], [32] * 6 + [3], [40, 40, 40]])
@pytest.mark.parametrize("optimizer", [gl.optim.Adam, gl.optim.Momentum])
def test_all_parameters_are_updated_in_one_pass_whichever_shapes_they_share(sizes, optimizer):
    x, t = gl.input("x", ("batch", sizes[0])), gl.input("t", ("batch", sizes[-1]))
    output = gl.nn.MLP(sizes, activation="tanh")(x)
    model = gl.Model(output, loss=gl.losses.mse(output, t))
    data = {"x": np.ones((64, sizes[0])), "t": np.ones((64, sizes[-1]))}
    model.fit(data, optimizer=optimizer(0.01), epochs=1, batch_size=64, progress=False)
    lines = [line for line in model.describe().splitlines() if line.startswith("update")]
    assert len([line for line in lines if "hidden1/W" in line]) == 1
    assert not [line for line in lines if "output/b" in line or "hidden1/b" in line]
