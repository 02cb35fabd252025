"""The elementary functions of compiled code: stated errors hold, edges are right, loops become vector instructions."""

from __future__ import annotations

import ctypes
import math
import platform
import re
import sys

import mpmath
import numpy as np
import pytest

from graphlearn.backends.native import Signature, aligned_zeros, compile_native
from graphlearn.backends.native.vector_math import APART, FORMULAS, LARGEST_ERRORS
from graphlearn.backends.native.width import fuses_products
from tools import vector_math as tool

DTYPES = ("float32", "float64")
INF, NAN = float("inf"), float("nan")


def apply(name, dtype, *values, **options):
    source = (tool.SOURCE if len(values) == 1 else tool.SOURCE_OF_TWO).format(name=f"{name}_{tool.SUFFIX[dtype]}")
    signature = Signature((*(f"const {dtype}*",) * len(values), f"{dtype}*", "int64", "int64"))
    return tool.evaluate(compile_native(source, "apply", signature, **options), *(np.asarray(v, dtype) for v in values))


def llvm(function):
    return function._engine.get_llvm_str()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LARGEST_ERRORS)
def test_errors_stay_within_the_stated(name, dtype):
    slow = dtype == "float64" and tool.is_slow(name)
    ulp, at = tool.largest_error(name, dtype, 2_000 if slow else 100_000)
    assert 0.4 < ulp <= LARGEST_ERRORS[name][DTYPES.index(dtype)], f"{ulp} ULP at {at!r}"


# formulas without rounding: their results are whole numbers, or one of the arguments
EXACT = {"ffloor", "fceil", "frint", "fabs", "fmax", "fmin"}


@pytest.mark.parametrize("name", FORMULAS)
def test_docstrings_state_the_same_errors(name):
    stated = re.findall(r"Largest error: (.*?) ULP in float32, (.*?) in float64\.", FORMULAS[name].__doc__)
    if name in EXACT:
        assert not stated and name not in LARGEST_ERRORS
    else:
        assert stated == [tuple(f"{bound:.2f}" for bound in LARGEST_ERRORS[name])]
        assert all(bound == round(bound, 2) <= 4 for bound in LARGEST_ERRORS[name])


OF_ONE = [name for name in LARGEST_ERRORS if tool.arguments(name) == 1]


@pytest.mark.parametrize("name", OF_ONE)
def test_the_fast_reference_agrees_with_the_true_one(name):
    # The tool judges float64 by long double on x86; here long double is judged by 50 digits.
    x = np.concatenate([np.geomspace(1e-30, 300, 150), np.linspace(0.5, 2, 51)])
    if name in ("fasin", "facos", "fatanh"):
        x = x[x < 1]
    if name == "facosh":
        x = x[x >= 1]
    if name not in ("flog", "fsqrt", "flog2", "flog10", "facosh"):
        x = np.concatenate([x, -x[x < 0.99]])
    rounded, rest = tool.exact_slowly(name, x)
    assert tool.errors(tool.evaluate(tool.compiled(name, "float64"), x), rounded, rest).max() <= LARGEST_ERRORS[name][1]


@pytest.mark.parametrize("dtype", DTYPES)
def test_edges(dtype):
    tiny = float(np.finfo(dtype).smallest_subnormal)
    odd = [(0.0, 0.0), (-0.0, -0.0), (tiny, tiny), (-tiny, -tiny)]
    table = {
        "fexp": [(0.0, 1), (-0.0, 1), (tiny, 1), (INF, INF), (-INF, 0), (1e5, INF), (-1e5, 0)],
        "fexp2": [(0.0, 1), (-0.0, 1), (tiny, 1), (10, 1024), (-2, 0.25), (INF, INF), (-INF, 0), (1e5, INF), (-1e5, 0)],
        "fcbrt": [(0.0, 0.0), (-0.0, -0.0), (27, 3), (-8, -2), (1, 1), (INF, INF), (-INF, -INF)],
        "fexpm1": [*odd, (INF, INF), (-INF, -1), (1e5, INF), (-1e5, -1)],
        "flog": [(0.0, -INF), (-0.0, -INF), (1, 0), (INF, INF), (-INF, NAN), (-1, NAN), (-tiny, NAN)],
        "flog1p": [*odd, (-1, -INF), (-2, NAN), (INF, INF), (-INF, NAN)],
        "ftanh": [*odd, (INF, 1), (-INF, -1), (1e5, 1), (-1e5, -1)],
        "fsigmoid": [(0.0, 0.5), (-0.0, 0.5), (tiny, 0.5), (INF, 1), (-INF, 0), (1e5, 1), (-1e5, 0)],
        "fsqrt": [(0.0, 0.0), (-0.0, -0.0), (INF, INF), (4, 2), (-1, NAN)],
        "fsin": [*odd, (INF, NAN), (-INF, NAN), (math.pi / 2, 1), (-math.pi / 2, -1)],
        "fcos": [(0.0, 1), (-0.0, 1), (tiny, 1), (math.pi, -1), (INF, NAN), (-INF, NAN)],
        "ftan": [*odd, (INF, NAN), (-INF, NAN)],
        "ferf": [(0.0, 0.0), (-0.0, -0.0), (tiny, tiny), (-tiny, -tiny), (6, 1), (-6, -1), (INF, 1), (-INF, -1)],
        "fasin": [*odd, (1, math.pi / 2), (-1, -math.pi / 2), (1.1, NAN), (-2, NAN), (INF, NAN), (-INF, NAN)],
        "facos": [(0.0, math.pi / 2), (1, 0.0), (-1, math.pi), (1.1, NAN), (-2, NAN), (INF, NAN), (-INF, NAN)],
        "fatan": [*odd, (1, math.pi / 4), (INF, math.pi / 2), (-INF, -math.pi / 2), (1e30, math.pi / 2)],
        "fsinh": [*odd, (INF, INF), (-INF, -INF), (1e5, INF), (-1e5, -INF)],
        "fcosh": [(0.0, 1), (-0.0, 1), (tiny, 1), (INF, INF), (-INF, INF), (-1e5, INF)],
        "fasinh": [*odd, (INF, INF), (-INF, -INF)],
        "facosh": [(1, 0.0), (0.0, NAN), (-1, NAN), (-3, NAN), (-1e30, NAN), (INF, INF), (-INF, NAN)],
        "fatanh": [*odd, (1, INF), (-1, -INF), (1.1, NAN), (-1e30, NAN), (INF, NAN), (-INF, NAN)],
        "flog2": [(0.0, -INF), (-0.0, -INF), (1, 0), (8, 3), (2.0**-126, -126), (INF, INF), (-INF, NAN), (-tiny, NAN)],
        "flog10": [(0.0, -INF), (-0.0, -INF), (1, 0), (10, 1), (INF, INF), (-INF, NAN), (-tiny, NAN)],
        "ferfc": [(0.0, 1), (-0.0, 1), (tiny, 1), (-6, 2), (30, 0), (INF, 0), (-INF, 2)],
    }
    for name, rows in table.items():
        arguments, values = zip(*rows, (NAN, NAN), strict=True)
        got, wanted = apply(name, dtype, arguments), np.array(values, dtype)
        assert np.array_equal(got, wanted, equal_nan=True), (name, list(zip(arguments, got, strict=True)))
        numbers = ~np.isnan(wanted)
        assert np.array_equal(np.signbit(got[numbers]), np.signbit(wanted[numbers])), name


@pytest.mark.parametrize(("dtype", "lowest", "highest"), [("float32", -104, 88.73), ("float64", -746, 709.79)])
def test_exp_and_sigmoid_reach_into_the_subnormal_numbers_and_to_the_largest(dtype, lowest, highest):
    x = np.linspace(lowest, lowest * 0.83, 4001).astype(dtype)
    with np.errstate(under="ignore"), mpmath.workdps(50):
        truth = np.array([float(mpmath.exp(mpmath.mpf(float(v)))) for v in x]).astype(dtype)
    assert 0 < truth[np.nonzero(truth)[0][0]] < np.finfo(dtype).tiny
    for name in ("fexp", "fsigmoid"):
        steps = (apply(name, dtype, x) - truth) / np.spacing(truth)
        assert np.abs(steps).max() <= 2
    top = apply("fexp", dtype, [highest - 0.02, highest])
    assert np.isfinite(top[0]) and np.isinf(top[1])


UNDERFLOW = 0x10 if platform.machine().lower() in ("x86_64", "amd64") else 0x08  # FE_UNDERFLOW of C's fenv.h


@pytest.mark.skipif(sys.platform == "win32", reason="the C library of the process has no flags of exceptions to ask")
@pytest.mark.skipif(not fuses_products(), reason="without fused products, powers are rounded before anything is added")
@pytest.mark.parametrize("name", OF_ONE)
def test_small_arguments_need_no_subnormal_numbers_on_the_way(name):
    # Each would take the processor a hundred times as long as the whole formula takes.
    size = np.geomspace(1e-18 if name in ("fexp", "fexp2", "fexpm1", "fsigmoid", "ftanh") else 1e-9, 1, 73)
    x, y = aligned_zeros(4 * len(size), np.float32), aligned_zeros(4 * len(size), np.float32)
    x[:] = np.concatenate([size, -size, 1 - size, 1 + size])
    function = tool.compiled(name, "float32")
    flags = ctypes.CDLL(None)
    function(x, y, len(x), 1)
    flags.feclearexcept(UNDERFLOW)
    function(x, y, len(x), 1)
    assert not flags.fetestexcept(UNDERFLOW)


@pytest.mark.parametrize("dtype", DTYPES)
def test_powers_at_the_edges_are_as_the_reference_has_them(dtype):
    limits = np.finfo(dtype)
    tiny, least, most = (float(v) for v in (limits.smallest_subnormal, limits.tiny, limits.max))
    sizes = [0.0, tiny, least, 1e-30, 0.5, 1 - limits.eps / 2, 1, 1 + limits.eps, 2, 2.5, 3, 2.0**24 + 2, most, INF]
    values = np.array([*sizes, *(-v for v in sizes), 2.0**53 + 2, NAN, 0.3, -1.5], dtype)
    x, y = (v.ravel() for v in np.meshgrid(values, values))
    rounded, rest = tool.exact("fpow", x, y)
    got = apply("fpow", dtype, x, y)
    found = tool.errors(got, rounded, rest)
    at = int(found.argmax())
    assert found[at] <= LARGEST_ERRORS["fpow"][DTYPES.index(dtype)], f"{x[at]!r} ** {y[at]!r} became {got[at]!r}"
    with np.errstate(all="ignore"):
        plain = np.power(x, y)
    assert np.array_equal(np.isnan(got), np.isnan(plain)) and np.array_equal(np.isinf(got), np.isinf(plain))


@pytest.mark.parametrize("dtype", DTYPES)
def test_angles_of_points_on_the_axes_and_at_the_edges(dtype):
    limits = np.finfo(dtype)
    sizes = [0.0, float(limits.smallest_subnormal), float(limits.tiny), 1, 2.5, float(limits.max), INF]
    values = np.array([*sizes, *(-v for v in sizes), NAN], dtype)
    y, x = (v.ravel() for v in np.meshgrid(values, values))
    found = tool.errors(apply("fatan2", dtype, y, x), *tool.exact("fatan2", y, x))
    assert found.max() <= LARGEST_ERRORS["fatan2"][DTYPES.index(dtype)], (y[found.argmax()], x[found.argmax()])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["fsin", "fcos", "ftan"])
def test_huge_angles(name, dtype):
    last = np.finfo(dtype).maxexp
    x = np.concatenate([1.9 * 2.0 ** np.arange(10, last), -1.3 * 2.0 ** np.arange(10, last)]).astype(dtype)
    hardest = 6381956970095103 * 2.0**797  # its cosine is -4.7e-19
    x = np.append(x, [hardest if dtype == "float64" else 1e22, 1.0])
    with mpmath.workdps(400):
        truth = [tool.TRUTHS[name](mpmath.mpf(float(v))) for v in x.astype(dtype)]
        rounded = np.array([float(v) for v in truth]).astype(dtype)
        rest = np.array([float(v - mpmath.mpf(float(r))) for v, r in zip(truth, rounded, strict=True)])
    assert tool.errors(apply(name, dtype, x), rounded, rest).max() <= LARGEST_ERRORS[name][DTYPES.index(dtype)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_huge_angle_changes_nothing_beside_it(dtype):
    x = np.linspace(-30, 30, 64).astype(dtype)
    alone = apply("fsin", dtype, x)
    x[5::7] = 1e30
    assert np.array_equal(np.delete(apply("fsin", dtype, x), np.s_[5::7]), np.delete(alone, np.s_[5::7]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "reference"), [("fmax", np.maximum), ("fmin", np.minimum), ("rmax", np.maximum)])
def test_maximum_and_minimum_keep_nan_as_numpy_does(dtype, name, reference):
    values = [0.0, 1.0, -1.0, INF, -INF, NAN, 2.5]
    a, b = (np.array(v, dtype).ravel() for v in np.meshgrid(values, values))
    suffix = tool.SUFFIX[dtype]
    source = f"def run(a, b, y, n):\n    for i in range(n):\n        y[i] = {name}_{suffix}(a[i], b[i])\n"
    function = compile_native(source, "run", Signature((f"{dtype}*",) * 3 + ("int64",)))
    y = np.empty_like(a)
    function(a, b, y, a.size)
    assert np.array_equal(y, reference(a, b), equal_nan=True)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_and_back(dtype):
    suffix, integer = tool.SUFFIX[dtype], dtype.replace("float", "int")
    source = f"""
def run(a, i, y, n):
    for k in range(n):
        i[k] = bits_{suffix}(a[k])
        y[k] = from_bits_{suffix}(i[k])
"""
    function = compile_native(source, "run", Signature((f"{dtype}*", f"{integer}*", f"{dtype}*", "int64")))
    a = np.array([0.0, -0.0, 1.5, INF, NAN, -1e-40], dtype)
    bits, back = np.zeros(a.size, integer), np.zeros_like(a)
    function(a, bits, back, a.size)
    assert np.array_equal(bits, a.view(integer)) and np.array_equal(back.view(integer), a.view(integer))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*LARGEST_ERRORS])
def test_a_loop_within_one_arena_becomes_vector_code(name, dtype):
    suffix = tool.SUFFIX[dtype]
    given = ", ".join(f"A[{256 * k} + i]" for k in range(tool.arguments(name)))
    source = f"def run(A):\n    for i in range(256):\n        A[1024 + i] = {name}_{suffix}({given})\n"
    text = llvm(compile_native(source, "run", Signature((f"{dtype}*",))))
    lanes = "float" if dtype == "float32" else "double"
    assert re.search(rf"store <\d+ x {lanes}>", text)
    if name in APART:
        assert re.search(rf"call [\w ]*<\d+ x {lanes}> @graphlearn_{name}_{suffix}_of_\d+", text)
        assert not re.search(rf"call [\w ]*{lanes} @graphlearn_{name}_{suffix}\(", text)
    else:
        assert f"{name}_{suffix}" not in text, "the function is inlined"


REDUCTION = """
def run(A, n):
    s = A[0]
    for i in range(n):
        s = {call}
    return s
"""


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("call", "reference"), [("radd", np.sum), ("rmax", np.max), ("rmin", np.min)])
def test_reductions_become_vector_code(dtype, call, reference):
    suffix, lanes = tool.SUFFIX[dtype], "float" if dtype == "float32" else "double"
    source = REDUCTION.format(call=f"{call}_{suffix}(s, A[i])")
    function = compile_native(source, "run", Signature((f"const {dtype}*", "int64"), dtype))
    assert re.search(rf"load <\d+ x {lanes}>", llvm(function))
    a = aligned_zeros(1003, dtype)
    a[1:] = np.random.default_rng(1).normal(size=1002)
    assert function(a, a.size) == pytest.approx(float(reference(a)), rel=1e-5)
    a[500] = NAN
    assert np.isnan(function(a, a.size))


def test_a_plain_sum_keeps_its_order_unless_fast_is_asked_for():
    source = REDUCTION.format(call="s + A[i]")
    signature = Signature(("const float32*", "int64"), "float32")
    assert not re.search(r"fadd reassoc", llvm(compile_native(source, "run", signature)))
    assert re.search(
        r"fadd reassoc nsz contract <\d+ x float>", llvm(compile_native(source, "run", signature, fast=True))
    )


def test_straight_line_code_becomes_vector_code_where_it_is_asked_for():
    source = "def run(A):\n" + "".join(f"    A[{16 + i}] = A[{i}] * A[{i}] + float32(1)\n" for i in range(16))
    signature = Signature(("float32*",))
    assert not re.search(r"store <\d+ x float>", llvm(compile_native(source, "run", signature)))
    assert re.search(r"store <\d+ x float>", llvm(compile_native(source, "run", signature, straight=True)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LARGEST_ERRORS)
def test_fast_does_not_touch_the_elementary_functions(name, dtype):
    x = np.random.default_rng(2).normal(size=(tool.arguments(name), 4096)).astype(dtype)
    assert np.array_equal(apply(name, dtype, *x), apply(name, dtype, *x, fast=True), equal_nan=True)
