"""The line that made a node: found for operators, functions and layers, and kept by rewriting."""

import numpy as np
import pytest

from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.calculus.gradient import grad
from graphlearn.errors import NonFiniteError
from graphlearn.graph import lines
from graphlearn.graph.leaves import constant, input
from graphlearn.graph.rewrite import substitute
from graphlearn.ops.intrinsics import log, tanh
from graphlearn.ops.reductions import sum_


def here(plus=0):
    """The line that calls, as nodes say it."""
    import sys

    return f"test_lines.py:{sys._getframe(1).f_lineno + plus}"


def test_operators_functions_and_numpy_know_the_line_that_made_them():
    x = input("line_x", 3)
    for make in (lambda: (x * 2.25, here()), lambda: (tanh(x + 7), here()), lambda: (np.exp(x), here())):
        node, line = make()
        assert node.made_at == line
    assert (x @ x).named("product").made_at == here()
    assert sum_(x)[None].made_at == here()


def test_leaves_and_derivatives_stand_in_no_line():
    x = input("line_x")
    assert x.made_at == ""
    assert grad(tanh(x * 3.5), x).made_at == ""


def test_the_first_line_counts_and_rewriting_keeps_it():
    x, y = input("line_x"), input("line_y")
    first, line = x * 1.25, here()
    second = x * 1.25
    assert second is first and second.made_at == line
    assert substitute([first], {x: y})[first].made_at == line


def test_one_line_is_one_object_and_few_are_kept(monkeypatch):
    x = input("line_x")
    nodes = [x + k for k in range(3)]
    assert len({id(node.line) for node in nodes}) == 1
    monkeypatch.setattr(lines, "_MOST", 1)
    node, line = x + 4.5, here()
    assert node.made_at == line and len(lines._SEEN) == 1


def test_code_without_line_numbers_is_named_by_its_first_line():
    assert lines.line_text((here.__code__, 10**6)) == f"test_lines.py:{here.__code__.co_firstlineno}"


def test_the_first_node_that_is_not_finite_is_named_with_its_line_and_its_operands():
    x = input("x", ("batch", 2))
    z = (x * 2).named("z")
    y, line = log(z - 1), here()
    with pytest.raises(NonFiniteError) as caught:
        evaluate(sum_(y), {x: [[1.0, 0.25], [3.0, 0.5]]}, check_finite=True)
    assert str(caught.value).split("\n") == [
        "evaluate with check_finite needs finite values; the first that is not is t2 = log(t1), with nan in row 0, "
        f"column 1 (counted from 0), made at {line}. Keep its operands where log is finite.",
        "  t1: from -0.5 to 5, shape (2, 2)",
    ]
    assert caught.value.nodes[-1] is y


@pytest.mark.parametrize(
    ("numbers", "said"),
    [([1.0, np.nan, -np.inf], "from 1 to 1 and nan and -inf, shape (3,)"), ([np.nan], "nan, shape (1,)"), (2.5, "2.5")],
    ids=str,
)
def test_operands_that_are_constants_may_hold_anything(numbers, said):
    x = input("x")
    with pytest.raises(NonFiniteError) as caught:
        evaluate(constant(numbers) / x, {x: 0.0}, check_finite=True)
    assert f"\n  constant: {said}\n  x: 0" in str(caught.value)
