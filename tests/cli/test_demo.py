"""``graphlearn demo``: what it promises stands on the page, in both languages, at every width."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len

import graphlearn as gl
from graphlearn.cli import demo_penguins, demo_xor, main
from graphlearn.cli.words import TABLES, words

HANGUL = re.compile("[가-힣]")
OWN_WORDS = re.compile(r"https?://\S+")
Pages = dict[tuple[str, int], str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "out"


@pytest.fixture(scope="module")
def pages(folder: Path) -> Pages:
    """Run the demo once per language, each at another width."""
    found: Pages = {}
    for language, width in (("en", 80), ("ko", 100)):
        with pytest.MonkeyPatch.context() as patch:
            lines: list[str] = []
            patch.setattr("sys.stdout", Collector(lines))
            assert main(["demo", "--out", str(folder / language), "--language", language, "--width", str(width)]) == 0
        found[language, width] = "".join(lines)
    return found


class Collector:
    """A standard output that is no terminal."""

    encoding = "utf-8"

    def __init__(self, parts: list[str]) -> None:
        self._parts = parts

    def write(self, text: str) -> int:
        self._parts.append(text)
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False


def page(pages: Pages, language: str) -> str:
    return next(text for (found, _), text in pages.items() if found == language)


def test_every_line_fits_and_nothing_is_left_for_a_terminal(pages: Pages, folder: Path) -> None:
    for (_, width), text in pages.items():
        lines = [line for line in text.splitlines() if str(folder) not in line]
        assert [line for line in lines if cell_len(line) > width] == []
        assert [line for line in lines if line != line.rstrip()] == []
        assert "\x1b" not in text
        assert "\r" not in text
        assert "\n\n\n" not in text


@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_parameter_is_derived_and_checked(language: str, pages: Pages) -> None:
    text = page(pages, language)
    for name in ("W₁", "b₁", "W₂", "b₂"):
        assert f"∂L/∂{name} = " in text
    assert text.count("✓") >= 8 + 4 + 1 + 4  # rows, table, agreement, truth table
    assert "✗" not in text


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_files_are_whole_and_named(language: str, pages: Pages, folder: Path) -> None:
    said = page(pages, language)
    files = sorted(path.name for path in (folder / language).iterdir())
    assert files == ["xor-derivation.txt", "xor-loop.py", "xor.svg"]
    for name in files:
        assert str(folder / language / name) in said
    svg = (folder / language / "xor.svg").read_text(encoding="utf-8")
    ET.fromstring(svg)
    derivation = (folder / language / "xor-derivation.txt").read_text(encoding="utf-8")
    for name in ("W₁", "b₁", "W₂", "b₂", "h", "p", "L"):
        assert name in svg
        assert name in derivation
    compile((folder / language / "xor-loop.py").read_text(encoding="utf-8"), "xor-loop.py", "exec")


def test_xor_is_solved_and_the_reference_agrees(pages: Pages) -> None:
    text = page(pages, "en")
    truth = re.findall(r"^ +([01]) +([01]) +([01]) +0\.\d{4} +([01]\.\d{4}) +✓ ([01])$", text, re.MULTILINE)
    assert len(truth) == 4
    assert all(int(a) ^ int(b) == int(t) == int(answer) for a, b, t, _, answer in truth)
    assert max(abs(float(p) - int(t)) for _, _, t, p, _ in truth) < 0.01
    assert re.search(r"compiled loop +10,000 ", text)
    assert re.search(r"NumPy reference +200 ", text)
    assert "✓ In their first 200 steps" in text


def test_linear_regression_reaches_the_normal_equations(pages: Pages) -> None:
    rows = re.findall(
        r"^  (?:flipper length|bill length|bill depth|bias|loss).* ([\d,.−]+) +([\d,.−]+)$", page(pages, "en"), re.M
    )
    assert len(rows) == 5
    assert all(found == exact for found, exact in rows)  # to the six digits that are printed
    assert "(wanted: 1e-6)" in page(pages, "en")
    data = gl.datasets.penguins()
    A = np.column_stack([gl.datasets.standardize(data.X)[0], np.ones(len(data.X))])
    weights = np.linalg.lstsq(A, np.asarray(data.y, float), rcond=None)[0]
    assert f"{weights[0, 0]:,.6f}" == rows[0][1]


def test_iris_is_told_apart(pages: Pages) -> None:
    accuracy = [float(text) for text in re.findall(r"(\d+\.\d)%$", page(pages, "en"), re.MULTILINE)]
    assert len(accuracy) == 2
    assert min(accuracy) > 90
    counts = re.findall(r"^  (?:setosa|versicolor|virginica) +(\S+) +(\S+) +(\S+)$", page(pages, "en"), re.MULTILINE)
    assert sum(int(cell) for row in counts for cell in row if cell != "·") == 45


def test_the_korean_page_speaks_korean(pages: Pages) -> None:
    korean = page(pages, "ko")
    english = page(pages, "en")
    assert len(HANGUL.findall(korean)) > 1000
    assert HANGUL.search(english) is None
    for sentence in TABLES["en"].values():
        if len(sentence.split()) > 3 and "{" not in sentence:
            assert sentence not in " ".join(korean.split())
    # What stays in Latin letters: mathematics, names of methods, sources of the data, commands and files.
    source = words("ko")("demo.source", source="|", licence="").split("|")[0]
    paragraphs = [p for p in re.split(r"\n\n", korean) if source not in p and "graphlearn" not in p]
    prose = [p for p in paragraphs if re.search(r"[a-z]{3,} [a-z]{3,} [a-z]{3,}", p)]
    assert prose == []


def test_a_demo_that_cannot_write_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert main(["demo", "--out", str(tmp_path / "file")]) == 2
    error = capsys.readouterr().err
    assert "Traceback" not in error
    assert str(tmp_path / "file") in error


def test_the_constants_are_those_that_were_promised() -> None:
    assert demo_xor.STEPS == 10_000
    assert demo_penguins.WANTED == 1e-6
    net = demo_xor.network()
    leaves = gl.symbols(net.loss)
    assert {name: leaf.shape for name, leaf in leaves.items() if leaf.op.name == "parameter"} == {
        "W1": (2, 3), "b1": (3,), "W2": (3, 1), "b2": (1,),
    }  # fmt: skip
