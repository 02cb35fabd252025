"""The runs that are timed: every peer here trains alike, masks are graphlearn's, products are products."""

from __future__ import annotations

import dataclasses
import os
import sys

import numpy as np
import pytest
from benchmark import masks, measure
from benchmark.peers import graphlearn_peer, numpy_hand, products
from benchmark.recipes import RECIPES, curve_name, recipe, workload

import graphlearn as gl


def short(name, steps):
    """The first steps of a run."""
    w = workload(name)
    return dataclasses.replace(w, steps=steps, order=None if w.order is None else w.order[:steps])


@pytest.mark.parametrize("base", [*RECIPES, "w3b2"])
def test_graphlearn_and_numpy_by_hand_train_alike(base):
    w = short(f"{base}-float64", 2 if base in ("W5", "W6") else 5)
    start, by_hand = w.final_loss(w.params), numpy_hand.prepare(w, "hand")
    reference = graphlearn_peer.prepare(w, "reference")
    loss = w.final_loss(by_hand.params(by_hand.run()))
    assert abs(loss - start) > 1e-7 * start, "nothing was learned, so nothing is compared"
    assert w.final_loss(reference.params(reference.run())) == pytest.approx(loss, rel=1e-9)


def test_a_run_starts_anew_each_time():
    run = numpy_hand.prepare(short("W3-float32", 4), "hand")
    first, again = (run.params(run.run()) for _ in range(2))
    assert all(np.array_equal(W, V) and np.array_equal(b, c) for (W, b), (V, c) in zip(first, again, strict=True))


@pytest.mark.parametrize("base", RECIPES)
def test_what_a_recipe_says_is_what_it_makes(base):
    about, w = RECIPES[base].about, workload(f"{base}-float32")
    assert f"{w.steps:,} steps" in about
    assert f"batch {w.batch}" in about or w.order is None
    assert w.dtype == "float32" and {a.dtype for layer in w.params for a in layer} == {np.dtype("float32")}
    assert [W.shape for W, _ in w.params] == list(zip(w.sizes[:-1], w.sizes[1:], strict=True))
    assert w.order is None or w.order.shape == (w.steps, w.batch)
    assert RECIPES[base].products == (min(w.sizes[1:-1], default=0) >= 32)


def test_a_point_of_the_curve_has_a_name():
    w = workload(f"{curve_name(64, 16)}-float32")
    assert (w.sizes, w.batch, w.X.shape, w.Y.shape) == ((64, 64, 64), 16, (16, 64), (16, 64))
    assert "64-64-64" in recipe("w64b16").about
    with pytest.raises(KeyError):
        recipe("w64")


# --- dropout ---------------------------------------------------------------------------------------------------------


def test_masks_are_those_that_graphlearn_draws():
    widths, rate = (7, 4), 0.3
    nodes = [gl.random.bernoulli(("batch", n), 1 - rate) for n in widths]
    x = gl.input("x", ("batch", 1))
    for step in (0, 5):
        drawn = gl.evaluate([gl.where(node, 1.0, 0.0) + 0 * x for node in nodes], {x: np.zeros((3, 1))}, step=step)
        for stream, (width, truths) in enumerate(zip(widths, drawn, strict=True)):
            assert np.array_equal(masks.keeps(6, 3, width, stream, rate)[step], truths.astype(bool))


def test_masks_keep_what_the_rate_says():
    truths = masks.keeps(100, 10, 50, 1, 0.2)
    assert truths.mean() == pytest.approx(0.8, abs=0.01)  # 50,000 truths: a deviation is 0.002
    assert truths[0].tobytes() != truths[1].tobytes()


def test_only_dropout_has_masks():
    assert workload("gelu-float32").masks == []
    w = short("dropout-float32", 2)
    assert [keep.shape for keep in w.masks] == [(2, 32, 128), (2, 32, 64)]


# --- the limit -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_are_those_of_a_step(dtype):
    run = products.prepare(short(f"W4-{dtype}", 1), "gemm")
    assert len(run.pointers) == 3 + 3 + 2  # forward, weights, all but the first layer's inputs
    assert run.distance(run) > 0.1  # nothing has been computed yet
    assert run.distance(run.run()) < measure.DISTANCES[dtype]
    run.gradients[1][3, 4] += 1
    assert run.distance(run) > measure.DISTANCES[dtype]


# --- processes -------------------------------------------------------------------------------------------------------


@pytest.fixture
def started():
    """Starts peers on any core and ends them."""
    peers = []

    def start(name):
        peers.append(measure.Peer(name, sys.executable, None))
        return peers[-1]

    yield start
    for peer in peers:
        peer.quit()


def test_peers_race_in_turns(started):
    peers = [started(name) for name in (measure.REFERENCE, "NumPy by hand", measure.LIMIT)]
    found = measure.race("w256b256-float64", peers, rounds=2, sample=0.0)
    assert list(found) == [peer.name for peer in peers]
    for times in found.values():
        assert (times.trouble, times.lacks) == ("", "")
        assert len(times.us) == len(times.clock) == 2
        assert times.median == pytest.approx(sum(times.us) / 2) and times.median > 0
        assert times.first > 0 and times.version
    again = measure.race("w256b128-float64", peers, rounds=1, sample=0.0)  # the same processes, another workload
    assert all(times.median for times in again.values())


def test_a_loss_that_is_not_the_references_does_not_count(started, monkeypatch):
    monkeypatch.setattr(measure, "reference_loss", lambda load: 123.0)
    times = measure.race("w256b256-float64", [started("NumPy by hand")], rounds=1, sample=0.0)["NumPy by hand"]
    assert times.median is None
    assert "instead of 123" in times.trouble


def test_a_peer_that_ends_is_named_and_the_others_go_on(started, monkeypatch, capfd):
    monkeypatch.setitem(measure.PEERS, "nobody", ("no_such_peer", "x", "numpy"))
    found = measure.race("w256b256-float64", [started("nobody"), started("NumPy by hand")], rounds=1, sample=0.0)
    assert found["nobody"].trouble == "nobody has ended; its last words are on standard error"
    assert found["NumPy by hand"].median
    assert "no_such_peer" in capfd.readouterr().err


def test_slow_peers_are_sampled_less_often(started, monkeypatch):
    monkeypatch.setattr(measure, "SLOW", 0.0)
    times = measure.race("w256b128-float64", [started("NumPy by hand")], rounds=5, sample=0.0)["NumPy by hand"]
    assert len(times.us) == measure.SLOW_ROUNDS


@pytest.mark.parametrize("kind", ["loss", "distance"])
@pytest.mark.parametrize("number", [1.001, float("nan")])
def test_a_wrong_end_is_told(kind, number):
    w = workload("W1-float64")
    assert measure.judge("graphlearn", {kind: number}, w, 1.0)
    assert measure.judge("graphlearn", {"loss": 1.0 + 1e-7}, w, 1.0) == ""
    assert measure.judge(measure.LIMIT, {"distance": 1e-15}, w, 1.0) == ""


def test_only_scikit_learn_may_end_elsewhere_with_adam():
    adam, sgd = workload("W3-float64"), workload("W1-float64")
    assert measure.judge(measure.OTHER_ADAM, {"loss": 1.05}, adam, 1.0) == ""
    assert measure.judge(measure.OTHER_ADAM, {"loss": 1.05}, sgd, 1.0)
    assert measure.judge("graphlearn", {"loss": 1.05}, adam, 1.0)


def test_peers_have_one_thread_and_no_setting_that_slows_them(monkeypatch):
    monkeypatch.setitem(os.environ, "OPENBLAS_CORETYPE", "Prescott")
    found = measure.environment()
    assert "OPENBLAS_CORETYPE" not in found
    assert {found[name] for name in measure.THREADS} == {"1"}
