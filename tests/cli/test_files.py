"""A file is whole or absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphlearn.cli.files import whole, write_whole
from graphlearn.errors import OptionError


def test_a_file_appears_whole(tmp_path: Path) -> None:
    path = write_whole(tmp_path / "c.txt", "한\n")
    assert path.read_bytes() == "한\n".encode()
    assert [p.name for p in path.parent.iterdir()] == ["c.txt"]


def test_a_folder_that_is_missing_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"--out needs a folder that is there; got .*b' is missing. Make the folder"):
        write_whole(tmp_path / "a" / "b" / "c.txt", "한\n")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_not_finished_leaves_the_old_one(tmp_path: Path) -> None:
    path = write_whole(tmp_path / "c.txt", "old")
    with pytest.raises(KeyboardInterrupt), whole(path) as draft:
        draft.write_text("half", encoding="utf-8")
        assert draft.name == path.name
        raise KeyboardInterrupt
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_wrote_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), whole(tmp_path / "c.txt"):
        pass
    assert list(tmp_path.iterdir()) == []
