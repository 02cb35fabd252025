"""Leaves: what each kind takes, keeps and refuses."""

import numpy as np
import pytest

from graphlearn.errors import DTypeError, GraphUseError, ShapeError
from graphlearn.graph.leaves import constant, constant_array, input, parameter, state, typed_constant
from graphlearn.types import ArrayType


def test_an_input_has_a_shape_and_a_dtype():
    assert input("x").type == ArrayType(())
    assert input("x", 3).shape == (3,)
    assert input("x", "batch").shape == ("batch",)
    assert input("x", ("batch", 2), "int64").type == ArrayType(("batch", 2), "int64")
    for name in ("", " ", "a/b", "a\nb", 3, None):
        with pytest.raises(GraphUseError, match="a name needs to be"):
            input(name)
    with pytest.raises(DTypeError, match="input 'x' needs one of the dtypes"):
        input("x", 2, "complex128")
    with pytest.raises(ShapeError, match="input 'x' needs dimensions"):
        input("x", (-2,))


def test_a_parameter_keeps_a_rule_or_a_literal_value():
    values = np.array([[1.0, 2.0]])
    literal = parameter("w", value=values)
    values[:] = 0
    assert literal.shape == (1, 2)
    assert literal.attr("value").array.tolist() == [[1.0, 2.0]]
    assert parameter("w", (2, 2), value=0.5).attr("value").array.tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert parameter("w", value=[1, 2]).dtype == "float64"
    assert parameter("w", 2, dtype="float32").dtype == "float32"

    def rule(shape, generator):
        return np.zeros(shape)

    assert parameter("w", 2, init=rule).attr("init") is rule


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, ShapeError, "needs a shape, or a value that has one"),
        ({"shape": ("batch", 2)}, ShapeError, "fixed dimensions"),
        ({"shape": 3, "value": [1.0, 2.0]}, ShapeError, r"a value of shape \(3,\); got \(2,\)"),
        ({"shape": 3, "init": 1, "value": 2}, DTypeError, "got both"),
        ({"shape": 3, "init": 0.5}, DTypeError, "A literal goes to value="),
        ({"shape": 3, "dtype": "int64"}, DTypeError, "a real dtype"),
        ({"value": "text"}, DTypeError, "needs one of the dtypes"),
        ({"value": 1j}, DTypeError, "needs one of the dtypes"),
    ],
)
def test_a_parameter_refuses_what_it_cannot_train(arguments, error, message):
    with pytest.raises(error, match=message):
        parameter("w", **arguments)


def test_a_state_takes_its_dtype_from_its_value():
    assert state("s", (2,), 0.0).type == ArrayType((2,))
    assert state("s", (), 0).dtype == "int64"
    assert state("s", value=np.zeros(3, "float32")).type == ArrayType((3,), "float32")
    assert state("s", 2, value=1, dtype="float32").attr("value").array.dtype == "float32"
    with pytest.raises(ShapeError, match="fixed dimensions"):
        state("s", "batch", 0.0)


def test_constants_are_weak_for_python_numbers_only():
    assert constant(2).type == ArrayType((), "int64", weak=True)
    assert constant(True).type == ArrayType((), "bool", weak=True)
    assert constant(2.0).type == ArrayType((), "float64", weak=True)
    assert constant(np.float64(2)).type == ArrayType(())
    assert constant([1, 2]).type == ArrayType((2,), "int64")
    assert typed_constant(1, "float32").type == ArrayType((), "float32")
    node = input("x")
    assert constant(node) is node
    assert constant_array(node) is None
    assert constant_array(constant(2)) == 2
    assert (constant(2) + constant(0.5)).type.weak
    assert (input("f", (), "float32") + 2.5).dtype == "float32"
    for wrong in ("a", 1j, object()):
        with pytest.raises(DTypeError):
            constant(wrong)
