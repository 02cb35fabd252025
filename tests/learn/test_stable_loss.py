"""`fit` computes a loss in the form that loses no digits, by stabilising rules alone, and says which."""

from __future__ import annotations

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.calculus.rules import RULES
from graphlearn.learn.data import lay_out
from graphlearn.learn.plan import make_plan

X = np.array([[1e4, 0.0], [0.0, 1e4], [-1e4, 1.0]])
T = np.eye(3)


def logits() -> tuple[gl.Node, gl.Node, gl.Node]:
    x, t = gl.input("x", ("batch", 2)), gl.input("t", ("batch", 3))
    return x, t, (x @ gl.parameter("W", (2, 3))).named("z")


def by_hand(z: gl.Node, t: gl.Node) -> gl.Node:
    e = gl.exp(z)
    return -gl.mean(gl.sum(t * gl.log(e / gl.sum(e, 1, keepdims=True)), 1))


def by_softmax(z: gl.Node, t: gl.Node) -> gl.Node:
    return -gl.mean(gl.sum(t * gl.log(gl.softmax(z)), 1))


@pytest.mark.parametrize("write", [by_hand, by_softmax])
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_loss_written_by_hand_trains_at_logits_of_ten_thousand(write, precision, backend):
    _, t, z = logits()
    model = gl.Model(z, loss=write(z, t), precision=precision)
    data = {"x": X, "t": T}
    history = model.fit(data, optimizer=gl.optim.SGD(1e-6), epochs=300, backend=backend, validation=data)
    assert np.all(np.isfinite(history.losses))
    assert np.all(np.isfinite(history.validation))
    assert history.losses[0] > 1000 > 1e-3 > history.losses[-1]
    # The same training as that of the loss of the library, and as the textbook says: p - t.
    _, t, z = logits()
    twin = gl.Model(z, loss=gl.losses.cross_entropy(z, t), precision=precision)
    twin.fit(data, optimizer=gl.optim.SGD(1e-6), epochs=300, backend=backend)
    np.testing.assert_allclose(twin.values["W"], model.values["W"], rtol=1e-5)


def test_describe_says_which_rules_were_applied_and_where(backend):
    _, t, z = logits()
    model = gl.Model(z, loss=by_softmax(z, t).named("loss"))
    with pytest.raises(gl.GraphUseError, match="no fit yet"):
        model.describe()
    model.fit({"x": X, "t": T}, optimizer=gl.optim.SGD(1e-6), epochs=1, backend=backend)
    text = model.describe()
    assert "log of softmax, at t₂: log(softmax(z)) becomes log softmax(z)" in text
    assert "targets times log softmax, at t₄: sum(t ⊙ log softmax(z), axis=1) becomes −CE(softmax(z), t)" in text
    if backend == "numba":
        assert "MatMul" in text
        assert "exponentials" not in text
    twin = gl.Model(z, loss=gl.losses.cross_entropy(z, t))
    twin.fit({"x": X, "t": T}, optimizer=gl.optim.SGD(1e-6), epochs=1, backend=backend)
    assert twin.describe().startswith("The loss is computed as it is written.")


def test_only_stabilising_rules_are_applied():
    x, t = gl.input("x", ("batch", 2)), gl.input("t", ("batch",))
    w = gl.parameter("w", 2)
    loss = gl.mean(2.0 * gl.square(x @ w - t) + 2.0 * gl.square(x @ w)) + gl.sum(w) * 0.0
    plan = make_plan(loss, lay_out(loss), [w], gl.optim.SGD(0.1))
    assert plan.loss is loss  # shorter forms exist, of other bits
    assert not plan.rewrites
    assert {rule.kind for rule in RULES} == {"exact", "stabilising"}


def test_a_derivation_has_the_loss_as_it_is_written():
    _, t, z = logits()
    loss = by_softmax(z, t).named("loss")
    text = gl.derive(loss, z).to_text()
    assert "log(" in text
    assert "CE" not in text
