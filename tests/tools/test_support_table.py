"""The committed table of operations and backends is what the registries say, and it can say no."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from graphlearn.backends import rows
from graphlearn.graph.op import OPS


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "tools" / "support_table.py"
    spec = importlib.util.spec_from_file_location("support_table", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_is_current(tool: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.main(["--check"]) == 0, capsys.readouterr().err


def test_a_table_that_is_not_current_is_told(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tool, "table", lambda: "new\n")
    monkeypatch.setattr(tool, "FILE", tmp_path / "support.md")
    tool.FILE.write_text("old\n", encoding="utf-8")
    assert tool.main(["--check"]) == 1
    assert "--write" in capsys.readouterr().err
    assert tool.main(["--write"]) == 0
    assert tool.FILE.read_text(encoding="utf-8") == "new\n"
    assert tool.main(["--check"]) == 0


def test_a_row_that_is_missing_shows(tool: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tool.cell(OPS["tanh"], "numba") == "all"
    monkeypatch.delitem(rows.CPU.of("float32"), "tanh")
    assert tool.cell(OPS["tanh"], "numba") == "–"  # float64 has the same row
    assert tool.cell(OPS["tanh"], "cuda") == "all"
    monkeypatch.delitem(rows.CPU.of("int64"), "maximum")
    assert tool.cell(OPS["maximum"], "numba") == "bool, float32, float64 only"


def test_the_readme_counts_the_operations_of_the_table(tool: ModuleType) -> None:
    readme = (tool.FILE.parents[1] / "README.md").read_text(encoding="utf-8")
    told = re.search(r"^\| operations \| (\d+) of them", readme, re.MULTILINE)
    assert told is not None
    assert int(told[1]) == len(re.findall(r"^\| `\w+` \|", tool.table(), re.MULTILINE))
