"""Simplification: every rule keeps value and type, is recorded, and reads shorter."""

import numpy as np
import pytest

from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.calculus.gradient import grad
from graphlearn.calculus.reverse import differentiate
from graphlearn.calculus.simplify import rewrite_graph, simplify
from graphlearn.errors import OptionError
from graphlearn.graph.leaves import constant, input, parameter, typed_constant
from graphlearn.graph.scope import scope
from graphlearn.graph.traverse import topological
from graphlearn.ops.algebra import GRAPH
from graphlearn.ops.normalised import log_softmax, softmax, softmax_cross_entropy
from graphlearn.ops.reductions import mean, sum_
from graphlearn.ops.shape import axis_size, reshape

x, y = input("x"), input("y")
m = input("m", (2, 3))


def test_stabilising_rules_alone_leave_what_is_only_shorter():
    assert not rewrite_graph([(x / 4.0) * y + x * y], kinds=("stabilising",)).rewrites
    assert [r.rule for r in rewrite_graph([GRAPH.log(1 + x) * 1.0], kinds=("stabilising",)).rewrites] == [
        "log1p",
        "times_one",
    ]


def test_no_rule_sees_what_a_kept_node_is_made_of():
    p = GRAPH.sigmoid(x).named("p")
    assert simplify(1 - p) is GRAPH.sigmoid(-x)
    assert rewrite_graph([1 - p], keep=[p]).mapping[1 - p] is 1 - p
    square = x * x
    assert rewrite_graph([square + (1.0 * x) * x], keep=[square]).mapping[square + (1.0 * x) * x] is 2.0 * square


def test_whole_numbers_keep_their_range():
    """0 - 200 is 56 among bytes, and 2**62 * 4 is 0: what holds for real numbers need not hold for whole ones."""
    byte = input("byte", (), "uint8")
    for node in (
        GRAPH.cos(-byte),
        sum_(reshape(-byte, 1)),
        GRAPH.exp(byte) * GRAPH.exp(byte),
        1 / (1 + GRAPH.exp(-byte)),
    ):
        short = simplify(node)
        assert evaluate(short, {byte: 200}) == evaluate(node, {byte: 200})


def test_nodes_that_are_kept_stay():
    kept = x * 1.0
    assert rewrite_graph([kept + 0.0], keep=[kept]).mapping[kept] is kept
    assert rewrite_graph([GRAPH.sin(kept)], keep=[kept]).mapping[GRAPH.sin(kept)] is GRAPH.sin(kept)


def test_a_name_and_its_scope_survive_the_nodes_simplification():
    with scope("layer"):
        named = (x * y + 0.0).named("h")
    assert simplify(named).full_name == "layer/h"


def test_softmax_and_cross_entropy_come_to_prediction_minus_target():
    z, t = input("z", ("N", 3)), softmax(input("s", ("N", 3)))
    p = softmax(z)
    assert simplify(grad(-sum_(t * GRAPH.log(p)), z)) is p - t
    assert simplify(grad(sum_(-t * log_softmax(z)), z)) is p - t
    assert simplify(grad(-mean(sum_(t * GRAPH.log(p), 1)), z)) is (p - t) / axis_size("N")
    free = input("free", ("N", 3))  # targets that need not sum to 1
    weighted = sum_(free, -1, keepdims=True)
    assert simplify(grad(-sum_(free * GRAPH.log(p)), z)) is p * weighted - free


def test_affine_maps_collapse_only_where_that_is_smaller_and_needs_no_data():
    data = input("data", ("N", 10))
    narrow, wide = parameter("narrow", (10, 2)), parameter("wide", (2, 10))
    assert simplify(data @ narrow @ wide) is data @ narrow @ wide
    assert simplify(data @ (narrow @ wide) @ narrow) is data @ (narrow @ wide @ narrow)
    other = input("other", (2, 2))
    assert simplify(data @ narrow @ other) is data @ narrow @ other


def test_an_unknown_kind_is_refused():
    with pytest.raises(OptionError, match="each of kinds needs one of exact, stabilising; got 'brave'"):
        simplify(x, kinds=("brave",))


def test_nan_and_overflow_are_not_folded_away():
    assert simplify(constant(0.0) / 0.0).op.name == "div"
    assert simplify(GRAPH.exp(constant(1e4))).op.name == "exp"


def test_the_gradient_of_a_square_reads_as_in_the_book():
    gradient = differentiate(sum_((m - 1.0) ** 2), [m]).gradients[m]
    short = simplify(gradient)
    assert len(topological([short])) < len(topological([gradient]))
    at = {m: np.arange(6.0).reshape(2, 3)}
    np.testing.assert_array_equal(evaluate(short, at), 2 * (at[m] - 1))


@pytest.mark.parametrize(
    "build",
    [
        lambda a, b, z: a @ (b * -0.5),
        lambda a, b, z: (a @ b) * 1.0 + a @ (b / z),
        lambda a, b, z: a * z + b * z,
        lambda a, b, z: a / z + b / z,
        lambda a, b, z: a @ z + b @ z,
    ],
)
def test_truths_are_not_added_before_they_are_numbers(build):
    a, b, z = input("a", (2, 2), "bool"), input("b", (2, 2), "bool"), input("z", (2, 2))
    ones = np.ones((2, 2), bool)
    at = {a: ones, b: ones, z: np.array([[0.5, -1.5], [2.0, 3.0]])}
    node = build(a, b, z)
    np.testing.assert_allclose(evaluate(simplify(node), at), evaluate(node, at), rtol=1e-15)


def test_an_array_of_one_number_is_that_number():
    """What a folded reshape or NumPy's ones and zeros come to, however many entries they have."""
    v = input("v", 3)
    for node in (v * np.ones(1), v * np.ones(3), v + np.zeros(3), v - np.zeros(1), v ** np.ones(1), v / np.ones(3)):
        assert simplify(node) is v
    assert simplify(v * np.zeros(3)) is simplify(v * 0.0)
    assert simplify(x * np.ones((2, 3))).inputs == (x,)  # repeated, since the shape stays
    assert simplify(v * np.array([1.0, 1.0, 2.0])).op.name == "mul"
    assert simplify(constant([2.0, 2.0]) * constant([3.0, 3.0])).inputs == (typed_constant(6.0, "float64"),)


def test_the_gradient_of_one_row_of_logits_is_prediction_minus_target():
    z, t = input("z", 3), input("t", 3)
    assert simplify(grad(softmax_cross_entropy(z, t, normalized=True), z)) is softmax(z) - t
