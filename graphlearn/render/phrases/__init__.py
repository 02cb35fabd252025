"""The words of derivations and diagrams, one file per language. Text lives here and nowhere below."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass

from graphlearn.graph.options import check_choice
from graphlearn.render.document import Inline, Piece
from graphlearn.render.document import pieces as inline
from graphlearn.render.phrases import en, ko


@dataclass(frozen=True)
class Phrases:
    """The words of one language.

    Args:
        language: tag such as ``"en"``.
        titles: rule id -> name of the rule.
        sentences: key -> sentence with named places, such as ``{name}``.
    """

    language: str
    titles: Mapping[str, str]
    sentences: Mapping[str, str]

    def title(self, rule: str) -> str:
        """The name of a rule; a user's own operation is named by itself."""
        if rule in self.titles:
            return self.titles[rule]
        return self.titles["chain.other"].format(op=rule.partition(".")[2])

    def say(self, key: str, **places: Inline) -> tuple[Piece, ...]:
        """A sentence with formulas and words put in its places, as inline pieces."""
        pieces: list[Piece] = []
        for text, place, _, _ in string.Formatter().parse(self.sentences[key]):
            pieces.append(text)
            if place is not None:
                pieces.extend(inline(places[place]))
        return tuple(piece for piece in pieces if piece != "")

    def word(self, key: str) -> str:
        """A word or sentence without places."""
        return self.sentences[key]


LANGUAGES = {
    "en": Phrases("en", en.TITLES, en.SENTENCES),
    "ko": Phrases("ko", ko.TITLES, ko.SENTENCES),
}


def phrases(language: str) -> Phrases:
    """The words of a language.

    Raises:
        OptionError: there is no file for it.
    """
    return LANGUAGES[check_choice(language, sorted(LANGUAGES), "language")]
