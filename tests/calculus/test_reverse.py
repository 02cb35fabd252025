"""Reverse mode: what it accepts and refuses, what it records, and how adjoints meet."""

import numpy as np
import pytest

from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.calculus.gradient import grad, value_and_grad, vjp
from graphlearn.calculus.reverse import differentiate, sum_to, zeros_of
from graphlearn.errors import DisconnectedError, DTypeError, OptionError, ShapeError
from graphlearn.graph.leaves import constant, input, parameter
from graphlearn.graph.scope import scope
from graphlearn.graph.traverse import topological
from graphlearn.ops.algebra import GRAPH
from graphlearn.ops.linear import matmul
from graphlearn.ops.reductions import mean, sum_
from graphlearn.ops.shape import cast
from graphlearn.types import ArrayType

x, y = input("x"), input("y")
w = parameter("w", (2, 3))
b = parameter("b", 3)


def test_a_value_that_is_used_twice_gets_the_sum_over_paths():
    h = GRAPH.sin(x)
    trace = differentiate(h * h + h, [x])
    assert evaluate(trace.gradients[x], {x: 0.7}) == pytest.approx((2 * np.sin(0.7) + 1) * np.cos(0.7), rel=1e-15)
    sums = [step for step in trace.steps if step.rule == "accumulate"]
    assert [step.node for step in sums] == [h]
    assert len(sums[0].contributions) == 3  # h * h uses h twice
    assert sums[0].result is trace.adjoints[h]


def test_inner_nodes_have_gradients_too():
    h = GRAPH.tanh(x * y)
    output = h**2 + x
    found = differentiate(output, [h, x]).gradients
    assert evaluate(found[h], {x: 0.5, y: 2.0}) == pytest.approx(2 * np.tanh(1), rel=1e-15)
    assert evaluate(found[x], {x: 0.5, y: 2.0}) == pytest.approx(
        2 * np.tanh(1) * (1 - np.tanh(1) ** 2) * 2 + 1, rel=1e-14
    )


def test_the_output_itself_has_gradient_one():
    output = x * y
    gradient = differentiate(output, [output]).gradients[output]
    assert evaluate(gradient, None) == 1
    leaf = differentiate(x, [x])
    assert evaluate(leaf.gradients[x], None) == 1
    assert [step.rule for step in leaf.steps] == ["seed"]


def test_steps_are_written_in_the_order_of_the_backward_pass():
    loss = mean(GRAPH.tanh(matmul(input("u", ("N", 2)), w) + b))
    trace = differentiate(loss, [w, b])
    rules = [step.rule for step in trace.steps]
    assert " ".join(rules) == "seed chain.mean chain.tanh chain.add unbroadcast chain.add chain.matmul"
    for step in trace.steps:
        if step.rule.startswith("chain."):
            assert step.consumer.inputs[step.argument] is step.node
            assert step.contributions == (trace.adjoints[step.consumer],)
            assert (step.local is not None) == step.consumer.op.is_elementwise
    assert trace.output is loss
    assert trace.wrt == (w, b)


def test_without_record_there_are_the_same_gradients_and_no_steps():
    loss = sum_(GRAPH.sigmoid(w) * b)
    recorded, plain = differentiate(loss, [w, b]), differentiate(loss, [w, b], record=False)
    assert plain.steps == ()
    assert plain.gradients == recorded.gradients


def test_textbook_derivatives_are_equal_in_value():
    loss = sum_(GRAPH.sigmoid(w) * GRAPH.tanh(w) / GRAPH.sqrt(b))
    at = {w: np.linspace(-1, 1, 6).reshape(2, 3), b: [1.0, 2.0, 3.0]}
    read, computed = (differentiate(loss, [w, b], textbook=flag).gradients for flag in (True, False))
    assert read[w] is not computed[w]
    for leaf in (w, b):
        np.testing.assert_allclose(evaluate(read[leaf], at), evaluate(computed[leaf], at), rtol=1e-13)


def test_what_cannot_be_differentiated_is_refused_with_the_cure():
    with pytest.raises(
        ShapeError, match=r"needs a scalar output; got <parameter w float64\[2,3\]>. Reduce it with gl.sum"
    ):
        differentiate(w, [w])
    with pytest.raises(DisconnectedError, match=r"'y' does not influence .*disconnected='zero'") as caught:
        differentiate(GRAPH.sin(x), [x, y])
    assert caught.value.nodes[1] is y
    with pytest.raises(DTypeError, match="needs real nodes; got <input k int64"):
        differentiate(sum_(input("k", 2, "int64") * 1.0), [input("k", 2, "int64")])
    with pytest.raises(DTypeError, match="Cast it to float64 first"):
        differentiate(sum_(input("k", 2, "int64")), [x])
    with pytest.raises(DTypeError, match="needs nodes; got 'x'"):
        differentiate(x, ["x"])
    with pytest.raises(OptionError, match="needs one of raise, zero; got 'skip'"):
        differentiate(x, [x], disconnected="skip")


def test_disconnected_nodes_have_zeros_on_demand():
    found = differentiate(GRAPH.sin(x), [x, w], disconnected="zero").gradients[w]
    assert found.type == w.type
    assert not evaluate(found, None).any()
    assert zeros_of(ArrayType(("N", 2), "float32")).type == ArrayType(("N", 2), "float32")


def test_a_derivative_that_became_constant_is_zero_and_no_error():
    first = grad(w.sum() * x, x)
    assert evaluate(grad(grad(x * y, x), y), {x: 1.0, y: 2.0}) == 1
    assert evaluate(first, {w: np.ones((2, 3)), x: 0.0}) == 6
    assert evaluate(grad(grad(x * 3, x), x), {}) == 0
    assert evaluate(grad(grad(y * x, y), y), {}) == 0, "the first derivative is the leaf x"
    assert evaluate(grad(GRAPH.square(grad(y * x, y)) * 2.0, x), {x: 3.0}) == 12
    inner = grad(y * GRAPH.sin(x), y)
    assert evaluate(grad(GRAPH.square(inner), y), {x: 1.0}) == 0, "a penalty on a derivative that lost y"
    with pytest.raises(DisconnectedError):
        grad(x * 2.0, y)  # x stands here for its own sake
    with pytest.raises(DisconnectedError):
        grad(grad(y * x, y), w)


def test_a_path_through_whole_numbers_carries_no_derivative():
    k = cast(x, "int64")
    loss = x * cast(k, "float64")
    assert evaluate(differentiate(loss, [x]).gradients[x], {x: 2.5}) == 2
    only = cast(cast(x, "int64"), "float64")
    assert evaluate(differentiate(only, [x]).gradients[x], {x: 2.5}) == 0
    assert evaluate(differentiate(GRAPH.where(x > 0, y, 2 * y), [x, y]).gradients[x], {x: 1.0, y: 2.0}) == 0


def test_a_gradient_keeps_the_dtype_of_its_leaf_where_dtypes_mix():
    narrow = input("narrow", 3, "float32")
    loss = sum_(narrow * b) + sum_(narrow)
    found = differentiate(loss, [narrow, b]).gradients
    assert (found[narrow].dtype, found[b].dtype) == ("float32", "float64")


def test_a_seed_makes_a_vector_jacobian_product():
    seed = input("seed", (2, 3))
    found = differentiate(GRAPH.exp(w), [w], seed=seed).gradients[w]
    at = {w: np.ones((2, 3)), seed: np.arange(6.0).reshape(2, 3)}
    np.testing.assert_allclose(evaluate(found, at), np.e * at[seed], rtol=1e-15)


def test_unbroadcasting_sums_over_what_was_repeated():
    big = input("big", ("N", 4, 3))
    for shape in ((), (3,), (1, 3), (4, 1), ("N", 1, 1), ("N", 4, 3), (1, 1, 1)):
        assert sum_to(big, shape).shape == shape
    assert sum_to(input("small", (1, 3)), (2, 3)).shape == (2, 3)
    assert sum_to(input("s"), (2, 3)).shape == (2, 3)
    at = {"big": np.arange(24.0).reshape(2, 4, 3)}
    np.testing.assert_array_equal(evaluate(sum_to(big, (4, 1)), at), at["big"].sum((0, 2)).reshape(4, 1))


def test_masks_stay_outermost():
    """``where(c, g, 0) * f'`` is ``where(c, g * f', 0)``: the branch not taken cannot make a NaN."""
    gradient = differentiate(GRAPH.where(x > 0, GRAPH.log(x), 0), [x]).gradients[x]
    assert gradient.op.name == "where"
    assert evaluate(gradient, {x: 0.0}) == 0


def test_gradients_belong_to_no_scope():
    with scope("block"):
        gradient = differentiate(GRAPH.sin(x) * y, [x], record=False).gradients[x]
    assert {node.scope for node in topological([gradient])} <= {"", "block"}
    assert gradient.scope == ""


def test_the_public_functions():
    assert grad(x * y, x) is grad(x * y, [x])[0]
    assert isinstance(grad(x * y, (x, y)), tuple)
    value, gradient = value_and_grad(x * y, x)
    assert value is x * y
    assert evaluate(gradient, {x: 1.0, y: 3.0}) == 3
    assert evaluate(grad(grad(grad(x**3, x), x), x), {x: 2.0}) == 6
    product = vjp([x * y, GRAPH.sin(x)], x, [2.0, 1.0])
    assert evaluate(product, {x: 0.5, y: 3.0}) == pytest.approx(6 + np.cos(0.5), rel=1e-15)
    assert evaluate(vjp(w, [w, b], np.ones((2, 3)))[1], None).tolist() == [0, 0, 0]
    with pytest.raises(ShapeError, match="the shape of its output"):
        vjp(w, w, np.ones(3))
    with pytest.raises(ShapeError, match="one cotangent per output; got 1 for 2"):
        vjp([x, y], x, [constant(1.0)])
