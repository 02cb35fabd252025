"""`words`: what the commands say in one language. The text itself lies in one table per language beside this file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphlearn.cli import words_en, words_ko
from graphlearn.errors import OptionError

TABLES: Mapping[str, Mapping[str, str]] = {"en": words_en.WORDS, "ko": words_ko.WORDS}


@dataclass(frozen=True)
class Words:
    """The words of one language.

    Args:
        language: ``"en"`` or ``"ko"``.
    """

    language: str

    def __call__(self, key: str, **places: object) -> str:
        """A sentence, with its named places filled."""
        return TABLES[self.language][key].format(**places)

    def name(self, text: str) -> str:
        """A column or class of the shipped data sets in this language; any other text as it is."""
        return TABLES[self.language].get(f"name.{text}", text)


def words(language: str) -> Words:
    """The words of a language.

    Raises:
        OptionError: there is no table for it.
    """
    if language not in TABLES:
        raise OptionError(f"language needs one of {', '.join(sorted(TABLES))}; got {language!r}.")
    return Words(language)
