"""The text of the loop that trains tapes: one branch for each instruction, with its own inner loop over a run of them.

There are two texts for each precision, for steps on single numbers and for steps with a batch, whatever the graph.
"""

from __future__ import annotations

import functools
import textwrap

from graphlearn.backends import rows
from graphlearn.backends.native import NativeFunction, Signature, compile_native
from graphlearn.backends.numba.step_tape import training_instructions
from graphlearn.backends.numba.tape import branch

# What the loop needs to know of a tape, in the order of ``head``.
HEAD = ("runs", "first_run", "moves", "first_move", "loss", "length", "columns", "first_column", "total", "gather")
ENTRY = "train_tape"
_PARAMETERS = ("values", "whole", "code", "head", "data", "whole_data", "order", "counts", "steps", "losses")


def training_signature(precision: str) -> Signature:
    """Of the loop, at a precision."""
    kinds = f"{precision}*", "int64*", "const int32*", "const int64*", f"const {precision}*", "const int64*"
    return Signature((*kinds, "const int64*", "const int64*", "int64", "float64*"), "int64")


def training_loop(precision: str, by_rows: bool, fast: bool) -> NativeFunction:
    """The loop, compiled once per machine."""
    return compile_native(training_source(precision, by_rows), ENTRY, training_signature(precision), fast=fast)


@functools.cache
def training_source(precision: str, by_rows: bool) -> str:
    """The text of the loop.

    Args:
        precision: of real numbers.
        by_rows: whether there is a batch.
    """
    lines = [
        f"def {ENTRY}({', '.join(_PARAMETERS)}):",
        f"    zero, one = {precision}(0.0), {precision}(1.0)",
        *(f"    {name} = head[{k}]" for k, name in enumerate(HEAD) if by_rows or name in HEAD[:5]),
        *(["    row = 0  # where the row numbers of the next batch begin"] if by_rows else []),
        "    for step in range(steps):",
        *(_indented(_BATCH, 2) if by_rows else []),
        "        # forward, backward and next values: runs of equal instructions",
        "        for run in range(runs):",
        "            at = first_run + 3*run",
        "            number, first, beyond = int64(code[at]), code[at + 1], code[at + 2]",
        *(_indented("rows = 1\nif number < 0:\n    rows = n\n    number = -1 - number", 3) if by_rows else []),
    ]
    for number, (kind, name) in enumerate(training_instructions()):
        if not by_rows and kind in OF_ROWS:
            continue
        lines.append(f"            {'if' if not number else 'elif'} number == {number}:  # {_title(kind, name)}")
        lines.append("                for k in range(first, beyond):")
        lines += _indented(_instruction(kind, name, precision, by_rows), 5)
    lines += _indented(_END.format(inf=rows.literal(float("inf"), precision)), 2)
    lines += ["        row += n"] if by_rows else []
    return "\n".join([*lines, "    return steps", ""])


_LOCALS = {"values": "xyz", "whole": "ijm"}
OF_ROWS = ("filled", "sum", "max")
_BATCH = """\
n = counts[step]
whole[length] = n
# the rows of this batch, column by column; which array a column is in is told beside its place
for column in range(columns):
    at = first_column + 3*column
    target, start, of_whole = code[at], int64(code[at + 1])*total, code[at + 2]
    if of_whole != 0:
        for r in range(n):
            taken = r
            if gather != 0:
                taken = order[row + r]
            whole[target + r] = whole_data[start + taken]
    elif gather != 0:
        for r in range(n):
            values[target + r] = data[start + order[row + r]]
    else:
        for r in range(n):
            values[target + r] = data[start + r]"""
_END = """\
# the loss is recorded; where it is not finite, nothing is changed any more
losses[step] = float64(values[loss])
if not abs(values[loss]) < {inf}:
    return step
# all have read the values of the step's beginning
for move in range(moves):
    at = first_move + 3*move
    target, source, of_whole = code[at], code[at + 1], code[at + 2]
    if of_whole != 0:
        whole[target] = whole[source]
    else:
        values[target] = values[source]"""


def _indented(text: str, depth: int) -> list[str]:
    return textwrap.indent(text, "    " * depth).splitlines()


def _title(kind: str, name: str) -> str:
    return name if kind == "real" else f"{name}, {kind}"


def _instruction(kind: str, name: str, precision: str, by_rows: bool) -> str:
    """One instruction: its places, then its value, or one for each row."""
    if kind in OF_ROWS:
        return _over_rows(kind, name, precision)
    arena, operands, text = _value(kind, name, precision)
    names = [_LOCALS[operand][k] for k, operand in enumerate(operands)]
    used = [k for k, name in enumerate(names) if _mentions(text, name)]
    if not by_rows:
        loads = [f"{names[k]} = {operands[k]}[code[4*k + {k + 1}]]" for k in used]
        return "\n".join([*loads, f"{arena}[code[4*k]] = {text}"])
    places = [f"{'abc'[k]} = code[4*k + {k + 1}]" for k in used]
    loads = [f"    {names[k]} = {operands[k]}[{'abc'[k]} + r]" for k in used]
    return "\n".join(["t = code[4*k]", *places, "for r in range(rows):", *loads, f"    {arena}[t + r] = {text}"])


def _mentions(text: str, name: str) -> bool:
    return any(part == name for part in "".join(c if c.isalnum() or c == "_" else " " for c in text).split())


def _value(kind: str, name: str, precision: str) -> tuple[str, tuple[str, str, str], str]:
    """The arena of a result, those of its operands, and the text that computes it of the operands' locals."""
    reals, wholes = ("values",) * 3, ("whole",) * 3
    if name == "single":
        return "values", reals, f"{precision}(float32(x))"
    if kind == "to":
        return ("values", wholes, f"{precision}(i)") if name == "real" else ("whole", reals, "int64(x)")
    if kind == "compared":
        return "values", wholes, f"one if {rows.expression(name, 'bool', ['i', 'j'], rows.literal)} else zero"
    if kind != "whole":
        return "values", reals, branch(kind, name, precision)
    if name == "copy":
        return "whole", wholes, "i"
    asked = name == "where"
    operands = ["(x != zero)" if asked else "i", "j", "m"]
    arenas = ("values", "whole", "whole") if asked else wholes
    return "whole", arenas, rows.expression(name, "int64", operands, rows.literal)


def _over_rows(kind: str, name: str, precision: str) -> str:
    """From one number to one per row, or from these to one."""
    dtype = precision if name == "real" else "int64"
    arena, x = ("values", "x") if name == "real" else ("whole", "i")
    head = "t, a = code[4*k], code[4*k + 1]"
    if kind == "filled":
        return f"{head}\n{x} = {arena}[a]\nfor r in range(n):\n    {arena}[t + r] = {x}"
    start = rows.literal(rows.start_of(kind, dtype), dtype)
    text = rows.combine(kind, dtype)(x, f"{arena}[a + r]")
    return f"{head}\n{x} = {start}\nfor r in range(n):\n    {x} = {text}\n{arena}[t] = {x}"
