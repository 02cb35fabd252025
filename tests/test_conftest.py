"""A skip fails where `GRAPHLEARN_NO_SKIPS` says that everything is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import pytest
from pytest import skip

def test_missing_part():
    skip("part not installed")

def test_no_gpu():
    skip("no CUDA device on this machine")

@pytest.mark.xfail(reason="known", strict=True)
def test_known():
    assert False

def test_good():
    pass
"""


def run(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "GRAPHLEARN"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(folder)],
        cwd=folder,
        env=environment | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(Path(__file__).parent / "conftest.py", tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (tmp_path / "test_cases.py").write_text(TESTS, encoding="utf-8")
    return tmp_path


def test_a_skip_is_a_skip_elsewhere(folder: Path) -> None:
    done = run(folder)
    assert done.returncode == 0, done.stdout
    assert "1 passed, 2 skipped, 1 xfailed" in done.stdout


def test_a_skip_fails_where_everything_is_installed(folder: Path) -> None:
    done = run(folder, GRAPHLEARN_NO_SKIPS="1")
    assert done.returncode == 1
    assert "1 failed, 1 passed, 1 skipped, 1 xfailed" in done.stdout
    assert "nothing may be missing here; yet: Skipped: part not installed" in done.stdout


def test_a_module_that_skips_itself_fails_too(folder: Path) -> None:
    text = "from pytest import skip\nskip('no such module', allow_module_level=True)\n"
    (folder / "test_cases.py").write_text(text, encoding="utf-8")
    done = run(folder, GRAPHLEARN_NO_SKIPS="1")
    assert done.returncode != 0
    assert "nothing may be missing here" in done.stdout
