"""Signatures are read and refused; aligned arrays begin on a cache line."""

from __future__ import annotations

import numpy as np
import pytest

from graphlearn.backends.native import Signature, aligned_zeros
from graphlearn.backends.native.signature import SCALARS, Parameter
from graphlearn.errors import OptionError


def test_parameters_are_read():
    signature = Signature(("float32*", "const int64*", "float64"), "int32")
    assert signature.parsed() == (
        Parameter("float32", pointer=True),
        Parameter("int64", pointer=True, constant=True),
        Parameter("float64"),
    )
    assert str(signature) == "int32(float32*, const int64*, float64)"


@pytest.mark.parametrize("text", ["float16", "double", "float32**", "const float32", "*", "", "void", "const  int8*"])
def test_unknown_parameters_are_refused(text):
    with pytest.raises(OptionError, match="a parameter is"):
        Signature((text,))


@pytest.mark.parametrize("text", ["float32*", "none", ""])
def test_unknown_results_are_refused(text):
    with pytest.raises(OptionError, match="a result is"):
        Signature((), text)


@pytest.mark.parametrize("dtype", [*SCALARS, "bool", "complex128"])
@pytest.mark.parametrize("count", [0, 1, 3, 64, 1000])
def test_aligned_zeros(dtype, count):
    array = aligned_zeros(count, dtype)
    assert array.shape == (count,) and array.dtype == np.dtype(dtype)
    assert count == 0 or array.ctypes.data % 64 == 0  # NumPy gives an empty array another address
    assert array.flags.c_contiguous and array.flags.writeable and not array.any()
