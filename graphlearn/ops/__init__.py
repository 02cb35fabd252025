"""Every operation, each defined once. Importing this package fills the registry."""

from graphlearn.ops import activations, intrinsics, linear, normalised, reductions, shape
from graphlearn.ops.algebra import GRAPH, NUMPY
from graphlearn.ops.elementwise import elementwise

__all__ = ["GRAPH", "NUMPY", "activations", "elementwise", "intrinsics", "linear", "normalised", "reductions", "shape"]
