"""What is kept is never trusted where it is damaged or where another could have written it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from graphlearn.backends.native import cache_clear, cache_info, store, trust
from tests.backends.native.stored import compiled, folder, only_file, origin, raising

__all__ = ["folder"]  # the fixtures


def test_a_damaged_file_is_a_miss(folder):
    compiled()
    path = only_file(folder)
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    damaged = [b"", whole[:10], whole[:100], whole[:-1], whole + b"x", b"\0" * len(whole)]
    for at in random.integers(0, len(whole), 60):
        damaged.append(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    for content in damaged:
        path.write_bytes(content)
        assert store.load(path.stem) is None
    assert origin() == "memory", "it is compiled again and put in place of the damaged one"
    assert store.load(path.stem) is not None


def test_a_file_under_another_identity_is_a_miss(folder):
    compiled()
    path = only_file(folder)
    path.rename(path.with_name("0" * 64 + ".native"))
    assert store.load("0" * 64) is None


def test_a_well_formed_file_of_another_shape_is_a_miss(folder):
    compiled()
    path = only_file(folder)
    for header in (b"[]", b"{}", b"nonsense", b'{"identity": "x"}'):
        body = len(header).to_bytes(8, "little") + header
        path.write_bytes(store.MAGIC + store.hashlib.sha256(body).digest() + body)
        assert store.load(path.stem) is None


def test_a_link_or_a_file_that_others_can_write_is_a_miss(folder, tmp_path):
    compiled()
    path = only_file(folder)
    path.chmod(0o620)
    assert store.load(path.stem) is None
    path.chmod(0o600)
    assert store.load(path.stem) is not None
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert store.load(path.stem) is None


@pytest.mark.parametrize("writable", ["cache/objects", "cache", "."])
@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_a_folder_that_others_can_write_is_not_used(folder, tmp_path, writable, mode):
    compiled()
    place = tmp_path / writable
    place.chmod(mode)
    try:
        assert origin() == "memory"
        function = compiled()
        assert "others can write" in function.note and "chmod go-w" in function.note
        info = cache_info()
        assert not info.usable and info.files == 0 and str(place.resolve()) in info.reason
        assert cache_clear() == 0
    finally:
        place.chmod(0o700)
    assert cache_info().files == 1


def test_a_sticky_folder_may_be_a_parent_but_not_the_place_itself(folder, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o1777)
    assert compiled().note == ""
    assert origin() == "object cache"
    folder.chmod(0o1777)
    assert "others can write" in trust.distrust(folder.resolve())


def test_a_folder_of_another_user_is_not_used(folder, monkeypatch):
    compiled()
    monkeypatch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)
    assert origin() == "memory"
    assert "belongs to another user" in cache_info().reason


@pytest.mark.parametrize("thing", ["pipe", "device", "folder", "link", "loop"])
def test_what_is_no_plain_file_in_place_of_an_object_is_a_miss_and_not_opened(folder, tmp_path, monkeypatch, thing):
    compiled()
    path = only_file(folder)
    path.unlink()
    if thing == "pipe":
        os.mkfifo(path)
    elif thing == "folder":
        path.mkdir()
    else:
        path.symlink_to({"device": Path("/dev/zero"), "link": tmp_path, "loop": path}[thing])
    with monkeypatch.context() as patch:
        patch.setattr(trust.os, "open", raising(AssertionError("it was opened")))
        assert store.load(path.stem) is None
    assert origin() == "memory"
    assert origin() == ("memory" if thing == "folder" else "object cache"), "all but a folder is replaced"
    assert cache_clear() == 1 and origin() == "memory" and origin() == "object cache"
