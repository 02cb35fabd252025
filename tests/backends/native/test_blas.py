"""Matrix products called from compiled code: every transposition and offset, the library behind them, its threads."""

from __future__ import annotations

import ctypes
import itertools
import threading

import numpy as np
import pytest

from graphlearn.backends.native import Signature, aligned_zeros, blas, blas_threads, compile_native
from graphlearn.errors import EngineError, OptionError

DTYPES = (("float32", "f32", 1e-5), ("float64", "f64", 1e-13))


def filled(shape, dtype, seed):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


@pytest.mark.parametrize(("dtype", "suffix", "tolerance"), DTYPES)
def test_gemm(dtype, suffix, tolerance):
    source = f"""
def run(ta, tb, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc):
    gemm_{suffix}(ta, tb, m, n, k, alpha, A, 3, lda, B, 5, ldb, beta, C, 7, ldc)
"""
    p = f"{dtype}*"
    signature = Signature(("int64",) * 5 + ("float64", p, "int64", p, "int64", "float64", p, "int64"))
    function = compile_native(source, "run", signature)
    for ta, tb, (m, n, k) in itertools.product((0, 1), (0, 1), ((4, 5, 6), (1, 7, 3), (7, 1, 3), (32, 16, 64))):
        a = filled((k, m) if ta else (m, k), dtype, 1)
        b = filled((n, k) if tb else (k, n), dtype, 2)
        c = filled((m, n), dtype, 3)
        arenas = [aligned_zeros(offset + x.size, dtype) for offset, x in ((3, a), (5, b), (7, c))]
        for offset, x, arena in zip((3, 5, 7), (a, b, c), arenas, strict=True):
            arena[offset:] = x.ravel()
        function(ta, tb, m, n, k, 0.5, arenas[0], a.shape[1], arenas[1], b.shape[1], 2.0, arenas[2], n)
        wanted = 0.5 * (a.T if ta else a) @ (b.T if tb else b) + 2 * c
        assert np.allclose(arenas[2][7:].reshape(m, n), wanted, rtol=tolerance, atol=tolerance * 10)
        assert not arenas[2][:7].any()


@pytest.mark.parametrize(("dtype", "suffix", "tolerance"), DTYPES)
@pytest.mark.parametrize("transposed", [0, 1])
def test_gemv(dtype, suffix, tolerance, transposed):
    m, n = 6, 4
    source = f"""
def run(A, x, y):
    gemv_{suffix}({transposed}, {m}, {n}, 1.5, A, 2, {n}, x, 1, 2, 0.5, y, 3, 1)
"""
    matrix = filled((m, n), dtype, 1)
    arena = np.concatenate([np.zeros(2, dtype), matrix.ravel()])
    rows, columns = (n, m) if transposed else (m, n)
    x, y = filled(1 + 2 * columns, dtype, 2), filled(3 + rows, dtype, 3)
    wanted = 1.5 * (matrix.T if transposed else matrix) @ x[1::2] + 0.5 * y[3:]
    compile_native(source, "run", Signature((f"{dtype}*",) * 3))(arena, x, y)
    assert np.allclose(y[3:], wanted, rtol=tolerance, atol=tolerance * 10)


def test_a_loop_of_products_does_not_grow_the_stack():
    source = """
def run(A, repeats):
    for i in range(repeats):
        gemm_f64(i % 2, 0, 1, 1, 1, 1.0, A, 0, 1, A, 1, 1, 0.0, A, 2, 1)
"""
    a = np.array([2.0, 3.0, 0.0])
    compile_native(source, "run", Signature(("float64*", "int64")))(a, 1_000_000)  # 8 MB of stack at 8 bytes each
    assert a[2] == 6.0


def test_pointers_of_the_wrong_type_are_refused():
    source = "def run(A):\n    gemv_f32(0, 1, 1, 1.0, A, 0, 1, A, 0, 1, 0.0, A, 0, 1)\n"
    with pytest.raises(EngineError, match=r"gemv_f32 needs float32\*; got float64\*"):
        compile_native(source, "run", Signature(("float64*",)))


def test_the_way_through_cython_gives_the_same_product():
    library = blas.open_cython()
    assert set(library.addresses) == set(blas.ROUTINES)
    p = ctypes.c_void_p
    dgemm = ctypes.CFUNCTYPE(None, *[p] * 13)(library.addresses["dgemm"])
    a, b, c = filled((3, 3), "float64", 1), filled((3, 3), "float64", 2), np.zeros((3, 3))
    letter, three = ctypes.c_char(b"N"), ctypes.c_int(3)
    one, zero = ctypes.c_double(1), ctypes.c_double(0)
    given = (letter, letter, three, three, three, one, b, three, a, three, zero, c, three)
    dgemm(*(x.ctypes.data if isinstance(x, np.ndarray) else ctypes.addressof(x) for x in given))
    assert np.allclose(c, a @ b)


def test_a_file_that_is_no_library_is_passed_over(tmp_path):
    path = tmp_path / "libscipy_openblas-0.so"
    path.write_bytes(b"not a library")
    assert blas.open_bundled(path) is None


class FakeLibrary:
    """A library that counts its threads and nothing else."""

    def __init__(self, threads=4):
        self.threads = threads
        self.blas = blas.Blas("fake", {}, lambda: self.threads, self.set, None)

    def set(self, count):
        self.threads = count


def test_threads_are_limited_during_a_call_and_put_back():
    library, threads = FakeLibrary(), blas._Threads()
    threads.enter(library.blas)
    assert library.threads == 1
    threads.enter(library.blas)
    threads.leave(library.blas)
    assert library.threads == 1, "another call is still running"
    threads.leave(library.blas)
    assert library.threads == 4


def test_threads_of_concurrent_calls_are_put_back():
    library, threads = FakeLibrary(), blas._Threads()
    seen = set()

    def work():
        for _ in range(300):
            threads.enter(library.blas)
            seen.add(library.threads)
            threads.leave(library.blas)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert seen == {1} and library.threads == 4


def test_blas_threads_sets_and_reads(monkeypatch):
    monkeypatch.setattr(blas, "library", lambda: FakeLibrary().blas)
    assert blas_threads() == 1
    assert blas_threads(2) == 1
    assert blas_threads(1) == 2
    with pytest.raises(OptionError, match="from 1; got 0"):
        blas_threads(0)


def test_blas_threads_says_where_there_is_no_control(monkeypatch):
    monkeypatch.setattr(blas, "library", lambda: blas.Blas("fake", {}, None, None, None))
    with pytest.raises(EngineError, match="OPENBLAS_NUM_THREADS"):
        blas_threads(2)


def test_a_product_runs_where_the_library_has_no_control(monkeypatch):
    source = "def run(A):\n    gemv_f64(0, 1, 1, 1.0, A, 0, 1, A, 1, 1, 0.0, A, 2, 1)\n"
    function = compile_native(source, "run", Signature(("float64*",)))
    function._blas = blas.Blas("fake", {}, None, None, None)
    a = np.array([2.0, 3.0, 0.0])
    function(a)
    assert a[2] == 6.0
