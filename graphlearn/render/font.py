"""The fonts that travel with graphlearn: how wide a text is in them, and which characters they have.

Diagrams are laid out with these widths, so that a box fits its text whichever engine draws it, and pictures are drawn
with these fonts, so that a machine without any font still gets its letters. DejaVu has Latin, Greek, Cyrillic, the
mathematical signs and the subscripts; it has no Hangul. Verdana, on most other machines, has the same widths.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from functools import cache
from pathlib import Path

from rich.cells import cell_len

FOLDER = Path(__file__).parent / "fonts"
REGULAR = FOLDER / "DejaVuSans.ttf"
BOLD = FOLDER / "DejaVuSans-Bold.ttf"
FAMILY = "DejaVu Sans"
# The sans-serif families with Hangul of Linux, Windows and macOS.
KOREAN_FAMILIES = (
    "Noto Sans KR",
    "Noto Sans CJK KR",
    "Malgun Gothic",
    "Apple SD Gothic Neo",
    "NanumGothic",
)
# What a browser should try, in order.
FAMILIES = (FAMILY, "Verdana", "Noto Sans", *KOREAN_FAMILIES, "sans-serif")
_CELL = 0.55  # em for one display cell of a character that the fonts lack; a Hangul syllable takes two


class Font:
    """The character map and the advance widths of one TrueType file.

    Args:
        path: the file; its ``cmap`` must have a format 12 table, as both bundled fonts do.
    """

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        tables = {
            tag: offset for tag, _, offset, _ in struct.iter_unpack(">4sLLL", data[12 : 12 + 16 * _short(data, 4)])
        }
        self._units = _short(data, tables[b"head"] + 18)
        count = _short(data, tables[b"hhea"] + 34)
        metrics = tables[b"hmtx"]
        self._advances: list[int] = [pair[0] for pair in struct.iter_unpack(">HH", data[metrics : metrics + 4 * count])]
        self._groups = _groups(data, tables[b"cmap"])
        self._starts = [group[0] for group in self._groups]

    def glyph(self, character: str) -> int:
        """Return the glyph number of a character; 0 where the font lacks it."""
        code = ord(character)
        index = bisect_right(self._starts, code) - 1
        if index < 0:
            return 0
        first, last, glyph = self._groups[index]
        return glyph + code - first if code <= last else 0

    def advance(self, character: str) -> float:
        """Return the width of a character in em; an estimate where the font lacks it."""
        glyph = self.glyph(character)
        if not glyph:
            return _CELL * cell_len(character)
        # Glyphs beyond the table share the width of its last entry, says the format.
        return self._advances[min(glyph, len(self._advances) - 1)] / self._units


def _short(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 2], "big")


def _groups(data: bytes, cmap: int) -> list[tuple[int, int, int]]:
    """Return the format 12 groups: first code, last code, first glyph."""
    records = struct.iter_unpack(">HHL", data[cmap + 4 : cmap + 4 + 8 * _short(data, cmap + 2)])
    table = next(cmap + offset for _, _, offset in records if _short(data, cmap + offset) == 12)
    count = int.from_bytes(data[table + 12 : table + 16], "big")
    return list(struct.iter_unpack(">LLL", data[table + 16 : table + 16 + 12 * count]))


@cache
def load_font(bold: bool = False) -> Font:
    """Return a bundled font, read once.

    Args:
        bold: the bold face instead of the regular one.
    """
    return Font(BOLD if bold else REGULAR)


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Measure one line of text.

    Args:
        text: one line.
        size: font size, in points.
        bold: measured in the bold face.

    Returns:
        Width in points, in the bundled font; estimated for characters that it lacks.
    """
    font = load_font(bold)
    return size * sum(font.advance(character) for character in text)
