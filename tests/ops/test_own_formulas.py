"""Operations from a formula alone: right far from 0, to the second derivative, and shown as they were written."""

import inspect

import mpmath
import numpy as np
import pytest

import graphlearn as gl
from graphlearn.graph.op import OPS
from graphlearn.ops.algebra import FUNCTIONS
from graphlearn.teach.judge import judged_ops, refuted_ops

FORMULAS = {
    "sigmoid": lambda m, x: 1 / (1 + m.exp(-x)),
    "sigmoid of growing terms": lambda m, x: m.exp(x) / (1 + m.exp(x)),
    "softplus": lambda m, x: m.log(1 + m.exp(x)),
    "swish": lambda m, x: x / (1 + m.exp(-x)),
    "swish with a factor": lambda m, x: 0.5 * x / (m.exp(-2 * x) + 1),
    "mish": lambda m, x: x * m.tanh(m.log(1 + m.exp(x))),
    "tanh": lambda m, x: (m.exp(x) - m.exp(-x)) / (m.exp(x) + m.exp(-x)),
    "inside": lambda m, x: m.sin(3 / (1 + m.exp(x))) + m.exp(m.minimum(x, 0.0)),
}
POINTS = np.array([-1000.0, -720.0, -30.0, -0.5, 0.25, 1.0, 40.0, 710.0, 1000.0])


@pytest.fixture
def own():
    """An operation of a formula, gone after the test."""

    def define(formula, **options):
        return gl.elementwise("own_formula", formula=formula, **options)

    yield define
    for table in (OPS, FUNCTIONS):
        table.pop("own_formula", None)


def truth(formula, value, order):
    with mpmath.workdps(1200):  # of numbers whose exponentials have hundreds of digits

        class Algebra:
            def __getattr__(self, name):
                return {"minimum": min}.get(name) or getattr(mpmath, name)

        def compute(x):
            return formula(Algebra(), x)

        at = mpmath.mpf(float(value))
        return float(compute(at) if not order else mpmath.diff(compute, at, order, h=mpmath.mpf(10) ** -300))


def derivatives(op, x):
    first = gl.grad(gl.sum(op(x)), x)
    return op(x), first, gl.grad(gl.sum(first), x)


@pytest.mark.parametrize("name", FORMULAS)
def test_values_and_derivatives_are_right_far_from_0(name, own):
    x = gl.input("x", POINTS.shape)
    found = gl.evaluate(derivatives(own(FORMULAS[name]), x), {x: POINTS})
    for order, array in enumerate(found):
        expected = [truth(FORMULAS[name], value, order) for value in POINTS]
        np.testing.assert_allclose(array, expected, rtol=1e-12, atol=1e-300, err_msg=f"order {order}")


def test_compiled_code_and_float32_likewise(own):
    x = gl.input("x", POINTS.shape)
    nodes = derivatives(own(FORMULAS["swish"]), x)
    np.testing.assert_allclose(gl.compile(nodes)(x=POINTS), gl.evaluate(nodes, {x: POINTS}), rtol=1e-13)
    short = gl.input("short", POINTS.shape, dtype="float32")
    nodes = derivatives(own(FORMULAS["swish"]), short)
    assert {n.dtype for n in nodes} == {"float32"}
    assert np.isfinite(gl.evaluate(nodes, {short: POINTS})).all()


def test_it_is_read_as_it_was_written(own):
    op = own(FORMULAS["swish"])
    s = gl.input("s")
    assert str(gl.to_sympy(op(s))) == "s/(1 + exp(-s))"
    assert "exp(−s)" in gl.derive(op(s).named("y"), s, at={s: -1.5}).to_text()


def test_several_operands_with_a_default(own):
    op = own(lambda m, x, beta=1.0: x / (1 + m.exp(-beta * x)))
    x, beta = gl.input("x", 2), gl.parameter("beta", value=2.0)
    at = {x: [-1000.0, 1000.0], beta: 2.0}
    for order in gl.evaluate((op(x, beta), *gl.grad(gl.sum(op(x, beta)), (x, beta))), at):
        assert np.isfinite(order).all()
    np.testing.assert_array_equal(gl.evaluate(op(x), at), [0, 1000])


def test_a_kernel_that_is_given_stays(own):
    op = own(FORMULAS["softplus"], kernel=lambda m, x: m.maximum(x, 0) + 1)
    x = gl.input("x")
    assert gl.evaluate(op(x), {x: 2.0}) == 3


def test_what_the_rules_do_not_know_is_computed_as_written(own):
    """The docstring's example: whoever reads it knows what to give."""
    op = own(lambda m, x: (1 - m.exp(-x)) / (1 + m.exp(-x)))
    x = gl.input("x")
    with np.errstate(all="ignore"):
        assert np.isnan(gl.evaluate(op(x), {x: -1000.0}))
    assert "(1 - exp(-x)) / (1 + exp(-x))" in inspect.getdoc(gl.elementwise)


UNREAD = {
    "a number": lambda m, x, k: 3.0,
    "a whole number": lambda m, x, k: 3,
    "the second": lambda m, x, k: k * k,
    "the second or a number": lambda m, x, k: m.where(k > 0, k, 0.0),
}


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("name", UNREAD)
def test_an_operand_that_is_not_read_broadcasts_all_the_same(name, backend, precision, own):
    op = own(UNREAD[name])
    x, k = gl.input("x", ("batch", 3)), gl.input("k")
    total = gl.sum(op(x, k))
    nodes = (op(x, k), total, *gl.grad(total, (x, k), disconnected="zero"))
    assert op(x, k).type == x.type
    entry, slope = {"a number": (3, 0), "a whole number": (3, 0), "the second": (4, 4)}.get(name, (2, 1))
    found = gl.compile(nodes, backend=backend, precision=precision)(x=np.ones((2, 3)), k=2.0)
    for array, expected in zip(found, (np.full((2, 3), entry), 6 * entry, np.zeros((2, 3)), 6 * slope), strict=True):
        assert array.dtype == precision
        np.testing.assert_array_equal(array, expected, strict=False)
        assert array.shape == np.shape(expected)


def test_an_operand_that_is_not_read_leaves_the_dtype_and_the_numeric_gradients(own):
    op = own(UNREAD["the second"])
    short, k = gl.input("short", 3, dtype="float32"), gl.input("k")
    assert op(short, 2.0).dtype == "float32" == gl.evaluate(op(short, 2.0), {short: [1, 2, 3]}).dtype
    assert gl.evaluate(op(short, 2.0), {short: [1, 2, 3]}).tolist() == [4, 4, 4]
    at = {short: [1, 2, 3], k: 2.0}
    for method in ("central", "complex", "ridders"):
        assert gl.numeric_grad(gl.sum(op(short, k)), k, at=at, method=method) == pytest.approx(12)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        (lambda m, x: gl.sum(x), "entry by entry; got sum in it.*without gl.elementwise"),
        (lambda m, x: x * gl.cumsum(x), "entry by entry; got cumsum in it"),
        (lambda m, x: x * gl.input("w"), "of its operands and numbers alone; got <input w .*Make it an operand"),
        (lambda m, x: x * np.ones(3), "of its operands and numbers alone; got <constant .*Make it an operand"),
    ],
)
def test_what_is_not_computed_entry_by_entry_is_refused(formula, message, own):
    for options in ({}, {"kernel": lambda m, x: 2 * x}):
        op = own(formula, **options)
        with pytest.raises(gl.errors.GraphUseError, match=message):
            op(gl.input("x", 3))


@pytest.mark.parametrize("name", ["two words", "2x", "x-y", "lambda"])
def test_a_name_that_is_no_identifier_is_refused(name):
    with pytest.raises(gl.errors.GraphUseError, match=r"needs an identifier as its name.*'my_swish'"):
        gl.elementwise(name, formula=lambda m, x: 2 * x)
    assert name not in OPS


MASKED = {  # of a truth c and two reals: the formula, and the same of Python numbers with both derivatives
    "and": (lambda m, c, x, y: m.where(c & (x > 0), x * x * y, 0), lambda c, x, y: (2 * x * y, x * x, c and x > 0)),
    "or not": (lambda m, c, x, y: m.where(~c | (x > y), x * x * y, 0),
               lambda c, x, y: (2 * x * y, x * x, not c or x > y)),
    "xor": (lambda m, c, x, y: m.where(c ^ (x > 0), x * x * y, 0), lambda c, x, y: (2 * x * y, x * x, c != (x > 0))),
    "a factor too": (lambda m, c, x, y: m.where(c & (x > 0), c * x * x * y, 0),
                     lambda c, x, y: (2 * x * y, x * x, c and x > 0)),
}  # fmt: skip
TRUTHS = [True, True, False, False]
REALS = [1.5, -0.5, 2.0, -3.0]


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("name", MASKED)
def test_a_truth_may_be_combined_with_truths_of_reals(name, backend, precision, own):
    formula, told = MASKED[name]
    c, x, y = gl.input("c", ("batch",), dtype="bool"), gl.input("x", ("batch",)), gl.input("y")
    op = own(formula)
    slopes = gl.grad(gl.sum(op(c, x, y)), (x, y))
    nodes = (op(c, x, y), *slopes, gl.grad(gl.sum(slopes[0]), y))
    values = gl.compile(nodes, backend=backend, precision=precision)(c=TRUTHS, x=REALS, y=0.75)
    by_x, by_y, taken = map(np.array, zip(*[told(k, v, 0.75) for k, v in zip(TRUTHS, REALS, strict=True)], strict=True))
    kept = np.where(taken, 1.0, 0.0)
    for found, expected in zip(
        values, (kept * by_y * 0.75, kept * by_x, sum(kept * by_y), sum(kept * by_x / 0.75)), strict=True
    ):
        assert found.dtype == precision
        np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("name", MASKED)
def test_sympy_the_derivation_and_the_checks_take_truths_too(name, own):
    formula, told = MASKED[name]
    c, x, y = gl.input("c", dtype="bool"), gl.input("x"), gl.input("y")
    node = own(formula)(c, x, y).named("z")
    expression, slope = gl.to_sympy(node), gl.to_sympy(gl.grad(node, x))
    for truth, real in zip(TRUTHS, REALS, strict=True):
        by_x, by_y, taken = told(truth, real, 0.75)
        at = {"c": truth, "x": real, "y": 0.75}
        exact = {symbol: at[symbol.name] for symbol in expression.free_symbols | slope.free_symbols}
        assert float(expression.subs(exact)) == by_y * 0.75 * taken
        assert float(slope.subs(exact)) == by_x * taken
        for method in ("central", "complex", "ridders"):
            assert gl.numeric_grad(node, x, at=at, method=method) == pytest.approx(by_x * taken)
        assert "finite difference" in gl.derive(node, x, at=at).to_text()
    assert gl.cost(node).flops >= 4


def test_partials_of_a_formula_of_truths_are_judged(own):
    c, x = gl.input("c", dtype="bool"), gl.input("x")
    for factor, agrees in ((2, True), (2.002, False)):
        partials = (None, lambda m, c, x, z, factor=factor: m.where(c & (x > 0), factor * x, 0))
        op = own(lambda m, c, x: m.where(c & (x > 0), x * x, 0), partials=partials)
        assert bool(judged_ops([op(c, x)])) == agrees
        assert bool(refuted_ops([op(c, x)])) != agrees
        assert gl.evaluate(gl.grad(op(c, x), x), {c: True, x: 3.0}) == 3 * factor


def test_a_truth_that_only_chooses_or_counts_is_a_number_as_before(own):
    op = own(lambda m, c, d, x: m.where(c, (c + d) * x, m.exp(d)))
    c, d, x = gl.input("c", dtype="bool"), gl.input("d", dtype="bool"), gl.input("x", dtype="float32")
    assert op(c, d, x).dtype == "float32"
    assert gl.evaluate(op(c, d, x), {c: True, d: True, x: 3.0}) == 6


def test_a_real_where_a_formula_asks_for_a_truth_is_refused(own):
    op = own(lambda m, c, x: m.where(c & (x > 0), x, 0))
    with pytest.raises(gl.errors.GraphUseError, match=r"need truths.*logical_and"):
        op(gl.input("r"), gl.input("x"))


def test_whole_numbers_beside_a_truth_count_as_real(own):
    op = own(lambda m, c, k: m.where(c & (k > 1), m.exp(-k), 0))
    c, k = gl.input("c", dtype="bool"), gl.input("k", dtype="uint8")
    assert gl.evaluate(op(c, k), {c: True, k: 2}) == np.exp(-2.0)


SIGNS = {
    "a difference": (lambda m, x: x * ((x > 0) - (x < 0)), np.abs, np.sign),
    "a negation": (lambda m, x: x * -(x > 0), lambda x: -np.maximum(x, 0), lambda x: np.where(x > 0, -1, 0)),
    "of products": (lambda m, x: x * ((x > -1) * (x < 1) - (x > 1)), None, None),
}


@pytest.mark.parametrize("how", ["formula", "kernel"])
@pytest.mark.parametrize("name", SIGNS)
def test_truths_count_as_numbers_where_they_are_subtracted(name, how, own):
    formula, value, slope = SIGNS[name]
    op = own(formula, **({"kernel": formula} if how == "kernel" else {}))
    at = np.array([-1.5, -0.5, 0.0, 0.5, 3.0])
    x = gl.input("x", at.shape)
    nodes = [op(x), gl.grad(gl.sum(op(x)), x)]
    wanted = [np.array([-0.0, -0.5, 0, 0.5, -3]), [0, 1, 1, 1, -1]] if value is None else [value(at), slope(at)]
    for backend in ("numpy", "numba"):
        for found, right in zip(gl.compile(nodes, backend=backend)(x=at), wanted, strict=True):
            np.testing.assert_array_equal(found, right)
