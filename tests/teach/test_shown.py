"""What gets a row: named nodes, what is used twice, and what has an adjoint of its own; all else is inlined."""

import pytest

from graphlearn.graph.leaves import constant, input, parameter
from graphlearn.graph.names import Names
from graphlearn.graph.traverse import consumers, topological
from graphlearn.learn.losses import binary_cross_entropy, cross_entropy
from graphlearn.ops.algebra import GRAPH
from graphlearn.ops.linear import matmul
from graphlearn.ops.reductions import mean, sum_
from graphlearn.ops.shape import axis_size
from graphlearn.teach.shown import choose_shown, open_operations, plain_numbers, reading_adjoints
from tests.laws.random_graphs import random_graph

x, t = input("x", ("batch", 2)), input("t", ("batch", 1))
labels = input("labels", ("batch",), "int64")
w, b, W = parameter("w", (2, 1)), parameter("b", (1,)), parameter("W", (2, 3))


def shown(*roots, **options):
    return choose_shown(roots, Names(roots), reading_adjoints(roots), **options)


def names(*roots, **options):
    """The names of what is shown, leaves apart."""
    found = shown(*roots, **options)
    return [found.names[node] for node in found.nodes if not node.is_leaf]


def test_leaves_and_named_nodes_have_a_row_and_what_stands_between_has_none():
    z = (matmul(x, w) + b).named("z")
    L = mean(GRAPH.square(GRAPH.tanh(z).named("h"))).named("L")
    assert names(L) == ["z", "h", "L"]
    assert [n.name for n in shown(L).nodes if n.is_leaf] == ["x", "w", "b"]


def test_what_is_used_twice_has_a_row():
    u = GRAPH.tanh(matmul(x, w))
    assert names(sum_(u * u).named("L")) == ["t1", "t2", "L"]
    assert names(sum_(u).named("L")) == ["t1", "L"], "the product's adjoint is not that of what uses it"


def test_what_has_an_adjoint_of_its_own_has_a_row():
    """In b·w + 1 the product's adjoint is that of the sum; in tanh(b·w) it is another one."""
    one, two = parameter("one", ()), parameter("two", ())
    assert names((one * two + 1).named("L")) == ["L"]
    assert names(GRAPH.exp(GRAPH.tanh(one * two) * 3).named("L")) == ["t1", "t2", "t3", "L"]


def test_a_long_sum_is_cut_by_a_name():
    total = parameter("p0", ())
    for k in range(1, 20):
        total = total + parameter(f"p{k}", ())
    cut = names(total.named("L"))
    assert cut[-1] == "L"
    assert 2 <= len(cut) <= 4


def test_constants_and_lengths_have_no_row_unless_they_are_named():
    two = constant(2.0).named("two")
    found = shown((sum_(x) * two * 3.0 / axis_size("batch")).named("L"))
    assert "two" in found.names.values()
    assert not any(node.op.name == "axis_size" for node in found.nodes)
    assert sum(node.op.name == "constant" for node in found.nodes) == 1


def test_a_loss_is_opened_to_its_probability_which_has_a_free_name():
    z = (matmul(x, w) + b).named("z")
    found = shown(binary_cross_entropy(z, t).named("L"))
    assert [found.names[n] for n in found.nodes if not n.is_leaf] == ["z", "p", "L"]
    ((op, opening),) = found.openings.items()
    assert op.op.name == "binary_cross_entropy"
    assert found.names[opening.inner] == "p"
    p = parameter("p", ())
    taken = shown(binary_cross_entropy((z * p).named("y"), t).named("L"))
    assert [taken.names[n] for n in taken.nodes if not n.is_leaf] == ["z", "y", "p2", "L"]


def test_a_users_own_node_for_the_same_probability_is_that_node():
    z = (matmul(x, w) + b).named("z")
    chance = GRAPH.sigmoid(z).named("chance")
    found = shown(binary_cross_entropy(z, t).named("L"), chance)
    assert list(found.names.values()).count("p") == 0
    loss = shown(binary_cross_entropy(z, t).named("L") + 0 * sum_(chance > 0.5))
    (opening,) = loss.openings.values()
    assert loss.names[opening.inner] == "chance"


def test_a_probability_with_an_adjoint_of_its_own_is_not_opened_again():
    z = (matmul(x, w) + b).named("z")
    chance = GRAPH.sigmoid(z).named("chance")
    assert not shown((binary_cross_entropy(z, t) + mean(chance)).named("L")).openings


def test_the_one_hot_rows_of_an_opened_loss_have_a_row():
    z = matmul(x, W).named("z")
    found = shown(cross_entropy(z, labels).named("L"))
    one_hot = next(n for n in topological(found.nodes) if n.op.name == "cross_entropy").inputs[1]
    assert one_hot in found.nodes
    assert one_hot.shape == ("batch", 3)


def test_two_losses_open_to_two_names():
    z, y = (matmul(x, w) + b).named("z"), (matmul(x, w) - b).named("y")
    found = shown((binary_cross_entropy(z, t) + binary_cross_entropy(y, t)).named("L"))
    assert sorted(found.names[o.inner] for o in found.openings.values()) == ["p", "p2"]


def test_every_operation_is_shown_on_demand_and_nothing_is_opened():
    z = matmul(x, w) + b
    L = binary_cross_entropy(z, t).named("L")
    assert not shown(L, every=True).openings
    assert not shown(L, opened=False).openings
    every = set(shown(L, every=True).nodes)
    assert every == {n for n in topological([L]) if n.op.name not in ("constant", "axis_size")}


@pytest.mark.parametrize("seed", range(8))
def test_what_is_inlined_is_used_once_and_what_is_shown_is_in_order(seed):
    graph = random_graph(seed)
    found = shown(graph.output)
    order = topological([graph.output])
    uses = consumers(order)
    visible = set(found.nodes)
    place = {node: k for k, node in enumerate(order)}
    for node in order:
        if node not in visible and node.op.name not in ("constant", "axis_size"):
            assert len(uses[node]) == 1
            assert not node.full_name
            assert not node.is_leaf
    inside = [place[node] for node in found.nodes if node in place]
    assert inside == sorted(inside)
    assert len(set(found.names.values())) == len(found.nodes)
    assert set(found.names) == visible


def test_numbers_are_plain_where_only_constants_and_lengths_make_them():
    a = parameter("a", ())
    plain, not_plain = 1 / (axis_size("batch") * constant(2.0)), a * 2.0
    assert plain in plain_numbers([plain, not_plain])
    assert not_plain not in plain_numbers([plain, not_plain])


def test_only_what_has_a_textbook_form_opens():
    z = matmul(x, w)
    order = topological([binary_cross_entropy(z, t), GRAPH.tanh(z)])
    assert [node.op.name for node in open_operations(order)] == ["binary_cross_entropy"]
