r"""Numbers and arrays as a person writes them: ``[ 0.1350 │ −0.1242 ]`` in text, ``\begin{bmatrix}`` in LaTeX.

Rule: what is shown is never less true than it looks. Zero is shown as 0 and only zero is; a number too small for the
decimals turns scientific; an array too long to show is shown by its corner entries with its shape below the bracket.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np
from rich.cells import cell_len

from graphlearn.errors import DTypeError, OptionError
from graphlearn.render.document import Math
from graphlearn.render.names import subscript, superscript

_LARGE = 1e6  # from here on, floats are scientific
_EXACT_DIGITS = 15  # integers up to this many digits are written in full
_MATRIX_EDGES = (3, 2, 1)
_VECTOR_EDGES = (5, 3, 2, 1)
_MOST_ENTRIES = 400  # more than this many entries are never written out, however wide the line
_GAP = "…"

Grid: TypeAlias = list[list[str]]


@dataclass(frozen=True, slots=True)
class _Style:
    """How the numbers of one array are written.

    Args:
        kind: ``"integer"``, ``"fixed"``, or ``"own"`` where magnitudes differ so much that each number has its form.
        decimals: digits after the point.
    """

    kind: str
    decimals: int


def format_number(x: Any, digits: int = 4) -> str:
    """Write one number for a terminal or a diagram.

    Args:
        x: a Python or NumPy number or boolean, or an array of shape ``()``.
        digits: decimals after the point, from 1 to 15; large numbers have fewer, tiny ones become scientific.

    Returns:
        Unicode text with the minus sign U+2212.

    Raises:
        DTypeError: ``x`` is not a real number; convert it first.
        OptionError: ``digits`` is out of range.

    >>> format_number(-0.12417), format_number(0.0), format_number(1.2e-9), format_number(float("inf"))
    ('−0.1242', '0', '1.2×10⁻⁹', '∞')
    """
    return _to_text(_single(x, digits))


def latex_number(x: Any, digits: int = 4) -> str:
    r"""Write one number as LaTeX; arguments and errors as for `format_number`.

    Args:
        x: a Python or NumPy number or boolean, or an array of shape ``()``.
        digits: decimals after the point.

    >>> print(latex_number(1.2e-9), latex_number(float("-inf")))
    1.2 \times 10^{-9} -\infty
    """
    return _to_latex(_single(x, digits))


def format_array(array: Any, digits: int = 4, width: int = 240) -> str:
    """Write an array for a terminal: rows separated by │, columns aligned at the decimal point.

    Args:
        array: anything `numpy.asarray` turns into real numbers or booleans; any shape.
        digits: decimals after the point, from 1 to 15.
        width: most display cells that the text may take; a longer array is shown by its corner entries and its shape.

    Returns:
        One line; a shape ``()`` has no bracket. Rank 3 and above is always shown by its first and last entries.

    Raises:
        DTypeError: the entries are not real numbers or booleans.
        OptionError: ``digits`` is out of range.

    >>> format_array([[0.135, -0.1242], [0, 1]])
    '[ 0.1350  −0.1242 │ 0        1.0000 ]'
    """
    return array_math(array, digits, width).text


def latex_array(array: Any, digits: int = 4, width: int = 240) -> str:
    r"""Write an array as a ``bmatrix``; the same entries are shown as by `format_array`.

    Args:
        array: anything `numpy.asarray` turns into real numbers or booleans; any shape.
        digits: decimals after the point.
        width: most display cells that the text form may take.

    >>> print(latex_array([[1, 2], [3, 4]]))
    \begin{bmatrix} 1 & 2 \\ 3 & 4 \end{bmatrix}
    """
    return array_math(array, digits, width).latex


def array_math(array: Any, digits: int = 4, width: int = 240) -> Math:
    """Return both forms of an array; see `format_array`.

    Args:
        array: anything `numpy.asarray` turns into real numbers or booleans; any shape.
        digits: decimals after the point.
        width: most display cells that the text form may take.
    """
    values = _real_array(array)
    if values.ndim == 0:
        number = _single(values, digits)
        return Math(_to_text(number), _to_latex(number))
    rows = values if values.ndim == 2 else values.reshape(1, -1)
    shape = tuple(values.shape)
    if values.ndim <= 2 and values.size <= _MOST_ENTRIES:
        text, latex = _layout(_grid(rows, None, digits))
        if cell_len(text) <= width:
            return Math(text, latex) if values.size else _with_shape(text, latex, shape)
    for edge in _MATRIX_EDGES if values.ndim == 2 else _VECTOR_EDGES:
        text, latex = _layout(_grid(rows, edge, digits))
        if cell_len(text) + len(_shape_text(shape)) <= width:
            break
    return _with_shape(text, latex, shape)


def _real_array(array: Any) -> np.ndarray[Any, Any]:
    values = np.asarray(array)
    if values.dtype.kind not in "biuf":
        raise DTypeError(f"only real numbers and booleans can be written; got {values.dtype}. Convert the array first.")
    return values.astype(np.float64) if values.dtype.kind == "f" else values


def _single(x: Any, digits: int) -> str:
    """Return one number in the plain ASCII form that both notations start from."""
    if isinstance(x, int):  # Python integers have no limit, NumPy's do
        return _number(x, _style([x], digits))
    values = _real_array(x)
    if values.ndim:
        raise DTypeError(f"one number is needed; got an array of shape {values.shape}. Use format_array.")
    number = values.item()
    return _number(number, _style([number], digits))


def _style(numbers: Sequence[Any], digits: int) -> _Style:
    if not 1 <= digits <= 15:
        raise OptionError(f"digits must be between 1 and 15; got {digits!r}.")
    if all(isinstance(number, int) for number in numbers):
        return _Style("integer", digits)
    finite = [abs(float(number)) for number in numbers if number == number and abs(number) != np.inf]
    largest = max(finite, default=0.0)
    if largest >= _LARGE or 0 < largest < _small(digits):
        return _Style("own", digits)
    if all(number.is_integer() for number in finite):
        return _Style("integer", digits)
    whole = len(str(int(largest)))
    return _Style("fixed", max(1, digits - max(0, whole - 3)))


def _small(digits: int) -> float:
    """Return the size from which on fixed decimals show two figures at least."""
    return float(min(0.1, 10.0 ** (1 - digits)))


def _number(number: Any, style: _Style) -> str:
    """Write a number in plain ASCII: ``-0.1242``, ``1.2e-9``, ``nan``, ``-inf``, ``true``."""
    if isinstance(number, bool):
        return "true" if number else "false"
    if number != number:
        return "nan"
    if abs(number) == np.inf:
        return "inf" if number > 0 else "-inf"
    if number == 0:
        return "0"
    if isinstance(number, int):
        return str(number) if len(str(abs(number))) <= _EXACT_DIGITS else _scientific(number, style.decimals)
    if style.kind == "integer":
        return str(int(number))
    if style.kind == "fixed":
        fixed = f"{number:.{style.decimals}f}"
        # Among larger neighbours one digit after the point is enough to say how small it is.
        return fixed if float(fixed) else _scientific(number, 1)
    if _small(style.decimals) <= abs(number) < _LARGE:
        return _number(number, _style([number], style.decimals))
    return _scientific(number, style.decimals - 1)


def _scientific(number: Any, decimals: int) -> str:
    mantissa, exponent = f"{Decimal(number):.{decimals}e}".split("e")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}e{int(exponent)}"


def _to_text(number: str) -> str:
    mantissa, _, exponent = number.partition("e") if number not in ("true", "false") else (number, "", "")
    mantissa = {"nan": "NaN", "inf": "∞", "-inf": "-∞"}.get(mantissa, mantissa).replace("-", "−")
    return mantissa + (f"×10{superscript(exponent)}" if exponent else "")


def _to_latex(number: str) -> str:
    if number in ("true", "false"):
        return rf"\mathrm{{{number}}}"
    words = {_GAP: r"\cdots", "nan": r"\mathrm{NaN}", "inf": r"\infty", "-inf": r"-\infty"}
    mantissa, _, exponent = number.partition("e")
    return words.get(mantissa, mantissa) + (rf" \times 10^{{{exponent}}}" if exponent else "")


def _grid(rows: np.ndarray[Any, Any], edge: int | None, digits: int) -> Grid:
    """Return the entries in ASCII, with `_GAP` where rows or columns are left out."""
    lines = _shown(rows.shape[0], edge)
    columns = _shown(rows.shape[1], edge)
    picked = {(i, j): rows[i, j].item() for i in lines if i is not None for j in columns if j is not None}
    style = _style(list(picked.values()), digits)
    grid: Grid = []
    for i in lines:
        if i is None:
            grid.append([_GAP])
        else:
            grid.append([_GAP if j is None else _number(picked[i, j], style) for j in columns])
    return grid


def _shown(count: int, edge: int | None) -> list[int | None]:
    if edge is None or count <= 2 * edge + 1:
        return list(range(count))
    return [*range(edge), None, *range(count - edge, count)]


def _layout(grid: Grid) -> tuple[str, str]:
    """Return the text and the LaTeX of a grid."""
    full = [row for row in grid if row != [_GAP]]
    width = len(full[0]) if full else 0
    columns = [_align([_to_text(row[j]) for row in full]) for j in range(width)]
    texts = iter(["  ".join(column[i] for column in columns) for i in range(len(full))])
    lines = [_GAP if row == [_GAP] else next(texts) for row in grid]
    inner = " │ ".join(lines)
    if not width:
        return "[ ]", r"\begin{bmatrix} \end{bmatrix}"
    latex = r" \\ ".join(_latex_row(row, width) for row in grid)
    return f"[ {inner.rstrip()} ]", rf"\begin{{bmatrix}} {latex} \end{{bmatrix}}"


def _align(texts: Sequence[str]) -> list[str]:
    """Pad a column so that the decimal points stand below each other."""
    split = [_at_point(text) for text in texts]
    left = max((len(head) for head, _ in split), default=0)
    right = max((len(tail) for _, tail in split), default=0)
    return [head.rjust(left) + tail.ljust(right) for head, tail in split]


def _at_point(text: str) -> tuple[str, str]:
    for mark in (".", "×"):
        head, found, tail = text.partition(mark)
        if found:
            return head, found + tail
    return text, ""


def _latex_row(row: list[str], width: int) -> str:
    if row == [_GAP]:
        return " & ".join([r"\vdots"] * width)
    return " & ".join(_to_latex(entry) for entry in row)


def _with_shape(text: str, latex: str, shape: tuple[int, ...]) -> Math:
    sizes = r" \times ".join(map(str, shape))
    return Math(text + _shape_text(shape), f"{latex}_{{{sizes}}}")


def _shape_text(shape: tuple[int, ...]) -> str:
    return subscript("x".join(map(str, shape)))
