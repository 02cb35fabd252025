"""`Node`: equal unnamed subexpressions are one object, nothing can be changed, and misuse is answered with advice."""

import copy
import math
import operator
import pickle

import numpy as np
import pytest

from graphlearn.errors import DTypeError, GraphLearnError, GraphUseError, ShapeError, UnsupportedOp
from graphlearn.graph.leaves import constant, input, parameter, state
from graphlearn.graph.node import Node, apply
from graphlearn.graph.op import OPS, find_op
from graphlearn.graph.scope import scope
from graphlearn.ops.algebra import FUNCTIONS
from graphlearn.ops.elementwise import elementwise
from graphlearn.ops.reductions import sum_
from graphlearn.ops.shape import expand_dims, reshape, transpose

x, y = input("x"), input("y")
v = input("v", 3)

# --- interning -------------------------------------------------------------------------------------------------------


def test_equal_unnamed_expressions_are_one_node():
    assert x + y is x + y
    assert sum_(v * 2, axis=0) is sum_(v * 2, axis=0)
    assert (x + y) * (x + y) is (x + y) * (x + y)
    assert x + y is not y + x


def test_leaves_are_never_merged():
    assert input("x") is not input("x")
    assert parameter("w", 2) is not parameter("w", 2)
    assert state("s", (), 0.0) is not state("s", (), 0.0)


def test_a_name_and_a_scope_make_another_node():
    plain = x * y
    named = plain.named("h")
    assert named is plain.named("h")
    assert named is not plain
    with scope("block"):
        assert x * y is not plain
        assert x * y is x * y


@pytest.mark.parametrize(
    "values",
    [
        (1, 1.0, True),
        (0, 0.0, -0.0, False),
        (np.float32(1), np.float64(1), 1.0),
        (np.int32(2), np.int64(2), 2),
        ([1.0], 1.0),
    ],
    ids=str,
)
def test_constants_that_differ_in_type_or_sign_are_different_nodes(values):
    nodes = [constant(value) for value in values]
    assert len(set(nodes)) == len(values)
    assert nodes == [constant(value) for value in values]


def test_nan_and_minus_zero_are_constants_like_others():
    assert constant(math.nan) is constant(float("nan"))
    assert constant([math.nan, 1.0]) is constant([math.nan, 1.0])
    assert math.copysign(1, constant(-0.0).attr("value").array) == -1
    assert math.copysign(1, constant(0.0).attr("value").array) == 1
    assert constant(-0.0) is constant(-0.0)


def test_large_constants_are_copied_and_kept_by_identity():
    big = np.zeros(1000)
    node = constant(big)
    big[:] = 1
    assert node.attr("value").array.sum() == 0
    assert constant(big) is not constant(big)
    assert constant(np.zeros(512)) is constant(np.zeros(512))
    with pytest.raises(ValueError, match="read-only"):
        node.attr("value").array[0] = 1


# --- immutability ----------------------------------------------------------------------------------------------------


def test_a_node_cannot_be_changed():
    node = x + y
    for name in ("name", "op", "inputs", "type", "anything"):
        with pytest.raises(AttributeError, match="immutable"):
            setattr(node, name, None)
        with pytest.raises(AttributeError):
            delattr(node, name)


def test_copies_of_a_node_are_the_node_and_pickling_is_refused():
    assert copy.copy(x) is x
    assert copy.deepcopy({"a": [x + y]})["a"][0] is x + y
    with pytest.raises(TypeError, match=r"numpy\.savez\(path, \*\*model\.values\)"):
        pickle.dumps(x)


def test_an_op_is_pickled_by_name():
    assert pickle.loads(pickle.dumps(OPS["tanh"])) is OPS["tanh"]
    assert repr(OPS["tanh"]) == "<Op tanh>"
    with pytest.raises(UnsupportedOp, match=r"there is no operation 'tahn'. Define it with gl.elementwise"):
        find_op("tahn")


# --- operators and attributes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "op"),
    [
        (operator.add, "add"), (operator.sub, "sub"), (operator.mul, "mul"), (operator.truediv, "div"),
        (operator.pow, "pow"), (operator.lt, "less"), (operator.le, "less_equal"), (operator.gt, "greater"),
        (operator.ge, "greater_equal"),
    ],
)  # fmt: skip
def test_operators_build_ops_from_both_sides(function, op):
    assert function(x, y) is apply(op, x, y)
    assert function(x, 2.0) is apply(op, x, 2.0)
    mirrored = {"less": "greater", "less_equal": "greater_equal", "greater": "less", "greater_equal": "less_equal"}
    swapped = apply(mirrored[op], x, 2.0) if op in mirrored else apply(op, 2.0, x)
    assert function(2.0, x) is swapped


def test_unary_operators_and_methods():
    assert -x is apply("neg", x)
    assert +x is x
    assert abs(x) is apply("abs", x)
    assert ~(x < y) is apply("logical_not", x < y)
    m = input("m", (2, 3))
    assert (m.T.shape, m.sum(0).shape, m.mean().shape, m.max(axis=1, keepdims=True).shape) == ((3, 2), (3,), (), (2, 1))
    assert m.reshape(6) is m.reshape((6,))
    assert m.reshape(3, 2).shape == m.reshape([3, -1]).shape == (3, 2)
    assert (m @ m.T).shape == (2, 2)
    assert (np.ones((4, 2)) @ m).shape == (4, 3)
    assert input("r", ("N", 2)).reshape("N", 1, 2).shape == ("N", 1, 2)


def test_a_node_shows_itself():
    w = parameter("w", (2, 3), dtype="float32")
    assert repr(w) == "<parameter w float32[2,3]>"
    assert repr(x + y) == "<add float64[]>"
    assert repr((x + y).named("h")) == "<add h float64[]>"
    assert repr(constant(0.5)) == "<constant 0.5>"
    assert (w.shape, w.ndim, w.dtype, w.is_leaf, (x + y).is_leaf) == ((2, 3), 2, "float32", True, False)
    with scope("block"):
        assert parameter("w", 2).full_name == "block/w"
    with pytest.raises(KeyError):
        w.attr("axis")


# --- what a node is not ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("misuse", "advice"),
    [
        (lambda: bool(x), r"gl\.where\(condition, a, b\)"),
        (lambda: 1 if x > 0 else 2, "no truth value"),
        (lambda: x < y < 2, "no truth value"),
        (lambda: float(x), r"gl\.evaluate"),
        (lambda: int(x), "not a number"),
        (lambda: [1, 2][x], "not a number"),
        (lambda: complex(x), "not a number"),
        (lambda: len(v), r"Write node\.shape\[0\], which is 3\."),
        (lambda: len(x), "A scalar has no length"),
        (lambda: len(input("r", ("batch", 2))), r"axis is free.*the node gl\.axis_size\('batch'\)"),
        (lambda: v.__setitem__(0, 1), r"immutable.*gl\.where"),
        (lambda: x << 1, "shifts no bits"),
        (lambda: x & (x < 1), r"np\.logical_and"),
        (lambda: x | (x < 1), r"np\.logical_or"),
        (lambda: x ^ 2, r"Write a \*\* b for a power"),
        (lambda: round(x), r"no digits to round.*gl\.round\(node\).*gl\.evaluate"),
        (lambda: math.floor(x), "no digits to round"),
        (lambda: f"{x:.2f}", r"no digits to format as '\.2f'.*gl\.evaluate"),
        (lambda: list(v), "cannot be iterated"),
        (lambda: 2.0 in v, r"gl\.equal"),
        (lambda: np.asarray(v), r"no values to put into an array"),
        (lambda: np.array([x, y]), "no values"),
        (lambda: np.array(v), "no values"),
        (lambda: np.array(v, dtype=float), "no values"),
        (lambda: np.array(v, copy=True), "no values"),
        (lambda: np.asarray(v, np.float32), "no values"),
        (lambda: x == 0, r"gl\.equal\(node, number\)"),
        (lambda: x != 1.5, r"gl\.equal"),
        (lambda: x == 0, r"gl\.equal"),
        (lambda: x in [1.0, 2.0], r"gl\.equal"),
        (lambda: x == np.float64(1), r"gl\.equal"),
        (lambda: sum_(x).named(""), "printable, non-empty string"),
        (lambda: (x + y).named("a/b"), r"Use gl\.scope for paths"),
        (lambda: x.named("z"), "has its name already"),
    ],
)
def test_misuse_is_answered_with_advice(misuse, advice):
    with pytest.raises(GraphUseError, match=advice):
        misuse()


def test_a_node_in_a_text_is_its_repr():
    assert f"{x}" == str(x) == repr(x)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("argsort", r"A graph has no sorting\. Compute it on the arrays"),
        ("tanh", r"Write np\.tanh\(node\)"),
        ("shap", "Did you mean 'shape'"),
        ("qqq", "It has: T, all, .*, attr, .*, var"),
    ],
)
def test_an_attribute_that_only_arrays_have_is_answered_with_advice(name, advice):
    with pytest.raises(AttributeError, match=f"a node has no attribute '{name}'. {advice}"):
        getattr(x, name)
    assert not hasattr(x, name) and not hasattr(x, "_repr_png_")


def test_an_axis_needs_to_be_a_number():
    for call in (lambda: v.mean(axis="m"), lambda: v.sum(axis=0.5), lambda: v.max(axis=(0, None)), lambda: v.sum(x)):
        with pytest.raises(GraphLearnError, match=r"needs whole numbers as axes|not a number"):
            call()
    for call in (
        lambda: expand_dims(v, "m"),
        lambda: transpose(v, ["m"]),
        lambda: reshape(v, 2.5),
        lambda: input("q", 0.5),
    ):
        with pytest.raises(ShapeError):
            call()
    assert expand_dims(v, np.int64(0)).shape == (1, 3)


def test_equality_of_nodes_is_identity():
    assert x == x  # the point of the test
    assert (x == y) is False
    assert x != y
    assert (x == "x") is False
    assert (x == None) is False  # noqa: E711  # the point of the test
    assert len({x, y, x}) == 2
    assert [x, y].index(y) == 1


@pytest.mark.parametrize(
    "wrong",
    ["text", 1j, None, object(), [1, [2, 3]], ["a"], np.datetime64("2020-01-01"), np.float16(1)],
    ids=lambda _: "",
)
def test_what_is_no_array_of_numbers_cannot_be_an_operand(wrong):
    for operation in (lambda: x + wrong, lambda: wrong * x, lambda: constant(wrong)):
        with pytest.raises(DTypeError, match=r"^(a constant|add|mul) needs") as caught:
            operation()
        assert "at test_node.py:" in str(caught.value)


def test_an_operand_that_is_no_number_is_named_beside_the_others():
    with pytest.raises(DTypeError) as caught:
        x + "a"
    text = str(caught.value)
    assert "add needs a node, a number or an array of numbers; got the text 'a'. Write a number without quotes" in text
    assert "operands of add: x: float64[], at test_node.py" in text and "str" not in text
    with pytest.raises(DTypeError, match=r"got None\. Put a number or a node in its place"):
        None * x


def test_shapes_that_do_not_fit_name_the_operands_and_the_line():
    a, b = input("a", (2, 3)), parameter("b", 4)
    with pytest.raises(ShapeError) as caught:
        a + b
    assert str(caught.value).startswith("broadcasting needs equal lengths, or 1, in each axis")
    assert "got (2, 3) and (4,), where 3 and 4 meet. Reshape or transpose" in str(caught.value)
    assert "operands of add: a: float64[2,3], b: float64[4], at test_node.py:" in str(caught.value)
    assert caught.value.nodes == (a, b)
    with pytest.raises(ShapeError, match="unnamed mul: float64"):
        (a * 2) @ b


def test_a_redefined_op_serves_new_nodes_only():
    first = elementwise("redefined", formula=lambda m, x: x + 1)
    old = first(x)
    second = elementwise("redefined", formula=lambda m, x: x + 2)
    try:
        assert second(x) is not old
        assert apply("redefined", x).op is second.op
        assert old.op is first.op
    finally:
        del OPS["redefined"], FUNCTIONS["redefined"]


def test_nodes_are_made_by_functions_only():
    assert not hasattr(Node, "__init__") or Node.__init__ is object.__init__
    assert not hasattr(x, "__dict__")
