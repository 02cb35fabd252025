"""The matrix products of a run alone: what no program that calls this BLAS can beat.

The library is the one that graphlearn calls, the shapes are those of each step (forward, gradients of the weights,
gradients of all hidden layers), each layer has arrays of its own, and the calls are made from compiled code. There is
nothing else: no bias, no activation, no loss, no update, no gathering of rows.
"""

from __future__ import annotations

import ctypes

import numba
import numpy as np

from benchmark.workloads import Workload
from graphlearn.backends.native import blas

NEEDS = "graphlearn"
VARIANTS = {"gemm": "gemm calls in a compiled loop"}
_PROTOTYPE = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 13)


class Run:
    """The products of one workload."""

    def __init__(self, w: Workload) -> None:
        self.w = w
        stream = np.random.default_rng(0)
        self.W = [_aligned(W) for W, _ in w.params]
        self.gradients = [_aligned(np.zeros_like(W)) for W in self.W]
        shapes = [(w.batch, n) for n in w.sizes]
        self.values = [_aligned(stream.normal(size=shape).astype(w.dtype)) for shape in shapes]
        self.adjoints = [_aligned(stream.normal(size=shape).astype(w.dtype)) for shape in shapes]
        self.one, self.zero = np.ones(1, w.dtype), np.zeros(1, w.dtype)
        calls = self._calls()
        self.pointers = np.array([row[:5] for row in calls], np.int64)
        self.lengths = np.array([row[5:] for row in calls], np.int32)
        routine = {"float32": "sgemm", "float64": "dgemm"}[w.dtype]
        address = int(blas.library().addresses[routine])
        self.loop = _compile(_PROTOTYPE(address))

    def _calls(self) -> list[tuple[int, ...]]:
        """The calls of a step: two letters, three arrays, and their six lengths.

        BLAS takes columns one after the other, so each product of rows is asked for transposed, right factor first.
        """
        rows, layers = self.w.batch, len(self.W)
        n, t = (int(letter.ctypes.data) for letter in _LETTERS)
        found = []
        for k, W in enumerate(self.W):  # values[k + 1] = values[k] @ W
            i, o = W.shape
            found.append((n, n, *_data(W, self.values[k], self.values[k + 1]), o, rows, i, o, i, o))
        for k in range(layers - 1, -1, -1):
            i, o = self.W[k].shape
            # gradient = values[k].T @ adjoints[k + 1]
            found.append((n, t, *_data(self.adjoints[k + 1], self.values[k], self.gradients[k]), o, i, rows, o, i, o))
            if k:  # adjoints[k] = adjoints[k + 1] @ W.T
                found.append((t, n, *_data(self.W[k], self.adjoints[k + 1], self.adjoints[k]), i, rows, o, o, o, i))
        return found

    def run(self) -> Run:
        """As many steps as the workload has."""
        self.loop(self.w.steps, self.pointers, self.lengths, self.one, self.zero)
        return self

    def distance(self, handle: Run) -> float:
        """How far the products are from NumPy's, relative to the largest entry of each."""
        found = []
        for k, W in enumerate(self.W):
            found.append(_distance(self.values[k + 1], self.values[k] @ W))
            found.append(_distance(self.gradients[k], self.values[k].T @ self.adjoints[k + 1]))
            if k:
                found.append(_distance(self.adjoints[k], self.adjoints[k + 1] @ W.T))
        return max(found)


_LETTERS = [np.frombuffer(letter, np.uint8) for letter in (b"N", b"T")]


def _compile(gemm: object) -> object:
    """A loop over steps and calls, with the routine's address in the code."""

    @numba.njit
    def loop(steps, pointers, lengths, one, zero):  # type: ignore[no-untyped-def]
        size = 4
        for _ in range(steps):
            for c in range(len(pointers)):
                at = lengths.ctypes.data + 6 * size * c
                gemm(
                    pointers[c, 0], pointers[c, 1], at, at + size, at + 2 * size, one.ctypes, pointers[c, 2],
                    at + 3 * size, pointers[c, 3], at + 4 * size, zero.ctypes, pointers[c, 4], at + 5 * size,
                )  # fmt: skip

    return loop


def _data(*arrays: np.ndarray) -> tuple[int, ...]:
    return tuple(int(array.ctypes.data) for array in arrays)


def _aligned(array: np.ndarray) -> np.ndarray:
    """A copy that begins at a multiple of 64 bytes, as graphlearn's arrays do."""
    room = np.empty(array.nbytes + 64, np.uint8)
    begin = -room.ctypes.data % 64
    copy = room[begin : begin + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def _distance(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.max(np.abs(found - wanted)) / max(1e-30, float(np.max(np.abs(wanted)))))


def prepare(w: Workload, variant: str) -> Run:
    """Ready to run."""
    return Run(w)
