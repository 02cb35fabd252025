"""`draw`: cards say what the derivation says, arrows lead where values and adjoints flow, at every size."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.render.diagram import Diagram
from graphlearn.render.dot import DotNode
from graphlearn.render.engine import VARIABLE
from graphlearn.teach.fold import MANY
from tests.laws.random_graphs import random_graph
from tests.render import golden


@pytest.fixture
def xor() -> SimpleNamespace:
    """The XOR network with written values, so that pictures do not depend on an initializer."""
    x, t = gl.input("x", ("batch", 2)), gl.input("t", ("batch", 1))
    W1 = gl.parameter("W1", value=[[0.5, -0.3, 0.2], [0.2, 0.8, -0.6]])
    b1 = gl.parameter("b1", value=[0.1, -0.1, 0.0])
    W2, b2 = gl.parameter("W2", value=[[0.7], [-0.4], [0.3]]), gl.parameter("b2", value=[0.05])
    z1 = (x @ W1 + b1).named("z1")
    h = gl.tanh(z1).named("h")
    z2 = (h @ W2 + b2).named("z2")
    loss = gl.losses.binary_cross_entropy(z2, t).named("L")
    X, T = gl.datasets.xor()
    return SimpleNamespace(
        x=x, t=t, W1=W1, b1=b1, W2=W2, b2=b2, z1=z1, h=h, z2=z2, loss=loss, wrt=[W1, b1, W2, b2], at={x: X, t: T}
    )  # fmt: skip


def cards(diagram: Diagram) -> dict[str, DotNode]:
    return {card.name: card for card in diagram.graph.nodes}


def arrows(diagram: Diagram, *, backward: bool = False, update: bool = False) -> set[tuple[str, str]]:
    chosen = (e for e in diagram.graph.edges if (e.backward, e.update) == (backward, update))
    return {(edge.source, edge.target) for edge in chosen}


# --- what is on the cards --------------------------------------------------------------------------------------------


def test_cards_hold_name_definition_value_and_gradient(xor: SimpleNamespace) -> None:
    shown = cards(gl.draw(xor.loss, at=xor.at, wrt=xor.wrt))
    assert list(shown) == ["x", "W1", "b1", "z1", "h", "W2", "b2", "z2", "t", "p", "L"]
    assert (shown["h"].title, shown["h"].definition) == ("h", "= tanh(z₁)")
    assert shown["b1"].value == "[ 0.1000  −0.1000  0 ]"
    gradient = gl.evaluate(gl.grad(xor.loss, xor.b2), xor.at)
    assert shown["b2"].gradient == f"∂L/∂b₂ = [ {gradient[0]:.4f} ]"
    assert shown["L"].gradient == "∂L/∂L = 1"
    kinds = {name: card.kind for name, card in shown.items()}
    assert kinds["x"] == "input"
    assert kinds["W1"] == "parameter"
    assert kinds["h"] == "operation"
    assert kinds["L"] == "loss"


def test_the_probability_behind_the_logits_has_the_gradient_of_the_textbook(xor: SimpleNamespace) -> None:
    p = 1 / (1 + np.exp(-gl.evaluate(xor.z2, xor.at)))
    t = np.asarray(xor.at[xor.t])
    expected = (p - t) / (p * (1 - p)) / len(t)
    text = cards(gl.draw(xor.loss, at=xor.at, wrt=xor.wrt))["p"].gradient
    numbers = [float(word.replace("−", "-")) for word in text.split("[")[1].strip(" ]").split("│")]
    assert np.allclose(numbers, expected[:, 0], atol=6e-5)


def test_softmax_of_class_scores_is_opened_with_its_gradient() -> None:
    z, t = gl.parameter("z", value=[[1.0, 2.0, -1.0]]), gl.input("t", (1, 3))
    loss = gl.losses.cross_entropy(z, t).named("L")
    shown = cards(gl.draw(loss, at={t: [[0.0, 1.0, 0.0]]}, wrt=z))
    p = np.exp([1.0, 2.0, -1.0]) / np.exp([1.0, 2.0, -1.0]).sum()
    assert shown["p"].value == "[ " + "  ".join(f"{v:.4f}" for v in p) + " ]"
    assert shown["p"].gradient == f"∂L/∂p = [ 0  −{1 / p[1]:.4f}  0 ]"


def test_without_values_it_says_so_and_gradients_are_formulas(xor: SimpleNamespace) -> None:
    diagram = gl.draw(xor.loss, wrt=xor.wrt)
    shown = cards(diagram)
    assert diagram.graph.caption == ["no values yet"]
    assert not any(card.value for card in shown.values())
    assert shown["z1"].gradient == "∂L/∂z₁ = ∂L/∂h ⊙ (1 − h²)"
    assert shown["W1"].gradient == "∂L/∂W₁ = xᵀ ∂L/∂z₁"
    assert shown["p"].gradient == "∂L/∂p = (1 / N) · (p − t) / (p ⊙ (1 − p))"
    assert "no values yet" in diagram.to_svg()


def test_zero_is_a_value_and_not_the_absence_of_one() -> None:
    x, w = gl.input("x"), gl.parameter("w", value=0.0)
    diagram = gl.draw((w * x).named("y"), at={x: 5.0}, wrt=w)
    assert cards(diagram)["y"].value == "0"
    assert diagram.graph.caption == []


def test_off_the_path_there_is_no_gradient(xor: SimpleNamespace) -> None:
    shown = cards(gl.draw(xor.loss, at=xor.at, wrt=xor.W2))
    assert shown["W2"].gradient
    assert not shown["W1"].gradient
    assert not shown["h"].gradient
    assert arrows(gl.draw(xor.loss, wrt=xor.W2), backward=True) == {("W2", "z2"), ("z2", "p"), ("p", "L")}


def test_names_inside_a_scope_leave_the_scope_out() -> None:
    x = gl.input("x", ("batch", 2))
    y = gl.nn.MLP([3, 1])(x)
    shown = cards(gl.draw(y))
    assert shown["hidden1/z"].title == "z"
    assert shown["hidden1/z"].scope == ("hidden1",)
    assert shown["hidden1/z"].definition == "= x W + b"
    assert "hidden1/h" in shown["output/z"].definition


def test_long_arrays_keep_their_shape_and_never_end_inside_a_number(xor: SimpleNamespace) -> None:
    x = gl.input("x", (100, 7))
    shown = cards(gl.draw(gl.tanh(x).named("y"), at={x: np.linspace(-3, 3, 700).reshape(100, 7)}))
    assert shown["y"].value.endswith("]₁₀₀ₓ₇")
    assert len(shown["y"].value) <= 64


def test_two_languages_have_the_same_cards(xor: SimpleNamespace) -> None:
    english, korean = (gl.draw(xor.loss, at=xor.at, wrt=xor.wrt, language=code) for code in ("en", "ko"))
    assert english.graph.nodes == korean.graph.nodes
    assert english.graph.edges == korean.graph.edges
    assert [word for _, word in korean.graph.legend] == ["입력", "매개변수", "연산", "손실", "순전파", "역전파"]
    assert "계산 그래프" in korean.title


# --- arrows ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_arrows_of_random_graphs_lead_along_uses_and_back_where_an_adjoint_flows(seed: int) -> None:
    """Each value reaches the output by arrows, and every node with a gradient receives it along a red one."""
    case = random_graph(seed)
    diagram = gl.draw(case.output, at=case.at, wrt=case.wrt)
    shown = cards(diagram)
    forward, backward = arrows(diagram), arrows(diagram, backward=True)
    assert backward <= forward
    root = next(name for name in reversed(shown) if not any(source == name for source, _ in forward))
    reached = {root}
    for name in reversed(shown):
        if any(target in reached for source, target in forward if source == name):
            reached.add(name)
    assert reached == set(shown)
    with_gradient = {name for name, card in shown.items() if card.gradient}
    assert {source for source, _ in backward} == with_gradient - {root}


def test_no_adjoint_flows_through_a_condition() -> None:
    x, w = gl.input("x"), gl.parameter("w", ())
    y = gl.where((w > 0).named("c"), w * x, x).named("y")
    backward = arrows(gl.draw(y, wrt=w), backward=True)
    assert backward == {("w", "t1"), ("t1", "y")}
    assert {("w", "c"), ("c", "y")} < arrows(gl.draw(y, wrt=w))


def test_a_formula_without_parameters_has_no_loss() -> None:
    w, x = gl.input("w"), gl.input("x")
    assert cards(gl.draw(gl.sigmoid(w * x).named("y"), wrt=[w, x]))["y"].kind == "operation"


def test_a_value_used_twice_by_one_formula_has_one_arrow() -> None:
    w = gl.parameter("w", ())
    assert arrows(gl.draw((w * w).named("y"))) == {("w", "y")}


# --- updates ---------------------------------------------------------------------------------------------------------


def test_updates_are_cards_that_point_at_their_leaves(xor: SimpleNamespace) -> None:
    updates = gl.optim.SGD(0.5).updates(xor.loss, xor.wrt)
    diagram = gl.draw(xor.loss, updates=updates, at=xor.at)
    shown = cards(diagram)
    assert shown["W2′"].definition == "= W₂ − learning_rate·∂L/∂W₂"
    step = np.array([[0.7], [-0.4], [0.3]]) - 0.5 * gl.evaluate(gl.grad(xor.loss, xor.W2), xor.at)
    assert shown["W2′"].value == f"[ {' │ '.join(f'{v:.4f}' for v in step[:, 0])} ]".replace("-", "−")
    assert arrows(diagram, update=True) == {(f"{w.name}′", w.name) for w in xor.wrt}
    assert ("W2′", "W2") in arrows(diagram, backward=True)
    assert ("sgd/learning_rate", "W2′") in arrows(diagram)
    assert shown["W2"].gradient  # the gradients by what is trained need no wrt=
    assert shown["sgd/learning_rate"].value == "0.5000"  # the optimizer's own, since no other is given
    assert dict(diagram.graph.legend)["assign"] == "takes its next value"
    other = cards(gl.draw(xor.loss, updates=updates, at={**xor.at, "sgd/learning_rate": 2.0}))
    assert other["sgd/learning_rate"].value == "2"


def test_updates_of_states_name_each_other() -> None:
    w, x = gl.parameter("w", value=1.0), gl.input("x")
    loss = gl.square(w * x).named("L")
    diagram = gl.draw(loss, updates=gl.optim.Adam(0.1).updates(loss, [w]))
    shown = cards(diagram)
    assert shown["adam/step′"].definition == "= step + 1"
    assert shown["adam/m/w"].kind == "state"
    assert shown["w′"].definition == "= w − rate·m/w′ / (√(v/w′) + floor)"
    assert shown["adam/v/w′"].definition == "= β₂·v/w + (1 − β₂)·(∂L/∂w)²"
    assert "√(correction₂)" in shown["adam/rate"].definition
    assert {("adam/m/w′", "w′"), ("adam/rate", "w′"), ("adam/correction1", "adam/rate")} <= arrows(diagram)
    assert ("adam/m/w′", "adam/m/w") in arrows(diagram, update=True)


# --- folding ---------------------------------------------------------------------------------------------------------


def test_collapse_folds_scopes_and_says_so() -> None:
    x = gl.input("x", ("batch", 2))
    y = gl.nn.MLP([3, 3, 1])(x)
    diagram = gl.draw(y, collapse=True)
    shown = cards(diagram)
    assert {"hidden1/", "hidden2/", "output/"} < set(shown)
    assert "hidden1/W" not in shown
    assert arrows(diagram) == {("x", "hidden1/"), ("hidden1/", "hidden2/"), ("hidden2/", "output/")}
    assert any("3 folded scopes stand for 11 cards" in line for line in diagram.graph.caption)
    one = cards(gl.draw(y, collapse="hidden2"))
    assert "hidden2/" in one
    assert "hidden1/W" in one


def test_updates_fold_with_their_scope_and_stay_when_their_leaf_is_folded() -> None:
    x, t = gl.input("x", ("batch", 2)), gl.input("t", ("batch", 1))
    y = gl.nn.MLP([3, 1])(x)
    loss = gl.losses.mse(y, t).named("L")
    updates = gl.optim.Adam().updates(loss, gl.Model(y, loss=loss).parameters)
    whole = gl.draw(loss, updates=updates, collapse=True)
    assert {"adam/", "hidden1/", "output/"} < set(cards(whole))
    assert arrows(whole, update=True) == {("adam/", "hidden1/"), ("adam/", "output/")}
    assert {("adam/", "hidden1/"), ("adam/", "output/")} <= arrows(whole, backward=True)
    part = gl.draw(loss, updates=updates, collapse="hidden1")
    assert ("hidden1/W′", "hidden1/") in arrows(part, update=True)
    assert ("adam/m/hidden1/W′", "hidden1/W′") in arrows(part)


def test_large_graphs_fold_by_themselves_and_only_as_far_as_needed() -> None:
    x = gl.input("x", ("batch", 2))
    y = gl.nn.MLP([2] * (MANY // 4) + [1])(x)
    diagram = gl.draw(y)
    assert len(cards(diagram)) <= MANY < len(cards(gl.draw(y, collapse=False)))
    assert "collapse=False" in diagram.graph.caption[-1]
    small = gl.nn.MLP([2, 1])(x)
    assert not any(name.endswith("/") for name in cards(gl.draw(small)))


def test_a_scope_that_is_not_there_is_refused_with_those_that_are() -> None:
    y = gl.nn.MLP([3, 1])(gl.input("x", ("batch", 2)))
    with pytest.raises(gl.errors.UnknownNameError, match=r"'hiden1'.*hidden1, output"):
        gl.draw(y, collapse="hiden1")
    with pytest.raises(gl.errors.OptionError, match="collapse needs True, False"):
        gl.draw(y, collapse=3)  # type: ignore[arg-type]


# --- errors as pictures ----------------------------------------------------------------------------------------------


def test_an_error_is_drawn_with_what_it_is_about() -> None:
    x, w = gl.input("x", ("batch", 3)), gl.parameter("w", (2, 3))
    with pytest.raises(gl.errors.ShapeError) as caught:
        gl.tanh(x).named("h") @ w
    diagram = gl.draw(caught.value)
    shown = cards(diagram)
    assert shown["h"].marked
    assert shown["w"].marked
    assert not shown["x"].marked
    fault = next(card for card in shown.values() if card.kind == "fault")
    assert fault.title == "✗ ShapeError"
    assert {source for source, target in arrows(diagram) if target == fault.name} == {"h", "w"}
    assert diagram.graph.caption[0].startswith("matmul needs (m, k) @ (k, n)")
    assert "ShapeError" in diagram.to_svg()


def test_a_clash_of_names_is_drawn_with_both() -> None:
    y = gl.input("x") + gl.input("x")
    with pytest.raises(gl.errors.NameClashError) as caught:
        gl.draw(y)
    shown = cards(gl.draw(caught.value))
    assert {"x", "x (2)"} < set(shown)


def test_an_error_without_nodes_cannot_be_drawn() -> None:
    with pytest.raises(gl.errors.GraphUseError, match="names none: no value"):
        gl.draw(gl.errors.OptionError("no value"))


# --- formats and bad input -------------------------------------------------------------------------------------------


def test_each_format_holds_the_same_picture(xor: SimpleNamespace, tmp_path: Path) -> None:
    diagram = gl.draw(xor.loss, at=xor.at, wrt=xor.wrt)
    svg = ET.fromstring(diagram.save(tmp_path / "a.svg").read_text(encoding="utf-8"))
    ids = {element.get("id") for element in svg.iter()}
    assert {"node-W1", "edge-W1--z1", "adjoint-W1--z1"} <= ids
    assert diagram.save(tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert diagram.save(tmp_path / "a.dot").read_text(encoding="utf-8") == diagram.to_dot()
    assert diagram.save(tmp_path / "a.mmd").read_text(encoding="utf-8") == diagram.to_mermaid()
    assert diagram._repr_svg_() == diagram.to_svg()
    assert diagram.engine.split()[0] in ("dot", "graphviz-pure")
    with pytest.raises(gl.errors.OptionError, match=r"\.svg, \.png, \.dot, \.mmd; got 'a\.gif'"):
        diagram.save(tmp_path / "a.gif")
    with pytest.raises(gl.errors.OptionError, match="place where files can be written"):
        diagram.save(tmp_path / "nowhere" / "a.dot")
    assert not (tmp_path / "a.gif").exists()


def test_golden_picture(xor: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "graphviz-pure")
    diagram = gl.draw(xor.loss, at=xor.at, wrt=xor.wrt, direction="TB")
    golden.check("xor.svg", diagram.to_svg() + "\n")
    golden.check("xor.mmd", diagram.to_mermaid())


def test_equal_graphs_give_equal_text(xor: SimpleNamespace) -> None:
    assert gl.draw(xor.loss, at=xor.at, wrt=xor.wrt).to_dot() == gl.draw(xor.loss, at=xor.at, wrt=xor.wrt).to_dot()


def test_a_model_gives_the_values() -> None:
    w = gl.parameter("w", value=3.0)
    y = gl.square(w).named("y")
    assert cards(gl.draw(y, at=gl.Model(y, precision="float64")))["y"].value == "9"


def test_several_outputs_are_drawn_together_but_have_no_common_gradient() -> None:
    w = gl.parameter("w", ())
    y, z = gl.square(w).named("y"), gl.exp(w).named("z")
    assert list(cards(gl.draw([y, z]))) == ["w", "y", "z"]
    with pytest.raises(gl.errors.OptionError, match="needs one output; got 2"):
        gl.draw([y, z], wrt=w)


@pytest.mark.parametrize(
    ("option", "kind", "message"),
    [
        ({"style": "cubist"}, gl.errors.OptionError, "style needs"),
        ({"direction": "UP"}, gl.errors.OptionError, "direction needs"),
        ({"language": "fr"}, gl.errors.OptionError, "language needs"),
        ({"at": {"nobody": 1.0}}, gl.errors.UnknownNameError, "'nobody'"),
        ({"at": {}}, gl.errors.MissingValueError, "x"),
        ({"wrt": gl.parameter("lonely", ())}, gl.errors.DisconnectedError, "lonely"),
    ],
)
def test_bad_options_are_named(
    xor: SimpleNamespace, option: dict[str, object], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        gl.draw(xor.loss, **option)  # type: ignore[arg-type]


def test_something_else_cannot_be_drawn() -> None:
    with pytest.raises(gl.errors.GraphUseError, match="draw needs a node"):
        gl.draw("L")  # type: ignore[arg-type]
