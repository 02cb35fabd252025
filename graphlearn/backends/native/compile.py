"""compile_native: from source text to a callable, through the memory of this process and the cache on disk."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import pkgutil
import sys
import threading
import weakref
from collections.abc import Callable

from graphlearn.backends.native import blas, objects, store
from graphlearn.backends.native.frontend import MachineCode, compile_source
from graphlearn.backends.native.function import NativeFunction
from graphlearn.backends.native.signature import Signature
from graphlearn.errors import EngineError, OptionError

# The files whose text decides what machine code a source becomes.
_GENERATOR = ("frontend.py", "function.py", "intrinsics.py", "lanes.py", "machine.py", "objects.py", "vector_math.py")
_LOCK = threading.RLock()
_LIVE: weakref.WeakValueDictionary[str, NativeFunction] = weakref.WeakValueDictionary()


def compile_native(
    source: str | Callable[[], str],
    entry: str,
    signature: Signature,
    *,
    key: str | None = None,
    fast: bool = False,
    straight: bool = False,
) -> NativeFunction:
    """Compile a function of a source text, or fetch it where it was compiled before.

    Args:
        source: Python text over the names of `intrinsics.namespace` and nothing else; or, with a key, a function that
            returns it and is called only where it must be compiled.
        entry: name of the function.
        signature: its parameters and result; pointers are indexed in elements (``A[i]``).
        key: stands for the source in the caches, so equal keys must mean equal sources; None: the source does.
        fast: whether sums may be reordered everywhere. Without it, only `radd` may be.
        straight: whether straight-line code is turned into vectors too: for unrolled code (1.3 x on XOR).

    Returns:
        The function; the same object as before while someone holds it.

    Raises:
        EngineError: the source cannot be compiled, or Numba, llvmlite or SciPy is missing.
        OptionError: a source that is a function came without a key.
    """
    if callable(source) and key is None:
        raise OptionError("a source given as a function needs key=, which stands for it in the cache.")
    text = key if key is not None else str(source)
    identity = identify(text, entry, signature, fast, keyed=key is not None, straight=straight)
    with _LOCK:
        function = _LIVE.get(identity)
        if function is None:
            function = _from_cache(identity, source, entry, signature) or _compiled(
                identity, source() if callable(source) else source, entry, signature, fast, straight
            )
            _LIVE[identity] = function
        return function


def _from_cache(
    identity: str, source: str | Callable[[], str], entry: str, signature: Signature
) -> NativeFunction | None:
    stored = store.load(identity)
    if stored is None or (isinstance(source, str) and stored.source != source):
        return None
    if objects.unresolvable(stored.names):
        return None
    address, engine = objects.load(stored.data, stored.symbol)
    if not address:
        return None
    return NativeFunction(
        entry=entry, source=stored.source, signature=signature, address=address, bare=True, engine=engine,
        uses_blas=bool(stored.names & blas.SYMBOLS), origin="object cache",
    )  # fmt: skip


def _compiled(
    identity: str, source: str, entry: str, signature: Signature, fast: bool, straight: bool
) -> NativeFunction:
    if any(routine in source for routine in ("gemm_", "gemv_")):
        blas.register()
    code = compile_source(source, entry, signature, name=f"<graphlearn {identity[:12]}>", fast=fast, straight=straight)
    names, note = _store(identity, source, code)
    return NativeFunction(
        entry=entry, source=source, signature=signature, address=code.address, bare=code.bare, engine=code.engine,
        uses_blas=bool(names & blas.SYMBOLS), origin="memory", note=note,
    )  # fmt: skip


def _store(identity: str, source: str, code: MachineCode) -> tuple[frozenset[str], str]:
    """Store the object if it may be; return the names that it leaves open and why it was not stored."""
    if code.data is None:
        return blas.SYMBOLS, "this Numba gives no access to the compiled object"
    try:
        names = objects.undefined_symbols(code.data)
    except ValueError as error:
        return blas.SYMBOLS, str(error)
    foreign = names - objects.ALLOWED
    if foreign:
        return names, f"the object needs {', '.join(sorted(foreign))}, which a later process could not supply"
    return names, store.save(identity, store.StoredObject(source, code.symbol, names, code.data))


def identify(text: str, entry: str, signature: Signature, fast: bool, *, keyed: bool, straight: bool = False) -> str:
    """Hash everything that decides the machine code: the source or its key, the versions, the CPU, Numba's settings."""
    parts = {**_surroundings(), "text": text, "keyed": keyed, "entry": entry, "signature": str(signature)}
    parts |= {"fast": str(fast), "straight": str(straight)}
    settings = {name: value for name, value in os.environ.items() if name.startswith("NUMBA_")}
    return hashlib.sha256(json.dumps([parts, settings], sort_keys=True).encode()).hexdigest()


@functools.cache
def _surroundings() -> dict[str, str]:
    try:
        import llvmlite.binding as llvm
    except ImportError as error:
        raise EngineError("compiled code needs llvmlite, which comes with Numba. Run: pip install numba") from error
    files = b"".join(pkgutil.get_data(__package__, name) or b"" for name in _GENERATOR)
    return {
        **_versions(("graphlearn", "numba", "llvmlite")),
        "python": sys.version,
        "triple": llvm.get_process_triple(),
        "cpu": llvm.get_host_cpu_name(),
        "features": llvm.get_host_cpu_features().flatten(),
        "generator": hashlib.sha256(files).hexdigest(),
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
