"""Which numbers are places of an axis: what is demanded of indices, when they are made and when data are given."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from graphlearn.errors import DataError, DTypeError
from graphlearn.graph.binding import at_place, first_wrong
from graphlearn.graph.leaves import constant_array
from graphlearn.graph.node import Node, as_node
from graphlearn.graph.options import as_array
from graphlearn.graph.traverse import leaves
from graphlearn.types import ArrayType, Dim

WHOLE = ("uint8", "int32", "int64")
# The operations whose second operand holds indices.
GATHERING = ("take", "scatter_add", "take_along_axis", "scatter_along_axis")


def check_places(indices: Any, length: int, what: str) -> Any:
    """The indices as an array of whole numbers, if all of them are places of an axis.

    Args:
        indices: whole numbers.
        length: of the axis; places are ``-length`` to ``length - 1``.
        what: how the message names them.

    Raises:
        DataError: names the first that is not, and where it stands.
    """
    array = np.asarray(indices)
    place, many = first_wrong(lambda part: (part < -length) | (part >= length), array)
    if place is not None:
        more = f", {many} such entries in all" if many > 1 else ""
        cure = f"Count from 0, or from the end with {-length} to -1." if length else "The axis has no entries."
        raise DataError(
            f"{what} needs places from {-length} to {length - 1} along an axis of length {length}; got "
            f"{array[place]}{at_place(place)}{more}. {cure}"
        )
    return array


def require_whole(kind: ArrayType, what: str) -> None:
    """Check the dtype of indices.

    Raises:
        DTypeError: names the cure.
    """
    if kind.dtype not in WHOLE:
        cure = (
            "Write gl.where(condition, x, 0) to keep entries where a condition holds."
            if kind.dtype == "bool"
            else "Declare the input with dtype='int64', or write gl.cast(indices, 'int64')."
        )
        raise DTypeError(f"{what} needs whole numbers as indices; got {kind}. {cure}")


def as_indices(indices: Any) -> Node:
    """Indices as a node; NumPy's narrow whole numbers and empty lists included."""
    if isinstance(indices, Node):
        return indices
    array = as_array(indices, "an index")
    if array.dtype.kind not in "biuf":
        return as_node(indices)  # which says what it needs
    if array.size == 0 and not isinstance(indices, np.ndarray):
        array = array.astype(np.int64)
    narrow = array.dtype.kind in "iu" and str(array.dtype) not in WHOLE
    return as_node(array.astype(np.int64) if narrow else array)


def check_constant(indices: Node, length: Dim, what: str) -> None:
    """Check indices that are known along an axis of fixed length; see `check_places`."""
    known = constant_array(indices)
    if known is not None and known.dtype.kind in "iu" and isinstance(length, int):
        check_places(known, length, what)


def indexed_length(node: Node) -> Dim:
    """Length of the axis into which the indices of a node of these operations point."""
    shape = node.shape if node.op.name.startswith("scatter") else node.inputs[0].shape
    axis: int = node.attr("axis")
    return shape[axis]


def gathers(order: Iterable[Node]) -> tuple[Node, ...]:
    """The nodes among those of a graph whose second operand has to be checked when data are given.

    They are those whose indices are made of data or constants, and powers of whole numbers.
    """
    return tuple([node for node in order if node.inputs and _is_checked(node)])


def is_whole_power(node: Node) -> bool:
    """Whether a node is a power of whole numbers, whose exponents have to be 0 or more."""
    return node.op.name == "pow" and not node.type.is_float


def require_whole_power(base: str, exponent: np.ndarray, what: str = "pow of whole numbers") -> None:
    """Refuse whole numbers to the power of negative ones, as NumPy does.

    Args:
        base: dtype of the base; powers of real and complex numbers may have any exponent.
        exponent: real or whole numbers.
        what: how the message names the power.

    Raises:
        DataError: names the least exponent.
    """
    if exponent.dtype.kind == "f" or base.startswith(("float", "complex")) or not np.any(exponent < 0):
        return
    raise DataError(
        f"{what} needs exponents of 0 or more, since their inverses are no whole numbers; got {np.min(exponent)}. Make "
        "the base real: gl.cast(x, 'float64')."
    )


def _is_checked(node: Node) -> bool:
    if is_whole_power(node):
        return constant_array(node.inputs[1]) is None  # others were checked when the node was made
    return node.op.name in GATHERING and _is_given(node)


def _is_given(node: Node) -> bool:
    indices = node.inputs[1]
    if constant_array(indices) is not None:
        return isinstance(indexed_length(node), str)  # along a fixed axis they were checked when the node was made
    return not leaves([indices], "parameter", "state")
