"""Print which operation runs on which backend, as a Markdown table.

    python tools/run.py python tools/support_table.py            # print it
    python tools/run.py python tools/support_table.py --write    # renew tools/support.md
    python tools/run.py python tools/support_table.py --check    # fail where tools/support.md is not current

A cell lists the dtypes of operands for which the backend generates (numpy: computes) every small graph that the laws in
`tests/laws/operands.py` make of the operation; a dash means `UnsupportedOp`. Nothing is compiled and no GPU is needed.
"""

from __future__ import annotations

import argparse
import pathlib
import sys
from collections.abc import Callable, Sequence

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from graphlearn.backends.cuda.functions import emit_function as emit_cuda  # noqa: E402  # after the path is set
from graphlearn.backends.numba.emit import emit_function as emit_numba  # noqa: E402
from graphlearn.backends.numpy.interpreter import interpret  # noqa: E402
from graphlearn.errors import DTypeError, UnsupportedOp  # noqa: E402
from graphlearn.graph.binding import Binding  # noqa: E402
from graphlearn.graph.op import Op  # noqa: E402
from graphlearn.graph.traverse import leaves  # noqa: E402
from graphlearn.program.build import build_function  # noqa: E402
from graphlearn.types import DTYPES  # noqa: E402
from tests.laws.operands import ALL_OPS, SIZES, Case, cases  # noqa: E402

FILE = ROOT / "tools" / "support.md"
KINDS = {
    "intrinsic": "Intrinsic: a row in each backend",
    "defined": "Defined: from a formula over intrinsics",
    "structural": "Structural: shapes, sums, products",
    "compound": "Compound: a graph over others",
}
HEAD = f"""# What runs where

Made by `python tools/support_table.py --write`; a test fails where it is not current. A cell lists the dtypes of the
operands for which a backend has what the operation needs. "all" are {", ".join(DTYPES)}.
Gradients are graphs over these operations, so they run where these run.
"""


def _interpreted(case: Case) -> None:
    value = interpret([case.node], Binding(case.at, SIZES))[case.node]
    if np.asarray(value).dtype.kind == "O":
        raise UnsupportedOp(f"NumPy has no {case.node.op.name!r} for {case}.")


BACKENDS: dict[str, Callable[[Case], object]] = {
    "numpy": _interpreted,
    "numba": lambda case: emit_numba(build_function([case.node], leaves([case.node]), "float64")),
    "cuda": lambda case: emit_cuda(build_function([case.node], leaves([case.node]), "float64")),
}


def runs(op: Op, dtype: str, backend: str) -> bool | None:
    """Whether a backend has all that an operation needs on a dtype; None where the operation is not defined on it."""
    try:
        made = cases(op, dtype)
    except DTypeError:
        return None
    try:
        for case in made:
            BACKENDS[backend](case)
    except UnsupportedOp:
        return False
    return True


def cell(op: Op, backend: str) -> str:
    """The dtypes in words."""
    answers = {dtype: runs(op, dtype, backend) for dtype in DTYPES}
    able = [dtype for dtype, answer in answers.items() if answer]
    defined = [dtype for dtype, answer in answers.items() if answer is not None]
    if not able:
        return "–"
    return "all" if able == list(DTYPES) else ", ".join(able) + ("" if able == defined else " only")


def table() -> str:
    """The whole page."""
    lines = [HEAD]
    for kind, title in KINDS.items():
        lines += [f"## {title}", "", f"| operation | {' | '.join(BACKENDS)} |", f"|---|{'---|' * len(BACKENDS)}"]
        for name in sorted(name for name, op in ALL_OPS.items() if op.kind == kind):
            lines.append(f"| `{name}` | {' | '.join(cell(ALL_OPS[name], backend) for backend in BACKENDS)} |")
        lines.append("")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print, write or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="renew tools/support.md")
    parser.add_argument("--check", action="store_true", help="fail where tools/support.md is not current")
    options = parser.parse_args(arguments)
    text = table()
    if options.write:
        FILE.write_bytes(text.encode())
    elif options.check:
        if FILE.read_text(encoding="utf-8") != text:
            print("tools/support.md is not current. Renew it: python tools/support_table.py --write", file=sys.stderr)
            return 1
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
