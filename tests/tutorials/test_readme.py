"""The README: its example prints what it shows and saves the picture that it shows; its links lead somewhere."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType

import pytest

import graphlearn as gl
from graphlearn.cli.app import make_parser

ROOT = Path(__file__).resolve().parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_gallery", ROOT / "tools" / "make_gallery.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def made(tool: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp("readme")
    return tool.run_example(folder), folder


def test_the_two_commands_come_first() -> None:
    first = re.findall(r"^```\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)[0]
    assert first == "python tools/run.py demo\npython tools/run.py test\n"
    assert README.index(first) < README.index("```python")


def test_the_example_prints_what_is_shown(made: tuple[str, Path]) -> None:
    shown = re.search(r"^```text\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert shown is not None
    parts = [part.strip("\n") for part in shown[1].split("\n[...]\n")]
    assert len(parts) == 2
    for part in parts:
        assert len(part.splitlines()) >= 4
        assert part in made[0]


def test_the_example_is_short(tool: ModuleType) -> None:
    assert len([line for line in tool.example().splitlines() if line.strip()]) <= 16


def test_the_picture_is_what_the_example_saves(made: tuple[str, Path]) -> None:
    checked_in = ROOT / "tutorials" / "gallery" / "xor.svg"
    assert "](tutorials/gallery/xor.svg)" in README
    assert (made[1] / "xor.svg").read_bytes() == checked_in.read_bytes(), "run: python tools/make_gallery.py"
    ET.parse(checked_in)


def test_the_gallery_says_when_it_is_out_of_date(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tool, "GALLERY", tmp_path / "gallery")
    monkeypatch.setattr(tool, "example", lambda: "open('a.svg', 'w').write('<svg/>')")
    assert tool.main(["--check"]) == 1
    assert "tutorials/gallery/a.svg differs" in capsys.readouterr().out
    assert tool.main([]) == 0
    assert tool.main(["--check"]) == 0
    (tmp_path / "gallery" / "old.svg").write_text("", encoding="utf-8")
    assert tool.main(["--check"]) == 1


def test_links_lead_somewhere() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "tutorials" / "README.md"):
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).is_file(), f"{page.name}: {link}"


def test_names_that_are_promised_exist() -> None:
    for name in set(re.findall(r"`gl\.(\w+)", README)):
        assert hasattr(gl, name), name


def test_commands_that_are_shown_can_be_read() -> None:
    blocks = re.findall(r"^```\n(graphlearn .*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert blocks
    for line in blocks[0].splitlines():
        words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', line)]
        make_parser().parse_args(words[1:])


def test_a_shown_derivation_command_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "graphlearn", "derive", "sigmoid(w*x + b)", "--at", "w=2,x=3,b=-5"],
        cwd=ROOT, capture_output=True, encoding="utf-8", check=True,
    )  # fmt: skip
    assert "✗" not in done.stdout
    assert "0.5898" in done.stdout


def test_the_generated_code_is_what_is_shown(tool: ModuleType) -> None:
    shown = re.findall(r"^```text\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)[1]
    example = re.sub(r"^(gl\.draw|print).*$", "", tool.example().replace("10_000", "2"), flags=re.MULTILINE)
    names: dict[str, object] = {}
    exec(compile(example, "README.md", "exec"), names)
    model = names["model"]
    assert isinstance(model, gl.Model)
    parts = shown.split("        [...]\n")
    assert len(parts) == 2
    for part in parts:
        assert len(part.splitlines()) >= 4
        assert part in model.source
