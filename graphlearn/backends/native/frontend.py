"""From generated source to machine code: by our own front end, or by Numba where a text holds more than that knows.

Both give the entry function alike: C calling convention with Numba's two extra pointers (result, exception) and no
wrapper, so nothing in the object refers to Python. Numba does so through names that it does not promise to keep
(`PrivatePathGone` says when they change); without them the public ``cfunc`` compiles, with vectors of LLVM's preferred
width and without an object to store: Numba's own cache then keeps what it can.
"""

from __future__ import annotations

import functools
import importlib.util
import linecache
import os
import sys
from dataclasses import dataclass, replace
from typing import Any

from graphlearn.backends.native import numba_cache, objects
from graphlearn.backends.native.assembler import WIDE_VECTORS, Assembled
from graphlearn.backends.native.blas import PREFIX
from graphlearn.backends.native.expressions import Unknown
from graphlearn.backends.native.laned import laned_names
from graphlearn.backends.native.lowering import lower
from graphlearn.backends.native.numba_names import numba_names
from graphlearn.backends.native.signature import Signature
from graphlearn.backends.native.width import WIDE_FEATURE
from graphlearn.errors import EngineError


class PrivatePathGone(Exception):
    """Numba no longer has the names that the bare compilation uses."""


@dataclass(frozen=True)
class MachineCode:
    """A compiled function in memory.

    Args:
        address: where it is.
        symbol: its name in the object.
        data: the object file; None where only the code in memory exists.
        bare: whether it has Numba's calling convention (result and exception pointers first) or C's.
        engine: what must live as long as the address is used.
        kept: whether Numba's cache had it.
        note: why not even Numba's cache keeps it; empty where one place or the other does.
        compiler: what turned the text into instructions, and why not our own front end where it did not.
    """

    address: int
    symbol: str
    data: bytes | None
    bare: bool
    engine: Any
    kept: bool = False
    note: str = ""
    compiler: str = "our own front end"


def compile_source(
    source: str, entry: str, signature: Signature, *, identity: str, fast: bool, straight: bool = False
) -> MachineCode:
    """Compile a function of a source text.

    Args:
        source: Python text over the names of `numba_names`.
        entry: name of the function.
        signature: its parameters and result.
        identity: what it is kept by.
        fast: whether floating-point sums may be reordered.
        straight: whether straight-line code is turned into vectors too, as loops are.

    Raises:
        EngineError: the text is not valid, or Numba cannot compile it, or Numba is missing or switched off.
    """
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        raise EngineError("compiled code needs Numba's compiler; NUMBA_DISABLE_JIT switches it off. Unset it.")
    # LLVM reorders little beyond the sums of loops unless the sign of a zero may change too.
    flags = ("contract", "reassoc", "nsz") if fast else ("contract",)
    try:
        return _compile_own(source, entry, signature, flags, identity, straight)
    except (Unknown, SyntaxError) as error:
        reason = str(error)
    code = _compile_by_numba(source, entry, signature, set(flags), identity, straight)
    return replace(code, compiler=f"Numba, since our own front end does not know {reason}")


def _compile_own(
    source: str, entry: str, signature: Signature, flags: tuple[str, ...], identity: str, straight: bool
) -> MachineCode:
    symbol = f"{PREFIX}{entry}_{identity[:16]}"
    try:
        module = lower(source, entry, symbol, signature, flags)
    except RecursionError as error:
        raise Unknown("expressions that are so deep") from error
    assembled = Assembled(module, straight, unrolled=not laned_names(source))
    missing = objects.unresolvable(objects.undefined_symbols(assembled.data))
    if missing:
        raise Unknown(", ".join(sorted(missing)))
    return MachineCode(assembled.address(symbol), symbol, assembled.data, True, assembled)


def _compile_by_numba(
    source: str, entry: str, signature: Signature, flags: set[str], identity: str, straight: bool
) -> MachineCode:
    _require_numba()
    from numba.core.errors import NumbaError

    function = _load(source, entry, f"<graphlearn {identity[:12]}>")
    try:
        try:
            return _compile_bare(function, signature, flags, straight)
        except PrivatePathGone:
            return _compile_public(source, entry, signature, flags, identity)
    except NumbaError as error:
        raise EngineError(f"Numba could not compile {entry!r} with the signature {signature}: {error}") from error


def _require_numba() -> None:
    try:
        import numba  # noqa: F401
    except ImportError as error:
        raise EngineError("compiled code needs Numba, which could not be imported. Run: pip install numba") from error
    _spare_scipy()


def _spare_scipy() -> None:
    """Keep Numba's array functions from importing SciPy's linear algebra, which generated code does not use (0.2 s).

    They only ask whether it is there; code that compiles ``np.dot`` asks again, and gets the full answer then.
    """
    if "numba.np.arraymath" in sys.modules or importlib.util.find_spec("scipy") is None:
        return
    from numba.np import linalg

    ask = getattr(linalg, "ensure_blas", None)
    if ask is None:
        return
    linalg.ensure_blas = lambda: None
    try:
        from numba.np import arraymath
    finally:
        linalg.ensure_blas = ask
    arraymath.ensure_blas = ask


def _load(source: str, entry: str, name: str) -> Any:
    """The function object of the text; the text is known to tracebacks."""
    # The module to which Numba's cache says that the function belongs, which it imports when it loads it.
    names = {**numba_names(source), "__name__": numba_names.__module__}
    try:
        exec(compile(source, name, "exec"), names)
    except Exception as error:
        raise EngineError(f"the source {name} is not valid Python: {error}") from error
    if not callable(names.get(entry)):
        raise EngineError(f"the source {name} defines no function {entry!r}.")
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    return names[entry]


def _numba_types(signature: Signature) -> tuple[tuple[Any, ...], Any]:
    from numba import types

    kinds = [(getattr(types, p.dtype), p.pointer) for p in signature.parsed()]
    parameters = tuple(types.CPointer(kind) if pointer else kind for kind, pointer in kinds)
    return parameters, getattr(types, signature.result)


@functools.cache
def _codegen(straight: bool) -> Any:
    """Numba's code generator with vectors as wide as the CPU is good at, apart from the one that other code uses."""
    from numba.core.codegen import JITCPUCodegen

    class WideCodegen(JITCPUCodegen):  # type: ignore[misc]
        def _customize_tm_features(self) -> str:
            features = str(super()._customize_tm_features())
            chosen = "NUMBA_CPU_FEATURES" in os.environ
            return features + WIDE_VECTORS if f"+{WIDE_FEATURE}" in features and not chosen else features

        def _pass_builder(self, **settings: Any) -> Any:
            if straight:
                settings.setdefault("slp_vectorize", True)
            return super()._pass_builder(**settings)

    return WideCodegen("graphlearn")


def _compile_bare(function: Any, signature: Signature, fastmath: set[str], straight: bool) -> MachineCode:
    try:
        from numba.core.compiler import Flags, compile_extra
        from numba.core.compiler_lock import global_compiler_lock
        from numba.core.cpu import FastMathOptions
        from numba.core.registry import cpu_target

        typing, target = cpu_target.typing_context, cpu_target.target_context
        typing.refresh()
        target.refresh()
        library = _codegen(straight).create_library(function.__name__)
        library.enable_object_caching()
        flags = Flags()
        flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
        flags.nrt = flags.boundscheck = flags.enable_pyobject = False
        flags.error_model = "numpy"
        flags.fastmath = FastMathOptions(fastmath)
    except (ImportError, AttributeError, TypeError) as error:
        raise PrivatePathGone(str(error)) from error
    parameters, result = _numba_types(signature)
    with global_compiler_lock:
        compiled = compile_extra(typing, target, function, parameters, result, flags, {}, library=library)
    try:
        symbol = compiled.fndesc.llvm_func_name
        return MachineCode(
            library.get_pointer_to_function(symbol), symbol, library._get_compiled_object(), True, library
        )
    except AttributeError as error:
        raise PrivatePathGone(str(error)) from error


def _compile_public(source: str, entry: str, signature: Signature, fastmath: set[str], identity: str) -> MachineCode:
    from numba import cfunc

    parameters, result = _numba_types(signature)
    prepare = functools.partial(cfunc, result(*parameters), error_model="numpy", fastmath=fastmath)
    place, reason = numba_cache.open_place(identity, source)
    if place is not None:
        function = _load(source, entry, str(place))
        compiled = numba_cache.compile_kept(place, lambda: prepare(cache=True)(function))
        if compiled is not None:
            kept = bool(compiled.cache_hits)
            return MachineCode(compiled.address, compiled.native_name, None, False, compiled, kept)
        reason = "Numba's cache failed"
    compiled = prepare()(_load(source, entry, f"<graphlearn {identity[:12]}>"))
    return MachineCode(compiled.address, compiled.native_name, None, False, compiled, note=reason)
