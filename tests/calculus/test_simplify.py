"""Simplification: every rule keeps value and type, is recorded, and reads shorter."""

import numpy as np
import pytest

from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.calculus.reverse import differentiate
from graphlearn.calculus.rules import RULES
from graphlearn.calculus.simplify import rewrite_graph, simplify
from graphlearn.graph.leaves import constant, input
from graphlearn.graph.node import apply
from graphlearn.graph.traverse import topological
from graphlearn.ops.algebra import GRAPH
from graphlearn.ops.normalised import log_softmax, softmax
from graphlearn.ops.reductions import sum_
from graphlearn.ops.shape import broadcast_to, reshape, transpose

x, y = input("x"), input("y")
m = input("m", (2, 3))

# rule -> (before, after)
EXAMPLES = {
    "fold": (x * (constant(2.0) * 3.0), x * 6.0),
    "implicit_broadcast": (m * broadcast_to(x, (2, 3)), m * x),
    "times_one": (m * 1.0, m),
    "times_zero": (x * (y * 0.0), None),
    "plus_zero": (x + 0.0, x),
    "signs": (apply("neg", -x), x),
    "over_one": (x / 1.0, x),
    "numbers": ((m * 0.5) * (4.0 * x), 2.0 * (m * x)),
    "like_terms": (m * x + 2.0 * (m * x), 3.0 * (m * x)),
    "cancel": (x * (y / x), y),
    "common_divisor": ((x / 4.0) * y, x * y / 4.0),
    "nested_quotient": (x / 2.0 / y, x / (2.0 * y)),
    "power_one": (x**1, x),
    "double_transpose": (transpose(transpose(m)), m),
    "double_reshape": (reshape(reshape(m, 6), (3, 2)), reshape(m, (3, 2))),
    "reshaped_number": (reshape(broadcast_to(x, (2, 3)), 6), broadcast_to(x, 6)),
    "double_broadcast": (
        broadcast_to(broadcast_to(x, (2, 3)), (4, 2, 3)),
        broadcast_to(x, (4, 2, 3)),
    ),
    "same_branches": (apply("where", x > 0, y, y), y),
    "log_softmax": (GRAPH.log(softmax(m)), log_softmax(m)),
    "log_sigmoid": (GRAPH.log(GRAPH.sigmoid(x)), GRAPH.log_sigmoid(x)),
    "softplus": (GRAPH.log(1 + GRAPH.exp(x)), GRAPH.softplus(x)),
}


@pytest.mark.parametrize("rule", [rule.name for rule in RULES])
def test_every_rule_does_what_it_says_and_is_recorded(rule):
    assert rule in EXAMPLES, "a new rule needs an example in this table"
    before, after = EXAMPLES[rule]
    found = rewrite_graph([before])
    assert rule in [rewrite.rule for rewrite in found.rewrites]
    new = found.mapping[before]
    if after is not None:
        assert new is after
    assert (new.shape, new.dtype) == (before.shape, before.dtype)
    at = {x: 0.7, y: 1.3, m: np.arange(6.0).reshape(2, 3)}
    np.testing.assert_allclose(evaluate(new, at), evaluate(before, at), rtol=1e-14)
    assert simplify(new) is new


def test_stabilising_rules_alone_change_no_shape_of_a_sum():
    kinds = {rule.name: rule.kind for rule in RULES}
    assert set(kinds.values()) == {"exact", "stabilising"}
    found = rewrite_graph([(x / 4.0) * y], kinds=("stabilising",))
    assert not found.rewrites


def test_stabilising_rules_are_finite_where_the_formula_is_not():
    for z in (1e3, -1e3):
        values = {name: evaluate(EXAMPLES[name][1], {x: z}) for name in ("log_sigmoid", "softplus")}
        assert values == {"log_sigmoid": min(z, 0.0), "softplus": max(z, 0.0)}
    rows = {m: [[1e4, 0.0, -1e4], [0.0, 0.0, 0.0]]}
    assert np.isinf(evaluate(EXAMPLES["log_softmax"][0], rows)).any()
    np.testing.assert_allclose(evaluate(EXAMPLES["log_softmax"][1], rows), [[0, -1e4, -2e4], [-np.log(3)] * 3])


def test_nodes_that_are_kept_stay():
    kept = x * 1.0
    assert rewrite_graph([kept + 0.0], keep=[kept]).mapping[kept] is kept
    assert rewrite_graph([GRAPH.sin(kept)], keep=[kept]).mapping[GRAPH.sin(kept)] is GRAPH.sin(kept)


def test_a_name_survives_its_nodes_simplification():
    named = (x * y + 0.0).named("h")
    assert simplify(named).full_name == "h"


def test_nan_and_overflow_are_not_folded_away():
    assert simplify(constant(0.0) / 0.0).op.name == "div"
    assert simplify(GRAPH.exp(constant(1e4))).op.name == "exp"


def test_the_gradient_of_a_square_reads_as_in_the_book():
    gradient = differentiate(sum_((m - 1.0) ** 2), [m]).gradients[m]
    short = simplify(gradient)
    assert len(topological([short])) < len(topological([gradient]))
    at = {m: np.arange(6.0).reshape(2, 3)}
    np.testing.assert_array_equal(evaluate(short, at), 2 * (at[m] - 1))
