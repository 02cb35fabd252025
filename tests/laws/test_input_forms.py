"""Law: how an array lies in memory changes nothing, and a caller's array stays as it is: for all ops and backends."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.backends.cuda import device
from graphlearn.graph.node import Node
from graphlearn.graph.op import Op
from graphlearn.graph.rewrite import substitute
from tests.backends.cuda import lockstep
from tests.laws.operands import ALL_OPS, SIZES, Case, cases

PARTS = 8  # the ops are compiled in so many functions


def _every_other(array: np.ndarray) -> np.ndarray:
    wide = np.zeros((*array.shape, 2), array.dtype)
    wide[..., 0] = array
    return wide[..., 0]


def _backwards(array: np.ndarray) -> np.ndarray:
    return array[::-1].copy()[::-1] if array.ndim else array


def _unaligned(array: np.ndarray) -> np.ndarray:
    """At an odd byte, as in a buffer after a header."""
    raw = b"x" + array.tobytes()
    return np.ndarray(array.shape, array.dtype, raw, 1)


def _read_only(array: np.ndarray) -> np.ndarray:
    copy = array.copy()
    copy.flags.writeable = False
    return copy


FORMS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "not contiguous": _every_other,
    "backwards": _backwards,
    "Fortran order": lambda array: np.asarray(array, order="F"),
    "big-endian": lambda array: array.astype(array.dtype.newbyteorder(">")),
    "not aligned": _unaligned,
    "read-only": _read_only,
    "a list": lambda array: array.tolist(),
}


@pytest.fixture(autouse=True)
def _lockstep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "is_simulated", lambda: False)
    monkeypatch.setattr(device, "require_device", lambda: None)
    monkeypatch.setattr(device, "upload", lockstep.upload)
    monkeypatch.setattr(device, "allocate", lockstep.allocate)
    monkeypatch.setattr(device, "load", lockstep.Lockstep(False).load)


def largest_case(op: Op) -> Case | None:
    """The case with the most entries; None for an op without operands. Free axes have their lengths from `SIZES`."""
    found = [case for case in cases(op) if case.at]
    return max(found, key=lambda case: sum(a.size for a in case.at.values()), default=None)


def fixed_case(op: Op) -> Case | None:
    """The same among those whose axes all have lengths, in attributes too."""
    found = [case for case in cases(op) if case.at and "'N'" not in f"{case} {case.node.attrs}" and not free(case)]
    return max(found, key=lambda case: sum(a.size for a in case.at.values()), default=None)


def free(case: Case) -> bool:
    return any(isinstance(d, str) for node in (case.node, *case.at) for d in node.shape)


@pytest.mark.parametrize("op", ALL_OPS.values(), ids=list(ALL_OPS))
def test_the_reference_takes_every_form(op: Op) -> None:
    case = largest_case(op)
    if case is None:
        return  # an op without operands takes no arrays
    plain = gl.evaluate(case.node, case.at, seed=1, sizes=SIZES)
    for name, form in FORMS.items():
        given = {leaf: form(array) for leaf, array in case.at.items()}
        before = {leaf: np.array(array) for leaf, array in given.items()}
        assert np.array_equal(gl.evaluate(case.node, given, seed=1, sizes=SIZES), plain, equal_nan=True), name
        for leaf, array in given.items():
            assert np.array_equal(array, before[leaf], equal_nan=True), name


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("backend", ["numba", "cuda"])
def test_compiled_code_takes_every_form(backend: str, part: int) -> None:
    found = [case for op in list(ALL_OPS.values())[part::PARTS] if (case := fixed_case(op)) is not None]
    leaves: dict[str, Node] = {}
    arrays: dict[str, np.ndarray] = {}
    outputs: list[Node] = []
    for number, case in enumerate(found):
        fresh = {leaf: gl.input(f"{leaf.name}_{number}", leaf.shape, leaf.dtype) for leaf in case.at}
        outputs.append(substitute([case.node], fresh)[case.node])
        leaves |= {leaf.name: leaf for leaf in fresh.values()}
        arrays |= {fresh[leaf].name: array for leaf, array in case.at.items()}
    function = gl.compile(outputs, inputs=list(leaves.values()), backend=backend)
    plain = function(**arrays)
    for name, form in FORMS.items():
        given = {key: form(array) for key, array in arrays.items()}
        before = {key: np.array(array) for key, array in given.items()}
        for node, one, two in zip(outputs, plain, function(**given), strict=True):
            assert np.array_equal(one, two, equal_nan=True), (name, node)
        assert all(np.array_equal(given[key], before[key], equal_nan=True) for key in given), name


@pytest.mark.parametrize("backend", ["numpy", "numba", "cuda"])
@pytest.mark.parametrize("shape", [(), (1,), (0,), (1, 3), (0, 3), (3, 0), (1, 1)])
def test_axes_of_length_0_and_1_and_no_axes(backend: str, shape: tuple[int, ...]) -> None:
    """Entry by entry, an array of another shape has the same entries; also of whole numbers."""
    for dtype in ("float64", "int64"):
        x = gl.input("x", shape, dtype)
        outputs = [gl.exp(x) + 1, gl.maximum(x, 2) * x, gl.where(x > 1, x, -x), gl.sigmoid(x), gl.gelu(x)]
        values = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
        found = gl.compile(outputs, inputs=[x], backend=backend)(x=values)
        for node, array in zip(outputs, found, strict=True):
            assert array.shape == shape and array.dtype == node.dtype
            singly = [gl.evaluate(node, {x: values})[place] for place in np.ndindex(shape)]
            np.testing.assert_allclose(np.ravel(array), singly, rtol=1e-14)
