"""Small real data sets with source and licence, generators of made-up ones, and what prepares them for a network."""

from __future__ import annotations

from graphlearn.datasets.dataset import Dataset
from graphlearn.datasets.generators import circles, moons, polynomial, spiral, xor
from graphlearn.datasets.prepare import Standardizer, one_hot, standardize, train_test_split
from graphlearn.datasets.real import breast_cancer, digits, iris, penguins

__all__ = [
    "Dataset",
    "Standardizer",
    "breast_cancer",
    "circles",
    "digits",
    "iris",
    "moons",
    "one_hot",
    "penguins",
    "polynomial",
    "spiral",
    "standardize",
    "train_test_split",
    "xor",
]


def __dir__() -> list[str]:
    return sorted(__all__)
