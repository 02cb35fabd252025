"""Text measured in display cells: padding, wrapping of words, and line breaks where a mathematician would put them.

Rule: a Hangul syllable takes two cells and a combining accent none, so nothing here counts characters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rich.cells import cell_len

from graphlearn.render.document import Alignment, Inline, Math, pieces
from graphlearn.render.escape import printable

_RELATIONS = frozenset("=≈≠≤≥<>≡∝←→")
_OPERATORS = frozenset("+-−⊙·×/*⊗∘±")
_OPENING = {"[": "]", "(": ")", "{": "}"}
_HELD = "\u00a0"  # stands for a space inside a formula while words are wrapped
# What a break costs, in tenths of a line left empty; deeper brackets add _DEPTH each.
_AT_RELATION, _AT_ROW, _AT_OPERATOR, _AT_COMMA, _AT_SPACE, _DEPTH = 0.0, 1.0, 1.5, 2.5, 5.0, 1.0


def display_width(text: str) -> int:
    """The cells of a terminal that a line takes; a Hangul syllable takes two."""
    return cell_len(text)


def pad(text: str, width: int, alignment: Alignment = "left") -> str:
    """Pad text to a width.

    Args:
        text: one line.
        width: display cells.
        alignment: where the text stands in the width.

    Returns:
        The text with spaces added; unchanged when it is wider.
    """
    room = max(0, width - cell_len(text))
    before = {"left": 0, "right": room, "center": room // 2}[alignment]
    return " " * before + text + " " * (room - before)


def wrap(content: Inline, width: int) -> list[str]:
    """Wrap words and formulas into lines.

    A formula stays whole where it can; one that is wider than a line is broken by `break_formula`.

    Args:
        content: the pieces.
        width: display cells of a line.

    Returns:
        At least one line; none is wider than ``width`` unless a single word is.
    """
    lines: list[str] = []
    line = ""
    for word in _words(content):
        joined = f"{line} {word}" if line else word
        if cell_len(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        *full, line = break_formula(word.replace(_HELD, " "), width) if cell_len(word) > width else [word]
        lines.extend(full)
    return [text.replace(_HELD, " ") for text in [*lines, line]]


def _words(content: Inline) -> list[str]:
    joined = "".join(
        re.sub(r"\s", _HELD, printable(piece.text)) if isinstance(piece, Math) else _spaced(piece)
        for piece in pieces(content)
    )
    return [word for word in joined.split(" ") if word]


def _spaced(words: str) -> str:
    return printable(re.sub(r"\s+", " ", words))


@dataclass(frozen=True, slots=True)
class _Break:
    """A place where a formula may be broken.

    Args:
        end: the line ends before this index.
        start: the next line starts at this index.
        cost: how much the break is disliked.
        hang: column, counted from the start of the formula's text, that the next line lines up with; -1 for none.
    """

    end: int
    start: int
    cost: float
    hang: int


def break_formula(text: str, width: int) -> list[str]:
    """Break a formula into lines: before a relation, after a row border or an operator, never inside a number.

    Args:
        text: the text form of a formula.
        width: display cells of a line.

    Returns:
        Lines that carry their own hanging indent; inside a bracket they line up with what the bracket opened.
    """
    text = printable(text).strip()
    lines: list[str] = []
    breaks = _breaks(text)
    placed = [(0, 0)]  # where in the text each line starts, and its indent
    while True:
        start, indent = placed[-1]
        room = max(1, width - indent)
        later = [place for place in breaks if place.end > start]
        if not later or cell_len(text[start:]) <= room:
            return [*lines, " " * indent + text[start:]]
        fitting = [place for place in later if cell_len(text[start : place.end]) <= room]
        chosen = min(fitting, key=lambda place: _price(place, text[placed[-1][0] : place.end], room), default=later[0])
        lines.append(" " * indent + text[start : chosen.end])
        unit = text[chosen.start : next((place.end for place in later if place.end > chosen.start), len(text))]
        # A word that would stick out behind its indent gets less indent.
        indent = min(_hanging(text, chosen, placed, width), max(0, width - cell_len(unit)))
        placed.append((chosen.start, indent))


def _price(place: _Break, line: str, room: int) -> tuple[float, int]:
    empty = 10.0 * (room - cell_len(line)) / room
    return (place.cost + empty, -place.end)


def _hanging(text: str, chosen: _Break, placed: list[tuple[int, int]], width: int) -> int:
    """Return the indent of the line after a break."""
    if chosen.hang < 0:
        return 0 if chosen.cost == _AT_RELATION else 2
    start, indent = next((start, indent) for start, indent in reversed(placed) if start <= chosen.hang)
    column = indent + cell_len(text[start : chosen.hang])
    return column if column <= width // 2 else 4


def _breaks(text: str) -> list[_Break]:
    """Return every place where a line may end, from left to right."""
    places: list[_Break] = []
    opened: list[int] = []
    for index, character in enumerate(text):
        if character in _OPENING:
            opened.append(index)
        elif opened and character == _OPENING[text[opened[-1]]]:
            opened.pop()
        elif character == " " and text[index - 1] != " ":
            start = len(text) - len(text[index:].lstrip(" "))
            row = text[index - 1] == "│"
            places.append(
                _Break(index, index + 1 if row else start, _cost(text, index, start, len(opened)), _hang(text, opened))
            )
    return places


def _cost(text: str, end: int, start: int, depth: int) -> float:
    before, after = text[end - 1], text[start]
    alone = end < 2 or text[end - 2] == " "
    if after in _RELATIONS and not depth:
        return _AT_RELATION
    if before == "│":
        return _AT_ROW
    if before in _OPERATORS and alone:
        return _AT_OPERATOR + _DEPTH * depth
    if before in ",;":
        return _AT_COMMA + _DEPTH * depth
    if after in _OPERATORS or after in "│…" or before in _RELATIONS:
        return 3 * _AT_SPACE + _DEPTH * depth  # an operator starts no line
    return _AT_SPACE + _DEPTH * depth


def _hang(text: str, opened: list[int]) -> int:
    if not opened:
        return -1
    inside = opened[-1] + 1
    return inside + 1 if text[inside : inside + 1] == " " else inside
