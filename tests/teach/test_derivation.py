"""derive: the XOR network row by row against NumPy, what may be asked for, bad input, size."""

import re
import sys

import numpy as np
import pytest
from rich.cells import cell_len

from graphlearn.errors import (
    DataError,
    DisconnectedError,
    GraphUseError,
    MissingValueError,
    NameClashError,
    OptionError,
    ShapeError,
    UnknownNameError,
)
from graphlearn.graph.leaves import input, parameter
from graphlearn.learn.model import Model
from graphlearn.ops.algebra import GRAPH
from graphlearn.ops.reductions import mean, sum_
from graphlearn.ops.shape import cast
from graphlearn.render.document import plain
from graphlearn.render.numbers import array_math
from graphlearn.teach.derivation import Derivation, derive
from tests.render.told import headings, rows, section, sentences, steps
from tests.teach import xor

VALUES, GRADIENTS = xor.by_hand()
NET = xor.graph()
DERIVATION = derive(NET.L, NET.wrt, at=NET.at)


def right_sides(step):
    return [row.right.text for row in rows(step)]


# --- the XOR network -------------------------------------------------------------------------------------------------


def test_the_gradients_are_numpys():
    assert list(DERIVATION.gradients) == ["W1", "b1", "W2", "b2"]
    for name, gradient in DERIVATION.gradients.items():
        np.testing.assert_allclose(gradient, GRADIENTS[name], rtol=1e-12, atol=1e-15)


def test_every_row_prints_numpys_numbers_and_a_passed_check():
    found = steps(DERIVATION.document())
    assert set(found) == {"L", "z2", "b2", "W2", "h", "z1", "b1", "W1"}
    for name, step in found.items():
        last = rows(step)[-1]
        assert last.right.text == array_math(GRADIENTS[name], width=130).text, name
        if name != "L":
            assert plain(last.check) == "✓ finite difference < 1e-9"


def test_the_forward_table_has_every_value_definition_and_shape():
    table = section(DERIVATION.document(), "Forward pass")[-1]
    found = {plain(row[0]): [plain(cell) for cell in row[1:]] for row in table.rows}
    subscripts = str.maketrans("12", "₁₂")
    for name in ("x", "W1", "b1", "z1", "h", "W2", "b2", "z2", "t", "p", "L"):
        assert found.pop(name.translate(subscripts))[2] == array_math(VALUES[name], width=130).text, name
    assert not found
    by_name = {plain(row[0]): tuple(plain(cell) for cell in row[1:3]) for row in table.rows}
    assert by_name["z₁"] == ("x W₁ + b₁", "(N,3)")
    assert by_name["h"] == ("tanh(z₁)", "(N,3)")
    assert by_name["p"] == ("σ(z₂)", "(N,1)")
    assert by_name["W₁"] == ("parameter", "(2,3)")
    assert by_name["x"] == ("input", "(N,2)")


def test_each_row_names_its_rule_its_local_derivative_and_how_the_shapes_combine():
    found = steps(DERIVATION.document())
    assert plain(found["z1"].title) == "hyperbolic tangent"
    assert right_sides(found["z1"])[:2] == ["∂L/∂h ⊙ ∂h/∂z₁", "∂L/∂h ⊙ (1 − h²)"]
    upstream = array_math(GRADIENTS["h"], width=130).text
    assert right_sides(found["z1"])[2] == f"{upstream} ⊙ (1 − {array_math(VALUES['h'], width=130).text}²)"
    assert plain(found["W1"].title) == "matrix product, right factor"
    assert right_sides(found["W1"])[0] == "xᵀ ∂L/∂z₁"
    assert rows(found["W1"])[0].shape.text == "(2,N)(N,3) = (2,3)"
    assert plain(found["h"].title) == "matrix product, left factor"
    assert right_sides(found["h"])[0] == "∂L/∂z₂ W₂ᵀ"
    assert rows(found["h"])[0].shape.text == "(N,1)(1,3) = (N,3)"
    because = "because (h W₂)[n,k] = Σⱼ h[n,j] W₂[j,k], so ∂L/∂h[n,j] = Σₖ ∂L/∂z₂[n,k] W₂[j,k]."
    assert because in sentences(found["h"])
    assert plain(found["b1"].title) == "broadcast addition"
    assert right_sides(found["b1"])[0] == "Σₙ ∂L/∂z₁[n]"
    assert "b₁ was used for all N rows, so its gradient sums over them." in sentences(found["b1"])


def test_sigmoid_and_cross_entropy_reach_prediction_minus_target_by_recorded_rules():
    step = steps(DERIVATION.document())["z2"]
    assert plain(step.title) == "sigmoid + binary cross-entropy"
    whole = "(1 / N) · (p − t) / (p ⊙ (1 − p))"
    assert right_sides(step)[:5] == ["∂L/∂p ⊙ ∂p/∂z₂", whole, "p ⊙ (1 − p)", f"{whole} ⊙ (p ⊙ (1 − p))", "(p − t) / N"]
    note = plain(rows(step)[4].note)
    assert note == "prediction minus target; simplified: common factor cancelled, divisor moved to the end"
    assert plain(rows(step)[1].note) == "derivative of −(t ⊙ log(p) + (1 − t) ⊙ log(1 − p))"
    p, t = (array_math(VALUES[name]).text for name in "pt")
    assert right_sides(step)[5] == f"({p} − {t}) / 4"


def test_the_reading_says_what_the_largest_entry_means():
    for name in ("W1", "b1", "W2", "b2"):
        gradient = GRADIENTS[name]
        index = np.unravel_index(np.argmax(np.abs(gradient)), gradient.shape)
        said = next(s for s in sentences(steps(DERIVATION.document())[name]) if s.startswith("Reading"))
        entry = f"{name[0]}{'₁₂'[int(name[1]) - 1]}[{','.join(map(str, index))}]"
        assert f"moving {entry} by +0.01 changes L by about" in said
        change = said.split("about ")[1].split(";")[0].replace("−", "-")
        assert float(change) == pytest.approx(gradient[index] / 100, rel=6e-3)
        assert said.endswith(f"moves {entry} {'down' if gradient[index] > 0 else 'up'}.")


def test_closed_forms_and_summary():
    document = DERIVATION.document()
    forms = {row.left.text: row.right.text for row in section(document, "In one line")[0].rows}
    assert forms == {
        "∂L/∂W₁": "xᵀ ((p − t) W₂ᵀ ⊙ (1 − h²)) / N",
        "∂L/∂b₁": "sum((p − t) W₂ᵀ ⊙ (1 − h²), axis=0) / N",
        "∂L/∂W₂": "hᵀ (p − t) / N",
        "∂L/∂b₂": "sum(p − t, axis=0) / N",
    }
    table = section(document, "Gradients")[0]
    assert [plain(row[2]) for row in table.rows] == [array_math(GRADIENTS[w.name], width=130).text for w in NET.wrt]
    assert {plain(row[3]) for row in table.rows} == {"✓ finite difference < 1e-9"}
    verdict = " ".join(plain(block.text) for block in section(document, "Checked"))
    assert "7 of 7 adjoints agree with central finite differences, < 1e-9." in verdict
    assert "Numbers that were compared one by one: 41." in verdict
    assert (
        "Local derivatives against SymPy: sigmoid + binary cross-entropy, broadcast addition, hyperbolic tangent."
        in verdict
    )
    assert plain(document.aside) == "N = 4, 13 parameters"
    assert DERIVATION.check().ok
    assert bool(DERIVATION.check())
    assert str(DERIVATION.check()).startswith("every adjoint agrees with finite differences")


# --- detail, simplify, no values -------------------------------------------------------------------------------------


def steps_table(derivation):
    """Name -> value of the forward table."""
    return {plain(row[0]): plain(row[-1]) for row in section(derivation.document(), "Forward pass")[-1].rows}


def test_a_summary_has_the_table_and_the_checks_alone():
    brief = derive(NET.L, NET.wrt, at=NET.at, detail="summary")
    assert headings(brief.document()) == ["Gradients", "Checked", "Signs"], "the bar of the matrices in the table"
    assert not steps(brief.document())
    assert len(brief.to_text().splitlines()) < 30
    assert brief.check().ok
    np.testing.assert_array_equal(brief.gradients["W1"], DERIVATION.gradients["W1"])


def test_the_title_counts_what_is_differentiated_by_and_all_that_the_table_shows():
    some = derive(NET.L, NET.W2, at=NET.at)
    count, total = NET.W2.shape[0] * NET.W2.shape[1], sum(np.prod(w.shape) for w in NET.wrt)
    assert f"{total} parameters" in DERIVATION.to_text().partition("Forward pass")[0]
    assert " of " not in DERIVATION.to_text().partition("Forward pass")[0].partition("Backpropagation of")[2]
    assert f"by {count} of {total} parameters" in some.to_text().partition("Forward pass")[0]
    assert f"매개변수 {total}개 가운데 {count}개로 미분" in some.to_text("ko")


def test_without_simplification_nothing_is_opened_and_every_formula_is_as_computed():
    plainly = derive(NET.L, NET.wrt, at=NET.at, simplify=False)
    text = plainly.to_text()
    assert "BCE(σ(z₂), t)" in text
    assert "simplified" not in text
    assert "prediction minus target" not in text
    assert "p" not in steps_table(plainly)
    assert plainly.check().ok
    np.testing.assert_array_equal(plainly.gradients["W1"], DERIVATION.gradients["W1"])


def test_without_values_it_says_where_the_checks_ran():
    bare = derive(NET.L, NET.wrt)
    assert bare.gradients == {}
    assert "No values were given, so the checks ran at seeded random values." in bare.to_text()
    assert "시드를 고정한 임의의 값" in bare.to_text("ko")
    assert "finite difference <" not in bare.to_text()
    assert bare.check().ok
    assert bare.to_text() == derive(NET.L, NET.wrt).to_text(), "the same every time"
    assert right_sides(steps(bare.document())["z2"])[-1] == "(p − t) / N"


def test_a_dtype_without_random_values_is_an_error_that_asks_for_values():
    flag = input("flag", (3,), "bool")
    v = parameter("v", (3,), value=[1.0, 2.0, 3.0])
    assert derive(sum_(GRAPH.where(flag, v, 0)), [v]).check().ok
    assert derive(sum_(v * cast(input("k", (3,), "uint8"), "float64")), [v]).check().ok


def test_what_is_differentiated_by_may_be_an_inner_node_an_input_or_the_output():
    inner = derive(NET.L, NET.h, at=NET.at)
    np.testing.assert_allclose(inner.gradients["h"], GRADIENTS["h"], rtol=1e-12)
    assert "gradient descent" not in inner.to_text(), "only a parameter is moved"
    assert "Reading: x" not in inner.to_text()
    by_input = derive(NET.L, [NET.x], at=NET.at)
    np.testing.assert_allclose(by_input.gradients["x"], GRADIENTS["z1"] @ VALUES["W1"].T, rtol=1e-12)
    itself = derive(NET.L, NET.L, at=NET.at)
    assert itself.gradients == {"L": np.array(1.0)}
    assert list(derive(NET.L, [NET.b2, NET.b2], at=NET.at).gradients) == ["b2"]
    assert derive(NET.L, [NET.b2, NET.b2], at=NET.at).to_text().count("✓ finite difference") == 1 + 1 + 1


def test_a_model_gives_the_values_and_one_parameter_is_singular():
    v, u = parameter("v", ()), input("u", ("batch",))
    y = v * u
    model = Model(y, loss=mean(y * y), precision="float64", seed=0)
    derivation = derive(model.loss, at=model.at({u: [1.0, 2.0]}))
    assert derivation.check().ok
    assert plain(derivation.document().aside) == "N = 2, 1 parameter"


# --- bad input -------------------------------------------------------------------------------------------------------

b = parameter("b", ())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: derive(NET.z1, NET.W1, at=NET.at),
            ShapeError,
            "needs a scalar output; got <add z1.*gl.sum",
        ),
        (lambda: derive(NET.L, b, at=NET.at), DisconnectedError, "'b' does not influence 'L'. Drop it from wrt"),
        (lambda: derive(NET.L, at={**NET.at, "W3": 1}), UnknownNameError, "'W3', which the graph does not have"),
        (lambda: derive(NET.L, at={NET.x: xor.X}), MissingValueError, "'W1'"),
        (lambda: derive(NET.L, at={**NET.at, NET.x: [[1.0]]}), ShapeError, r"at\['x'\]"),
        (lambda: derive(NET.L, at={**NET.at, NET.t: [[1.0]]}), (ShapeError, DataError), "batch"),
        (lambda: derive(NET.L, at=NET.at, detail="tiny"), OptionError, "one of full, summary; got 'tiny'"),
        (lambda: derive(NET.L, [], at=NET.at), OptionError, "got an empty wrt. Name a node"),
        (lambda: derive(sum_(input("q", 3)), at={"q": [1, 2, 3]}), OptionError, "uses no parameter. Give wrt="),
        (lambda: derive(NET.L, "W1", at=NET.at), GraphUseError, "got 'W1'.*gl.symbols"),
        (lambda: derive(NET.L, ["W1"], at=NET.at), GraphUseError, "got 'W1'.*gl.symbols"),
        (lambda: derive(3.0), GraphUseError, "derive needs a node"),
        (lambda: derive(b * parameter("b", ()), at={}), NameClashError, "two called 'b'"),
        (lambda: derive((b * 2).named("h") * (b * 3).named("h"), at={b: 1}), NameClashError, "two called 'h'.*Rename"),
        (lambda: DERIVATION.to_text("fr"), OptionError, "language needs one of en, ko; got 'fr'"),
        (lambda: DERIVATION.to_text(width=7), OptionError, "width of at least 20 cells; got 7"),
        (lambda: DERIVATION.document("de"), OptionError, "language needs one of"),
    ],
)
def test_bad_input_is_named_with_its_cure(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_saving_writes_the_text_of_the_language(tmp_path):
    for language in ("en", "ko"):
        path = tmp_path / f"{language}.txt"
        assert DERIVATION.save(path, language=language) == path
        assert path.read_text("utf-8") == DERIVATION.to_text(language, width=120) + "\n"
    assert str(DERIVATION.save(str(tmp_path / "again.txt"))).endswith("again.txt")
    for name in ("x.pdf", "x", "x.tex"):
        with pytest.raises(OptionError, match=rf"a name that ends with \.txt; got '{re.escape(name)}'"):
            DERIVATION.save(tmp_path / name)
    with pytest.raises(OptionError, match="language needs one of"):
        DERIVATION.save(tmp_path / "z.txt", language="fr")
    assert not (tmp_path / "z.txt").exists(), "a bad language leaves no file behind"


def test_it_shows_itself():
    assert str(DERIVATION) == DERIVATION.to_text()
    assert repr(DERIVATION) == f"<Derivation of L: {len(DERIVATION.steps)} steps>"
    assert isinstance(DERIVATION, Derivation)
    assert {step.rule for step in DERIVATION.steps} >= {
        "seed",
        "chain.binary_cross_entropy",
        "chain.matmul",
        "unbroadcast",
    }


# --- size ------------------------------------------------------------------------------------------------------------


def derive_chain(links):
    """A chain of two nodes a link derived, told and checked."""
    v = parameter("v", value=0.3)
    node = v
    for k in range(links):
        node = (GRAPH.sin(node) * 1.001 + 0.01).named(f"y{k}") if k % 2 else node + 0.1 * GRAPH.tanh(node)
    derivation = derive(node, v, at={})
    return derivation, derivation.to_text(), derivation.check()


def calls_of(action):
    """How many functions an action calls, built-in ones too: work that no clock and no other program disturbs."""
    calls = 0

    def count(frame, event, argument):
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        action()
    finally:
        sys.setprofile(before)
    return calls


def test_the_work_of_a_derivation_grows_with_its_rows_and_not_with_their_square():
    """Comparing each row with the output took 50 s of 2,000 nodes, where steps take 2."""
    derive_chain(400)  # what is made once and kept
    assert calls_of(lambda: derive_chain(800)) < 2.2 * calls_of(lambda: derive_chain(400))


def test_a_chain_of_2000_nodes_is_derived_row_by_row():
    derivation, text, report = derive_chain(1000)
    assert report.ok
    assert len(report.checks) > 1000
    assert len(steps(derivation.document())) == len(report.checks) + 1  # the start needs no check
    assert re.search(
        r"Of the other \d+ adjoints, too many to compare each with the output, \d+ agree step by step", text
    )
    assert max(map(cell_len, text.splitlines())) <= 120


def test_every_gradient_row_of_a_parameter_has_its_numbers_substituted():
    found = steps(DERIVATION.document())
    for name, formula in {"W1": "]ᵀ [", "b1": "Σₙ [", "W2": "]ᵀ [", "b2": "Σₙ ["}.items():
        named, substituted, result = right_sides(found[name])
        assert formula in substituted
        assert not any(letter in substituted for letter in ("∂", "h", "x", "z"))
        assert named != substituted != result == array_math(GRADIENTS[name], width=130).text
