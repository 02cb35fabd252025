"""The checks of a derivation: at kinks, at points that are not smooth, and with every falsified step named."""

import re

import numpy as np
import pytest

from graphlearn.calculus import reverse
from graphlearn.graph.leaves import parameter
from graphlearn.graph.op import OPS
from graphlearn.ops.algebra import FUNCTIONS, GRAPH
from graphlearn.ops.elementwise import elementwise
from graphlearn.ops.reductions import max_, sum_
from graphlearn.render.document import plain
from graphlearn.teach.derivation import derive
from tests.render.told import headings, rows, section, steps
from tests.teach import xor

VALUES, GRADIENTS = xor.by_hand()
NET = xor.graph()
DERIVATION = derive(NET.L, NET.wrt, at=NET.at)


def right_sides(step):
    return [row.right.text for row in rows(step)]


# --- kinks, and points that are not smooth ---------------------------------------------------------------------------


def footnotes(derivation, language="en"):
    document = derivation.document(language)
    heading = {"en": "Conventions", "ko": "약속"}[language]
    return [plain(b.text) for b in section(document, heading)] if heading in headings(document) else []


@pytest.mark.parametrize(
    ("build", "note", "gradient"),
    [
        (GRAPH.relu, "relu'(0) = 0", [0, 0, 1]),
        (abs, "|x|'(0) = 0", [-1, 0, 1]),  # the central difference is 0 as well
        (lambda v: GRAPH.maximum(v, 0), "where both operands of max are equal", [0, 0.5, 1]),
        (lambda v: GRAPH.minimum(v, 0), "where both operands of min are equal", [1, 0.5, 0]),
    ],
)
def test_conventions_at_kinks_are_footnotes(build, note, gradient):
    v = parameter("v", value=[-1.0, 0.0, 2.0])
    derivation = derive(sum_(build(v)).named("L"), [v], at={})
    np.testing.assert_array_equal(derivation.gradients["v"], gradient)
    assert [text for text in footnotes(derivation) if text.startswith(note)]
    assert footnotes(derivation, "ko")
    assert derivation.check().ok, str(derivation.check())
    assert "at a kink: between the slopes on both sides" in derivation.to_text()
    assert "Adjoints at a kink, where the slopes on both sides differ: 1." in derivation.to_text()


def test_where_the_formula_that_is_read_does_not_hold_the_row_says_so():
    """It said [v > 0] = [ 0 0.5 1 ], with the numbers in place of the names."""
    v = parameter("v", value=[-1.0, 0.0, 2.0])
    step = steps(derive(sum_(GRAPH.maximum(v, 0)).named("L"), [v], at={}).document())["v"]
    assert plain(rows(step)[-1].note) == "at a kink, where that formula does not hold: by the convention below"
    assert rows(step)[-1].left is not None, "no sign of equality joins the formula and the value"
    assert not any("−1" in text for text in right_sides(step))
    away = steps(derive(sum_(GRAPH.maximum(v, 0)).named("L"), [v], at={v: [-1.0, 1.0, 2.0]}).document())["v"]
    assert not rows(away)[-1].note


@pytest.mark.parametrize(("build", "said"), [(GRAPH.sqrt, "∞"), (lambda v: v**1.5, "0")])
def test_where_the_function_ends_nothing_is_compared(build, said):
    derivation = derive(build(parameter("v", value=0.0)).named("L"), at={})
    text = derivation.to_text(width=160)
    assert f"nothing to compare: the function has no value on one side; the graph says {said}" in text
    assert "No adjoint could be compared." in text
    assert "✗" not in text
    assert "✓" not in text
    assert not derivation.check().ok
    assert not derivation.check().wrong_steps or said == "∞"
    assert "한쪽에서 함숫값이 없" in derivation.to_text("ko")


def test_where_the_formula_that_is_read_loses_its_digits_the_row_says_so():
    """tanh' is read as 1 − h², which is 0 in floating point where the truth is 4·10⁻¹⁷."""
    v = parameter("v", value=20.0)
    derivation = derive(GRAPH.tanh(v).named("h") * 1e17, [v], at={})
    assert float(derivation.gradients["v"]) == pytest.approx(4e17 * np.exp(-40.0), rel=1e-6)
    assert plain(rows(steps(derivation.document())["v"])[-1].note) == "computed in a form that loses no digits"


def test_ties_of_a_maximum_share_equally():
    v = parameter("v", value=[1.0, 3.0, 3.0])
    derivation = derive(max_(v).named("L"), [v], at={})
    np.testing.assert_array_equal(derivation.gradients["v"], [0, 0.5, 0.5])
    assert footnotes(derivation) == ["entries that tie for the maximum share its derivative equally"]


def test_the_convention_of_an_op_of_the_users_own_is_a_footnote_too():
    ramp = elementwise(
        "my_ramp", formula=lambda m, x: m.maximum(x, 0), partials=(lambda m, x, y: m.where(x > 0, 1, 0),),
        kink="the slope of my_ramp at 0 is 0",
    )  # fmt: skip
    try:
        derivation = derive(ramp(parameter("v", value=2.0)).named("L"), at={})
        assert footnotes(derivation) == ["my_ramp: the slope of my_ramp at 0 is 0"]
        assert derivation.check().ok
    finally:
        del OPS["my_ramp"], FUNCTIONS["my_ramp"]


@pytest.mark.parametrize("value", [1e-8, 1e-3, 1.0, 1e8])
def test_checks_follow_the_size_of_a_value(value):
    """They took steps of 0.001 at least, to where log is not defined."""
    v = parameter("v", value=value)
    for build in (GRAPH.log, GRAPH.sqrt, lambda s: 1 / s, lambda s: s * s):
        derivation = derive(build(v), [v], at={})
        assert derivation.check().ok, str(derivation.check())


def test_a_fast_function_is_checked_by_shorter_steps():
    v = parameter("v", value=1e4)
    assert derive(GRAPH.sin(v), [v], at={}).check().ok
    assert derive(GRAPH.exp(v / 33), [v], at={}).check().ok


def test_the_branch_not_taken_disturbs_no_check():
    v = parameter("v", value=[-1.0, 0.5, 0.0])
    derivation = derive(sum_(GRAPH.where(v > 0.1, GRAPH.log(v).named("l"), v)).named("L"), [v], at={})
    np.testing.assert_allclose(derivation.gradients["v"], [1, 2, 1])
    assert derivation.check().ok, str(derivation.check())


@pytest.mark.parametrize("value", [-1.0, 0.0])
def test_where_nothing_is_finite_it_says_so_and_blames_no_step(value):
    v = parameter("v", value=value)
    derivation = derive(GRAPH.log(v).named("L"), [v], at={})
    report = derivation.check()
    assert not report.ok
    assert not report.wrong_steps
    assert "the adjoint of v cannot be compared: a number is not finite" in str(report)
    assert "✗ not finite here: nothing to compare" in derivation.to_text()
    assert "No adjoint could be compared." in derivation.to_text()
    assert "Reading" not in derivation.to_text()


def test_a_float32_graph_is_checked_in_float64():
    v = parameter("v", value=[0.1, 0.2, 0.3], dtype="float32")
    derivation = derive(sum_(GRAPH.tanh(v) * GRAPH.exp(v)).named("L"), [v], at={})
    assert derivation.gradients["v"].dtype == np.float32
    assert derivation.check().ok, str(derivation.check())


# --- a falsified derivative is named ---------------------------------------------------------------------------------


@pytest.fixture
def wrong():
    """An op whose derivative is wrong by one part in a thousand."""
    yield elementwise("wrong", formula=lambda m, x: m.sin(x), partials=(lambda m, x, y: m.cos(x) * 1.001,))
    del OPS["wrong"], FUNCTIONS["wrong"]


def chain(*functions):
    """A scalar through named nodes y1, y2, ... of a parameter v, and then L."""
    node = parameter("v", value=0.7)
    for k, function in enumerate(functions[:-1], 1):
        node = function(node).named(f"y{k}")
    return functions[-1](node).named("L")


def test_a_wrong_derivative_at_a_leaf_is_named_and_nothing_else(wrong):
    derivation = derive(chain(wrong, GRAPH.tanh, GRAPH.exp, GRAPH.square), at={})
    report = derivation.check()
    assert not report
    assert list(report.failed) == ["v"]
    assert report.wrong_steps == ("v",)
    assert report.refuted == ("wrong",)
    assert report.failed["v"] == pytest.approx(1e-3, rel=0.01)
    assert re.search(
        r"the adjoint of v differs from finite differences by 1\.0e-03: the step that gives it is wrong", str(report)
    )
    assert "the derivative of wrong differs from SymPy's" in str(report)
    for text in (str(derivation), derivation.to_text("ko")):
        assert text.count("✓") == 3
        assert "∂L/∂v" in next(line for line in text.splitlines() if line.startswith("  ✗"))
    assert "✗ The step to ∂L/∂v is wrong: it differs from finite differences by 1.0e-03." in str(derivation)
    assert "✗ Local derivatives that SymPy contradicts: wrong." in str(derivation)
    assert "3 of 4 adjoints agree" in str(derivation)


def test_a_wrong_step_in_the_middle_is_told_from_those_that_it_misleads(wrong):
    derivation = derive(chain(GRAPH.tanh, GRAPH.exp, wrong, GRAPH.square), at={})
    report = derivation.check()
    assert report.wrong_steps == ("y₂",)
    assert set(report.failed) == {"y₂", "y₁", "v"}, "what is computed from it is wrong too"
    assert "the adjoint of y₁ differs" in str(report)
    assert "its own step is right, but not what enters it" in str(report)
    found = steps(derivation.document())
    checks = {name: plain(rows(step)[-1].check) for name, step in found.items()}
    assert checks["y3"].startswith("✓")
    assert checks["y2"].startswith("✗ this step is wrong")
    assert checks["y1"].endswith("from a wrong step above")
    assert checks["v"].endswith("from a wrong step above")
    text = str(derivation)
    assert "✗ The step to ∂L/∂y₂ is wrong" in text
    assert "✗ Wrong because of that: ∂L/∂v, ∂L/∂y₁." in text or "✗ Wrong because of that: ∂L/∂y₁, ∂L/∂v." in text
    korean = derivation.to_text("ko")
    assert "✗ ∂L/∂y₂ 값을 얻는 단계가 틀렸습니다." in korean
    assert "✗ 그 때문에 틀린 수반값:" in korean


def test_a_wrong_derivative_inside_a_formula_is_named_by_the_row_that_uses_it(wrong):
    """The wrong op has no name and no row: the row of its operand is the one that is wrong."""
    double = elementwise("wrong", formula=lambda m, x: 2 * x, partials=(lambda m, x, y: 2.002,))
    h = GRAPH.tanh(parameter("v", value=0.7)).named("h")
    derivation = derive((double(GRAPH.sin(h)) + h * h).named("L"), at={})
    assert list(steps(derivation.document())) == ["L", "h", "v"]
    report = derivation.check()
    assert report.wrong_steps == ("h",)
    assert set(report.failed) == {"h", "v"}


def test_without_values_a_wrong_step_is_named_as_well(wrong):
    derivation = derive(chain(GRAPH.tanh, wrong, GRAPH.square))
    assert derivation.check().wrong_steps == ("y₁",)
    assert "✗ The step to ∂L/∂y₁ is wrong" in str(derivation)


def test_a_wrong_step_is_found_where_the_output_does_not_feel_it(wrong):
    """An adjoint of 1e-9 times the output's own size is far below what differences of the output can tell."""
    derivation = derive(chain(wrong, lambda y: y * 1e-9, lambda y: y + 1.0), at={})
    report = derivation.check()
    assert report.wrong_steps == ("v",)
    assert report.failed["v"] == pytest.approx(1e-3, rel=0.01)


@pytest.fixture
def wrong_matmul():
    """A matrix product whose derivative by its right factor is too large."""
    op = OPS["matmul"]
    right = op.adjoint
    object.__setattr__(op, "adjoint", lambda node, g: [right(node, g)[0], right(node, g)[1] * 1.01])
    yield
    object.__setattr__(op, "adjoint", right)


def test_a_wrong_adjoint_of_a_structural_op_is_named(wrong_matmul):
    derivation = derive(NET.L, NET.wrt, at=NET.at)
    report = derivation.check()
    assert set(report.failed) == set(report.wrong_steps) == {"W₁", "W₂"}
    assert not report.refuted
    text = str(derivation)
    for name in ("∂L/∂W₁", "∂L/∂W₂"):
        assert f"✗ The step to {name} is wrong: it differs from finite differences by 9.9e-03." in text
    assert "5 of 7 adjoints agree" in text
    table = {plain(row[0]): plain(row[-1]) for row in section(derivation.document(), "Gradients")[0].rows}
    assert [name for name, check in table.items() if check.startswith("✗")] == ["∂L/∂W₁", "∂L/∂W₂"]


def test_wrong_unbroadcasting_is_named(monkeypatch):
    right = reverse.sum_to
    monkeypatch.setattr(reverse, "sum_to", lambda share, shape: right(share, shape) * 0.5)
    report = derive(NET.L, NET.wrt, at=NET.at).check()
    assert set(report.failed) == set(report.wrong_steps) == {"b₁", "b₂"}


def test_a_right_derivation_blames_nothing():
    report = DERIVATION.check()
    assert report.ok
    assert not report.failed
    assert not report.wrong_steps
    assert not report.refuted


def test_an_op_without_partials_of_its_own_is_not_said_to_be_judged():
    swish = elementwise("my_swish", formula=lambda m, x: x / (1 + m.exp(-x)))
    try:
        derivation = derive(swish(parameter("v", value=0.7)).named("L"), at={})
        assert derivation.check().ok
        assert "SymPy" not in derivation.to_text()
        assert plain(steps(derivation.document())["v"].title) == "chain rule through my_swish"
    finally:
        del OPS["my_swish"], FUNCTIONS["my_swish"]
