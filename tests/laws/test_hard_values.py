"""Law: elementwise operations are right at the edges, on every backend and in both formats.

Within the units in the last place that the op's record states of the truth: 2 by the reference and 8 compiled, where it
states nothing.
"""

from __future__ import annotations

import numpy as np
import pytest

from graphlearn.backends.cuda import device
from graphlearn.graph.leaves import INPUT
from graphlearn.graph.node import make, new_node
from graphlearn.graph.op import ULPS, Op
from graphlearn.ops.algebra import FUNCTIONS
from graphlearn.types import ArrayType
from tests.backends.cuda import lockstep
from tests.laws.hard_grid import DTYPES, Point, columns_of, hard_points, is_finite, size_of_terms, truth, ulps_between
from tests.laws.operands import ELEMENTWISE
from tests.laws.test_backends import compute, reference

BACKENDS = ("numba", "cuda")
PARTS = 4  # the ops are compiled in so many functions


@pytest.fixture(autouse=True)
def _lockstep(monkeypatch: pytest.MonkeyPatch) -> None:
    """The GPU's kernels run here in lockstep, with NumPy's functions in place of the GPU's."""
    monkeypatch.setattr(device, "is_simulated", lambda: False)
    monkeypatch.setattr(device, "require_device", lambda: None)
    monkeypatch.setattr(device, "upload", lockstep.upload)
    monkeypatch.setattr(device, "allocate", lockstep.allocate)
    monkeypatch.setattr(device, "load", lockstep.Lockstep(False).load)


def values(ops: list[Op], dtype: str, backend: str) -> list[np.ndarray]:
    """Each op on its hard grid."""
    nodes, given = [], {}
    for op in ops:
        columns = columns_of(op, hard_points(op, dtype), dtype)
        leaves = [
            new_node(INPUT, (), (), ArrayType(c.shape, c.dtype.name), f"{op.name}_{k}", "")
            for k, c in enumerate(columns)
        ]
        nodes.append(make(op, tuple(leaves)))
        given |= dict(zip(leaves, columns, strict=True))
    with np.errstate(all="ignore"):
        found = reference(nodes, given, "float64") if backend == "numpy" else compute(backend, nodes, given, "float64")
    return list(found)


def assert_accurate(op: Op, found: np.ndarray, dtype: str, allowed: float) -> None:
    points, exact = hard_points(op, dtype), 0
    for point, value in zip(points, found, strict=True):
        true = truth(op, point, dtype)
        if is_open(op, point, value, true):
            continue
        error = ulps_between(value, true, dtype, size_of_terms(op, point))
        assert error <= allowed, f"{op.name}{point} is {value!r}, in truth {float(true)!r}: {error:.3g} ULP"
        if len(point) == 1 and op.kind == "intrinsic" and point[0] == 0 == value:
            assert np.signbit(value) == np.signbit(op.reference(np.asarray(point[0], dtype))), point
        exact += 1
    assert exact > len(points) / 2


def is_open(op: Op, point: Point, value: float, true: float) -> bool:
    """Infinite or no operands of a formula of several: NaN is right, and so is a limit where the formula is NaN."""
    return op.kind == "defined" and len(point) > 1 and not is_finite(point) and bool(np.isnan(value) or true != true)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", ELEMENTWISE.values(), ids=list(ELEMENTWISE))
def test_the_reference_is_the_truth(op: Op, dtype: str) -> None:
    assert_accurate(op, values([op], dtype, "numpy")[0], dtype, op.ulps[0])


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_compiled_code_is_the_truth(backend: str, dtype: str, part: int) -> None:
    ops = list(ELEMENTWISE.values())[part::PARTS]
    for op, found in zip(ops, values(ops, dtype, backend), strict=True):
        assert_accurate(op, found, dtype, op.ulps[1])


def test_what_a_record_states_is_in_its_documentation() -> None:
    for name, op in ELEMENTWISE.items():
        assert 0 < op.ulps[0] <= op.ulps[1], name
        stated = f"within {op.ulps[0]:g} units in the last place" in (FUNCTIONS[name].__doc__ or "")
        assert stated == (op.ulps != ULPS or op.terms is not None), name
