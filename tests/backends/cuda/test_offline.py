"""Kernels compiled without a GPU: PTX and machine code for two architectures, no float64 in float32 kernels."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

import graphlearn as gl
from graphlearn.backends.cuda import offline
from graphlearn.backends.cuda.functions import emit_function
from graphlearn.backends.cuda.offline import compile_ptx, link, require_compiler
from graphlearn.errors import EngineError, GraphLearnError
from graphlearn.graph.node import Node, apply
from graphlearn.graph.op import OPS
from graphlearn.program.build import build_function

ARCHITECTURES = ((8, 0), (9, 0))
DTYPES = ("float32", "float64", "int64", "int32", "uint8", "bool")


def load_tool() -> ModuleType:
    path = Path(__file__).resolve().parents[3] / "tools" / "cuda_offline.py"
    spec = importlib.util.spec_from_file_location("cuda_offline", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tool = load_tool()


@pytest.fixture
def compiler() -> None:
    """The extra; where everything must be installed, a skip is a failure (tests/conftest.py)."""
    try:
        require_compiler()
    except EngineError as error:
        pytest.skip(error.message)


@pytest.mark.parametrize("capability", ARCHITECTURES)
def test_xor(capability: tuple[int, int], compiler: None) -> None:
    ptx = compile_ptx(tool.xor("float32"), capability)
    assert re.search(r"\.visible \.entry \w*5train", ptx)
    assert f".target sm_{capability[0]}{capability[1]}" in ptx
    assert "bar.sync" in ptx and "fma.rn.f32" in ptx
    assert ".f64" not in ptx
    linked = link(ptx, capability)
    assert linked.size > 1000
    assert 0 < linked.registers <= 255
    assert linked.spilled == 0
    assert linked.shared >= 600


def test_a_deeper_network_and_float64(compiler: None) -> None:
    ptx = compile_ptx(tool.classifier("float64"), (9, 0))
    assert re.search(r"\.visible \.entry \w*5train", ptx) and ".f64" in ptx
    assert link(ptx, (9, 0)).registers <= 255


@pytest.mark.parametrize("capability", ARCHITECTURES)
def test_functions(capability: tuple[int, int], compiler: None) -> None:
    kernels = tool.functions("float32")
    assert {kernel.name.partition("_")[0] for kernel in kernels} == {"entries", "reduce", "product"}
    for kernel in kernels:
        ptx = compile_ptx(kernel, capability)
        assert ".entry _ZN" in ptx and kernel.name in ptx
        assert ".f64" not in ptx, kernel.source
        assert link(ptx, capability).spilled == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_row_compiles(dtype: str, compiler: None) -> None:
    leaves = [gl.input(name, ("n",), dtype=dtype) for name in "pqr"]
    outputs: list[Node] = []
    for op in OPS.values():
        if op.kind == "intrinsic" and op.name != "copy":
            try:
                outputs.append(apply(op.name, *leaves[: len(op.partials)]))
            except GraphLearnError:
                continue  # no such operation on this dtype
    assert len(outputs) > 20
    for launch in emit_function(build_function(outputs, leaves, "float32")):
        assert ".entry" in compile_ptx(launch.kernel, (9, 0))


def test_the_tool_prints_a_table(
    compiler: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    xor = tool.xor("float32")
    monkeypatch.setattr(tool, "kernels", lambda: {"xor float32": xor})
    monkeypatch.setattr(sys, "argv", ["cuda_offline.py", "--arch", "90", "--save", str(tmp_path), "--source"])
    assert tool.main() == 0
    said = capsys.readouterr().out
    assert "def train(" in said and "90" in said
    assert ".entry" in (tmp_path / "xor_float32_sm_90.ptx").read_text("utf-8")


def test_ptx_that_cannot_be_read(compiler: None) -> None:
    with pytest.raises(EngineError, match="nvJitLink needs PTX"):
        link("no PTX", (9, 0))


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offline.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EngineError, match=r'pip install "graphlearn\[cuda\]"'):
        require_compiler()
