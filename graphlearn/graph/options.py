"""What callers give as options: flags, choices, sequences and mappings, each refused by name where it is none."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from graphlearn.errors import DTypeError, GraphUseError, OptionError
from graphlearn.graph.node import Node


def check_flag(value: object, what: str) -> bool:
    """True or False; 1 and 0 count as such.

    Args:
        value: what the caller wrote.
        what: how messages name it, e.g. ``"sum with keepdims"``.

    Raises:
        OptionError: anything else.
    """
    if isinstance(value, (bool, int, np.bool, np.integer)) and value in (0, 1):
        return bool(value)
    raise OptionError(f"{what} needs True or False; got {reprlib.repr(value)}. Write one of these.")


def check_choice(value: object, choices: Iterable[str], what: str, cure: str = "Write one of these.") -> str:
    """One of some words.

    Raises:
        OptionError: anything else.
    """
    words = list(choices)
    if isinstance(value, str) and value in words:
        return value
    raise OptionError(f"{what} needs one of {', '.join(words)}; got {reprlib.repr(value)}. {cure}")


def check_sequence(value: Any, what: str, cure: str) -> Sequence[Any]:
    """Several things, in a list, a tuple, an array or whatever else gives one after the other.

    Raises:
        GraphUseError: a single thing, a text or a mapping.
    """
    alone = isinstance(value, (Node, str, bytes, Mapping)) or getattr(value, "shape", None) == ()
    if alone or not isinstance(value, Iterable):
        raise GraphUseError(f"{what} needs several, in a list; got {reprlib.repr(value)}. {cure}")
    return list(value)


def check_mapping(value: Any, what: str, cure: str) -> dict[Any, Any]:
    """A dict, or none for an empty one.

    Raises:
        GraphUseError: anything else.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise GraphUseError(f"{what} needs a dict; got {reprlib.repr(value)}. {cure}")
    return dict(value)


def as_array(value: Any, what: str) -> np.ndarray:
    """An array of what a caller gives as numbers.

    Raises:
        DTypeError: rows of unequal lengths, or what else NumPy makes no array of.
    """
    try:
        return np.asarray(value)
    except (TypeError, ValueError) as error:
        raise DTypeError(
            f"{what} needs a number or an array of numbers; got {reprlib.repr(value)}, of which NumPy makes no array: "
            f"{error} Give rows of equal lengths."
        ) from None
