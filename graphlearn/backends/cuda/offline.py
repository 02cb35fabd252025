"""Kernels compiled without a GPU: to PTX, and from there to a GPU's machine code with its register counts."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from typing import Any

from numba import cuda

from graphlearn.backends.cuda.device import is_simulated, python_function, signature
from graphlearn.backends.cuda.source import Kernel
from graphlearn.errors import EngineError

Capability = tuple[int, int]


@dataclass(frozen=True)
class Linked:
    """Machine code of a kernel.

    Args:
        size: bytes of the cubin.
        registers: of a thread.
        spilled: bytes of a thread that went to memory for want of registers, stores and loads together.
        shared: bytes of shared memory of a block.
    """

    size: int
    registers: int
    spilled: int
    shared: int


def require_compiler() -> None:
    """Make sure that kernels can be compiled.

    Raises:
        EngineError: the extra is not installed, or the simulator stands in for it.
    """
    if is_simulated():
        raise EngineError(
            "kernels are compiled offline by numba-cuda, but NUMBA_ENABLE_CUDASIM=1 has put a simulator in its place. "
            "Unset it."
        )
    if any(importlib.util.find_spec(name) is None for name in ("numba_cuda", "cuda")):
        raise EngineError(
            "kernels are compiled offline by numba-cuda and nvJitLink, which are not installed. The extra brings them: "
            'pip install "graphlearn[cuda]".'
        )


def compile_ptx(kernel: Kernel, capability: Capability) -> str:
    """PTX of a kernel.

    Args:
        kernel: flat, so that no driver is asked.
        capability: of the GPU, such as ``(9, 0)``.

    Raises:
        EngineError: the extra is not installed.
    """
    require_compiler()
    text, _ = cuda.compile(
        python_function(kernel), signature(kernel), cc=capability, device=False, abi="numba", output="ptx"
    )
    return str(text).rstrip("\0")


def link(ptx: str, capability: Capability) -> Linked:
    """Machine code from PTX, by nvJitLink.

    Raises:
        EngineError: the extra is not installed, or the linker refuses the PTX; holds what it says.
    """
    require_compiler()
    from cuda.bindings import nvjitlink

    handle = nvjitlink.create(2, [f"-arch=sm_{capability[0]}{capability[1]}", "-verbose"])
    text = ptx.encode() + b"\0"
    try:
        nvjitlink.add_data(handle, nvjitlink.InputType.PTX, text, len(text), "kernel.ptx")
        nvjitlink.complete(handle)
        size = nvjitlink.get_linked_cubin_size(handle)
        log = _log(handle, nvjitlink.get_info_log_size, nvjitlink.get_info_log)
    except nvjitlink.nvJitLinkError as error:
        said = _log(handle, nvjitlink.get_error_log_size, nvjitlink.get_error_log)
        raise EngineError(
            f"nvJitLink needs PTX that it can read for sm_{capability}; it says: {error} {said}"
        ) from error
    finally:
        nvjitlink.destroy(handle)
    return Linked(
        size, _sum(r"Used (\d+) registers", log), _sum(r"(\d+) bytes spill", log), _sum(r"(\d+) bytes smem", log)
    )


def _log(handle: Any, size_of: Any, read: Any) -> str:
    log = bytearray(size_of(handle))
    if log:
        read(handle, log)
    return log.decode(errors="replace").rstrip("\0")


def _sum(pattern: str, log: str) -> int:
    return sum(int(number) for number in re.findall(pattern, log))
