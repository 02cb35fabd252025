"""Philox 4x32-10 in NumPy: random words as a function of a counter and a key. What every backend's own is tested by.

Source: Salmon, Moraes, Dror and Shaw (2011), Parallel random numbers: as easy as 1, 2, 3, SC'11,
doi:10.1145/2063384.2063405.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Words = np.ndarray[tuple[Any, ...], np.dtype[np.uint64]]
Integers = np.ndarray[tuple[Any, ...], np.dtype[np.int64]]

ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)  # what the two words of the key grow by from round to round
MASK = 0xFFFFFFFF
WIDTH = 4  # words of a block


def philox(counter: tuple[Words, Words, Words, Words], key: tuple[int, int]) -> tuple[Words, Words, Words, Words]:
    """The block of each counter.

    Args:
        counter: four arrays of 32-bit words that broadcast, least significant first.
        key: two 32-bit words.

    Returns:
        Four arrays of 32-bit words.
    """
    a, b, c, d = counter
    low, high = key
    mask, half = np.uint64(MASK), np.uint64(32)
    for _ in range(ROUNDS):
        first, second = np.uint64(MULTIPLIERS[0]) * a, np.uint64(MULTIPLIERS[1]) * c
        a, b, c, d = (
            (second >> half) ^ b ^ np.uint64(low),
            second & mask,
            (first >> half) ^ d ^ np.uint64(high),
            first & mask,
        )
        low, high = (low + WEYL[0]) & MASK, (high + WEYL[1]) & MASK
    return a, b, c, d


def words(seed: int, step: int, lane: int, shape: tuple[int, ...], first: int = 0) -> Integers:
    """A random word from 0 to 2**32 - 1 for each entry of an array.

    The key is the seed; the counter is (block, lane, step), the step in two words. A block serves four entries side by
    side along the last axis, and blocks are counted row by row: an entry's word depends on its row and its place there
    and not on how many rows there are.

    Args:
        seed: 64 bits, signed or not.
        step: likewise.
        lane: 32 bits that tell apart what is drawn for the same seed and step.
        shape: of the array.
        first: number of the word of the first entry, for a number that is an entry of an array.
    """
    last = shape[-1] if shape else 1
    per_row, rows = -(-last // WIDTH), math.prod(shape[:-1])
    block = np.arange(first // WIDTH, first // WIDTH + rows * per_row, dtype=np.uint64)
    rest = [np.uint64(n & MASK) for n in (lane, step, step >> 32)]
    made = philox((block, *rest), (seed & MASK, seed >> 32 & MASK))  # type: ignore[arg-type]  # words broadcast
    begin = first % WIDTH
    return (
        np.stack(made, axis=-1).reshape(rows, per_row * WIDTH)[:, begin : begin + last].astype(np.int64).reshape(shape)
    )
