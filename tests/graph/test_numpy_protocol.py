"""NumPy's protocols: ordinary NumPy code on nodes builds the graph, and what has no counterpart is refused by name."""

import numpy as np
import pytest

from graphlearn.errors import GraphUseError, UnsupportedOp
from graphlearn.graph.leaves import input
from graphlearn.graph.node import apply
from graphlearn.graph.op import NUMPY_BUILDERS
from graphlearn.ops.linear import matmul
from graphlearn.ops.reductions import max_, mean, sum_
from graphlearn.ops.shape import broadcast_to, expand_dims, reshape, squeeze, transpose

x = input("x", (2, 3))
UFUNCS = [f for f in NUMPY_BUILDERS if isinstance(f, np.ufunc) and f is not np.matmul]


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
        (lambda: np.arctan(x), r"np\.arctan has no operation.*tanh"),
        (lambda: np.linalg.inv(x), r"np\.inv has no operation"),
        (lambda: np.cumsum(x), r"np\.cumsum"),
        (lambda: np.add.reduce(x), r"np\.add\.reduce has no counterpart"),
        (lambda: np.multiply.outer(x, x), r"np\.multiply\.outer"),
        (lambda: np.add(x, 1, out=np.zeros((2, 3))), r"np\.add with out"),
        (lambda: np.exp(x, where=np.ones((2, 3), bool)), r"np\.exp with where"),
    ],
)
def test_what_has_no_counterpart_is_refused_by_name(call, message):
    with pytest.raises(UnsupportedOp, match=message):
        call()


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
