"""Law: for any graph, shared nodes and all, the gradient is the central difference; and rewriting keeps values."""

import numpy as np
import pytest

from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.calculus.reverse import differentiate
from graphlearn.calculus.simplify import rewrite_graph
from graphlearn.graph.leaves import INPUT
from graphlearn.graph.node import new_node
from graphlearn.graph.rewrite import substitute
from graphlearn.graph.traverse import consumers, topological
from graphlearn.ops.reductions import sum_
from graphlearn.teach.check import check_grad
from tests.laws.random_graphs import SIZES, random_graph

SEEDS = range(40)


def value_along(graph, shift):
    return float(evaluate(graph.output, {x: a + shift * graph.at[x] for x, a in graph.at.items()}, sizes=SIZES))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_gradient_of_a_random_graph_is_the_central_difference(seed):
    graph = random_graph(seed)
    report = check_grad(graph.output, graph.wrt, at=graph.at)
    assert report.ok, str(report)


@pytest.mark.parametrize("seed", SEEDS)
def test_recorded_steps_change_no_gradient_and_account_for_every_share(seed):
    graph = random_graph(seed)
    plain = differentiate(graph.output, graph.wrt, record=False)
    trace = differentiate(graph.output, graph.wrt)
    assert trace.gradients == plain.gradients
    assert trace.adjoints == plain.adjoints
    assert not plain.steps
    for node, adjoint in trace.adjoints.items():
        last = [step.result for step in trace.steps if step.node is node][-1]
        assert last is adjoint or last.dtype != adjoint.dtype


@pytest.mark.parametrize("seed", SEEDS[:12])
def test_the_second_derivative_of_a_random_graph_is_symmetric(seed):
    graph = random_graph(seed, 12)
    one, two = graph.wrt[0], graph.wrt[1]
    first = differentiate(graph.output, [one, two], disconnected="zero", record=False).gradients
    u, v = (new_node(INPUT, (), (), w.type, name, "") for w, name in ((one, "u"), (two, "v")))
    values = np.random.Generator(np.random.Philox(seed))
    at = {**graph.at, u: values.standard_normal(graph.at[one].shape), v: values.standard_normal(graph.at[two].shape)}
    by_one = differentiate(sum_(first[one] * u), [two], disconnected="zero").gradients[two]
    by_two = differentiate(sum_(first[two] * v), [one], disconnected="zero").gradients[one]
    left, right = evaluate([sum_(by_one * v), sum_(by_two * u)], at, sizes=SIZES)
    assert left == pytest.approx(right, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_simplifying_a_gradient_keeps_its_value_and_type(seed):
    graph = random_graph(seed)
    gradients = [*differentiate(graph.output, graph.wrt, record=False).gradients.values()]
    simplified = [rewrite_graph(gradients).mapping[g] for g in gradients]
    assert [(g.shape, g.dtype) for g in simplified] == [(g.shape, g.dtype) for g in gradients]
    for before, after in zip(
        evaluate(gradients, graph.at, sizes=SIZES), evaluate(simplified, graph.at, sizes=SIZES), strict=True
    ):
        np.testing.assert_allclose(after, before, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("seed", SEEDS[:10])
def test_substituting_the_leaves_and_back_is_the_same_graph(seed):
    graph = random_graph(seed)
    there = {x: new_node(INPUT, (), (), x.type, f"other{k}", "") for k, x in enumerate(graph.wrt)}
    moved = substitute([graph.output], there)[graph.output]
    assert substitute([moved], {y: x for x, y in there.items()})[moved] is graph.output


def test_the_generator_makes_what_it_promises():
    graphs = [random_graph(seed) for seed in SEEDS]
    orders = [topological([g.output]) for g in graphs]
    shared = [sum(len(uses) > 1 for uses in consumers(order).values()) for order in orders]
    assert min(shared) >= 5
    used = {node.op.name for order in orders for node in order}
    assert used >= {"matmul", "sum", "mean", "max", "softmax", "logsumexp", "transpose", "where", "broadcast_to", "div"}
    assert any(node.type.axis_names for order in orders for node in order)
    again = random_graph(3)
    assert value_along(again, 0.0) == value_along(graphs[3], 0.0)
    assert value_along(again, 0.1) != value_along(again, 0.0)
