"""Values of several lanes: every operation does in each lane what it does to one number."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from graphlearn.backends.native import Signature, compile_native, has_near, lanes_for
from graphlearn.backends.native.vector_math import FORMULAS
from graphlearn.errors import EngineError

SUFFIX = {"float32": "f32", "float64": "f64"}
KINDS = [(dtype, count) for dtype in SUFFIX for count in (2, 4, 8, 16)]
EDGES = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3e-39, 1e30, np.inf, -np.inf, np.nan, 37.0, -37.0, 88.5, 1e-3, 7.0]


def run(lines, dtype, count, given, length, integers=()):
    """Run lines over ``p`` (given), ``q`` (result) and ``order`` (integers), with {k} for the kind of lanes."""
    text = "\n".join(f"    {line}" for line in lines)
    source = f"def f(p, q, order):\n{text}\n    return\n".replace("{k}", f"{SUFFIX[dtype]}x{count}")
    source = source.replace("{s}", SUFFIX[dtype]).replace("{n}", str(count)).replace("{dtype}", dtype)
    function = compile_native(source, "f", Signature((f"const {dtype}*", f"{dtype}*", "const int64*")))
    result = np.zeros(length, dtype)
    function(np.ascontiguousarray(given, dtype), result, np.asarray([*integers, 0], np.int64))
    return result


@pytest.mark.parametrize(("dtype", "count"), KINDS)
def test_arithmetic_with_lanes_and_single_numbers(dtype, count):
    given = np.random.default_rng(0).normal(size=2 * count).astype(dtype)
    a, b = given[:count], given[count:]
    forms = {
        "a + b": a + b,
        "a - b": a - b,
        "a * {dtype}(3.0)": a * dtype_of(dtype, 3),
        "{dtype}(2.0) - b": dtype_of(dtype, 2) - b,
        "a / b": a / b,
        "-a": -a,
        "fabs_{s}(a)": np.abs(a),
        "fmax_{s}(a, {dtype}(0.25))": np.maximum(a, dtype_of(dtype, 0.25)),
        "select_{k}(a < b, a, {dtype}(9.0))": np.where(a < b, a, dtype_of(dtype, 9)),
        "select_{k}((a < b) & (a != {dtype}(0.0)), a, b)": np.where((a < b) & (a != 0), a, b),
        "select_{k}(~(a >= b) | (a == b), a, b)": np.where(~(a >= b) | (a == b), a, b),
        "select_{k}(a <= b, {dtype}(1.0), b)": np.where(a <= b, dtype_of(dtype, 1), b),
    }
    for form, wanted in forms.items():
        lines = ["a = load_{k}(p, 0)", "b = load_{k}(p, {n})", f"store_{{k}}(q, 0, {form})"]
        np.testing.assert_array_equal(run(lines, dtype, count, given, count), wanted, err_msg=form)


def dtype_of(dtype, value):
    return np.dtype(dtype).type(value)


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("dtype", SUFFIX)
def test_a_formula_gives_the_same_bits_in_lanes(name, dtype):
    two = len(inspect.signature(FORMULAS[name]).parameters) == 3
    call = f"{name}_{{s}}(a{', b' if two else ''})"
    given = [*EDGES, *EDGES[::-1]]
    laned = ["a = load_{k}(p, 0)", "b = load_{k}(p, 16)", f"store_{{k}}(q, 0, {call})"]
    lanes = run(laned, dtype, 16, given, 16)
    single = run(["for i in range(16):", "    a, b = p[i], p[16 + i]", f"    q[i] = {call}"], dtype, 16, given, 16)
    np.testing.assert_array_equal(lanes, single)


@pytest.mark.parametrize(("dtype", "count"), KINDS)
def test_sums_come_to_their_lanes_however_many_there_are(dtype, count):
    given = np.random.default_rng(1).integers(-9, 9, (count, count)).astype(dtype)
    for number in range(1, count + 1):
        lines = [f"v{i} = load_{{k}}(p, {i * count})" for i in range(number)]
        lines.append(f"store_{{k}}(q, 0, total_{{k}}_{number}({', '.join(f'v{i}' for i in range(number))}))")
        result = run(lines, dtype, count, given, count)
        np.testing.assert_array_equal(result[:number], given[:number].sum(1))


@pytest.mark.parametrize(("dtype", "count"), KINDS)
def test_rows_are_taken_by_number_and_none_beyond_the_last(dtype, count):
    table = np.arange(3 * 40.0).reshape(40, 3)
    order = np.random.default_rng(2).permutation(40)[: count + 2]
    lines = ["where = rows_i64x{n}(order, 1, {n} - 1, 3)", "store_{k}(q, 0, take_{k}(p, where, 2))"]
    picked = order[np.minimum(np.arange(count) + 1, count - 1)]
    np.testing.assert_array_equal(run(lines, dtype, count, table, count, order), table[picked, 2])


@pytest.mark.parametrize(("dtype", "count"), [k for k in KINDS if k[1] >= 4])
def test_rows_are_read_in_blocks_of_four(dtype, count):
    table = np.arange(7 * 40.0).reshape(40, 7)
    order = np.random.default_rng(3).permutation(40)[:count]
    lines = [f"where = rows_i64x{count}(order, 0, {count} - 1, 7)"]
    lines += [f"store_{{k}}(q, {i * count}, take_{{k}}_{i}(p, where, 2))" for i in range(4)]
    result = run(lines, dtype, count, table, 4 * count, order)
    np.testing.assert_array_equal(result.reshape(4, count), table[order, 2:6].T)


@pytest.mark.parametrize(("dtype", "count"), KINDS)
@pytest.mark.parametrize("apart", [1, 2, 3, 5, 8])
def test_entries_far_apart_are_read_and_woven_together_again(dtype, count, apart):
    given = np.random.default_rng(4).normal(size=count * apart).astype(dtype)
    lines = [f"v{i} = every_{{k}}_{apart}_{i}(p, 0)" for i in range(apart)]
    vectors = ", ".join(f"v{i}" for i in range(apart))
    apiece = [*lines, *(f"store_{{k}}(q, {i * count}, v{i})" for i in range(apart))]
    np.testing.assert_array_equal(
        run(apiece, dtype, count, given, count * apart), given.reshape(count, apart).T.ravel()
    )
    woven = [*lines, *(f"store_{{k}}(q, {i * count}, weave_{{k}}_{i}_{apart}({vectors}))" for i in range(apart))]
    np.testing.assert_array_equal(run(woven, dtype, count, given, count * apart), given)


@pytest.mark.parametrize(("dtype", "count"), KINDS)
def test_room_holds_lanes_that_are_read_one_by_one(dtype, count):
    lines = [
        "for step in range(3):",
        "    room = room_{k}_{n}()",
        "    store_{k}(room, 0, load_{k}(p, 0) + {dtype}(step))",
    ]
    lines += ["    for i in range({n}):", "        q[i] = q[i] + room[i]"]
    np.testing.assert_array_equal(run(lines, dtype, count, np.arange(count), count), 3 * np.arange(count) + 3)


@pytest.mark.parametrize(("dtype", "count"), KINDS)
def test_whole_numbers_and_masks_become_numbers(dtype, count):
    lines = [
        "n = load_i64x{n}(order, 0)",
        "live = live_i1x{n}(order[{n}])",
        "store_{k}(q, 0, real_{k}(n * n + 1))",
        "store_{k}(q, {n}, select_{k}(live, splat_{k}({dtype}(2.0)), select_{k}(n == 3, {dtype}(5.0), {dtype}(7.0))))",
        "q[2 * {n}] = lane_{k}_1(real_{k}(n))",
    ]
    numbers = np.arange(count) + 2
    result = run(lines, dtype, count, [0.0], 2 * count + 1, [*numbers, count // 2])
    np.testing.assert_array_equal(result[:count], numbers**2 + 1)
    expected = np.where(np.arange(count) < count // 2, 2, np.where(numbers == 3, 5, 7))
    np.testing.assert_array_equal(result[count : 2 * count], expected)
    assert result[-1] == numbers[1]


@pytest.mark.parametrize(("dtype", "other"), [("float32", "f64"), ("float64", "f32")])
def test_floats_of_the_other_format(dtype, other):
    lines = [f"store_{{k}}(q, 0, real_{{k}}(real_{other}x4(load_{{k}}(p, 0))))"]
    given = np.array([0.1, 1e300 if dtype == "float64" else 1e30, np.nan, -3], dtype)
    with np.errstate(over="ignore"):
        wanted = given.astype("float64" if other == "f64" else "float32").astype(dtype)
    np.testing.assert_array_equal(run(lines, dtype, 4, given, 4), wanted)


def test_parts_of_lanes_are_stored_and_nothing_beside_them():
    result = run(["put_{k}_1_2(q, 3, load_{k}(p, 0))"], "float32", 4, [1, 2, 3, 4], 8)
    np.testing.assert_array_equal(result, [0, 0, 0, 2, 3, 0, 0, 0])


def test_lanes_of_another_dtype_are_refused():
    with pytest.raises(EngineError, match="could not compile"):
        run(["store_{k}(q, 0, load_{k}(p, 0) + float64(1.0))"], "float32", 4, [1, 2, 3, 4], 4)


def test_few_rows_take_few_lanes():
    most = lanes_for("float32")
    assert lanes_for("float64") * 2 == most
    assert [lanes_for("float32", rows) for rows in (1, 2, 3, 4, 5)] == [2, 2, 4, 4, min(8, most)]
    assert lanes_for("float32", 10_000) == most


@pytest.mark.parametrize(("dtype", "count"), [("float32", 16), ("float64", 8)])
def test_near_roots_and_quotients_stay_within_two_ulp_and_know_the_ends(dtype, count):
    if not has_near(f"{SUFFIX[dtype]}x{count}"):  # a machine without AVX-512 has no such functions: none to test
        with pytest.raises(EngineError):
            run(["store_{k}(q, 0, root_{k}(load_{k}(p, 0)))"], "float32", 4, np.ones(4), 4)
        return
    info = np.finfo(dtype)
    random = np.random.default_rng(0)
    most = np.log(float(info.max)) * 0.99
    divisors = np.exp(random.uniform(-most, most, 1 << 14)).astype(dtype)
    ends = [0.0, -0.0, np.inf, np.nan, -1.0, info.smallest_subnormal, info.tiny, info.max]
    divisors[: len(ends)] = ends
    dividends = random.normal(size=divisors.size).astype(dtype)
    lines = [
        "for i in range(0, 16384, {n}):",
        "    store_{k}(q, i, root_{k}(load_{k}(p, i)))",
        "    store_{k}(q, 16384 + i, quotient_{k}(load_{k}(p, 16384 + i), load_{k}(p, i)))",
    ]
    roots, quotients = run(lines, dtype, count, [*divisors, *dividends], 1 << 15).reshape(2, -1)
    with np.errstate(all="ignore"):
        wanted = np.sqrt(divisors)
        np.testing.assert_array_equal(np.isnan(roots), np.isnan(wanted))
        np.testing.assert_array_max_ulp(roots[~np.isnan(wanted)], wanted[~np.isnan(wanted)], 2)
        usual = ~(np.abs(divisors) < info.tiny) | (divisors == 0)
        wanted = (dividends / divisors)[usual]
        usual_quotients = quotients[usual]
        np.testing.assert_array_equal(np.isnan(usual_quotients), np.isnan(wanted))
        normal = ~np.isnan(wanted) & ~((wanted != 0) & (np.abs(wanted) < info.tiny))
        np.testing.assert_array_max_ulp(usual_quotients[normal], wanted[normal], 2)
