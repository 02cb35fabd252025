"""Elementwise ops: how they are defined, what they refuse, and how they treat whole numbers, powers and kinks."""

import inspect

import mpmath
import numpy as np
import pytest

import graphlearn as gl
from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.calculus.reverse import differentiate
from graphlearn.errors import DataError, GraphUseError, UnsupportedOp
from graphlearn.graph.leaves import constant, input
from graphlearn.graph.op import OPS, find_op
from graphlearn.ops.activations import sigmoid, square
from graphlearn.ops.algebra import FUNCTIONS, GRAPH, NUMPY
from graphlearn.ops.elementwise import elementwise
from graphlearn.ops.intrinsics import absolute, exp, maximum, minimum, power, sign, where
from graphlearn.ops.reductions import sum_

x = input("x")


@pytest.fixture
def fresh():
    """Ops defined by a test are gone after it."""
    ops, functions = dict(OPS), dict(FUNCTIONS)
    yield
    for table, before in ((OPS, ops), (FUNCTIONS, functions)):
        table.clear()
        table.update(before)


def gradient(output, leaf, at):
    return evaluate(differentiate(sum_(output), [leaf], disconnected="zero").gradients[leaf], {leaf: at})


def test_an_op_is_defined_from_a_formula_alone(fresh):
    swish = elementwise("swish", formula=lambda m, x: x / (1 + m.exp(-x)), doc="Sigmoid-weighted linear unit.")
    node = swish(input("v", 3, "float32"))
    assert (node.op.name, node.shape, node.dtype) == ("swish", (3,), "float32")
    assert inspect.getdoc(swish).startswith("Sigmoid-weighted linear unit.")
    points = np.linspace(-3, 3, 7)
    s = 1 / (1 + np.exp(-points))
    v = input("v", 7)
    np.testing.assert_allclose(evaluate(swish(v), {v: points}), points * s, rtol=1e-14)
    np.testing.assert_allclose(gradient(swish(v), v, points), s + points * s * (1 - s), rtol=1e-13)
    assert GRAPH.swish is swish
    np.testing.assert_allclose(NUMPY.swish(points), points * s, rtol=1e-14)


def test_a_formula_may_use_defined_ops_and_several_operands(fresh):
    gate = elementwise("gate", formula=lambda m, x, g: x * m.sigmoid(g))
    a, b = input("a", (2, 1)), input("b", 3)
    assert gate(a, b).shape == (2, 3)
    at = {a: [[1.0], [2.0]], b: [0.0, 1.0, -1.0]}
    found = differentiate(sum_(gate(a, b)), [a, b]).gradients
    s = 1 / (1 + np.exp(-np.array(at[b])))
    np.testing.assert_allclose(evaluate(found[a], at), [[s.sum()]] * 2, rtol=1e-14)
    np.testing.assert_allclose(evaluate(found[b], at), 3 * s * (1 - s), rtol=1e-13)


def test_a_kernel_is_what_is_computed(fresh):
    op = elementwise("kernelled", formula=lambda m, x: m.log(m.exp(x)), kernel=lambda m, x: x + 0)
    assert evaluate(op(x), {x: 1000.0}) == 1000


def test_a_constant_formula_has_derivative_zero(fresh):
    flat = elementwise("flat", formula=lambda m, x: 0 * x + 3, partials=(lambda m, x, y: 0,))
    assert gradient(flat(x), x, 2.0) == 0
    plain = elementwise("plain", formula=lambda m, x: m.sign(x))
    assert gradient(plain(x), x, 2.0) == 0


def test_definitions_that_cannot_work_are_refused(fresh):
    with pytest.raises(GraphUseError, match="needs a formula lambda m, x"):
        elementwise("nothing", formula=lambda m: 1)
    with pytest.raises(GraphUseError, match="one partial per operand; got 2 operands and 1 partials"):
        elementwise("half", formula=lambda m, x, y: x, partials=(lambda m, x, y, z: 1,))
    with pytest.raises(GraphUseError, match="a name needs to be"):
        elementwise("", formula=lambda m, x: x)
    with pytest.raises(UnsupportedOp, match=r"m\.tahn, which is no elementwise operation. There are: abs"):
        elementwise("typo", formula=lambda m, x: m.tahn(x))(x)
    with pytest.raises(GraphUseError, match="sigmoid needs 1 operand; got 2"):
        sigmoid(x, x)
    assert not hasattr(GRAPH, "__wrapped__")
    assert not hasattr(NUMPY, "__wrapped__")


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64"])
def test_whole_numbers_in_real_functions_count_as_reals(dtype):
    v = input("v", 2, dtype)
    values = np.array([0, 1] if dtype == "bool" else [3, 200], dtype)
    for function, truth in ((sigmoid, lambda a: 1 / (1 + np.exp(-a))), (exp, np.exp), (GRAPH.sqrt, np.sqrt)):
        assert function(v).dtype == "float64"
        np.testing.assert_allclose(evaluate(function(v), {v: values}), truth(values.astype(float)), rtol=1e-14)
    assert square(v).dtype == dtype
    assert evaluate(square(input("k", (), "int32")), {"k": 7}) == 49


def test_bools_count_as_numbers_where_numpy_refuses_them():
    a, b = input("a", 2, "bool"), input("b", 2, "bool")
    at = {a: [True, False], b: [True, True]}
    assert evaluate(a - b, at).tolist() == [0, -1]
    assert evaluate(-a, at).tolist() == [-1, 0]
    assert evaluate(a**b, at).tolist() == [1, 0]
    assert evaluate(1 - a, at).tolist() == [0, 1]
    assert evaluate(sign(a), at).tolist() == [1, 0]
    assert [(a - b).dtype, (a + b).dtype, (a * b).dtype] == ["int64", "bool", "bool"]


def test_powers_have_finite_derivatives_wherever_the_truth_is():
    for exponent, expected in ((0, 0.0), (1, 1.0), (2, 0.0), (3, 0.0)):
        assert gradient(x**exponent, x, 0.0) == expected
    assert gradient(x**-1, x, 2.0) == -0.25
    assert gradient(x**0.5, x, 4.0) == 0.25
    assert gradient(x**3, x, -2.0) == 12
    assert gradient(2.0**x, x, 3.0) == pytest.approx(8 * np.log(2), rel=1e-15)
    assert gradient(constant(0.0) ** x, x, 2.0) == 0
    v = input("v", 3)
    np.testing.assert_array_equal(gradient(v ** np.array([0.0, 1.0, 2.0]), v, [0.0, 0.0, 0.0]), [0, 1, 0])


def test_the_conventions_at_kinks():
    assert gradient(GRAPH.relu(x), x, 0.0) == 0
    assert gradient(absolute(x), x, 0.0) == 0
    assert gradient(maximum(x, 1.0), x, 1.0) == 0.5
    assert gradient(minimum(x, 1.0), x, 1.0) == 0.5
    assert gradient(maximum(x, x), x, 1.0) == 1
    assert gradient(sign(x), x, 0.0) == 0
    assert gradient(where(x > 0, x, 0), x, 0.0) == 0


def test_nan_is_not_lost():
    at = {x: np.nan}
    for node in (maximum(x, 0), minimum(x, 0), GRAPH.relu(x), absolute(x), sigmoid(x), GRAPH.softplus(x), sign(x)):
        assert np.isnan(evaluate(node, at)), node
    assert not evaluate(x < 1, at)
    assert evaluate(GRAPH.not_equal(x, x), at)


@pytest.mark.parametrize("name", ["relu", "softmax", "add", "sum", "constant", "binary_cross_entropy"])
def test_a_built_in_operation_is_not_taken_over(name):
    before = find_op(name)
    with pytest.raises(
        GraphUseError, match=rf"a name of your own; got '{name}'.*Choose another name, such as 'my_{name}'"
    ):
        elementwise(name, formula=lambda m, x: 2 * x)
    assert find_op(name) is before


@pytest.mark.parametrize(("base", "exponent"), [("int64", -1), ("uint8", -2), ("int32", [2, -1]), ("bool", -1)])
def test_whole_numbers_to_a_power_below_0_are_refused_where_they_are_written(base, exponent):
    i = input("i", 2, dtype=base)
    for call in (lambda: i**exponent, lambda: power(i, exponent), lambda: np.power(i, exponent)):
        with pytest.raises(
            DataError, match=r"exponents of 0 or more.*got -\d\. Make the base real: gl\.cast(.|\n)*pow: i"
        ):
            call()
    assert (i**2.0).dtype == "float64"
    assert (input("x", dtype="float32") ** -1).dtype == "float32"


def test_whole_numbers_to_a_power_that_turns_out_below_0_are_refused_with_a_cure():
    i, j = input("i", 2, dtype="int64"), input("j", 2, dtype="int64")
    assert np.array_equal(evaluate(i**j, {i: [2, 3], j: [3, 0]}), [8, 1])
    with pytest.raises(DataError, match=r"got -1\. Make the base real"):
        evaluate(i**j, {i: [2, 3], j: [3, -1]})
    # Compiled code would give 0: what is given is looked at before.
    for node in (i**j, gl.sum(gl.cast(i ** (j + 0), "float64"))):
        for backend in ("numpy", "numba"):
            function = gl.compile(node, backend=backend)
            assert np.all(function(i=[1, 1], j=[3, 0]) > 0)
            with pytest.raises(DataError, match=r"exponents from 'j' of the call, needs.*got -1\. Make the base real"):
                function(i=[2, 3], j=[3, -1])
    assert np.array_equal(gl.compile(gl.cast(i, "float64") ** j)(i=[2, 3], j=[-1, 2]), [0.5, 9])


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_loss_with_whole_numbers_to_a_power_below_0_is_not_trained(backend):
    x, k, w = input("x", "N"), input("k", "N", "int64"), gl.parameter("w", value=1.0)
    model = gl.Model(w * x, loss=gl.mean((w * x - gl.cast(gl.cast(x, "int64") ** k, "float64")) ** 2))
    data = {"x": [1.0, 2.0, 4.0], "k": [2, -1, 1]}
    with pytest.raises(DataError, match=r"exponents from data\['k'\], needs.*got -1\. Make the base real"):
        model.fit(data, optimizer=gl.optim.SGD(0.1), epochs=1, backend=backend)


def test_an_operand_with_a_default_may_be_left_out_or_named():
    k = gl.parameter("k", value=2.0)
    assert gl.leaky_relu(x) is gl.leaky_relu(x, 0.01) is gl.leaky_relu(x, slope=0.01)
    assert gl.prelu(x, k) is gl.leaky_relu(x, slope=k)
    with pytest.raises(GraphUseError, match=r"leaky_relu needs 1 operand, and takes slope=0\.01; got 1 and slop"):
        gl.leaky_relu(x, slop=0.2)
    with pytest.raises(GraphUseError, match=r"leaky_relu needs 1 operand.*; got 3"):
        gl.leaky_relu(x, 1, 2)


def test_an_operation_of_ones_own_may_have_defaults(fresh):
    scaled = gl.elementwise("scaled_tanh", formula=lambda m, x, a=2: a * m.tanh(x / a))
    assert gl.evaluate(scaled(x), {"x": 1.0}) == gl.evaluate(scaled(x, a=2), {"x": 1.0}) == 2 * np.tanh(0.5)


@pytest.mark.parametrize(
    ("x", "low", "high", "slopes"),
    [(0.5, 0, 1, (1, 0, 0)), (-1, 0, 1, (0, 1, 0)), (2, 0, 1, (0, 0, 1)), (0, 0, 1, (1, 0, 0)), (5, 2, 1, (0, 0, 1))],
)
def test_clip_shares_its_derivative_between_no_two(x, low, high, slopes):
    operands = gl.input("x"), gl.input("low"), gl.input("high")
    y = gl.clip(*operands)
    at = dict(zip(("x", "low", "high"), map(float, (x, low, high)), strict=True))
    assert gl.evaluate(y, at) == np.clip(x, low, high)
    found = gl.evaluate(gl.grad(y, list(operands)), at)
    assert tuple(found) == slopes


def test_the_alpha_of_celu_learns_where_its_derivative_cancels():
    alpha = gl.parameter("alpha", value=1.0)
    slope = gl.grad(gl.celu(x, alpha), alpha)
    for q in (-1e-8, -1e-3, -0.2499, -0.25, -0.3):
        with mpmath.workdps(40):
            truth = mpmath.expm1(q) - q * mpmath.exp(q)
        assert gl.evaluate(slope, {"x": q, "alpha": 1.0}) == pytest.approx(float(truth), rel=2e-15)


def test_silu_and_mish_keep_digits_where_exp_is_subnormal():
    for function in (gl.silu, gl.mish):
        with mpmath.workdps(40):
            truth = float(-mpmath.mpf(744) * mpmath.exp(-744))
        assert gl.evaluate(function(x), {"x": -744.0}) == pytest.approx(truth, rel=1e-2)


def test_rounding_keeps_whole_numbers_and_takes_the_even_of_two():
    i, r = gl.input("i", 3, dtype="int64"), gl.input("r", 6)
    values = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])
    np.testing.assert_array_equal(gl.evaluate(gl.round(r), {"r": values}), [-2, -2, -0.0, 0, 2, 2])
    for function in (gl.round, gl.floor, gl.ceil):
        assert function(i).dtype == "int64"
        np.testing.assert_array_equal(gl.evaluate(function(i), {"i": [1, -2, 3]}), [1, -2, 3])


def test_mod_has_the_sign_of_the_divisor():
    a, b = gl.input("a", 4), gl.input("b", 4)
    at = {"a": [5.5, -5.5, 5.5, -5.5], "b": [2.0, 2.0, -2.0, -2.0]}
    assert a % b is gl.mod(a, b) and 7 % b is gl.mod(7, b)
    np.testing.assert_array_equal(gl.evaluate(gl.mod(a, b), at), [1.5, 0.5, -0.5, -1.5])
    np.testing.assert_array_equal(gl.evaluate(gl.grad(gl.sum(gl.mod(a, b)), b), at), [-2, 3, 3, -2])


HARD = [0, -0.0, 5e-324, -1e-310, 1e-40, 1, -1, 0.1, 0.3, 3, -3, 7.5, -7.5, 1e17, 1e300, np.inf, -np.inf, np.nan]


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int32", "uint8"])
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_floor_divide_is_numpys_to_the_last_bit(backend, dtype):
    low = 0 if dtype == "uint8" else -7
    bounds = [] if dtype.startswith("float") else [np.iinfo(dtype).min, np.iinfo(dtype).max]
    numbers = np.array(HARD) if dtype.startswith("float") else [*range(low, 8), *bounds]
    with np.errstate(all="ignore"):
        columns = [c.ravel().astype(dtype) for c in np.meshgrid(numbers, numbers)]
        expected = np.divmod(*columns)
        a, b = gl.input("a", ("n",), dtype=dtype), gl.input("b", ("n",), dtype=dtype)
        found = gl.compile((a // b, a % b), backend=backend)(a=columns[0], b=columns[1])
        assert found[0].dtype == dtype == gl.floor_divide(a, b).dtype
    np.testing.assert_array_equal(found[0], expected[0])
    is_number = expected[0] == expected[0]
    np.testing.assert_array_equal(np.signbit(found[0])[is_number], np.signbit(expected[0])[is_number])
    np.testing.assert_array_equal(found[1], expected[1])


def test_whole_division_is_written_as_in_python_and_numpy():
    i = gl.input("i", 2, dtype="int64")
    assert x // 2 is gl.floor_divide(x, 2) is np.floor_divide(x, 2)
    assert gl.evaluate(gl.parse("-7.5 // y % 3"), {"y": 2.0}) == -7.5 // 2 % 3
    assert divmod(x, 2) == np.divmod(x, 2) == (x // 2, x % 2)
    assert divmod(7, i) == (7 // i, 7 % i) and 7 // i is gl.floor_divide(7, i)
    assert (i // 2).dtype == "int64" and (i // 2.0).dtype == "float64" == (np.float64(9) // i).dtype
    assert gl.floor_divide(True, gl.input("b", dtype="bool")).dtype == "int64"
    assert gl.evaluate(x // 0.1, {"x": 1.0}) == 9 != gl.evaluate(gl.floor(x / 0.1), {"x": 1.0})
    with pytest.warns(gl.ZeroGradientWarning, match="floor_divide"):
        assert gl.evaluate(gl.grad(x // 2, x), {"x": 3.0}) == 0
    assert gl.evaluate(gl.grad((x // 2) * x, x), {"x": 3.5}) == 1
    assert "⌊" not in gl.derive(((x // 2) * x).named("y"), x, at={"x": 3.5}).to_text()


def test_derivatives_whose_textbook_forms_overflow():
    for function, at, slope in (
        (gl.asinh, 1e200, 1e-200),
        (gl.acosh, 1e200, 1e-200),
        (gl.reciprocal, 1e-150, -1e300),
        (lambda u: gl.atan2(u, 0.0 * u + 1e-200), 1e-200, 5e199),
    ):
        assert gl.evaluate(gl.grad(function(x), x), {"x": at}) == pytest.approx(slope, rel=1e-14)


def test_erfc_keeps_its_digits_in_the_tail():
    for at in (0.3, 1.7, 5.3, 13.7, 25.9, -3.1):
        with mpmath.workdps(40):
            truth = float(mpmath.erfc(mpmath.mpf(at)))
        assert gl.evaluate(gl.erfc(x), {"x": at}) == pytest.approx(truth, rel=4e-16 * 3)
    assert gl.evaluate(gl.erfc(gl.input("e", 0)), {"e": []}).shape == (0,)


@pytest.mark.parametrize(("dtype", "lowest"), [("float64", -36.5), ("float32", -12.5)])
def test_gelu_keeps_its_digits_in_the_tail_and_its_slope_at_its_root(dtype, lowest):
    z = gl.input("z", ("n",), dtype=dtype)
    values = np.array([lowest, -9.3, -3.1, -0.8, -0.7517916, -0.75, -0.69, 0.4, 7.7], dtype)
    found = gl.evaluate([gl.gelu(z), gl.grad(gl.sum(gl.gelu(z)), z)], {"z": values})
    with mpmath.workdps(60):
        points = [mpmath.mpf(float(v)) for v in values]
        truths = [x * mpmath.ncdf(x) for x in points], [mpmath.ncdf(x) + x * mpmath.npdf(x) for x in points]
    for ours, truth in zip(found, truths, strict=True):
        np.testing.assert_allclose(ours.astype(np.float64), [float(t) for t in truth], rtol=20 * np.finfo(dtype).eps)


def test_a_formula_is_a_function():
    with pytest.raises(GraphUseError, match=r"'q' needs a formula, a function .*; got 3\. Write"):
        elementwise("q", formula=3)


def test_a_derivative_of_an_activation_takes_whole_numbers_of_any_width():
    u = gl.input("u", 3, dtype="uint8")
    values = np.array([0, 1, 200], "uint8")
    for run in (lambda n: gl.evaluate(n, {u: values}), lambda n: gl.compile(n)({u: values})):
        np.testing.assert_allclose(run(gl.sech2(u)), 1 / np.cosh(values.astype(float)) ** 2, rtol=1e-14)
