from __future__ import annotations

import numpy as np
import pytest

from graphlearn.errors import DataError, OptionError
from graphlearn.learn.batches import FullBatch, GivenOrder, MiniBatches, make_batches
from graphlearn.learn.progress import Pace
from graphlearn.learn.stream import shuffles


def test_full_batch_keeps_the_rows_in_their_order() -> None:
    counts, order = FullBatch(7).take(3, 6)
    assert counts.tolist() == [7, 7, 7] and order is None


def test_every_epoch_takes_each_row_once_and_the_last_batch_is_smaller() -> None:
    batches = MiniBatches(10, 4, 3)
    counts, order = batches.take(0, 6)
    assert batches.steps_per_epoch == 3
    assert counts.tolist() == [4, 4, 2, 4, 4, 2]
    assert np.array_equal(order.reshape(2, 10), shuffles(3, 10, 0, 2))


def test_any_part_can_be_taken_alone() -> None:
    batches = MiniBatches(10, 4, 3)
    batches.follow(5, None)
    counts, order = batches.take(0, 12)
    starts = np.concatenate([[0], np.cumsum(counts)])
    for a in range(12):
        for b in range(a + 1, 13):
            some_counts, some = batches.take(a, b)
            assert np.array_equal(some_counts, counts[a:b])
            assert np.array_equal(some, order[starts[a] : starts[b]])


def test_epochs_count_on_from_earlier_fits() -> None:
    one, two = MiniBatches(8, 2, 0), MiniBatches(8, 2, 0)
    two.follow(1, None)
    assert np.array_equal(one.take(4, 8)[1], two.take(0, 4)[1])


def test_an_epoch_is_taken_up_again_by_batches_of_its_kind_alone() -> None:
    batches, other = MiniBatches(8, 2, 0), MiniBatches(8, 2, 1)
    for each in (batches, other, FullBatch(8)):
        each.follow(3, ((8, 2, 0), 2))
        assert (each.first_epoch, each.begin) == ((3, 2) if each is batches else (4, 0))
    full = FullBatch(8)
    full.follow(3, (None, 2))  # of a stated order, which says itself what comes next
    assert (full.first_epoch, full.begin) == (4, 0)


def test_without_shuffling_the_rows_come_in_order() -> None:
    assert MiniBatches(5, 2, None).take(1, 5)[1].tolist() == [2, 3, 4, 0, 1, 2, 3]


def test_a_given_order_is_followed() -> None:
    batches = GivenOrder(np.array([[0, 1], [2, 2], [1, 0], [3, 0]]), 2)
    counts, order = batches.take(1, 3)
    assert batches.steps_per_epoch == 2 and counts.tolist() == [2, 2] and order.tolist() == [2, 2, 1, 0]


GOOD = {"epochs": 1, "batch_size": None, "shuffle": True, "seed": 0, "order": None}
BAD = {
    "zero": ({"batch_size": 0}, OptionError, "whole number above 0"),
    "half": ({"batch_size": 2.5}, OptionError, "whole number above 0"),
    "larger than the data": ({"batch_size": 11}, DataError, "at most as many rows as the data has, 10; got 11"),
    "seed": ({"batch_size": 2, "seed": -1}, OptionError, "seed"),
    "flat order": ({"order": [0, 1]}, OptionError, r"\(steps, batch\)"),
    "order of fractions": ({"order": [[0.5]]}, OptionError, r"\(steps, batch\)"),
    "order beyond the data": ({"order": [[0, 10]]}, DataError, "from 0 to 9"),
    "order below 0": ({"order": [[0, -1]]}, DataError, "from 0 to 9"),
    "order and batch size": ({"order": [[0, 1]], "batch_size": 3}, OptionError, "Leave batch_size out"),
    "order and epochs": ({"order": [[0], [1], [2]], "epochs": 2}, OptionError, "Use epochs=1"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments(case: str) -> None:
    changes, error, message = BAD[case]
    with pytest.raises(error, match=message):
        make_batches(10, "batch", **{**GOOD, **changes})  # type: ignore[arg-type]


def test_batches_need_a_free_axis() -> None:
    with pytest.raises(OptionError, match="free first axis"):
        make_batches(1, "", **{**GOOD, "batch_size": 2})  # type: ignore[arg-type]


def test_the_pace_grows_to_its_target_and_ends_chunks_with_epochs() -> None:
    pace = Pace()
    assert pace.next(0, 10_000, 10) == 1  # a step of a large network takes longer than a chunk should
    pace.note(1, 1e-6)
    assert pace.next(0, 10_000, 10) == 1020  # 1024 times as many, not 25,000 at once, and whole epochs
    pace.note(1000, 1.0)
    assert pace.next(0, 10_000, 10) == 20  # 25 ms
    pace.note(20, 20.0)
    assert pace.next(0, 10_000, 10) == 1
    pace.note(10, 0.00025)
    assert pace.next(0, 10_000, 1000) == 1000  # an epoch that ends inside ends the chunk
    pace.note(10, 0.0025)
    assert pace.next(0, 10_000, 1000) == 100  # an epoch longer than a chunk is cut
    assert pace.next(990, 10_000, 1000) == 10  # but no chunk reaches over its end
    assert pace.next(0, 5, 1000) == 5
