"""A place where nothing can be kept stops nothing, and is told."""

from __future__ import annotations

import errno
import os
import sys

import pytest

from graphlearn.backends.native import cache_clear, cache_info, store, trust
from tests.backends.native.stored import SOURCE, compiled, folder, origin, raising

__all__ = ["folder"]  # the fixtures


def test_a_place_that_cannot_be_written_stops_nothing(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GRAPHLEARN_CACHE_DIR", str(tmp_path / "file" / "cache"))
    function = compiled()
    assert function.origin == "memory" and function.note
    assert not cache_info().usable


def loop(path):
    path.symlink_to(path)
    return path


def refused(*needed):
    """Code is made in memory, and the note, the state of the cache and clearing it tell of the place."""
    assert cache_clear() == 0
    assert origin() == "memory"
    function = compiled()
    info = cache_info()
    assert function.origin == "memory" and not info.usable and info.files == 0
    assert all(text in function.note and text in info.reason for text in needed), (function.note, info.reason)
    assert cache_clear() == 0


def test_links_that_lead_to_themselves_stop_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAPHLEARN_CACHE_DIR", str(loop(tmp_path / "loop")))
    refused(str(tmp_path / "loop"))
    monkeypatch.setenv("GRAPHLEARN_CACHE_DIR", str(tmp_path / "loop" / "inner"))
    refused(str(tmp_path / "loop"))


def test_a_home_whose_cache_links_to_itself_stops_nothing(tmp_path, monkeypatch):
    for name in ("GRAPHLEARN_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    loop(tmp_path / ".cache")
    refused(str(tmp_path / ".cache"))


def test_a_loop_is_an_oserror_in_every_python(tmp_path):
    with pytest.raises(OSError) as raised:
        trust.resolved(loop(tmp_path / "loop"))
        trust.distrust(tmp_path / "loop") and os.stat(tmp_path / "loop")  # from 3.13 on, resolving lets it pass
    assert raised.value.errno == errno.ELOOP


def test_a_working_directory_that_is_gone_stops_nothing(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    monkeypatch.setenv("GRAPHLEARN_CACHE_DIR", "cache")
    refused("GRAPHLEARN_CACHE_DIR", "working directory")
    assert cache_info().directory is None


@pytest.mark.parametrize("place", ["/proc/graphlearn", "/dev/null", "/dev/null/cache", f"/tmp/{'x' * 300}"])
def test_a_place_that_cannot_be_made_is_told_before_anything_is_stored(monkeypatch, place):
    monkeypatch.setenv("GRAPHLEARN_CACHE_DIR", place)
    info = cache_info()
    assert not info.usable and info.reason
    refused("/")


@pytest.mark.parametrize("text", ["-1", "0.5", "many", "10MB", "²", "1e3", "nan"])
def test_a_limit_that_is_no_whole_number_stores_nothing_and_is_told(folder, monkeypatch, text):
    monkeypatch.setenv("GRAPHLEARN_CACHE_LIMIT", text)
    refused("GRAPHLEARN_CACHE_LIMIT", text)
    assert not folder.exists()


@pytest.mark.parametrize("text", ["9" * 4400, "9" * 4300, "0" * 4400 + "7", " 7 ", "9" * 13])
def test_a_limit_of_any_length_is_a_limit(monkeypatch, text):
    monkeypatch.setenv("GRAPHLEARN_CACHE_LIMIT", text)
    assert compiled().note == ""
    info = cache_info()
    assert info.usable and info.limit == (7 * 2**20 if "7" in text else sys.maxsize)


def test_no_home_stops_nothing(monkeypatch):
    for name in ("GRAPHLEARN_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert store.cache_root() is None
    assert "GRAPHLEARN_CACHE_DIR" in compiled().note
    assert cache_info().directory is None and not cache_info().usable


def test_an_empty_home_is_no_home(monkeypatch):
    for name in ("GRAPHLEARN_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "")
    assert store.cache_root() is None


@pytest.mark.parametrize("call", ["open", "replace"])
def test_a_full_disk_stops_nothing_and_leaves_nothing(folder, monkeypatch, call):
    def full(*given, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(store.os, call, full)
        assert "No space left" in compiled().note
    assert list(folder.iterdir()) == []
    info = cache_info()
    assert not info.usable and "No space left" in info.reason, "what the last store said"
    assert compiled(SOURCE + "\n").note == "" and cache_info().usable, "there is room again"


def test_a_disk_that_is_full_is_told_before_anything_is_stored(folder, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(store.os, "open", raising(OSError(errno.ENOSPC, "No space left on device")))
        assert not cache_info().usable and "No space left" in cache_info().reason
    assert cache_info().usable and not folder.exists(), "the look leaves nothing"
