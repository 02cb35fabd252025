"""How wide the vectors of this machine are."""

from __future__ import annotations

import functools
import os

# LLVM prefers 256-bit vectors on every Intel CPU with AVX-512, for the sake of the first ones, which slowed down under
# 512-bit load. From Ice Lake on (the feature is its mark) 512 bits win: exp in float32 0.25 against 0.40 ns/element.
WIDE_FEATURE = "avx512vbmi2"


@functools.cache
def vector_bytes() -> int:
    """How many bytes the machine that code is made for works on at once."""
    return 64 if _has(WIDE_FEATURE) and "NUMBA_CPU_FEATURES" not in os.environ else 32 if _has("avx2") else 16


@functools.cache
def vector_registers() -> int:
    """How many vectors the machine that code is made for holds in registers."""
    import llvmlite.binding as llvm

    return 32 if vector_bytes() == 64 or llvm.get_process_triple().startswith(("aarch64", "arm64")) else 16


@functools.cache
def fuses_products() -> bool:
    """Whether ``a b + c`` with one rounding is an instruction of the machine that code is made for."""
    import llvmlite.binding as llvm

    return llvm.get_process_triple().startswith(("aarch64", "arm64")) or _has("fma")


def _has(feature: str) -> bool:
    """Whether code may use a feature: this machine's, unless Numba is told otherwise."""
    import llvmlite.binding as llvm

    chosen = os.environ.get("NUMBA_CPU_FEATURES")
    return f"+{feature}" in chosen.split(",") if chosen is not None else bool(llvm.get_host_cpu_features().get(feature))


def lanes_for(dtype: str, rows: int = 64) -> int:
    """How many lanes suit numbers of a dtype, where there are so many of them to work on."""
    lanes = vector_bytes() * 8 // int(dtype[-2:])
    while lanes > 2 and lanes // 2 >= rows:
        lanes //= 2
    return lanes
