"""The part of a saved training that runs it; copied into the saved file, so it knows NumPy and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


def lay_out(array: np.ndarray, columns: int) -> np.ndarray:
    """Data as the code reads it: row by row, or column by column with the last row again up to a length."""
    if not columns:
        return np.ascontiguousarray(array).reshape(-1)
    table = array.reshape(len(array), -1)
    laid = np.empty((table.shape[1], columns), array.dtype)
    laid[:, : len(array)] = table.T
    laid[:, len(array) :] = table[-1:].T
    return laid.reshape(-1)


def repeat_training(
    function: Callable[..., Any],
    form: Mapping[str, Any],
    zeros: Callable[[int, str], np.ndarray],
    start: Mapping[str, np.ndarray],
    data: Mapping[str, np.ndarray],
    counts: np.ndarray,
    order: np.ndarray | None,
    chunk: int,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Make all steps.

    Args:
        function: the generated code.
        form: where it expects what.
        zeros: makes an arena of a length and dtype.
        start: parameters, states, constants and scalars by name.
        data: arrays by name.
        counts: rows in each step.
        order: row numbers of all steps, one after the other; None: every step takes all rows.
        chunk: steps of one call; whatever it is, the numbers are the same.

    Returns:
        The losses, and name -> value of parameters and states at the end.
    """
    arenas = {name: zeros(length, dtype) for name, (dtype, length) in form["arenas"].items()}
    for name, (arena, first, _) in form["places"].items():
        arenas[arena][first : first + start[name].size] = start[name].reshape(-1)
    given = [lay_out(data[name], form["columns"]) for name in form["data"]]
    losses, row = np.full(len(counts), np.nan), 0
    for begin in range(0, len(counts), chunk):
        part = counts[begin : begin + chunk]
        rows = part if order is None else order[row : row + int(part.sum())]
        row += int(part.sum())
        if function(*arenas.values(), *given, rows, part, len(part), losses[begin : begin + chunk]) < len(part):
            break
    values = {}
    for name in form["carried"]:
        arena, first, shape = form["places"][name]
        flat = arenas[arena][first : first + start[name].size]
        values[name] = flat.reshape(shape).astype(start[name].dtype)
    return losses, values
