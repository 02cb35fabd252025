"""Compiled object files: which names they leave open, and loading one through LLVM without Numba.

The rule: an object is stored or loaded only if every open name is on the list here. LLVM ends the whole process when it
cannot resolve a name, so nothing is left to chance.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator
from typing import Any

from graphlearn.backends.native import blas

# Mathematical functions of the C library and the memory routines that LLVM itself calls.
_LIBM = (
    *("acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "ceil", "copysign", "cos", "cosh", "erf"),
    *("erfc", "exp", "exp2", "expm1", "fabs", "floor", "fmod", "hypot", "ldexp", "lgamma", "log", "log10", "log1p"),
    *(
        "log2",
        "nearbyint",
        "nextafter",
        "pow",
        "rint",
        "round",
        "sin",
        "sinh",
        "sqrt",
        "tan",
        "tanh",
        "tgamma",
        "trunc",
    ),
)
ALLOWED = frozenset(_LIBM) | frozenset(f"{name}f" for name in _LIBM) | {"memcpy", "memmove", "memset"} | blas.SYMBOLS


def undefined_symbols(data: bytes) -> frozenset[str]:
    """The names that an object file leaves open.

    Args:
        data: a 64-bit ELF, Mach-O or COFF object file, little-endian.

    Raises:
        ValueError: the data is none of these, or is damaged.
    """
    try:
        if data[:6] == b"\x7fELF\x02\x01":
            return frozenset(_elf_undefined(data))
        if data[:4] == b"\xcf\xfa\xed\xfe":
            return frozenset(_macho_undefined(data))
        if data[:2] in (b"\x64\x86", b"\x64\xaa"):
            return frozenset(_coff_undefined(data))
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ValueError(f"the object file is damaged: {error}") from error
    raise ValueError("the object file is neither 64-bit ELF nor Mach-O nor COFF")


def _text(data: bytes, start: int) -> str:
    return data[start : data.index(b"\0", start)].decode()


def _elf_undefined(data: bytes) -> Iterator[str]:
    sections, size, count = struct.unpack_from("<Q", data, 40)[0], *struct.unpack_from("<HH", data, 58)
    headers = [struct.unpack_from("<IIQQQQIIQQ", data, sections + i * size) for i in range(count)]
    for _, kind, _, _, offset, length, link, _, _, entry in headers:
        if kind == 2:  # SHT_SYMTAB; its strings are in section `link`
            strings = headers[link][4]
            for at in range(offset + entry, offset + length, entry):
                name, info, _, section = struct.unpack_from("<IBBH", data, at)
                if section == 0 and name and info >> 4:  # undefined and not local
                    yield _text(data, strings + name)


def _macho_undefined(data: bytes) -> Iterator[str]:
    commands = struct.unpack_from("<I", data, 16)[0]
    at = 32
    for _ in range(commands):
        command, size = struct.unpack_from("<II", data, at)
        if command == 2:  # LC_SYMTAB
            symbols, count, strings, _ = struct.unpack_from("<IIII", data, at + 8)
            for i in range(count):
                name, kind, _, _, value = struct.unpack_from("<IBBHQ", data, symbols + 16 * i)
                if kind & 0x0F == 1 and value == 0:  # external, undefined, not common
                    yield _text(data, strings + name).removeprefix("_")
        at += size


def _coff_undefined(data: bytes) -> Iterator[str]:
    symbols, count = struct.unpack_from("<II", data, 8)
    strings = symbols + 18 * count
    i = 0
    while i < count:
        at = symbols + 18 * i
        value, section, _, storage, extra = struct.unpack_from("<IhHBB", data, at + 8)
        if section == 0 and value == 0 and storage == 2:  # external, undefined, not common
            zero, offset = struct.unpack_from("<II", data, at)
            yield data[at : at + 8].rstrip(b"\0").decode() if zero else _text(data, strings + offset)
        i += 1 + extra


def unresolvable(names: frozenset[str]) -> frozenset[str]:
    """Which open names this process cannot supply. Registers the BLAS routines if any of them is asked for."""
    import llvmlite.binding

    if names & blas.SYMBOLS:
        blas.register()
    if names - blas.SYMBOLS:
        _empty_engine()  # with the first engine LLVM begins to look among the names of the process
    return frozenset(n for n in names if n not in ALLOWED or not llvmlite.binding.address_of_symbol(n))


def load(data: bytes, symbol: str) -> tuple[int, Any]:
    """Place an object file in memory, ready to run.

    Args:
        data: the object file; its open names must all be resolvable.
        symbol: name of the function wanted.

    Returns:
        The function's address, 0 where the object lacks it, and the engine, which must outlive every use of it.
    """
    import llvmlite.binding as llvm

    engine = _new_engine()
    engine.add_object_file(llvm.ObjectFileRef.from_data(data))
    engine.finalize_object()
    return int(engine.get_function_address(symbol)), engine


def _new_engine() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(jit=True)
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)


_empty_engine = functools.cache(_new_engine)
