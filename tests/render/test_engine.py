"""Engines: found wherever they are installed, named in the result, and clear about what is missing."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from graphlearn.errors import EngineError, OptionError
from graphlearn.render import engine as engines
from graphlearn.render.engine import ENGINES, VARIABLE, find_engine, render_pdf, render_svg
from graphlearn.render.svg import texts
from tests.render import golden
from tests.render.network import network

SMALL = 'digraph { a [id="node-a" tooltip="tip" label="x₁"]; b; a -> b [id="edge-a-b" label="(N,2)"] }'


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Name each engine in turn; a machine without Graphviz itself tests only the other."""
    name = str(request.param)
    if name == "dot" and shutil.which("dot") is None:
        pytest.skip("Graphviz's dot is not installed")
    return name


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Make a machine that has neither engine, and return the one folder on its PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(engines, "_wheel_scripts", lambda name: iter(()))
    return tmp_path


def script(folder: Path, name: str, body: str) -> None:
    """Put a program into a folder."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_the_result_names_its_engine(engine: str) -> None:
    rendered = render_svg(SMALL, engine)
    assert rendered.engine_name == engine
    assert rendered.engine_version[0].isdigit()


def test_the_svg_can_stand_in_a_page(engine: str) -> None:
    svg = render_svg(SMALL, engine, title="A <title> & more", description="한 문장", language="ko").svg
    root = ET.fromstring(svg)
    assert svg.startswith("<svg ") and "<!" not in svg and "<?" not in svg
    assert root.get("role") == "img" and root.get("lang") == "ko"
    title, description = root[0], root[1]
    assert (title.text, description.text) == ("A <title> & more", "한 문장")
    assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    families = root.get("font-family", "")
    assert families.startswith("'DejaVu Sans'") and families.endswith("sans-serif") and "'Malgun Gothic'" in families
    assert "Times" not in svg
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids)) and {"node-a", "edge-a-b"} <= set(ids)
    assert list(texts(svg)) == ["x₁", "b", "(N,2)"]
    group = next(element for element in root.iter() if element.get("id") == "node-a")
    assert [child.text for child in group if child.tag.endswith("title")] == ["tip"]


def test_the_same_source_gives_the_same_bytes(engine: str) -> None:
    source = network().to_dot()
    with ThreadPoolExecutor(4) as pool:
        pictures = list(pool.map(lambda _: render_svg(source, engine).svg, range(8)))
    assert set(pictures) == {render_svg(source, engine).svg}


def test_golden_picture() -> None:
    rendered = render_svg(network().to_dot(), "graphviz-pure", title="XOR", description="A network of two layers.")
    golden.check("network.svg", rendered.svg + "\n")


def test_lines_of_cards_can_be_found(engine: str) -> None:
    root = ET.fromstring(render_svg(network().to_dot(), engine).svg)
    group = next(element for element in root.iter() if element.get("id") == "node-z1")
    assert group.get("class") == "node operation"
    lines = {element.get("class"): "".join(element.itertext()) for element in group.iter() if element.get("class")}
    assert lines["line-name"] == "z₁" and lines["line-definition"].strip() == "= x W₁ + b₁"
    assert lines["line-value"].startswith("[ 0.1000") and lines["line-gradient"].startswith("∂L [ 0.0935")


def test_engines_are_found_without_a_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(VARIABLE, raising=False)
    found = find_engine()
    assert found.name == "graphviz-pure" and os.path.isabs(found.path)
    assert found.version == metadata.version("graphviz-pure")
    assert render_svg(SMALL).engine_name == "graphviz-pure"


def test_dot_comes_first_and_a_variable_can_say_otherwise(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENGINES:
        script(bare, name, f"echo '{name} - graphviz version 9.9.9 (0)' >&2")
    assert find_engine().name == "dot"
    monkeypatch.setenv(VARIABLE, "graphviz-pure")
    assert find_engine().name == "graphviz-pure"
    assert find_engine("dot").version == "9.9.9"


def test_another_program_called_dot_is_passed_over(bare: Path) -> None:
    script(bare, "dot", "echo 'dot: a matrix tool 1.0'")
    with pytest.raises(EngineError, match="found none"):
        find_engine()
    script(bare, "graphviz-pure", "echo 'graphviz-pure - graphviz-pure version 0.2.2'")
    assert find_engine().name == "graphviz-pure"


def test_without_an_engine_the_error_names_both(bare: Path) -> None:
    with pytest.raises(EngineError) as caught:
        render_svg(SMALL)
    assert '"dot"' in str(caught.value) and "pip install graphviz-pure" in str(caught.value)
    with pytest.raises(EngineError, match='"graphviz-pure"'):
        render_svg(SMALL, "graphviz-pure")


def test_an_unknown_engine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionError, match=r"engine needs to be .* got 'neato'"):
        render_svg(SMALL, "neato")
    monkeypatch.setenv(VARIABLE, "mermaid")
    with pytest.raises(OptionError, match=VARIABLE):
        render_svg(SMALL)


def test_bad_source_says_what_the_engine_said(engine: str) -> None:
    with pytest.raises(EngineError, match=f"{engine} .* rejected the DOT source: .*syntax error"):
        render_svg("digraph { a -> ", engine)


def test_a_layout_without_end_is_stopped(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(bare, "dot", '[ "$1" = -V ] && echo "dot - graphviz version 9.9.9" && exit; exec /bin/sleep 20')
    monkeypatch.setattr(engines, "_SECONDS", 0.2)
    with pytest.raises(EngineError, match=r"did not finish the layout in 0.2 s. Collapse scopes"):
        render_svg(SMALL)


def test_pdf_needs_dot(bare: Path) -> None:
    script(bare, "graphviz-pure", "echo 'graphviz-pure - graphviz-pure version 0.2.2'")
    with pytest.raises(EngineError, match=r"PDF needs Graphviz's own program dot.*\.svg or \.png"):
        render_pdf(SMALL)


def test_pdf_is_written_where_dot_is() -> None:
    if shutil.which("dot") is None:
        pytest.skip("Graphviz's dot is not installed")
    assert render_pdf(network().to_dot()).startswith(b"%PDF-")


def test_no_engine_is_started_through_a_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []
    real = subprocess.run

    def spy(command: list[str], **options: object) -> object:
        started.append((command, options.get("shell")))
        return real(command, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "run", spy)
    render_svg(SMALL, "graphviz-pure")
    assert started and all(isinstance(command, list) and not shell for command, shell in started)  # type: ignore[misc]
