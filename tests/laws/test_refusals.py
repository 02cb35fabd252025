"""Law: operands that an op refuses are refused with the op, the operands and their types named, and with a cure.

And every public function that is given something else than it takes says so in an error of graphlearn, never in one of
whatever it calls inside; what Python itself says of a call, such as a missing operand, stands.
"""

from __future__ import annotations

import inspect
import itertools
import math
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphlearn as gl
from graphlearn.errors import DTypeError, GraphLearnError
from graphlearn.graph.leaves import INPUT
from graphlearn.graph.node import make, new_node
from graphlearn.graph.op import Op
from graphlearn.types import DTYPES, ArrayType, Shape
from tests.laws.operands import ALL_OPS, ATTRIBUTES, arity, attribute_names, in_range, operand_names

SHAPES: tuple[Shape, ...] = ((), (3,), (4,), (2, 3), (3, 2), (2, 1, 3), (0, 3), ("N", 3), ("M", 3), (2, "N"))


def attributes(op: Op) -> Iterator[dict[str, Any]]:
    """A few values of each attribute."""
    keys = {} if op.is_elementwise else attribute_names(op)
    for values in itertools.product(*[ATTRIBUTES[key][:3] for key in keys.values()]):
        yield dict(zip(keys, values, strict=True))


def refusals(op: Op) -> Iterator[tuple[GraphLearnError, tuple[ArrayType, ...]]]:
    """What the op says of operands that it does not take: of each dtype, and of shapes that do not fit."""
    count = arity(op) if op.is_elementwise else len(operand_names(op))
    shapes = list(itertools.product(SHAPES, repeat=count))[:: 1 if count < 3 else 37]
    kinds = [tuple(ArrayType(s, "float64") for s in each) for each in shapes]
    kinds += [tuple(ArrayType((3,), d) for d in each) for each in itertools.product(DTYPES, repeat=count)]
    for attrs in attributes(op):
        for types in kinds:
            if not (op.is_elementwise or in_range(attrs, tuple(t.shape for t in types))):
                continue
            inputs = tuple(new_node(INPUT, (), (), t, f"x{k}", "") for k, t in enumerate(types))
            try:
                make(op, inputs, tuple(sorted(attrs.items())), scope="")
            except GraphLearnError as error:
                yield error, types


@pytest.mark.parametrize("op", ALL_OPS.values(), ids=list(ALL_OPS))
def test_a_refusal_names_the_op_the_operands_and_the_cure(op: Op) -> None:
    for error, types in refusals(op):
        text = str(error)
        assert op.name in text, text
        for k, kind in enumerate(types):
            assert f"x{k}" in text, text
            assert str(kind) in text or str(kind.shape) in text, text
        assert "needs" in text, text
        assert "got" in text, text
        assert len(error.nodes) >= len(types), text
        assert text.split("\n")[0].endswith("."), text


_FREE = gl.input("f", ("n",))
# Public names that are no functions of graphs, or open a browser or files.
_OTHERS = {"Node", "ArrayType"}
_PYTHONS_OWN = re.compile(
    r"missing \d+ required|unexpected keyword|positional argument|takes no arguments|multiple values for argument"
)


def odd_values() -> dict[str, Any]:
    """What a function may be given that it does not take, by name."""
    x, m = gl.input("x", 3), gl.input("m", (2, 3))
    return {
        "None": None, "text": "abc", "vector": x, "matrix": m, "number": gl.sum(x * x),
        "whole": gl.input("i", 2, "int64"), "truth": gl.input("b", 3, "bool"), "object": object(),
        "nodes": [x, m], "nothing": [], "dict": {"a": 1},
        "negative": -1, "half": 1.5, "complex": 1j, "function": len, "ragged": [[1, 2], [3]], "set": {1},
        "objects": np.array([None, "a"], object), "texts": np.array(["a"]), "no rows": np.zeros((0, 3)),
        "nan": math.nan, "type": int,
    }  # fmt: skip


def public_functions() -> dict[str, Callable[..., Any]]:
    functions = {name: getattr(gl, name) for name in gl.__all__ if name not in _OTHERS}
    return {
        name: function
        for name, function in functions.items()
        if callable(function) and not (inspect.isclass(function) and issubclass(function, BaseException))
    }


def odd_calls(function: Callable[..., Any]) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Calls with one odd argument after a node, two nodes, a number or nothing; each option too."""
    values = odd_values()
    x, number = values["vector"], values["number"]
    for before in ((), (x,), (number,), (x, x), (number, x), (x, None), ("abc",)):
        for value in values.values():
            yield (*before, value), {}
    for option in inspect.signature(function).parameters.values():
        if option.default is not option.empty:
            for before in ((x,), (number, x)):
                for value in values.values():
                    yield before, {option.name: value}


@pytest.mark.parametrize("name", sorted(public_functions()))
def test_a_public_function_refuses_in_its_own_words(name: str) -> None:
    function = public_functions()[name]
    for operands, options in odd_calls(function):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of gradients that are zero everywhere
                function(*operands, **options)
        except GraphLearnError as error:
            assert len(str(error)) > 20 and str(error).split("\n")[0].endswith((".", ":")), str(error)
        except TypeError as error:
            assert _PYTHONS_OWN.search(str(error)), f"{name}{operands} {options}: {error}"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: gl.dot(x, gl.input("y", 4)), r"dot needs .* of \(3,\) .* of \(4,\)"),
        (lambda x: gl.vjp(x * 2, x, [1.0, 2.0]), r"shape of its output; got \(2,\) for <mul .* Broadcast or reshape"),
        (lambda x: gl.numeric_grad(gl.sum(x), None, {}), "numeric_grad by wrt needs a node"),
        (lambda x: gl.simplify([x, x]), "simplify needs one node; got 2"),
        (lambda x: gl.softmax(gl.input("m", (2, 3)), axis=(0, 1)), r"softmax needs one axis; got \(0, 1\)"),
        (lambda x: gl.concatenate(x), r"concatenate needs several, in a list; got <input x"),
        (lambda x: gl.grad(gl.scalarize(gl.sum(x * x)), x), r"It stands there as x\[0\], x\[1\], x\[2\]; diff"),
        (lambda x: gl.scalarize(gl.mean(gl.input("f", ("n",))), m=2), "scalarize names the axis 'm'"),
        (lambda x: gl.hessian(gl.sum(_FREE * _FREE), _FREE), r"a hessian needs nodes of fixed lengths.* got <input f"),
        (lambda x: gl.one_hot(gl.input("i", 2, "int64"), -1), r"one_hot needs a number of classes.*\n.*i: int64\[2\]"),
        (lambda x: gl.sum(x, keepdims="no"), "sum with keepdims needs True or False; got 'no'"),
        (lambda x: gl.compile(x, backend=["numba"]), "backend needs one of cuda, numba, numpy; got"),
    ],
)  # fmt: skip
def test_a_refusal_says_what_to_do(call: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(GraphLearnError, match=message):
        call(gl.input("x", 3))


_REDUCING = (
    "sum", "mean", "max", "min", "norm", "any", "all", "argmax", "cumsum", "det", "diag", "flip", "dropout",
    "logsumexp", "softmax", "prod", "var", "std", "transpose",
)  # fmt: skip
# What no constant can be made of, given to functions that build: name of the call -> the call and the nodes named.
_VALUES: dict[str, tuple[Callable[[Any, Any, Any], Any], str]] = {
    "matmul": (lambda x, m, s: x @ "a", "x"),
    "concatenate": (lambda x, m, s: gl.concatenate([x, None]), "x"),
    "stack": (lambda x, m, s: np.stack([x, "a"]), "x"),
    "dot": (lambda x, m, s: x.dot("a"), "x"),
    "inner": (lambda x, m, s: gl.inner(x, "a"), "x"),
    "einsum": (lambda x, m, s: gl.einsum("i,i", x, "a"), "x"),
    "solve": (lambda x, m, s: np.linalg.solve(m, "a"), "m"),
    "hypot": (lambda x, m, s: np.hypot(x, "a"), "x"),
    "pow": (lambda x, m, s: x ** "a", "x"),
    "mod": (lambda x, m, s: x % None, "x"),
    "take": (lambda x, m, s: gl.take(x, "a"), "x"),
    "jvp": (lambda x, m, s: gl.jvp(s, s, "a"), "s"),
    "mse": (lambda x, m, s: gl.losses.mse(x, "a"), "x"),
    "exp": (lambda x, m, s: gl.exp([x, m]), "x m"),
    **{
        name: (lambda x, m, s, name=name: getattr(gl, name)([x, m]), "x m")
        for name in _REDUCING
    },
}  # fmt: skip


@pytest.mark.parametrize("name", _VALUES)
def test_a_value_that_is_no_number_is_refused_by_what_was_called(name: str) -> None:
    call, operands = _VALUES[name]
    nodes = gl.input("x", 3), gl.input("m", (3, 3)), gl.input("s")
    with pytest.raises(DTypeError) as caught:
        call(*nodes)
    first, second = str(caught.value).split("\n")
    assert first.startswith(f"{name} needs a n"), first
    types = {node.name: node.type for node in nodes}
    for operand in operands.split():
        assert f"{operand}: {types[operand]}" in second, second
        assert operand in {node.name for node in caught.value.nodes}
    assert second.startswith(f"  operands of {name}: "), second
    assert ", at test_refusals.py:" in second, second


_COMPOSED: dict[str, Callable[[Any, Any], Any]] = {
    "matmul": lambda x, y: gl.input("a", (2, 2, 3)) @ y,
    "conv1d": lambda x, y: gl.conv1d(gl.input("a", (2, 5, 3)), gl.input("b", (2, 4, 3))),
    "slogdet": lambda x, y: gl.slogdet(x),
    "prelu": lambda x, y: gl.prelu(x, y),
    "binary_cross_entropy": lambda x, y: gl.binary_cross_entropy(x, y),
    "logical_xor": lambda x, y: gl.logical_xor(x, y),
    "hypot": lambda x, y: np.hypot(x, y),
    "one_hot": lambda x, y: gl.one_hot(x, 3),
}


@pytest.mark.parametrize("name", _COMPOSED)
def test_what_is_made_of_others_is_refused_by_its_own_name_and_operands(name: str) -> None:
    with pytest.raises(GraphLearnError) as caught:
        _COMPOSED[name](gl.input("x", 3), gl.input("y", 5))
    first, second = str(caught.value).split("\n")
    assert re.match(rf"({name}|broadcasting) needs ", first), first
    assert second.startswith(f"  operands of {name}: "), second
    assert "unnamed" not in second, second
    assert caught.value.nodes
