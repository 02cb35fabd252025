"""A training loop is found again by its graph: what could change its code changes the key, and nothing else does."""

from __future__ import annotations

import dataclasses
import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.backends.native import recall
from graphlearn.backends.numba import identity, planner
from graphlearn.backends.numba.identity import Request, identify_training
from graphlearn.backends.numba.layout import pack, unpack

ROOT = Path(__file__).parents[3]
REQUEST = Request("float32", 16, False, True, {})


def network(
    *, width=3, features=2, activation="tanh", scope="a", name="w", scale=1.5, table=(1.0, 2.0), dtype="float64",
    value=None, rate=0.1, optimizer=None, loss=gl.losses.mse, state=0.0, swish=None, mask=0.5, axis_name="batch",
):  # fmt: skip
    """A training step in which each argument can be changed alone."""
    x = gl.input("x", (axis_name, features), dtype)
    t = gl.input("t", (axis_name,))
    with gl.scope(scope):
        w = gl.parameter(name, (features, width), value=value)
    h = getattr(gl, activation)(x @ w) * scale
    h = h if swish is None else swish(h)
    h = gl.dropout(h, mask) if mask else h
    y = gl.sum(h, axis=1) * gl.sum(gl.constant(table)) + gl.state("c", (), state)
    model = gl.Model(y, loss=loss(y, t), precision="float32")
    return model._trainer.plan(optimizer or gl.optim.SGD(rate)).step


def key(step=None, request=REQUEST, **changes):
    found = identify_training(step or network(**changes), request, planner.tell_expanded)
    return None if found is None else found[0]


def swish(slope):
    return gl.elementwise("my_swish", formula=lambda m, x: x / (1 + m.exp(-x * slope)))


def test_equal_networks_have_equal_keys():
    assert key() == key() is not None
    assert key(rate=0.2) == key(), "hyperparameters never compile anew"
    assert key(value=[[1.0, 2, 3], [4, 5, 6]]) == key(), "nor do initial values"
    assert key(state=2.0) == key()
    assert key(swish=swish(1.0)) == key(swish=swish(1.0))


CHANGES = [
    {"width": 4}, {"features": 3}, {"activation": "sin"}, {"activation": "relu"}, {"scope": "b"}, {"name": "v"},
    {"scale": 1.25}, {"scale": np.float32(1.5)}, {"scale": np.float64(1.5)}, {"scale": -1.5}, {"scale": 2},
    {"scale": 2.0}, {"scale": 0.0}, {"scale": -0.0}, {"scale": np.nextafter(1.5, 2)}, {"scale": True},
    {"table": (1.0, 3.0)}, {"table": np.float32([1, 2])}, {"table": (1, 2)}, {"table": ((1.0, 2.0),)},
    {"dtype": "float32"},
    {"optimizer": gl.optim.SGD(0.1, momentum=0.9)}, {"optimizer": gl.optim.Adam(0.1)},
    {"loss": gl.losses.mae}, {"mask": None}, {"mask": 0.25}, {"axis_name": "rows"},
    {"swish": lambda h: swish(1.0)(h)}, {"swish": lambda h: swish(2.0)(h)},  # defined when a test asks for it
]  # fmt: skip


def test_whatever_changes_the_code_changes_the_key():
    keys = [key(), *(key(**change) for change in CHANGES)]
    same = [(a, b) for (a, x), (b, y) in itertools.combinations(zip([{}, *CHANGES], keys, strict=True), 2) if x == y]
    assert None not in keys and not same


@pytest.mark.parametrize(
    "change",
    [
        {"precision": "float64"},
        {"rows": 17},
        {"full": True},
        {"gather": False},
        {"sizes": {"n": 3}},
        {"sizes": {"n": 4}},
    ],
)
def test_what_is_asked_for_is_in_the_key(change):
    assert key(request=REQUEST._replace(**change)) != key()
    assert key(request=REQUEST._replace(sizes={"n": 3})) != key(request=REQUEST._replace(sizes={"n": 4}))


def test_the_order_of_updates_and_every_field_of_a_step_count():
    step = network()
    assert key(network()) == key(step)
    for name, value in {
        "axis": "rows",
        "scalars": (),
        "data": step.data[::-1],
        "names": {},
    }.items():
        assert key(_changed(step, **{name: value})) != key(step), name
    momentum = network(optimizer=gl.optim.SGD(0.1, momentum=0.9))
    turned = dict(reversed(momentum.updates.items()))
    assert key(_changed(momentum, updates=turned)) != key(momentum)


def _changed(step, **changes):
    return dataclasses.replace(step, **changes)


def test_a_formula_counts_by_what_it_computes_not_by_its_name():
    first = network(swish=swish(1.0))
    second = network(swish=swish(2.0))  # of the same name
    assert key(first) != key(second)
    slope = 1.0
    closure = gl.elementwise("my_closure", formula=lambda m, x: x * slope)
    before = key(network(swish=closure))
    slope = 3.0
    again = gl.elementwise("my_closure", formula=lambda m, x: x * slope)
    assert key(network(swish=again)) != before


def test_versions_and_files_are_in_the_key(monkeypatch):
    before = key()
    monkeypatch.setattr(np, "__version__", "0.0")
    assert key() != before
    monkeypatch.undo()
    assert key() == before
    monkeypatch.setattr(identity, "GENERATOR", ("graph", "ops", "program", "backends", "backends/numba"))
    assert key() not in (before, None)
    monkeypatch.setattr(identity, "IMPORTED", 0.0)
    assert key() is None, "the files are newer than what was imported"


def test_the_generator_is_all_that_plans_and_writes():
    """Every module of ours that the planner imports and that decides what it makes is in the fingerprint."""
    program = """
import sys
import graphlearn.backends.numba.planner
print(*sorted(n for n in sys.modules if n.startswith("graphlearn.")))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    folders = {"/".join(name.split(".")[1:-1]) for name in done.stdout.split()}
    used = {folder for folder in folders if folder.split("/")[0] in ("graph", "ops", "program", "backends")}
    covered = set(identity.GENERATOR) | {
        "backends/native",
        "backends/numpy",
    }  # native has its own; numpy generates none
    assert used <= covered | {""}


def test_what_cannot_be_told_is_planned_each_time():
    assert key(table=np.zeros(200_000)) is None
    assert key(table=np.zeros(100_000)) is not None


def test_a_layout_comes_back_as_it_was():
    step = network(mask=None)
    _, telling = identify_training(step, REQUEST, planner.tell_expanded)
    _, _, layout = planner.compile_training(step, REQUEST)
    again = unpack(pack(layout, telling.numbers), telling.nodes)
    assert again.arenas == layout.arenas and again.padded == layout.padded and again.places == layout.places
    assert all(
        (a.arena, a.start, a.array.tobytes()) == (b.arena, b.start, b.array.tobytes())
        for a, b in zip(again.constants, layout.constants, strict=True)
    )
    assert unpack({}, telling.nodes) is None and unpack([], telling.nodes) is None


PROGRAM = """
import sys
import numpy as np
import graphlearn as gl
x, t = gl.input("x", ("batch", 4)), gl.input("t", "batch", "int64")
h = gl.dropout(gl.nn.MLP((5, 3), activation="tanh")(x * gl.constant(np.linspace(0.5, 1.0, 4))), 0.1)
model = gl.Model(h, loss=gl.losses.cross_entropy(h, t), precision="float64")
stream = np.random.default_rng(0)
data = {x: stream.normal(size=(37, 4)), t: stream.integers(0, 3, 37)}
history = model.fit(data, optimizer=gl.optim.Adam(0.01), epochs=2, batch_size=SIZE, progress=False)
compiled = model._trainer._latest[2]._current.run.origin != "object cache"
planned = "graphlearn.backends.numba.planner" in sys.modules, compiled
print(*planned, history.losses.tobytes().hex(), hash(tuple(model.describe().splitlines())), hash(model.source))
"""


@pytest.mark.parametrize("size", [None, 16])
def test_a_later_process_plans_nothing_and_gets_the_same_bits(tmp_path, size):
    runs = [_run(PROGRAM.replace("SIZE", str(size)), tmp_path, seed) for seed in ("0", "0")]
    assert runs[0][:2] == ["True", "True"] and runs[1][:2] == ["False", "False"]
    assert runs[0][2:] == runs[1][2:], "losses, description and source"
    assert _run(PROGRAM.replace("SIZE", str(size)), tmp_path, "1")[:3] == runs[1][:3], "in whatever order sets are"
    changed = PROGRAM.replace("SIZE", str(size)).replace("0.5, 1.0, 4", "0.5, 1.1, 4")
    run = _run(changed, tmp_path, "0")
    assert run[:2] == ["True", "False"] and run[2] != runs[1][2], (
        "another constant: planned, though the code is the same"
    )


def _run(program, folder, seed):
    environment = {**os.environ, "GRAPHLEARN_CACHE_DIR": str(folder), "PYTHONHASHSEED": seed}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_recalling_asks_for_nothing_that_is_not_there():
    assert recall(key() or "") is None
