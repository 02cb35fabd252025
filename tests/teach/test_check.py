"""check_grad and numeric_grad: they find a wrong gradient, and only a wrong one; they print the same everywhere."""

import numpy as np
import pytest

from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.calculus.forward import push_forward
from graphlearn.calculus.gradient import grad
from graphlearn.errors import (
    DisconnectedError,
    DTypeError,
    MissingValueError,
    NonFiniteError,
    OptionError,
    ShapeError,
    UnsupportedOp,
)
from graphlearn.graph.leaves import input, parameter
from graphlearn.graph.op import OPS
from graphlearn.ops.algebra import FUNCTIONS, GRAPH
from graphlearn.ops.determinants import det
from graphlearn.ops.elementwise import elementwise
from graphlearn.ops.linear import matmul
from graphlearn.ops.normalised import log_softmax, logsumexp, one_hot, softmax, softmax_cross_entropy
from graphlearn.ops.reductions import max_, mean, sum_
from graphlearn.ops.shape import cast, reshape, transpose
from graphlearn.ops.statistics import norm, std
from graphlearn.teach.check import check_grad, numeric_grad

GENERATOR = np.random.Generator(np.random.Philox(7))
x = input("x", ("N", 3))
t = input("t", ("N",), "int64")
W, b, V = parameter("W", (3, 4)), parameter("b", 4), parameter("V", (4, 2))
AT = {
    x: GENERATOR.standard_normal((5, 3)),
    t: [0, 1, 1, 0, 1],
    W: GENERATOR.standard_normal((3, 4)),
    b: np.zeros(4),
    V: GENERATOR.standard_normal((4, 2)),
}


def network(activation):
    return mean(softmax_cross_entropy(matmul(activation(matmul(x, W) + b), V), one_hot(t, 2)))


@pytest.fixture
def wrong():
    """An op whose derivative is wrong by one part in a thousand."""
    yield elementwise("wrong", formula=lambda m, x: m.sin(x), partials=(lambda m, x, y: m.cos(x) * 1.001,))
    del OPS["wrong"], FUNCTIONS["wrong"]


# --- numeric_grad ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "digits"), [("central", 8), ("complex", 14), ("ridders", 11)])
def test_every_method_finds_the_gradient(method, digits):
    loss = network(GRAPH.tanh) + mean(logsumexp(matmul(x, W))) * 0.1
    for leaf in (W, b, V, x):
        truth = evaluate(grad(loss, leaf), AT)
        found = numeric_grad(loss, leaf, AT, method)
        assert found.shape == truth.shape
        np.testing.assert_allclose(found, truth, rtol=0, atol=10.0**-digits)
    both = numeric_grad(loss, [W, b], AT, method)
    assert isinstance(both, tuple)
    np.testing.assert_array_equal(both[0], numeric_grad(loss, W, AT, method))


@pytest.mark.parametrize(
    "build",
    [
        lambda z: sum_(softmax(z) ** 2),
        lambda z: sum_(log_softmax(z) * z),
        lambda z: sum_(logsumexp(z, 0)),
        lambda z: sum_(softmax_cross_entropy(z, softmax(2 * z))),
        lambda z: mean(transpose(z) @ z) + sum_(reshape(z, -1) / 3),
        lambda z: sum_(GRAPH.sigmoid(z) * GRAPH.softplus(z) * GRAPH.square(GRAPH.erf(z))),
        lambda z: sum_(GRAPH.where(np.array([True, False, True]), GRAPH.exp(z), 0)),
        lambda z: sum_(GRAPH.sqrt(1 + z * z) ** 1.5 - GRAPH.expm1(z) / (2 + GRAPH.cos(z))),
    ],
)
def test_the_complex_step_goes_through_every_analytic_op(build):
    z = input("z", (2, 3))
    at = {z: [[0.3, -1.2, 0.8], [2.0, 0.1, -0.4]]}
    output = build(z)
    np.testing.assert_allclose(numeric_grad(output, z, at, "complex"), evaluate(grad(output, z), at), rtol=1e-12)


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (abs, "abs"),
        (GRAPH.relu, r"maximum \(in the formula of relu\)"),
        (GRAPH.sign, "sign"),
        (lambda z: GRAPH.minimum(z, 1.0), "minimum"),
        (lambda z: GRAPH.where(z > 0, z, 0), "greater"),
        (lambda z: GRAPH.where(z, z, 0), "where"),
        (max_, "max"),
        (lambda z: z * cast(cast(z, "int64"), "float64"), "a cast to int64"),
    ],
)
def test_the_complex_step_refuses_what_is_not_analytic_by_name(build, name):
    z = input("z", 3)
    with pytest.raises(
        UnsupportedOp, match=f"needs analytic operations; got {name}, which is not. Use method='central'"
    ):
        numeric_grad(sum_(build(z)), z, {z: [0.5, 1.5, -0.5]}, "complex")


NO_NUMBER = float("nan")


@pytest.mark.parametrize(
    ("build", "point", "truth"),
    [
        (GRAPH.sqrt, 1e-300, 5e149),
        (GRAPH.log, 1e-30, 1e30),
        (GRAPH.log, 1e-308, 1e308),
        (lambda s: GRAPH.log(s + 1e-35), 0.0, 1e35),
        (lambda s: s**-2, -2.0, 0.25),
        (lambda s: s**2, 1e-200, 2e-200),
        (lambda s: GRAPH.sin(s * 1e-3), 1e35, 1e-3 * np.cos(1e32)),
        (lambda s: GRAPH.log(GRAPH.softplus(s)), -40.0, 1.0),  # the formula's own value has no digit left here
        (lambda s: s**1.5, 0.0, 0.0),
        (lambda s: s**3, 0.0, 0.0),
        (GRAPH.log, -1.0, NO_NUMBER),
        (GRAPH.sqrt, -1.0, NO_NUMBER),
        (lambda s: s**0.5, -1.0, NO_NUMBER),
        (GRAPH.acosh, 0.5, NO_NUMBER),
        (lambda s: GRAPH.exp(GRAPH.log(s)), -1.0, NO_NUMBER),
        (GRAPH.sqrt, 0.0, NO_NUMBER),
        (GRAPH.asin, 1.0, NO_NUMBER),
        (GRAPH.log, 0.0, NO_NUMBER),
        (lambda s: 1 / s, 0.0, NO_NUMBER),
        (lambda s: GRAPH.sqrt(s * s), 0.0, NO_NUMBER),
    ],
)
def test_the_complex_step_finds_the_slope_or_no_number(build, point, truth):
    s = input("s")
    found = numeric_grad(build(s), s, {s: point}, "complex")
    np.testing.assert_allclose(found, truth, rtol=1e-9)


@pytest.mark.parametrize(
    ("build", "point", "truth"),
    [
        (norm, [0.0, 0.0, 0.0], [NO_NUMBER] * 3),
        (std, [1.0, 1.0, 1.0], [NO_NUMBER] * 3),
        (norm, [1e-200, 0.0, 0.0], [1.0, 0.0, 0.0]),
        (norm, [1e200, 0.0, 0.0], [1.0, 0.0, 0.0]),
        (std, [1.0, 2.0, 3.0], [-(6**-0.5), 0.0, 6**-0.5]),
    ],
)
def test_the_complex_step_sees_the_kink_of_a_length(build, point, truth):
    z = input("z", 3)
    np.testing.assert_allclose(numeric_grad(build(z), z, {z: point}, "complex"), truth, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("name", "point"),
    [("softplus", 800.0), ("softplus", 710.0), ("log_sigmoid", -800.0), ("silu", -800.0), ("sech2", 800.0)],
)
def test_the_complex_step_says_where_a_textbook_formula_overflows(name, point):
    z = input("z", 2)
    said = rf"that of {name} overflows .*: \S+ at \[1\]. Use method='central' or 'ridders'"
    with pytest.raises(NonFiniteError, match=said):
        numeric_grad(sum_(getattr(GRAPH, name)(z)), z, {z: [0.5, point]}, "complex")


def test_steps_follow_the_size_of_an_entry():
    z = input("z", 3)
    at = {z: [1e-6, 1e-3, 1e5]}
    found = numeric_grad(sum_(GRAPH.log(z)), z, at)
    np.testing.assert_allclose(found, [1e6, 1e3, 1e-5], rtol=1e-4)
    for value in (1e-12, 1e-3, 1.0, 1e12):
        for method in ("central", "ridders"):
            s = input("s")
            assert numeric_grad(GRAPH.log(s), s, {s: value}, method) == pytest.approx(1 / value, rel=1e-8)


def test_ridders_comes_nearer_where_the_function_ends_or_bends():
    s = input("s")
    assert numeric_grad(GRAPH.sqrt(s - 1), s, {s: 1.0001}, "ridders") == pytest.approx(50, rel=1e-8)
    assert numeric_grad(GRAPH.relu(s - 1), s, {s: 1.001}, "ridders") == pytest.approx(1, rel=1e-8)
    assert numeric_grad(abs(s), s, {s: -1e-3}, "ridders") == pytest.approx(-1, rel=1e-8)


def test_inner_nodes_and_narrow_graphs():
    h = GRAPH.tanh(matmul(x, W))
    assert numeric_grad(sum_(h * h), h, AT).shape == (5, 4)
    np.testing.assert_allclose(numeric_grad(sum_(h * h), h, AT), 2 * evaluate(h, AT), rtol=1e-8)
    narrow = input("narrow", 2, "float32")
    found = numeric_grad(sum_(narrow**3), narrow, {narrow: [1.0, 2.0]}, "ridders")
    np.testing.assert_allclose(found, [3, 12], rtol=1e-12)  # in float64, although the graph is float32
    rounded = sum_(cast(cast(W, "float32"), "float64") ** 2)  # a cast between real dtypes rounds nothing here
    for method in ("central", "complex", "ridders"):
        np.testing.assert_allclose(numeric_grad(rounded, W, AT, method), 2 * AT[W], rtol=1e-7)
        np.testing.assert_allclose(numeric_grad(mean(x), x, AT, method), np.full((5, 3), 1 / 15), rtol=1e-9)


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(OptionError, match="method needs one of central, complex, ridders; got 'forward'"):
        numeric_grad(sum_(W), W, AT, "forward")
    with pytest.raises(ShapeError, match="needs a scalar output"):
        numeric_grad(W, W, AT)
    with pytest.raises(DisconnectedError, match="'V' is no part of"):
        numeric_grad(sum_(W), V, AT)
    with pytest.raises(DTypeError, match="needs real nodes; got <input t int64"):
        numeric_grad(network(GRAPH.tanh), t, AT)
    with pytest.raises(MissingValueError, match="'W'"):
        numeric_grad(sum_(W), W, {})


# --- check_grad ------------------------------------------------------------------------------------------------------


def test_a_right_gradient_is_found_right():
    report = check_grad(network(GRAPH.tanh), at=AT)
    assert report
    assert report.ok
    assert [entry.name for entry in report.entries] == ["W", "b", "V"]
    assert all(entry.relative < 1e-9 and not entry.projected and not entry.kinks for entry in report.entries)
    assert str(report) == (
        "   shape   compared            relative error\n"
        "W  (3, 4)  each of 12 entries  < 1e-9\n"
        "b  (4,)    each of 4 entries   < 1e-9\n"
        "V  (4, 2)  each of 8 entries   < 1e-9\n"
        "The gradient agrees with finite differences, and forward mode with reverse mode."
    )


def test_a_wrong_gradient_is_found_wrong(wrong):
    v = parameter("v", value=[1.0, 2.0])
    report = check_grad(sum_(wrong(v)) + sum_(b), [v, b], at=AT)
    assert not report
    entry = report.entries[0]
    assert not entry.ok
    assert entry.relative == pytest.approx(1e-3, rel=1e-2)
    assert entry.graph == pytest.approx(entry.measured * 1.001, rel=1e-8)
    assert report.entries[1].ok
    row = str(report).splitlines()[1]
    assert "WRONG at [" in row
    assert row.endswith("; allowed: less than 1e-6")
    assert "  1e-3  " in row, "the figure itself, not a bound"
    assert str(report).endswith("The gradient does NOT agree with finite differences.")


def test_modes_that_disagree_are_found(monkeypatch):
    def skewed(outputs, wrt, tangents):
        return tuple(1.001 * slope for slope in push_forward(outputs, wrt, tangents))

    assert all(entry.modes < 1e-12 for entry in check_grad(network(GRAPH.tanh), at=AT).entries)
    monkeypatch.setattr("graphlearn.teach.check.push_forward", skewed)
    report = check_grad(network(GRAPH.tanh), at=AT)
    assert not report.ok
    assert all(entry.relative < 1e-9 for entry in report.entries)
    assert "WRONG: forward mode differs from reverse mode by 0.00" in str(report)


def test_large_arrays_are_checked_along_random_directions(wrong):
    big = parameter("big", (20, 20))
    at = {big: np.linspace(-1, 1, 400).reshape(20, 20)}
    report = check_grad(sum_(GRAPH.sin(big)), at=at)
    assert report.ok
    assert report.entries[0].projected
    assert report.entries[0].compared == 32
    assert "32 random directions" in str(report)
    assert "임의의 방향 32개" in report.to_text("ko")
    assert not check_grad(sum_(wrong(big)), at=at)
    assert "WRONG: graph" in str(check_grad(sum_(wrong(big)), at=at))
    edge = parameter("edge", (300,))
    assert not check_grad(sum_(edge**2), at={edge: np.ones(300)}).entries[0].projected


@pytest.mark.parametrize(
    ("size", "place", "factor"),
    [(400, slice(None), 1.0001), (5000, 137, 1.01), (5000, 4999, 1.01), (5000, slice(0, None, 50), 1.001)],
)
@pytest.mark.parametrize("reduce", [sum_, mean])
def test_errors_of_all_entries_and_of_one_among_thousands_are_found(size, place, factor, reduce):
    """Along a single direction the slopes may cancel, and one entry is no part of 5,000."""
    z, scale = input("z", size), np.ones(size)
    scale[place] = factor
    scaled = elementwise(
        "scaled_slope", formula=lambda m, x, k: m.sin(x), partials=(lambda m, x, k, y: m.cos(x) * k, None)
    )
    try:
        at = {z: np.linspace(0, 3, size)}
        assert check_grad(reduce(scaled(z, np.ones(size))), at=at).ok
        assert check_grad(reduce(scaled(z, scale)), at=at).entries[0].wrong
    finally:
        del OPS["scaled_slope"], FUNCTIONS["scaled_slope"]


def test_an_entry_at_a_kink_is_named_and_not_called_wrong():
    s = parameter("s", value=[0.0, 1.0])
    zeros_and_halves = (abs, lambda z: GRAPH.maximum(z, 0))  # their conventions are the central difference too
    for build in (GRAPH.relu, lambda z: GRAPH.where(z > 0, 2 * z, -z), lambda z: GRAPH.relu(-z), *zeros_and_halves):
        report = check_grad(sum_(build(s)), at=None)
        assert report.ok
        assert report.entries[0].kinks == 1
        assert str(report).splitlines()[1].endswith("< 1e-9          1 at a kink")
    alone = parameter("alone", value=0.0)
    report = check_grad(abs(alone), at=None)
    assert report.ok
    assert report.entries[0].nothing
    assert "lies between the slopes on both sides, by convention" in str(report)


@pytest.mark.parametrize("size", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_smooth_bend_near_a_kink_is_none(size, level):
    """Curvature and rounding make the slopes on both sides differ as well."""
    s = parameter("s", value=[2.0, 0.3])
    smooth = GRAPH.maximum(GRAPH.exp(30 * s), 0) * size + level * size
    report = check_grad(sum_(smooth), at=None)
    assert report.ok
    assert report.entries[0].kinks == 0
    assert check_grad(sum_(GRAPH.maximum(s - 2.0, 0) * size + level), at=None).entries[0].kinks == 1
    lowest = parameter("lowest", value=0.0)  # the slopes on both sides are opposite, and ever smaller
    assert check_grad(GRAPH.maximum(lowest * lowest, -1.0) * size + level, at=None).entries[0].kinks == 0


def test_where_a_function_ends_nothing_is_called_wrong():
    s = parameter("s", value=[0.0, 4.0])
    for build, graph in ((GRAPH.sqrt, "inf"), (lambda z: z**1.5, "0")):
        report = check_grad(sum_(build(s)), at=None)
        assert not report.ok, "an entry was not compared"
        assert report.entries[0].edges == 1
        said = f"nothing to compare at [0]: the function lacks values on one side or both; the graph says {graph}"
        assert said in str(report)
        assert str(report).endswith("The gradient could not be compared everywhere; what was compared agrees.")
        assert "위치 [0]" in report.to_text("ko")
    many = np.repeat([0.0, 4.0], 200)  # some of which move up while others move down
    report = check_grad(sum_(GRAPH.sqrt(input("many", 400))), at={"many": many})
    assert not report.ok
    assert not report.entries[0].wrong
    alone = parameter("alone", value=0.0)
    assert str(check_grad(GRAPH.sqrt(alone), at=None)).endswith("could not be compared with finite differences.")


@pytest.mark.parametrize(
    ("build", "points"),
    [(GRAPH.exp, [709.7]), (GRAPH.exp, [709.78]), (lambda z: 1 / z, [1e-308]), (GRAPH.cosh, [710.0, 1.0])],
)
def test_a_right_gradient_beside_an_overflow_is_found_right(build, points):
    z = input("z", len(points))
    report = check_grad(sum_(build(z)), at={z: points})
    assert report.ok, report


@pytest.mark.parametrize(
    ("build", "points"),
    [
        (lambda z: z**2, [1e200]),
        (GRAPH.log, [-1.0, 1.0, 2.0]),
        (GRAPH.log, [0.0]),
        (GRAPH.exp, [710.0]),
        (GRAPH.asin, [2.0]),
        (GRAPH.log, [-1.0] * 400),
    ],
)
def test_where_a_function_has_no_value_nothing_is_called_wrong(build, points):
    z = input("z", len(points))
    report = check_grad(sum_(build(z)), at={z: points})
    assert not report.ok
    assert not report.entries[0].wrong
    assert report.entries[0].nothing
    assert "nothing to compare: the function has no finite value here" in str(report)
    assert str(report).endswith("The gradient could not be compared with finite differences.")
    assert "이 점에서 유한한 함숫값이 없음" in report.to_text("ko")


def test_a_wrong_slope_beside_an_edge_is_called_wrong(wrong):
    s = parameter("s", value=[0.0, 4.0])
    report = check_grad(sum_(GRAPH.sqrt(s) + wrong(s)), at=None)
    assert report.entries[0].wrong
    assert report.entries[0].index == (1,)
    assert "WRONG at [1]" in str(report)
    assert "틀림 (위치 [1])" in report.to_text("ko")


def test_the_second_derivative(wrong):
    assert check_grad(network(GRAPH.tanh), at=AT, order=2).ok
    assert "The second derivative agrees" in str(check_grad(sum_(W**3), W, at=AT, order=2))
    assert check_grad(sum_(3 * W), at=AT, order=2).ok  # its second derivative is zero
    bad = elementwise(
        "bad_second", formula=lambda m, x: m.sin(x), partials=(lambda m, x, y: m.cos_with_wrong_derivative(x),)
    )
    elementwise(
        "cos_with_wrong_derivative", formula=lambda m, x: m.cos(x), partials=(lambda m, x, y: -1.01 * m.sin(x),)
    )
    try:
        assert check_grad(sum_(bad(W)), at=AT).ok
        assert not check_grad(sum_(bad(W)), at=AT, order=2).ok
    finally:
        for name in ("bad_second", "cos_with_wrong_derivative"):
            del OPS[name], FUNCTIONS[name]


def test_what_is_checked_by_default_and_on_demand():
    assert [e.name for e in check_grad(sum_(x * 2), at=AT).entries] == ["x"]
    h = (matmul(x, W) + b).named("h")
    assert [e.name for e in check_grad(sum_(GRAPH.tanh(h)), [h, W], at=AT).entries] == ["h", "W"]
    assert check_grad(sum_(GRAPH.tanh(h)), h, at=AT).entries[0].shape == (5, 4)
    narrow = parameter("narrow", value=[0.5, 1.0], dtype="float32")
    assert check_grad(sum_(GRAPH.exp(narrow)), at=None).ok
    large = parameter("large", value=[1e8, 3e-7])
    assert check_grad(sum_(large**2), at=None).ok


def test_what_cannot_be_checked_is_refused():
    with pytest.raises(DisconnectedError, match="no parameter and no real input"):
        check_grad(cast(sum_(t), "float64"), at=AT)
    with pytest.raises(OptionError, match="order needs 1 or 2; got 3"):
        check_grad(sum_(W), at=AT, order=3)
    with pytest.raises(ShapeError):
        check_grad(W, at=AT)
    with pytest.raises(DisconnectedError, match="does not influence"):
        check_grad(sum_(W), V, at=AT)


@pytest.mark.parametrize("order", [1, 2])
def test_zeros_of_numbers_that_cancel_agree(order):
    matrix = input("matrix", (4, 4))
    for value in (np.ones((4, 4)), np.outer([1e3, 2e3, -1e3, 5e3], [0.1, 0.3, 0.7, 0.2])):
        report = check_grad(det(matrix), matrix, at={matrix: value}, order=order)
        assert report.ok, report


@pytest.mark.parametrize("size", [1.0, 1e-20])
def test_a_wrong_slope_among_zeros_is_found(size):
    """What counts as 0 follows the numbers that the function is made of, however small these are."""
    square = elementwise(
        "wrong_at_zero", formula=lambda m, x: size * x * x, partials=(lambda m, x, y: size * (2 * x + 1e-3),)
    )
    try:
        report = check_grad(sum_(square(b)), b, at=AT)
    finally:
        del OPS["wrong_at_zero"], FUNCTIONS["wrong_at_zero"]
    assert not report.ok
    assert report.entries[0].relative > 0.1
