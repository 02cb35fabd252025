"""Reshaping, reductions, products and their builders: arguments in all their forms, and what is refused."""

import numpy as np
import pytest

from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.calculus.reverse import differentiate
from graphlearn.errors import DTypeError, GraphLearnError, OptionError, ShapeError
from graphlearn.graph.leaves import input
from graphlearn.ops.linear import matmul
from graphlearn.ops.normalised import logsumexp, one_hot, softmax, softmax_cross_entropy
from graphlearn.ops.reductions import max_, mean, sum_
from graphlearn.ops.shape import (
    axis_size,
    broadcast_to,
    cast,
    element_count,
    expand_dims,
    reshape,
    squeeze,
    transpose,
)
from graphlearn.types import ArrayType

m = input("m", (2, 3))
n = input("n", ("N", 3))
VALUES = np.arange(6.0).reshape(2, 3)


def test_what_changes_nothing_makes_no_node():
    assert reshape(m, (2, 3)) is m
    assert broadcast_to(m, (2, 3)) is m
    assert transpose(m, (0, 1)) is m
    assert transpose(input("s")).op.name == "input"
    assert cast(m, "float64") is m
    assert squeeze(m) is m


def test_shapes_in_all_their_forms():
    assert reshape(m, 6).shape == reshape(m, (-1,)).shape == (6,)
    assert reshape(n, ("N", 1, 3)).shape == ("N", 1, 3)
    assert expand_dims(m, (0, -1)).shape == (1, 2, 3, 1)
    assert expand_dims(input("s"), 0).shape == (1,)
    assert squeeze(expand_dims(m, 1), 1).shape == (2, 3)
    assert squeeze(input("k", (1, 3, 1))).shape == (3,)
    assert transpose(input("t", (2, 3, 4)), (2, 0, 1)).shape == (4, 2, 3)
    assert transpose(input("t", (2, 3, 4)), (-1, 0, 1)).shape == (4, 2, 3)
    assert broadcast_to(1.0, ("N", 2)).shape == ("N", 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: reshape(m, (4, 2)), "as many elements as before"),
        (lambda: reshape(n, 6), "with gl.specialize"),
        (lambda: broadcast_to(m, 3), "the axes of the array and perhaps more"),
        (lambda: broadcast_to(m, (2, 4)), "3 and 4 meet"),
        (lambda: transpose(m, (0, 0)), "the axes 0 to 1, each once"),
        (lambda: transpose(m, (0,)), "the axes 0 to 1, each once"),
        (lambda: squeeze(m, 0), "axes of length 1; got axis 0"),
        (lambda: squeeze(n, 0), "axes of length 1"),
        (lambda: expand_dims(m, 4), "expand_dims needs axes"),
        (lambda: sum_(m, 2), "sum needs axes from -2 to 1"),
        (lambda: mean(m, (0, 0)), "each axis once"),
        (lambda: max_(input("e", (0, 3)), 0), "at least one entry"),
        (lambda: softmax(input("s")), "rank 1 or more; got a scalar"),
        (lambda: softmax_cross_entropy(m, input("t", 2)), "such as one_hot makes; class numbers"),
        (lambda: matmul(2.0, m), "Multiply with"),
        (lambda: matmul(m, m), "where 3 meets 2. Transpose"),
        (lambda: axis_size(3), "axis_size needs the name of a free axis"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(GraphLearnError, match=message):
        call()


def test_casts():
    assert cast(m, "float32").dtype == "float32"
    assert evaluate(cast(m, "int64"), {m: VALUES + 0.7}).tolist() == VALUES.astype(int).tolist()
    assert cast(2, "float64").type == ArrayType(())
    with pytest.raises(DTypeError, match="cast needs one of"):
        cast(m, "float16")
    inner = cast(input("f", 2, "float32"), "float64")
    gradient = differentiate(sum_(inner * 2), inner.inputs).gradients[inner.inputs[0]]
    assert gradient.dtype == "float32"


def test_the_mean_of_a_free_axis_counts_at_run_time():
    for rows in (1, 4):
        at = {n: np.ones((rows, 3)) * rows}
        assert evaluate(mean(n), at) == rows
        found = evaluate(differentiate(mean(n), [n]).gradients[n], at)
        np.testing.assert_array_equal(found, np.full((rows, 3), 1 / (3 * rows)))
    assert mean(input("k", 3, "int32")).dtype == "float64"
    assert mean(input("f", "N", "float32")).dtype == "float32"


def test_axis_size_takes_the_dtype_of_what_it_meets():
    size = axis_size("N")
    assert size.type == ArrayType((), "int64", weak=True)
    assert (input("f", (), "float32") / size).dtype == "float32"
    assert evaluate(sum_(n) / size, {n: np.ones((5, 3))}) == 3
    assert evaluate(size * 2, None, sizes={"N": 7}) == 14
    assert element_count((2, 3)) == 6
    assert element_count(()) == 1
    assert evaluate(element_count(("N", 3, "M")), None, sizes={"N": 2, "M": 5}) == 30


def test_ties_of_a_maximum_share_its_derivative():
    v = input("v", 4)
    gradient = differentiate(max_(v), [v]).gradients[v]
    np.testing.assert_array_equal(evaluate(gradient, {v: [1.0, 3.0, 3.0, 0.0]}), [0, 0.5, 0.5, 0])
    assert np.isnan(evaluate(max_(v), {v: [1.0, np.nan, 3.0, 0.0]}))


def test_reductions_of_whole_numbers_are_wide():
    b = input("b", 300, "uint8")
    assert sum_(b).dtype == "int64"
    assert evaluate(sum_(b), {b: np.full(300, 200)}) == 60000
    assert sum_(input("c", 3, "bool")).dtype == "int64"
    assert evaluate(sum_(input("z", (0, 3))), {"z": np.zeros((0, 3))}) == 0


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((3,), (3,)), ((2, 3), (3,)), ((2,), (2, 3)), ((2, 3), (3, 4)), ((5, 2, 3), (3,)), ((2,), (5, 2, 3)),
        ((5, 1, 2, 3), (4, 3, 2)),
    ],
)  # fmt: skip
def test_products_of_every_rank_are_numpys_and_so_are_their_derivatives(left, right):
    generator = np.random.Generator(np.random.Philox(3))
    a, b = generator.standard_normal(left), generator.standard_normal(right)
    nodes = input("a", left), input("b", right)
    product = matmul(*nodes)
    weights = generator.standard_normal(np.matmul(a, b).shape)
    at = dict(zip(nodes, (a, b), strict=True))
    np.testing.assert_allclose(evaluate(product, at), np.matmul(a, b), rtol=1e-14)
    gradients = differentiate(sum_(product * weights), nodes).gradients
    for k, node in enumerate(nodes):
        direction = generator.standard_normal(node.shape)
        there = np.matmul(a + direction, b) if k == 0 else np.matmul(a, b + direction)
        expected = np.sum(weights * (there - np.matmul(a, b)))  # linear in each operand, so exact
        assert np.sum(evaluate(gradients[node], at) * direction) == pytest.approx(expected, rel=1e-12)


def test_one_hot_rows():
    labels = input("k", ("N",), "int64")
    rows = one_hot(labels, 3)
    assert rows.shape == ("N", 3)
    assert evaluate(rows, {labels: [2, 0, 5]}).tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 0]]
    assert one_hot(labels, 3, "float32").dtype == "float32"
    with pytest.raises(DTypeError, match="dtype='int64'"):
        one_hot(n, 3)


def test_cross_entropy_of_a_normalized_target_has_its_textbook_gradient():
    z, t = input("z", ("N", 3)), input("t", ("N", 3))
    at = {z: [[1.0, -2.0, 0.5], [30.0, 0.0, -1e4]], t: [[0.0, 1.0, 0.0], [0.2, 0.3, 0.5]]}
    plain = softmax_cross_entropy(z, t)
    short = softmax_cross_entropy(z, t, normalized=True)
    found = [evaluate(differentiate(sum_(node), [z]).gradients[z], at) for node in (plain, short)]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-14, atol=1e-16)
    np.testing.assert_allclose(found[1], evaluate(softmax(z) - t, at), rtol=1e-15, atol=1e-16)
    np.testing.assert_allclose(evaluate(plain, at), evaluate(logsumexp(z) - sum_(z * t, 1), at), rtol=1e-12)


def test_shape_errors_carry_the_operands():
    with pytest.raises(ShapeError) as caught:
        matmul(m, m)
    assert caught.value.nodes == (m, m)
    assert "operands of matmul: m: float64[2,3], m: float64[2,3]" in str(caught.value)


@pytest.mark.parametrize("classes", [-1, 2.5, True])
def test_a_number_of_classes_that_is_none_is_refused(classes):
    with pytest.raises(OptionError, match="one_hot needs a number of classes from 0 on"):
        one_hot(np.array([0, 1]), classes)
