"""Errors: one tree, each also the builtin that callers expect; every class says in its docstring what to do."""

import builtins
import inspect

import pytest

from graphlearn import errors
from graphlearn.errors import GraphLearnError, MissingValueError, NonFiniteError, ShapeError, UnsupportedOp

CLASSES = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, GraphLearnError)]


@pytest.mark.parametrize("kind", [c for c in CLASSES if c is not GraphLearnError], ids=lambda c: c.__name__)
def test_each_error_is_also_a_builtin_and_explains_itself(kind):
    ordinary = [
        b for b in kind.__mro__ if vars(builtins).get(b.__name__) is b and b not in (Exception, BaseException, object)
    ]
    assert ordinary
    assert inspect.getdoc(kind)
    assert kind is errors.__dict__[kind.__name__]
    error = kind("needs a; got b. Do c.")
    assert str(error) == error.message == "needs a; got b. Do c."
    assert error.nodes == ()
    with pytest.raises(ordinary[0]):
        raise error


def test_a_key_error_prints_its_words_and_not_their_repr():
    assert str(MissingValueError("no 'x'\nhere")) == "no 'x'\nhere"
    with pytest.raises(KeyError):
        raise MissingValueError("x")


def test_an_unsupported_op_is_a_type_error_and_not_implemented():
    assert issubclass(UnsupportedOp, TypeError)
    assert issubclass(UnsupportedOp, NotImplementedError)


def test_an_error_carries_nodes_and_a_failure():
    assert ShapeError("m", nodes=(1, 2)).nodes == (1, 2)
    assert NonFiniteError("m", failure="step 3").failure == "step 3"
    assert NonFiniteError("m").failure is None
