"""Law: whatever rule the calculus can use, both languages can say it, with the same places and in their own words."""

import re
import string
from pathlib import Path

import pytest

import graphlearn
from graphlearn.calculus.reverse import differentiate
from graphlearn.calculus.rules import RULES
from graphlearn.errors import OptionError
from graphlearn.graph.leaves import input
from graphlearn.graph.op import OPS
from graphlearn.ops.algebra import FUNCTIONS
from graphlearn.ops.elementwise import elementwise
from graphlearn.ops.linear import matmul
from graphlearn.ops.reductions import sum_
from graphlearn.render.phrases import LANGUAGES, en, ko, phrases
from graphlearn.render.signs import SIGNS
from tests.laws.operands import ALL_OPS, cases, operand_names

TABLES = {"en": (en.TITLES, en.SENTENCES), "ko": (ko.TITLES, ko.SENTENCES)}
PARTICLES = ["은", "는", "이", "가", "을", "를", "와", "과", "의", "로", "으로", "에"]
# What Korean writes in Latin letters: names of functions, of a library, of an option.
LATIN = {
    *("SymPy", "ReLU", "relu", "sign", "max", "min", "log", "exp", "tanh"),
    *("collapse", "False", "reverse", "True"),
}
# Words that are chosen by the kind of a node or of an arrow.
CHOSEN = {"input", "parameter", "state", "constant", "legend.forward", "legend.backward"}
# By the verdict of a report and its order, and by the column.
CHOSEN |= {f"report.{kind}.{n}" for kind in ("agrees", "bent", "differs", "lost", "nothing") for n in (1, 2)}
CHOSEN |= {"report.shape", "report.compared", "report.error"}


def rules_of(op):
    """The rule ids that differentiating an op yields, whatever its operands and attributes."""
    found = set()
    for case in cases(op):
        if case.real_inputs and case.node.type.is_float:
            found |= {step.rule for step in differentiate(sum_(case.node), case.real_inputs, disconnected="zero").steps}
    return found


def rule_ids():
    """Every rule id that the calculus can produce, from its registries."""
    found = {"seed", "accumulate", "unbroadcast", *(f"simplify.{rule.name}" for rule in RULES)}
    for op in ALL_OPS.values():
        # A partial that is 0 for these operands, as that of sign, need not be so for others.
        if any(partial is not None for partial in op.partials) or (op.adjoint is not None and operand_names(op)):
            found.add(f"chain.{op.name}")
        found |= rules_of(op)
    return found


RULE_IDS = sorted(rule_ids())


def places(template):
    """The named places of a sentence."""
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def templates(language):
    return {**TABLES[language][0], **TABLES[language][1]}


def test_the_registries_are_what_is_walked():
    assert {"chain.tanh", "chain.matmul", "chain.cross_entropy", "chain.broadcast_to", "simplify.cancel"} <= set(
        RULE_IDS
    )
    assert len(RULE_IDS) > 50
    a, b = input("a", (2, 3)), input("b", 3)
    used = {s.rule for s in differentiate(sum_(matmul(a + b, a.T) * 2), [a, b]).steps}
    assert used == {
        "seed",
        "accumulate",
        "unbroadcast",
        *(f"chain.{n}" for n in ("sum", "mul", "matmul", "add", "transpose")),
    }
    assert used <= set(RULE_IDS)


@pytest.mark.parametrize("rule", RULE_IDS)
def test_every_rule_has_a_name_of_its_own_in_both_languages(rule):
    for language, (titles, _) in TABLES.items():
        assert titles[rule].strip(), language
        assert not places(titles[rule])
        assert [k for k, title in titles.items() if title == titles[rule]] == [rule], "two rules of one name"
        assert phrases(language).title(rule) == titles[rule]


def test_both_languages_have_the_same_keys_and_places():
    assert set(LANGUAGES) == set(TABLES)
    for one, other in zip(TABLES["en"], TABLES["ko"], strict=True):
        assert list(one) == list(other)
        for key, template in one.items():
            assert places(template) == places(other[key]), key
            assert None not in {conversion for _, name, _, conversion in string.Formatter().parse(template) if name} - {
                None
            }


def test_no_title_is_left_from_a_rule_that_is_gone():
    joined = {
        "chain.other",
        "chain.matmul.0",
        "chain.matmul.1",
        "chain.conv.0",
        "chain.conv.1",
        "chain.add.unbroadcast",
        "update",
        "blocked",
        *(f"chain.{op.name}" for op in ALL_OPS.values()),  # where an influence ends, the operation is named too
    }
    assert set(en.TITLES) - set(RULE_IDS) <= joined


def test_no_sentence_is_left_that_nothing_says():
    source = "\n".join(
        p.read_text("utf-8") for p in Path(graphlearn.__file__).parent.rglob("*.py") if p.parent.name != "phrases"
    )
    by_op = {f"{kind}.{op.name}" for op in ALL_OPS.values() for kind in ("kink", "textbook", "because.chain")}
    by_op |= {f"sign.{sign.key}" for sign in SIGNS}
    unsaid = [key for key in en.SENTENCES if f'"{key}"' not in source and key not in by_op | CHOSEN]
    assert not unsaid


def test_an_operation_at_which_an_influence_ends_has_a_name():
    ends = [op for op in ALL_OPS.values() if not op.is_elementwise or op.partials]
    unnamed = {op.name for op in ends if f"chain.{op.name}" not in en.TITLES}
    assert all(not any(n.type.is_float for n in case.node.inputs) for name in unnamed for case in cases(ALL_OPS[name]))


@pytest.mark.parametrize("op", [op for op in ALL_OPS.values() if op.kink or op.open], ids=lambda op: op.name)
def test_conventions_and_textbook_forms_are_said(op):
    for _, sentences in TABLES.values():
        assert not op.kink or sentences[f"kink.{op.name}"]
        assert not op.open or sentences[f"textbook.{op.name}"]


def test_an_op_of_the_users_own_is_called_by_its_name():
    elementwise("my_swish", formula=lambda m, x: x / (1 + m.exp(-x)))
    try:
        assert phrases("en").title("chain.my_swish") == "chain rule through my_swish"
        assert phrases("ko").title("chain.my_swish") == "my_swish 함수의 연쇄 법칙"
    finally:
        del OPS["my_swish"], FUNCTIONS["my_swish"]


# --- Korean ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", templates("ko"))
def test_no_particle_is_attached_to_a_formula(key):
    """A formula has no last letter that would choose between 은 and 는; a noun stands between them."""
    for place in re.findall(r"\}([가-힣]+)", templates("ko")[key]):
        assert place not in PARTICLES, templates("ko")[key]


@pytest.mark.parametrize("key", templates("ko"))
def test_korean_is_korean(key):
    words = re.sub(r"\{[^}]*\}", " ", templates("ko")[key])
    assert set(re.findall(r"[A-Za-z]{2,}", words)) <= LATIN, "an English word"
    formula = key.startswith("kink.") or not re.search(
        r"[^\W\d_]", re.sub(r"[A-Za-z]+", "", templates("en")[key] + words)
    )
    assert re.search("[가-힣]", words) or formula


@pytest.mark.parametrize("key", templates("en"))
def test_english_is_english(key):
    assert not re.search("[가-힣]", templates("en")[key])


def test_a_particle_would_be_found():
    for wrong in ("{name}은 값", "{x}를", "식 {loss}의 미분", "{a}으로"):
        assert any(tail in PARTICLES for tail in re.findall(r"\}([가-힣]+)", wrong))
    assert not any(tail in PARTICLES for tail in re.findall(r"\}([가-힣]+)", "{count}개를 {change}만큼 {name} 항은"))


def test_another_language_is_refused_with_those_that_are_there():
    with pytest.raises(OptionError, match="language needs one of en, ko; got 'fr'"):
        phrases("fr")
