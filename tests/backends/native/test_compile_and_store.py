"""What is compiled is kept, and found again without Numba, by other processes too."""

from __future__ import annotations

import gc
import os
import platform
import stat
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from graphlearn.backends.native import (
    Signature,
    cache_clear,
    cache_info,
    compile_native,
    recall,
    remember,
    store,
    texts,
    trust,
)
from graphlearn.errors import EngineError
from tests.backends.native.stored import BEYOND, PROGRAM, SOURCE, compiled, folder, only_file, origin, outcome, start

__all__ = ["folder"]  # the fixtures


def test_an_object_is_stored_and_found_again(folder):
    first = compiled()
    assert (first.origin, first.note, first.source) == ("memory", "", SOURCE)
    assert compiled() is first, "while it lives, it is the same object"
    del first
    again = compiled()
    assert (again.origin, again.source) == ("object cache", SOURCE)
    assert stat.S_IMODE(only_file(folder).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_everything_that_decides_the_code_is_in_the_key(monkeypatch):
    assert origin() == "memory"
    assert origin(SOURCE + "\n") == "memory"
    assert origin(fast=True) == "memory"
    monkeypatch.setenv("NUMBA_OPT", "2")
    assert origin() == "memory"
    monkeypatch.delenv("NUMBA_OPT")
    assert origin() == origin(fast=True) == "object cache"
    assert compile_native(SOURCE, "run", Signature(("float64*", "int32"), "int64")).origin == "memory"


def test_a_function_is_found_by_what_it_was_made_of(folder):
    function = compiled()
    remember("network 1", function, {"starts": [0, 64], "name": "h1"})
    found = recall("network 1")
    assert found == (function, {"starts": [0, 64], "name": "h1"}) and found[0] is function
    del function, found
    gc.collect()
    function, notes = recall("network 1")
    assert (function.origin, function.source, notes["starts"]) == ("object cache", SOURCE, [0, 64])
    a = np.array([0.5])
    assert function(a, 1) == 1 and np.allclose(a, np.tanh(0.5))
    assert recall("network 2") is None and recall(SOURCE) is None
    assert cache_info().files == 2


def test_notes_without_their_object_or_damaged_are_a_miss(folder):
    function = compiled()
    remember("network 1", function, [])
    notes, code = sorted(folder.glob("*.native"), key=lambda path: path.stat().st_size)
    whole = code.read_bytes()
    del function
    gc.collect()
    code.write_bytes(whole[:-1])
    assert recall("network 1") is None
    code.write_bytes(whole)
    assert recall("network 1") is not None
    for text in ("", "[]", "{}", '{"identity": "x", "entry": "run", "parameters": ["float128*"], "notes": 0}'):
        store.save(notes.stem, store.StoredObject(text, "", frozenset(), b""))
        assert recall("network 1") is None
    notes.unlink()
    assert recall("network 1") is None


def test_nothing_is_noted_of_a_function_that_is_not_stored(folder, monkeypatch):
    monkeypatch.setenv("GRAPHLEARN_CACHE_LIMIT", "0")
    remember("network 1", compiled(), [])
    monkeypatch.delenv("GRAPHLEARN_CACHE_LIMIT")
    assert recall("network 1") is None and not folder.exists()


def test_files_that_changed_since_they_were_imported_have_no_fingerprint(tmp_path):
    (tmp_path / "rules").mkdir()
    path = tmp_path / "rules" / "one.py"
    path.write_text("x = 1")
    later = time.time() + 5
    first = texts.fingerprint(str(tmp_path), ("rules",), later)
    assert len(first) == 64 and first == texts.fingerprint(str(tmp_path), ("rules/one.py",), later)
    assert texts.fingerprint(str(tmp_path), ("rules",), time.time() - 5) == ""
    assert texts.fingerprint(str(tmp_path), ("rules", "gone"), later) == ""
    path.write_text("x = 2")
    texts.fingerprint.cache_clear()
    assert texts.fingerprint(str(tmp_path), ("rules",), later) not in ("", first)


def test_a_fresh_process_loads_without_numba():
    compiled()
    assert outcome(start()) == ["object", "cache"]


def test_the_import_alone_loads_neither_numba_nor_llvmlite_nor_scipy():
    program = """
import sys
import graphlearn.backends.native
print(*sorted({"numba", "llvmlite", "scipy", "sympy"} & set(sys.modules)))
"""
    assert outcome(start(program)) == []


def test_numba_stays_whole_where_scipy_was_spared():
    program = f"""
{PROGRAM.replace("ftanh_f64", "math.tanh")}
import numba
a = np.arange(6.0).reshape(2, 3)
assert np.allclose(numba.njit(lambda a: np.dot(a, a.T))(a), a @ a.T)
"""
    found = outcome(start(program))
    assert found[:2] == ["memory", "numba"] and "scipy.linalg" not in found, "it is imported for np.dot alone"


def test_two_processes_compile_the_same_thing_at_once(folder):
    for found in [outcome(process) for process in (start(), start())]:
        assert found[0] == "memory" or found == ["object", "cache"]
    assert origin() == "object cache"
    assert [p.suffix for p in folder.iterdir()] == [".native"]


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.delenv("GRAPHLEARN_CACHE_DIR")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert store.cache_root() == tmp_path / "graphlearn"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setattr(os.path, "expanduser", lambda path: str(tmp_path))
    assert store.cache_root() == tmp_path / ".cache" / "graphlearn"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert store.cache_root() == tmp_path / "Library" / "Caches" / "graphlearn"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "Local"))
    assert store.cache_root() == tmp_path / "Local" / "graphlearn"
    assert trust.distrust(tmp_path / "Local") == ""
    assert "outside" in trust.distrust(Path("/elsewhere"))


def test_the_oldest_are_removed_when_the_cache_is_full(folder, monkeypatch):
    stored = store.StoredObject("text", "symbol", frozenset(), b"x" * 300_000)
    monkeypatch.setenv("GRAPHLEARN_CACHE_LIMIT", "1")
    for age, name in ((400, "a"), (300, "b"), (200, "c")):
        assert store.save(name, stored) == ""
        os.utime(folder / f"{name}.native", (time.time() - age,) * 2)
    assert store.load("a") == stored, "use makes it young again"
    left_behind = folder / "dead.1.2.tmp"
    left_behind.write_bytes(b"half")
    os.utime(left_behind, (time.time() - 2 * store.ABANDONED,) * 2)
    assert store.save("d", stored) == ""
    assert sorted(p.name for p in folder.iterdir()) == ["a.native", "c.native", "d.native"]
    info = cache_info()
    assert info.files == 3 and 900_000 < info.size <= info.limit == 2**20
    assert "limit" in store.save("e", store.StoredObject("", "", frozenset(), b"x" * 2**20))


def test_a_limit_of_zero_stores_nothing(folder, monkeypatch):
    monkeypatch.setenv("GRAPHLEARN_CACHE_LIMIT", "0")
    assert "limit" in compiled().note
    assert not folder.exists()


def test_info_and_clear(folder):
    assert cache_info() == store.CacheInfo(folder, True, "", 0, 0, store.LIMIT)
    function = compiled()
    info = cache_info()
    assert info.usable and info.files == 1 and info.size == only_file(folder).stat().st_size
    assert cache_clear() == 1 and cache_info().files == 0
    a = np.array([0.5])
    assert function(a, 1) == 1, "what is loaded stays usable"


def test_numba_switched_off_is_told(monkeypatch):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    with pytest.raises(EngineError, match="NUMBA_DISABLE_JIT"):
        compiled()


def test_numba_missing_is_told_where_it_is_needed(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    assert origin() == "memory"
    with pytest.raises(EngineError, match="pip install numba"):
        compiled(BEYOND)


X86 = {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": "+sse2"}
OLDEST_CPU = {"x86_64": X86, "AMD64": X86}  # ARM fuses products on every 64-bit CPU


def test_the_oldest_cpu_without_fused_products_is_right_too():
    program = """
from tools.vector_math import SUFFIX, is_slow, largest_error
from graphlearn.backends.native.vector_math import LARGEST_ERRORS
for name, limits in LARGEST_ERRORS.items():
    for dtype, limit in zip(SUFFIX, limits):
        count = 1_000 if dtype == "float64" and is_slow(name) else 20_000
        assert largest_error(name, dtype, count)[0] <= limit, (name, dtype)
print("right")
"""
    assert outcome(start(program, **OLDEST_CPU.get(platform.machine(), {}))) == ["right"]
