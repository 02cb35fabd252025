"""Cases for the laws: for every op a few small graphs with values, made from what the op's record says.

Nothing here names an op. Elementwise ops get operands by arity, from their domain; the others by the parameters of
their reference (operands) and of their shape rule (attributes). A new op needs a row only if it has an attribute, or a
kind of operand, that no op had before.
"""

from __future__ import annotations

import inspect
import itertools
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import graphlearn.ops  # noqa: F401  # fills the registry
from graphlearn.errors import DTypeError, ShapeError
from graphlearn.graph.leaves import INPUT
from graphlearn.graph.node import Node, make, new_node
from graphlearn.graph.op import OPS, Op
from graphlearn.ops.places import GATHERING, indexed_length
from graphlearn.types import ArrayType, Shape

SIZES = {"N": 4}  # lengths of free axes

# The built-in ops, by name, when the tests are collected; ops that tests define themselves do not count.
ALL_OPS = {op.name: op for op in OPS.values() if op.kind != "leaf"}
ELEMENTWISE = {name: op for name, op in ALL_OPS.items() if op.is_elementwise}
OTHERS = {name: op for name, op in ALL_OPS.items() if not op.is_elementwise}
COMPOUNDS = {name: op for name, op in ALL_OPS.items() if op.kind == "compound"}


@dataclass(frozen=True)
class Case:
    """A node of one op, with values for its inputs.

    Args:
        node: the op on input leaves.
        at: leaf -> array.
    """

    node: Node
    at: dict[Node, np.ndarray]

    @property
    def real_inputs(self) -> list[Node]:
        """Inputs by which the node can be differentiated."""
        return [n for n in dict.fromkeys(self.node.inputs) if n.type.is_float]

    def __str__(self) -> str:
        types = ", ".join(str(n.type) for n in self.node.inputs)
        attrs = "".join(f", {key}={value}" for key, value in self.node.attrs)
        return f"{self.node.op.name}({types}{attrs})"


# --- elementwise ops -------------------------------------------------------------------------------------------------

_ONE: tuple[Shape, ...] = ((), (3,), (2, 3), ("N", 3))
_TWO: tuple[tuple[Shape, Shape], ...] = (
    ((), ()),
    ((2, 3), (2, 3)),
    ((2, 3), (3,)),
    ((2, 1), (1, 3)),
    ((), (2, 3)),
    (("N", 3), (3,)),
    (("N", 1), ("N", 3)),
)
_THREE: tuple[tuple[Shape, ...], ...] = (
    ((), (), ()),
    ((2, 3), (2, 3), (2, 3)),
    ((2, 1), (3,), ()),
    (("N", 3), ("N", 1), (3,)),
)
SHAPES: dict[int, tuple[tuple[Shape, ...], ...]] = {1: tuple((s,) for s in _ONE), 2: _TWO, 3: _THREE}


def arity(op: Op) -> int:
    """Number of operands of an elementwise op."""
    assert op.formula is not None
    return len(op.partials) or len(inspect.signature(op.formula).parameters) - 1


def is_condition(op: Op, k: int) -> bool:
    """Whether an operand only chooses: it has no derivative although the op has one by another operand."""
    return bool(op.partials) and op.partials[k] is None and any(p is not None for p in op.partials)


def elementwise_cases(op: Op, dtype: str = "float64") -> Iterator[Case]:
    """The op on operands that broadcast, with values from its domain."""
    for shapes in SHAPES[arity(op)]:
        types = [ArrayType(s, "bool" if is_condition(op, k) else dtype) for k, s in enumerate(shapes)]
        yield make_case(op, types, {})


# --- structural and compound ops -------------------------------------------------------------------------------------

_REGIONS = (  # a pick for each axis: all, a place, or (first, count, step)
    (1,), ((1, 2, 1),), ((2, 3, -1),), ((0, 2, 2),), ((0, 0, 1),),
    (None, 2), (1, (0, 2, 2)), ((1, 2, -1), (2, 2, -2)), (None, (1, 1, 1)), (None, (0, 0, 1)),
    (1, None, (2, 3, -1)), (None, 0, (0, 2, 1)), (0, 0, 1), (3, (1, 2, -1), None), (None, (0, 1, 1), 2),
    (None, (1, 3, 1)), (None, (4, 3, -2)), ((4, 3, -1),), ((1, 2, 2), None),
)  # fmt: skip
# Attribute -> values, by the name and, where it has one, the annotation of the shape rule's parameter, or by the op.
ATTRIBUTES: dict[str, tuple[Any, ...]] = {
    "axis: tuple[int, ...]": ((0,), (1,), (0, 1), (0, 2), ()),
    "axis: int": (0, 1, 2),
    "keepdims": (False, True),
    "empty": (False, True),
    "normalized": (False, True),
    "reverse": (False, True),
    "ddof": (0.5,),
    "offset": (0, 1, -1),
    "k": (0, 1, -1),
    "subscripts": (
        "i,i->",
        "i,j->ji",
        "ij,jk->ik",
        "ij,j->i",
        "ij,ij->j",
        "ij,ik->kj",
        "ij,kj->",
        "ij,kl->ljk",
        "abij,bjk->kai",
    ),
    "sides": ((3, 3), (3, 4), (4, 4)),
    "shape": ((3,), (6,), (2, 5), (3, 2), (1, 2, 3), (4, 2, 3), ("N", 3), (3, "N"), ("N", 1, 3), (1, 1), ("N", 5)),
    "axes": ((0,), (1, 0), (2, 0, 1), (0, 2, 1)),
    "region": _REGIONS,
    "overlap_add.shape": ((4,), (5,), (6, 1), (4, 4), (4, 6, 3), ("N", 3), (3, 2), (2, 3), (2, 2, 2), (4, 3)),
    "conv_image.shape": ((5, 2), (3, 2), ("N", 4, 1), (2, 3, 3, 2), (2, 4, 3, 2)),
    "padding": (((0, 0),), ((1, 2),), ((0, 0), (0, 0)), ((1, 0), (1, 1))),
    "size": ((2,), (1, 2), (2, 2)),
    "stride": ((1,), (2,), (1, 1), (2, 1)),
    "dilation": ((1,), (2,), (1, 2)),
    "dtype": ("float32", "float64", "int64"),
    "axis_name": ("N",),
    "shape: Drawn": ((), (5,), (2, 8), ("N", 3), (3, "N")),
    "first": (0,),
    "part": (1,),
    "precision: str": ("float32", "float64", "int64"),
    "precision: Real": ("float32", "float64"),
    "stream": (3,),
    "rate": (0.25,),
}
# Operands of one dtype, whatever the case is about, by the reference's name for them; and those that are numbers.
_OWN = {"indices": "int64", "seed": "int64", "step": "int64", "bits": "int64", "keep": "bool"}
_NUMBERS = ("seed", "step")
UNWRITTEN = ("seed", "step", "bits")  # what a run gives, or what it draws, is left out of formulas
# Shapes of the operands where those below do not do.
_SHAPES_OF: dict[str, tuple[tuple[Shape, ...], ...]] = {
    "windows": (((5,),), ((3, 4),), ((5, 2),), (("N", 3, 2),), ((2, 3, 4, 1),)),
    "overlap_add": (((3, 2),), ((4, 3, 2),), ((2, 2, 3),), (("N", 2, 2),), ((2, 2, 1, 2),), ((2, 2, 2, 1),)),
    "conv": (
        ((5, 2), (2, 2, 3)),
        (("N", 4, 1), (3, 1, 2)),
        ((2, 3, 4, 2), (2, 3, 2, 2)),
        (("N", 3, 4, 1), (2, 2, 1, 2)),
    ),
    "cofactor_along": (((3, 3), (3, 3)), (("N", 4, 4), ("N", 4, 4)), ((2, 1, 1), (2, 1, 1))),
    "conv_image": (((4, 3), (2, 2, 3)), (("N", 3, 2), (2, 1, 2)), ((2, 2, 3, 1), (2, 1, 2, 1))),
    "conv_kernel": (((5, 2), (4, 3)), (("N", 4, 1), ("N", 3, 2)), ((2, 4, 3, 2), (2, 2, 3, 1)), ((5, 1), (6, 2))),
}
# Shapes of the operands, by their number.
_SHAPES: dict[int, tuple[tuple[Shape, ...], ...]] = {
    0: ((),),
    1: (((),), ((3,),), ((2, 3),), ((2, 1, 3),), (("N", 3),)),
    2: (
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((2,), (2, 3)),
        ((2, 3), (3, 2)),
        ((2, 3), (1, 3)),
        ((2, 3), (2, 3)),
        (("N", 3), (3, 2)),
        (("N", 3), ("N", 3)),
        ((2, "N"), ("N", 3)),
        ((2, 1, 2, 3), (4, 3, 2)),
    ),
}
# The same for ops whose operands are of a kind, by their names.
_SHAPES_OF_A_KIND: dict[str, tuple[tuple[Shape, ...], ...]] = {
    "entries": (((2, 3),), (("N", 3),)),
    "matrix": (((2, 3),), ((3, 3),), ((4, 2),), (("N", 2, 3),)),
    "square": (((2, 2),), (("N", 4, 4),)),
    "positive": (((3, 3),), (("N", 2, 2),)),
    "square, right": (((3, 3), (3,)), (("N", 3, 3), ("N", 3, 2))),
}


def operand_names(op: Op) -> tuple[str, ...]:
    """The operands of an op that is not elementwise: the parameters of its reference that are no attributes."""
    if isinstance(op.reference, np.ufunc):
        return tuple(f"x{k}" for k in range(op.reference.nin))
    assert op.reference is not None
    found = [p for p in inspect.signature(op.reference).parameters.values() if p.name not in attribute_names(op)]
    if any(p.kind is p.VAR_POSITIONAL for p in found):  # any number of operands: two
        return tuple(f"{p.name}{k}" for p in found for k in range(2))
    return tuple(p.name for p in found)


def attribute_names(op: Op) -> dict[str, str]:
    """Attributes of an op -> key into the table of values."""
    parameters = list(inspect.signature(op.infer).parameters.values())[1:]
    keys = {p.name: (f"{op.name}.{p.name}", f"{p.name}: {p.annotation}") for p in parameters}
    return {name: next((k for k in able if k in ATTRIBUTES), name) for name, able in keys.items()}


def other_cases(op: Op, dtype: str = "float64") -> Iterator[Case]:
    """The op on small arrays, with each value of each attribute that fits."""
    keys = attribute_names(op)
    names = operand_names(op)
    if names and set(names) <= set(_OWN) and dtype != "float64":
        return  # its cases are the same whatever the dtype
    own = _SHAPES_OF.get(op.name) or _SHAPES_OF_A_KIND.get(", ".join(names))
    for shapes in dict.fromkeys(_fitting(names, shapes) for shapes in own or _SHAPES[len(names)]):
        for values in itertools.product(*[ATTRIBUTES[key] for key in keys.values()]):
            attrs = dict(zip(keys, values, strict=True))
            if in_range(attrs, shapes):
                try:
                    kinds = [ArrayType(s, _OWN.get(n, dtype)) for n, s in zip(names, shapes, strict=True)]
                    yield make_case(op, kinds, attrs)
                except ShapeError:
                    continue  # this value does not fit these shapes; `test_operands` sees to it that some do
                except DTypeError:
                    if dtype == "float64":
                        raise
                    return  # an op of real numbers alone


def _fitting(names: tuple[str, ...], shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
    return tuple(() if name in _NUMBERS else shape for name, shape in zip(names, shapes, strict=True))


def in_range(attrs: dict[str, Any], shapes: tuple[Shape, ...]) -> bool:
    """Attributes in the canonical form that the public functions give them: axes that the operand has."""
    rank = len(shapes[0]) if shapes else 0
    axis = attrs.get("axis", ())
    axes = (axis,) if isinstance(axis, int) else axis
    return all(a < rank for a in axes) and sorted(attrs.get("axes", range(rank))) == list(range(rank))


# --- both ------------------------------------------------------------------------------------------------------------


def cases(op: Op, dtype: str = "float64") -> list[Case]:
    """All cases of an op."""
    return list(elementwise_cases(op, dtype) if op.is_elementwise else other_cases(op, dtype))


def make_case(op: Op, types: list[ArrayType], attrs: dict[str, Any]) -> Case:
    """The op on fresh inputs of these types, with values that depend on the op's name and the types alone."""
    leaves = tuple(new_node(INPUT, (), (), kind, f"x{k}", "") for k, kind in enumerate(types))
    node = make(op, leaves, tuple(sorted(attrs.items())), scope="")
    generator = np.random.Generator(np.random.Philox(zlib.crc32(f"{op.name}{types}{attrs}".encode())))
    at = {leaf: draw(op, k, leaf.type, attrs, generator) for k, leaf in enumerate(leaves)}
    if op.name in GATHERING:
        length = indexed_length(node)
        size = SIZES[length] if isinstance(length, str) else length
        at[leaves[1]] = at[leaves[1]] % (2 * size) - size  # negative ones too
    return Case(node, at)


def draw(op: Op, k: int, kind: ArrayType, attrs: dict[str, Any], generator: np.random.Generator) -> np.ndarray:
    """Values of an operand: within the op's domain, at least 0.01 from whole numbers, where kinks lie."""
    shape = tuple(SIZES[d] if isinstance(d, str) else d for d in kind.shape)
    name = operand_names(op)[k] if not op.is_elementwise else ""
    if name in ("square", "positive"):
        return draw_matrix(shape, kind.dtype, name, generator)
    if kind.dtype == "bool":
        return generator.integers(0, 2, shape).astype(bool)
    if not kind.is_float:
        return generator.integers(0, 5, shape).astype(kind.dtype)
    low, high = op.domain
    values = generator.uniform(low, high, shape)
    values = np.where(np.abs(values - np.round(values)) < 0.01, values + 0.02, values)
    if op.kink and not op.is_elementwise:  # no two entries near each other, where a choice would change
        values = values + 0.02 * np.argsort(np.argsort(values, axis=None)).reshape(shape)
    if attrs.get("normalized") and k == 1:  # the caller's promise: targets that sum to 1
        positive = np.abs(values) + 0.1
        values = positive / np.sum(positive, axis=attrs["axis"], keepdims=True)
    return values.astype(kind.dtype)


def draw_matrix(shape: tuple[int, ...], dtype: str, name: str, generator: np.random.Generator) -> np.ndarray:
    """Matrices that have an inverse, or symmetric ones with eigenvalues above 0; neither is near to having none."""
    identity = np.eye(shape[-1])
    if dtype == "bool":
        return np.broadcast_to(identity, shape).astype(bool)
    real = dtype.startswith("float")
    values = generator.uniform(-2, 2, shape) if real else generator.integers(0, 3, shape)
    if name == "positive":
        values = values @ np.swapaxes(values, -1, -2)
    return (values + (2 if name == "positive" else 8) * identity).astype(dtype)
