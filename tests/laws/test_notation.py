"""Law: every op is written with balanced brackets, in Unicode text and in LaTeX, whatever its operands are."""

import itertools
import re

import pytest

from graphlearn.graph.leaves import INPUT
from graphlearn.graph.node import make, new_node
from graphlearn.render.names import name_math
from graphlearn.render.notation import Writer
from tests.laws.operands import ALL_OPS, UNWRITTEN, cases, operand_names

PAIRS = {")": "(", "]": "[", "}": "{"}


def assert_balanced(text):
    opened = []
    for character in re.sub(r"\\[{}]", "", text):
        if character in "([{":
            opened.append(character)
        elif character in PAIRS:
            assert opened and opened.pop() == PAIRS[character], text
    assert not opened, text
    assert text.count(r"\left") - text.count(r"\leftarrow") == text.count(r"\right") - text.count(r"\rightarrow"), text
    assert text.count(r"\begin") == text.count(r"\end"), text
    assert text.count("|") % 2 == 0, text


def writer(nodes):
    return Writer({n: name_math(n.name) for n in nodes})


@pytest.mark.parametrize("op", ALL_OPS.values(), ids=list(ALL_OPS))
def test_an_op_on_names_is_balanced_and_shows_each_operand(op):
    for case in cases(op):
        math = writer(case.node.inputs).write(case.node)
        for form in (math.text, math.latex):
            assert form.strip()
            assert_balanced(form)
            assert form is math.latex or not set("{}\\") & set(form)
        written = [name not in UNWRITTEN for name in operand_names(op)] if not op.is_elementwise else None
        for leaf in itertools.compress(case.node.inputs, written or itertools.repeat(True)):
            assert name_math(leaf.name).text in math.text


@pytest.mark.parametrize("outer", ALL_OPS.values(), ids=list(ALL_OPS))
def test_an_op_on_every_other_op_is_balanced(outer):
    """The outer op on scalars or vectors that are themselves operations, which may need brackets."""
    case = next(c for c in cases(outer) if not any(n.type.axis_names for n in c.node.inputs))
    for inner in ALL_OPS.values():
        operands, names = [], []
        for leaf in case.node.inputs:
            found = [c.node for c in cases(inner, leaf.dtype) if c.node.type == leaf.type and c.node.inputs]
            operands.append(found[0] if found else leaf)
            names += [*(found[0].inputs if found else ()), leaf]
        math = writer(names).write(make(outer, tuple(operands), case.node.attrs, scope=""))
        assert_balanced(math.text)
        assert_balanced(math.latex)


def test_brackets_stand_where_the_meaning_needs_them():
    x, y, z = (new_node(INPUT, (), (), cases(ALL_OPS["add"])[0].node.type, name, "") for name in "xyz")
    write = writer([x, y, z]).write
    assert write((x + y) * z).text == "(x + y)·z"
    assert write(x - (y - z)).text == "x − (y − z)"
    assert write((x - y) - z).text == "x − y − z"
    assert write(-(x + y)).text == "−(x + y)"
    assert write((-x) ** 2).text == "(−x)²"
    assert write(-(x**2)).text == "−x²"
    assert write(x / (y * z)).text == "x / (y·z)"
    assert write(x * (y / z)).text == "x·(y / z)"
    assert write((x + y) / (x * z)).latex == r"\frac{x + y}{x \cdot z}"
    assert write(x * (y / z)).latex == r"x \cdot \frac{y}{z}"
    assert write((x / y) ** (z - 1)).latex == r"\left(\frac{x}{y}\right)^{z - 1}"
