"""Training with random numbers: the same bits by seed and step, everywhere; and none of them afterwards."""

import re

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.backends.cuda import device
from graphlearn.graph.traverse import topological
from tests.backends.cuda import lockstep

DATA = np.random.Generator(np.random.Philox(3)).standard_normal((20, 4))
GIVEN = {"x": DATA, "t": DATA.sum(axis=1, keepdims=True)}


def make_model(precision="float64", noise=0.0):
    x, t = gl.input("x", ("batch", 4)), gl.input("t", ("batch", 1))
    net = gl.nn.Sequential([gl.nn.Dense(6, "tanh"), gl.nn.Dropout(0.4), gl.nn.Dense(1)])
    y = net(x)
    if noise:
        y = y + noise * gl.random.normal(("batch", 1))
    return gl.Model(y, loss=gl.losses.mse(y, t), precision=precision)


def train(*fits, seed=0, backend="numpy", optimizer=None, **more):
    model = make_model(**more)
    optimizer = optimizer or gl.optim.Adam(1e-2)
    losses = [
        model.fit(GIVEN, optimizer=optimizer, epochs=epochs, batch_size=8, backend=backend, seed=seed).losses
        for epochs in fits
    ]
    return model, np.concatenate(losses)


def bits(model):
    return [array.tobytes() for array in model.values.values()]


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_the_same_seed_gives_the_same_bits_and_two_fits_are_one(backend):
    whole, losses = train(4, backend=backend)
    halves, parts = train(1, 3, backend=backend)
    assert bits(whole) == bits(halves)
    np.testing.assert_array_equal(losses, parts)
    assert bits(train(4, backend=backend, seed=1)[0]) != bits(whole)


def test_backends_drop_the_same_entries():
    (_, slow), (_, fast) = train(3, noise=0.1), train(3, noise=0.1, backend="numba")
    np.testing.assert_allclose(fast, slow, rtol=1e-11)
    (_, slow), (_, fast) = (train(3, backend=backend, precision="float32") for backend in ("numpy", "numba"))
    np.testing.assert_allclose(fast, slow, rtol=1e-4)


def test_truths_of_a_layer_are_drawn_as_bytes_and_its_random_words_are_not_kept():
    model, _ = train(1, backend="numba")
    text = model.describe()
    assert re.search(r"keep +bool\[batch,6\]", text) and not re.search(r"int64\[batch,6\]", text), text


def test_words_that_are_compared_with_a_node_are_drawn_themselves():
    chance = gl.input("p", ())
    truths = gl.random.bernoulli((3, 5), chance)
    drawn = gl.compile(truths, backend="numba")({"p": 0.25}, seed=7)
    np.testing.assert_array_equal(drawn, gl.evaluate(gl.random.bernoulli((3, 5), 0.25), seed=7))


def test_a_gpu_drops_the_same_entries(monkeypatch):
    """Its kernels in lockstep, one thread after the other."""
    monkeypatch.setattr(device, "is_simulated", lambda: False)
    monkeypatch.setattr(device, "require_device", lambda: None)
    monkeypatch.setattr(device, "upload", lockstep.upload)
    monkeypatch.setattr(device, "allocate", lockstep.allocate)
    monkeypatch.setattr(device, "load", lockstep.Lockstep().load)
    (_, slow), (_, fast) = train(1, noise=0.1), train(1, noise=0.1, backend="cuda")
    np.testing.assert_allclose(fast, slow, rtol=1e-12)


def test_a_saved_step_is_where_training_goes_on():
    model, whole = train(4)
    other, first = train(2)
    optimizer = gl.optim.Adam(1e-2)
    before = gl.optim.Adam(1e-2)
    fresh = make_model()
    fresh.fit(GIVEN, optimizer=before, epochs=2, batch_size=8, backend="numpy")
    optimizer.state, optimizer.steps, optimizer.epochs = dict(before.state), before.steps, before.epochs
    other.fit(GIVEN, optimizer=optimizer, epochs=2, batch_size=8, backend="numpy")
    assert bits(other) == bits(model)
    np.testing.assert_array_equal(first, whole[:6])


def test_evaluate_and_derive_draw_what_a_step_of_fit_drew():
    model, optimizer = make_model(), gl.optim.SGD(0.1)
    for seed, step in ((7, 0), (7, 1), (7, 2)):
        before = model.at(GIVEN)
        loss, slope = model.loss, gl.grad(model.loss, model.parameters)
        old = {name: array.copy() for name, array in model.values.items()}
        history = model.fit(GIVEN, optimizer=optimizer, epochs=1, backend="numba", seed=seed)
        assert history.losses[0] == pytest.approx(float(gl.evaluate(loss, before, seed=seed, step=step)), rel=1e-12)
        derivation = gl.derive(loss, at=before, seed=seed, step=step)
        compiled = gl.compile(slope, backend="numpy")(before, seed=seed, step=step)
        for leaf, gradient, other in zip(
            model.parameters, gl.evaluate(slope, before, seed=seed, step=step), compiled, strict=True
        ):
            np.testing.assert_allclose(model.values[leaf], old[leaf.full_name] - 0.1 * gradient, rtol=1e-10, atol=1e-14)
            np.testing.assert_array_equal(gradient, other)
            np.testing.assert_array_equal(gradient, derivation.gradients[leaf.full_name])
        assert derivation.check().ok
    first, again = (gl.evaluate(loss, before, seed=seed) for seed in (7, 8))
    assert first != again


def test_the_masks_are_those_that_fit_counts_by_the_optimizers_steps():
    x = gl.input("x", ("batch", 3))
    w = gl.parameter("w", value=np.zeros(3))
    keep = gl.random.bernoulli(("batch", 3), 0.5)
    loss = gl.sum(w * gl.where(keep, x, 0.0))
    model, optimizer = gl.Model(loss, loss=loss, precision="float64"), gl.optim.SGD(1.0)
    for step in range(3):
        old = model.values["w"].copy()
        model.fit({"x": np.ones((5, 3))}, optimizer=optimizer, epochs=1, backend="numba", seed=2)
        rows = gl.evaluate((loss, keep), model.at({"x": np.ones((5, 3))}), seed=2, step=step)[1]
        np.testing.assert_array_equal(old - model.values["w"], rows.sum(axis=0))


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_what_is_asked_of_a_model_is_not_dropped(backend):
    model, _ = train(1)
    arrays = [model.values[name] for name in model.values]
    hidden = np.tanh(DATA @ arrays[0] + arrays[1])
    wanted = hidden @ arrays[2] + arrays[3]
    np.testing.assert_allclose(model.predict(DATA, backend=backend), wanted, rtol=1e-12)
    np.testing.assert_allclose(
        model.evaluate(model.loss, GIVEN, backend=backend), np.mean((wanted - GIVEN["t"]) ** 2), rtol=1e-12
    )
    history = model.fit(GIVEN, optimizer=gl.optim.SGD(0.0), epochs=1, validation=GIVEN, backend=backend, batch_size=5)
    np.testing.assert_allclose(history.validation, np.mean((wanted - GIVEN["t"]) ** 2), rtol=1e-12)


def test_noise_of_ones_own_stays_and_has_seed_and_step():
    model = make_model(noise=1.0)
    first, again, other = (model.predict(DATA, seed=seed, step=1) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.any(first == other)
    np.testing.assert_allclose(model.predict(DATA, backend="numpy", seed=1, step=1), first, rtol=1e-12)


def test_batches_of_unequal_length_begin_alike():
    """20 rows in batches of 8 end with one of 4: its rows have the masks of the first 4 of a longer batch."""
    model = make_model()
    keep = next(node for node in topological([model.loss]) if node.name == "keep")
    short, long = (
        gl.evaluate((model.loss, keep), model.at({name: rows[:n] for name, rows in GIVEN.items()}))[1] for n in (4, 20)
    )
    np.testing.assert_array_equal(short, long[:4])


def test_layers_are_told_in_both_languages_and_drawn():
    model = make_model()
    derivation = gl.derive(model.loss, at=model.at({name: rows[:2] for name, rows in GIVEN.items()}), seed=5)
    english, korean = derivation.to_text("en"), derivation.to_text("ko")
    for text in (english, korean):
        assert "Bernoulli(0.6)" in text
        assert "layer1/h ⊙ layer2/keep / 0.6" in text
        assert "random/" not in text
    assert "dropout" in english
    assert "드롭아웃" in korean
    assert derivation.check().ok
    diagram = gl.draw(model.loss, at=model.at({name: rows[:2] for name, rows in GIVEN.items()}), seed=5)
    assert "Bernoulli(0.6)" in diagram.to_svg()


def test_a_layer_without_a_rate_is_no_layer():
    x = gl.input("x", ("batch", 2))
    assert gl.nn.Dropout(0, name="none")(x) is x
    with pytest.raises(gl.OptionError, match="rate from 0 to below 1"):
        gl.nn.Dropout(1)
