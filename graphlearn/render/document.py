"""Documents as data: immutable blocks that each writer turns into one format; they hold ready text, never markup.

A block carries its words in one language and its mathematics in two forms, Unicode for the terminal and LaTeX for pages
and papers, so that no writer ever has to parse a text to find the formula in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from graphlearn.errors import OptionError

Alignment: TypeAlias = Literal["left", "right", "center"]
ALIGNMENTS: tuple[Alignment, ...] = ("left", "right", "center")


@dataclass(frozen=True, slots=True)
class Math:
    """A formula in the two forms that the writers need; neither is derived from the other.

    Args:
        text: Unicode, one line; a writer may break it at a space.
        latex: math-mode LaTeX without delimiters.
    """

    text: str
    latex: str


Piece: TypeAlias = str | Math
Inline: TypeAlias = Piece | Sequence[Piece]


def pieces(content: Inline) -> tuple[Piece, ...]:
    """Return inline content as a tuple of words and formulas, whatever form it was given in.

    Args:
        content: a string, a `Math`, or a sequence of them.

    Returns:
        The pieces in order, empty strings left out.

    Raises:
        TypeError: a piece is neither text nor `Math`; convert it first.
    """
    if isinstance(content, (str, Math)):
        content = (content,)
    for piece in content:
        if not isinstance(piece, (str, Math)):
            raise TypeError(f"a sentence needs str or Math pieces; got {type(piece).__name__}. Convert it first.")
    return tuple(piece for piece in content if piece != "")


def plain(content: Inline) -> str:
    """Return inline content as one line of Unicode text.

    Args:
        content: a string, a `Math`, or a sequence of them.

    Returns:
        The words and the text forms of the formulas, joined as they are.
    """
    return "".join(piece.text if isinstance(piece, Math) else piece for piece in pieces(content))


EQUALS = Math("=", "=")


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of a section.

    Args:
        text: the words.
        level: 1 for a section, 2 and 3 below it.
    """

    text: Inline
    level: int = 1

    def __post_init__(self) -> None:
        if self.level not in (1, 2, 3):
            raise OptionError(f"a heading needs level 1, 2 or 3; got {self.level!r}. Use 3 for anything deeper.")
        object.__setattr__(self, "text", pieces(self.text))


@dataclass(frozen=True, slots=True)
class Sentence:
    """A paragraph of words with formulas among them.

    Args:
        text: the pieces, in reading order.
    """

    text: Inline

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", pieces(self.text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a derivation: ``left relation right``, with its reason, its shape and its check.

    Args:
        right: what follows the relation.
        left: what stands before it; ``None`` continues the row above.
        relation: usually `EQUALS`; `Math` with empty forms for a lone expression.
        note: why the row holds, in words.
        shape: the shape of the result, or how the shapes combine.
        check: what was verified about the row, in words, such as "✓ finite difference < 1e-9".
    """

    right: Math
    left: Math | None = None
    relation: Math = EQUALS
    note: Inline = ()
    shape: Math | None = None
    check: Inline = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "note", pieces(self.note))
        object.__setattr__(self, "check", pieces(self.check))


@dataclass(frozen=True, slots=True)
class Formula:
    """Rows of mathematics, aligned at their relations.

    Args:
        rows: at least one.
    """

    rows: Sequence[Row]

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", tuple(self.rows))
        if not self.rows:
            raise OptionError("a formula needs at least one row; got none. Leave the block out instead.")


@dataclass(frozen=True, slots=True)
class Table:
    """Cells under column heads.

    Args:
        columns: the heads, one for each column.
        rows: each as long as ``columns``.
        alignments: ``"left"``, ``"right"`` or ``"center"`` for each column; all left when empty.
    """

    columns: Sequence[Inline]
    rows: Sequence[Sequence[Inline]]
    alignments: Sequence[Alignment] = ()

    def __post_init__(self) -> None:
        count = len(self.columns)
        alignments = tuple(self.alignments) or ("left",) * count
        if len(alignments) != count or any(alignment not in ALIGNMENTS for alignment in alignments):
            raise OptionError(f"a table of {count} columns needs {count} of {ALIGNMENTS}; got {alignments}.")
        for number, row in enumerate(self.rows):
            if len(row) != count:
                raise OptionError(f"table row {number} needs {count} cells; got {len(row)}. Fill it with empty text.")
        object.__setattr__(self, "columns", tuple(pieces(head) for head in self.columns))
        object.__setattr__(self, "rows", tuple(tuple(pieces(cell) for cell in row) for row in self.rows))
        object.__setattr__(self, "alignments", alignments)


@dataclass(frozen=True, slots=True)
class Rule:
    """A horizontal line."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing.

    Args:
        svg: a complete ``<svg>`` element, without an XML head.
        alt: what the drawing shows, for readers who do not see it.
    """

    svg: str
    alt: str


@dataclass(frozen=True, slots=True)
class Step:
    """A numbered step of a derivation and all that belongs to it.

    Args:
        number: the step's number; diagrams and generated code refer to it.
        title: the name of the rule.
        blocks: what the step says; a step does not hold steps or headings.
        anchor: full name of the node that the step is about, for links from a diagram; may be empty.
    """

    number: int
    title: Inline
    blocks: Sequence[Sentence | Formula | Table | Rule | Picture]
    anchor: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", pieces(self.title))
        object.__setattr__(self, "blocks", tuple(self.blocks))
        for block in self.blocks:
            if isinstance(block, (Step, Heading)):
                raise OptionError(f"step {self.number} holds a {type(block).__name__}; put it beside the step instead.")


Block: TypeAlias = Heading | Sentence | Formula | Table | Rule | Step | Picture


@dataclass(frozen=True, slots=True)
class Document:
    """A title and the blocks under it, in one language.

    Args:
        title: what the document is about.
        blocks: in reading order.
        language: language tag such as ``"en"`` or ``"ko"``; for ``lang`` attributes, it translates nothing.
        aside: a short remark beside the title, such as the number of samples; may be empty.
    """

    title: Inline
    blocks: Sequence[Block]
    language: str = "en"
    aside: Inline = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", pieces(self.title))
        object.__setattr__(self, "aside", pieces(self.aside))
        object.__setattr__(self, "blocks", tuple(self.blocks))
