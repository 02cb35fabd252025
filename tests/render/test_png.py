"""PNG pictures: every letter is there, or an error says which one is not; never a blank or a box."""

from __future__ import annotations

import struct

import pytest

from graphlearn.errors import EngineError, OptionError
from graphlearn.render import png
from graphlearn.render.dot import DotGraph, DotNode
from graphlearn.render.engine import render_svg
from graphlearn.render.font import BOLD, FOLDER, REGULAR, load_font, text_width
from graphlearn.render.png import foreign_characters, render_png
from tests.render.network import network


def picture(text: str) -> str:
    """Return a diagram of one card."""
    return render_svg(DotGraph([DotNode("a", "input", value=text)]).to_dot(), "graphviz-pure").svg


def size(data: bytes) -> tuple[int, int]:
    """Read the width and the height of a PNG."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def test_latin_and_mathematics_need_no_font_of_the_machine() -> None:
    svg = picture("∂L/∂z₁ = xᵀ ⊙ σ′(z) − Σₙ │ ✓")
    bare = render_png(svg, system_fonts=False)
    assert bare == render_png(svg)
    assert bare != render_png(svg.replace("∂L", "∂M"), system_fonts=False)
    assert len(bare) > 1.2 * len(render_png(picture(" "), system_fonts=False))


def test_every_drawn_text_leaves_ink() -> None:
    svg = network().to_dot()
    full = render_svg(svg, "graphviz-pure").svg
    drawn = render_png(full, 0.5)
    for gone in ("z₁", "[ 0.7000", "∂L 1", "\u00a0(2,2)", "parameter", "hidden"):
        assert full.count(f">{gone}") > 0
        assert drawn != render_png(full.replace(f">{gone}", ">", 1), 0.5), gone


def test_scale_is_in_css_pixels() -> None:
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="72pt" height="36pt" viewBox="0 0 72 36"/>'
    assert size(render_png(svg, 1.0)) == (96, 48)
    assert size(render_png(svg, 2.0)) == (192, 96)
    with pytest.raises(OptionError, match="positive; got 0"):
        render_png(svg, 0)


def test_a_huge_picture_is_scaled_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "_MOST_PIXELS", 500_000)
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="3000pt" height="300pt" viewBox="0 0 3000 300"/>'
    width, height = size(render_png(svg, 2.0))
    assert 490_000 < width * height <= 510_000 and width / height == pytest.approx(10, rel=0.01)


def test_hangul_without_a_font_is_an_error_with_the_cure() -> None:
    with pytest.raises(EngineError, match=r"no font on this machine has 기 울\. .*apt install fonts-noto-cjk.*\.svg"):
        render_png(picture("기울기"), system_fonts=False)


def test_another_character_without_a_font_is_named() -> None:
    with pytest.raises(EngineError, match=r"has \U000104a0\. Install a font that has them"):
        render_png(picture("\U000104a0"), system_fonts=False)


def test_hangul_is_drawn_where_a_font_has_it() -> None:
    if not png._has_glyph("기"):
        pytest.skip("no Korean font is installed")
    assert render_png(picture("기울기")) != render_png(picture("입출력"))


def test_a_character_that_no_font_has_is_found_out() -> None:
    assert not png._has_glyph("\U0010fffc")  # a private code point
    assert png._has_glyph("A") and png._has_glyph("⊙")


def test_invisible_characters_are_not_missing() -> None:
    assert foreign_characters("e\u0301 \u200d\ufe0f\u00a0가A가나") == ["가", "나"]


def test_the_fonts_are_whole_and_licensed() -> None:
    assert REGULAR.stat().st_size > 700_000 and BOLD.stat().st_size > 700_000
    assert "Bitstream Vera" in (FOLDER / "LICENSE.txt").read_text(encoding="utf-8")


def test_widths_are_those_of_the_font() -> None:
    assert load_font().advance(" ") == 651 / 2048
    assert load_font().advance("W") == 2025 / 2048
    assert load_font(True).advance("W") == 2259 / 2048
    assert text_width("가나", 10) == pytest.approx(22)
    assert text_width("", 10) == 0
