"""Modules of LLVM as machine code, optimised as Numba optimises its own, without importing Numba."""

from __future__ import annotations

import functools
import os
from typing import Any

from graphlearn.backends.native import objects
from graphlearn.backends.native.width import WIDE_FEATURE

WIDE_VECTORS = ",-prefer-256-bit"


class Assembled:
    """A module after optimisation, its object file, and the engine that holds it ready to run.

    Args:
        module: llvmlite's module.
        straight: whether straight-line code is turned into vectors too, as loops are.
        unrolled: whether loops may be unrolled; written on lanes they are long enough as they stand.
    """

    def __init__(self, module: Any, straight: bool, unrolled: bool = True) -> None:
        import llvmlite.binding as llvm

        machine = _machine()
        module.triple, module.data_layout = llvm.get_process_triple(), str(machine.target_data)
        self._module = llvm.parse_assembly(str(module))
        self._module.verify()
        options = llvm.create_pipeline_tuning_options(speed_level=_level("NUMBA_OPT", 3))
        options.loop_vectorization = bool(_level("NUMBA_LOOP_VECTORIZE", 1))
        options.loop_unrolling = unrolled
        options.slp_vectorization = straight or bool(_level("NUMBA_SLP_VECTORIZE", 0))
        builder = llvm.create_pass_builder(machine, options)
        builder.getModulePassManager().run(self._module, builder)
        self.data = bytes(machine.emit_object(self._module))
        self._engine: Any = None

    def address(self, symbol: str) -> int:
        """Where a function of the module is, once what it calls is known to LLVM."""
        address, self._engine = objects.load(self.data, symbol)
        return address

    def get_llvm_str(self) -> str:
        """The optimised module as text."""
        return str(self._module)

    def get_asm_str(self) -> str:
        """The machine code as text."""
        return str(_machine().emit_assembly(self._module))

    def _get_compiled_object(self) -> bytes:
        return self.data


def _level(variable: str, default: int) -> int:
    """A setting of Numba's, which holds here too."""
    text = os.environ.get(variable, "")
    return int(text) if text.isdigit() else default


@functools.cache
def _machine() -> Any:
    """This machine, or the one that Numba is told, with vectors as wide as it is good at."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = os.environ.get("NUMBA_CPU_FEATURES")
    if features is None:
        features = llvm.get_host_cpu_features().flatten()
        if f"+{WIDE_FEATURE}" in features:
            features += WIDE_VECTORS
    target = llvm.Target.from_triple(llvm.get_process_triple())
    return target.create_target_machine(
        cpu=os.environ.get("NUMBA_CPU_NAME") or llvm.get_host_cpu_name(),
        features=features,
        opt=_level("NUMBA_OPT", 3),
        reloc="static" if target.name.startswith("x86") else "default",
        codemodel="jitdefault",
        jit=True,
    )
