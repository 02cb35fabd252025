"""Law: a fast backend computes every op as the reference does, values and gradients, in both precisions.

On a hard grid (zeros of both signs, subnormal, huge, infinite, NaN), on operands that broadcast, and over free axes,
also of length 0. Cases are compiled many at a time: a function per case would take minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from graphlearn.backends.cuda import device
from graphlearn.backends.numpy.interpreter import interpret
from graphlearn.backends.registry import load_backend, lowered
from graphlearn.calculus.reverse import differentiate
from graphlearn.errors import GraphLearnError
from graphlearn.graph.binding import Binding
from graphlearn.graph.leaves import INPUT
from graphlearn.graph.node import Node, make, new_node
from graphlearn.graph.op import Op
from graphlearn.graph.rewrite import substitute
from graphlearn.graph.traverse import leaves
from graphlearn.types import ArrayType
from tests.backends.cuda import lockstep
from tests.laws.operands import ALL_OPS, ELEMENTWISE, OTHERS, SIZES, arity, cases, is_condition

# The GPU's kernels run here in lockstep, one thread after the other.
BACKENDS = ("numba", "cuda")
PRECISIONS = ("float32", "float64")
# Formulas of the backend are within 4 units in the last place, and so are NumPy's; kernels chain a few of them, and a
# partial chains kernels.
ULPS = {"value": 32, "gradient": 64}
HARD = (0.0, -0.0, 1e-30, -1e-30, 1e-42, 1.0, -1.0, 0.5, 2.0, -3.0, 17.5, 1000.0, -1000.0, np.inf, -np.inf, np.nan)
WHOLE = (0, 1, 2, 3, 7, 100)
CHUNK = 25  # outputs that are compiled together
# Cases of an op that Numba compiles, spread over all there are. The GPU's kernels come of the same programs and run
# here without a compiler, on every case.
MOST = {("value", "float64", "float64"): 6, ("gradient", "float64", "float64"): 4}  # kind, dtype, precision
FEW = 2  # of the other kinds

Given = dict[Node, np.ndarray]


@pytest.fixture(autouse=True)
def _lockstep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "is_simulated", lambda: False)
    monkeypatch.setattr(device, "require_device", lambda: None)
    monkeypatch.setattr(device, "upload", lockstep.upload)
    monkeypatch.setattr(device, "allocate", lockstep.allocate)
    monkeypatch.setattr(device, "load", lockstep.Lockstep(False).load)


def compute(backend: str, outputs: Sequence[Node], given: Given, precision: str) -> tuple[np.ndarray, ...]:
    inputs = leaves(outputs)
    function = load_backend(backend).compile_function(outputs, inputs, precision)
    return function({x: given[x] for x in inputs}, sizes_of(given))


def reference(outputs: Sequence[Node], given: Given, precision: str) -> tuple[np.ndarray, ...]:
    values = interpret(outputs, Binding(given, sizes_of(given)), precision=precision)
    return tuple(np.asarray(values[n], lowered(n.dtype, precision)) for n in outputs)


def sizes_of(given: Given) -> dict[str, int]:
    """Lengths of free axes; where no array shows one, that of the cases."""
    return SIZES | {d: n for x, a in given.items() for d, n in zip(x.shape, a.shape, strict=True) if isinstance(d, str)}


def what_dtype(what: str) -> str:
    """The dtype of the operands, which the text of a case names."""
    return "float32" if "float32" in what else ""


def assert_equal(got: np.ndarray, wanted: np.ndarray, precision: str, what: str, ulps: float) -> None:
    assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape), what
    if got.dtype.kind != "f":
        np.testing.assert_array_equal(got, wanted, err_msg=what)
        return
    info = np.finfo("float32" if "float32" in (precision, what_dtype(what)) else precision)
    finite = np.abs(wanted[np.isfinite(wanted)], dtype=np.float64)
    # Sums cancel: their error is relative to what was added up, which is of the size of the largest entries.
    scale = float(np.max(finite, initial=0.0)) * (1.0 if wanted.size < 100 else 0.0)
    np.testing.assert_allclose(
        got.astype(np.float64), wanted.astype(np.float64), rtol=ulps * info.eps,
        atol=4 * info.smallest_subnormal + ulps * info.eps * scale, err_msg=what,
    )  # fmt: skip


def renamed(outputs: Sequence[Node], given: Given, number: int) -> tuple[list[Node], Given]:
    """The same outputs over leaves whose names no other case has."""
    fresh = {x: new_node(INPUT, (), (), x.type, f"{x.name}_{number}", "") for x in given}
    table = substitute(outputs, fresh)
    return [table[n] for n in outputs], {fresh[x]: a for x, a in given.items()}


def check(backend: str, work: Sequence[tuple[str, list[Node], Given]], precision: str, kind: str) -> None:
    """Compile and compare in chunks."""
    ready = [(what, *renamed(outputs, given, k)) for k, (what, outputs, given) in enumerate(work) if outputs]
    for start in range(0, len(ready), CHUNK):
        part = ready[start : start + CHUNK]
        given = {x: a for _, _, table in part for x, a in table.items()}
        outputs = [n for _, nodes, _ in part for n in nodes]
        what = [text for text, nodes, _ in part for _ in nodes]
        got, wanted = compute(backend, outputs, given, precision), reference(outputs, given, precision)
        for text, g, w in zip(what, got, wanted, strict=True):
            assert_equal(g, w, precision, text, ULPS[kind])


# --- the hard grid ---------------------------------------------------------------------------------------------------


def hard_case(op: Op, dtype: str) -> tuple[Node, Given] | None:
    """The op on every combination of hard values; None where it, or NumPy, refuses the dtype."""
    real = dtype.startswith("float")
    values: Any = np.array(HARD if real else WHOLE)[:: 2 if arity(op) > 2 and real else 1].astype(dtype)
    kinds = ["bool" if is_condition(op, k) else dtype for k in range(arity(op))]
    grids = np.meshgrid(*[np.array([False, True]) if kind == "bool" else values for kind in kinds])
    nodes = tuple(
        new_node(INPUT, (), (), ArrayType((g.size,), k), f"x{i}", "")
        for i, (g, k) in enumerate(zip(grids, kinds, strict=True))
    )
    given = {n: g.ravel().astype(n.dtype) for n, g in zip(nodes, grids, strict=True)}
    try:
        node = make(op, nodes)
        reference([node], given, "float64")
    except (GraphLearnError, OverflowError, TypeError):
        return None
    return node, given


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("dtype", ["float64", "int64", "int32", "uint8", "bool"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_values_on_the_hard_grid(backend: str, dtype: str, precision: str) -> None:
    found = {name: case for name, op in ELEMENTWISE.items() if (case := hard_case(op, dtype)) is not None}
    assert len(found) > 10
    check(backend, [(f"{name} on {dtype}", [node], given) for name, (node, given) in found.items()], precision, "value")


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_gradients_on_the_hard_grid(backend: str, precision: str) -> None:
    work = []
    for name, op in ELEMENTWISE.items():
        case = hard_case(op, "float64")
        assert case is not None, name
        node, given = case
        work.append((f"derivative of {name}", *with_gradients(node, given)))
    check(backend, work, precision, "gradient")


def with_gradients(node: Node, given: Given) -> tuple[list[Node], Given]:
    """The product of a cotangent with the derivative by every real input, and the values with the cotangent's."""
    real = [x for x in given if x.type.is_float]
    if not real or not node.type.is_float:
        return [], given
    seed = new_node(INPUT, (), (), node.type, "seed", "")
    found = differentiate(node, real, seed=seed, disconnected="zero").gradients
    shape = tuple(sizes_of(given)[d] if isinstance(d, str) else d for d in node.shape)
    cotangent = 1.5 + np.arange(np.prod(shape, dtype=int)).reshape(shape) % 5
    return [found[x] for x in real], {**given, seed: cotangent.astype(node.dtype)}


# --- every op, every attribute, shapes that broadcast ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "precision"),
    [
        ("float64", "float64"),
        ("float64", "float32"),
        ("float32", "float64"),
        *((dtype, "float64") for dtype in ("int64", "int32", "uint8", "bool")),
    ],
)
@pytest.mark.parametrize("backend", BACKENDS)
def test_values_of_all_cases(backend: str, dtype: str, precision: str) -> None:
    work = []
    for op in ALL_OPS.values():
        for case in spread(_usable(op, dtype), backend, "value", dtype, precision):
            work.append((str(case), [case.node], dict(case.at)))
    check(backend, work, precision, "value")


def spread(found: Sequence[Any], backend: str, *what: str) -> Sequence[Any]:
    """The cases that are compiled for a backend: first and last among them."""
    most = MOST.get(what, FEW) if backend == "numba" else len(found)
    return found if len(found) <= most else [found[k * (len(found) - 1) // (most - 1)] for k in range(most)]


def _usable(op: Op, dtype: str) -> list[Any]:
    """The cases that the reference accepts in this dtype."""
    try:
        found = cases(op, dtype)
    except GraphLearnError:
        return []
    return [case for case in found if _is_defined(case)]


def _is_defined(case: Any) -> bool:
    try:
        reference([case.node], case.at, "float64")
    except (OverflowError, TypeError, ValueError):
        return False
    return True


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_gradients_of_all_cases(backend: str, precision: str) -> None:
    work = []
    for op in OTHERS.values():
        for case in spread(cases(op), backend, "gradient", "float64", precision):
            work.append((f"derivative of {case}", *with_gradients(case.node, dict(case.at))))
    check(backend, work, precision, "gradient")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's own: mean of an empty slice
@pytest.mark.parametrize("backend", BACKENDS)
def test_no_rows_at_all(backend: str) -> None:
    work = []
    for op in ALL_OPS.values():
        for case in cases(op):
            empty = {
                x: a[tuple(slice(0) if isinstance(d, str) else slice(None) for d in x.shape)]
                for x, a in case.at.items()
            }
            if not any(isinstance(d, str) for x in case.at for d in x.shape):
                continue
            try:
                reference([case.node], empty, "float64")
            except ValueError:  # the largest of nothing
                continue
            work.append((f"{case} without rows", [case.node], empty))
    assert len(work) > 30
    check(backend, work, "float64", "value")
