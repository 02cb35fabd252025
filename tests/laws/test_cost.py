"""Law: every op has a cost; where it adds and multiplies, as many operations as there are in the graph of numbers."""

import math
import random

import numpy as np
import pytest

from graphlearn.calculus.scalarize import scalarize
from graphlearn.calculus.specialize import free_axes
from graphlearn.graph.leaves import input
from graphlearn.graph.traverse import topological
from graphlearn.ops.shape import broadcast_to, reshape, transpose
from graphlearn.program.cost import entries, flops
from graphlearn.program.layouts import VIEWS, Layouts
from tests.laws.operands import ALL_OPS, SIZES, cases

ARITHMETIC = ("sum", "prod", "cumsum", "mean", "add", "mul", "sigmoid", "relu", "tanh", "clip", "sub", "where")


@pytest.mark.parametrize("op", ALL_OPS.values(), ids=list(ALL_OPS))
def test_every_op_has_a_cost(op):
    for case in cases(op):
        found = flops(case.node, SIZES)
        assert isinstance(found, int) and found >= 0
        if op.is_elementwise:
            assert found >= entries(case.node.shape, SIZES)


@pytest.mark.parametrize("name", ARITHMETIC)
def test_a_cost_is_the_number_of_operations_on_numbers(name):
    for case in cases(ALL_OPS[name])[:12]:
        nodes = scalarize(case.node, **{axis: SIZES[axis] for axis in free_axes(topological([case.node]))})
        roots = [nodes] if case.node.shape == () else nodes.ravel().tolist()
        counted = sum(flops(n, {}) for n in set(topological(roots)) if n.inputs)
        assert counted == flops(case.node, SIZES)


@pytest.mark.parametrize("seed", range(40))
def test_what_takes_no_bytes_is_a_view_in_numpy(seed):
    """Random chains of views: NumPy says of each result whether it shows the memory of the one before."""
    choose = random.Random(seed)
    node, array = input("x", (4, 3, 2)), np.zeros((4, 3, 2))
    layouts = Layouts({})
    for _ in range(12):
        new = _seen_otherwise(node, choose)
        if new is node or new.op.name not in VIEWS:
            continue
        result = new.op.reference(array, **dict(new.attrs)) if new.inputs == (node,) else None
        assert result is not None and layouts.is_view(new) == np.shares_memory(result, array), new
        node, array = new, result


def _seen_otherwise(x, choose):
    axes = list(range(x.ndim))
    match choose.choice(["transpose", "reshape", "reshape", "slice", "broadcast"]):
        case "transpose":
            return transpose(x, choose.sample(axes, x.ndim))
        case "reshape":
            parts, left = [], math.prod(x.shape)
            while left > 1:
                part = choose.choice([d for d in range(1, left + 1) if left % d == 0])
                parts, left = [*parts, part], left // part
            return reshape(x, parts)
        case "slice":
            axis = choose.choice(axes) if axes else 0
            cut = slice(None, None, choose.choice([2, -1])) if choose.random() < 0.7 else slice(1, None)
            return x[(*[slice(None)] * axis, cut)] if axes and x.shape[axis] > 1 else x
    return broadcast_to(x, (2, *x.shape)) if math.prod(x.shape) < 100 else x
