"""Random numbers keyed by what they are for: a value is Philox of (seed, purpose, place)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WORDS = 4  # 64-bit words that Philox 4x64 makes per counter value


def philox(seed: int, purpose: str, counter: int = 0) -> np.random.Philox:
    """The generator of one purpose, from a place on.

    NumPy promises the bits of a bit generator for all time; it does not promise those of its `Generator` methods, so
    this package makes its numbers from the bits.

    Source: Salmon, Moraes, Dror and Shaw (2011), Parallel random numbers: as easy as 1, 2, 3, SC'11.
    """
    import hashlib  # takes 3 ms, of which `import graphlearn` needs none

    key = hashlib.blake2b(f"{seed}/{purpose}".encode(), digest_size=16).digest()
    return np.random.Philox(key=int.from_bytes(key, "little"), counter=counter)


class Stream:
    """Random numbers for one purpose.

    Args:
        seed: from 0 to 2**64 - 1.
        purpose: what they are for, e.g. the full name of a parameter. Two purposes share nothing.
    """

    def __init__(self, seed: int, purpose: str) -> None:
        self._bits = philox(seed, purpose)

    def uniform(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Uniform numbers in [0, 1), float64, multiples of 2**-53."""
        words = self._bits.random_raw(math.prod(shape))
        return np.asarray((words >> np.uint64(11)) * 2.0**-53, np.float64).reshape(shape)

    def normal(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Standard normal numbers, float64.

        Source: Box and Muller (1958), A note on the generation of random normal deviates, doi:10.1214/aoms/1177706645.
        """
        size = math.prod(shape)
        radius, angle = self.uniform((2, (size + 1) // 2))
        radius = np.sqrt(-2.0 * np.log1p(-radius))  # 1 - u is never 0
        pairs = np.stack([radius * np.cos(2 * np.pi * angle), radius * np.sin(2 * np.pi * angle)], axis=-1)
        return pairs.reshape(-1)[:size].reshape(shape)


def shuffles(seed: int, rows: int, first: int, count: int) -> NDArray[np.int64]:
    """The order of rows in some epochs; that of an epoch depends on (seed, rows, epoch) alone.

    Args:
        seed: from 0 to 2**64 - 1.
        rows: rows of the data.
        first: first epoch, from 0.
        count: how many epochs.

    Returns:
        int64 ``(count, rows)``, each row a permutation.
    """
    blocks = -(-rows // _WORDS)
    words = philox(seed, "shuffle", first * blocks).random_raw(count * blocks * _WORDS)
    # The row number in the low bits makes all keys different, and sorting keys is quicker than sorting places.
    low = np.uint64((1 << max(rows - 1, 1).bit_length()) - 1)
    keys = words.reshape(count, blocks * _WORDS)[:, :rows] & ~low | np.arange(rows, dtype=np.uint64)
    keys.sort(axis=1)
    return (keys & low).view(np.int64)
