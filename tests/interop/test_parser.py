"""Formulas as text: they build what Python would build of nodes, and every mistake is shown at its place."""

import random
import re

import numpy as np
import pytest

from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.errors import GraphLearnError, ParseError, ShapeError, UnknownNameError
from graphlearn.graph.scope import scope
from graphlearn.graph.traverse import leaves, symbols, topological
from graphlearn.interop.calls import names
from graphlearn.interop.parser import parse
from graphlearn.ops.algebra import FUNCTIONS, GRAPH

VALUES = {"a": 0.7, "b": 1.3, "c": -0.4, "x": 0.9, "w": 2.0}


def value(text, **given):
    node = parse(text)
    known = symbols(node)
    return evaluate(node, {name: v for name, v in {**VALUES, **given}.items() if name in known})


@pytest.mark.parametrize(
    "text",
    [
        "a + b*c", "(a + b)*c", "a - b - c", "a/b/c", "a/(b/c)", "a**b**c", "(a**b)**2", "-a**2", "(-a)**2", "a**-b",
        "2**-2", "-2**2", "--a", "+a", "a*-b", "a - -b", "1.5e-3*a", ".5 + 2.", "a*b + c/x - w**2", "a\n+\n b", " a ",
        "3", "-2.5", "a-1", "a -1", "2*(3 + 4)*a",
    ],
)  # fmt: skip
def test_arithmetic_groups_as_in_python(text):
    assert value(text) == pytest.approx(eval(text.replace("\n", " ").strip(), {}, dict(VALUES)), rel=1e-15)


@pytest.mark.parametrize("text", ["a < b", "a + 1 >= b*2", "not a < b", "a < b and b < 2 or c > 0", "a == b", "a != b"])
def test_conditions_group_as_in_python(text):
    assert value(text) == eval(text, {}, dict(VALUES))


def test_the_graph_is_the_one_that_python_builds():
    node = parse("sigmoid(w*x + b)")
    w, x, b = leaves([node])
    assert [n.full_name for n in (w, x, b)] == ["w", "x", "b"]
    assert node is GRAPH.sigmoid(w * x + b)
    product = parse("x**-2")
    assert product.op.name == "pow"
    assert product.inputs[1].attr("value").array == -2


def test_a_name_is_one_input_however_often_it_stands():
    node = parse("a*a + a")
    assert len(leaves([node])) == 1
    assert len(topological([node])) == 3


def test_every_elementwise_op_can_be_called():
    for name, function in FUNCTIONS.items():
        count = len(function.__signature__.parameters)
        node = parse(f"{name}({', '.join('abc'[:count])})")
        assert node.op.name == name
        assert len(node.inputs) == count
    assert value("where(a < b, a, b)") == 0.7
    assert value("maximum(a, minimum(b, c),)") == 0.7


def test_arrays_have_shapes_and_reductions_have_options():
    shapes = {"x": ("batch", 2), "W": (3, 2), "b": 3}
    z = parse("x @ W.T + b", shapes)
    assert z.shape == ("batch", 3)
    assert parse("softmax(x @ W.T + b, axis=-1)", shapes).attr("axis") == 1
    assert parse("mean(x, axis=0, keepdims=True)", {"x": (4, 2)}).shape == (1, 2)
    assert parse("sum(x, axis=(0, -1))", {"x": (4, 3, 2)}).shape == (3,)
    assert parse("max(x, axis=None)", {"x": (4, 2)}).shape == ()
    assert parse("logsumexp(x)", {"x": (4, 2)}).shape == (4,)
    assert parse("x.T.T", {"x": (4, 2)}).op.name == "transpose"
    assert parse("mean((p - t)**2)", {"p": ("n", 1), "t": ("n", 1)}).shape == ()


def test_pi_is_the_number_and_e_is_a_name():
    assert value("sin(pi/2)") == 1
    assert [leaf.full_name for leaf in leaves([parse("exp(e)")])] == ["e"]
    assert parse("pi", {"pi": 2}).shape == (2,)
    assert value("True + 1.5") == 2.5


def test_entries_are_taken_as_numpy_takes_them():
    array = np.arange(24.0).reshape(4, 3, 2)
    for text in ("x[0]", "x[-1, 1:3]", "x[::-1]", "x[..., 0]", "x[1:, None, ::2, -1]", "x[:, 2, :1]", "x[3:0:-2]",
                 "x[[0, 2, 0]]", "x[0, 1, 1]", "(x + 1)[0].T[1]", "x[0][1][1]", "x[:]", "x[ - 1 ]"):  # fmt: skip
        found = evaluate(parse(text, {"x": (4, 3, 2)}), {"x": array})
        np.testing.assert_array_equal(found, eval(text, {}, {"x": array}))
    assert parse("x[0, :]", {"x": (3, "n")}) is not None
    with pytest.raises(ShapeError, match="place within axis 0 of length 4; got 4") as caught:
        parse("1 + x[4]", {"x": (4,)})
    assert str(caught.value).endswith("\n  1 + x[4]\n       ^")


def test_operations_on_arrays_take_python_values():
    x = np.arange(6.0).reshape(2, 3)
    calls = {
        "reshape(x, (3, 2))": x.reshape(3, 2),
        "reshape(x, -1)": x.reshape(-1),
        "concatenate([x, 2*x, x[:1]], axis=0)": np.concatenate([x, 2 * x, x[:1]]),
        "stack((x, x + 1), axis=-1)": np.stack((x, x + 1), -1),
        'einsum("ij,kj->ik", x, x)': np.einsum("ij,kj->ik", x, x),
        "sum(x, axis=(0, -1))": x.sum(),
        "cumsum(x, axis=1)": x.cumsum(1),
        "pad(x, ((1, 0), (0, 2)), constant_values=1.5)": np.pad(x, ((1, 0), (0, 2)), constant_values=1.5),
        "take(x, [0, 0, 1], axis=0)": x[[0, 0, 1]],
        "split(x, [1], axis=1)[1]": x[:, 1:],
        "where(x > 2, x, -1)": np.where(x > 2, x, -1),
        "leaky_relu(x - 3, slope=0.5)": np.where(x > 3, x - 3, (x - 3) / 2),
        "clip(x, 1, 4)": x.clip(1, 4),
        "max(x, 3)": np.maximum(x, 3),
        "max(x, axis=0) - min(x, 3, 1)[0]": x.max(0) - np.minimum(x, 1)[0],
        "transpose(x, (1, 0)) @ x": x.T @ x,
        "x % 2": x % 2,
        "outer(x[0], x[1])": np.outer(x[0], x[1]),
        "cast(x, 'float32')": x,
        "norm(x)": np.linalg.norm(x),
    }
    for text, wanted in calls.items():
        np.testing.assert_allclose(evaluate(parse(text, {"x": (2, 3)}), {"x": x}), wanted, rtol=1e-15, err_msg=text)
    with pytest.raises(ParseError, match=r"⁻¹ may mean the inverse of a matrix; write inverse\(x\), or x\*\*-1"):
        parse("x⁻¹", {"x": (2, 2)})
    assert parse("inverse(x) @ x", {"x": (2, 2)}).shape == (2, 2)
    for text in ("sum(x, axis=y)", "sum(x, axis=1.5)"):
        with pytest.raises(ShapeError, match="sum needs whole numbers as axes"):
            parse(text, {"x": (2, 3)})
    with pytest.raises(ParseError, match=r"\n  1 \+ reshape\(x\)\n      \^"):
        parse("1 + reshape(x)", {"x": (2, 3)})


def test_the_signs_of_derivations_are_read():
    assert value("a² − 2·b⁻¹ × c") == pytest.approx(0.49 - 2 / 1.3 * -0.4)
    assert value("σ(0·a)") == 0.5 and value("√(w·w)") == 2 and value("|c| + |−|c||") == 0.8
    assert value("a ≤ b and b ≥ a and a ≠ b") and value("max(a, ∞)") == np.inf and value("-a²") == -(value("a") ** 2)
    assert parse("Wᵀ @ W", {"W": (3, 2)}).shape == (2, 2)
    assert value("h₁ + 1", **{"h₁": 2.0}) == 3


def test_names_may_be_korean_or_greek_and_belong_to_the_scope():
    with scope("층"):
        node = parse("σ1*입력 + β")
    assert [leaf.full_name for leaf in leaves([node])] == ["층/σ1", "층/입력", "층/β"]


def test_names_may_be_those_of_functions_if_they_have_shapes():
    assert parse("max + 1", {"max": ()}).inputs[0].full_name == "max"


MISTAKES = [
    ("", "the formula is empty", 0),
    ("   ", "the formula is empty", 0),
    ("2x", "an operator is missing between '2' and 'x'; a product needs *", 1),
    ("a b", "an operator is missing between 'a' and 'b'", 2),
    ("x^2", "'^' has no meaning in a formula. Write ** for a power", 1),
    ("y = x", "'=' cannot stand here. Write == for a comparison", 2),
    ("a[0,", "expected a number, a name or a bracket; the formula ends", 4),
    ("a[0", "expected ']' for the bracket opened at column 2", 3),
    ("a]", "this bracket closes nothing", 1),
    ("a[1:2:3:4]", "three numbers at most, start:stop:step", 8),
    ("a[]", "got ']'", 2),
    ("a & b", "Write 'and'", 2),
    ("'a'", "has no text, but for what a function such as einsum takes", 0),
    ("'a", "A text ends with the sign that it begins with", 0),
    ("a ? b", "'?' has no meaning", 2),
    ("a +", "expected a number, a name or a bracket; the formula ends", 3),
    ("a + * b", "expected a number, a name or a bracket; got '*'", 4),
    ("(a + b", "expected ')' for the bracket opened at column 1", 6),
    ("a + b)", "this bracket closes nothing", 5),
    ("sin(a", "expected ')' for the bracket opened at column 4", 5),
    ("sin(a b)", "expected ')'", 6),
    ("sin(,a)", "got ','", 4),
    ("sn(a)", "there is no function 'sn'. Did you mean sin?", 0),
    ("quux(a)", "there is no function 'quux'. Write an operation of gl or NumPy by its name", 0),
    ("sin + 1", "sin is a function; write sin(...)", 0),
    ("1 + maximum(a)", "maximum needs 2 operands; got 1", 4),
    ("max(a, b, axis=0)", "of several operands takes no options", 0),
    (
        "sum()",
        "dtype=None, keepdims=False, initial=None, where=True); missing a required argument: 'a'",
        0,
    ),
    ("sum(a, axes=0)", "got an unexpected keyword argument 'axes'", 0),
    ("sum(a, axis=0, axis=1)", "axis is given twice", 15),
    ("sin(a, axis=0)", "sin takes (x); got an unexpected keyword argument 'axis'", 0),
    ("sum(axis=0, a)", "an operand cannot follow an option", 12),
    ("a < b < c", "comparisons do not chain; write (a < b) and (b < c)", 6),
    ("a.shape", "the only attribute in a formula is .T", 1),
    ("a(b)", "there is no function 'a'", 0),
    ("(a)(b)", "an operator is missing between ')' and '('; a product needs *", 3),
    ("2(a)", "an operator is missing between '2' and '('", 1),
    ("2√a", "an operator is missing between '2' and '√'", 1),
    ("a²b", "an operator is missing between '2' and 'b'", 2),
    ("√a²", "write √(x**2) or (√x)**2, which are not the same", 0),
    ("√a**2", "write √(x**2) or (√x)**2, which are not the same", 0),
    ("√-a", "write √(...) for the root of more than one number or name", 0),
    ("1 + 1e400", "larger than any float64, 1.8e308; write inf", 4),
    ("9" * 400, "larger than any float64", 0),
    ("a * 1e-400", "smaller than any float64, 4.9e-324; write 0", 4),
    ("stack([a])[" + "1" * 40 + "]", "a whole number among options and indices has 18 digits at most", 11),
    ("grad(a)", "Build the formula first and write it around it in Python: gl.grad(gl.parse(...), ...)", 0),
    ("input(3)", "A name is an input by itself; its shape goes to shapes=", 0),
    ("ln(a)", "there is no function 'ln'. Did you mean log?", 0),
    ("b(2)", "for a product, b*(...)", 0),
    ("tanh²(a)", "write tanh(...), and tanh(x)² for a power", 0),
    ("np.sin(a)", "write functions and pi without np., as in sin(x)", 0),
    ("a + NaN", "'NaN' would be an input of that name; write nan", 4),
    ("None", "None stands only among options and indices", 0),
    ("½*a", "'½' has no meaning in a formula. Write (1/2).", 0),
    ("a | b", "Write 'or'; for an absolute value after a product, *|x|", 2),
    ("sin(30°)", "Angles are in radians", 6),
    ("lambda: a", "':' cannot stand here.", 6),
    ("a if b else c", "an operator is missing between 'a' and 'if'", 2),
    ("__import__('os')", "there is no function '__import__'", 0),
    ("σ1 + sigma1", "'sigma1' and 'σ1' are written alike; use one of them", 5),
    ("split(stack([a, b]), 2)", "split gives 2 arrays; choose one by its place, as in [0]", 0),
    ("split(stack([a, b]), 2)[2]", "there are 2 arrays; choose one by a whole number", 23),
    ("|a", "expected '|' for the bracket opened at column 1", 2),
    ("1.2.3", "an operator is missing between '1.2' and '.3'", 3),
    ("a,b", "',' cannot stand here", 1),
]


@pytest.mark.parametrize(("text", "message", "column"), MISTAKES, ids=[m[0][:20] or "empty" for m in MISTAKES])
def test_a_mistake_is_shown_at_its_place(text, message, column):
    with pytest.raises(ParseError, match=re.escape(message)) as caught:
        parse(text)
    *_, line, caret = str(caught.value).split("\n")
    shown = text if len(text) <= 100 else f"{text[:100]}…"
    assert line == f"  {shown}"
    assert caret == f"  {' ' * column}^"


def test_of_a_long_line_the_part_around_the_place_is_shown():
    with pytest.raises(ParseError) as caught:
        parse("a+" * 2000 + "$" + "+a" * 2000)
    _, line, caret = str(caught.value).split("\n")
    assert len(line) <= 106 and line[len(caret) - 1] == "$" and line.startswith("  …") and line.endswith("…")


def test_a_root_without_brackets_is_that_of_one_operand():
    at = {"a": 16.0, "b": 2.0}
    for text, wanted in (("√a*b", 8.0), ("2*√a + b", 10.0), ("√√a", 2.0), ("√|-a|", 4.0), ("-√4", -2.0), ("∛8", 2.0)):
        assert float(evaluate(parse(text), {n: v for n, v in at.items() if n in text})) == wanted
    assert evaluate(parse("√a[0]", {"a": 2}), {"a": [9.0, 4.0]}) == 3.0


def test_random_formulas_are_read_or_refused_in_our_words():
    generator = random.Random(3)
    signs = ["a", "b", "1", "2.5", *"-+*/@<()[]|√²,:", "**", "not", ".T"]
    operands = ["a", "b, a", "a, 0", "a, axis=0", "a, (1, 2)", "[a, a]", "", "a, None", "a, 'text'", "a[0], 1.5"]
    known = names()
    read = 0
    for _ in range(3000):
        calls = [f"{generator.choice(known)}({generator.choice(operands)})" for _ in range(2)]
        parts = [generator.choice(calls if generator.random() < 0.3 else signs) for _ in range(generator.randint(1, 6))]
        text = generator.choice(["", " "]).join(parts)
        try:
            parse(text, {"a": (3, 3)} if re.search(r"\ba\b", text) else None)
            read += 1
        except GraphLearnError as error:
            assert str(error).strip()
    assert read > 100


def test_the_place_is_found_in_a_text_of_several_lines_and_wide_letters():
    with pytest.raises(ParseError, match=r"opened in line 2 at column 3") as caught:
        parse("a +\n  (b *\n c")
    assert str(caught.value).endswith("\n   c\n    ^")
    with pytest.raises(ParseError) as caught:
        parse("입력 $")
    assert str(caught.value).endswith("\n  입력 $\n       ^")


def test_operands_that_do_not_fit_are_shown_at_the_operation():
    with pytest.raises(ShapeError, match="where 2 meets 3") as caught:
        parse("1 + x @ w", {"x": (4, 2), "w": (3, 2)})
    assert str(caught.value).endswith("\n  1 + x @ w\n        ^")
    with pytest.raises(ShapeError, match="rank 1 or more"):
        parse("softmax(a)")


def test_other_misuse():
    with pytest.raises(UnknownNameError, match=r"shapes names 'z'.*does not have. Its names are: a, b"):
        parse("a + b", {"z": 3})
    with pytest.raises(ParseError, match=r"as text; got int"):
        parse(3)
    with pytest.raises(ShapeError, match="input 'a' needs dimensions"):
        parse("a", {"a": -1})


NESTED = {
    "brackets": ("(", ")"), "sizes": ("|", "|"), "signs": ("-", ""), "not": ("not ", ""), "roots": ("√", ""),
    "calls": ("exp(", ")"), "powers": ("a**", ""), "with others beside": ("a + exp(", ")"),
    "right operands": ("exp(a < ", ")"),
}  # fmt: skip


@pytest.mark.parametrize("kind", NESTED)
def test_a_hundred_levels_are_read_and_no_more(kind):
    before, after = NESTED[kind]
    for inner in ("a", "(a + b * a)"[1:-1] if after else "a"):
        assert parse(before * 100 + inner + after * 100).shape == ()
    with pytest.raises(ParseError, match="nested deeper than 100 levels"):
        parse(before * 101 + "a" + after * 101)


def test_half_a_character_is_refused_in_words_that_can_be_printed():
    with pytest.raises(ParseError, match=r"'\\ud800' has no meaning in a formula") as caught:
        parse("\ud800+1")
    assert str(caught.value).encode("utf-8")


def test_deep_and_long_formulas_neither_crash_nor_hang():
    with pytest.raises(ParseError, match="nested deeper than 100 levels"):
        parse("(" * 5000 + "a" + ")" * 5000)
    with pytest.raises(ParseError, match="nested deeper than"):
        parse("-" * 5000 + "a")
    with pytest.raises(ParseError, match="nested deeper than"):
        parse("**".join("a" * 5000))
    for text in ("[" * 5000, "stack(" + "[" * 5000, "a" + "[a" * 5000, "sum(" * 5000, "|" * 5000, "√(" * 5000):
        with pytest.raises(ParseError, match=r"nested deeper than 100 levels|expected a number"):
            parse(text)
    with pytest.raises(ParseError, match="nested deeper than"):
        parse("a or a and a < a + a * exp(" * 99 + "a" + ")" * 99)
    with pytest.raises(ParseError, match=r"needs 100,000 characters at most; got 100,001. Build it from parts"):
        parse("a" + "+" * 100_000)
    assert parse("a" * 99_999).full_name == "a" * 99_999
    assert parse("(" * 60 + "a" + ")" * 60).full_name == "a"
    assert evaluate(parse("+".join(["a"] * 3000)), {"a": 1.0}) == 3000


def test_nothing_is_ever_evaluated():
    for text in ("__import__", "open", "eval", "exec"):
        assert parse(text).full_name == text
    assert np.isinf(value("9.0**9.0**9.0"))
