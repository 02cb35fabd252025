"""Law: our own front end knows the code of every op, alone, on every dtype, with its gradient: none needs Numba."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import graphlearn as gl
from graphlearn.backends.native.lowering import lower
from graphlearn.backends.native.signature import Signature
from graphlearn.backends.numba import functions
from graphlearn.backends.registry import load_backend
from graphlearn.errors import DTypeError
from graphlearn.graph.node import Node
from graphlearn.graph.traverse import leaves
from tests.laws.operands import ALL_OPS, Case, cases

DTYPES = ("float64", "float32", "int64", "int32", "uint8", "bool")
MOST = 3  # cases of an op and a dtype, spread over all there are


class _Known(Exception):
    """The text was lowered; nobody needs the machine code."""


@pytest.fixture(autouse=True)
def _lower_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def compile_native(source: str, entry: str, signature: Signature, **options: Any) -> None:
        lower(source, entry, entry, signature, ("contract",))
        raise _Known

    monkeypatch.setattr(functions, "compile_native", compile_native)


def outputs_of(case: Case) -> Iterator[tuple[Node, ...]]:
    yield (case.node,)
    inputs = [x for x in leaves([case.node], "input") if x.type.is_float]
    if inputs and case.node.type.is_float:
        yield gl.grad(gl.sum(case.node), inputs, disconnected="zero")


def works(name: str) -> Iterator[tuple[Node, ...]]:
    for dtype in DTYPES:
        try:
            found = cases(ALL_OPS[name], dtype)
        except DTypeError:  # the op refuses this dtype, which other laws look at
            continue
        for case in found[:: max(1, len(found) // MOST)][:MOST]:
            yield from outputs_of(case)


@pytest.mark.parametrize("name", sorted(ALL_OPS))
def test_no_op_needs_numba(name: str) -> None:
    lowered = 0
    for k, outputs in enumerate(works(name)):
        try:
            load_backend("numba").compile_function(
                outputs, (*leaves(outputs), *leaves(outputs, "run")), ("float64", "float32")[k % 2]
            )
        except _Known:
            lowered += 1
    assert lowered
