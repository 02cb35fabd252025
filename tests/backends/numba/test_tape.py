"""Tapes: huge scalar graphs run through one loop; every scalar operation is an instruction of it."""

import random
import threading
import time

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.backends.numba import tape
from graphlearn.backends.numba.functions import NumbaFunction
from graphlearn.backends.numba.tape import LEAST, Tape, TapeFunction, instructions, loop_source, record_tape
from graphlearn.backends.rows import BOOLEAN, FLOAT
from graphlearn.graph.traverse import leaves


def chain(length, x):
    y = x
    for k in range(length):
        y = gl.sin(y) if k % 2 else y * 1.0001
    return y


def tangle(length, seed=0):
    """A scalar graph of many operations, in which values are used more than once."""
    choose = random.Random(seed)
    pool = [gl.input("x"), gl.input("y")]
    ones = (gl.tanh, gl.sin, gl.sigmoid, gl.softplus, gl.erf, gl.gelu, gl.silu, gl.relu, lambda a: gl.sqrt(1 + a * a))
    twos = (
        gl.maximum, lambda a, b: a * gl.tanh(b), lambda a, b: a / (1 + b * b), lambda a, b: gl.where(b > 0.1, a, b),
        lambda a, b: gl.where(~(a < b), 0.5 * (a + b), a - b),
    )  # fmt: skip
    while len(pool) < length:
        a, b = choose.choices(pool[-30:], k=2)
        pool.append(choose.choice(ones)(a) if choose.random() < 0.5 else choose.choice(twos)(a, b))
    total = pool[-1]
    for node in pool[-20:]:
        total = total + gl.sin(node)
    return total


def test_every_row_is_an_instruction():
    assert {name for kind, name in instructions() if kind == "real"} == {"copy", *FLOAT}
    assert {name for kind, name in instructions() if kind == "truth"} == {"copy", *BOOLEAN} - {"where"}


@pytest.mark.parametrize("seed", range(3))
def test_a_tangle_and_its_gradient_are_the_references(seed):
    output = tangle(600, seed)
    x, y = leaves([output])
    roots = [output, *gl.grad(output, [x, y])]
    function = gl.compile(roots)
    assert isinstance(function._compiled, TapeFunction)
    for at in ({x: 0.3, y: -1.2}, {x: -2.0, y: 0.7}):
        np.testing.assert_allclose(function(at), gl.evaluate(roots, at), rtol=1e-8)


def test_infinity_and_nan_pass_as_in_the_reference(monkeypatch):
    monkeypatch.setattr(tape, "LEAST", 0)
    x, y = gl.input("x"), gl.input("y")
    roots = [gl.maximum(x, y), gl.where(x > y, x, y), gl.exp(x) - gl.log(y), x / y, gl.cast(x, "bool"), x]
    function = gl.compile(roots)
    for a in (0.0, -0.0, np.inf, -np.inf, np.nan, 1e-310):
        for b in (0.0, -1.0, np.inf, np.nan):
            for found, expected in zip(function(x=a, y=b), gl.evaluate(roots, {x: a, y: b}), strict=True):
                np.testing.assert_array_equal(found, expected)
                assert found.dtype == expected.dtype


def test_only_huge_graphs_of_scalars_are_tapes():
    x = gl.input("x")
    small, large = chain(LEAST // 2, x), chain(LEAST + 1, x)
    assert record_tape([small], [x], "float64") == ""
    assert isinstance(record_tape([large], [x], "float64"), Tape)
    rows = gl.input("rows", 3)
    assert record_tape([chain(LEAST + 1, rows)], [rows], "float64") == ""
    assert record_tape([chain(LEAST // 2, gl.sum(rows)), *(rows * k for k in range(LEAST))], [rows], "float64") == ""
    function = gl.compile(gl.sin(rows))
    assert isinstance(function._compiled, NumbaFunction)
    assert function.program.remarks == ()


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("whole", "1,002 are on single numbers, but whole is int64[], and a tape takes float64 and bool alone"),
        (
            "rounded",
            "1,002 are on single numbers, but the result of cast is int64[], and a tape takes float64 and bool",
        ),
        (
            "mixed",
            "1,004 are on single numbers, but the result of cast is float32[], and a tape takes float64 and bool",
        ),
        ("array", "1,002 are on single numbers, but pair is float64[2], and a tape has no arrays"),
        ("sum", "1,002 are on single numbers, but a tape has no instruction for sum of float64"),
    ],
)
def test_what_has_the_size_of_a_tape_and_is_none_says_why(kind, reason):
    x, pair, whole = gl.input("x"), gl.input("pair", 2), gl.input("whole", dtype="int64")
    roots = {
        "whole": lambda: chain(LEAST + 1, gl.cast(whole, "float64")),
        "rounded": lambda: gl.cast(chain(LEAST + 1, x), "int64"),
        "mixed": lambda: x * gl.cast(gl.cast(chain(LEAST + 1, x), "float32"), "float64"),
        "array": lambda: chain(LEAST + 1, gl.sum(pair)),
        "sum": lambda: gl.sum(chain(LEAST + 1, x)),
    }[kind]()
    assert reason in record_tape([roots], leaves([roots]), "float64")
    function = gl.compile(roots)
    (remark,) = function.program.remarks
    assert remark.startswith(f"operations are not run as a tape: {reason}")
    assert "operations are not run as a tape" in function.program.describe().splitlines()[0]
    at = {"x": 0.4, "pair": [0.1, 0.3], "whole": 1}
    given = {leaf: at[leaf.name] for leaf in leaves([roots])}
    np.testing.assert_allclose(function(given), gl.evaluate(roots, given), rtol=1e-6)


def test_a_tape_says_what_it_is():
    x = gl.input("x")
    function = gl.compile(chain(2000, x))
    text = function.program.describe()
    assert text.startswith("tape of 2,000 instructions in float64")
    assert "more than 1,000 operations" in text
    assert "in all: 2,000 operations on numbers" in text
    assert max(map(len, text.splitlines())) <= 120
    assert "sin            1,000" in text
    assert "def run_tape" in function.source
    compile(function.source, "tape", "exec")


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_the_loop_is_one_text_for_all_graphs(precision):
    assert loop_source(precision).count("elif") == len(instructions()) - 1
    x, y = gl.input("x"), gl.input("y")
    one, two = (gl.compile(chain(LEAST + 10, leaf), precision=precision)._compiled for leaf in (x, y))
    assert one._run is two._run


def test_updates_come_back_by_name():
    w = gl.state("w", value=1.5)
    output = chain(LEAST + 10, w)
    value, following = gl.compile(output, updates={w: output + 1})()
    assert following["w"] == value + 1


def test_calls_from_several_threads_do_not_meet():
    x = gl.input("x")
    function = gl.compile(chain(5000, x))
    expected = {k: function(x=k / 7) for k in range(8)}
    found = {}

    def call(k):
        for _ in range(20):
            found[k] = function(x=k / 7)

    threads = [threading.Thread(target=call, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == expected


def test_a_gradient_costs_at_most_four_times_its_function():
    x = gl.input("x")
    output = chain(20_000, x)
    alone, both = gl.compile(output), gl.compile([output, gl.grad(output, x)])

    def seconds(function):
        best = float("inf")
        for _ in range(9):
            start = time.process_time()
            function(x=0.3)
            best = min(best, time.process_time() - start)
        return best

    assert seconds(both) <= 4 * seconds(alone)
