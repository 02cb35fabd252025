"""The list in `tools/README.md` is whole, and names nothing that is not there."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[2] / "tools"


def test_every_tool_is_listed() -> None:
    first_table = (TOOLS / "README.md").read_text(encoding="utf-8").partition("\n## ")[0]
    listed = re.findall(r"^\| `([\w./]+)` \|", first_table, re.MULTILINE)
    programs = {path.name for path in TOOLS.glob("*.py")}
    folders = {f"{path.name}/" for path in TOOLS.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert sorted(listed) == sorted(programs | folders)


def test_every_command_of_run_is_listed() -> None:
    row = re.search(r"^\| `run.py` \|.*$", (TOOLS / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert row is not None
    commands = set(runpy.run_path(str(TOOLS / "run.py"))["COMMANDS"])
    assert commands == set(re.findall(r"`(\w+)`", row[0]))
