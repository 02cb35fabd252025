"""The laws' own material: every op has cases, plain ones and ones with named axes."""

import pytest

from graphlearn.backends.numpy.interpreter import evaluate
from tests.laws.operands import ALL_OPS, SIZES, attribute_names, cases


@pytest.mark.parametrize("op", ALL_OPS.values(), ids=list(ALL_OPS))
def test_every_op_has_cases_with_and_without_named_axes(op):
    found = cases(op)
    ways = [case.node.type.axis_names or any(n.type.axis_names for n in case.node.inputs) for case in found]
    assert len(found) >= 2 or not attribute_names(op).keys() - {"axis_name"}
    assert any(ways) or "axis_name" in attribute_names(op)
    assert not all(ways) or not found[0].node.inputs


@pytest.mark.parametrize("op", ALL_OPS.values(), ids=list(ALL_OPS))
def test_every_case_can_be_evaluated_and_says_what_it_is(op):
    for case in cases(op):
        evaluate(case.node, case.at, sizes=SIZES)
        assert str(case).startswith(op.name)


def test_cases_are_the_same_every_time():
    first, second = (cases(ALL_OPS["add"]) for _ in range(2))
    for one, two in zip(first, second, strict=True):
        assert [a.tobytes() for a in one.at.values()] == [a.tobytes() for a in two.at.values()]
