"""Generated code as a file that is run alone: the code as it stands, what it starts from, and what runs it."""

from __future__ import annotations

import inspect
import os
import pathlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphlearn.backends import repeating
from graphlearn.backends.forms import Call, Form
from graphlearn.backends.plain import plain_definitions, plain_math
from graphlearn.errors import OptionError

_WRITTEN = 4096  # numbers up to which arrays are written into the file itself; more lie in a file beside it


@dataclass(frozen=True)
class Repetition:
    """A training that was made, and so can be repeated.

    Args:
        forms: what ran; before it the same for Python alone, where that is another text.
        start: name -> value before the first step, constants included.
        data: name of an input -> its array.
        counts: rows in each step.
        order: row numbers of all steps; None: every step takes all rows.
        chunk: steps of an epoch.
    """

    forms: tuple[Form, ...]
    start: Mapping[str, np.ndarray]
    data: Mapping[str, np.ndarray]
    counts: np.ndarray
    order: np.ndarray | None
    chunk: int


_HEAD = '''"""A training, saved by graphlearn: the code that it generated, what it started from, and what runs it.

    python {name}            compiles `{entry}` (graphlearn must be installed) and makes every step: the same bits,
                             where matrix products have as many threads as they had ({threads})
    python {name} --plain    makes them in Python, by `{plain}`: needs NumPy alone, and takes its time

Both print the loss and write the values at the end to a file; --out FILE says which. In Python sums are added up in
another order and the elementary functions are NumPy's. A sum of n products may then differ by n * eps times the sum of
their absolute values (eps is 1.2e-7 in float32, 2.2e-16 in float64), and what is computed from it accordingly. Where
the terms of a gradient cancel, that is all there is of it, in both; Adam, which divides by its size, can make a step
of the whole learning rate of it.
"""

'''

_TAIL = '''
def main():
    """Repeat the training, print losses and write the values."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plain", action="store_true", help="run in Python, without graphlearn and its compiler")
    parser.add_argument("--out", default=str(pathlib.Path(__file__).with_suffix(".values.npz")), help="where values go")
    options = parser.parse_args()
    if options.plain:
        with np.errstate(all="ignore"):
            losses, values = repeat_training({plain}, FORMS["{plain}"], np.zeros, START, DATA, COUNTS, ORDER, CHUNK)
    else:
        from graphlearn.backends.native import Signature, aligned_zeros, compile_native

        form = FORMS["{entry}"]
        text, signature = inspect.getsource({entry}), Signature(form["parameters"], "int64")
        compiled = compile_native(text, "{entry}", signature, **form["options"])
        function = functools.partial(compiled, threads=form["threads"])
        losses, values = repeat_training(function, form, aligned_zeros, START, DATA, COUNTS, ORDER, CHUNK)
    for step in range(0, len(losses), max(1, len(losses) // 10)):
        print(f"step {{step + 1:8}}   loss {{losses[step]:.9g}}")
    np.savez(options.out, losses=losses, **values)
    print(f"{{options.out}} holds the losses and, by name, the values after {{len(losses)}} steps")


if __name__ == "__main__":
    main()
'''


_IMPORTS = """
import argparse
import functools
import inspect
import math
import pathlib
import types
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy import float32, float64, inf, int32, int64, nan, uint32, uint64
"""

_CALL_HEAD = '''"""A function, saved by graphlearn: the code that it generated, what it is called with, what calls it.

    python {name}            compiles `{entry}` (graphlearn must be installed) and calls it: the same bits,
                             where matrix products have as many threads as they had ({threads})
    python {name} --plain    runs `{plain}` in Python: needs NumPy alone; sums are added up in another order

Both print the outputs and write them to a file; --out FILE says which.
"""
'''

_CALL_TAIL = '''
def main():
    """Call the function, print the outputs and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plain", action="store_true", help="run in Python, without graphlearn and its compiler")
    parser.add_argument("--out", default=str(pathlib.Path(__file__).with_suffix(".values.npz")), help="where they go")
    options = parser.parse_args()
    function, zeros, call = {plain}, np.zeros, CALLS["{plain}"]
    if not options.plain:
        from graphlearn.backends.native import Signature, aligned_zeros, compile_native

        call = CALLS["{entry}"]
        text, signature = inspect.getsource({entry}), Signature(call["parameters"])
        compiled, zeros = compile_native(text, "{entry}", signature, **call["options"]), aligned_zeros
        function = functools.partial(compiled, threads=call["threads"])
    outputs = {{name: np.empty(shape, dtype) for name, (dtype, shape) in OUTPUTS.items()}}
    known = {{**START, **outputs, **{{name: zeros(length, dtype) for name, (dtype, length) in call["arenas"].items()}}}}
    with np.errstate(all="ignore"):
        function(*[known[each].reshape(-1) if isinstance(each, str) else each for each in call["arguments"]])
    for name, value in outputs.items():
        print(f"{{name}} = {{value}}")
    np.savez(options.out, **outputs)


if __name__ == "__main__":
    main()
'''


_LOADED = (
    'SAVED = np.load(pathlib.Path(__file__).with_suffix(".npz"))',
    'START = {name.removeprefix("start: "): SAVED[name] for name in SAVED.files if name.startswith("start: ")}',
)


def save_calls(path: str | pathlib.Path, calls: Sequence[Call]) -> pathlib.Path:
    """Write a function and one call of it as a Python file; errors as in `save_repetition`.

    Args:
        path: a name that ends with ``.py``.
        calls: what runs, with its arrays; before it the same for Python alone, where that is another text.

    Returns:
        The path.
    """
    target = _python_file(path)
    plain, runs = calls[0], calls[-1]
    beside = _put_beside(target, {f"start: {name}": array for name, array in runs.arrays.items()})
    values = "\n".join(_LOADED) if beside else _table("START", runs.arrays)
    told = "".join(f"    {call.entry!r}: {_indented(call.text())},\n" for call in calls)
    parts = [
        _CALL_HEAD.format(name=target.name, entry=runs.entry, plain=plain.entry, threads=runs.threads) + _IMPORTS,
        *_plain_part(plain.source),
        *(part for call in calls for part in (_rule(f"generated code: {call.entry}"), call.source)),
        _rule("what it is called with"),
        f"{values}\nOUTPUTS = {dict(runs.outputs)!r}\nCALLS = {{\n{told}}}\n",
        _rule("running it"),
        _CALL_TAIL.strip("\n").format(entry=runs.entry, plain=plain.entry) + "\n",
    ]
    write_whole(target, lambda draft: draft.write_text("\n\n".join(parts), encoding="utf-8"))
    return target


def save_repetition(path: str | pathlib.Path, made: Repetition) -> pathlib.Path:
    """Write a training as a Python file; beside it an ``.npz`` where there are many numbers.

    Args:
        path: a name that ends with ``.py``.
        made: the training.

    Returns:
        The path.

    Raises:
        OptionError: another ending, or a place where nothing can be written.
    """
    target = _python_file(path)
    arrays = {f"start: {k}": v for k, v in made.start.items()} | {f"data: {k}": v for k, v in made.data.items()}
    if made.order is not None:
        arrays |= {"order": made.order, "counts": made.counts}
    beside = _put_beside(target, arrays)
    text = _text(target.name, made, beside)
    write_whole(target, lambda draft: draft.write_text(text, encoding="utf-8"))
    return target


def _python_file(path: str | pathlib.Path) -> pathlib.Path:
    target = pathlib.Path(path)
    if target.suffix != ".py":
        raise OptionError(f"save_source needs a name that ends with .py; got {target.name!r}. Rename it.")
    return target


def _put_beside(target: pathlib.Path, arrays: Mapping[str, np.ndarray]) -> bool:
    """Write arrays to a file beside, where they are many numbers."""
    many = sum(a.size for a in arrays.values()) > _WRITTEN
    if many:
        write_whole(target.with_suffix(".npz"), lambda draft: np.savez(draft, **arrays))  # type: ignore[arg-type]  # by name
    return many


def _plain_part(source: str) -> list[str]:
    """What a source calls, as plain Python."""
    called = plain_math(source)
    shim = ", ".join(f"{f}=np.{f}" if hasattr(np, f) else f"{f}=math.{f}" for f in called)
    if shim:
        shim = f"\n\nmath = types.SimpleNamespace(inf=math.inf, nan=math.nan, {shim})  # no errors at borders\n"
    head = _rule("what the generated code calls, for --plain; compiled, it calls the compiler's own")
    return [head, f"{plain_definitions(source)}\n{shim}"]


def _text(name: str, made: Repetition, beside: bool) -> str:
    entry, plain = made.forms[-1].entry, made.forms[0].entry
    return "\n\n".join(
        [
            _HEAD.format(name=name, entry=entry, plain=plain, threads=made.forms[-1].threads) + _IMPORTS,
            *_plain_part(made.forms[0].source),
            *(part for form in made.forms for part in (_rule(f"generated code: {form.entry}"), form.source)),
            _rule("where it expects what: arena, first element, shape"),
            "FORMS = {\n" + "".join(f"    {form.entry!r}: {_indented(form.text())},\n" for form in made.forms) + "}\n",
            _rule("what it starts from"),
            _values(made, beside),
            _rule("running it"),
            inspect.getsource(repeating.lay_out),
            inspect.getsource(repeating.repeat_training),
            _TAIL.strip("\n").format(entry=entry, plain=plain) + "\n",
        ]
    )


def _rule(text: str) -> str:
    return f"# ==== {text} ".ljust(110, "=")


def _indented(text: str) -> str:
    return text.replace("\n", "\n    ")


def _values(made: Repetition, beside: bool) -> str:
    if not beside:
        order = "None" if made.order is None else array_text(made.order)
        same = made.order is None and len(made.counts)
        counts = f"np.full({len(made.counts)}, {made.counts[0]})" if same else array_text(made.counts)
        lines = [_table("START", made.start), _table("DATA", made.data), f"ORDER = {order}", f"COUNTS = {counts}"]
    else:
        lines = [
            *_LOADED,
            'DATA = {name.removeprefix("data: "): SAVED[name] for name in SAVED.files if name.startswith("data: ")}',
            'ORDER = SAVED["order"] if "order" in SAVED.files else None',
            f'COUNTS = np.full({len(made.counts)}, {made.counts[0]}) if ORDER is None else SAVED["counts"]',
        ]
    return "\n".join([*lines, f"CHUNK = {made.chunk}  # steps of an epoch\n"])


def _table(name: str, arrays: Mapping[str, np.ndarray]) -> str:
    rows = "".join(f"    {key!r}: {array_text(array)},\n" for key, array in arrays.items())
    return f"{name} = {{\n{rows}}}"


def array_text(array: np.ndarray) -> str:
    """An array as an expression that gives the same bits: the shortest decimals that are read back as they were."""
    if not array.size:
        return f"np.zeros({array.shape}, {str(array.dtype)!r})"
    return f"np.array({_nested(array)}, {str(array.dtype)!r})"


def _nested(array: np.ndarray) -> str:
    if array.ndim == 0:
        return str(array[()])
    return f"[{', '.join(_nested(part) for part in array)}]"


def write_whole(path: pathlib.Path, write: Any) -> None:
    """Write a file in one piece: a draft beside it takes its place, and vanishes where writing fails.

    Args:
        path: the file.
        write: writes the draft whose path it is given.

    Raises:
        OptionError: nothing can be written there.
    """
    draft = path.with_name(f".draft-{os.getpid()}-{threading.get_ident()}-{path.name}")
    try:
        try:
            write(draft)
            os.replace(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise OptionError(
            f"save_source needs a file that can be written; {str(path)!r} cannot: {error.strerror or error}. Give "
            "another path."
        ) from error
