"""SymPy: graphs become expressions and back, with equal values; formulas run over its algebra."""

import itertools
import math

import numpy as np
import pytest
import sympy

from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.calculus.gradient import grad
from graphlearn.calculus.scalarize import scalarize
from graphlearn.errors import DTypeError, NameClashError, ShapeError, UnsupportedOp
from graphlearn.graph.leaves import constant, input, parameter, state
from graphlearn.graph.op import Notation, Op
from graphlearn.graph.scope import scope
from graphlearn.graph.traverse import symbols
from graphlearn.interop.parser import parse
from graphlearn.interop.sympy_algebra import SYMPY, derivative, expression
from graphlearn.interop.sympy_graph import from_sympy, to_sympy
from graphlearn.ops.intrinsics import equal, tanh
from graphlearn.ops.reductions import mean, sum_
from graphlearn.ops.shape import cast
from graphlearn.ops.structural import build
from tests.laws.operands import ALL_OPS, ELEMENTWISE, arity, is_condition

x, y = sympy.symbols("x y", real=True)
VALUES = {"x": 0.7, "y": 1.3, "z": 0.4}


def test_leaves_become_real_symbols_of_their_full_names():
    with scope("hidden1"):
        w = parameter("w", ())
    expr = to_sympy(w * input("x") + state("s", (), 0.0))
    assert expr.free_symbols == {sympy.Symbol(name, real=True) for name in ("hidden1/w", "x", "s")}
    assert to_sympy(input("flag", (), "bool")) == sympy.Symbol("flag")


@pytest.mark.parametrize("op", ELEMENTWISE.values(), ids=list(ELEMENTWISE))
def test_every_elementwise_op_has_an_expression_of_equal_value(op):
    names = ["x", "y", "z"][: arity(op)]
    leaves = [input(n, (), "bool" if is_condition(op, k) else "float64") for k, n in enumerate(names)]
    moved = max(0.0, op.domain[0] - VALUES["x"])  # into the domain of acosh
    values = [True if is_condition(op, k) else VALUES[n] + moved for k, n in enumerate(names)]
    if op.name == "guarded":
        values[1] = values[2]  # what stands in is equal
    from graphlearn.graph.node import apply

    node = apply(op, *leaves)
    expr = to_sympy(node)
    found = expr.subs({s: v for s, v in zip(map(to_sympy, leaves), values, strict=True)}, simultaneous=False)
    assert float(bool(found) if node.dtype == "bool" else found) == pytest.approx(
        float(evaluate(node, dict(zip(leaves, values, strict=True)))), rel=1e-14
    )


def test_numbers_are_exact_where_it_helps():
    node = parse("x**2 / 4 + 0.5*x + 2.0")
    assert to_sympy(node) == x**2 / 4 + x / 2 + 2
    assert to_sympy(parse("0.1*x")) == 0.1 * x
    assert to_sympy(constant(math.inf)) == sympy.oo
    assert to_sympy(constant(math.nan)) is sympy.nan
    assert to_sympy(constant(1 / 3)).is_Float


def test_gradients_agree_with_sympys():
    node = parse("tanh(x*y) / (1 + exp(-x)) + y**3")
    expr = to_sympy(node)
    for name in ("x", "y"):
        ours = to_sympy(grad(node, symbols(node)[name]))
        difference = ours - sympy.diff(expr, sympy.Symbol(name, real=True))
        assert abs(difference.subs(VALUES).evalf(30, subs={x: "0.7", y: "1.3"})) < 1e-25


def test_arrays_are_refused_and_scalar_reductions_pass():
    v = input("v", 3)
    with pytest.raises(ShapeError, match=r"got <input v float64\[3\]>. Write the graph out first: gl.scalar"):
        to_sympy(sum_(v))
    s = input("x")
    assert to_sympy(sum_(mean(s)) + cast(cast(s, "float32"), "float64")) == 2 * x
    assert [to_sympy(cast(s, "int64")).subs(x, v) for v in (1.5, -1.5)] == [1, -1]
    assert to_sympy(cast(cast(s, "bool"), "float64")).subs(x, 0) == 0
    odd = Op("odd", "structural", lambda types: types[0], Notation("", "odd({0})"), reference=np.asarray)
    with pytest.raises(UnsupportedOp, match="no expression for <odd float64"):
        to_sympy(build(odd, [s]))
    with pytest.raises(NameClashError):
        to_sympy(input("x") + input("x"))


@pytest.mark.parametrize(
    "expr",
    [
        x + y, x - y, -x, -2 * x, x / y, 1 / x, -1 / x, x / 2, 2 * x / (3 * y), x**2, x**3, 1 / x**2, sympy.sqrt(x),
        1 / sympy.sqrt(x), x**y, x**0.3, sympy.exp(-x), x * sympy.exp(-y) / (1 + sympy.exp(-y)) ** 2, sympy.log(x) * 3,
        sympy.atan2(y, x) + sympy.atan(x) - sympy.asinh(y), sympy.asin(x) * sympy.acos(x), sympy.acosh(y),
        sympy.atanh(x), sympy.erfc(x),
        sympy.sin(x) + sympy.cos(y) - sympy.tan(x), sympy.tanh(x), sympy.sinh(x) * sympy.cosh(y), sympy.erf(x),
        sympy.Abs(x - y), sympy.sign(x - y), sympy.Max(x, y, 1), sympy.Min(x, y, 1), sympy.pi * x, sympy.E - x,
        sympy.Rational(1, 3) * x, sympy.Float("0.1") + x, sympy.Integer(3), sympy.Integer(10) ** 30 * x,
        sympy.Piecewise((x, x > 1), (y, x > 0), (3, True)), sympy.Piecewise((x, sympy.And(x > 0, y > 1)), (y, True)),
        sympy.Piecewise((1, sympy.Or(x < 0, sympy.Ne(y, 2))), (0, True)), sympy.sqrt(x) / sympy.sqrt(y), x - 3, x + 0,
    ],
    ids=str,
)  # fmt: skip
def test_expressions_become_graphs_of_equal_value(expr):
    node = from_sympy(expr)
    names = symbols(node)
    assert set(names) == {s.name for s in expr.free_symbols}
    found = float(evaluate(node, {name: VALUES[name] for name in names}))
    assert found == pytest.approx(float(expr.subs(VALUES).evalf(subs={x: 0.7, y: 1.3})), rel=1e-14)
    again = to_sympy(node)
    assert float(again.evalf(subs={x: 0.7, y: 1.3})) == pytest.approx(found, rel=1e-14)


@pytest.mark.parametrize("expr", [sympy.floor(3 * x) - sympy.ceiling(3 * y), sympy.Mod(y, x)], ids=str)
def test_steps_become_graphs_of_equal_value(expr):
    at = {x: sympy.Rational(7, 10), y: sympy.Rational(13, 10)}
    node = from_sympy(expr)
    assert evaluate(node, {"x": 0.7, "y": 1.3}) == pytest.approx(float(expr.subs(at)), rel=1e-14)
    again = to_sympy(node).subs({sympy.Symbol(s.name, real=True): v for s, v in at.items()})
    assert float(again) == float(expr.subs(at))


@pytest.mark.parametrize(("a", "b"), list(itertools.product([True, False], repeat=2)))
def test_comparisons_of_truths_are_equivalence_and_exclusive_or(a, b):
    c, d = input("c", dtype="bool"), input("d")
    at = {sympy.Symbol("c"): a, sympy.Symbol("d", real=True): 1 if b else -1}
    for node, expected in ((c ^ (d > 0), a != b), (equal(c, d > 0), a == b)):
        assert bool(to_sympy(node).subs(at)) == expected


def test_the_derivative_of_steps_is_that_between_them():
    real = sympy.Symbol("x", real=True)
    assert derivative(real * sympy.floor(2 * real + 1) + sympy.ceiling(real), real) == sympy.floor(2 * real) + 1


def test_relations_and_truth_become_bools():
    assert from_sympy(x < y).dtype == "bool"
    assert from_sympy(sympy.true).dtype == "bool"
    assert from_sympy(sympy.Not(sympy.Eq(x, y))).op.name in ("not_equal", "logical_not")


def test_a_piecewise_that_leaves_a_gap_is_nan_there():
    node = from_sympy(sympy.Piecewise((x, x > 1)))
    assert math.isnan(evaluate(node, {"x": 0.0}))
    assert evaluate(node, {"x": 2.0}) == 2


def test_minus_signs_become_differences():
    assert from_sympy(x - y).op.name == "sub"
    assert from_sympy(-x * y).op.name == "neg"
    assert from_sympy(sympy.tanh(x) ** 2).op.name == "square"


def test_arrays_of_expressions_become_arrays():
    matrix = sympy.Matrix([[x + y, x], [y, 1]])
    node = from_sympy(matrix)
    assert node.shape == (2, 2) and list(symbols(node)) == ["x", "y"]
    np.testing.assert_allclose(evaluate(node, {"x": 0.7, "y": 1.3}), [[2.0, 0.7], [1.3, 1.0]])
    cube = from_sympy(sympy.Array([[[x], [y]]]))
    assert cube.shape == (1, 2, 1)
    assert from_sympy(sympy.Array(x * 2)).shape == ()
    assert from_sympy(sympy.zeros(0, 2)).shape == (0, 2)


def test_arrays_of_nodes_become_arrays():
    w, v = parameter("w", (2, 2)), input("v", 2)
    expr = to_sympy(scalarize(tanh(v @ w)))
    a, b, c, d = (sympy.Symbol(name, real=True) for name in ("v[0]", "w[0,1]", "v[1]", "w[1,1]"))
    assert expr.shape == (2,) and expr[1] == sympy.tanh(a * b + c * d)
    again = from_sympy(expr)
    at = {"v[0]": 0.1, "v[1]": 0.2, "w[0,0]": 1.0, "w[0,1]": 2.0, "w[1,0]": 3.0, "w[1,1]": 4.0}
    np.testing.assert_allclose(evaluate(again, at), np.tanh([0.7, 1.0]))


@pytest.mark.parametrize("expr", [
    sympy.sec(x) + sympy.csc(y), sympy.cot(x) * sympy.sech(y), sympy.csch(x) - sympy.coth(y), sympy.frac(3 * x),
    sympy.Heaviside(x - y), sympy.Heaviside(y - x, 1), sympy.Heaviside(x), sympy.Heaviside(x - x * 1),
], ids=str)  # fmt: skip
def test_relatives_of_our_functions_are_written_with_them(expr):
    assert float(evaluate(from_sympy(expr), {n: VALUES[n] for n in map(str, expr.free_symbols)})) == pytest.approx(
        float(expr.subs({x: 0.7, y: 1.3})), rel=1e-14
    )


def test_numbers_that_are_named_are_exact():
    assert to_sympy(parse("sin(pi*x)")) == sympy.sin(sympy.pi * x)
    assert to_sympy(constant(-math.sqrt(2))) == -sympy.sqrt(2)
    assert to_sympy(constant(math.log(2))) == sympy.log(2)


def test_names_with_slashes_are_put_into_scopes():
    assert list(symbols(from_sympy(sympy.Symbol("hidden1/w") * 2))) == ["hidden1/w"]
    with scope("outside"):
        assert list(symbols(from_sympy(x + 1))) == ["x"]


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ("x + 1", DTypeError, r"For text use gl\.parse"),
        (None, DTypeError, "needs a SymPy expression"),
        (sympy.MatrixSymbol("M", 2, 2), DTypeError, "an expression, or a Matrix or Array of them; got MatrixSymbol"),
        (sympy.Matrix([[sympy.I]]), DTypeError, "a real expression; got I"),
        (sympy.DiracDelta(x), UnsupportedOp, "no operation for DiracDelta"),
        (sympy.I * x, DTypeError, "a real expression; got I"),
        (sympy.zoo + x, DTypeError, "a real expression"),
        (sympy.gamma(x), UnsupportedOp, "no operation for gamma in gamma"),
        (sympy.Function("f")(x), UnsupportedOp, "no operation for f"),
        (sympy.Integral(x, x), UnsupportedOp, "no operation for"),
        (sympy.Symbol("x") + x, NameClashError, "two called 'x' with different assumptions"),
    ],
    ids=str,
)
def test_what_graphs_do_not_have_is_refused(wrong, error, message):
    with pytest.raises(error, match=message):
        from_sympy(wrong)


def test_deep_graphs_are_converted_without_recursion():
    node = constant(1.0) * input("x")
    for k in range(400):
        node = node + k * 0.5 if k % 2 else node * 1.0
    assert to_sympy(node) == x + sum(k * sympy.Rational(1, 2) for k in range(1, 400, 2))


def test_the_algebra_refuses_what_it_does_not_know():
    with pytest.raises(UnsupportedOp, match=r"m\.matmul, which SymPy has no expression for"):
        SYMPY.matmul(x, y)
    with pytest.raises(UnsupportedOp, match="sum has no formula"):
        expression(ALL_OPS["sum"], x)
    assert not hasattr(SYMPY, "__wrapped__")
    assert SYMPY.sigmoid(x) == 1 / (1 + sympy.exp(-x))
    assert SYMPY.logical_not(x) == sympy.Eq(x, 0)


def test_what_is_not_carried_out_is_named_itself():
    x, k = sympy.Symbol("x", real=True), sympy.Symbol("k")
    for expr, name in ((sympy.Derivative(sympy.sin(x), x), "Derivative"), (sympy.Sum(x**k, (k, 1, 3)), "Sum")):
        with pytest.raises(UnsupportedOp, match=rf"from_sympy has no operation for {name} in {name}.*expr\.doit\(\)"):
            from_sympy(expr)


def test_roots_of_whole_numbers_are_exact():
    for square in (2, 3, 5, 7, 1023):
        for number, exact in ((square**0.5, sympy.sqrt(square)), (-1 / square**0.5, -1 / sympy.sqrt(square))):
            assert to_sympy(constant(number)) == exact
    assert to_sympy(constant(3**0.5 + 1e-12)).is_Float
