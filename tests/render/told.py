"""Reads a derivation back: its steps, formulas, words and numbers, for tests of what it tells."""

from __future__ import annotations

import re
from collections.abc import Iterator

from graphlearn.render.document import (
    Document,
    Formula,
    Heading,
    Inline,
    Math,
    Row,
    Sentence,
    Step,
    Table,
    pieces,
    plain,
)

_SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
_NUMBER = re.compile(r"(−?\d+(?:\.\d+)?)(?:×10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))?")
SHARE = re.compile(r"(share|기여)(?=[₀-₉]|\}_)")  # a word that stands in formulas


def steps(document: Document) -> dict[str, Step]:
    """The numbered steps, by the node that they are about."""
    return {block.anchor: block for block in document.blocks if isinstance(block, Step)}


def rows(step: Step) -> list[Row]:
    """The rows of mathematics of a step."""
    return [row for block in step.blocks if isinstance(block, Formula) for row in block.rows]


def sentences(step: Step) -> list[str]:
    """What a step says below its rows."""
    return [plain(block.text) for block in step.blocks if isinstance(block, Sentence)]


def section(document: Document, heading: str) -> list[object]:
    """The blocks between a heading and the next one."""
    blocks = list(document.blocks)
    start = next(k for k, b in enumerate(blocks) if isinstance(b, Heading) and plain(b.text) == heading) + 1
    end = next((k for k in range(start, len(blocks)) if isinstance(blocks[k], Heading)), len(blocks))
    return blocks[start:end]


def headings(document: Document) -> list[str]:
    """The titles of the sections."""
    return [plain(block.text) for block in document.blocks if isinstance(block, Heading)]


def inlines(document: Document) -> Iterator[Inline]:
    """All that a document says, piece by piece, wherever it stands."""
    yield document.title
    yield document.aside
    for block in document.blocks:
        yield from _inlines(block)


def _inlines(block: object) -> Iterator[Inline]:
    if isinstance(block, (Heading, Sentence)):
        yield block.text
    elif isinstance(block, Step):
        yield block.title
        for inner in block.blocks:
            yield from _inlines(inner)
    elif isinstance(block, Table):
        yield from block.columns
        for row in block.rows:
            yield from row
    elif isinstance(block, Formula):
        for row in block.rows:
            yield from (part for part in (row.left, row.relation, row.right, row.shape, row.note, row.check) if part)


def formulas(document: Document) -> list[str]:
    """Every formula, in both forms, with the two words that are translated in them in English."""
    found = [p for inline in inlines(document) for p in pieces(inline) if isinstance(p, Math)]
    return [SHARE.sub("share", form).replace("(이름)", "(name)") for math in found for form in (math.text, math.latex)]


def words(document: Document) -> list[str]:
    """Every piece of text that is no formula."""
    found = [p for inline in inlines(document) for p in pieces(inline) if isinstance(p, str)]
    return found + [SHARE.search(m.text).group(1) for m in _maths(document) if SHARE.search(m.text)]  # type: ignore[union-attr]


def _maths(document: Document) -> list[Math]:
    return [p for inline in inlines(document) for p in pieces(inline) if isinstance(p, Math)]


def numbers(text: str) -> list[float]:
    """The numbers that are written in a text, as far as their digits go."""
    return [float(m.replace("−", "-")) * 10.0 ** int(e.translate(_SUPERSCRIPTS) or 0) for m, e in _NUMBER.findall(text)]
