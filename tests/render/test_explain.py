"""What a derivation tells: openings, sums over paths, un-broadcasting, updates; its layout, and its languages."""

import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from rich.cells import cell_len

from graphlearn.errors import (
    MissingValueError,
    OptionError,
    ShapeError,
)
from graphlearn.graph.leaves import constant, input, parameter, state
from graphlearn.graph.op import OPS
from graphlearn.graph.scope import scope
from graphlearn.learn.losses import binary_cross_entropy, cross_entropy
from graphlearn.learn.optim import SGD, Adam
from graphlearn.ops.algebra import GRAPH
from graphlearn.ops.linear import matmul
from graphlearn.ops.reductions import mean, sum_
from graphlearn.render.document import Math, pieces, plain
from graphlearn.render.numbers import array_math
from graphlearn.teach.derivation import derive
from tests.render.told import formulas, inlines, numbers, rows, section, sentences, steps, words
from tests.teach import xor

VALUES, GRADIENTS = xor.by_hand()
NET = xor.graph()


def right_sides(step):
    return [row.right.text for row in rows(step)]


# --- openings, sums over paths, un-broadcasting ----------------------------------------------------------------------

x, t = input("x", ("batch", 2)), input("t", ("batch", 1))
labels = input("labels", ("batch",), "int64")
w, b, W, c = parameter("w", (2, 1)), parameter("b", ()), parameter("W", (2, 3)), parameter("c", (3,))
AT = {
    x: [[1.0, 2.0], [3.0, -1.0], [0.5, 0.2]],
    t: [[1.0], [0.0], [1.0]],
    labels: [2, 0, 1],
    w: [[0.3], [-0.7]],
    b: 0.2,
    W: [[0.1, -0.4, 0.3], [0.7, 0.2, -0.5]],
    c: [0.1, 0.0, -0.2],
}


def test_softmax_and_cross_entropy_reach_prediction_minus_target():
    z = (matmul(x, W) + c).named("z")
    derivation = derive(cross_entropy(z, labels).named("L"), [W, c], at=AT)
    scores = np.asarray(AT[x]) @ AT[W] + AT[c]
    e = np.exp(scores)
    p, target = e / e.sum(axis=1, keepdims=True), np.eye(3)[AT[labels]]
    slope = (p - target) / 3
    np.testing.assert_allclose(derivation.gradients["W"], np.asarray(AT[x]).T @ slope, rtol=1e-12)
    step = steps(derivation.document())["z"]
    assert plain(step.title) == "softmax + cross-entropy"
    assert right_sides(step)[0] == "Σᵢ ∂L/∂pᵢ · ∂pᵢ/∂z"
    assert "pᵢ·(δᵢⱼ − pⱼ)" in right_sides(step)
    textbook = next(row for row in rows(step) if "minus target" in plain(row.note))
    one_hot = next(name for name in steps_table(derivation) if name.startswith("t"))
    assert textbook.right.text == f"(p − {one_hot}) / N"
    assert rows(step)[-1].right.text == array_math(slope, width=130).text
    assert derivation.check().ok


def steps_table(derivation):
    """Name -> value of the forward table."""
    return {plain(row[0]): plain(row[-1]) for row in section(derivation.document(), "Forward pass")[-1].rows}


def test_one_hot_rows_are_shown_with_their_values():
    derivation = derive(cross_entropy((matmul(x, W) + c).named("z"), labels).named("L"), [W], at=AT)
    assert array_math(np.eye(3)[AT[labels]]).text in steps_table(derivation).values()


def test_targets_that_need_not_sum_to_one_are_not_called_prediction_minus_target():
    rows_of = input("rows", ("batch", 3))
    at = {**AT, rows_of: [[0.2, 0.3, 0.1], [1.0, 0.0, 0.0], [0.5, 0.5, 1.0]]}
    derivation = derive(cross_entropy((matmul(x, W) + c).named("z"), rows_of).named("L"), [W, c], at=at)
    assert derivation.check().ok
    step = steps(derivation.document())["z"]
    assert "minus target" not in derivation.to_text()
    assert "(p ⊙ sum(rows, axis=1) − rows) / N" in right_sides(step)


def test_the_derivative_by_the_target_is_another_way_and_is_not_opened():
    """It was told as ∂L/∂p ⊙ ∂p/∂t = (p − t) / N, with the right number below it."""
    derivation = derive(binary_cross_entropy((matmul(x, w) + b).named("z"), t).named("L"), [t], at=AT)
    step = steps(derivation.document())["t"]
    assert "-z / N".replace("-", "−") in right_sides(step)
    assert "∂p" not in "".join(right_sides(step))
    assert "minus target" not in "".join(plain(row.note) for row in rows(step))
    assert derivation.check().ok


def test_an_inner_value_that_is_used_elsewhere_too_has_one_adjoint_and_no_other_meaning():
    z = (matmul(x, w) + b).named("z")
    p = GRAPH.sigmoid(z).named("p")
    derivation = derive((binary_cross_entropy(z, t) + mean(p * p)).named("L"), [w, b], at=AT)
    found = steps(derivation.document())
    lefts = [row.left.text for row in rows(found["z"]) if row.left is not None]
    assert lefts == ["share₁", "share₂", "∂L/∂z"]
    assert "∂L/∂p ⊙ ∂p/∂z" in right_sides(found["z"])
    assert "(p − t) / N" in right_sides(found["z"]), "σ(z) is called p, as the user does"
    assert derivation.check().ok


def test_a_value_that_is_used_three_times_sums_three_paths_with_their_numbers():
    u, v = parameter("u", value=2.0), parameter("v", value=3.0)
    a = (u * v).named("a")
    derivation = derive((a * a + GRAPH.sin(a)).named("L"), at={})
    step = steps(derivation.document())["a"]
    assert plain(step.title) == "sum over all uses"
    notes = [plain(row.note) for row in rows(step) if row.left is not None and "share" in row.left.text]
    assert notes[0].startswith("sine, through sin(a)")
    assert notes[1:] == [f"product rule, through operand {k} of a·a" for k in (1, 2)]
    assert right_sides(step)[-3:] == ["share₁ + share₂ + share₃", "0.9602 + 6 + 6", "12.9602"]
    assert float(derivation.gradients["u"]) == pytest.approx(3 * (12 + np.cos(6.0)))


@pytest.mark.parametrize(
    ("shape", "formula", "why"),
    [
        ((3,), "Σₙ ∂L/∂z[n]", "s was used for all N rows, so its gradient sums over them."),
        ((), "Σ ∂L/∂z", "s was repeated to shape (N,3), so its gradient sums over the copies."),
        ((1, 3), "sum(∂L/∂z, axis=0)", "s was repeated to shape (N,3), so its gradient sums over the copies."),
        ((1, 1), "Σ ∂L/∂z", "s was repeated to shape (N,3), so its gradient sums over the copies."),
    ],
)
def test_undoing_a_broadcast_says_over_what_it_sums(shape, formula, why):
    s = parameter("s", shape, value=np.full(shape, 0.5))
    z = (matmul(x, W) + s).named("z")
    derivation = derive(sum_(GRAPH.tanh(z)).named("L"), [s], at=AT)
    step = steps(derivation.document())["s"]
    assert right_sides(step)[0] == formula
    assert why in sentences(step)
    slope = 1 - np.tanh(np.asarray(AT[x]) @ AT[W] + 0.5) ** 2
    expected = slope.sum(axis=0) if 3 in shape else slope.sum()
    np.testing.assert_allclose(np.ravel(derivation.gradients["s"]), np.ravel(expected), rtol=1e-12)


def test_undoing_a_broadcast_along_columns_names_the_axis():
    s = parameter("s", (2, 1), value=[[1.0], [2.0]])
    m = parameter("m", (2, 3), value=np.arange(6.0).reshape(2, 3) / 7)
    step = steps(derive(sum_(GRAPH.sin((m * s).named("z"))).named("L"), [s], at={}).document())["s"]
    assert right_sides(step)[-3].startswith("sum(") or any("axis=1" in text for text in right_sides(step))
    assert not any("Σₙ" in text for text in right_sides(step)), "it does not sum over rows"


def test_the_entries_of_a_vector_are_not_called_rows():
    s, v = parameter("s", value=2.0), parameter("v", value=[1.0, 2.0, 3.0])
    said = sentences(steps(derive(sum_(GRAPH.sin((v * s).named("z"))).named("L"), [s], at={}).document())["s"])
    assert not any("rows" in sentence for sentence in said)


def test_names_in_scopes_keep_their_path():
    with scope("hidden"):
        k = parameter("k", value=2.0)
        y = (k * k).named("y")
    derivation = derive(GRAPH.sin(y).named("L"), at={})
    assert list(derivation.gradients) == ["hidden/k"]
    assert "∂L/∂(hidden/y)" in derivation.to_text()


def test_an_adjoint_under_a_power_or_a_transpose_is_bracketed():
    m = parameter("m", (2, 3), value=np.arange(6.0).reshape(2, 3))
    y = (m.T @ constant(np.ones((2, 2)))).named("y")
    text = derive(sum_(GRAPH.square(y)).named("L"), m, at={}).to_text()
    assert not re.search(r"(?<!\()∂L/∂\w+ᵀ", text)


# --- updates ---------------------------------------------------------------------------------------------------------


def updates_section(derivation, heading="Update"):
    """Left-hand side -> the right-hand sides of its rows."""
    found, left = {}, ""
    for row in section(derivation.document(), heading)[-1].rows:
        left = row.left.text if row.left is not None else left
        found.setdefault(left, []).append(row.right.text)
    return found


def test_gradient_descent_is_told_with_its_numbers():
    updates = SGD(0.5).updates(NET.L, NET.wrt)
    derivation = derive(NET.L, NET.wrt, at=NET.at, updates=updates)
    told = updates_section(derivation)
    assert list(told) == ["W₁′", "b₁′", "W₂′", "b₂′"]
    assert told["b₂′"][0] == "b₂ − sgd/learning_rate·∂L/∂b₂"
    assert told["b₂′"][1] == f"[ 0.1500 ] − 0.5·{array_math(GRADIENTS['b2']).text}"
    for name, left in (("W1", "W₁′"), ("b1", "b₁′"), ("W2", "W₂′"), ("b2", "b₂′")):
        assert told[left][-1] == array_math(VALUES[name] - 0.5 * GRADIENTS[name], width=130).text
    korean = updates_section_korean(derivation)
    assert korean == told


def updates_section_korean(derivation):
    found, left = {}, ""
    for row in section(derivation.document("ko"), "갱신")[-1].rows:
        left = row.left.text if row.left is not None else left
        found.setdefault(left, []).append(row.right.text)
    return found


def test_adam_is_told_in_an_order_in_which_each_value_is_known():
    updates = Adam(0.1).updates(NET.L, [NET.W2])
    told = updates_section(derive(NET.L, NET.wrt, at=NET.at, updates=updates))
    assert list(told)[-1] == "W₂′", "the parameter comes last: it uses the moments"
    gradient = GRADIENTS["W2"]
    assert told["adam/m/W₂′"][0] == "adam/β₁·adam/m/W₂ + (1 − adam/β₁)·∂L/∂W₂"
    assert told["adam/m/W₂′"][-1] == array_math(0.1 * gradient, width=130).text
    assert told["adam/v/W₂′"][0] == "adam/β₂·adam/v/W₂ + (1 − adam/β₂)·(∂L/∂W₂)²"
    assert told["adam/v/W₂′"][-1] == array_math(0.001 * gradient**2, width=130).text
    assert told["adam/step′"] == ["adam/step + 1", "0 + 1", "1"]
    assert told["adam/rate"][0] == "adam/learning_rate·√(adam/correction₂) / adam/correction₁"
    assert told["adam/correction₁"][-1] == "0.1000"
    assert told["W₂′"][0] == "W₂ − adam/rate·adam/m/W₂′ / (√(adam/v/W₂′) + adam/floor)"
    first = VALUES["W2"] - 0.1 * gradient / (np.abs(gradient) + 1e-8)
    assert told["W₂′"][-1] == array_math(first, width=130).text


def test_momentum_starts_from_the_state_that_is_given():
    updates = SGD(0.1, momentum=0.9).updates(NET.L, [NET.b2])
    at = {**NET.at, "sgd/learning_rate": 0.1, "sgd/momentum": 0.9, "sgd/velocity/b2": [1.0]}
    told = updates_section(derive(NET.L, at=at, updates=updates))
    assert told["sgd/velocity/b₂′"][-1] == array_math(0.9 + GRADIENTS["b2"]).text
    assert told["b₂′"][-1] == array_math(VALUES["b2"] - 0.1 * (0.9 + GRADIENTS["b2"])).text


def test_hyperparameters_are_the_optimizers_own_unless_others_are_given():
    updates = SGD(0.5).updates(NET.L, [NET.b2])
    for at, rate in ((NET.at, 0.5), ({**NET.at, "sgd/learning_rate": 2.0}, 2.0)):
        told = updates_section(derive(NET.L, at=at, updates=updates))
        assert told["b₂′"][-1] == array_math(VALUES["b2"] - rate * GRADIENTS["b2"]).text
    bare = derive(NET.L, updates=updates)
    assert updates_section(bare) == {"b₂′": ["b₂ − sgd/learning_rate·∂L/∂b₂"]}, "without values there are only formulas"
    with pytest.raises(MissingValueError, match="'rate'"):
        derive(NET.L, at=NET.at, updates={NET.b2: NET.b2 * input("rate")})


def test_an_update_of_ones_own_may_use_what_the_graph_computes():
    count = state("count", (), 3.0)
    derivation = derive(NET.L, NET.wrt, at=NET.at, updates={count: count + NET.L, NET.b2: NET.b2 * 0.5})
    told = updates_section(derivation)
    assert told["count′"] == ["count + L", f"3 + {array_math(VALUES['L']).text}", array_math(3 + VALUES["L"]).text]
    assert told["b₂′"][0] == "b₂·0.5"


@pytest.mark.parametrize(
    ("updates", "error", "message"),
    [
        ({NET.x: NET.x * 2}, OptionError, "updates need parameter or state -> next value.*<input x"),
        ({NET.b2: 0.5}, OptionError, "updates need parameter or state.*0.5"),
        ({"b2": NET.b2}, OptionError, "updates need parameter or state.*'b2'"),
        ({NET.b2: NET.W2}, ShapeError, "an update needs a value of the shape of its leaf.*Reshape"),
    ],
)
def test_updates_that_are_none_are_refused(updates, error, message):
    with pytest.raises(error, match=message):
        derive(NET.L, at=NET.at, updates=updates)


# --- layout ----------------------------------------------------------------------------------------------------------

LANGUAGES = ("en", "ko")
WHOLE = derive(NET.L, NET.wrt, at=NET.at, updates=Adam(0.1).updates(NET.L, NET.wrt))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", [40, 60, 80, 100, 120])
def test_no_line_is_wider_than_the_page(language, width):
    """Below 80 cells a name such as adam/correction₂ in a call is one word that is too wide; nothing else is."""
    told = WHOLE if width >= 80 else derive(NET.L, NET.wrt, at=NET.at)
    lines = told.to_text(language, width=width).splitlines()
    assert max(map(cell_len, lines)) == width, "the rules below headings are as wide as the page"
    assert not any(line != line.rstrip() for line in lines)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", [80, 100, 120])
def test_the_equal_signs_of_a_step_stand_below_each_other(language, width):
    """By display cells, where a Hangul syllable takes two."""
    lines = WHOLE.to_text(language, width=width).splitlines()
    last = 0
    for step in steps(WHOLE.document(language)).values():
        columns = set()
        for row in rows(step):
            first = row.right.text.split("  ")[0][:12]
            left = re.escape(row.left.text) + " *" if row.left is not None else " *"
            pattern = re.compile(rf"(^|.* ){left}= {re.escape(first)}")
            last = next(k for k in range(last, len(lines)) if pattern.match(lines[k]))
            columns.add(cell_len(pattern.match(lines[last]).group().removesuffix(f"= {first}")))
        assert len(columns) == 1, plain(step.title)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_formula_and_number_of_the_document_reaches_the_text(language):
    text = re.sub(r"\s+", "", WHOLE.to_text(language, width=100))
    for step in steps(WHOLE.document(language)).values():
        for row in rows(step):
            assert re.sub(r"\s+", "", row.right.text) in text
            assert re.sub(r"\s+", "", plain(row.check)) in text
        assert re.sub(r"\s+", "", plain(step.title))[:6] in text


def test_shapes_stand_at_the_right_edge():
    lines = WHOLE.to_text(width=100).splitlines()
    for shape in ("(N,1)", "(2,N)(N,3) = (2,3)", "(N,1)(1,3) = (N,3)", "(3,N)(N,1) = (3,1)"):
        assert any(line.endswith(f"   {shape}") and cell_len(line) == 100 for line in lines), shape


# --- languages -------------------------------------------------------------------------------------------------------

# What no translation changes: names of operations in the list of those judged, and of libraries and functions.
NAMES = {"bce", "add", "tanh", "SymPy", "ReLU", "relu"}


def everything():
    """Derivations that between them use most sentences."""
    v = parameter("v", value=[-1.0, 0.0, 2.0])
    z = (matmul(x, W) + c).named("z")
    shared = (b * b).named("a")
    return [
        WHOLE,
        derive(NET.L, NET.wrt),
        derive(cross_entropy(z, labels).named("L"), [W, c], at=AT),
        derive(sum_(GRAPH.relu(v) + GRAPH.maximum(v, 1)).named("L"), [v], at={}),
        derive((shared * GRAPH.exp(shared)).named("L"), b, at={b: 0.3}),
        derive(GRAPH.log(b).named("L"), b, at={b: -1.0}),
        derive(NET.L, [NET.x], at=NET.at, simplify=False),
    ]


@pytest.mark.parametrize("k", range(7))
def test_korean_has_no_english_word_but_names(k):
    for piece in words(everything()[k].document("ko")):
        found = set(re.findall(r"[A-Za-z]{2,}", piece)) - NAMES
        assert not found - set(OPS), piece


@pytest.mark.parametrize("k", range(7))
def test_english_has_no_korean(k):
    assert not any(re.search("[가-힣]", piece) for piece in words(everything()[k].document("en")))


@pytest.mark.parametrize("k", range(7))
def test_both_languages_have_the_same_formulas_and_numbers(k):
    derivation = everything()[k]
    english, korean = derivation.document("en"), derivation.document("ko")
    assert Counter(formulas(english)) == Counter(formulas(korean))
    # English writes one and zero as words where Korean has digits.
    said = [Counter(n for piece in words(d) for n in numbers(piece) if n > 1) for d in (english, korean)]
    assert said[0] == said[1]
    assert english.language == "en"
    assert korean.language == "ko"


def test_no_particle_follows_a_formula_in_a_finished_sentence():
    for derivation in everything():
        for inline in inlines(derivation.document("ko")):
            for one, other in pairwise(pieces(inline)):
                if isinstance(one, Math) and isinstance(other, str):
                    assert not re.match(r"(은|는|이|가|을|를|와|과|의|로|으로|에)(?![가-힣])", other), plain(inline)


def test_every_formula_has_a_latex_form_with_balanced_braces():
    for derivation in everything():
        for inline in inlines(derivation.document()):
            for math in (piece for piece in pieces(inline) if isinstance(piece, Math)):
                bare = re.sub(r"\\[{}]", "", math.latex)
                assert bare.count("{") == bare.count("}"), math
                assert math.latex.count(r"\left") == math.latex.count(r"\right") + math.latex.count(r"\leftarrow"), math
                assert bool(math.latex) == bool(math.text)
                assert not re.search("[₀-₉ᵢⱼᵀ⊙σ∂Σ·√⁻]", math.latex), math
