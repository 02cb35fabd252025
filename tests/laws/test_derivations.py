"""Law: the derivation of any graph, shared nodes and all, is right in every row, complete, and alike in any language.

Every number that a derivation prints is compared with the gradient of the same node found in another way.
"""

from collections import Counter
from functools import cache

import numpy as np
import pytest
from rich.cells import cell_len

from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.calculus.gradient import grad
from graphlearn.calculus.reverse import differentiate
from graphlearn.graph.names import Names
from graphlearn.graph.traverse import consumers, topological
from graphlearn.render.document import Step, plain
from graphlearn.render.names import name_math
from graphlearn.render.numbers import array_math
from graphlearn.render.phrases import phrases
from graphlearn.teach.derivation import derive
from graphlearn.teach.differences import numeric_grad
from tests.laws.random_graphs import SIZES, random_graph
from tests.render.told import SHARE, formulas, numbers, rows, section, sentences, steps

SEEDS = range(8)


@cache
def told(seed):
    graph = random_graph(seed, 12)
    return graph, derive(graph.output, graph.wrt, at=graph.at)


def value(node, graph):
    return np.asarray(evaluate(node, graph.at, sizes=SIZES))


def active_uses(graph):
    """node -> how many uses of it pass an adjoint on, among nodes that have one."""
    trace = differentiate(graph.output, graph.wrt)
    passed = Counter(step.node for step in trace.steps if step.rule.startswith("chain."))
    uses = consumers(topological([graph.output]))
    assert all(passed[node] <= len(uses[node]) for node in passed)
    return passed


@pytest.mark.parametrize("seed", SEEDS)
def test_every_row_agrees_with_finite_differences(seed):
    _, derivation = told(seed)
    report = derivation.check()
    assert report.ok, str(report)
    assert not report.failed
    assert not report.wrong_steps
    assert len(report.checks) >= len(steps(derivation.document())) - 1  # the start needs no check


@pytest.mark.parametrize("seed", SEEDS)
def test_the_gradients_are_those_of_grad_and_of_differences_alone(seed):
    graph, derivation = told(seed)
    assert set(derivation.gradients) == {w.full_name for w in graph.wrt}
    for w, slow in zip(graph.wrt, numeric_grad(graph.output, graph.wrt, graph.at, "ridders"), strict=True):
        found = derivation.gradients[w.full_name]
        np.testing.assert_array_equal(found, value(grad(graph.output, w), graph))
        np.testing.assert_allclose(found, slow, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_row_ends_in_the_gradient_of_its_node(seed):
    graph, derivation = told(seed)
    names = Names([graph.output])
    found = steps(derivation.document())
    assert set(found) >= {w.full_name for w in graph.wrt}
    for anchor, step in found.items():
        node = names.node(anchor)
        expected = value(grad(graph.output, node), graph)
        last = rows(step)[-1]
        assert last.right.text == array_math(expected, width=130).text, anchor
        if plain(last.check).startswith("at a kink"):  # entries that tie for a maximum
            assert np.unique(value(node, graph)).size < np.size(value(node, graph)), anchor
        elif node is not graph.output:
            assert plain(last.check).startswith("✓"), anchor


@pytest.mark.parametrize("seed", SEEDS)
def test_the_sum_over_paths_stands_wherever_a_value_is_used_more_than_once(seed):
    graph, derivation = told(seed)
    names, titles = Names([graph.output]), phrases("en")
    found = steps(derivation.document())
    uses = active_uses(graph)
    shared = 0
    for anchor, step in found.items():
        node = names.node(anchor)
        shares = [row for row in rows(step) if row.left is not None and SHARE.match(row.left.text)]
        if uses[node] < 2:
            assert plain(step.title) != titles.title("accumulate")
            assert not shares
            continue
        shared += 1
        assert plain(step.title) == titles.title("accumulate")
        assert len({row.left.text for row in shares}) == uses[node]
        total = next(row for row in rows(step) if row.left is not None and "share₁ + share₂" in row.right.text)
        assert total.right.text.count("share") == uses[node]
        assert all(plain(row.note) for row in shares), "each path says its rule"
    assert shared >= 5
    assert all(names[node] in found for node, count in uses.items() if count > 1 and node is not graph.output)


def test_the_numbers_of_the_paths_add_up():
    """For scalars, where each path ends in one number: what is printed adds up to what is printed."""
    added = 0
    for seed in SEEDS:
        graph, derivation = told(seed)
        names = Names([graph.output])
        for anchor, step in steps(derivation.document()).items():
            if names.node(anchor).shape == () and plain(step.title) == phrases("en").title("accumulate"):
                parts = paths(step)
                total = numbers(rows(step)[-1].right.text)[-1]
                assert sum(parts) == pytest.approx(total, abs=5e-4 * len(parts) * max(1, *map(abs, parts)))
                added += 1
    assert added >= 8


def paths(step):
    """The last number of each path of a sum over paths."""
    ends, last = [], None
    for row in rows(step):
        if row.left is not None and last is not None:
            ends.append(numbers(last)[-1])
        if row.left is not None and not SHARE.match(row.left.text):
            break
        last = row.right.text
    return ends


@pytest.mark.parametrize("seed", SEEDS)
def test_rows_are_numbered_and_each_is_about_a_node_of_the_forward_table(seed):
    _, derivation = told(seed)
    document = derivation.document()
    found = [block for block in document.blocks if isinstance(block, Step)]
    assert [step.number for step in found] == list(range(1, len(found) + 1))
    assert len(found) == len(steps(document)), "one row for one node"
    forward = {plain(row[0]) for row in section(document, "Forward pass")[-1].rows}
    for step in found:
        assert step.title
        assert name_math(step.anchor).text in forward


@pytest.mark.parametrize("seed", SEEDS)
def test_both_languages_tell_the_same_formulas_and_numbers(seed):
    _, derivation = told(seed)
    english, korean = derivation.document("en"), derivation.document("ko")
    assert Counter(formulas(english)) == Counter(formulas(korean))
    assert [type(block) for block in english.blocks] == [type(block) for block in korean.blocks]
    for one, other in zip(steps(english).values(), steps(korean).values(), strict=True):
        assert [r.right for r in rows(one) if not SHARE.search(r.right.text)] == [
            r.right for r in rows(other) if not SHARE.search(r.right.text)
        ]
        assert [sorted(numbers(s)) for s in sentences(one)] == [sorted(numbers(s)) for s in sentences(other)]


@pytest.mark.parametrize("width", [60, 80, 100, 120])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_no_line_is_wider_than_the_page(language, width):
    for seed in SEEDS:
        _, derivation = told(seed)
        lines = derivation.to_text(language, width=width).splitlines()
        assert max(map(cell_len, lines)) <= width
        assert not any(line.endswith(" ") for line in lines)


@pytest.mark.parametrize("seed", SEEDS)
def test_without_values_there_are_no_numbers_and_the_checks_still_run(seed):
    graph, derivation = told(seed)
    bare = derive(graph.output, graph.wrt)
    assert bare.check().ok
    assert bare.gradients == {}
    text = bare.to_text()
    assert "seeded random values" in text
    assert "✓" not in text
    rights = [row.right.text for step in steps(derivation.document()).values() for row in rows(step)]
    alone = [row.right.text for step in steps(bare.document()).values() for row in rows(step)]
    assert not Counter(alone) - Counter(rights), "the same formulas, without their numbers"


@pytest.mark.parametrize("seed", SEEDS)
def test_unsimplified_rows_have_the_same_numbers(seed):
    graph, derivation = told(seed)
    plainly = derive(graph.output, graph.wrt, at=graph.at, simplify=False)
    assert "simplified" not in plainly.to_text()
    assert plainly.check().ok
    for name, gradient in derivation.gradients.items():
        np.testing.assert_array_equal(plainly.gradients[name], gradient)
