"""Every operation, each defined once. Importing this package fills the registry."""

from graphlearn.graph.op import BUILT_IN, OPS
from graphlearn.ops import (
    activations,
    contractions,
    convolution,
    einsum,
    elementary,
    gathering,
    intrinsics,
    joining,
    linear,
    normalised,
    numpy_compositions,
    numpy_functions,
    pooling,
    products,
    random,
    rectifiers,
    reductions,
    repeating,
    running,
    shape,
    slicing,
    statistics,
    triangles,
    windows,
)
from graphlearn.ops.algebra import GRAPH, NUMPY
from graphlearn.ops.elementwise import elementwise

__all__ = [
    "GRAPH",
    "NUMPY",
    "activations",
    "contractions",
    "convolution",
    "einsum",
    "elementary",
    "elementwise",
    "gathering",
    "intrinsics",
    "joining",
    "linear",
    "normalised",
    "numpy_compositions",
    "numpy_functions",
    "pooling",
    "products",
    "random",
    "rectifiers",
    "reductions",
    "repeating",
    "running",
    "shape",
    "slicing",
    "statistics",
    "triangles",
    "windows",
]

BUILT_IN.update(OPS)  # all that were registered up to here; what comes later is a user's
