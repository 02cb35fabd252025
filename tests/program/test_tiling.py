"""Tiles: what goes row by row is one step, sums over rows are outside, and all else says why not."""

from __future__ import annotations

import re

import pytest

import graphlearn as gl
from graphlearn.graph.traverse import leaves
from graphlearn.program.build import Batching, build_training
from graphlearn.program.program import Program
from graphlearn.program.steps import MatMul, Tile
from graphlearn.program.training import TrainingStep
from graphlearn.program.uses import reads_of, writes_of


def program(loss: gl.Node, data: list[gl.Node], objection: str = "", rows: int = 32) -> Program:
    updates = gl.optim.SGD(0.1).updates(loss, leaves([loss], "parameter"))
    step = TrainingStep(loss, updates, tuple(data), tuple(updates.hyperparameters.values()), "batch")
    return build_training(step, "float32", Batching(rows, True, True, {}, tiles=lambda tile: objection))


def tiles(made: Program) -> list[Tile]:
    return [step for step in made.steps if isinstance(step, Tile)]


def mlp(*, regularized: bool = False) -> Program:
    x, t = gl.input("x", ("batch", 3)), gl.input("t", "batch", "int64")
    network = gl.nn.MLP([4, 2], activation="tanh")(x)
    loss = gl.losses.cross_entropy(network, t)
    if regularized:
        loss = loss + 0.1 * sum(gl.sum(p * p) for p in leaves([loss], "parameter"))
    return program(loss, [x, t])


def test_a_network_is_one_tile_between_what_needs_no_row():
    made = mlp()
    (tile,) = tiles(made)
    assert sum(isinstance(step, MatMul) for step in tile.steps) == 5
    assert "rows" in made.sections
    assert all("batch" not in b.shape for step in made.steps for b in writes_of(step))
    before = made.steps.index(tile)
    assert set(made.sections[before + 1 :]) <= {"forward", "backward", "update"}
    assert set(made.sections[:before]).isdisjoint({"update"})


def test_scratch_of_rows_has_no_place_in_an_arena():
    made = mlp()
    assert all(b.slot is None or "batch" not in b.shape for b in made.buffers)
    inner = {b for tile in tiles(made) for step in tile.steps for b in (*reads_of(step), *writes_of(step))}
    assert any("batch" in b.shape and b.role == "value" for b in inner)


def test_sums_over_parameters_stand_beside_the_tile():
    assert len(tiles(mlp(regularized=True))) == 1


def test_updates_come_after_the_loss():
    made = mlp()
    loss = next(k for k, step in enumerate(made.steps) if made.loss in writes_of(step))
    kept = [k for k, step in enumerate(made.steps) if any(b.role == "kept" for b in writes_of(step))]
    assert min(kept) > loss


@pytest.mark.parametrize("kind", ["mean", "pairs", "sorted"])
def test_what_needs_other_rows_is_no_tile_and_says_why(kind):
    x = gl.input("x", ("batch", 3))
    w = gl.parameter("w", (3,))
    y = x * w
    losses = {
        "mean": lambda: gl.mean(gl.square(y - gl.mean(y, axis=0))),
        "pairs": lambda: gl.mean(y @ y.T),
        "sorted": lambda: gl.mean(gl.cumsum(y, axis=0)),
    }
    made = program(losses[kind](), [x])
    assert not tiles(made)
    assert any("rows are not taken in tiles: " in line for line in made.remarks)
    assert "rows are not taken in tiles" in made.describe()
    assert made.axes == ()


def test_a_backend_may_object():
    x, t = gl.input("x", ("batch", 3)), gl.input("t", ("batch", 1))
    loss = gl.losses.mse(gl.nn.MLP([1])(x), t)
    assert not tiles(program(loss, [x, t], objection="too long"))
    assert "rows are not taken in tiles: too long" in program(loss, [x, t], objection="too long").remarks


def test_the_listing_shows_what_a_tile_does():
    text = mlp().describe()
    assert re.search(r"^in all: \d+ \+ batch\*\d+ operations on numbers, [\d,]+ for a batch of", text, re.MULTILINE)
    assert "some rows of batch at once" in text
    assert text.count("MatMul") == 5
