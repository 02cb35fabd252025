"""A compiled function checks what it is given: a wrong array would be a wrong address."""

from __future__ import annotations

import concurrent.futures
import gc
import weakref

import numpy as np
import pytest

from graphlearn.backends.native import Signature, aligned_zeros, compile_native
from graphlearn.backends.native.signature import SCALARS
from graphlearn.errors import DataError, DTypeError, EngineError

COPY = "def run(A, B, n):\n    for i in range(n):\n        B[i] = A[i]\n    return n\n"


@pytest.fixture(scope="module")
def copy():
    return compile_native(COPY, "run", Signature(("const float32*", "float32*", "int64"), "int64"))


def test_it_runs_and_returns(copy):
    a, b = np.arange(5, dtype=np.float32), np.zeros(5, np.float32)
    assert copy(a, b, 5) == 5 and np.array_equal(a, b)
    assert copy(np.zeros(0, np.float32), b, 0) == 0
    assert copy(a, b, np.int32(3)) == 3


@pytest.mark.parametrize(
    ("array", "error", "message"),
    [
        (np.zeros(4), DTypeError, "needs a NumPy array of float32; got a float64 array"),
        (np.zeros(4, ">f4"), DTypeError, "got a >f4 array"),
        ([1.0, 2.0], DTypeError, "got list"),
        (None, DTypeError, "got NoneType"),
        (1234, DTypeError, "got int"),
        (np.zeros(8, np.float32)[::2], DataError, "contiguous"),
        (np.zeros((3, 3), np.float32).T[:2], DataError, "contiguous"),
        (np.zeros(17, np.uint8)[1:].view(np.float32), DataError, "aligned"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(copy, array, error, message):
    good = np.zeros(4, np.float32)
    for arguments, place in (((array, good, 1), 0), ((good, array, 1), 1)):
        with pytest.raises(error, match=message) as caught:
            copy(*arguments)
        assert f"argument {place} of run" in str(caught.value)


def test_a_read_only_array_may_only_be_read(copy):
    a, b = np.ones(4, np.float32), np.zeros(4, np.float32)
    a.flags.writeable = False
    copy(a, b, 4)
    assert b.all()
    with pytest.raises(DataError, match="read-only"):
        copy(b, a, 4)


@pytest.mark.parametrize("value", [1.0, "1", None, np.float64(2)])
def test_integers_are_integers(copy, value):
    a = np.zeros(4, np.float32)
    with pytest.raises(DTypeError, match="needs an integer"):
        copy(a, a.copy(), value)


def test_integers_out_of_range_are_refused():
    function = compile_native("def run(i, u):\n    return i + u\n", "run", Signature(("int32", "uint8"), "int64"))
    assert function(-(2**31), 255) == -(2**31) + 255
    for arguments in ((2**31, 0), (-(2**31) - 1, 0), (0, 256), (0, -1)):
        with pytest.raises(DataError, match=r"needs u?int"):
            function(*arguments)


def test_the_number_of_arguments_is_checked(copy):
    with pytest.raises(EngineError, match="takes 3 arguments"):
        copy(1)


@pytest.mark.parametrize("dtype", SCALARS)
def test_every_scalar_goes_in_and_out(dtype):
    source = "def run(A, x):\n    A[0] = x\n    return A[0]\n"
    function = compile_native(source, "run", Signature((f"{dtype}*", dtype), dtype))
    a = np.zeros(1, dtype)
    value = 1.5 if dtype.startswith("float") else 113
    assert function(a, value) == value == a[0]


def test_void_returns_none():
    assert compile_native("def run(A):\n    A[0] = 2\n", "run", Signature(("int64*",)))(np.zeros(1, np.int64)) is None


def test_an_error_inside_the_compiled_code_is_raised():
    function = compile_native(
        "def run(A, step):\n    for i in range(0, 4, step):\n        A[i] = 1\n", "run", Signature(("int64*", "int64"))
    )
    a = np.zeros(4, np.int64)
    with pytest.raises(EngineError, match="compiled code of run raised"):
        function(a, 0)
    function(a, 1)
    assert a.all()


def test_division_by_zero_follows_ieee():
    function = compile_native("def run(a, b):\n    return a / b\n", "run", Signature(("float64", "float64"), "float64"))
    assert function(1.0, 0.0) == np.inf and np.isnan(function(0.0, 0.0))


def test_a_remembered_array_is_not_kept_alive(copy):
    a, b = np.ones(4, np.float32), np.zeros(4, np.float32)
    copy(a, b, 4)
    gone = weakref.ref(a)
    del a
    gc.collect()
    assert gone() is None
    # A new array is checked, whatever address or identity it has.
    with pytest.raises(DTypeError):
        copy(np.ones(4), b, 4)
    copy(np.full(4, 7, np.float32), b, 4)
    assert (b == 7).all()


def test_a_remembered_array_cannot_move(copy):
    a = np.ones(4, np.float32)
    copy(a, np.zeros(4, np.float32), 4)
    with pytest.raises(ValueError, match="resize"):
        a.resize(10_000_000, refcheck=False)


def test_threads_do_not_mix_their_results():
    source = "def run(A, n):\n    s = 0.0\n    for i in range(n):\n        s += A[i]\n    return s\n"
    function = compile_native(source, "run", Signature(("const float64*", "int64"), "float64"))

    def work(k):
        a = aligned_zeros(20_000, "float64")
        a[:] = k
        return all(function(a, a.size) == k * a.size for _ in range(50))

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(8)))
