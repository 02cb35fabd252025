"""Law: what a `where` does not take has no influence: derivatives are as with good numbers in its place.

For every op, whose operands are infinite wherever no entry that is taken needs them. The condition is one for all
entries, one for each entry, and along each axis in turn one for each place, or for copies along a new axis.
"""

import warnings
import zlib

import numpy as np
import pytest

from graphlearn.backends.numpy.interpreter import interpret
from graphlearn.calculus.forward import push_forward
from graphlearn.calculus.reverse import differentiate
from graphlearn.calculus.simplify import rewrite_graph
from graphlearn.graph.binding import Binding
from graphlearn.graph.leaves import INPUT
from graphlearn.graph.node import make, new_node
from graphlearn.ops.intrinsics import where
from graphlearn.ops.reach import MATRICES
from graphlearn.ops.reductions import sum_
from graphlearn.types import ArrayType
from tests.laws.operands import ALL_OPS, OTHERS, SIZES, cases
from tests.laws.test_adjoints import lengths, random_array

MOST = 4  # cases of an op
BAD = 0.0  # a leaf whose inverse is infinite
# Their references refuse what is not finite, wherever it is.
REFUSING = {"cholesky"}


def shapes_of_conditions(shape):
    """No axis, all axes, one of the axes, and copies along a new axis."""
    found = [(), shape, (2, *[1] * len(shape))]
    for k, d in enumerate(shape):
        found.append(tuple(d if j == k else 1 for j in range(len(shape))))
    return list(dict.fromkeys(found))


def masked_cases():
    for op in ALL_OPS.values():
        if op.name not in REFUSING:
            able = [c for c in cases(op) if c.node.type.is_float and c.real_inputs and 0 not in c.node.shape]
            for case in able[:: max(1, len(able) // MOST)]:
                for shape in shapes_of_conditions(case.node.shape):
                    yield pytest.param(case, shape, id=f"{case}-{shape}")


def computed(nodes, at):
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        values = interpret(nodes, Binding(at, SIZES))
    return [np.broadcast_to(values[n], lengths(n.shape)) for n in nodes]


def needed(case, taken):
    """For each real operand which entries are needed for entries that are taken."""
    shown = {leaf: influence(case, leaf) for leaf in case.real_inputs}
    return {leaf: np.any(moved & taken, tuple(range(leaf.ndim, moved.ndim))) for leaf, moved in shown.items()}


def influence(case, leaf):
    """For each entry of an operand, which entries of the result are made of it: NaN in the one shows in the others."""
    sizes = lengths(leaf.shape)
    found = np.zeros((*sizes, *lengths(case.node.shape)), bool)
    for place in np.ndindex(*sizes):
        if case.node.op.is_elementwise:  # also where the op chooses another operand by itself
            found[place] = np.broadcast_to(one_hot(sizes, place), found[place].shape)
        else:
            array = np.where(one_hot(sizes, place), np.nan, case.at[leaf])
            found[place] = np.isnan(computed([case.node], {**case.at, leaf: array})[0])
    if case.node.op.reach is MATRICES:  # all of a system counts, also where some of it is needed
        found |= np.any(found, tuple(range(case.node.inputs[0].ndim - 2 - case.node.ndim, 0)), keepdims=True)
    return found if found.any() else np.ones_like(found)  # an operand that makes no difference may not be infinite


def one_hot(sizes, place):
    array = np.zeros(sizes, bool)
    array[place] = True
    return array


class Masked:
    """A case below a `where`, with operands that are inverses of leaves.

    Args:
        case: a node of one op.
        shape: of the condition.
    """

    def __init__(self, case, shape):
        self.condition = new_node(INPUT, (), (), ArrayType(shape, "bool"), "taken", "")
        self.leaves = case.real_inputs
        operands = tuple(1 / n if n in self.leaves else n for n in case.node.inputs)
        chosen = where(self.condition, make(case.node.op, operands, case.node.attrs), 0.0)
        self.weights = new_node(INPUT, (), (), chosen.type, "weights", "")
        self.loss = sum_(chosen * self.weights)
        seed = zlib.crc32(f"{case}{shape}".encode())
        self.taken = np.random.Generator(np.random.Philox(seed)).integers(0, 2, lengths(shape)).astype(bool)
        if shape == () or (shape[:1] == (2,) and len(shape) > case.node.ndim):
            self.taken = np.zeros_like(self.taken)
        anywhere = np.broadcast_to(self.taken, lengths(chosen.shape))
        self.needs = needed(case, anywhere.any(axis=0) if chosen.ndim > case.node.ndim else anywhere)
        self.at = {**case.at, self.condition: self.taken, self.weights: random_array(chosen.shape, 1)}

    def points(self):
        """The leaves with good numbers everywhere, and with good ones only where they are needed."""
        good = {leaf: 1 / self.at[leaf] for leaf in self.leaves}
        bad = {leaf: np.where(self.needs[leaf], good[leaf], BAD) for leaf in self.leaves}
        return {**self.at, **good}, {**self.at, **bad}

    def derivatives(self):
        """First and second derivatives by all leaves, in reverse and forward mode, along directions."""
        along = [new_node(INPUT, (), (), n.type, f"along{k}", "") for k, n in enumerate(self.leaves)]
        self.at |= {n: random_array(n.shape, 2 + k) for k, n in enumerate(along)}
        first = differentiate(self.loss, self.leaves, record=False).gradients
        slopes = list(first.values())
        total = sum_(sum(sum_(g * d) for g, d in zip(slopes, along, strict=True)))
        second = differentiate(total, self.leaves, disconnected="zero", record=False).gradients
        return [*slopes, *second.values(), *push_forward([self.loss, *slopes], self.leaves, along)]


@pytest.mark.parametrize(("case", "shape"), list(masked_cases()))
def test_what_is_not_taken_has_no_influence(case, shape):
    masked = Masked(case, shape)
    derivatives = masked.derivatives()
    simplified = rewrite_graph(derivatives).mapping
    good, bad = masked.points()
    expected = computed(derivatives, good)
    for nodes in (derivatives, [simplified[n] for n in derivatives]):
        for k, (a, b) in enumerate(zip(expected, computed(nodes, bad), strict=True)):
            np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-9 * (1 + np.max(np.abs(a), initial=0)), err_msg=str(k))


def test_every_record_says_what_it_reaches():
    """Else a condition on some entries would be one on all."""
    silent = [op.name for op in OTHERS.values() if op.adjoint is not None and op.reach is None]
    assert silent == ["axis_size"]  # which has no operand
