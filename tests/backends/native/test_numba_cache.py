"""Where Numba's private path is gone, its own cache keeps what is compiled, with the same care."""

from __future__ import annotations

import os
import pickle
import stat

import numba.core.caching
import numba.core.codegen
import pytest

from graphlearn.backends.native import cache_clear, cache_info, frontend, store
from tests.backends.native.stored import BEYOND, SOURCE, compiled, folder, gone, numba_alone, origin, raising

__all__ = ["folder", "gone", "numba_alone"]  # the fixtures


@pytest.mark.parametrize("thing", ["pipe", "file", "link"])
def test_what_is_in_the_way_of_numbas_cache_is_removed(folder, gone, tmp_path, thing):
    compiled()
    (kept,) = folder.iterdir()
    kept.rename(tmp_path / "elsewhere")
    if thing == "pipe":
        os.mkfifo(kept)
    elif thing == "file":
        kept.write_text("in the way")
    else:
        kept.symlink_to(tmp_path / "elsewhere")
    assert origin() == "memory" and kept.is_dir() and not kept.is_symlink()
    assert origin() == "Numba's cache" and (tmp_path / "elsewhere" / "source.py").exists()


def test_numba_still_has_the_private_path():
    # When this fails, everything is compiled in memory: adapt frontend._compile_bare to the new Numba.
    function = compiled(BEYOND)
    assert function.note == "" and function.origin == "memory"
    assert hasattr(function._engine, "_get_compiled_object")


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (numba.core.codegen, "JITCPUCodegen"),
        (numba.core.codegen.CodeLibrary, "_get_compiled_object"),
    ],
)
def test_when_a_private_name_is_gone_it_is_compiled_nevertheless(monkeypatch, numba_alone, owner, name):
    frontend._codegen.cache_clear()
    monkeypatch.delattr(owner, name)
    assert origin() == "memory"
    assert "no access" in compiled().note
    frontend._codegen.cache_clear()


def test_without_the_private_path_numbas_own_cache_keeps_it(folder, gone):
    assert origin() == "memory"
    assert "no access" in compiled().note
    (kept,) = folder.iterdir()
    assert kept.suffix == ".numba" and {p.suffix for p in kept.rglob("*.nb*")} == {".nbi", ".nbc"}
    assert {stat.S_IMODE(p.stat().st_mode) for p in kept.rglob("*") if p.is_file()} == {0o600}
    assert origin() == "Numba's cache"
    assert origin(SOURCE + "\n") == "memory", "another source"
    assert cache_info().files == 2 and cache_info().size > 10_000
    assert cache_clear() == 2 and not list(folder.iterdir())
    assert origin() == "memory"


def test_numbas_cache_is_not_sought_elsewhere(folder, gone, monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "elsewhere"))
    assert origin() == "memory" and "NUMBA_CACHE_DIR" in compiled().note
    assert not list(tmp_path.rglob("*.nb*"))


def test_whatever_is_wrong_with_numbas_cache_is_a_miss(folder, gone):
    compiled()
    (kept,) = folder.iterdir()
    index, code = sorted(kept.rglob("*.nb*"), key=lambda path: path.suffix, reverse=True)
    damages = [lambda p: p.write_bytes(b""), lambda p: p.write_bytes(p.read_bytes()[:-7]), lambda p: p.unlink()]
    damages += [lambda p: p.write_bytes(b"\x80\x04K\x01."), lambda p: p.chmod(0o666), lambda p: _flip(p)]
    cases = [(index, damages), (code, damages[-1:]), (kept / "source.py", damages[-1:]), (kept / "sum", damages[:1])]
    for path, ways in cases:
        for damage in ways:
            assert origin() == "Numba's cache"
            damage(path)
            assert origin() == "memory"
    (kept / "__pycache__").chmod(0o770)
    assert origin() == "memory"


def _flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_what_unpickling_raises_and_a_failed_write_are_a_miss(gone, monkeypatch):
    compiled()
    for error in (pickle.UnpicklingError("bad"), EOFError("short"), AttributeError("gone"), OSError("full")):
        with monkeypatch.context() as patch:
            patch.setattr(numba.core.caching.IndexDataCacheFile, "load", raising(error))
            assert origin() == "memory"
            assert "Numba's cache failed" in compiled().note
        with monkeypatch.context() as patch:
            patch.setattr(numba.core.caching.IndexDataCacheFile, "save", raising(error))
            assert origin() == "memory"
    assert origin() == "memory", "it is kept again"
    assert origin() == "Numba's cache"


def test_without_a_place_numba_compiles_in_memory(folder, gone, monkeypatch, tmp_path):
    monkeypatch.setenv("GRAPHLEARN_CACHE_LIMIT", "0")
    assert origin() == "memory" and "limit is 0" in compiled().note and not folder.exists()
    monkeypatch.delenv("GRAPHLEARN_CACHE_LIMIT")
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GRAPHLEARN_CACHE_DIR", str(tmp_path / "file" / "cache"))
    assert origin() == "memory" and compiled().note


def test_numbas_cache_is_evicted_too(folder, gone):
    compiled()
    (kept,) = folder.iterdir()
    os.utime(kept, (0, 0))
    size = cache_info().size
    store._evict(folder, size)
    assert kept.exists()
    store._evict(folder, size - 1)
    assert not kept.exists()
