"""For tests of what is compiled and kept: one small source, a cache of each test's own, and other processes."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import numba.core.config
import numpy as np
import pytest

from graphlearn.backends.native import Signature, compile_native, frontend
from graphlearn.backends.native.expressions import Unknown

ROOT = Path(__file__).parents[3]
SOURCE = "def run(A, n):\n    for i in range(n):\n        A[i] = ftanh_f64(A[i])\n    return n\n"
BEYOND = SOURCE.replace("ftanh_f64", "math.tanh")  # our own front end does not know it
SIGNATURE = Signature(("float64*", "int64"), "int64")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty cache of this test's own; no function of another test stays in memory."""
    gc.collect()
    monkeypatch.setenv("GRAPHLEARN_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "objects"


def compiled(source=SOURCE, **options):
    """Compile, or load: nothing of this source is left in memory."""
    gc.collect()
    return compile_native(source, "run", SIGNATURE, **options)


def origin(source=SOURCE, **options):
    """Where the function came from; it computes what it should."""
    function = compiled(source, **options)
    a = np.array([0.5, -1.0])
    assert function(a, 2) == 2 and np.allclose(a, np.tanh([0.5, -1.0]))
    return function.origin


def only_file(folder):
    """The one object that is stored."""
    (path,) = folder.glob("*.native")
    return path


PROGRAM = f"""
import sys
import numpy as np
from graphlearn.backends.native import Signature, compile_native
function = compile_native({SOURCE!r}, "run", Signature(("float64*", "int64"), "int64"))
a = np.array([0.5, -1.0])
assert function(a, 2) == 2 and np.allclose(a, np.tanh([0.5, -1.0]))
print(function.origin, *sorted(m for m in ("numba", "scipy", "scipy.linalg") if m in sys.modules))
"""


def start(program=PROGRAM, **environment):
    """Run a program in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def outcome(process):
    """The words that it printed."""
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out.split()


@pytest.fixture
def numba_alone(monkeypatch):
    """Our own front end knows nothing."""

    def compile_own(*given):
        raise Unknown("anything")

    monkeypatch.setattr(frontend, "_compile_own", compile_own)


@pytest.fixture
def gone(monkeypatch, numba_alone):
    """A Numba without the names that only the private path uses."""

    def compile_bare(*given):
        raise frontend.PrivatePathGone("gone")

    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(numba.core.config, "CACHE_DIR", "")
    monkeypatch.setattr(frontend, "_compile_bare", compile_bare)


def raising(error):
    """A function that raises it, whatever it is given."""

    def fail(*given, **named):
        raise error

    return fail
