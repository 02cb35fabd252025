"""Law: the derivation of every op can be read in both languages, and explains each sign that a reader may not know."""

import re
import warnings

import numpy as np
import pytest

from graphlearn.errors import ZeroGradientWarning
from graphlearn.graph.leaves import input
from graphlearn.ops.intrinsics import mul
from graphlearn.ops.reductions import sum_
from graphlearn.render.document import Heading, Math, Sentence, pieces, plain
from graphlearn.render.phrases import phrases
from graphlearn.render.signs import SIGNS, explain_signs
from graphlearn.teach.derivation import derive
from tests.laws.operands import ALL_OPS, SIZES, cases
from tests.render.told import inlines

# Functions that a reader of a first course knows by name; those that their step names stand behind their own.
KNOWN = set(
    re.findall(
        r"\w+",
        """exp expm1 log log1p log2 log10 sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh erf erfc
        d sign max min mod not and or sum mean prod var std norm det softmax logsumexp transpose
        float32 float64 round""",
    )
)
CALL = re.compile(r"(?<![\w.])([A-Za-zΦ_][\w]*)\(")
REAL = {op: [c for c in cases(op) if c.real_inputs and c.node.type.is_float] for op in ALL_OPS.values()}
TOLD = {op: found for op, found in REAL.items() if found}


def told(case, language):
    """The derivation of a case, weighted by numbers, without its own title."""
    y = case.node.named("y")
    weights = input("c", y.shape)
    shape = tuple(SIZES[d] if isinstance(d, str) else d for d in y.shape)
    at = {**case.at, weights: np.linspace(0.5, 1.5, int(np.prod(shape))).reshape(shape)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ZeroGradientWarning)
        return derive(sum_(mul(y, weights)).named("L"), case.real_inputs, at=at).document(language)


@pytest.mark.parametrize("op", TOLD, ids=lambda op: op.name)
def test_every_function_in_a_derivation_is_known_named_or_explained(op):
    for case in (TOLD[op][0], TOLD[op][-1]):
        document = told(case, "en")
        explained = {name for text in explanations(document, "en") for name in CALL.findall(text)}
        texts = [piece.text for one in inlines(document) for piece in pieces(one) if isinstance(piece, Math)]
        used = {name for text in texts for name in CALL.findall(text)}
        assert used - KNOWN - explained - {op.name} <= {"L", "y", "c"}, str(case)


@pytest.mark.parametrize("op", TOLD, ids=lambda op: op.name)
def test_both_languages_explain_the_same_signs(op):
    one, other = (told(TOLD[op][-1], language) for language in ("en", "ko"))
    signs = [
        [[p for p in pieces(s) if isinstance(p, Math)] for s in sentences]
        for sentences in (explanations(one, "en"), explanations(other, "ko"))
    ]
    assert signs[0] == signs[1]


def explanations(document, language):
    """The sentences under the heading of signs."""
    found = False
    sentences = []
    for block in document.blocks:
        if isinstance(block, Heading):
            found = plain(block.text) == phrases(language).word("signs")
        elif found and isinstance(block, Sentence):
            sentences.append(plain(block.text))
    return sentences


@pytest.mark.parametrize("sign", SIGNS, ids=lambda sign: sign.key)
def test_a_sign_is_found_in_its_own_explanation_and_nowhere_else(sign):
    words = phrases("en")
    assert re.search(sign.pattern, sign.shown.text.replace("[c]", "[x = y]")) or sign.key == "sech"
    page = explain_signs([Sentence(Math(sign.shown.text.replace("[c]", "[x = y]"), ""))], words)
    own = [block for block in page if isinstance(block, Sentence)]
    assert any(sign.shown in block.text for block in own)
    assert not explain_signs([Sentence(Math("x·y + tanh(z) + x[0:2] + h[n]", ""))], words)


@pytest.mark.parametrize("formula", ["[x > 0]", "g ⊙ [x[:, 0] ≤ y[1:]]", "2·[not x[:, 1] = 0]", "([a < b])"])
def test_a_bracket_of_truths_is_found_whatever_parts_of_arrays_stand_in_it(formula):
    page = explain_signs([Sentence(Math(formula, ""))], phrases("en"))
    assert any("Iverson" in plain(block.text) for block in page)
