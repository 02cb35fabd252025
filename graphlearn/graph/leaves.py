"""The four leaves: input (data), parameter (trained), state (carried from step to step), constant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphlearn.errors import DTypeError, ShapeError
from graphlearn.graph.frozen import FrozenArray
from graphlearn.graph.node import Node, as_node, check_name, make, new_node
from graphlearn.graph.op import ATOM, Notation, Op, register
from graphlearn.graph.options import as_array
from graphlearn.graph.scope import current_scope
from graphlearn.types import ArrayType, Dim, check_dtype, check_shape

_WEAK_FLOAT = ArrayType((), "float64", weak=True)
_NAME = Notation("", "", ATOM)  # a leaf is written by its name or value


def _never(types: tuple[ArrayType, ...], **attrs: Any) -> ArrayType:
    raise TypeError("inputs, parameters and states are made with their type, never inferred")


def _infer_constant(types: tuple[ArrayType, ...], value: FrozenArray) -> ArrayType:
    if value.number is not None:
        return _WEAK_FLOAT
    dtype = check_dtype(value.array.dtype, "a constant")
    return ArrayType(value.array.shape, dtype, value.weak)


INPUT = register(Op("input", "leaf", _never, _NAME, doc="Data that is given at run time."))
PARAMETER = register(Op("parameter", "leaf", _never, _NAME, doc="An array that training changes."))
STATE = register(
    Op("state", "leaf", _never, _NAME, doc="An array carried from step to step that training does not seek.")
)
CONSTANT = register(Op("constant", "leaf", _infer_constant, _NAME, doc="A fixed number or array."))


def input(name: str, shape: int | str | Sequence[Dim] = (), dtype: str = "float64") -> Node:  # the field's word
    """Data that is given at run time.

    Args:
        name: name by which data is bound; unique in a graph.
        shape: ints and names of free axes, e.g. ``("batch", 2)``.
        dtype: one of bool, uint8, int32, int64, float32, float64.

    Returns:
        A leaf node. Two inputs of the same name are two nodes; a graph that holds both is refused.

    Example:
        >>> import graphlearn as gl
        >>> gl.input("x", ("batch", 2))
        <input x float64[batch,2]>
    """
    kind = ArrayType(check_shape(shape, f"input {name!r}"), check_dtype(dtype, f"input {name!r}"))
    return new_node(INPUT, (), (), kind, check_name(name), current_scope())


def parameter(
    name: str, shape: int | Sequence[int] | None = None, *, init: Any = None, value: Any = None, dtype: str = "float64"
) -> Node:
    """An array that training changes.

    Args:
        name: name in files, diagrams and gradient tables.
        shape: ints only; may be left out when ``value`` is given.
        init: an initializer from `gl.init`; default Glorot for rank 2 and more, zeros below.
        value: literal initial value, copied and frozen; instead of ``init``.
        dtype: float64 or float32.

    Returns:
        A leaf node.

    Raises:
        ShapeError: a named axis, or a shape that contradicts the value.
        DTypeError: both ``init`` and ``value``, or a dtype that is not real.
    """
    what = f"parameter {name!r}"
    if init is not None and value is not None:
        raise DTypeError(f"{what} needs an initial rule or a literal value; got both. Drop init= or value=.")
    if init is not None and not callable(init):
        raise DTypeError(f"{what} needs an initializer from gl.init as init=; got {init!r}. A literal goes to value=.")
    kind, frozen = _typed_value(what, shape, value, dtype)
    if not kind.is_float:
        raise DTypeError(f"{what} needs a real dtype, float32 or float64; got {kind.dtype}.")
    return new_node(PARAMETER, (), (("init", init), ("value", frozen)), kind, check_name(name), current_scope())


def state(name: str, shape: int | Sequence[int] | None = None, value: Any = 0.0, dtype: str | None = None) -> Node:
    """An array carried from step to step that is not trained: a moment, a running mean, a counter.

    Args:
        name: name in files and diagrams.
        shape: ints only; default: the shape of ``value``.
        value: initial value, broadcast to ``shape``.
        dtype: default: float64 for Python floats, else the dtype of ``value``.

    Returns:
        A leaf node. `updates={state: node}` gives its next value.
    """
    kind, frozen = _typed_value(
        f"state {name!r}", shape, value, as_array(value, f"state {name!r}").dtype if dtype is None else dtype
    )
    return new_node(STATE, (), (("value", frozen),), kind, check_name(name), current_scope())


def _typed_value(what: str, shape: Any, value: Any, dtype: object) -> tuple[ArrayType, FrozenArray | None]:
    if shape is None and value is None:
        raise ShapeError(f"{what} needs a shape, or a value that has one; got neither.")
    known = check_dtype(dtype, what)
    dims = None if shape is None else check_shape(shape, what)
    if dims is not None and any(isinstance(d, str) for d in dims):
        raise ShapeError(
            f"{what} needs fixed dimensions, since its size must not follow the data; got {dims}. Use ints."
        )
    if value is None:
        return ArrayType(dims or (), known), None
    array = as_array(value, what)
    check_dtype(array.dtype, what)
    array = array.astype(known)
    if dims is not None and array.shape != dims:
        if array.shape != ():
            raise ShapeError(f"{what} needs a value of shape {dims}; got {array.shape}.")
        array = np.broadcast_to(array, [int(d) for d in dims])
    return ArrayType(array.shape, known), FrozenArray(array)


def constant(value: Any) -> Node:
    """A fixed number or array.

    Args:
        value: a Python number (takes the dtype of what it meets; a whole one beyond int64 is real), a NumPy scalar or
            array, a nested list, or a node (returned as it is).

    Raises:
        DTypeError: strings, objects or complex numbers.
    """
    return as_node(value)


def typed_constant(value: Any, dtype: str) -> Node:
    """A constant of exactly this dtype, never weak."""
    frozen = FrozenArray(np.asarray(value, dtype))
    return make(CONSTANT, (), (("value", frozen),), scope="")


def constant_array(node: Node) -> np.ndarray | None:
    """The array of a constant node, or None for any other node."""
    return node.attr("value").array if node.op is CONSTANT else None
