"""The masks of a dropout run: which entries each step keeps, as graphlearn documents its random numbers.

Philox 4x32-10 with the seed as key and (block, lane, step) as counter; a block is four entries side by side in a row.
Written here once more, so that peers need no graphlearn; a test compares both.

Source: Salmon, Moraes, Dror and Shaw (2011), Parallel random numbers: as easy as 1, 2, 3, SC'11,
doi:10.1145/2063384.2063405.
"""

from __future__ import annotations

import numpy as np

SEED = 0  # of every run
LANES = 4  # counter words that a stream of random numbers has to itself; truths take the first
_LOW, _HIGH = 0xD2511F53, 0xCD9E8D57
_GROWTH = (0x9E3779B9, 0xBB67AE85)
_WORD = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def keeps(steps: int, rows: int, width: int, stream: int, rate: float) -> np.ndarray:
    """The truths of one dropout layer over a whole run.

    Args:
        steps: of the run, counted from 0.
        rows: of a batch.
        width: entries of a row.
        stream: 0 for the first dropout layer of the network, 1 for the second, ...
        rate: probability that an entry is set to 0.

    Returns:
        bool (steps, rows, width).
    """
    blocks = -(-width // 4)
    step = np.arange(steps, dtype=np.uint64)[:, None]
    words = _philox(np.arange(rows * blocks, dtype=np.uint64)[None, :], np.uint64(LANES * stream), step)
    table = np.stack(words, axis=-1).reshape(steps, rows, 4 * blocks)[:, :, :width]
    return np.ascontiguousarray(table < np.uint64(np.ceil((1 - rate) * 2.0**32)))


def _philox(block: np.ndarray, lane: np.uint64, step: np.ndarray) -> tuple[np.ndarray, ...]:
    """The four words of each counter (block, lane, step, 0) under the key `SEED`."""
    a, b, c, d = (
        np.broadcast_to(word, np.broadcast_shapes(block.shape, step.shape))
        for word in (block, lane, step, np.uint64(0))
    )
    first, second = SEED, 0
    for _ in range(10):
        low, high = np.uint64(_LOW) * a, np.uint64(_HIGH) * c
        a, b = (high >> _HALF) ^ b ^ np.uint64(first), high & _WORD
        c, d = (low >> _HALF) ^ d ^ np.uint64(second), low & _WORD
        first, second = (first + _GROWTH[0]) % 2**32, (second + _GROWTH[1]) % 2**32
    return a, b, c, d
