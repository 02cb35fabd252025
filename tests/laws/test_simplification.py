"""Law: every rule of simplification is an identity, of value and gradient, inside any graph; and it is recorded."""

import random
import zlib

import numpy as np
import pytest

from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.calculus.gradient import grad
from graphlearn.calculus.rules import KINDS, RULES
from graphlearn.calculus.simplify import rewrite_graph, simplify
from graphlearn.graph.leaves import INPUT
from graphlearn.graph.node import new_node
from graphlearn.graph.traverse import leaves
from graphlearn.ops.algebra import GRAPH
from graphlearn.ops.reductions import mean, sum_
from graphlearn.types import ArrayType, format_shape
from tests.laws.simplifications import CONSTANTS, PATTERNS

LENGTHS = {"N": 4}
KIND = {rule.name: rule.kind for rule in RULES}
# Functions from positive numbers to positive numbers of a few units, of which none is part of a pattern.
INNER = (
    lambda x, y: x,
    lambda x, y: GRAPH.softsign(x) + 0.5,
    lambda x, y: GRAPH.atan2(x, y) + 0.25,
    lambda x, y: GRAPH.atan(x + 3.0 * y),
    lambda x, y: GRAPH.sqrt(0.5 + x) * GRAPH.asinh(y),
)
OUTER = (
    lambda z: sum_(z),
    lambda z: sum_(GRAPH.asinh(z) * 0.7),
    lambda z: mean(GRAPH.atan(z)) + sum_(z),
    lambda z: GRAPH.asinh(sum_(z)) * mean(GRAPH.softsign(z)),
)
CASES = [
    pytest.param(pattern, shape, id=f"{pattern.rule}-{number}-{format_shape(shape)}")
    for number, pattern in enumerate(PATTERNS)
    for shape in pattern.shapes
]


def leaf(name, shape):
    return new_node(INPUT, (), (), ArrayType(shape), name, "")


def values(shape, seed):
    """Positive numbers, of which no two are equal."""
    lengths = tuple(LENGTHS.get(d, d) for d in shape)
    return np.random.Generator(np.random.Philox(seed)).uniform(0.3, 1.9, lengths)


def test_every_rule_has_a_pattern():
    assert {pattern.rule for pattern in PATTERNS} == set(KIND)
    assert set(KIND.values()) == set(KINDS)


@pytest.mark.parametrize(("pattern", "shape"), CASES)
def test_a_rule_does_what_it_says(pattern, shape):
    x, y = leaf("x", shape), leaf("y", shape)
    before = pattern.before(x, y)
    found = rewrite_graph([before])
    assert pattern.rule in [rewrite.rule for rewrite in found.rewrites]
    new = found.mapping[before]
    assert (new.shape, new.dtype) == (before.shape, before.dtype)
    assert simplify(new) is new
    if pattern.after is not None:
        assert new is simplify(pattern.after(x, y))
    for rewrite in found.rewrites:
        assert rewrite.kind == KIND[rewrite.rule]
        assert (rewrite.old.shape, rewrite.old.dtype) == (rewrite.new.shape, rewrite.new.dtype)
    if KIND[pattern.rule] == "stabilising":
        rescued = rewrite_graph([before], kinds=("stabilising",))
        assert {rewrite.kind for rewrite in rescued.rewrites} == {"stabilising"}
        assert set(leaves([rescued.mapping[before]])) == set(leaves([before])), "a parameter must not drop out of a fit"


@pytest.mark.filterwarnings("ignore::graphlearn.errors.ZeroGradientWarning")  # some are, by what their rule is about
@pytest.mark.parametrize(("pattern", "shape"), CASES)
def test_a_rule_is_an_identity_inside_random_graphs(pattern, shape):
    generator = random.Random(zlib.crc32(f"{pattern.rule}{shape}".encode()))
    leaves_ = [leaf(name, shape) for name in "uv"]
    for seed in range(3):
        x, y = (generator.choice(INNER)(*leaves_) for _ in range(2))
        output = generator.choice(OUTER)(pattern.before(x, y if y is not x else leaves_[1]))
        at = {w: values(shape, seed + k) for k, w in enumerate(leaves_)} | CONSTANTS
        short = simplify(output)
        np.testing.assert_allclose(evaluate(short, at), evaluate(output, at), rtol=1e-11, atol=1e-12)
        wrt = leaves([output])
        for one, other in zip(grad(output, wrt), grad(short, wrt, disconnected="zero"), strict=True):
            truth = evaluate(one, at)
            np.testing.assert_allclose(evaluate(other, at), truth, rtol=1e-9, atol=1e-10)
            np.testing.assert_allclose(evaluate(simplify(one), at), truth, rtol=1e-9, atol=1e-10)
