"""The functions of formulas by name: every operation, as `gl` and NumPy call it; and what a call needs."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any

import numpy as np

from graphlearn.errors import GraphUseError
from graphlearn.graph.node import Node, as_node
from graphlearn.graph.op import NUMPY_BUILDERS
from graphlearn.ops.activations import binary_cross_entropy, sigmoid
from graphlearn.ops.algebra import FUNCTIONS
from graphlearn.ops.determinants import cofactor
from graphlearn.ops.elementary import cbrt
from graphlearn.ops.factorizations import cholesky, inverse
from graphlearn.ops.gathering import scatter_add
from graphlearn.ops.intrinsics import maximum, minimum, sqrt
from graphlearn.ops.normalised import log_softmax, logsumexp, one_hot, softmax, softmax_cross_entropy
from graphlearn.ops.pooling import avg_pool1d, avg_pool2d, conv1d, conv2d, max_pool1d, max_pool2d
from graphlearn.ops.random import dropout
from graphlearn.ops.rectifiers import prelu
from graphlearn.ops.reductions import max_, min_
from graphlearn.ops.running import cumsum
from graphlearn.ops.shape import axis_size, broadcast_to, cast
from graphlearn.ops.windows import overlap_add, windows
from graphlearn.types import DTYPES

_Function = Callable[..., Any]


def _extreme(reduction: _Function, pairwise: _Function) -> _Function:
    """The extreme of one array, over axes given by name, or of several: ``max(x, 0)`` is the larger of two."""

    def function(a: Any, *others: Any, axis: Any = None, keepdims: bool = False) -> Node:
        if not others:
            node: Node = reduction(a, axis, keepdims)
            return node
        if axis is not None or keepdims:
            raise GraphUseError("the larger or smaller of several operands takes no options; drop them.")
        largest: Node = reduce(pairwise, others, a)
        return largest

    return function


# What NumPy does not have, or has with fewer options, and what derivations write.
_OWN: dict[str, _Function] = {
    "avg_pool1d": avg_pool1d,
    "avg_pool2d": avg_pool2d,
    "axis_size": axis_size,
    "binary_cross_entropy": binary_cross_entropy,
    "broadcast": broadcast_to,
    "cast": cast,
    "chol": cholesky,
    "cof": cofactor,
    "cofactor": cofactor,
    "conv1d": conv1d,
    "conv2d": conv2d,
    "cumsum": cumsum,
    "dropout": dropout,
    "inverse": inverse,
    "log_softmax": log_softmax,
    "logsumexp": logsumexp,
    "max": _extreme(max_, maximum),
    "min": _extreme(min_, minimum),
    "max_pool1d": max_pool1d,
    "max_pool2d": max_pool2d,
    "one_hot": one_hot,
    "overlap_add": overlap_add,
    "prelu": prelu,
    "scatter_add": scatter_add,
    "softmax": softmax,
    "softmax_cross_entropy": softmax_cross_entropy,
    "windows": windows,
    "√": sqrt,
    "∛": cbrt,
    "σ": sigmoid,
    **{dtype: partial(cast, dtype=dtype) for dtype in DTYPES},
}


_REDUCTIONS = ("sum", "mean", "max", "min", "prod", "softmax", "log_softmax", "logsumexp")


def find_function(name: str) -> _Function | None:
    """The function of this name; None where there is none."""
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    return _OWN.get(name) or _from_numpy().get(name)


def takes_expressions(function: _Function) -> bool:
    """Whether every operand is a number or an array, as for an elementwise operation; 2 is then a number like 2.0."""
    return "op" in getattr(function, "__dict__", {})


def names() -> list[str]:
    """The names of all functions, sorted."""
    return sorted({*FUNCTIONS, *_OWN, *_from_numpy()})


# What is no operation: what to do instead.
_LATER = "Build the formula first and write it around it in Python: gl.{name}(gl.parse(...), ...)."
_BY_ITSELF = "A name is an input by itself; its shape goes to shapes={'x': (3,)}. Other leaves are made in Python."
_OUTSIDE = {
    **dict.fromkeys(
        ("grad", "jacobian", "hessian", "value_and_grad", "jvp", "vjp", "numeric_grad", "check_grad", "evaluate",
         "compile", "derive", "draw", "explore", "simplify", "scalarize", "specialize", "inference", "to_sympy",
         "paths", "cost"), _LATER),
    **dict.fromkeys(("input", "parameter", "state", "constant", "symbols", "scope", "array"), _BY_ITSELF),
    **dict.fromkeys(("uniform", "normal", "bernoulli", "random", "rand", "randn"), "Draw in Python: gl.random."),
    **dict.fromkeys(("print", "eval", "exec", "open", "__import__"), "A formula is mathematics alone."),
    **dict.fromkeys(("derivative", "gradient"), "A derivative is gl.grad(gl.parse(...), x), in Python."),
}  # fmt: skip
# How else functions are called: what a formula calls them.
_SYNONYMS = {
    "ln": "log", "lg": "log10", "tg": "tan", "sen": "sin", "sh": "sinh", "ch": "cosh", "th": "tanh", "arctg": "atan",
    "arsinh": "asinh", "arcosh": "acosh", "artanh": "atanh", "sgn": "sign", "logistic": "sigmoid", "expit": "sigmoid",
    "swish": "silu", "fabs": "abs", "avg": "mean", "inv": "inverse", "tr": "trace", "ReLU": "relu", "GELU": "gelu",
}  # fmt: skip
_ALIKE = 0.72  # from which on a name may be meant by another: grad is not deg2rad


def nearest(name: str) -> str:
    """Advice for a name that is no function."""
    if name in _OUTSIDE:
        return _OUTSIDE[name].replace("{name}", name)
    near = [_SYNONYMS[name]] if name in _SYNONYMS else difflib.get_close_matches(name, names(), 1, _ALIKE)
    every = (
        "Write an operation of gl or NumPy by its name, such as exp(x), where(c, a, b) or sum(x, axis=0); for a "
        f"product, {name}*(...)."
    )
    return f"Did you mean {near[0]}?" if near else every


def is_reserved(name: str) -> bool:
    """Whether a name that stands alone is more likely a function without its brackets than an input."""
    return name in FUNCTIONS or name in _REDUCTIONS


def misfit(name: str, function: _Function, operands: Sequence[Any], options: dict[str, Any]) -> str | None:
    """What is wrong with the operands and options of a call, in words; None where they fit."""
    if takes_expressions(function) and not options:
        return None  # its own message counts the operands
    signature = inspect.signature(function)
    try:
        signature.bind(*operands, **options)
    except TypeError as error:
        return f"{name} takes {_words(signature)}; {error}"
    return None


def _words(signature: inspect.Signature) -> str:
    parts = [str(p.replace(annotation=p.empty)) for p in signature.parameters.values()]
    return f"({', '.join(parts)})"


def _from_numpy() -> dict[str, _Function]:
    """NumPy's functions that build nodes; asked for each time, since operations may be added."""
    # Where NumPy has two functions of a name, that of np itself and not of np.linalg: it comes last.
    ranked = sorted(NUMPY_BUILDERS.items(), key=lambda item: getattr(np, item[0].__name__, None) is item[0])
    found = {f.__name__: builder for f, builder in ranked if not f.__name__.startswith("_")}
    return {**found, "size": lambda a, axis=None: as_node(found["size"](a, axis))}  # a number is a node in a formula
