"""compile_native: from source text to a callable, through the memory of this process and the cache on disk."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import sys
import threading
import time
import weakref
from typing import Any

from graphlearn.backends.native import blas, objects, store
from graphlearn.backends.native.frontend import MachineCode, compile_source
from graphlearn.backends.native.function import NativeFunction
from graphlearn.backends.native.signature import Signature
from graphlearn.backends.native.texts import fingerprint
from graphlearn.errors import EngineError

_IMPORTED = time.time()
_LOCK = threading.RLock()
_LIVE: weakref.WeakValueDictionary[str, NativeFunction] = weakref.WeakValueDictionary()


def compile_native(
    source: str, entry: str, signature: Signature, *, fast: bool = False, straight: bool = False
) -> NativeFunction:
    """Compile a function of a source text, or fetch it where it was compiled before.

    Args:
        source: Python text over the names of `numba_names` and nothing else.
        entry: name of the function.
        signature: its parameters and result; pointers are indexed in elements (``A[i]``).
        fast: whether sums may be reordered everywhere. Without it, only `radd` may be.
        straight: whether straight-line code is turned into vectors too: for unrolled code (1.3 x on XOR).

    Returns:
        The function; the same object as before while someone holds it.

    Raises:
        EngineError: the source cannot be compiled, or Numba, llvmlite or SciPy is missing.
    """
    identity = identify(source, entry, signature, fast, straight=straight)
    with _LOCK:
        function = _LIVE.get(identity)
        if function is None:
            function = _from_cache(identity, source, entry, signature) or _compiled(
                identity, source, entry, signature, fast, straight
            )
            _LIVE[identity] = function
        return function


def remember(key: str, function: NativeFunction, notes: Any) -> None:
    """Keep on disk which function something became, so that `recall` finds it without its source.

    Args:
        key: says what it was, and by which code it became the source; equal keys must mean equal sources and notes.
        function: what `compile_native` gave.
        notes: what else the caller needs to know, as JSON.
    """
    if function.note:
        return  # it was not stored, so that there is nothing to come back to
    content = {
        "identity": function.identity, "entry": function.entry, "parameters": function.signature.parameters,
        "result": function.signature.result, "notes": notes,
    }  # fmt: skip
    store.save(_identify_key(key), store.StoredObject(json.dumps(content), "", frozenset(), b""))


def recall(key: str) -> tuple[NativeFunction, Any] | None:
    """The function kept under a key, and its notes; None where there is none, or its object is gone."""
    stored = store.load(_identify_key(key))
    if stored is None:
        return None
    try:
        content = json.loads(stored.source)
        identity, entry, notes = str(content["identity"]), str(content["entry"]), content["notes"]
        signature = Signature(tuple(map(str, content["parameters"])), str(content["result"]))
    except (ValueError, KeyError, TypeError):
        return None
    with _LOCK:
        function = _LIVE.get(identity) or _from_cache(identity, None, entry, signature)
        if function is None:
            return None
        _LIVE[identity] = function
        return function, notes


def _from_cache(identity: str, source: str | None, entry: str, signature: Signature) -> NativeFunction | None:
    stored = store.load(identity)
    if stored is None or (source is not None and stored.source != source):
        return None
    if objects.unresolvable(stored.names):
        return None
    address, engine = objects.load(stored.data, stored.symbol)
    if not address:
        return None
    return NativeFunction(
        identity=identity, entry=entry, source=stored.source, signature=signature, address=address, bare=True,
        engine=engine, uses_blas=bool(stored.names & blas.SYMBOLS), origin="object cache",
    )  # fmt: skip


def _compiled(
    identity: str, source: str, entry: str, signature: Signature, fast: bool, straight: bool
) -> NativeFunction:
    if any(routine in source for routine in ("gemm_", "gemv_")):
        blas.register()
    code = compile_source(source, entry, signature, identity=identity, fast=fast, straight=straight)
    names, note = _store(identity, source, code)
    return NativeFunction(
        identity=identity, entry=entry, source=source, signature=signature, address=code.address,
        bare=code.bare, engine=code.engine, uses_blas=bool(names & blas.SYMBOLS),
        origin="Numba's cache" if code.kept else "memory", note=note, compiler=code.compiler,
    )  # fmt: skip


def _store(identity: str, source: str, code: MachineCode) -> tuple[frozenset[str], str]:
    """Store the object if it may be; return the names that it leaves open and why it was not stored as such."""
    if code.data is None:
        return blas.SYMBOLS, f"this Numba gives no access to the compiled object{code.note and f', and {code.note}'}"
    try:
        names = objects.undefined_symbols(code.data)
    except ValueError as error:
        return blas.SYMBOLS, str(error)
    foreign = names - objects.ALLOWED
    if foreign:
        return names, f"the object needs {', '.join(sorted(foreign))}, which a later process could not supply"
    return names, store.save(identity, store.StoredObject(source, code.symbol, names, code.data))


def identify(source: str, entry: str, signature: Signature, fast: bool, *, straight: bool = False) -> str:
    """Hash everything that decides the machine code: the source, the versions, the CPU, Numba's settings."""
    return _hashed(source=source, entry=entry, signature=str(signature), fast=fast, straight=straight)


def _identify_key(key: str) -> str:
    return _hashed(key=key)


def _hashed(**parts: str | bool) -> str:
    settings = {name: value for name, value in os.environ.items() if name.startswith("NUMBA_")}
    return hashlib.sha256(json.dumps([_surroundings(), parts, settings], sort_keys=True).encode()).hexdigest()


@functools.cache
def _surroundings() -> dict[str, str]:
    try:
        import llvmlite.binding as llvm
    except ImportError as error:
        raise EngineError("compiled code needs llvmlite, which comes with Numba. Run: pip install numba") from error
    generator = fingerprint(os.path.dirname(__file__), (".",), _IMPORTED)
    return {
        **_versions(("graphlearn", "numba", "llvmlite")),
        "python": sys.version,
        "triple": llvm.get_process_triple(),
        "cpu": llvm.get_host_cpu_name(),
        "features": llvm.get_host_cpu_features().flatten(),
        # Files that have changed since they were imported are not those that compile: nothing that is kept may fit.
        "generator": generator or f"{os.getpid()} {time.time_ns()}",
    }


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    """The installed versions, read off the names of the metadata folders: importlib.metadata takes 20 ms to import."""
    found: dict[str, str] = {}
    for folder in sys.path:
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        for name in names:
            package, _, rest = name.partition("-")
            if package in packages and rest.endswith((".dist-info", ".egg-info")):
                found.setdefault(package, rest)
    return found
