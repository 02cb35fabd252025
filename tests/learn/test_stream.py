from __future__ import annotations

import numpy as np
import pytest

from graphlearn.errors import OptionError
from graphlearn.graph.streams import check_seed
from graphlearn.learn.stream import Stream, shuffles

PINNED_UNIFORM = [0.8382821085113913, 0.8405792643780521, 0.8548107034793557]
PINNED_NORMAL = [1.1681681634929806, -1.509697614247685, 1.6699923271589776]
PINNED_SHUFFLES = [[0, 3, 2, 1, 5, 4], [4, 3, 2, 5, 1, 0]]


def test_numbers_depend_on_seed_and_purpose_alone() -> None:
    first = Stream(0, "hidden1/W").uniform((5,))
    assert np.array_equal(first, Stream(0, "hidden1/W").uniform((5,)))
    assert not np.array_equal(first, Stream(1, "hidden1/W").uniform((5,)))
    assert not np.array_equal(first, Stream(0, "hidden2/W").uniform((5,)))


def test_these_numbers_never_change() -> None:
    # A change here gives every user other initial values.
    assert Stream(7, "w").uniform((3,)).tolist() == PINNED_UNIFORM
    assert np.allclose(Stream(7, "w").normal((3,)), PINNED_NORMAL, rtol=1e-14)
    assert shuffles(7, 6, 0, 2).tolist() == PINNED_SHUFFLES


def test_uniform_and_normal_have_their_moments() -> None:
    u = Stream(3, "u").uniform((200, 500))
    assert u.min() >= 0 and u.max() < 1
    assert abs(u.mean() - 0.5) < 0.005 and abs(u.var() - 1 / 12) < 0.002
    n = Stream(3, "n").normal((99_999,))
    assert abs(n.mean()) < 0.015 and abs(n.std() - 1) < 0.01
    assert abs((n**3).mean()) < 0.04 and abs((n**4).mean() - 3) < 0.1


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 0), (2, 3)])
def test_any_shape(shape: tuple[int, ...]) -> None:
    assert Stream(0, "s").uniform(shape).shape == Stream(0, "s").normal(shape).shape == shape


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 64, 65, 1000])
def test_every_epoch_is_a_permutation_that_no_other_epoch_changes(rows: int) -> None:
    orders = shuffles(5, rows, 0, 6)
    assert orders.dtype == np.int64
    assert (np.sort(orders, axis=1) == np.arange(rows)).all()
    apart = [shuffles(5, rows, 0, 1), shuffles(5, rows, 1, 3), shuffles(5, rows, 4, 2)]
    assert np.array_equal(orders, np.concatenate(apart))


def test_every_place_sees_every_row_equally_often() -> None:
    counts = np.zeros((5, 5))
    for order in shuffles(1, 5, 0, 20_000):
        counts[np.arange(5), order] += 1
    assert np.abs(counts - 4000).max() < 5 * np.sqrt(4000 * 0.8)


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "0", None, True])
def test_a_seed_is_a_whole_number(seed: object) -> None:
    with pytest.raises(OptionError, match=r"whole number from 0 to 2\*\*64"):
        check_seed(seed)
