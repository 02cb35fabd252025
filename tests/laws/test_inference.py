"""Law: the type that an op infers is the type of what its NumPy reference returns; weak scalars follow NEP 50."""

import itertools
import random

import numpy as np
import pytest

from graphlearn.backends.numpy.interpreter import evaluate, resolve
from graphlearn.errors import GraphLearnError
from graphlearn.graph.leaves import INPUT, constant
from graphlearn.graph.node import apply, new_node
from graphlearn.types import DTYPES, ArrayType
from tests.laws.operands import ALL_OPS, ELEMENTWISE, SIZES, arity, cases, make_case

SCALARS = (True, 2, 0.5)


def lengths(shape):
    return tuple(SIZES[d] if isinstance(d, str) else d for d in shape)


def fits(dtype, given):
    """Whether the reference's dtype is the inferred one; graphs have no uint64, to which NumPy sums uint8."""
    return given == dtype or (dtype == "int64" and given == "uint64")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", ALL_OPS.values(), ids=list(ALL_OPS))
def test_shape_and_dtype_are_those_of_the_reference(op, dtype):
    for case in cases(op, dtype):
        operands = [case.at[n] for n in case.node.inputs]
        with np.errstate(all="ignore"):
            result = op.reference(*operands, **resolve(case.node.attrs, SIZES))
        assert np.shape(result) == lengths(case.node.shape), str(case)
        if not case.node.type.weak:
            assert fits(case.node.dtype, np.asarray(result).dtype.name), str(case)
        value = evaluate(case.node, case.at, sizes=SIZES)
        assert (value.shape, value.dtype.name) == (lengths(case.node.shape), case.node.dtype), str(case)


def operand_pairs():
    """Every pair of dtypes and Python scalars."""
    kinds = [*DTYPES, *SCALARS]
    return [pair for pair in itertools.product(kinds, kinds) if isinstance(pair[0], str) or isinstance(pair[1], str)]


def node_and_value(kind, k):
    if not isinstance(kind, str):
        return constant(kind), kind
    value = np.array([1, 2, 3]).astype(kind)
    return new_node(INPUT, (), (), ArrayType((3,), kind), f"x{k}", ""), value


@pytest.mark.parametrize("op", [op for op in ELEMENTWISE.values() if arity(op) == 2], ids=lambda op: op.name)
def test_two_operands_promote_as_in_numpy(op):
    for pair in operand_pairs():
        if op.kind == "defined" and not all(isinstance(kind, str) for kind in pair):
            continue  # NumPy's functions make strong scalars of a kernel's Python numbers; the interpreter rounds them
        made = [node_and_value(kind, k) for k, kind in enumerate(pair)]
        with np.errstate(all="ignore"):
            expected = op.reference(*[value for _, value in made]).dtype.name
        assert apply(op, *[node for node, _ in made]).dtype == expected, pair


def test_random_sums_and_products_of_arrays_and_scalars_promote_as_in_numpy():
    generator = random.Random(0)
    for _ in range(300):
        kinds = [generator.choice([*DTYPES, *SCALARS]) for _ in range(generator.randint(2, 5))]
        made = [node_and_value(kind, k) for k, kind in enumerate(kinds)]
        node, value = made[0]
        for right, right_value in made[1:]:
            operator = generator.choice(["add", "mul", "maximum"])
            node = apply(operator, node, right)
            # Two Python scalars make a Python scalar, which stays weak.
            weak = not isinstance(value, (np.ndarray, np.generic)) and not isinstance(right_value, np.ndarray)
            value = ALL_OPS[operator].reference(value, right_value)
            value = value.item() if weak else value
        assert node.dtype == np.asarray(value).dtype.name, kinds
        assert node.type.weak == (not isinstance(value, (np.ndarray, np.generic))), kinds


def test_promotions_that_numpy_makes_to_a_dtype_that_graphs_lack_are_none():
    for left, right in itertools.product(DTYPES, DTYPES):
        assert np.result_type(left, right).name in DTYPES


@pytest.mark.parametrize("op", ALL_OPS.values(), ids=list(ALL_OPS))
def test_named_axes_and_plain_ones_give_shapes_by_one_rule(op):
    """The shape with a name is the shape with its length, the name put back."""
    for case in cases(op):
        if any(n.type.axis_names for n in case.node.inputs):
            types = [n.type.with_shape(lengths(n.shape)) for n in case.node.inputs]
            attrs = {key: lengths(value) if key == "shape" else value for key, value in case.node.attrs}
            plain = make_case(op, types, attrs).node
            assert plain.shape == lengths(case.node.shape), str(case)


@pytest.mark.parametrize("op", [op for op in ELEMENTWISE.values() if arity(op) > 1], ids=lambda op: op.name)
def test_shapes_that_do_not_broadcast_are_refused_with_both_named(op):
    types = [ArrayType((2,)), *[ArrayType((3,))] * (arity(op) - 1)]
    with pytest.raises(GraphLearnError, match=r"\((2,\) and \(3|3,\) and \(2),\)"):
        make_case(op, types, {})
