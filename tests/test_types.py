"""Types: broadcasting, promotion, reduction, matrix products and reshaping, against NumPy where it has the rule."""

import itertools
import random

import numpy as np
import pytest

from graphlearn.errors import DTypeError, ShapeError
from graphlearn.types import (
    ArrayType,
    broadcast_shapes,
    check_dtype,
    check_shape,
    format_shape,
    matmul_shape,
    normalize_axes,
    promote,
    reduce_shape,
    reshape_shape,
    to_float,
)

SHAPES = [(), (1,), (3,), (2, 3), (2, 1), (1, 3), (4, 2, 3), (4, 1, 1), (0,), (2, 0), (1, 2)]


def test_a_type_prints_itself_and_says_what_it_is():
    kind = ArrayType(("batch", 2), "float32")
    assert str(kind) == f"{kind}" == "float32[batch,2]"
    assert repr(kind) == "ArrayType(shape=('batch', 2), dtype='float32', weak=False)"
    assert (kind.rank, kind.is_float, kind.axis_names) == (2, True, ("batch",))
    assert not ArrayType((), "int64").is_float
    assert ArrayType(("n", 2, "m", "n")).axis_names == ("n", "m")
    assert kind.with_shape((3,)) == ArrayType((3,), "float32")
    assert kind.with_dtype("int32") == ArrayType(("batch", 2), "int32")
    assert ArrayType((), "float64", weak=True).with_shape((2,)) == ArrayType((2,))


def test_a_type_cannot_be_changed():
    with pytest.raises(AttributeError):
        ArrayType(()).dtype = "int32"


@pytest.mark.parametrize(("shape", "text"), [((), "()"), ((3,), "(3,)"), (("N", 2), "(N, 2)")])
def test_shapes_are_written_as_tuples(shape, text):
    assert format_shape(shape) == text


@pytest.mark.parametrize("pair", list(itertools.product(SHAPES, SHAPES)), ids=str)
def test_broadcasting_is_numpys(pair):
    try:
        expected = np.broadcast_shapes(*pair)
    except ValueError:
        with pytest.raises(ShapeError, match="Reshape or transpose"):
            broadcast_shapes(pair)
    else:
        assert broadcast_shapes(pair) == expected


def test_a_named_axis_equals_itself_and_broadcasts_with_one():
    assert broadcast_shapes([("N", 3), (3,)]) == ("N", 3)
    assert broadcast_shapes([("N", 1), (1, "M")]) == ("N", "M")
    assert broadcast_shapes([("N",), ("N",), ()]) == ("N",)
    for other in (("M",), (4,)):
        with pytest.raises(ShapeError, match=rf"\(N,\) and \({other[0]},\)"):
            broadcast_shapes([("N",), other])


def test_dtypes_have_one_name_each():
    for given in ("float64", float, np.float64, np.dtype("f8"), "d"):
        assert check_dtype(given, "x") == "float64"
    assert check_dtype(bool, "x") == "bool"
    for wrong in ("float16", complex, "object", str, "datetime64[s]", "nonsense", np.int8, object()):
        with pytest.raises(DTypeError, match="x needs one of the dtypes bool"):
            check_dtype(wrong, "x")


def test_shapes_are_checked():
    assert check_shape(3, "x") == (3,)
    assert check_shape("batch", "x") == ("batch",)
    assert check_shape([np.int64(2), "n", 0], "x") == (2, "n", 0)
    assert all(type(d) is int for d in check_shape(np.array([2, 3]), "x"))
    for wrong in ([-1], [2.0], [True], ["a b"], [""], ["2x"], [None]):
        with pytest.raises(ShapeError, match="x needs dimensions"):
            check_shape(wrong, "x")


def test_promotion_of_many_operands_is_numpys():
    generator = random.Random(1)
    weak = {"bool": True, "int64": 2, "float64": 0.5}
    for _ in range(300):
        types, values = [], []
        for _ in range(generator.randint(1, 4)):
            if generator.random() < 0.4:
                dtype = generator.choice(list(weak))
                types.append(ArrayType((), dtype, weak=True))
                values.append(weak[dtype])
            else:
                dtype = generator.choice(["bool", "uint8", "int32", "int64", "float32", "float64"])
                types.append(ArrayType((2,), dtype))
                values.append(np.ones(2, dtype))
        assert promote(types) == (np.result_type(*values).name, all(t.weak for t in types)), types


def test_real_functions_of_whole_numbers_are_float64():
    assert [to_float(d) for d in ("bool", "int32", "float32", "float64")] == [
        "float64",
        "float64",
        "float32",
        "float64",
    ]


def test_axes_are_counted_as_in_numpy():
    assert normalize_axes(None, 3, "sum") == (0, 1, 2)
    assert normalize_axes(-1, 3, "sum") == (2,)
    assert normalize_axes((2, -3), 3, "sum") == (0, 2)
    assert normalize_axes((), 0, "sum") == normalize_axes(None, 0, "sum") == ()
    with pytest.raises(ShapeError, match="sum needs axes from -2 to 1 for an array of rank 2; got 2"):
        normalize_axes(2, 2, "sum")
    with pytest.raises(ShapeError, match="each axis once"):
        normalize_axes((0, -2), 2, "sum")
    with pytest.raises(ShapeError, match="got a scalar and axis 0"):
        normalize_axes(0, 0, "sum")


def test_reduction_removes_or_keeps_axes():
    assert reduce_shape(("N", 3, 4), (0, 2), keepdims=False) == (3,)
    assert reduce_shape(("N", 3, 4), (0, 2), keepdims=True) == (1, 3, 1)


@pytest.mark.parametrize("pair", list(itertools.product([s for s in SHAPES if s], repeat=2)), ids=str)
def test_the_matrix_product_has_numpys_shape(pair):
    left, right = (np.zeros(s) for s in pair)
    try:
        expected = np.matmul(left, right).shape
    except ValueError:
        with pytest.raises(ShapeError):
            matmul_shape(*pair)
    else:
        assert matmul_shape(*pair) == expected


def test_a_matrix_product_that_does_not_fit_says_which_lengths_meet():
    with pytest.raises(ShapeError, match=r"\(m, k\) @ \(k, n\); got \(3, 2\) @ \(4, 3\), where 2 meets 4. Transpose"):
        matmul_shape((3, 2), (4, 3))
    with pytest.raises(ShapeError, match="Multiply with"):
        matmul_shape((), (3,))
    assert matmul_shape(("N", 2), (2, 3)) == ("N", 3)
    assert matmul_shape((2, "N"), ("N", 2)) == (2, 2)


def test_reshaping_keeps_the_number_of_elements():
    assert reshape_shape((2, 3), (6,)) == (6,)
    assert reshape_shape((2, 3), (-1, 2)) == (3, 2)
    assert reshape_shape((), (1, 1)) == (1, 1)
    assert reshape_shape((0, 3), (0,)) == (0,)
    for wrong in ((7,), (4, -1), (0, -1), (2, 2)):
        with pytest.raises(ShapeError):
            reshape_shape((2, 3), wrong)
    with pytest.raises(ShapeError, match="-1 more than once"):
        reshape_shape((2, 3), (-1, -1))


def test_a_named_axis_moves_but_is_not_merged_or_split():
    assert reshape_shape(("N", 6), ("N", 2, 3)) == ("N", 2, 3)
    assert reshape_shape(("N", 6), (-1, 6)) == ("N", 6)
    assert reshape_shape(("N", 6), ("N", -1)) == ("N", 6)
    assert reshape_shape(("N", 2), (2, "N")) == (2, "N")
    for wrong in ((-1,), ("M", 6), (6,), ("N", "N", 6), (-1, 3)):
        with pytest.raises(ShapeError, match=r"with gl\.specialize"):
            reshape_shape(("N", 6), wrong)


def test_whole_numbers_beyond_int64_in_an_array_are_named():
    with pytest.raises(DTypeError, match="whole numbers beyond int64 must become real"):
        check_dtype(np.asarray([1, 10**20]).dtype, "add")
