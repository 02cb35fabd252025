"""The words of a formula: numbers, names, texts and signs, each with its place; how a mistake is shown there."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from typing import NoReturn
from unicodedata import east_asian_width

from graphlearn.errors import ParseError

LONGEST = 100_000  # characters of a formula
_WIDTH = 100  # characters of a line that a message shows
_DIGITS = 18  # that every int64 has room for

_RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_NO_LETTERS = _RAISED + "ᵀ¼-¾⅐-⅟↉"  # what Unicode counts among those of words; fractions too
_TOKEN = re.compile(
    r"(?P<space>[\s\ufeff\u200b]+)"
    r"|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    rf"|(?P<name>[^\W\d{_NO_LETTERS}][^\W{_NO_LETTERS}]*)"
    rf"|(?P<raised>⁻?[{_RAISED}]+)"
    r"|(?P<text>'[^'\n]*'|\"[^\"\n]*\")"
    r"|(?P<operator>\.\.\.|\*\*|<=|>=|==|!=|//|<>|=<|=>|:=|&&|[-+*/@<>(),=.%:|\[\]∞√∛⌊⌋⌈⌉ᵀ·⋅∗⊙×÷−–≤≥≠…])"
)
# Signs that mathematics writes for Python's: derivations use them, and so formulas may be copied from there.
_SIGNS = {
    "·": "*", "⋅": "*", "∗": "*", "⊙": "*", "×": "*", "÷": "/", "−": "-", "–": "-", "≤": "<=", "≥": ">=", "≠": "!=",
    "…": "...",
}  # fmt: skip
_SURROGATES = re.compile("[\ud800-\udfff]")  # halves of characters, which no terminal and no file can be given
_FROM_RAISED = str.maketrans(_RAISED + "⁻", "0123456789-")
_ADVICE = {
    "^": "Write ** for a power.",
    "=": "Write == for a comparison; a formula assigns nothing.",
    "&": "Write 'and'.",
    "&&": "Write 'and'.",
    "|": "Write 'or'; for an absolute value after a product, *|x|.",
    "!": "Write 'not', or != for a comparison; there is no factorial.",
    "~": "Write 'not'.",
    "'": "A text ends with the sign that it begins with; a derivative is gl.grad(node, x).",
    '"': "A text ends with the sign that it begins with.",
    "<>": "Write !=.",
    "=<": "Write <=.",
    "=>": "Write >=.",
    ":=": "A formula assigns nothing.",
    ",": "A formula gives one value; the decimal sign is a point.",
    ";": "Write a comma between operands.",
    "{": "Write round brackets.",
    "}": "Write round brackets.",
    "\\": "Write a formula as in Python, not as in LaTeX: sqrt(x), x**2, x/y.",
    "$": "Write a formula as in Python, not as in LaTeX: sqrt(x), x**2, x/y.",
    "#": "A formula has no comments.",
    "°": "Angles are in radians: write x*pi/180.",
    "∑": "Write sum(x).",
    "∏": "Write prod(x).",
    "‖": "Write norm(x).",
    "∂": "A derivative is gl.grad(node, x).",
    "∇": "A derivative is gl.grad(node, x).",
    "∧": "Write 'and'.",
    "∨": "Write 'or'.",
    "¬": "Write 'not'.",
}


@dataclass(frozen=True)
class Token:
    """A word of a formula.

    Args:
        kind: ``"number"``, ``"name"``, ``"raised"`` (an exponent such as ²), ``"text"``, ``"operator"`` or ``"end"``.
        text: as Python writes it.
        start: its place in the formula.
    """

    kind: str
    text: str
    start: int

    def is_sign(self, *texts: str) -> bool:
        """Whether this is one of these operators."""
        return self.kind == "operator" and self.text in texts


class Text:
    """A formula as text.

    Args:
        text: the formula.

    Raises:
        ParseError: it is too long.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        if len(text) > LONGEST:
            raise ParseError(
                f"a formula needs {LONGEST:,} characters at most; got {len(text):,}. Build it from parts in Python."
            )

    def tokens(self) -> list[Token]:
        """The words in order, and the end.

        Raises:
            ParseError: a character that has no meaning.
        """
        tokens: list[Token] = []
        place = 0
        while place < len(self.text):
            found = _TOKEN.match(self.text, place)
            if found is None:
                self.refuse(f"{self.text[place]!r} has no meaning in a formula. {advice(self.text[place])}", place)
            kind, text = str(found.lastgroup), found.group()
            if kind == "name" and text in ("and", "or", "not"):
                kind = "operator"
            if kind == "raised":
                text = text.translate(_FROM_RAISED)
            if kind != "space":
                tokens.append(Token(kind, _SIGNS.get(text, text), place))
            place = found.end()
        tokens.append(Token("end", "", len(self.text.rstrip())))
        return tokens

    def real(self, token: Token) -> float:
        """The double of a number, which is not infinite, and 0 only where the number is.

        Raises:
            ParseError: the number is too large or too small.
        """
        value = float(token.text)
        digits = token.text.lower().partition("e")[0]
        if math.isinf(value):
            self.refuse("this number is larger than any float64, 1.8e308; write inf, or a smaller one", token.start)
        if value == 0 and any(c.isdecimal() and int(c) for c in digits):
            self.refuse("this number is smaller than any float64, 4.9e-324; write 0, or a larger one", token.start)
        return value

    def whole(self, token: Token) -> int:
        """A whole number, as an index or an option.

        Raises:
            ParseError: it is longer than an int64.
        """
        if len(token.text) > _DIGITS:
            self.refuse(f"a whole number among options and indices has {_DIGITS} digits at most", token.start)
        return int(token.text)

    def refuse(self, problem: str, place: int) -> NoReturn:
        """Raise with a caret under the place."""
        raise ParseError(f"{problem}\n{self.caret(place)}")

    def caret(self, place: int) -> str:
        """The line of a place, and a caret under it."""
        start = self.text.rfind("\n", 0, place) + 1
        line = _SURROGATES.sub("\ufffd", self.text[start:].split("\n", 1)[0].expandtabs(1))
        place -= start
        if len(line) > _WIDTH:  # the part around the place
            first = max(0, min(place - _WIDTH // 2, len(line) - _WIDTH))
            cut = "…" * (first + _WIDTH < len(line))
            line, place = "…" * (first > 0) + line[first : first + _WIDTH] + cut, place - first + (first > 0)
        width = sum(2 if east_asian_width(c) in "WF" else 1 for c in line[:place])
        return f"  {line}\n  {' ' * width}^"

    def where(self, place: int) -> str:
        """``column 3``, and the line where there are several."""
        line = self.text.count("\n", 0, place) + 1
        column = place - (self.text.rfind("\n", 0, place) + 1) + 1
        return f"in line {line} at column {column}" if "\n" in self.text else f"at column {column}"


def advice(sign: str) -> str:
    """What to write in place of a sign that formulas do not have."""
    plain = unicodedata.normalize("NFKC", sign)
    if "⁄" in plain:
        return f"Write ({plain.replace('⁄', '/')})."
    return _ADVICE.get(sign, "Leave it out.")


def spelled_out(name: str) -> str:
    """A name in letters: ``alpha1`` for ``alpha1``, ``α1`` and ``α₁``, which are written alike."""
    plain = unicodedata.normalize("NFKC", name)
    stem = plain.rstrip("0123456789")
    if len(stem) == 1 and unicodedata.name(stem, "").startswith("GREEK"):
        words = unicodedata.name(stem).split()
        letter = words[-1].lower()
        return (letter.capitalize() if "CAPITAL" in words else letter) + plain[len(stem) :]
    return plain
