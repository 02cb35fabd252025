"""Law: reverse mode builds no matrix that it can avoid: no node of a gradient is larger than the forward graph's.

The diagonal matrix of an elementwise derivative, or the Kronecker product of a matrix product's, would be its square.
"""

import math

import numpy as np
import pytest

from graphlearn.calculus.forward import push_forward
from graphlearn.calculus.reverse import differentiate
from graphlearn.graph.leaves import INPUT
from graphlearn.graph.node import new_node
from graphlearn.graph.traverse import topological
from graphlearn.ops.intrinsics import exp, where
from graphlearn.ops.shape import expand_dims
from graphlearn.types import ArrayType
from tests.laws.test_adjoints import differentiable_cases

LENGTH = 100  # of a free axis, so that a square stands out
FACTOR = 2  # two arrays laid side by side, as the backward pass of a concatenation


def entries(node):
    return math.prod(LENGTH if isinstance(d, str) else d for d in node.shape)


def spread(roots):
    """Every node of a graph, those inside compounds too."""
    found, waiting = {}, list(roots)
    while waiting:
        for node in topological([waiting.pop()]):
            if node not in found:
                found[node] = None
                if node.op.expand is not None:
                    waiting.append(node.op.expand(node))
    return list(found)


def largest(roots):
    return max(map(entries, spread(roots)))


@pytest.mark.parametrize("case", differentiable_cases("float64"))
def test_no_node_of_a_derivative_is_larger_than_the_forward_graph(case):
    seed = new_node(INPUT, (), (), case.node.type, "g", "")
    wrt = case.real_inputs
    gradients = differentiate(case.node, wrt, seed=seed, disconnected="zero", record=False).gradients
    bound = FACTOR * max(1, largest([case.node]))
    assert largest(gradients.values()) <= bound
    along = [new_node(INPUT, (), (), w.type, f"v{k}", "") for k, w in enumerate(wrt)]
    hessian_times_vector = push_forward([gradients[w] for w in wrt], wrt, along)
    assert largest(hessian_times_vector) <= bound


def test_a_diagonal_matrix_would_be_found():
    fixed = new_node(INPUT, (), (), ArrayType((LENGTH,)), "x", "")
    diagonal = where(np.eye(LENGTH, dtype=bool), expand_dims(exp(fixed), 0), 0.0)
    assert largest([diagonal @ fixed]) > FACTOR * largest([exp(fixed)])
