"""Model.fit with a cache in every state that a machine may have it in: it always trains, and to the same bits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import os, sys
import numpy as np
import graphlearn as gl
if os.environ.get("FULL_DISK"):
    import errno
    def full(*given, **named):
        raise OSError(errno.ENOSPC, "No space left on device")
    os.replace = full
if os.environ.get("PRIVATE_PATH_GONE"):
    from graphlearn.backends.native import frontend
    def gone(*given):
        raise frontend.PrivatePathGone("gone")
    def unknown(*given):
        raise frontend.Unknown("anything")
    frontend._compile_own, frontend._compile_bare = unknown, gone
x, t = gl.input("x", ("batch", 3)), gl.input("t", "batch")
y = gl.sum(gl.nn.Dense(2, activation="tanh", name="line")(x), axis=1)
model = gl.Model(y, loss=gl.losses.mse(y, t), precision="float64")
data = {x: np.arange(15.0).reshape(5, 3) / 9, t: np.arange(5.0) / 4}
model.fit(data, optimizer=gl.optim.SGD(0.1), epochs=3, progress=False)
print(model._trainer._latest[2]._current.run.origin != "object cache", model.values["line/W"].tobytes().hex())
"""


def start(**environment):
    known = {k: v for k, v in os.environ.items() if k not in ("GRAPHLEARN_CACHE_DIR", "NUMBA_CACHE_DIR")}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, env={**known, **environment}, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip


def outcome(process):
    """Whether something was compiled, and the trained weights."""
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    compiled, weights = out.split()
    return compiled == "True", weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return outcome(start(GRAPHLEARN_CACHE_DIR=str(tmp_path_factory.mktemp("reference"))))[1]


def test_processes_that_train_at_once_all_succeed(tmp_path, weights):
    runs = [start(GRAPHLEARN_CACHE_DIR=str(tmp_path)) for _ in range(3)]
    assert [outcome(run)[1] for run in runs] == [weights] * 3
    assert outcome(start(GRAPHLEARN_CACHE_DIR=str(tmp_path))) == (False, weights)


def test_every_damaged_file_is_a_miss(tmp_path, weights):
    assert outcome(start(GRAPHLEARN_CACHE_DIR=str(tmp_path))) == (True, weights)
    for path in sorted((tmp_path / "objects").iterdir()):
        path.write_bytes(path.read_bytes()[:-5])
    assert outcome(start(GRAPHLEARN_CACHE_DIR=str(tmp_path))) == (True, weights)
    assert outcome(start(GRAPHLEARN_CACHE_DIR=str(tmp_path))) == (False, weights)


def test_a_folder_that_others_can_write_is_neither_read_nor_written(tmp_path, weights):
    assert outcome(start(GRAPHLEARN_CACHE_DIR=str(tmp_path)))[0]
    (tmp_path / "objects").chmod(0o777)
    before = sorted(p.stat().st_mtime_ns for p in (tmp_path / "objects").iterdir())
    assert outcome(start(GRAPHLEARN_CACHE_DIR=str(tmp_path))) == (True, weights)
    assert sorted(p.stat().st_mtime_ns for p in (tmp_path / "objects").iterdir()) == before


def test_no_home_a_place_in_the_way_a_full_disk_and_no_room_stop_nothing(tmp_path, weights):
    (tmp_path / "file").write_text("in the way")
    states = [
        {"HOME": "", "XDG_CACHE_HOME": "", "USERPROFILE": "", "LOCALAPPDATA": ""},
        {"GRAPHLEARN_CACHE_DIR": str(tmp_path / "file" / "cache")},
        {"GRAPHLEARN_CACHE_DIR": "/proc/nowhere"},
        {"GRAPHLEARN_CACHE_DIR": str(tmp_path / "full"), "FULL_DISK": "1"},
        {"GRAPHLEARN_CACHE_DIR": str(tmp_path / "none"), "GRAPHLEARN_CACHE_LIMIT": "0"},
    ]
    for state in states:
        assert outcome(start(**state)) == (True, weights), state
    assert not list(tmp_path.rglob("*.native")) and not list(tmp_path.rglob("*.tmp"))


def test_without_the_private_path_it_trains_too(tmp_path, weights):
    for _ in range(2):
        compiled, found = outcome(start(GRAPHLEARN_CACHE_DIR=str(tmp_path), PRIVATE_PATH_GONE="1"))
        assert compiled and len(found) == len(weights)
    (kept,) = (tmp_path / "objects").glob("*.numba")
    assert list(kept.rglob("*.nbc"))
