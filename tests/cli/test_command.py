"""Advice that can be copied: the program is named as the shell here finds it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from graphlearn.cli.command import VARIABLE, own_command


@pytest.fixture(autouse=True)
def _started_by_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


def test_as_the_starter_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, ".venv/bin/graphlearn")
    assert own_command() == ".venv/bin/graphlearn"


def test_the_name_where_the_shell_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphlearn.cli.command.shutil.which", lambda name: f"/bin/{name}")
    assert own_command() == "graphlearn"


def test_else_this_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("graphlearn.cli.command.shutil.which", lambda name: None)
    monkeypatch.setattr("graphlearn.cli.command.os.name", "posix")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "my env" / "python"))
    assert own_command().endswith("my env/python' -m graphlearn")
    monkeypatch.chdir(tmp_path)
    assert own_command() == "'my env/python' -m graphlearn"
