"""The sentences of the command line: the same keys and places in every language, each of them used."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

import graphlearn as gl
from graphlearn.cli.words import TABLES, words
from graphlearn.errors import OptionError

SOURCES = sorted(Path(gl.__file__).parent.joinpath("cli").glob("*.py"))
CODE = "\n".join(path.read_text("utf-8") for path in SOURCES if not path.name.startswith("words"))
# Topic, subject, object and the like, whose form depends on the sound before: nobody knows what fills the place.
PARTICLE = re.compile(r"\}(?:은|는|이|가|을|를|와|과|으로|로|이며|며|이고|라고)(?![가-힣])")


def places(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


@pytest.mark.parametrize("language", sorted(set(TABLES) - {"en"}))
def test_every_language_says_the_same_things(language: str) -> None:
    english, other = TABLES["en"], TABLES[language]
    assert english.keys() == {key for key in other if not key.startswith("name.")}
    assert {key: places(other[key]) for key in english} == {key: places(english[key]) for key in english}


@pytest.mark.parametrize("language", sorted(TABLES))
def test_every_sentence_is_said_somewhere(language: str) -> None:
    named = set(re.findall(r'["\x27]([a-z]+\.[a-z.]+|wrote)["\x27]', CODE))
    named |= {f"demo.file.{suffix}" for suffix in ("svg", "txt", "py")}
    assert {key for key in TABLES[language] if not key.startswith("name.")} - named == set()


def test_every_sentence_that_is_said_exists() -> None:
    said = set(re.findall(r'(?:words|say)\(\s*"([a-z.]+)"', CODE))
    assert len(said) > 40
    assert said - TABLES["en"].keys() == set()


def test_translated_names_are_names_of_the_shipped_data() -> None:
    names = set()
    for data in (gl.datasets.iris(), gl.datasets.penguins()):
        names |= {*data.feature_names, *data.target_names}
    translated = {key.removeprefix("name.") for key in TABLES["ko"] if key.startswith("name.")}
    assert translated <= names
    assert set(gl.datasets.penguins().feature_names) <= translated


def test_no_korean_particle_hangs_on_a_place_that_anything_may_fill() -> None:
    assert {key: text for key, text in TABLES["ko"].items() if PARTICLE.search(text)} == {}


def test_a_name_without_translation_stays() -> None:
    assert words("ko").name("setosa") == "세토사"
    assert words("en").name("setosa") == "setosa"
    assert words("ko").name("my column") == "my column"


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(OptionError, match=r"en, ko; got 'fr'"):
        words("fr")


def test_a_number_goes_with_its_noun() -> None:
    say = words("en")
    assert say("table.time", steps=1, each="2 us") == "1 step, 2 us per step."
    assert say("table.time", steps=1234, each="2 us") == "1,234 steps, 2 us per step."
    assert say("cache.cleared", count=0) == "Removed 0 compiled objects."
    assert words("ko")("table.time", steps=1234, each="2 us") == "1,234단계, 한 단계에 2 us."
