"""What is compiled is kept, found again without Numba, and never trusted where another could have written it."""

from __future__ import annotations

import errno
import gc
import os
import pickle
import platform
import stat
import subprocess
import sys
import time
from pathlib import Path

import numba.core.caching
import numba.core.codegen
import numba.core.config
import numpy as np
import pytest

from graphlearn.backends.native import (
    Signature,
    cache_clear,
    cache_info,
    compile_native,
    frontend,
    recall,
    remember,
    store,
    texts,
    trust,
)
from graphlearn.backends.native.expressions import Unknown
from graphlearn.errors import EngineError

ROOT = Path(__file__).parents[3]
SOURCE = "def run(A, n):\n    for i in range(n):\n        A[i] = ftanh_f64(A[i])\n    return n\n"
BEYOND = SOURCE.replace("ftanh_f64", "math.tanh")  # our own front end does not know it
SIGNATURE = Signature(("float64*", "int64"), "int64")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty cache of this test's own; no function of another test stays in memory."""
    gc.collect()
    monkeypatch.setenv("GRAPHLEARN_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "objects"


def compiled(source=SOURCE, **options):
    """Compile, or load: nothing of this source is left in memory."""
    gc.collect()
    return compile_native(source, "run", SIGNATURE, **options)


def origin(source=SOURCE, **options):
    function = compiled(source, **options)
    a = np.array([0.5, -1.0])
    assert function(a, 2) == 2 and np.allclose(a, np.tanh([0.5, -1.0]))
    return function.origin


def only_file(folder):
    (path,) = folder.glob("*.native")
    return path


def test_an_object_is_stored_and_found_again(folder):
    first = compiled()
    assert (first.origin, first.note, first.source) == ("memory", "", SOURCE)
    assert compiled() is first, "while it lives, it is the same object"
    del first
    again = compiled()
    assert (again.origin, again.source) == ("object cache", SOURCE)
    assert stat.S_IMODE(only_file(folder).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_everything_that_decides_the_code_is_in_the_key(monkeypatch):
    assert origin() == "memory"
    assert origin(SOURCE + "\n") == "memory"
    assert origin(fast=True) == "memory"
    monkeypatch.setenv("NUMBA_OPT", "2")
    assert origin() == "memory"
    monkeypatch.delenv("NUMBA_OPT")
    assert origin() == origin(fast=True) == "object cache"
    assert compile_native(SOURCE, "run", Signature(("float64*", "int32"), "int64")).origin == "memory"


def test_a_function_is_found_by_what_it_was_made_of(folder):
    function = compiled()
    remember("network 1", function, {"starts": [0, 64], "name": "h1"})
    found = recall("network 1")
    assert found == (function, {"starts": [0, 64], "name": "h1"}) and found[0] is function
    del function, found
    gc.collect()
    function, notes = recall("network 1")
    assert (function.origin, function.source, notes["starts"]) == ("object cache", SOURCE, [0, 64])
    a = np.array([0.5])
    assert function(a, 1) == 1 and np.allclose(a, np.tanh(0.5))
    assert recall("network 2") is None and recall(SOURCE) is None
    assert cache_info().files == 2


def test_notes_without_their_object_or_damaged_are_a_miss(folder):
    function = compiled()
    remember("network 1", function, [])
    notes, code = sorted(folder.glob("*.native"), key=lambda path: path.stat().st_size)
    whole = code.read_bytes()
    del function
    gc.collect()
    code.write_bytes(whole[:-1])
    assert recall("network 1") is None
    code.write_bytes(whole)
    assert recall("network 1") is not None
    for text in ("", "[]", "{}", '{"identity": "x", "entry": "run", "parameters": ["float128*"], "notes": 0}'):
        store.save(notes.stem, store.StoredObject(text, "", frozenset(), b""))
        assert recall("network 1") is None
    notes.unlink()
    assert recall("network 1") is None


def test_nothing_is_noted_of_a_function_that_is_not_stored(folder, monkeypatch):
    monkeypatch.setenv("GRAPHLEARN_CACHE_LIMIT", "0")
    remember("network 1", compiled(), [])
    monkeypatch.delenv("GRAPHLEARN_CACHE_LIMIT")
    assert recall("network 1") is None and not folder.exists()


def test_files_that_changed_since_they_were_imported_have_no_fingerprint(tmp_path):
    (tmp_path / "rules").mkdir()
    path = tmp_path / "rules" / "one.py"
    path.write_text("x = 1")
    later = time.time() + 5
    first = texts.fingerprint(str(tmp_path), ("rules",), later)
    assert len(first) == 64 and first == texts.fingerprint(str(tmp_path), ("rules/one.py",), later)
    assert texts.fingerprint(str(tmp_path), ("rules",), time.time() - 5) == ""
    assert texts.fingerprint(str(tmp_path), ("rules", "gone"), later) == ""
    path.write_text("x = 2")
    texts.fingerprint.cache_clear()
    assert texts.fingerprint(str(tmp_path), ("rules",), later) not in ("", first)


PROGRAM = f"""
import sys
import numpy as np
from graphlearn.backends.native import Signature, compile_native
function = compile_native({SOURCE!r}, "run", Signature(("float64*", "int64"), "int64"))
a = np.array([0.5, -1.0])
assert function(a, 2) == 2 and np.allclose(a, np.tanh([0.5, -1.0]))
print(function.origin, *sorted(m for m in ("numba", "scipy", "scipy.linalg") if m in sys.modules))
"""


def start(program=PROGRAM, **environment):
    return subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def outcome(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out.split()


def test_a_fresh_process_loads_without_numba():
    compiled()
    assert outcome(start()) == ["object", "cache"]


def test_the_import_alone_loads_neither_numba_nor_llvmlite_nor_scipy():
    program = """
import sys
import graphlearn.backends.native
print(*sorted({"numba", "llvmlite", "scipy", "sympy"} & set(sys.modules)))
"""
    assert outcome(start(program)) == []


def test_numba_stays_whole_where_scipy_was_spared():
    program = f"""
{PROGRAM.replace("ftanh_f64", "math.tanh")}
import numba
a = np.arange(6.0).reshape(2, 3)
assert np.allclose(numba.njit(lambda a: np.dot(a, a.T))(a), a @ a.T)
"""
    found = outcome(start(program))
    assert found[:2] == ["memory", "numba"] and "scipy.linalg" not in found, "it is imported for np.dot alone"


def test_two_processes_compile_the_same_thing_at_once(folder):
    for found in [outcome(process) for process in (start(), start())]:
        assert found[0] == "memory" or found == ["object", "cache"]
    assert origin() == "object cache"
    assert [p.suffix for p in folder.iterdir()] == [".native"]


def test_a_damaged_file_is_a_miss(folder):
    compiled()
    path = only_file(folder)
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    damaged = [b"", whole[:10], whole[:100], whole[:-1], whole + b"x", b"\0" * len(whole)]
    for at in random.integers(0, len(whole), 60):
        damaged.append(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    for content in damaged:
        path.write_bytes(content)
        assert store.load(path.stem) is None
    assert origin() == "memory", "it is compiled again and put in place of the damaged one"
    assert store.load(path.stem) is not None


def test_a_file_under_another_identity_is_a_miss(folder):
    compiled()
    path = only_file(folder)
    path.rename(path.with_name("0" * 64 + ".native"))
    assert store.load("0" * 64) is None


def test_a_well_formed_file_of_another_shape_is_a_miss(folder):
    compiled()
    path = only_file(folder)
    for header in (b"[]", b"{}", b"nonsense", b'{"identity": "x"}'):
        body = len(header).to_bytes(8, "little") + header
        path.write_bytes(store.MAGIC + store.hashlib.sha256(body).digest() + body)
        assert store.load(path.stem) is None


def test_a_link_or_a_file_that_others_can_write_is_a_miss(folder, tmp_path):
    compiled()
    path = only_file(folder)
    path.chmod(0o620)
    assert store.load(path.stem) is None
    path.chmod(0o600)
    assert store.load(path.stem) is not None
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert store.load(path.stem) is None


@pytest.mark.parametrize("writable", ["cache/objects", "cache", "."])
@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_a_folder_that_others_can_write_is_not_used(folder, tmp_path, writable, mode):
    compiled()
    place = tmp_path / writable
    place.chmod(mode)
    try:
        assert origin() == "memory"
        function = compiled()
        assert "others can write" in function.note and "chmod go-w" in function.note
        info = cache_info()
        assert not info.usable and info.files == 0 and str(place.resolve()) in info.reason
        assert cache_clear() == 0
    finally:
        place.chmod(0o700)
    assert cache_info().files == 1


def test_a_sticky_folder_may_be_a_parent_but_not_the_place_itself(folder, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o1777)
    assert compiled().note == ""
    assert origin() == "object cache"
    folder.chmod(0o1777)
    assert "others can write" in trust.distrust(folder.resolve())


def test_a_folder_of_another_user_is_not_used(folder, monkeypatch):
    compiled()
    monkeypatch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)
    assert origin() == "memory"
    assert "belongs to another user" in cache_info().reason


def test_a_place_that_cannot_be_written_stops_nothing(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GRAPHLEARN_CACHE_DIR", str(tmp_path / "file" / "cache"))
    function = compiled()
    assert function.origin == "memory" and function.note
    assert not cache_info().usable


def loop(path):
    path.symlink_to(path)
    return path


def refused(*needed):
    """Code is made in memory, and the note, the state of the cache and clearing it tell of the place."""
    assert cache_clear() == 0
    assert origin() == "memory"
    function = compiled()
    info = cache_info()
    assert function.origin == "memory" and not info.usable and info.files == 0
    assert all(text in function.note and text in info.reason for text in needed), (function.note, info.reason)
    assert cache_clear() == 0


def test_links_that_lead_to_themselves_stop_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAPHLEARN_CACHE_DIR", str(loop(tmp_path / "loop")))
    refused(str(tmp_path / "loop"))
    monkeypatch.setenv("GRAPHLEARN_CACHE_DIR", str(tmp_path / "loop" / "inner"))
    refused(str(tmp_path / "loop"))


def test_a_home_whose_cache_links_to_itself_stops_nothing(tmp_path, monkeypatch):
    for name in ("GRAPHLEARN_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    loop(tmp_path / ".cache")
    refused(str(tmp_path / ".cache"))


def test_a_loop_is_an_oserror_in_every_python(tmp_path):
    with pytest.raises(OSError) as raised:
        trust.resolved(loop(tmp_path / "loop"))
        trust.distrust(tmp_path / "loop") and os.stat(tmp_path / "loop")  # from 3.13 on, resolving lets it pass
    assert raised.value.errno == errno.ELOOP


def test_a_working_directory_that_is_gone_stops_nothing(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    monkeypatch.setenv("GRAPHLEARN_CACHE_DIR", "cache")
    refused("GRAPHLEARN_CACHE_DIR", "working directory")
    assert cache_info().directory is None


@pytest.mark.parametrize("place", ["/proc/graphlearn", "/dev/null", "/dev/null/cache", f"/tmp/{'x' * 300}"])
def test_a_place_that_cannot_be_made_is_told_before_anything_is_stored(monkeypatch, place):
    monkeypatch.setenv("GRAPHLEARN_CACHE_DIR", place)
    info = cache_info()
    assert not info.usable and info.reason
    refused("/")


@pytest.mark.parametrize("text", ["-1", "0.5", "many", "10MB", "²", "1e3", "nan"])
def test_a_limit_that_is_no_whole_number_stores_nothing_and_is_told(folder, monkeypatch, text):
    monkeypatch.setenv("GRAPHLEARN_CACHE_LIMIT", text)
    refused("GRAPHLEARN_CACHE_LIMIT", text)
    assert not folder.exists()


@pytest.mark.parametrize("text", ["9" * 4400, "9" * 4300, "0" * 4400 + "7", " 7 ", "9" * 13])
def test_a_limit_of_any_length_is_a_limit(monkeypatch, text):
    monkeypatch.setenv("GRAPHLEARN_CACHE_LIMIT", text)
    assert compiled().note == ""
    info = cache_info()
    assert info.usable and info.limit == (7 * 2**20 if "7" in text else sys.maxsize)


@pytest.mark.parametrize("thing", ["pipe", "device", "folder", "link", "loop"])
def test_what_is_no_plain_file_in_place_of_an_object_is_a_miss_and_not_opened(folder, tmp_path, monkeypatch, thing):
    compiled()
    path = only_file(folder)
    path.unlink()
    if thing == "pipe":
        os.mkfifo(path)
    elif thing == "folder":
        path.mkdir()
    else:
        path.symlink_to({"device": Path("/dev/zero"), "link": tmp_path, "loop": path}[thing])
    with monkeypatch.context() as patch:
        patch.setattr(trust.os, "open", _raising(AssertionError("it was opened")))
        assert store.load(path.stem) is None
    assert origin() == "memory"
    assert origin() == ("memory" if thing == "folder" else "object cache"), "all but a folder is replaced"
    assert cache_clear() == 1 and origin() == "memory" and origin() == "object cache"


@pytest.mark.parametrize("thing", ["pipe", "file", "link"])
def test_what_is_in_the_way_of_numbas_cache_is_removed(folder, gone, tmp_path, thing):
    compiled()
    (kept,) = folder.iterdir()
    kept.rename(tmp_path / "elsewhere")
    if thing == "pipe":
        os.mkfifo(kept)
    elif thing == "file":
        kept.write_text("in the way")
    else:
        kept.symlink_to(tmp_path / "elsewhere")
    assert origin() == "memory" and kept.is_dir() and not kept.is_symlink()
    assert origin() == "Numba's cache" and (tmp_path / "elsewhere" / "source.py").exists()


def test_no_home_stops_nothing(monkeypatch):
    for name in ("GRAPHLEARN_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert store.cache_root() is None
    assert "GRAPHLEARN_CACHE_DIR" in compiled().note
    assert cache_info().directory is None and not cache_info().usable


def test_an_empty_home_is_no_home(monkeypatch):
    for name in ("GRAPHLEARN_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "")
    assert store.cache_root() is None


@pytest.mark.parametrize("call", ["open", "replace"])
def test_a_full_disk_stops_nothing_and_leaves_nothing(folder, monkeypatch, call):
    def full(*given, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(store.os, call, full)
        assert "No space left" in compiled().note
    assert list(folder.iterdir()) == []
    info = cache_info()
    assert not info.usable and "No space left" in info.reason, "what the last store said"
    assert compiled(SOURCE + "\n").note == "" and cache_info().usable, "there is room again"


def test_a_disk_that_is_full_is_told_before_anything_is_stored(folder, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(store.os, "open", _raising(OSError(errno.ENOSPC, "No space left on device")))
        assert not cache_info().usable and "No space left" in cache_info().reason
    assert cache_info().usable and not folder.exists(), "the look leaves nothing"


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.delenv("GRAPHLEARN_CACHE_DIR")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert store.cache_root() == tmp_path / "graphlearn"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setattr(os.path, "expanduser", lambda path: str(tmp_path))
    assert store.cache_root() == tmp_path / ".cache" / "graphlearn"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert store.cache_root() == tmp_path / "Library" / "Caches" / "graphlearn"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "Local"))
    assert store.cache_root() == tmp_path / "Local" / "graphlearn"
    assert trust.distrust(tmp_path / "Local") == ""
    assert "outside" in trust.distrust(Path("/elsewhere"))


def test_the_oldest_are_removed_when_the_cache_is_full(folder, monkeypatch):
    stored = store.StoredObject("text", "symbol", frozenset(), b"x" * 300_000)
    monkeypatch.setenv("GRAPHLEARN_CACHE_LIMIT", "1")
    for age, name in ((400, "a"), (300, "b"), (200, "c")):
        assert store.save(name, stored) == ""
        os.utime(folder / f"{name}.native", (time.time() - age,) * 2)
    assert store.load("a") == stored, "use makes it young again"
    left_behind = folder / "dead.1.2.tmp"
    left_behind.write_bytes(b"half")
    os.utime(left_behind, (time.time() - 2 * store.ABANDONED,) * 2)
    assert store.save("d", stored) == ""
    assert sorted(p.name for p in folder.iterdir()) == ["a.native", "c.native", "d.native"]
    info = cache_info()
    assert info.files == 3 and 900_000 < info.size <= info.limit == 2**20
    assert "limit" in store.save("e", store.StoredObject("", "", frozenset(), b"x" * 2**20))


def test_a_limit_of_zero_stores_nothing(folder, monkeypatch):
    monkeypatch.setenv("GRAPHLEARN_CACHE_LIMIT", "0")
    assert "limit" in compiled().note
    assert not folder.exists()


def test_info_and_clear(folder):
    assert cache_info() == store.CacheInfo(folder, True, "", 0, 0, store.LIMIT)
    function = compiled()
    info = cache_info()
    assert info.usable and info.files == 1 and info.size == only_file(folder).stat().st_size
    assert cache_clear() == 1 and cache_info().files == 0
    a = np.array([0.5])
    assert function(a, 1) == 1, "what is loaded stays usable"


def test_numba_still_has_the_private_path():
    # When this fails, everything is compiled in memory: adapt frontend._compile_bare to the new Numba.
    function = compiled(BEYOND)
    assert function.note == "" and function.origin == "memory"
    assert hasattr(function._engine, "_get_compiled_object")


@pytest.fixture
def numba_alone(monkeypatch):
    """Our own front end knows nothing."""

    def compile_own(*given):
        raise Unknown("anything")

    monkeypatch.setattr(frontend, "_compile_own", compile_own)


@pytest.fixture
def gone(monkeypatch, numba_alone):
    """A Numba without the names that only the private path uses."""

    def compile_bare(*given):
        raise frontend.PrivatePathGone("gone")

    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(numba.core.config, "CACHE_DIR", "")
    monkeypatch.setattr(frontend, "_compile_bare", compile_bare)


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (numba.core.codegen, "JITCPUCodegen"),
        (numba.core.codegen.CodeLibrary, "_get_compiled_object"),
    ],
)
def test_when_a_private_name_is_gone_it_is_compiled_nevertheless(monkeypatch, numba_alone, owner, name):
    frontend._codegen.cache_clear()
    monkeypatch.delattr(owner, name)
    assert origin() == "memory"
    assert "no access" in compiled().note
    frontend._codegen.cache_clear()


def test_without_the_private_path_numbas_own_cache_keeps_it(folder, gone):
    assert origin() == "memory"
    assert "no access" in compiled().note
    (kept,) = folder.iterdir()
    assert kept.suffix == ".numba" and {p.suffix for p in kept.rglob("*.nb*")} == {".nbi", ".nbc"}
    assert {stat.S_IMODE(p.stat().st_mode) for p in kept.rglob("*") if p.is_file()} == {0o600}
    assert origin() == "Numba's cache"
    assert origin(SOURCE + "\n") == "memory", "another source"
    assert cache_info().files == 2 and cache_info().size > 10_000
    assert cache_clear() == 2 and not list(folder.iterdir())
    assert origin() == "memory"


def test_numbas_cache_is_not_sought_elsewhere(folder, gone, monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "elsewhere"))
    assert origin() == "memory" and "NUMBA_CACHE_DIR" in compiled().note
    assert not list(tmp_path.rglob("*.nb*"))


def test_whatever_is_wrong_with_numbas_cache_is_a_miss(folder, gone):
    compiled()
    (kept,) = folder.iterdir()
    index, code = sorted(kept.rglob("*.nb*"), key=lambda path: path.suffix, reverse=True)
    damages = [lambda p: p.write_bytes(b""), lambda p: p.write_bytes(p.read_bytes()[:-7]), lambda p: p.unlink()]
    damages += [lambda p: p.write_bytes(b"\x80\x04K\x01."), lambda p: p.chmod(0o666), lambda p: _flip(p)]
    cases = [(index, damages), (code, damages[-1:]), (kept / "source.py", damages[-1:]), (kept / "sum", damages[:1])]
    for path, ways in cases:
        for damage in ways:
            assert origin() == "Numba's cache"
            damage(path)
            assert origin() == "memory"
    (kept / "__pycache__").chmod(0o770)
    assert origin() == "memory"


def _flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_what_unpickling_raises_and_a_failed_write_are_a_miss(gone, monkeypatch):
    compiled()
    for error in (pickle.UnpicklingError("bad"), EOFError("short"), AttributeError("gone"), OSError("full")):
        with monkeypatch.context() as patch:
            patch.setattr(numba.core.caching.IndexDataCacheFile, "load", _raising(error))
            assert origin() == "memory"
            assert "Numba's cache failed" in compiled().note
        with monkeypatch.context() as patch:
            patch.setattr(numba.core.caching.IndexDataCacheFile, "save", _raising(error))
            assert origin() == "memory"
    assert origin() == "memory", "it is kept again"
    assert origin() == "Numba's cache"


def _raising(error):
    def fail(*given, **named):
        raise error

    return fail


def test_without_a_place_numba_compiles_in_memory(folder, gone, monkeypatch, tmp_path):
    monkeypatch.setenv("GRAPHLEARN_CACHE_LIMIT", "0")
    assert origin() == "memory" and "limit is 0" in compiled().note and not folder.exists()
    monkeypatch.delenv("GRAPHLEARN_CACHE_LIMIT")
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GRAPHLEARN_CACHE_DIR", str(tmp_path / "file" / "cache"))
    assert origin() == "memory" and compiled().note


def test_numbas_cache_is_evicted_too(folder, gone):
    compiled()
    (kept,) = folder.iterdir()
    os.utime(kept, (0, 0))
    size = cache_info().size
    store._evict(folder, size)
    assert kept.exists()
    store._evict(folder, size - 1)
    assert not kept.exists()


def test_numba_switched_off_is_told(monkeypatch):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    with pytest.raises(EngineError, match="NUMBA_DISABLE_JIT"):
        compiled()


def test_numba_missing_is_told_where_it_is_needed(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    assert origin() == "memory"
    with pytest.raises(EngineError, match="pip install numba"):
        compiled(BEYOND)


X86 = {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": "+sse2"}
OLDEST_CPU = {"x86_64": X86, "AMD64": X86}  # ARM fuses products on every 64-bit CPU


def test_the_oldest_cpu_without_fused_products_is_right_too():
    program = """
from tools.vector_math import SUFFIX, is_slow, largest_error
from graphlearn.backends.native.vector_math import LARGEST_ERRORS
for name, limits in LARGEST_ERRORS.items():
    for dtype, limit in zip(SUFFIX, limits):
        count = 1_000 if dtype == "float64" and is_slow(name) else 20_000
        assert largest_error(name, dtype, count)[0] <= limit, (name, dtype)
print("right")
"""
    assert outcome(start(program, **OLDEST_CPU.get(platform.machine(), {}))) == ["right"]
