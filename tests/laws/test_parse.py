"""Law: what a derivation writes can be read again, and means the same; operations that are not read are listed."""

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.calculus.specialize import free_axes
from graphlearn.errors import GraphLearnError
from graphlearn.graph.leaves import INPUT
from graphlearn.graph.node import make, new_node
from graphlearn.interop.calls import find_function
from graphlearn.interop.parser import parse
from graphlearn.render.document import Math
from graphlearn.render.notation import Writer
from tests.laws.operands import ALL_OPS, cases

# Operations whose notation is mathematics that a formula does not read: Iverson's brackets, juxtaposed matrices, "=",
# exponents and subscripts that are no numbers, losses over softmax, adjoints that nobody writes by hand.
NOT_READ = {
    "axis_size", "binary_cross_entropy", "cofactor_along", "concatenate", "cross_entropy", "detsign", "einsum", "equal",
    "exp2", "inlay", "inverse", "log_sigmoid", "logabsdet", "lower_half", "matmul", "mod", "pow", "sech2", "solve",
}  # fmt: skip
# Functions of `gl` that are no operations of a formula.
NO_CALLS = {"elementwise", "input", "parameter", "state", "constant", "scope", "symbols"}
NAMES = ("x", "y", "z", "u", "v", "w")


def written(case):
    """A case with letters as names, its text, and the shapes of its names."""
    letters = [new_node(INPUT, (), (), n.type, NAMES[k], "") for k, n in enumerate(case.node.inputs)]
    node = make(case.node.op, tuple(letters), case.node.attrs, scope="")
    text = Writer({n: Math(n.name, n.name) for n in letters}).write(node).text
    return node, text, {n.name: n.shape for n in letters}


def agree(found, node, values):
    """Whether two graphs have one dtype and one value, up to what is not written: kept axes and repeated numbers."""
    if found.dtype != node.dtype:
        return False
    value, wanted = evaluate(found, values), evaluate(node, values)
    if value.size == wanted.size:
        value = value.reshape(wanted.shape)
    # What is written may be another formula of the same value, such as exp(−x²) for what is computed with more care.
    return value.shape in ((), wanted.shape) and np.allclose(value, wanted, rtol=1e-13, atol=0, equal_nan=True)


@pytest.mark.parametrize("op", ALL_OPS.values(), ids=list(ALL_OPS))
def test_what_is_written_is_read(op):
    results = []
    for case in cases(op):
        if any(n.dtype != "float64" for n in case.node.inputs) or free_axes([*case.node.inputs, case.node]):
            continue
        node, text, shapes = written(case)
        try:
            found = parse(text, shapes)
        except GraphLearnError as error:
            assert op.name in NOT_READ or node.attrs, f"{text}: {error}. Make it readable, or list it in NOT_READ."
            continue
        results.append(agree(found, node, dict(zip(shapes, (case.at[n] for n in case.node.inputs), strict=True))))
        # What an attribute says may be left out where a derivation shows it otherwise, such as the axis of softmax.
        assert results[-1] or node.attrs, text
        if len(results) == 12:
            break
    assert any(results) or op.name in NOT_READ or not results


def test_what_is_listed_is_not_read():
    for name in NOT_READ - {"axis_size"}:
        case = next(c for c in cases(ALL_OPS[name]) if not free_axes(c.node.inputs))
        _, text, shapes = written(case)
        with pytest.raises(GraphLearnError):
            parse(text, shapes)


def test_every_operation_can_be_called_by_its_public_name():
    for name in gl.__all__:
        function = getattr(gl, name)
        if getattr(function, "__module__", "").startswith("graphlearn.ops") and name not in NO_CALLS:
            assert find_function(name) is not None, f"add {name} to graphlearn/interop/calls.py"
