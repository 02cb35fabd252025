"""The signs of formulas that a reader may not know: what a page explains is what stands on it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from graphlearn.render.document import Block, Formula, Heading, Inline, Math, Sentence, Step, Table, pieces
from graphlearn.render.phrases import Phrases


@dataclass(frozen=True)
class Sign:
    """A sign and how its explanation writes it.

    Args:
        key: of its sentence, ``sign.<key>``.
        pattern: regular expression that finds it in the text of a formula.
        shown: the sign with letters for what it is applied to.
    """

    key: str
    pattern: str
    shown: Math


def _call(name: str, operands: str = "A", *, key: str = "", latex: str = "") -> Sign:
    """A function that is called by name."""
    written = latex or rf"\operatorname{{{name}}}".replace("_", r"\_")
    return Sign(key or name, rf"(?<![\w.]){name}\(", Math(f"{name}({operands})", f"{written}({operands})"))


_BRACKET = r"\[(?:[^\[\]]|\[[^\[\]]*\])*[{signs}](?:[^\[\]]|\[[^\[\]]*\])*\]"  # with brackets in it, one deep

SIGNS = (
    Sign("entrywise", "⊙", Math("⊙", r"\odot")),
    Sign("ones", "𝟙", Math("𝟙", r"\mathbb{1}")),
    Sign(
        "where",
        r"where\(",
        Math("where(c, a, b)", r"\begin{cases} a & c \\ b & \text{otherwise} \end{cases}"),
    ),
    # Not behind a name, where a bracket takes entries; inside may stand an entry or a part of an array, as x[:, 0].
    Sign("indicator", rf"(?<![\w)\]]){_BRACKET.format(signs='=≠<>≤≥')}", Math("[c]", "[c]")),
    Sign("rows", "│", Math("[ a b │ c d ]", r"\begin{bmatrix} a & b \\ c & d \end{bmatrix}")),
    Sign("sigmoid", r"σ\(", Math("σ(z)", r"\sigma(z)")),
    Sign("floor_divide", " // ", Math("a // b", r"\left\lfloor \frac{a}{b} \right\rfloor")),
    Sign("kronecker", "δᵢⱼ", Math("δᵢⱼ", r"\delta_{ij}")),
    _call("Φ", key="lower_half", latex=r"\Phi"),
    _call("chol"),
    _call("cof"),
    _call("softplus", "z"),
    _call("before", "x"),
    _call("after", "x"),
    _call("recurrence", "a, b"),
    _call("cumsum", "x"),
    _call("scatter", "g, [k], …"),
    _call("take_along_axis", "x, k"),
    _call("scatter_along_axis", "g, k"),
    _call("inlay", "g, [region], …"),
    _call("windows", "x, n"),
    _call("overlap_add", "g, …"),
    _call("conv", "x, w"),
    _call("conv_image", "g, w"),
    _call("conv_kernel", "x, g"),
    _call("broadcast", "x, …"),
    Sign("none", r"None[],]", Math("[None]", r"\left[\text{None}\right]")),
    Sign("guarded", r"guarded\(", Math("guarded(c, a, b)", r"\begin{cases} a & c \\ b & \text{otherwise} \end{cases}")),
    _call("reshape", "x, …"),
    _call("tril"),
    _call("triu"),
    _call("diag", "x"),
    _call("diagonal"),
    Sign("einsum", r"einsum\(", Math("einsum(ij,jk→ik: A, B)", r"\sum_j {A}_{ij} {B}_{jk}")),
    Sign("sech", "sech²", Math("sech²(z)", r"\operatorname{sech}^2(z)")),
)


def explain_signs(blocks: Sequence[Block], words: Phrases) -> list[Block]:
    """Sentences for the signs that stand in the formulas of a page, under a heading.

    Args:
        blocks: the page so far.
        words: of its language.
    """
    texts = list(dict.fromkeys(math.text for math in _formulas(blocks)))
    found = [sign for sign in SIGNS if any(re.search(sign.pattern, text) for text in texts)]
    if not found:
        return []
    told = [Sentence(words.say(f"sign.{sign.key}", sign=sign.shown)) for sign in found]
    return [Heading(words.word("signs"), 2), *told]


def _formulas(blocks: Iterable[Block]) -> Iterator[Math]:
    for block in blocks:
        if isinstance(block, Step):
            yield from _formulas(block.blocks)
        elif isinstance(block, Formula):
            for row in block.rows:
                yield from (row.left, row.right) if row.left is not None else (row.right,)
                yield from _inside(row.note)
        elif isinstance(block, Table):
            for cells in block.rows:
                for cell in cells:
                    yield from _inside(cell)
        elif isinstance(block, Sentence):
            yield from _inside(block.text)


def _inside(content: Inline) -> Iterator[Math]:
    return (piece for piece in pieces(content) if isinstance(piece, Math))
