"""How wide the vectors of this machine are."""

from __future__ import annotations

import functools

# LLVM prefers 256-bit vectors on every Intel CPU with AVX-512, for the sake of the first ones, which slowed down under
# 512-bit load. From Ice Lake on (the feature is its mark) 512 bits win: exp in float32 0.25 against 0.40 ns/element.
WIDE_FEATURE = "avx512vbmi2"


@functools.cache
def vector_bytes() -> int:
    """How many bytes this machine works on at once."""
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    wide = features.get(WIDE_FEATURE)
    return 64 if wide else 32 if features.get("avx2") else 16


def lanes_for(dtype: str, rows: int = 64) -> int:
    """How many lanes suit numbers of a dtype, where there are so many of them to work on."""
    lanes = vector_bytes() // int(dtype[-2:]) * 8
    while lanes > 2 and lanes // 2 >= rows:
        lanes //= 2
    return lanes
