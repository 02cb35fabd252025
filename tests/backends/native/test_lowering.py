"""Our own front end: the same bits as by Numba's, and nothing guessed."""

from __future__ import annotations

import gc

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.backends.native import NativeFunction, Signature, compile_native, frontend
from graphlearn.backends.native.expressions import Unknown
from graphlearn.backends.native.lowering import lower
from graphlearn.backends.numba import tape
from graphlearn.backends.registry import load_backend
from graphlearn.calculus.reverse import differentiate
from graphlearn.errors import EngineError
from graphlearn.graph.traverse import leaves
from tests.backends.cuda.networks import branches, classifier, task, train, xor
from tests.laws.random_graphs import SIZES, random_graph

OWN, OTHER = "our own front end", "Numba, since our own front end does not know "
INT = [0, 1, -1, 2, -7, 9, 2**31 - 1, -(2**31), 2**62, -(2**63)]
FLOAT = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 7.25, -3.5, 1e-40, 1e30, np.inf, -np.inf, np.nan]


def both(source, signature):
    """A function by our own front end, and by Numba's."""
    codes = (
        frontend._compile_own(source, "run", signature, ("contract",), "0" * 64, False),
        frontend._compile_by_numba(source, "run", signature, {"contract"}, "0" * 64, False),
    )
    for code in codes:
        yield NativeFunction(
            identity="", entry="run", source=source, signature=signature, address=code.address, bare=code.bare,
            engine=code.engine, uses_blas=False, origin="memory", compiler=code.compiler,
        )  # fmt: skip


def assert_same_bits(body, signature, *given):
    """Both forms of ``run`` leave the same bits in all arrays."""
    names = [f"a{i}" for i in range(len(given))]
    results = []
    for function in both(f"def run({', '.join(names)}):\n" + "".join(f"    {line}\n" for line in body), signature):
        arrays = [np.array(array) for array in given]
        function(*arrays)
        results.append([array.tobytes() for array in arrays])
    assert results[0] == results[1]


def pairs(values, dtype):
    return [np.ascontiguousarray(v.ravel()) for v in np.meshgrid(*[np.array(values, dtype)] * 2)]


# --- the same as Numba -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_operators_on_floats(dtype):
    forms = [
        "x + y", "x - y", "x * y", "x / y", "-x", "abs(x)", "x % y", "x // y", "x if x < y else y",
        "x if y != 0 else zero",
        "y if -1 < x else x", "math.sqrt(abs(x))", "math.log(abs(x))",
        "-x if x >= y and x != y else zero", "zero if x > y or not x == y else y", "x * y + x", "fmax_{s}(x, y)",
        "radd_{s}(x, y)", "{dtype}(math.inf) - x", "fexp_{s}(x)", "ftanh_{s}(y)", "{dtype}(1 if x <= y else 3) * x",
    ]  # fmt: skip
    body = [f"zero = {dtype}(0.0)", "for k in range(169):", "    x = a0[k]", "    y = a1[k]"]
    body += [f"    a2[k + {169 * i}] = {form}" for i, form in enumerate(forms)]
    body = [line.replace("{s}", f"f{dtype[-2:]}").replace("{dtype}", dtype) for line in body]
    x, y = pairs(FLOAT, dtype)
    assert_same_bits(body, Signature((f"{dtype}*",) * 3), x, y, np.zeros(169 * len(forms), dtype))


def test_operators_on_whole_numbers():
    forms = [
        "x + y", "x - y", "x * y", "-x", "abs(x)", "x // y", "x % y", "x // 8 * 8", "x % 3", "(x ^ y) >> 5",
        "x & y | 3", "x << 7", "min(x, y)", "max(x, y)", "int32(x)", "int64(int32(x)) + 1", "1 if x == y else 0",
        "x if not (x < y) else -9223372036854775808", "int64(x <= y)", "(0 if y == 0 else x % y)",
        "x ** (y & 31)", "(x & 3) ** (y & 127)",
    ]  # fmt: skip
    body = ["for k in range(100):", "    x = a0[k]", "    y = a1[k]"]
    body += [f"    a2[k + {100 * i}] = {form}" for i, form in enumerate(forms)]
    x, y = pairs(INT, "int64")
    overflow = (x == -(2**63)) & (y == -1)
    assert_same_bits(body, Signature(("int64*",) * 3), np.where(overflow, 5, x), y, np.zeros(2200, np.int64))


def test_numbers_of_different_kinds():
    body = [
        "for k in range(10):",
        "    n = a0[k]",
        "    a1[k] = float32(n) / float32(7)",
        "    a1[10 + k] = float32(float64(n) / 7.0)",
        "    a2[k] = n + int64(a3[k]) * 2",
        "    a2[10 + k] = int64(float64(a3[k]) * 0.7)",
        "    a3[k] = 1 if (a3[k] != 0) & (n > 1) | (n < -5) else 0",
        "    a3[10 + k] = (n + 300) & 255",
        "    a4[k] = int32(n * 2)",
        "    a4[10 + k] = a4[k] + 1",
        "    a2[20 + k] = a4[k] * n",
    ]
    signature = Signature(("int64*", "float32*", "int64*", "uint8*", "int32*"))
    given = np.array([0, 1, -1, 2, -7, 9, 100, -100, 3, 4])
    bytes_ = np.arange(0, 200, 10, np.uint8)
    assert_same_bits(body, signature, given, np.zeros(20, "f4"), np.zeros(30, "i8"), bytes_, np.zeros(20, "i4"))


def test_loops_branches_and_names():
    body = [
        "total = 0.0",
        "last = -1",
        "for i in range(9, -1, -3):",
        "    total += a0[i]",
        "    for j in range(i, 10):",
        "        if j == 8:",
        "            break",
        "        if j % 2 == 0:",
        "            continue",
        "        elif j > 6:",
        "            total = total * 0.5",
        "        else:",
        "            total -= a0[j]",
        "            last = j",
        "for i in range(2, 10, 4):",
        "    a0[i], a0[i + 1] = a0[i + 1], a0[i]",
        "for i in range(3, 3):",
        "    total = 1000.0",
        "while total > 1.0:",
        "    total = total * 0.25 - 0.01",
        "    if total < 0.9:",
        "        break",
        "if total > 0.0:",
        "    a0[0] = math.sqrt(total)",
        "    return",
        "a0[1] = total + float64(last)",
    ]
    assert_same_bits(body, Signature(("float64*",)), np.linspace(-1, 2, 10))
    assert_same_bits(body, Signature(("float64*",)), np.linspace(9, 4, 10))


def test_results_of_every_kind():
    for dtype in ("float32", "float64", "int32", "int64", "uint8"):
        signature = Signature((f"const {dtype}*", "int64"), dtype)
        own, other = both("def run(A, k):\n    if k > 1:\n        return A[k]\n    return A[0]\n", signature)
        array = np.array([3, 4, 5], dtype)
        assert [f(array, k) for f in (own, other) for k in (0, 2)] == [3, 5] * 2


def test_powers_of_whole_numbers():
    source = "def run(x, y):\n    return x ** y\n"
    function = compile_native(source, "run", Signature(("int64", "int64"), "int64"))
    for x, y in [(3, 4), (0, 0), (-2, 63), (-1, -3), (-1, -4), (1, -9), (5, -1), (0, -1), (7, 70000), (-3, 41)]:
        wanted = pow(x, y, 2**64) if y >= 0 else {1: 1, -1: -1 if y % 2 else 1}.get(x, 0)
        assert function(x, y) == (wanted + 2**63) % 2**64 - 2**63


@pytest.fixture
def numba_alone(monkeypatch):
    def compile_own(*given):
        raise Unknown("anything")

    def switch():
        gc.collect()
        monkeypatch.setattr(frontend, "_compile_own", compile_own)
        monkeypatch.setenv("GRAPHLEARN_CACHE_LIMIT", "0")

    monkeypatch.setenv("GRAPHLEARN_CACHE_LIMIT", "0")
    return switch


def layered():
    """A network whose layer fills vectors."""
    x, t = gl.input("x", ("batch", 4)), gl.input("t", ("batch", 3))
    data = {leaf: np.random.default_rng(5).normal(size=(23, width)) for leaf, width in ((x, 4), (t, 3))}
    return task(gl.losses.mse(gl.nn.MLP([16, 3], activation="relu")(x), t), gl.optim.Adam(0.01), data)


@pytest.mark.parametrize(
    ("make", "precision", "counts", "exact"),
    [
        (xor, "float32", [4] * 9, True),
        (classifier, "float32", [23] * 6, True),
        (layered, "float32", [23] * 6, True),
        (branches, "float64", [24] * 5, False),
    ],
    ids=["unrolled", "rows in lanes", "units in lanes", "loops"],
)
def test_training(make, precision, counts, exact, numba_alone):
    made, losses, values = train("numba", make(), precision, counts)
    numba_alone()
    made_too, losses_too, values_too = train("numba", make(), precision, counts)
    assert made == made_too
    close = 0.0 if exact else 1e-13  # the order of some sums is LLVM's choice
    for own, other in zip([losses, *values], [losses_too, *values_too], strict=True):
        np.testing.assert_allclose(own, other, rtol=close, atol=close)


@pytest.mark.parametrize("seed", [0, 3])
def test_random_graphs(seed, numba_alone):
    graph = random_graph(seed, 15)
    gradients = differentiate(graph.output, graph.wrt, disconnected="zero", record=False).gradients
    outputs = [graph.output, *(gradients[w] for w in graph.wrt)]
    inputs = leaves(outputs)
    given = {x: np.asarray(graph.at[x]) for x in inputs}
    results = []
    for _ in range(2):
        results.append(load_backend("numba").compile_function(outputs, inputs, "float64")(given, SIZES))
        numba_alone()
    for own, other in zip(*results, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-13, atol=1e-13)


# --- what it does not know -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("while A[0]: pass", "the truth of a float64"),
        ("with A: pass", "the statement with A"),
        ("for v in (1, 2): pass", "a loop over"),
        ("for i in range(0, 4, n): pass", "a step that is no number"),
        ("A[0] = math.tan(A[0])", "math.tan"),
        ("A[0] = A[0] * n", "mul of float64 and int64"),
        ("A[0] = float32(n)", "float32 where an entry needs float64"),
        ("A[n] = fexp_f32(A[0])", "fexp_f32 needs float32; got float64"),
        ("A[0] = A[0] ** A[1]", "pow of float64 and float64"),
        ("x = n if n > 0 else A[0]", "int64 and float64"),
        ("x = nothing", "the name nothing"),
        ("A[0] = max(A[0], A[1])", "float64 and float64 together"),
        ("if A[0]: pass", "the truth of a float64"),
        ("A[A[0]] = A[1]", "float64 where an index needs int64"),
        ("x = n\n    x = A[0]", "x as a int64 and as a float64"),
        ("float32 = n", "an assignment to float32"),
        ("A[0] = 1.0 < A[1] < 2.0", "1.0 < A"),
        ("return n", "a function that returns void"),
        ("x = store_f64x4(A, 0, splat_f64x4(A[0]))", "has no value"),
        ("x = load_f64x4(A, 0) + load_f64x8(A, 0)", "add has no meaning for f64x4 and f64x8"),
        ("A[0] = sum(A)", "the call sum"),
        ("A.x = 1", "an assignment to A.x"),
        ("x = y = n", "x = y = n"),
        ("x = 'text'", "the constant 'text'"),
        ("x = [n]", r"the expression \[n\]"),
        ("del n", "the statement del n"),
        ("n = n + 1\n\ndef other():\n    return 1", "not one function"),
    ],
)
def test_what_it_does_not_know_is_refused_not_guessed(body, reason):
    with pytest.raises(Unknown, match=reason):
        lower(f"def run(A, n):\n    {body}\n", "run", "run", Signature(("float64*", "int64")), ())


def test_parameters_must_be_plain_and_as_many_as_in_the_signature():
    for head in ("def run(A, n=1)", "def run(A, *n)", "def run(A: int, n)", "def run(A)", "def other(A, n)"):
        with pytest.raises(Unknown):
            lower(f"{head}:\n    return\n", "run", "run", Signature(("float64*", "int64")), ())


def test_a_name_read_outside_the_block_that_assigns_it_is_right_or_refused():
    source = "def run(A, n):\n    for i in range(n):\n        x = A[i]\n    A[0] = x\n"
    function = compile_native(source, "run", Signature(("float64*", "int64")))
    array = np.array([1.0, 2.0, 3.0])
    function(array, 3)
    assert function.compiler == OWN and array[0] == 3.0
    again = "def run(A, n):\n    for i in range(n):\n        A[i] = float64(i)\n    A[0] = float64(i)\n"
    function = compile_native(again, "run", Signature(("float64*", "int64")))
    function(array, 3)
    assert array.tolist() == [2.0, 1.0, 2.0]


def test_numba_compiles_what_it_does_not_know_and_the_function_says_so():
    source = "def run(x):\n    return math.tan(x)\n"
    function = compile_native(source, "run", Signature(("float64",), "float64"))
    assert function(0.5) == pytest.approx(np.tan(0.5))
    assert function.compiler == f"{OTHER}the call math.tan(float64)" and function.compiler in repr(function)
    own = compile_native(source.replace("math.tan", "ftan_f64"), "run", Signature(("float64",), "float64"))
    assert own.compiler == OWN and own(0.5) == pytest.approx(np.tan(0.5))


def test_a_sum_of_thousands_of_terms_is_no_matter_of_depth():
    source = f"def run(A):\n    A[0] = {' + '.join(f'A[{i}]' for i in range(2500))}\n"
    function = compile_native(source, "run", Signature(("float64*",)))
    array = np.ones(2500)
    function(array)
    assert function.compiler == OWN and array[0] == 2500
    deep = "abs(" * 90 + "A[0]" + ")" * 90
    function = compile_native(f"def run(A):\n    A[0] = {deep}\n", "run", Signature(("float64*",)))
    function(array)
    assert array[0] == 2500


def test_an_error_that_both_find_is_an_engine_error():
    with pytest.raises(EngineError, match="not valid Python"):
        compile_native("def run(x):\n    return x +\n", "run", Signature(("float64",), "float64"))


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_the_loop_of_tapes_is_known(precision):
    signature = Signature(("const int32*", f"{precision}*", "int64", "int64"))
    lower(tape.loop_source(precision), "run_tape", "run", signature, ("contract",))


def test_a_few_equal_rounds_are_written_out_and_others_are_loops():
    def made(body: str) -> str:
        return str(
            lower(
                f"def f(p, n):\n    a = p[0]\n{body}    p[1] = a\n",
                "f",
                "f",
                Signature(("float64*", "int64")),
                ("contract",),
            )
        )

    rounds = made("    for r in range(10):\n        a = a * a + a\n")
    assert rounds.count("fmul") == 10 and " br i1 " not in rounds.split("body")[-1]
    assert made("    for r in range(10):\n        a = a * a + float64(r)\n").count("fmul") == 1
    assert made("    for r in range(n):\n        a = a * a + a\n").count("fmul") == 1
