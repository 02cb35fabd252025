"""Law: a graph written out entry by entry has the values and the gradients of the graph of arrays."""

import itertools

import numpy as np
import pytest

from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.calculus.gradient import grad, vjp
from graphlearn.calculus.scalarize import scalarize
from graphlearn.calculus.specialize import free_axes, specialize
from graphlearn.graph.kin import kin
from graphlearn.graph.leaves import constant
from graphlearn.graph.rewrite import substitute
from graphlearn.graph.traverse import leaves, topological
from tests.laws.operands import ALL_OPS, SIZES, Case, cases

MOST = 8  # cases of an op
LARGEST = 40  # entries


def entries_of(node):
    found = scalarize(node, **{name: SIZES[name] for name in free_axes(topological([node]))})
    return [found] if node.shape == () else found.ravel().tolist()


def both_ways(case):
    """A case; and where whole numbers decide which entries are taken, also with constants in their place."""
    known = case.node.op.is_elementwise or not case.real_inputs or all(n.type.is_float for n in case.node.inputs)
    return [case] if known else [with_places(case), case]


def with_places(case):
    node = specialize(case.node, **{name: SIZES[name] for name in free_axes(topological([case.node]))})
    arrays = dict(zip(node.inputs, (case.at[leaf] for leaf in case.node.inputs), strict=True))
    chosen = {leaf: constant(array) for leaf, array in arrays.items() if not leaf.type.is_float}
    at = {leaf: array for leaf, array in arrays.items() if leaf.type.is_float}
    return Case(substitute([node], chosen)[node], at)


@pytest.mark.filterwarnings("ignore::graphlearn.errors.ZeroGradientWarning")  # of floor, sign and their like
@pytest.mark.parametrize("op", ALL_OPS.values(), ids=list(ALL_OPS))
def test_entries_have_the_values_and_the_gradients_of_arrays(op):
    done = 0
    for case in itertools.chain.from_iterable(map(both_ways, cases(op)[: 3 * MOST])):
        value = np.asarray(evaluate(case.node, case.at, sizes=SIZES))
        if value.size > LARGEST or done == MOST:
            continue
        if op.name == "axis_size":
            continue
        entries = entries_of(case.node)
        assert all(n.shape == () and n.dtype == case.node.dtype for n in entries)
        assert all(n.shape == () for n in topological(entries))
        found = np.array([evaluate(n, case.at) for n in entries]).reshape(value.shape)
        np.testing.assert_allclose(found, value, rtol=1e-13, atol=1e-13)
        assert_gradients_agree(case, entries, value)
        done += 1


def assert_gradients_agree(case, entries, value):
    if not case.node.type.is_float or not value.size or not case.real_inputs:
        return
    weights = np.linspace(-1.0, 1.5, value.size)
    total = sum(float(c) * n for c, n in zip(weights, entries, strict=True))
    cotangent = constant(weights.reshape(value.shape))
    wanted = {}
    promised = dict(case.node.attrs).get("normalized", False)
    # Under the promise that targets sum to 1, derivatives by targets are free by a number that is the same for all.
    for leaf in case.real_inputs[:1] if promised else case.real_inputs:
        if leaf.type.axis_names or case.node.type.axis_names:
            return  # their cotangent has a free axis; the same op is checked with lengths
        wanted[leaf] = evaluate(vjp(case.node, leaf, cotangent), case.at)
    for scalar in leaves([total], "input"):
        known = kin(scalar)
        family, place = ((scalar,), ()) if known is None else (known.ancestors, known.place)
        for origin in set(family) & set(wanted):
            slope = evaluate(grad(total, scalar, disconnected="zero"), case.at)
            np.testing.assert_allclose(slope, wanted[origin][place], rtol=1e-11, atol=1e-12)


def test_the_law_meets_every_kind_of_operation():
    assert {op.kind for op in ALL_OPS.values()} == {"intrinsic", "defined", "structural", "compound"}
