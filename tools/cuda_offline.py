"""Compile the GPU kernels without a GPU, and print how many registers each takes.

    python tools/run.py --with cuda python tools/cuda_offline.py             # sm_80 and sm_90
    python tools/cuda_offline.py --arch 90 --source                          # with the generated source
    python tools/cuda_offline.py --save DIRECTORY                            # with the PTX as files

It needs the extra `cuda`. A kernel that spills or takes more than 255 registers would be slow; float64 arithmetic in a
float32 kernel would be 32 to 64 times slower on most GPUs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

import graphlearn as gl
from graphlearn.backends.cuda.functions import emit_function
from graphlearn.backends.cuda.offline import Capability, compile_ptx, link, require_compiler
from graphlearn.backends.cuda.source import Kernel
from graphlearn.backends.cuda.training import emit_training
from graphlearn.errors import EngineError
from graphlearn.graph.traverse import leaves
from graphlearn.program.build import Batching, build_function, build_training
from graphlearn.program.training import TrainingStep


def xor(precision: str) -> Kernel:
    """The training loop of a 2-3-1 network on all rows of XOR, by gradient descent."""
    x, y = gl.input("x", ("batch", 2)), gl.input("y", ("batch", 1))
    logits = gl.nn.MLP([3, 1], activation="tanh")(x)
    step = training_step(gl.losses.binary_cross_entropy(logits, y), gl.optim.SGD(0.5), (x, y))
    return emit_training(build_training(step, precision, Batching(4, True, False, {}))).kernel


def classifier(precision: str) -> Kernel:
    """The training loop of a 3-5-4-2 network on batches of up to 16 rows, by Adam."""
    x, y = gl.input("x", ("batch", 3)), gl.input("y", ("batch",), dtype="int64")
    logits = gl.nn.MLP([5, 4, 2], activation="relu")(x)
    step = training_step(gl.losses.cross_entropy(logits, y), gl.optim.Adam(0.01), (x, y))
    return emit_training(build_training(step, precision, Batching(16, False, True, {}))).kernel


def training_step(loss: gl.Node, optimizer: gl.optim.Optimizer, data: Sequence[gl.Node]) -> TrainingStep:
    """One step that makes the loss small."""
    updates = optimizer.updates(loss, leaves([loss], "parameter"))
    return TrainingStep(loss, updates, tuple(data), tuple(updates.hyperparameters.values()), "batch")


def functions(precision: str) -> list[Kernel]:
    """An elementwise kernel, both kinds of reduction, and a matrix product."""
    x, w = gl.input("x", ("n", 33)), gl.input("w", (33, 65))
    outputs = [gl.sigmoid(x) * x, gl.mean(x * x), gl.max(x, axis=1), x @ w]
    return [launch.kernel for launch in emit_function(build_function(outputs, (x, w), precision))]


def kernels() -> dict[str, Kernel]:
    """Every kind of kernel that the backend emits, by a name that says what it is."""
    found: dict[str, Kernel] = {}
    for precision in ("float32", "float64"):
        found[f"xor {precision}"] = xor(precision)
        found[f"3-5-4-2 {precision}"] = classifier(precision)
        found |= {f"{kernel.name} {precision}": kernel for kernel in functions(precision)}
    return found


def report(architectures: Sequence[Capability], save: Path | None, show_source: bool) -> Table:
    """Compile everything for every architecture."""
    table = Table(title="CUDA kernels, compiled without a GPU")
    for heading in ("kernel", "sm", "PTX lines", "float64 lines", "cubin bytes", "registers", "spilled", "shared", "s"):
        table.add_column(heading, justify="left" if heading == "kernel" else "right")
    for name, kernel in kernels().items():
        if show_source:
            print(f"# {name}\n{kernel.source}")
        for capability in architectures:
            started = time.perf_counter()
            ptx = compile_ptx(kernel, capability)
            linked = link(ptx, capability)
            seconds = time.perf_counter() - started
            architecture = f"{capability[0]}{capability[1]}"
            wide = sum(".f64" in line for line in ptx.splitlines())
            row = (ptx.count("\n"), wide, linked.size, linked.registers, linked.spilled, linked.shared)
            table.add_row(name, architecture, *map(str, row), f"{seconds:.1f}")
            if save is not None:
                save.mkdir(parents=True, exist_ok=True)
                (save / f"{name.replace(' ', '_')}_sm_{architecture}.ptx").write_text(ptx, encoding="utf-8")
    return table


def main() -> int:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--arch", type=int, nargs="+", default=[80, 90], help="compute capabilities, such as 80 90")
    parser.add_argument("--save", type=Path, help="a directory for the PTX")
    parser.add_argument("--source", action="store_true", help="print the generated source too")
    options = parser.parse_args()
    try:
        require_compiler()
    except EngineError as error:
        parser.exit(1, f"{error}\n")
    Console().print(report([divmod(a, 10) for a in options.arch], options.save, options.source))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
