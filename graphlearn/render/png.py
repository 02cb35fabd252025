"""PNG pictures of SVG diagrams, drawn with the bundled fonts, and with the machine's fonts for what these lack.

Rule: a character that no font has is an error that says which font to install; it never becomes a box or a blank.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import Any

from graphlearn.errors import EngineError, OptionError
from graphlearn.render.font import BOLD, FAMILY, KOREAN_FAMILIES, REGULAR, load_font
from graphlearn.render.svg import texts

_MOST_PIXELS = 50_000_000  # a picture of this size takes 200 MB while it is drawn
_NO_GLYPH = "\U0010fffd"  # a private code point: every font draws its "missing" sign for it
_INVISIBLE = ("Mn", "Me", "Cf", "Cc", "Zs", "Zl", "Zp")


def render_png(svg: str, scale: float = 2.0, system_fonts: bool = True) -> bytes:
    """Draw an SVG diagram as PNG.

    Args:
        svg: a complete ``<svg>`` element with a width and a height.
        scale: pixels for one CSS pixel; lowered for pictures that would have more than 50 million pixels.
        system_fonts: look for characters that the bundled fonts lack, such as Hangul, in the machine's fonts.

    Returns:
        The file's bytes. A picture that needs only the bundled fonts has the same bytes on every machine.

    Raises:
        OptionError: ``scale`` is not positive.
        EngineError: no font has some character of the picture; install one, or save as SVG.
    """
    if not scale > 0:
        raise OptionError(f"scale needs to be positive; got {scale!r}.")
    foreign = foreign_characters("".join(texts(svg)))
    missing = [character for character in foreign if not (system_fonts and _has_glyph(character))]
    if missing:
        raise EngineError(_missing_message(missing))
    background = re.search(r'<rect class="background"[^>]* fill="(#[0-9a-f]{6})"', svg)
    return _draw(
        _prefer_sans(svg) if foreign else svg,
        bool(foreign),
        zoom=min(scale, _largest_scale(svg)),
        # The last row and column of pixels are covered only in part by a picture of fractional size.
        background=background[1] if background else None,
    )


def _prefer_sans(svg: str) -> str:
    """Name the Korean sans-serif families first in texts that need them; the first font with Hangul may be a serif."""
    families = ", ".join(f"'{family}'" for family in (*KOREAN_FAMILIES, FAMILY))

    def name(match: re.Match[str]) -> str:
        return f'<text font-family="{families}"{match[1]}' if foreign_characters(match[1]) else match[0]

    return re.sub(r"<text(?=[ >])(.*?</text>)", name, svg, flags=re.DOTALL)


def foreign_characters(text: str) -> list[str]:
    """Return the visible characters that the bundled fonts lack, each once, in order of code point.

    Args:
        text: any text.
    """
    font = load_font()
    return [
        character
        for character in sorted(set(text))
        if not font.glyph(character) and unicodedata.category(character) not in _INVISIBLE
    ]


def _missing_message(missing: Iterable[str]) -> str:
    shown = list(missing)
    listed = " ".join(shown[:8]) + (" ..." if len(shown) > 8 else "")
    hangul = any("HANGUL" in unicodedata.name(character, "") for character in shown)
    cure = "Install a Korean font (apt install fonts-noto-cjk)" if hangul else "Install a font that has them"
    return f"a PNG needs fonts for every character; no font on this machine has {listed}. {cure}, or save as .svg."


def _largest_scale(svg: str) -> float:
    sizes = [float(size) for size in re.findall(r'\b(?:width|height)="([0-9.]+)pt"', svg[: svg.index(">")])]
    if len(sizes) != 2:
        return float("inf")
    area = sizes[0] * sizes[1] * (96 / 72) ** 2
    return float((_MOST_PIXELS / max(area, 1.0)) ** 0.5)


@cache
def _has_glyph(character: str) -> bool:
    """Tell whether some font of the machine draws a character as something else than its "missing" sign."""
    picture = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="48" height="48">'
        '<text x="8" y="36" font-size="24" font-family="{}">&#{};</text></svg>'
    )
    drawn, missing = (_draw(picture.format(FAMILY, ord(each)), True) for each in (character, _NO_GLYPH))
    return drawn != missing


def _draw(svg: str, system_fonts: bool, **options: Any) -> bytes:
    try:
        import resvg_py
    except ImportError as error:
        raise EngineError("a PNG needs the package resvg-py; run: pip install resvg-py, or save as .svg.") from error
    try:
        return bytes(
            resvg_py.svg_to_bytes(
                svg_string=svg,
                dpi=96,  # the default of 0 would give a picture of one pixel
                skip_system_fonts=not system_fonts,
                font_files=[str(REGULAR), str(BOLD)],
                # Without a family that exists, resvg leaves text out and says nothing.
                font_family=FAMILY,
                sans_serif_family=FAMILY,
                serif_family=FAMILY,
                monospace_family=FAMILY,
                **options,
            )
        )
    except ValueError as error:
        raise EngineError(f"the picture could not be drawn as PNG: {error}. Save it as .svg.") from error
