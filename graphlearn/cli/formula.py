"""``graphlearn derive`` and ``graphlearn draw``: a formula from the command line, derived or drawn."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import graphlearn as gl
from graphlearn.cli.files import whole
from graphlearn.cli.page import Page
from graphlearn.cli.words import Words
from graphlearn.errors import DTypeError, MissingValueError, OptionError, ShapeError, UnknownNameError
from graphlearn.types import format_shape

_RESULTS = ("y", "f", "result", "output")  # names for the formula's value; the first that the formula does not use


def derive(page: Page, words: Words, text: str, at: Sequence[str], wrt: str | None, out: Path | None) -> None:
    """Print or save the derivation of a formula.

    Args:
        page: where it is printed.
        words: its language.
        text: the formula, as `graphlearn.parse` takes it.
        at: texts such as ``w=2,x=[1,2]``; none of them: a derivation without numbers.
        wrt: names with commas between; None: all names of the formula.
        out: a file whose suffix says the format; None: print.

    Raises:
        OptionError: values that are no numbers.
        UnknownNameError: a name that the formula does not have.
        ShapeError: the formula's value is no single number.
    """
    output, values = _build(text, at)
    targets = _nodes(output, wrt) or list(gl.symbols(output).values())
    if not targets:
        raise OptionError(f"derive needs a formula with a name to differentiate by; got {text!r}. E.g. 'w*x'.")
    _require_number(output)
    derivation = gl.derive(output, targets, at=values or None)
    if out is None:
        page.verbatim(derivation.to_text(words.language, width=page.width))
        return
    with whole(out) as draft:
        derivation.save(draft, language=words.language)
    page.say(words("wrote", path=out))


def draw(page: Page, words: Words, text: str, at: Sequence[str], wrt: str | None, out: Path) -> None:
    """Save the diagram of a formula.

    Args:
        page: where its place is printed.
        words: the language of page and diagram.
        text: the formula, as `graphlearn.parse` takes it.
        at: texts such as ``w=2,x=[1,2]``; none of them: a diagram without values.
        wrt: names with commas between, whose gradients are drawn; None: no gradients.
        out: a file whose suffix says the format.

    Raises:
        OptionError: values that are no numbers.
        UnknownNameError: a name that the formula does not have.
        ShapeError: gradients are wanted of a value that is no single number.
    """
    output, values = _build(text, at)
    targets = _nodes(output, wrt)
    if targets:
        _require_number(output)
    diagram = gl.draw(output, at=values or None, wrt=targets or None, language=words.language)
    with whole(out) as draft:
        diagram.save(draft)
    page.say(words("wrote", path=out))


def _build(text: str, at: Sequence[str]) -> tuple[gl.Node, dict[str, Any]]:
    """Build the graph, with inputs of the shapes that their values have."""
    values = read_values(at)
    words = set(re.findall(r"[^\W\d]\w*", text))
    strange = [name for name in values if name not in words]
    if strange:
        gl.parse(text)  # what is wrong with the formula itself is said first
        raise UnknownNameError(f"--at names {strange[0]!r}, which the formula does not have. Leave it out.")
    output = gl.parse(text, shapes={name: value.shape for name, value in values.items() if value.ndim})
    names = gl.symbols(output)
    missing = [name for name in names if name not in values]
    if values and missing:
        raise MissingValueError(
            f"--at needs a value for each name of the formula; {', '.join(missing)} "
            f"{'has' if len(missing) == 1 else 'have'} none. Add {','.join(f'{name}=...' for name in missing)} to --at."
        )
    if output not in names.values():  # a formula that is just a name has one
        output = output.named(next(name for name in _RESULTS if name not in names))
    return output, values


def _require_number(output: gl.Node) -> None:
    if output.shape != ():
        raise ShapeError(
            f"a gradient needs a formula whose value is a single number; this one has the shape "
            f"{format_shape(output.shape)}. Put sum(...) or mean(...) around it."
        )
    if not output.type.is_float:
        raise DTypeError(
            f"a gradient needs a formula whose value is a real number; this one is {output.dtype}. Choose by it: "
            "where(x > 0, a, b)."
        )


def _nodes(output: gl.Node, wrt: str | None) -> list[gl.Node]:
    leaves: Mapping[str, gl.Node] = gl.symbols(output)
    wanted = [name.strip() for name in wrt.split(",")] if wrt else []
    for name in wanted:
        if name not in leaves:
            raise UnknownNameError(
                f"--wrt names {name!r}, which the formula does not have. Its names are: {', '.join(leaves)}."
            )
    return [leaves[name] for name in wanted]


def read_values(texts: Sequence[str]) -> dict[str, np.ndarray]:
    """Read values such as ``w=2,x=[[0,1],[1,0]]``.

    Args:
        texts: any number of such texts; together they name each value once.

    Returns:
        Name -> float64 array of the value's shape.

    Raises:
        OptionError: a part that is not NAME=NUMBER or NAME=[NUMBERS], or a name given twice.
    """
    found: dict[str, np.ndarray] = {}
    for part in (part for text in texts for part in _parts(text)):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not name or not equals:
            raise OptionError(
                f"--at needs NAME=NUMBER, several with commas between; got {part.strip()!r}. E.g. --at w=2,x=3."
            )
        if name in found:
            raise OptionError(f"--at gives {name!r} twice. Leave one of them out.")
        found[name] = _array(name, value)
    return found


def _parts(text: str) -> list[str]:
    """Split at commas outside brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "[(") - (character in "])")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _array(name: str, text: str) -> np.ndarray:
    try:
        array = np.array(ast.literal_eval(text))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        array = np.array(None)
    if array.dtype.kind not in "iufb" or not array.size:
        raise OptionError(
            f"--at needs a number for {name!r}, or numbers in brackets with rows of one length; got {text!r}. "
            "E.g. --at w=2,x=[[0,1],[1,0]]."
        )
    return array.astype(np.float64)
