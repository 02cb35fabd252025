"""Whole numbers beyond int64 beside nodes: as NumPy takes them beside arrays."""

import numpy as np
import pytest

import graphlearn as gl

WHOLE = np.array([1, 2**63 - 1, -(2**63)])
REAL = np.array([1.0, 2.0**63, -1e20], np.float32)
HUGE = (2**63, -(2**63) - 1, 10**20, -(2**64))


@pytest.mark.parametrize(
    "compute", [np.multiply, np.add, np.subtract, np.maximum, np.divide, np.power, np.less, np.equal]
)
@pytest.mark.parametrize("huge", HUGE)
def test_beside_real_numbers_they_are_real(compute, huge):
    x = gl.input("x", 3, "float32")
    with np.errstate(all="ignore"):
        expected = compute(REAL, huge)
    node = compute(x, huge)
    assert node.dtype == expected.dtype
    np.testing.assert_array_equal(gl.evaluate(node, {x: REAL}), expected)
    np.testing.assert_array_equal(gl.compile(node)(x=REAL), expected)


@pytest.mark.parametrize(
    "compare", [np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal, np.divide]
)
@pytest.mark.parametrize("huge", HUGE)
def test_whole_numbers_are_compared_with_them_and_divided_by_them(compare, huge):
    i = gl.input("i", 3, "int64")
    for node, expected in ((compare(i, huge), compare(WHOLE, huge)), (compare(huge, i), compare(huge, WHOLE))):
        np.testing.assert_array_equal(gl.evaluate(node, {i: WHOLE}), expected)
        np.testing.assert_array_equal(gl.compile(node)(i=WHOLE), expected)


@pytest.mark.parametrize("compute", [np.multiply, np.add, np.maximum, np.power])
def test_arithmetic_of_whole_numbers_refuses_them(compute):
    i = gl.input("i", 3, "int64")
    with pytest.raises(OverflowError):
        compute(WHOLE, 10**20)
    with pytest.raises(gl.errors.DTypeError, match=r"within int64.*got one of 67 bits.*astype\('float64'\)"):
        compute(i, 10**20)


def test_a_number_beyond_float64_is_refused():
    with pytest.raises(gl.errors.DTypeError, match=r"up to 1\.8e308; got a whole number of 1329 bits"):
        gl.input("x") * 10**400
    assert gl.evaluate(gl.less(gl.input("i", (), "int64"), 10**400), {"i": 3})


def test_alone_they_are_real():
    assert gl.evaluate(gl.constant(10**20), {}) == 1e20
