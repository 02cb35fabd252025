"""NumPy's protocols: ordinary NumPy code on nodes builds the graph, and what has no counterpart is refused by name."""

import re

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.errors import GraphUseError, ShapeError, UnsupportedOp
from graphlearn.graph.leaves import input
from graphlearn.graph.node import apply
from graphlearn.graph.op import NUMPY_BUILDERS, NUMPY_CURES, OPS
from graphlearn.ops.linear import matmul
from graphlearn.ops.reductions import max_, mean, sum_
from graphlearn.ops.shape import broadcast_to, expand_dims, reshape, squeeze, transpose

x = input("x", (2, 3))
# Short compositions, whose top is another operation than the function names.
COMPOSED = (
    np.matmul, np.positive, np.reciprocal, np.rint, np.isinf, np.isfinite, np.logical_xor, np.heaviside, np.trunc,
    np.vecdot, np.invert,
)  # fmt: skip
UFUNCS = [f for f in NUMPY_BUILDERS if isinstance(f, np.ufunc) and f not in COMPOSED]


@pytest.mark.parametrize("ufunc", UFUNCS, ids=lambda f: f.__name__)
def test_every_ufunc_of_the_table_builds_its_op(ufunc):
    node = ufunc(*[x] * ufunc.nin)
    assert node.op.reference in (ufunc, node.op.reference)
    assert node.shape == (2, 3)
    assert node.inputs[0] is x
    if ufunc.nin == 2:
        assert ufunc(np.ones(3), x).inputs[1] is x
        assert ufunc(2.0, x).inputs[1] is x


def test_array_functions_build_their_ops():
    assert np.sum(x, axis=0) is sum_(x, 0)
    assert np.sum(x, keepdims=True) is sum_(x, keepdims=True)
    assert np.mean(x, 1) is mean(x, 1)
    assert np.max(x) is max_(x)
    assert np.reshape(x, (3, 2)) is reshape(x, (3, 2))
    assert np.transpose(x) is transpose(x)
    assert np.transpose(x, (1, 0)) is transpose(x)
    assert np.broadcast_to(x, (4, 2, 3)) is broadcast_to(x, (4, 2, 3))
    assert np.expand_dims(x, 0) is expand_dims(x, 0)
    assert np.squeeze(np.expand_dims(x, 0)) is squeeze(expand_dims(x, 0))
    assert np.where(x > 0, x, 0) is apply("where", x > 0, x, 0)
    assert np.matmul(x, np.ones((3, 1))).shape == matmul(x, np.ones((3, 1))).shape == (2, 1)


def test_what_numpy_makes_real_is_real():
    whole = input("i", 3, dtype="int64")
    assert np.fabs(whole).dtype == np.rint(whole).dtype == "float64"
    assert np.abs(whole).dtype == "int64"
    assert (~(x > 0)).dtype == "bool"


def test_an_array_on_the_left_does_not_swallow_the_node():
    for node in (np.ones(3) + x, np.float64(2) * x, np.ones((2, 3)) / x, np.ones((4, 2)) @ x, np.ones(3) < x):
        assert not isinstance(node, np.ndarray)


def test_ordinary_numpy_code_is_a_graph_builder():
    def softplus_loss(z, t):
        return np.mean(np.maximum(z, 0) - t * z + np.log1p(np.exp(-np.abs(z))))

    node = softplus_loss(x, np.ones((2, 3)))
    assert node.op.name == "mean"
    assert node.shape == ()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: np.sinc(x), r"np\.sinc has no operation.*The nearest by name is np\.sin\. Compose it"),
        (lambda: np.hypot(x, x), r"np\.hypot has no operation in graphlearn\. Write np\.sqrt"),
        (lambda: np.fmod(x, 2.0), r"np\.fmod has no operation.*on the arrays"),
        (lambda: np.round(x, 2), r"rounds to whole numbers; got decimals=2\. Write np\.round\(x \* 10"),
        (lambda: np.dot(input("a", (2, 3, 4)), x), r"dot needs as many axes .* of \(2, 3, 4\) and \(-2,\) of \(2, 3\)"),
        (lambda: np.clip(x, None, None), r"np\.clip needs a bound"),
        (lambda: np.reciprocal(input("i", 3, dtype="int64")), r"needs real numbers.*Write 1 / node"),
        (lambda: np.invert(input("i", 3, dtype="int64")), r"need truths.*bits of numbers.*-x - 1"),
        (lambda: ~x, r"need truths"),
        (lambda: np.linalg.svd(x), r"np\.svd has no operation"),
        (lambda: np.sort(x), r"np\.sort has no operation.*on the arrays"),
        (lambda: np.add.reduce(x), r"np\.add\.reduce has no counterpart"),
        (lambda: np.multiply.outer(x, x), r"np\.multiply\.outer"),
        (lambda: np.add(x, 1, out=np.zeros((2, 3))), r"np\.add with out"),
        (lambda: np.exp(x, where=np.ones((2, 3), bool)), r"np\.exp with where"),
    ],
)
def test_what_has_no_counterpart_is_refused_by_name(call, message):
    with pytest.raises((UnsupportedOp, GraphUseError, ShapeError), match=message) as caught:
        call()
    assert len(str(caught.value)) < 250  # a cure, not a list of all there is


COMPOSITIONS = {name: cure for name, cure in NUMPY_CURES.items() if re.search(r"\(a|a, b|b - a", cure)}


@pytest.mark.parametrize("name", sorted(COMPOSITIONS))
def test_what_is_advised_in_place_of_a_function_is_that_function(name):
    truths = "truths" in COMPOSITIONS[name]
    arrays = {"a": np.array([0.5, 1.5, 2.0]), "b": np.array([0.25, 3.0, 2.0])}
    arrays = {key: array > 1 if truths else array for key, array in arrays.items()}
    nodes = {key: input(key, (3,), dtype=array.dtype.name) for key, array in arrays.items()}
    advice = re.search(r"rite (.*?)(?:, which.*| of real numbers)?\.$", COMPOSITIONS[name]).group(1)
    node = eval(advice, {"np": np, "gl": gl, **nodes})
    assert np.allclose(evaluate(node, arrays), getattr(np, name)(*arrays.values()), rtol=1e-14)


@pytest.mark.parametrize("name", sorted({*OPS, *gl.__all__} & set(np.__all__) - {"random"}))
def test_every_operation_with_a_namesake_is_built_by_it(name):
    assert getattr(np, name) in NUMPY_BUILDERS


def test_functions_that_are_short_compositions():
    a = np.array([[0.5, -1.5, 2.0], [4.0, 3.0, -0.125]])
    z = input("z", dtype="float32")
    for node, wanted in (
        (np.square(x), np.square(a)),
        (np.dot(x, a.T), a @ a.T),
        (np.dot(x, 2.0), 2 * a),
        (np.dot(x, np.ones(3)), a @ np.ones(3)),
        (np.clip(x, -1, 1), np.clip(a, -1, 1)),
        (np.clip(x, a_min=0, a_max=None), np.clip(a, 0, None)),
        (np.clip(x, None, 1), np.clip(a, None, 1)),
        (np.clip(x, min=0, max=1), np.clip(a, 0, 1)),
        (np.reciprocal(x), 1 / a),
        (np.round(x), np.round(a)),
        (np.rint(x), np.rint(a)),
        (np.positive(x), a),
        (np.amax(x, 0), np.max(a, 0)),
        (np.astype(x, "float32"), a.astype("float32")),
    ):
        value = evaluate(node, {x: a})
        assert value.dtype == wanted.dtype and np.array_equal(value, wanted)
    assert np.reciprocal(z).dtype == "float32"
    assert np.square(x) is gl.square(x)
    assert np.rint(input("i", dtype="int64")).dtype == "float64"
    assert np.round(input("i", dtype="int64")).dtype == gl.floor(input("i", dtype="int64")).dtype == "int64"


def test_options_that_an_op_lacks_are_refused_by_name():
    with pytest.raises(GraphUseError, match=r"np\.sum on a node does not take dtype. It takes a, axis, keepdims"):
        np.sum(x, dtype="float32")


def test_in_place_operators_make_new_nodes():
    node = x
    node += 1
    assert node is x + 1
    array = np.ones((2, 3))
    with pytest.raises(UnsupportedOp, match="with out"):
        array += x
