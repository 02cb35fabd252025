"""What is done to text before it enters a terminal, DOT or LaTeX: names come from users and may hold anything."""

from __future__ import annotations

import re
from html import escape as escape_html

# C0 and C1 controls, lone surrogates and the two non-characters: XML forbids them, and a terminal would obey them.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u2028\u2029]")
_NAMED = {"\n": r"\n", "\t": r"\t", "\r": r"\r"}

_LATEX_TEXT = {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "{": r"\{",
    "}": r"\}",
    "_": r"\_",
    "#": r"\#",
    "$": r"\$",
    "%": r"\%",
    "&": r"\&",
}


def printable(text: str) -> str:
    r"""Return text that is safe to show: each control character becomes its escape, such as ``\n`` or ``\x1b``.

    Args:
        text: any string, lone surrogates included.

    Returns:
        The text, unchanged where it holds no control character.
    """
    return _CONTROL.sub(_spell, text)


def _spell(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    return _NAMED.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def latex_text(text: str) -> str:
    r"""Escape text for the inside of ``\text{...}`` or ``\mathrm{...}``.

    Args:
        text: any string.

    Returns:
        LaTeX that prints the text and nothing else; no command of the text survives.
    """
    return "".join(_LATEX_TEXT.get(character, character) for character in printable(text))


def dot_html(text: str) -> str:
    r"""Escape text for an HTML-like label of DOT.

    Args:
        text: any string.

    Returns:
        One line; a backslash is doubled because Graphviz expands ``\N`` even here, and runs of spaces are kept.
    """
    escaped = escape_html(printable(text), quote=True).replace("&#x27;", "&#39;").replace("\\", "\\\\")
    return _hold_spaces(escaped)


def dot_label(text: str) -> str:
    """Escape text for a quoted plain label of DOT, without the quotes.

    Args:
        text: any string.

    Returns:
        One line; ampersands become entities because Graphviz decodes entities in plain labels.
    """
    return _hold_spaces(_quotable(text.replace("&", "&amp;"), backslashes=2))


def dot_tooltip(text: str) -> str:
    """Escape text for a tooltip attribute of DOT, without the quotes.

    Args:
        text: any string.

    Returns:
        One line; each backslash is written four times because Graphviz unescapes tooltips twice.
    """
    return _quotable(text.replace("&", "&amp;"), backslashes=4)


def dot_name(text: str) -> str:
    """Escape text for a quoted node name of DOT, without the quotes.

    Args:
        text: any string.

    Returns:
        One line; different texts stay different. Ampersands become entities, because Graphviz copies anything like
        an entity from a name into its SVG, and browsers know no ``&nbsp;`` there.
    """
    return _quotable(text.replace("&", "&amp;"), backslashes=2)


def _quotable(text: str, backslashes: int) -> str:
    return printable(text).replace("\\", "\\" * backslashes).replace('"', '\\"')


def _hold_spaces(text: str) -> str:
    # Graphviz and SVG both collapse runs of plain spaces, which would undo the alignment of numbers.
    return re.sub("  +|^ | $", lambda match: "\u00a0" * len(match.group()), text)
