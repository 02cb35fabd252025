"""Every operation, each defined once. Importing this package fills the registry."""

from graphlearn.graph.op import BUILT_IN, OPS
from graphlearn.ops import activations, intrinsics, linear, normalised, numpy_functions, reductions, shape
from graphlearn.ops.algebra import GRAPH, NUMPY
from graphlearn.ops.elementwise import elementwise

__all__ = [
    "GRAPH",
    "NUMPY",
    "activations",
    "elementwise",
    "intrinsics",
    "linear",
    "normalised",
    "numpy_functions",
    "reductions",
    "shape",
]

BUILT_IN.update(OPS)  # all that were registered up to here; what comes later is a user's
