"""What a graph costs: counted by hand for a small network, by the stated conventions."""

import pytest

from graphlearn.errors import OptionError, ShapeError, UnknownNameError, UnsupportedOp
from graphlearn.graph.leaves import input, parameter
from graphlearn.graph.op import CALL, Notation, Op
from graphlearn.ops.activations import relu, sigmoid
from graphlearn.ops.elementwise import elementwise
from graphlearn.ops.intrinsics import tanh
from graphlearn.ops.normalised import log_softmax, logsumexp, softmax
from graphlearn.ops.reductions import mean, min_, sum_
from graphlearn.ops.repeating import repeat, tile
from graphlearn.ops.statistics import norm, std, var
from graphlearn.ops.structural import build
from graphlearn.ops.triangles import tril
from graphlearn.teach.cost import cost


@pytest.fixture
def loss():
    x, t = input("x", ("batch", 2)), input("t", ("batch", 1))
    h = tanh((x @ parameter("w1", (2, 3)) + parameter("b1", (3,))).named("z")).named("h")
    return mean((h @ parameter("w2", (3, 1)) - t) ** 2).named("loss")


def test_a_network_by_hand(loss):
    found = cost(loss, batch=5)
    assert found.parameters == 6 + 3 + 3 and found.parameter_bytes == 8 * 12
    by_name = {found.names[row.node]: row.flops for row in found.nodes}
    assert by_name == {
        "t1": 2 * 5 * 2 * 3, "z": 15, "h": 15, "t2": 2 * 5 * 3, "t3": 5, "t4": 5, "loss": 5,
    }  # fmt: skip
    assert found.flops == sum(by_name.values()) and found["h"].bytes == 8 * 15
    assert found.bytes == 8 * (15 + 15 + 15 + 5 + 5 + 5 + 1)
    assert cost(loss, batch=5, precision="float32").bytes * 2 == found.bytes
    assert cost(loss, batch=10).flops == 2 * found.flops and found.backward_flops is None


def test_the_backward_pass_is_a_small_multiple(loss):
    leaves = [n for n in (row.node for row in cost(loss, batch=5).nodes) if n.name == "h"]
    found = cost(loss, wrt=leaves, batch=5)
    assert 0 < found.backward_flops < found.flops
    every = cost(loss, wrt=[n for n in leaves[0].inputs], batch=50)
    assert every.backward_flops < 4 * every.flops


def test_compounds_and_formulas_are_counted_by_what_they_consist_of():
    x = input("x", (4, 3))
    assert cost(relu(x)).flops == 12 and cost(sigmoid(x)).flops == 4 * 12
    assert cost(softmax(x)).flops == 4 * (2 + 3 + 3 + 2 + 3)  # max, minus, exp, sum, over
    assert cost(x.T.reshape(2, 6)[0]).flops == cost(x.reshape(2, 6)[0].T).bytes == 0
    assert cost(sum_(input("e", (0, 3)), axis=0)).flops == 0
    own = elementwise("cost_of_my_own", formula=lambda m, x: x / (1 + m.exp(-x)))
    assert cost(own(x)).flops == 12 * 4


def test_what_guards_digits_is_not_counted():
    x = input("x", (4, 3))
    by_hand = {
        norm: 12 + 11 + 1, var: (11 + 1) + 12 + 12 + 11 + 1, std: (11 + 1) + 12 + (12 + 11 + 1) + 1, min_: 11,
        logsumexp: 4 * (2 + 3 + 3 + 2 + 1 + 1), log_softmax: 4 * (2 + 3 + 3 + 2 + 1 + 3), tril: 0,
    }  # fmt: skip
    for function, flops in by_hand.items():
        assert cost(function(x)).flops == flops, function.__name__
    assert cost(norm(x, axis=0)).flops == 3 * (4 + 3 + 1)


def test_copies_take_bytes():
    x = input("x", (4, 3))
    for copied in (repeat(x, 2, axis=0), tile(x, 2), tile(x, (2, 1))):
        assert cost(copied).bytes == 2 * 12 * 8
    assert cost(x.T.reshape(12)).bytes == cost(x[:, :2].reshape(8)).bytes + 4 * 8 == 12 * 8
    for view in (x.reshape(12), x.T.reshape(3, 1, 4), x.T[::2], x[1:3].reshape(6), x.reshape(2, 2, 3).T):
        assert cost(view).bytes == 0


def test_text_in_both_languages(loss):
    text = str(cost(loss, wrt=[n for n in loss.inputs[0].inputs[0].inputs[0].inputs if n.name == "w2"], batch=4))
    for part in ("Cost of loss", "N = 4, float64", "matmul", "(N,3)", "operations of the backward pass", "parameters"):
        assert part in text
    korean = cost(loss, batch=4).to_text("ko")
    assert "계산 비용" in korean and "역전파" not in korean
    y = input("x", 2)
    for _ in range(100):
        y = tanh(y)
    assert "60 of 100 nodes" in str(cost(y))


def test_what_cannot_be_counted_is_refused(loss):
    with pytest.raises(ShapeError, match=r"none for 'batch'. Write gl.cost\(output, batch=32\)"):
        cost(loss)
    with pytest.raises(UnknownNameError, match="cost names the axis 'n'"):
        cost(loss, n=3)
    with pytest.raises(ShapeError, match="cost needs a whole number from 0 on"):
        cost(loss, batch=-3)
    with pytest.raises(OptionError, match="precision needs one of float32, float64; got 'half'"):
        cost(loss, batch=3, precision="half")
    with pytest.raises(KeyError):
        cost(loss, batch=3)["no such"]
    odd = Op("odd", "structural", lambda types: types[0], Notation("", "odd({0})", CALL), reference=lambda x: x)
    with pytest.raises(UnsupportedOp, match="cost has no row for the operation 'odd'"):
        cost(build(odd, [input("x", 3)]))
