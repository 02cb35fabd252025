"""Machine code from Python text: compiled once, kept on disk, loaded later. Knows no graphs."""

from __future__ import annotations

from graphlearn.backends.native.blas import blas_threads, require_control
from graphlearn.backends.native.compile import compile_native, recall, remember
from graphlearn.backends.native.function import NativeFunction
from graphlearn.backends.native.memory import aligned_empty, aligned_zeros
from graphlearn.backends.native.near import has_near
from graphlearn.backends.native.signature import Signature
from graphlearn.backends.native.store import CacheInfo, cache_clear, cache_info
from graphlearn.backends.native.texts import fingerprint
from graphlearn.backends.native.width import lanes_for, vector_registers

__all__ = [
    "CacheInfo",
    "NativeFunction",
    "Signature",
    "aligned_empty",
    "aligned_zeros",
    "blas_threads",
    "cache_clear",
    "cache_info",
    "compile_native",
    "fingerprint",
    "has_near",
    "lanes_for",
    "recall",
    "remember",
    "require_control",
    "vector_registers",
]
