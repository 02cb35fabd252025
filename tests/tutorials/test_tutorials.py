"""Every tutorial runs, in both languages, without a screen, and keeps its promises (which it asserts itself)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPTS = sorted(path.name for path in (ROOT / "tutorials").glob("[0-9][0-9]_*.py"))
HANGUL = re.compile("[가-힣]")


def run(script: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script), *arguments],
        capture_output=True, encoding="utf-8", timeout=120, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_there_are_tutorials() -> None:
    assert SCRIPTS[:2] == ["01_xor.py", "02_linear_regression.py"]


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_tutorial_runs_and_says_what_to_look_at(script: str, language: str, tmp_path: Path) -> None:
    lifted = tmp_path / script  # a script needs nothing from its folder
    lifted.write_bytes((ROOT / "tutorials" / script).read_bytes())
    out = run(lifted, "--language", language)
    assert ("Look:" if language == "en" else "살펴보기:") in out
    assert bool(HANGUL.search(out)) == (language == "ko")
    assert "✗" not in out
    assert "\x1b" not in out
    figures = list((tmp_path / "out").glob("*.svg"))
    assert figures
    for figure in figures:
        ET.parse(figure)
        assert figure.name in out


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_tutorial_is_cells_and_listed(script: str) -> None:
    text = (ROOT / "tutorials" / script).read_text(encoding="utf-8")
    assert len(re.findall(r"^# %% \w", text, re.MULTILINE)) >= 4
    assert len(re.findall(r"^assert ", text, re.MULTILINE)) >= 3
    assert f"`{script}`" in (ROOT / "tutorials" / "README.md").read_text(encoding="utf-8")


def test_an_unknown_language_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tutorials" / SCRIPTS[0]), "--language", "fr"],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 2
    assert "invalid choice" in done.stderr
