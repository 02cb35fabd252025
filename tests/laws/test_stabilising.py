"""Law: a stabilising rule makes no value and no derivative less accurate, and rescues what the written form loses."""

import math

import numpy as np
import pytest

from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.calculus.gradient import grad
from graphlearn.calculus.rules import RULES
from graphlearn.calculus.rules.stable import STABLE
from graphlearn.calculus.simplify import rewrite_graph
from graphlearn.graph.leaves import INPUT, constant_array
from graphlearn.graph.node import new_node
from graphlearn.graph.traverse import leaves
from graphlearn.interop.mpmath_algebra import MpmathAlgebra
from graphlearn.ops.intrinsics import log
from graphlearn.types import ArrayType
from tests.laws.simplifications import CONSTANTS, PATTERNS

KIND = {rule.name: rule.kind for rule in RULES}
EPS = float(np.finfo(np.float64).eps)
TINY = float(np.finfo(np.float64).tiny)
SIZES = (
    1e-300,
    1e-20,
    1e-9,
    1e-3,
    0.1,
    0.7,
    1 - 1e-12,
    1 + 1e-12,
    5.0,
    19.5,
    37.5,
    354.6,
    700.0,
    708.6,
    709.2,
    709.7,
    745.0,
    1e3,
    1e4,
)
POINTS = (0.0, *SIZES, *(-size for size in SIZES))
OTHERS = (0.0, 0.3, 1.0)
SLACK = 4  # units in the last place by which two right answers may differ, and that a stabilising rule may cost
# What a scalar rule is tried on, as rows: equal, near, far, huge.
ROWS = (
    [0.0, 0.0, 0.0], [1e-9, -1e-9, 0.5], [40.0, 0.0, -3.0], [1e3, -1e3, 0.0], [-1e4, -9990.0, -1e4], [1e4, 9990.0, 3.0],
    [1e4 + 1e-3, 1e4, 1e4 - 1e-3], [1e-170, -2e-170, 1e-170],
)  # fmt: skip


def places(pattern):
    """The two leaves, and pairs of arrays for them."""
    shape = () if () in pattern.shapes else next(s for s in pattern.shapes if "N" not in s)
    x, y = (new_node(INPUT, (), (), ArrayType(shape), name, "") for name in "xy")
    if shape == ():
        others = OTHERS if y in leaves([pattern.before(x, y)]) else OTHERS[:1]
        return x, y, [(np.array(a), np.array(b)) for a in POINTS for b in others]
    rows = [np.resize(row, shape) for row in ROWS]
    return x, y, [(row, np.resize([0.25, 0.5, 0.25], shape)) for row in rows]


class Truth:
    """The value of a graph to many digits, formula by formula."""

    def __init__(self, arrays):
        largest = max(float(np.max(np.abs(a), initial=0)) for a in arrays.values())
        self.algebra = MpmathAlgebra(450 + math.ceil(0.9 * largest))
        convert = np.frompyfunc(self.algebra.context.mpf, 1, 1)
        self.values = {leaf: np.asarray(convert(array), object) for leaf, array in arrays.items()}

    def of(self, node):
        if node not in self.values:
            self.values[node] = np.asarray(self._compute(node), object)
        return self.values[node]

    def _compute(self, node):
        op = node.op
        if op.name == "constant":
            return np.frompyfunc(self.algebra.context.mpf, 1, 1)(np.asarray(constant_array(node), np.float64))
        if op.expand is not None:
            return self.of(op.expand(node))
        operands = [self.of(n) for n in node.inputs]
        if op.is_elementwise:
            return np.frompyfunc(lambda *xs: op.formula(self.algebra, *xs), len(operands), 1)(*operands)
        return operands[0] if op.name == "cast" else op.reference(*operands, **dict(node.attrs))


def slope(build, x, arrays, direction):
    """The derivative along a direction by a difference of numbers with hundreds of digits."""
    ends = []
    for sign in (1, -1):
        truth = Truth(arrays)
        step = truth.algebra.context.mpf(10) ** -100 * sign * (abs(truth.values[x]) if np.ndim(direction) == 0 else 1)
        truth.values[x] = truth.values[x] + step * direction
        ends.append((np.sum(truth.of(build)), step))
    return (ends[0][0] - ends[1][0]) / (2 * ends[0][1])


def errors(found, truth, unit):
    """Distances in units; infinite where a value is not finite."""
    with np.errstate(all="ignore"):
        pairs = zip(found.flat, truth.flat, strict=True)
        wide = np.array([abs(float(a - b)) if np.isfinite(a) else np.inf for a, b in pairs])
        return np.where(np.isfinite(wide), wide, np.inf) / unit


def is_real(truth):
    return all((np.isfinite(float(t)) and abs(t) > TINY) or t == 0 for t in truth.flat)


def compared(pattern, kinds):
    """For each pair of arrays: values before and after, their truth, slopes before and after, their truth."""
    x, y, pairs = places(pattern)
    before = pattern.before(x, y)
    after = rewrite_graph([before], kinds=kinds).mapping[before]
    slopes = [grad(node.sum(), x, disconnected="zero") for node in (before, after)]
    for a, b in pairs:
        at = {x: a, y: b} | CONSTANTS
        truth = Truth(at).of(before)
        if not is_real(truth):
            continue
        values = [np.asarray(evaluate(node, at)) for node in (before, after)]
        yield a, b, values, truth, None, None
        if np.max(np.abs(a)) <= 1000 and not (a.shape == () and a == 0):  # kinks lie at 0
            direction = np.ones(()) if a.shape == () else np.resize([1, -2, 3], a.shape)
            steep = slope(before, x, at, direction)
            if is_real(np.array([steep])):
                with np.errstate(all="ignore"):
                    found = [np.array([np.sum(evaluate(node, at) * direction)]) for node in slopes]
                yield a, b, None, None, found, np.array([steep])


@pytest.mark.parametrize("rule", [rule.name for rule in RULES if rule.kind == "stabilising"])
def test_nothing_is_less_accurate_and_something_is_rescued(rule):
    rescued = seen = 0
    for pattern in PATTERNS:
        if pattern.rule != rule:
            continue
        for a, b, values, truth, slopes, steep in compared(pattern, ("stabilising",)):
            (old, new), right = (values, truth) if slopes is None else (slopes, steep)
            sizes = np.abs(np.array([float(t) for t in right.flat]))
            # A reduction rounds like the largest number in it, an elementwise formula like its value.
            coarse = 0.0 if a.shape == () else max(1.0, float(np.max(np.abs(a))))
            lost, left = (errors(each, right, EPS * np.maximum(sizes, coarse) + TINY * EPS) for each in (old, new))
            assert np.all(left <= np.maximum(lost, 0) + SLACK), f"{pattern.rule} at {a}, {b}: {left} units, were {lost}"
            fine = EPS * sizes + TINY
            rescued += int(np.any(errors(old, right, fine) > 1000 * errors(new, right, fine) + 1000))
            seen += 1
    assert seen
    if rule in {each.name for each in STABLE} - {"softmax_shift", "x_log_x"}:
        assert rescued, "the written form loses nothing on this grid, so that the rule has no reason"


def test_x_log_x_has_its_limit_at_0():
    x = new_node(INPUT, (), (), ArrayType(()), "x", "")
    written = x * log(x)
    assert np.isnan(evaluate(written, {x: 0.0}))
    assert evaluate(rewrite_graph([written]).mapping[written], {x: 0.0}) == 0
