"""The open names of an object file are read for each platform's format; nothing unexpected is stored or loaded."""

from __future__ import annotations

import subprocess
import sys

import llvmlite.binding as llvm
import pytest

from graphlearn.backends.native import Signature, compile_native, objects, store
from graphlearn.errors import EngineError

MODULE = """
target triple = "{triple}"
@shared = common global ptr null, align 8
declare double @exp(double)
declare void @graphlearn_sgemm(ptr)
define internal double @hidden(double %x) noinline {{ ret double %x }}
define double @entry(double %x, ptr %p) {{
  %y = call double @exp(double %x)
  call void @graphlearn_sgemm(ptr @shared)
  store ptr %p, ptr @shared
  %z = call double @hidden(double %y)
  ret double %z
}}
"""


@pytest.fixture(scope="module", autouse=True)
def targets():
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


def object_file(system):
    architecture = llvm.get_process_triple().split("-")[0]
    triple = f"{architecture}-{system}"
    machine = llvm.Target.from_triple(triple).create_target_machine()
    return machine.emit_object(llvm.parse_assembly(MODULE.format(triple=triple)))


@pytest.mark.parametrize("system", ["unknown-linux-gnu", "apple-darwin", "pc-windows-msvc"])
def test_open_names_of_each_format(system):
    # On Windows the compiler also names _fltused, a marker that floating point is used.
    assert objects.undefined_symbols(object_file(system)) - {"_fltused"} == {"exp", "graphlearn_sgemm"}


@pytest.mark.parametrize("system", ["unknown-linux-gnu", "apple-darwin", "pc-windows-msvc"])
def test_damaged_files_are_refused(system):
    data = object_file(system)
    for length in (0, 3, 10, 40, 64):
        with pytest.raises(ValueError, match="object file"):
            objects.undefined_symbols(data[:length])
    with pytest.raises(ValueError, match="neither"):
        objects.undefined_symbols(b"#!/bin/sh\n" * 20)


NETWORK = """
def train(A, X, Y, steps, rate):
    loss = 0.0
    for s in range(steps):
        gemm_f32(0, 0, 32, 16, 8, 1.0, X, 0, 8, A, 0, 16, 0.0, A, 1024, 16)
        for i in range(512):
            A[1024 + i] = ftanh_f32(A[1024 + i])
        total = float32(0)
        for i in range(512):
            d = A[1024 + i] - X[i % 256]
            total = radd_f32(total, d * d)
            A[2048 + i] = d * rate
        loss += math.log(float64(total)) + float64(max(total, float32(Y[s % 4]))) ** 0.3
        gemm_f32(1, 0, 8, 16, 32, -1.0, X, 0, 8, A, 2048, 16, 1.0, A, 0, 16)
    return loss
"""
SIGNATURE = Signature(("float32*", "const float32*", "const int64*", "int64", "float32"), "float64")


def test_a_training_loop_leaves_only_listed_names_open_and_never_calls_python():
    function = compile_native(NETWORK, "train", SIGNATURE)
    names = objects.undefined_symbols(function._engine._get_compiled_object())
    assert names <= objects.ALLOWED
    assert names == {"graphlearn_sgemm", "log", "pow"}
    assert not any(name.startswith(("Py", "_Py", "numba_", "NRT_")) for name in names)


def test_an_object_with_another_open_name_is_not_stored(monkeypatch):
    monkeypatch.setattr(objects, "ALLOWED", objects.ALLOWED - {"tan"})
    saved = []
    monkeypatch.setattr(store, "save", lambda *given: saved.append(given) or "")
    function = compile_native("def run(x):\n    return math.tan(x)\n", "run", Signature(("float64",), "float64"))
    assert function(0.5) == pytest.approx(0.5463024898437905)
    assert "tan" in function.note and not saved


def test_unresolvable_names_are_told():
    assert objects.unresolvable(frozenset({"exp", "graphlearn_dgemm"})) == frozenset()
    assert objects.unresolvable(frozenset({"exp", "PyErr_Clear", "no_such"})) == {"PyErr_Clear", "no_such"}


def test_a_missing_entry_has_the_address_zero():
    data = object_file("unknown-linux-gnu")
    if llvm.get_process_triple().split("-")[1] in ("apple", "pc"):
        pytest.fail("this test needs the host's own format; extend it")
    objects.unresolvable(objects.undefined_symbols(data))
    assert objects.load(data, "entry")[0] != 0
    assert objects.load(data, "nothing")[0] == 0


def test_errors_of_the_source_are_told():
    signature = Signature(("float32",), "float32")
    for source, message in (
        ("def run(x):\n    return x +\n", "not valid Python"),
        ("def other(x):\n    return x\n", "defines no function 'run'"),
        ("def run(x):\n    return nothing(x)\n", "nothing"),
        ("def run(x):\n    return fexp_f64(x)\n", "fexp_f64 needs float64; got float32"),
        ("def run(x):\n    return fexp_f32(x * 0.5)\n", "fexp_f32 needs float32; got float64"),
        ("def run(x):\n    return [x]\n", "signature"),
    ):
        with pytest.raises(EngineError, match=message):
            compile_native(source, "run", signature)


def test_names_of_the_process_are_found_before_anything_was_loaded():
    program = "from graphlearn.backends.native import objects; print(*objects.unresolvable(frozenset({'fmod', 'exp'})))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.split() == []
