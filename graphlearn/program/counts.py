"""`Count`: a number of elements, known now or a product of free axes; the only arithmetic on lengths in a program."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from graphlearn.types import Dim


class Count(NamedTuple):
    """``factor`` times the lengths of ``axes``.

    Args:
        factor: the part that is known.
        axes: names of free axes, sorted; a name may occur twice.
    """

    factor: int
    axes: tuple[str, ...] = ()

    @property
    def is_literal(self) -> bool:
        """Whether no free axis takes part."""
        return not self.axes or self.factor == 0

    def value(self, sizes: Mapping[str, int]) -> int:
        """The number for given lengths."""
        return self.factor * math.prod(sizes[name] for name in self.axes)

    def __str__(self) -> str:
        if self.is_literal:
            return str(self.factor)
        names = "*".join(self.axes)
        return names if self.factor == 1 else f"{names}*{self.factor}"


ZERO = Count(0)
ONE = Count(1)


def count(shape: Sequence[Dim]) -> Count:
    """Number of elements of a shape."""
    factor = math.prod(d for d in shape if isinstance(d, int))
    return Count(factor, tuple(sorted(d for d in shape if isinstance(d, str))) if factor else ())


def times(a: Count, b: Count) -> Count:
    """Product of two numbers of elements."""
    return Count(a.factor * b.factor, tuple(sorted((*a.axes, *b.axes)))) if a.factor * b.factor else ZERO


def row_major(shape: Sequence[Dim]) -> tuple[Count, ...]:
    """Elements from one entry to the next along each axis of a contiguous array."""
    return tuple(count(shape[k + 1 :]) for k in range(len(shape)))


def total(terms: Sequence[Count]) -> tuple[Count, ...]:
    """A sum of numbers of elements: one term for each product of free axes, none for what is 0."""
    factors: dict[tuple[str, ...], int] = {}
    for term in terms:
        factors[term.axes] = factors.get(term.axes, 0) + term.factor
    return tuple(Count(factor, axes) for axes, factor in sorted(factors.items()) if factor)
