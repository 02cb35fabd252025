"""Law: operands that an op refuses are refused with the op, the operands and their types named, and with a cure."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from graphlearn.errors import GraphLearnError
from graphlearn.graph.leaves import INPUT
from graphlearn.graph.node import make, new_node
from graphlearn.graph.op import Op
from graphlearn.types import DTYPES, ArrayType, Shape
from tests.laws.operands import ALL_OPS, ATTRIBUTES, arity, attribute_names, in_range, operand_names

SHAPES: tuple[Shape, ...] = ((), (3,), (4,), (2, 3), (3, 2), (2, 1, 3), (0, 3), ("N", 3), ("M", 3), (2, "N"))


def attributes(op: Op) -> Iterator[dict[str, Any]]:
    """A few values of each attribute."""
    keys = {} if op.is_elementwise else attribute_names(op)
    for values in itertools.product(*[ATTRIBUTES[key][:3] for key in keys.values()]):
        yield dict(zip(keys, values, strict=True))


def refusals(op: Op) -> Iterator[tuple[GraphLearnError, tuple[ArrayType, ...]]]:
    """What the op says of operands that it does not take: of each dtype, and of shapes that do not fit."""
    count = arity(op) if op.is_elementwise else len(operand_names(op))
    shapes = list(itertools.product(SHAPES, repeat=count))[:: 1 if count < 3 else 37]
    kinds = [tuple(ArrayType(s, "float64") for s in each) for each in shapes]
    kinds += [tuple(ArrayType((3,), d) for d in each) for each in itertools.product(DTYPES, repeat=count)]
    for attrs in attributes(op):
        for types in kinds:
            if not (op.is_elementwise or in_range(attrs, tuple(t.shape for t in types))):
                continue
            inputs = tuple(new_node(INPUT, (), (), t, f"x{k}", "") for k, t in enumerate(types))
            try:
                make(op, inputs, tuple(sorted(attrs.items())), scope="")
            except GraphLearnError as error:
                yield error, types


@pytest.mark.parametrize("op", ALL_OPS.values(), ids=list(ALL_OPS))
def test_a_refusal_names_the_op_the_operands_and_the_cure(op: Op) -> None:
    for error, types in refusals(op):
        text = str(error)
        assert op.name in text, text
        for k, kind in enumerate(types):
            assert f"x{k}" in text, text
            assert str(kind) in text or str(kind.shape) in text, text
        assert "needs" in text, text
        assert "got" in text, text
        assert len(error.nodes) >= len(types), text
        assert text.split("\n")[0].endswith("."), text
