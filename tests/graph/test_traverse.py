"""Walks and rewriting."""

from graphlearn.graph.leaves import constant, input, parameter, state
from graphlearn.graph.rewrite import rewrite, substitute
from graphlearn.graph.traverse import consumers, depends_on_axis, influenced, leaves, symbols, topological
from graphlearn.ops.algebra import GRAPH

x, w = input("x"), parameter("w", ())
product = w * x
h = GRAPH.tanh(product)
output = h * product + h


def test_inputs_come_before_what_uses_them_each_once():
    order = topological([output])
    assert len(order) == len(set(order))
    assert all(order.index(source) < order.index(node) for node in order for source in node.inputs)
    assert order[0] is w and order[-1] is output
    assert topological([output]) == order
    assert topological([x, output, x])[0] is x
    assert topological([]) == []


def test_influence_goes_upwards_only():
    order = topological([output])
    assert influenced(order, [x]) == {x, product, h, h * product, output}
    assert influenced(order, [h]) == {h, h * product, output}
    assert influenced(order, []) == set()


def test_consumers_know_the_argument():
    uses = consumers(topological([product * product]))
    assert uses[product] == [(product * product, 0), (product * product, 1)]
    assert uses[product * product] == []


def test_leaves_by_kind():
    s = state("s", (), 0.0)
    node = output + s + constant(2.0)
    assert set(leaves([node])) == {x, w, s}
    assert leaves([node], "parameter") == (w,)
    assert list(symbols(node, x)) == ["w", "x", "s"]


def test_axes_in_order_of_appearance():
    nodes = [input("a", ("n", 2)), input("b", ("m", "n"))]
    assert depends_on_axis(nodes) == ("n", "m")


def test_rewriting_works_on_rewritten_inputs_and_says_what_became_of_each():
    new = rewrite([output], lambda node: GRAPH.sin(node.inputs[0]) if node.op.name == "tanh" else None)
    assert new[x] is x
    assert new[h] is GRAPH.sin(product)
    assert new[output] is GRAPH.sin(product) * product + GRAPH.sin(product)
    assert rewrite([output], lambda node: None)[output] is output


def test_substitution_does_not_look_into_what_it_puts_in():
    z = input("z")
    new = substitute([output], {product: GRAPH.exp(product), x: z})
    assert new[product] is GRAPH.exp(product)
    assert new[output] is GRAPH.tanh(GRAPH.exp(product)) * GRAPH.exp(product) + GRAPH.tanh(GRAPH.exp(product))


def test_rewriting_keeps_names_and_scopes():
    named = (x + 1).named("h")
    z = input("z")
    moved = substitute([named * 2], {x: z})
    assert moved[named].full_name == "h"
    assert moved[named].inputs[0] is z
