"""`words`: what the commands say in one language. The text itself lies in one table per language beside this file."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphlearn.cli import words_en, words_ko
from graphlearn.errors import OptionError

TABLES: Mapping[str, Mapping[str, str]] = {"en": words_en.WORDS, "ko": words_ko.WORDS}


class _Places(string.Formatter):
    """Python's format, and ``{rows:row|rows}`` for a number with the noun that goes with it."""

    def format_field(self, value: Any, format_spec: str) -> Any:
        """Put one value in its place: where the place offers two nouns, the number and the noun that fits it."""
        one, bar, many = format_spec.partition("|")
        return f"{value:,} {one if value == 1 else many}" if bar else super().format_field(value, format_spec)


_PLACES = _Places()


@dataclass(frozen=True)
class Words:
    """The words of one language.

    Args:
        language: ``"en"`` or ``"ko"``.
    """

    language: str

    def __call__(self, key: str, **places: object) -> str:
        """A sentence, with its named places filled."""
        return _PLACES.format(TABLES[self.language][key], **places)

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
