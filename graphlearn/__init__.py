"""graphlearn: see every step of backpropagation, then train the very same graph at compiled speed.

``import graphlearn as gl``. What needs SymPy, Numba, networkx or matplotlib is loaded on first use.
"""

from __future__ import annotations

import importlib
from typing import Any

from graphlearn.backends.function import Function
from graphlearn.backends.function import compile_graph as compile  # the public face's name
from graphlearn.backends.numpy.interpreter import evaluate
from graphlearn.calculus.gradient import grad, jvp, value_and_grad, vjp
from graphlearn.calculus.inference import inference
from graphlearn.calculus.matrices import hessian, jacobian
from graphlearn.calculus.scalarize import scalarize
from graphlearn.calculus.simplify import simplify
from graphlearn.calculus.specialize import specialize
from graphlearn.errors import (
    ConversionWarning,
    DataError,
    DisconnectedError,
    DTypeError,
    EngineError,
    GraphLearnError,
    GraphLearnWarning,
    GraphUseError,
    MissingValueError,
    NameClashError,
    NonFiniteError,
    OptionError,
    ParseError,
    ShapeError,
    UnknownNameError,
    UnsupportedOp,
    ZeroGradientWarning,
)
from graphlearn.graph.leaves import constant, input, parameter, state  # the field's word
from graphlearn.graph.node import Node
from graphlearn.graph.scope import scope
from graphlearn.graph.traverse import symbols
from graphlearn.learn.telling import install_teller
from graphlearn.ops import random
from graphlearn.ops.activations import (
    binary_cross_entropy,
    log_sigmoid,
    logistic_density,
    relu,
    sech2,
    sigmoid,
    softplus,
    square,
)
from graphlearn.ops.contractions import dot, inner, outer, tensordot, vdot
from graphlearn.ops.determinants import cofactor, det, slogdet
from graphlearn.ops.einsum import einsum
from graphlearn.ops.elementary import (
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    cbrt,
    ceil,
    clip,
    cosh,
    erfc,
    exp2,
    floor,
    floor_divide,
    inversion,
    log2,
    log10,
    mod,
    reciprocal,
    rsqrt,
    sinh,
    tan,
    xlogy,
)
from graphlearn.ops.elementary import round_ as round  # NumPy's name
from graphlearn.ops.elementwise import elementwise
from graphlearn.ops.factorizations import cholesky, inverse, solve
from graphlearn.ops.gathering import scatter_add, take, take_along_axis
from graphlearn.ops.gaussian import gaussian, gelu, gelu_tanh
from graphlearn.ops.guards import guarded
from graphlearn.ops.intrinsics import (
    absolute,
    add,
    cos,
    div,
    equal,
    erf,
    exp,
    expm1,
    greater,
    greater_equal,
    less,
    less_equal,
    log,
    log1p,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    mul,
    neg,
    not_equal,
    power,
    sign,
    sin,
    sqrt,
    sub,
    tanh,
    where,
)
from graphlearn.ops.joining import concatenate, flip, pad, split, stack
from graphlearn.ops.linear import matmul
from graphlearn.ops.normalised import log_softmax, logsumexp, one_hot, softmax, softmax_cross_entropy
from graphlearn.ops.numpy_elementwise import logical_xor
from graphlearn.ops.pooling import avg_pool1d, avg_pool2d, conv1d, conv2d, max_pool1d, max_pool2d
from graphlearn.ops.products import cumprod, prod
from graphlearn.ops.random import dropout
from graphlearn.ops.rectifiers import (
    celu,
    elu,
    hard_sigmoid,
    hard_tanh,
    leaky_relu,
    mish,
    prelu,
    relu6,
    selu,
    silu,
    softsign,
    threshold,
)
from graphlearn.ops.reductions import all_ as all  # NumPy's name
from graphlearn.ops.reductions import any_ as any  # NumPy's name
from graphlearn.ops.reductions import argmax, argmin, mean
from graphlearn.ops.reductions import max_ as max  # NumPy's name
from graphlearn.ops.reductions import min_ as min  # NumPy's name
from graphlearn.ops.reductions import sum_ as sum  # NumPy's name
from graphlearn.ops.repeating import repeat, roll, tile
from graphlearn.ops.running import cumsum
from graphlearn.ops.shape import (
    axis_size,
    broadcast_to,
    cast,
    expand_dims,
    moveaxis,
    ravel,
    reshape,
    squeeze,
    swapaxes,
    transpose,
)
from graphlearn.ops.statistics import norm, std, var
from graphlearn.ops.triangles import diag, diagonal, trace, tril, triu
from graphlearn.ops.windows import overlap_add, windows
from graphlearn.program.narration import install_narrator
from graphlearn.types import ArrayType

__version__ = "0.1.0"

abs, pow, remainder = absolute, power, mod  # NumPy's names
subtract, multiply, divide, negative = sub, mul, div, neg  # NumPy's names

# Loaded on first use: public name -> (module, name in it; empty for the module itself).
_LAZY = {
    "derive": ("graphlearn.teach.derivation", "derive"),
    "draw": ("graphlearn.teach.draw", "draw"),
    "cost": ("graphlearn.teach.cost", "cost"),
    "paths": ("graphlearn.teach.paths", "paths"),
    "check_grad": ("graphlearn.teach.check", "check_grad"),
    "rewrites": ("graphlearn.teach.rewrites", "rewrites"),
    "numeric_grad": ("graphlearn.teach.check", "numeric_grad"),
    "Model": ("graphlearn.learn.model", "Model"),
    "nn": ("graphlearn.learn.nn", ""),
    "losses": ("graphlearn.learn.losses", ""),
    "optim": ("graphlearn.learn.optim", ""),
    "init": ("graphlearn.learn.init", ""),
    "datasets": ("graphlearn.datasets", ""),
    "parse": ("graphlearn.interop.parser", "parse"),
    "to_sympy": ("graphlearn.interop.sympy_graph", "to_sympy"),
    "from_sympy": ("graphlearn.interop.sympy_graph", "from_sympy"),
    "to_networkx": ("graphlearn.interop.networkx_graph", "to_networkx"),
}

__all__ = [
    "ArrayType", "ConversionWarning", "DTypeError", "DataError", "DisconnectedError", "EngineError", "Function",
    "GraphLearnError", "GraphLearnWarning", "GraphUseError", "MissingValueError", "Model", "NameClashError", "Node",
    "NonFiniteError", "OptionError", "ParseError", "ShapeError", "UnknownNameError", "UnsupportedOp",
    "ZeroGradientWarning", "abs", "absolute", "acos", "acosh", "add", "all", "any", "argmax", "argmin", "asin", "asinh",
    "atan", "atan2", "atanh", "avg_pool1d", "avg_pool2d", "axis_size", "binary_cross_entropy", "broadcast_to", "cast",
    "cbrt", "ceil", "celu", "check_grad", "cholesky", "clip", "cofactor", "compile", "concatenate", "constant",
    "conv1d", "conv2d", "cos", "cosh", "cost", "cumprod", "cumsum", "datasets", "derive", "det", "diag", "diagonal",
    "div", "divide", "dot", "draw", "dropout", "einsum", "elementwise", "elu", "equal", "erf", "erfc", "evaluate",
    "exp", "exp2", "expand_dims", "expm1", "flip", "floor", "floor_divide",
    "from_sympy", "gaussian", "gelu", "gelu_tanh", "grad",
    "greater", "greater_equal", "guarded", "hard_sigmoid", "hard_tanh", "hessian", "inference", "init", "inner",
    "input", "inverse", "inversion", "jacobian", "jvp", "leaky_relu", "less", "less_equal", "log", "log1p", "log2",
    "log10", "log_sigmoid", "log_softmax", "logical_and", "logical_not", "logical_or", "logical_xor",
    "logistic_density", "logsumexp", "losses", "matmul", "max", "max_pool1d", "max_pool2d", "maximum", "mean", "min",
    "minimum", "mish", "mod", "moveaxis", "mul", "multiply", "neg", "negative", "nn", "norm", "not_equal",
    "numeric_grad", "one_hot", "optim", "outer", "overlap_add", "pad", "parameter", "parse", "paths", "pow", "power",
    "prelu", "prod", "random", "ravel", "reciprocal", "relu", "relu6", "remainder", "repeat", "reshape", "rewrites",
    "roll", "round", "rsqrt", "scalarize", "scatter_add", "scope", "sech2", "selu", "sigmoid", "sign", "silu",
    "simplify", "sin", "sinh", "slogdet", "softmax", "softmax_cross_entropy", "softplus", "softsign", "solve",
    "specialize", "split", "sqrt", "square", "squeeze", "stack", "state", "std", "sub", "subtract", "sum", "swapaxes",
    "symbols", "take", "take_along_axis", "tan", "tanh", "tensordot", "threshold", "tile", "to_networkx", "to_sympy",
    "trace", "transpose", "tril", "triu", "value_and_grad", "var", "vdot", "vjp", "where", "windows", "xlogy",
]  # fmt: skip


def _narrate(*training: Any) -> Any:
    """What `gl.derive` would say of a training; the words and what they need are loaded when somebody reads."""
    return importlib.import_module("graphlearn.teach.notes").note_training(*training)


def _narrate_function(*function: Any) -> Any:
    """What it would say of the derivatives that a function computes, likewise."""
    return importlib.import_module("graphlearn.teach.notes").note_function(*function)


def _tell(*rewritten: Any) -> Any:
    """What was rewritten, in words, likewise."""
    return importlib.import_module("graphlearn.render.rewriting").tell_rewrites(*rewritten)


install_narrator(_narrate, _narrate_function)
install_teller(_tell)


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'graphlearn' has no attribute {name!r}")
    module_name, attribute = _LAZY[name]
    module = importlib.import_module(module_name)
    value = getattr(module, attribute) if attribute else module
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
