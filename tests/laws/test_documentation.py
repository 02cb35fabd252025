"""Law: every op says what it is, and its public function says it too."""

import inspect

import pytest

import graphlearn as gl
from graphlearn.ops.algebra import FUNCTIONS
from tests.laws.operands import ALL_OPS, ELEMENTWISE, arity


@pytest.mark.parametrize("op", ALL_OPS.values(), ids=list(ALL_OPS))
def test_every_op_is_documented_in_a_sentence(op):
    assert op.doc.endswith(".")
    assert op.doc[0].isupper() or not op.doc[0].isalpha() or op.doc.startswith(("exp", "log", "x "))
    assert not op.source.endswith(".")
    assert not op.kink.endswith(".")


@pytest.mark.parametrize("op", ELEMENTWISE.values(), ids=list(ELEMENTWISE))
def test_the_public_function_carries_the_documentation(op):
    function = FUNCTIONS[op.name]
    assert function.__name__ == op.name
    assert inspect.getdoc(function).startswith(op.doc)
    assert op.kink in function.__doc__
    assert op.source in function.__doc__
    assert len(inspect.signature(function).parameters) == arity(op)


def test_ops_that_jump_or_bend_state_their_convention():
    for name in ("relu", "abs", "sign", "maximum", "minimum", "max"):
        assert ALL_OPS[name].kink


PUBLIC = {name: getattr(gl, name) for name in dir(gl) if not name.startswith("_")}
WITH_OPERANDS = {name: f for name, f in PUBLIC.items() if inspect.isroutine(f) and inspect.signature(f).parameters}


@pytest.mark.parametrize("name", WITH_OPERANDS)
def test_every_public_function_says_what_it_takes(name):
    assert "Args:" in (WITH_OPERANDS[name].__doc__ or "")
