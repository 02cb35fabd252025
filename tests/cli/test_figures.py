from __future__ import annotations

import numpy as np
import pytest

from graphlearn.cli.figures import bound, confusion, regression_figures


@pytest.mark.parametrize(
    ("error", "text"), [(0.0, "1e-15"), (3e-17, "1e-15"), (2e-15, "1e-14"), (0.02, "1e-1"), (5.0, "1e1")]
)
def test_a_bound_is_above_the_error_and_no_finer_than_rounding(error: float, text: str) -> None:
    assert bound(error) == text
    assert float(text) >= error


def test_confusion_counts_truth_by_row() -> None:
    header, rows = confusion(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 0]), ["a", "b", "c"])
    assert header == ["a", "b", "c"]
    assert rows == [["a", "1", "1", "·"], ["b", "·", "1", "·"], ["c", "1", "·", "·"]]


def test_regression_figures() -> None:
    truth = np.array([[1.0], [3.0]])
    assert regression_figures(truth, truth, 2.0) == ["0", "1", "1.000"]
    assert regression_figures(truth, np.array([[2.0], [2.0]]), 0.0) == ["1", "2.236", "0.000"]
    assert regression_figures(truth, truth[::-1], 2.0) == ["2", "1", "−3.000"]
    assert regression_figures(truth[:1], truth[:1], 0.0)[2] == "–"
